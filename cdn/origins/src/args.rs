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
        let list = self.origin.iter().map(|text| Origin::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let mut credentials = Credentials::default();
        for text in &self.origin_token_file {
            credentials.bind(text)?;
        }
        Ok(Origins::new(list, client).with(credentials, Patience::default()))
    }
}
