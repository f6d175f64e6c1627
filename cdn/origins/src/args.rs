//! Which origins, as the settings say it.

use program::http::Client;

use crate::{BadCredential, BadOrigin, Credentials, Origin, Origins, Patience};

/// The settings of reading, for `#[command(flatten)]`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct OriginArgs {
    /// Where content is read from, in this order, before what the assignment names: `https://HOST/PATH`,
    /// `file:///FOLDER` or /FOLDER; may be given several times
    #[arg(long = "origin", env = "WINDLASS_ORIGIN", value_name = "URL", value_delimiter = ',')]
    pub origin: Vec<String>,
    /// The bearer token of an origin's host: HOST=FILE or HOST:PORT=FILE; may be given several times
    #[arg(
        long = "origin-token-file",
        env = "WINDLASS_ORIGIN_TOKEN_FILE",
        value_name = "HOST=FILE",
        value_delimiter = ','
    )]
    pub origin_token_file: Vec<String>,
}

/// The settings of reading cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadOrigins {
    /// An origin is none.
    #[error(transparent)]
    Origin(#[from] BadOrigin),
    /// A token is of no use.
    #[error("--origin-token-file: {0}")]
    Credential(BadCredential),
}

impl From<BadCredential> for BadOrigins {
    fn from(why: BadCredential) -> Self {
        Self::Credential(why)
    }
}

impl OriginArgs {
    /// The origins that the settings name; reads the token files (blocking, at the start of a program).
    pub fn origins(&self, client: Client) -> Result<Origins, BadOrigins> {
        let (origins, wrong) = self.usable(client);
        wrong.into_iter().next().map_or(Ok(origins), Err)
    }

    /// As many of them as can be used, and what is wrong with the others: for a program that must go on. A host whose
    /// token cannot be read is asked nothing without it; its file is read again each time.
    pub fn usable(&self, client: Client) -> (Origins, Vec<BadOrigins>) {
        let (mut list, mut credentials, mut wrong) = (Vec::new(), Credentials::default(), Vec::new());
        for text in &self.origin {
            match Origin::parse(text) {
                Ok(origin) => list.push(origin),
                Err(why) => wrong.push(why.into()),
            }
        }
        for text in &self.origin_token_file {
            if let Err(why) = credentials.bind(text) {
                wrong.push(why.into());
            }
        }
        (Origins::new(list, client).with(credentials, Patience::default()), wrong)
    }
}
