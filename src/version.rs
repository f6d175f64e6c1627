//! `windlass version`: this program's version, and that of the api where one is known.

use anyhow::Result;
use api::routes::whoami::Whoami;
use clap::Args;
use serde_json::json;

use crate::exit::Exit;
use crate::output::{FormatArg, View};
use crate::session::Session;
use crate::table::Table;

const OWN: &str = env!("CARGO_PKG_VERSION");

/// Show this program's version, and the api's where one is known
#[derive(Args, Debug)]
#[command(before_help = "Examples:
  windlass version
  windlass version --client -o name")]
pub(crate) struct Version {
    /// Only this program's; no api is asked
    #[arg(long)]
    client: bool,
    #[command(flatten)]
    format: FormatArg,
}

impl Version {
    /// Does it. An api that cannot be asked is no reason to hide our own version.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        let api = if self.client { None } else { api(session).await };
        let mut table = Table::new(["PROGRAM", "VERSION"]);
        table.row(["windlass".to_owned(), OWN.to_owned()]);
        if let Some(version) = &api {
            table.row(["windlass-api".to_owned(), version.clone()]);
        }
        let value = json!({ "windlass": OWN, "api": api });
        let view = View { table, value, names: vec![OWN.to_owned()], empty: "" };
        session.out.show(&view, self.format.output)?;
        Ok(Exit::Ok)
    }
}

async fn api(session: &Session) -> Option<String> {
    let server = match session.server() {
        Ok(server) => server,
        Err(error) => {
            tracing::debug!("no api is asked: {error:#}");
            return None;
        }
    };
    match server.get::<Whoami>("/v1/whoami").await {
        Ok(whoami) => Some(whoami.version),
        Err(error) => {
            session.out.hint(&format!("the api's version is unknown: {error:#}"));
            None
        }
    }
}
