//! `windlass login` and `windlass whoami`: which api, as whom.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use api::routes::whoami::Whoami;
use clap::Args;
use serde_json::json;

use crate::contexts::{Context, Contexts};
use crate::exit::{Exit, Failure};
use crate::output::{FormatArg, View};
use crate::server::Server;
use crate::session::{self, Session};
use crate::table::Table;
use crate::trust::RootArg;

/// Remember an api and a token for it, after both have been tried
#[derive(Args, Debug)]
#[command(before_help = "Examples:
  windlass login --server https://windlass.example.com --token-file admin.token
  windlass login --server https://windlass.example.com --context prod --root fleet-keys/root/1.json < admin.token")]
pub(crate) struct Login {
    #[command(flatten)]
    root: RootArg,
}

/// Say which api this is, which fleet, and who you are there
#[derive(Args, Debug)]
#[command(before_help = "Examples:
  windlass whoami
  windlass whoami -o name")]
pub(crate) struct WhoamiCommand {
    #[command(flatten)]
    format: FormatArg,
}

impl Login {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        let url = session
            .named_server()
            .ok_or_else(|| Failure::new(Exit::Usage, "no api is named").next("give --server URL"))?;
        let token = match session.token_file() {
            Some(file) => session::admin_token(file)?,
            None if std::io::stdin().is_terminal() => {
                return Err(Failure::new(Exit::Usage, "no token is given")
                    .next("give --token-file FILE, or the token on stdin; never as an argument")
                    .into());
            }
            None => session::admin_token(&PathBuf::from("-"))?,
        };
        let ca_file = session.ca_file().map(std::path::absolute).transpose()?;
        let server = Server::new(Session::client(ca_file.clone())?, url, token.clone());
        let whoami: Whoami = server.get("/v1/whoami").await?;
        let fleet = self.root.fleet()?;
        if let Some(fleet) = fleet.filter(|fleet| *fleet != whoami.fleet) {
            return Err(Failure::new(Exit::Failed, "this is the api of another fleet")
                .why(format!("it serves {}, the root given is that of {fleet}", whoami.fleet))
                .next("check --server and --root")
                .into());
        }
        let path = session.contexts_file()?;
        let mut contexts = Contexts::read(&path)?;
        let name = session.context_name().unwrap_or("default").to_owned();
        contexts.current.clone_from(&name);
        let context = Context { server: server.url().to_owned(), token, ca_file, fleet };
        contexts.contexts.insert(name.clone(), context);
        contexts.write(&path).context("the login itself was fine")?;
        session.out.hint(&format!("logged in to {} as {}: context `{name}`", server.url(), whoami.who));
        Ok(Exit::Ok)
    }
}

impl WhoamiCommand {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        let server = session.server()?;
        let whoami: Whoami = server.get("/v1/whoami").await?;
        let mut table = Table::new(["WHO", "SERVER", "FLEET", "ROOT", "API"]).wide(["ORIGINS"]);
        table.row([
            whoami.who.clone(),
            server.url().to_owned(),
            whoami.fleet.to_string(),
            whoami.root.to_string(),
            whoami.version.clone(),
            whoami.origins.join(","),
        ]);
        let mut value = serde_json::to_value(&whoami)?;
        value["server"] = json!(server.url());
        let view = View { table, value, names: vec![whoami.who], empty: "" };
        session.out.show(&view, self.format.output)?;
        Ok(Exit::Ok)
    }
}
