//! `windlass publisher`: credentials of publishers.

use anyhow::Result;
use api::routes::publishers::{NewPublisher, Publisher, PublisherCreated};
use cdn::ProjectName;
use clap::{Args, Subcommand};
use program::http::Method;
use serde_json::{Value, json};

use crate::credential;
use crate::exit::{Exit, Failure};
use crate::get::nouns::view;
use crate::output::FormatArg;
use crate::server::{Query, Server, Terms, escaped};
use crate::session::Session;

/// `windlass publisher`.
#[derive(Debug, Subcommand)]
pub(crate) enum PublisherCommand {
    /// Make a publisher's credential; it is shown this once
    #[command(before_help = "Examples:
  windlass publisher create main --out publisher.token
  windlass publisher create ci --project payments -o name > publisher.token")]
    Create(Create),
    /// List publishers, without their tokens
    #[command(
        visible_alias = "get",
        before_help = "Examples:
  windlass publisher list"
    )]
    List(FormatArg),
    /// Make a publisher's credential useless at once; what it published stays
    #[command(before_help = "Examples:
  windlass publisher revoke ci")]
    Revoke(Revoke),
}

/// `windlass publisher create`.
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// A name for people, a DNS label
    #[arg(value_name = "NAME")]
    name: String,
    /// The one project that it publishes for
    #[arg(long, value_name = "NAME", default_value = "default")]
    project: ProjectName,
    #[command(flatten)]
    form: credential::Form,
}

/// `windlass publisher revoke`.
#[derive(Args, Debug)]
pub(crate) struct Revoke {
    /// Its name or id
    #[arg(value_name = "NAME|ID")]
    name: String,
}

impl PublisherCommand {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        match self {
            Self::Create(create) => create.run(session).await,
            Self::List(format) => {
                let publishers = all(&session.server()?).await?;
                let value = json!({ "items": publishers });
                session.out.show(&view(&publishers, value), format.output)?;
                Ok(Exit::Ok)
            }
            Self::Revoke(revoke) => revoke.run(session).await,
        }
    }
}

async fn all(server: &Server) -> Result<Vec<Publisher>> {
    server.list("/v1/publishers", &Query::default()).await
}

impl Create {
    async fn run(self, session: &Session) -> Result<Exit> {
        self.form.check()?;
        let new = NewPublisher { name: self.name, project: self.project };
        let created: PublisherCreated = session.server()?.create("/v1/publishers", &new).await?;
        let view = view(std::slice::from_ref(&created.publisher), serde_json::to_value(&created)?);
        self.form.deliver(session, created.token, &view)?;
        Ok(Exit::Ok)
    }
}

impl Revoke {
    async fn run(self, session: &Session) -> Result<Exit> {
        let server = session.server()?;
        let wanted = self.name.strip_prefix("publisher/").unwrap_or(&self.name);
        let named = |p: &&Publisher| p.id == wanted || (p.name == wanted && p.revoked_at.is_none());
        let publishers = all(&server).await?;
        let publisher = publishers.iter().find(named).ok_or_else(|| {
            Failure::new(Exit::NotFound, format!("there is no publisher `{wanted}`"))
                .next("see them with `windlass publisher list`")
        })?;
        session.confirm(&format!("Revoke the credential of publisher {}?", publisher.name)).await?;
        let path = format!("/v1/publishers/{}/revoke", escaped(&publisher.id));
        let _answer: Value = server.change(Method::POST, &path, None::<&()>, Terms::default()).await?;
        session.out.line(&format!("publisher/{} revoked", publisher.name))?;
        Ok(Exit::Ok)
    }
}
