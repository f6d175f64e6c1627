//! Contexts: which api a command talks to, and as whom. One file of this user's, mode 0600, as it holds tokens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cdn::{Digest, Secret};
use program::files;
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failure};

/// The most that is read of the file.
const MAX_BYTES: u64 = 256 << 10;

/// All contexts, and which one counts unless told otherwise.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contexts {
    /// The name of the one that counts.
    #[serde(default)]
    pub(crate) current: String,
    /// By name.
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
}

/// One api, and a credential for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Context {
    /// The api's URL.
    pub(crate) server: String,
    /// The credential.
    pub(crate) token: Secret,
    /// Certificate authorities besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The fleet's id, where a person gave it (`login --root`): content is then proved against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fleet: Option<Digest>,
}

impl Contexts {
    /// Reads the file; none is as good as an empty one.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = match files::read_bounded(path, MAX_BYTES) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            read => read.with_context(|| format!("read the contexts in {}", path.display()))?,
        };
        let text = String::from_utf8(bytes).ok();
        let read = text.as_deref().and_then(|text| toml::from_str(text).ok());
        // The parser's own message would quote the line, which may be the one with the token (law L10).
        read.ok_or_else(|| {
            Failure::new(Exit::Usage, format!("{} is not a file of contexts", path.display()))
                .why("it is not TOML with `current` and `[contexts.NAME]` tables of server, token, ca-file, fleet")
                .next("remove it and run `windlass login` again")
                .into()
        })
    }

    /// Writes the file, mode 0600, as one step.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            files::create_directory(folder, 0o700).with_context(|| format!("create {}", folder.display()))?;
        }
        let text = toml::to_string(self).context("write the contexts as TOML")?;
        files::write_atomic(path, text.as_bytes(), 0o600)
            .with_context(|| format!("write the contexts to {}", path.display()))
    }

    /// The named context, or the current one. None is an error only where a name was given.
    pub(crate) fn pick(&self, name: Option<&str>) -> Result<Option<&Context>> {
        let wanted = name.unwrap_or(&self.current);
        match (self.contexts.get(wanted), name) {
            (Some(context), _) => Ok(Some(context)),
            (None, None) => Ok(None),
            (None, Some(name)) => {
                let known: Vec<&str> = self.contexts.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "there is none yet".to_owned() } else { known.join(", ") };
                Err(Failure::new(Exit::Usage, format!("there is no context `{name}`"))
                    .why(format!("the contexts are: {known}"))
                    .next("run `windlass login --context NAME --server URL --token-file FILE`")
                    .into())
            }
        }
    }
}
