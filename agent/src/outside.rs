//! `Outside`: what the settings name outside the state folder - authorities for TLS, origins and their tokens, root 1.
//! Nobody joins by a part of it. Who has joined goes on with as much of it as can be used (law L1), and takes up the
//! rest once it can be read.

use std::path::Path;

use cdn::Digest;
use cdn::document::HoldReason;
use origins::Origins;
use program::http::Client;

use crate::USER_AGENT;
use crate::held::Held;
use crate::join::{check_root, operators_root};
use crate::settings::{RootArg, Settings};

/// What the settings name outside the state folder.
#[derive(Clone, Debug)]
pub(crate) struct Outside {
    settings: Settings,
    client: Client,
}

impl Outside {
    /// For a cluster that is to join: all of it, or why not.
    pub(crate) fn whole(settings: &Settings) -> anyhow::Result<Self> {
        let client = Client::new(&settings.http.settings(USER_AGENT))?;
        settings.origins.origins(client.clone())?;
        operators_root(settings)?;
        Ok(Self { settings: settings.clone(), client })
    }

    /// For a cluster of this fleet: as much of it as can be used. Another fleet's root is the operator's own word, and
    /// nothing is done against that.
    pub(crate) fn usable(settings: &Settings, fleet: Digest) -> anyhow::Result<Self> {
        if let Ok(root) = operators_root(settings) {
            check_root(root, fleet)?;
        }
        let http = settings.http.settings(USER_AGENT);
        let client = Client::new(&http).or_else(|_| Client::trusting_nobody(&http))?;
        Ok(Self { settings: settings.clone(), client })
    }

    /// The client of all that is read over the network.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The site's own origins.
    pub(crate) fn origins(&self) -> Origins {
        self.settings.origins.usable(self.client()).0
    }

    /// The file with root 1, where the operator gave one.
    pub(crate) fn root_file(&self) -> Option<&Path> {
        match &self.settings.root {
            Some(RootArg::File(file)) => Some(file),
            Some(RootArg::Digest(_)) | None => None,
        }
    }

    /// Takes up what can be read by now, and says what still cannot be used. Reads files: blocking.
    pub(crate) fn take_up(&self, fleet: Digest) -> Option<Held> {
        let authorities = self.client.trust(&self.settings.http.settings(USER_AGENT));
        let (_, origins) = self.settings.origins.usable(self.client());
        let root = operators_root(&self.settings).and_then(|root| check_root(root, fleet));
        let origins = origins.iter().map(ToString::to_string);
        let wrong: Vec<String> = (authorities.err().map(|error| error.to_string()).into_iter())
            .chain(origins)
            .chain(root.err().map(|error| format!("{error:#}")))
            .collect();
        (!wrong.is_empty()).then(|| Held::cluster(HoldReason::SettingsUnusable, wrong.join("; ")))
    }
}
