//! `windlass join-token`: what lets a new cluster in.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use api::routes::join_tokens::{JoinToken, JoinTokenCreated, NewJoinToken};
use api::selector::{check_key, check_value};
use cdn::ProjectName;
use clap::{Args, Subcommand};
use program::http::Method;
use program::settings::duration;
use serde_json::Value;

use crate::credential;
use crate::exit::Exit;
use crate::get::nouns::view;
use crate::output::{Format, FormatArg};
use crate::server::{Terms, escaped};
use crate::session::Session;

/// `windlass join-token`.
#[derive(Debug, Subcommand)]
pub(crate) enum JoinTokenCommand {
    /// Make a join token; it is shown this once
    #[command(before_help = "Examples:
  windlass join-token create
  windlass join-token create --ttl 24h --uses 50 --label env=production --approve
  windlass join-token create --name 'store-*' --uses 50  # for clusters of these names alone
  windlass join-token create -o name > join.token      # only the token")]
    Create(Create),
    /// List join tokens, without the tokens
    #[command(
        visible_alias = "get",
        before_help = "Examples:
  windlass join-token list"
    )]
    List(FormatArg),
    /// Make a join token useless at once; clusters that have joined stay
    #[command(before_help = "Examples:
  windlass join-token revoke jt-0192...")]
    Revoke(Revoke),
}

/// `windlass join-token create`.
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// How long it can be used
    #[arg(long, value_name = "TIME", default_value = "1h",
        value_parser = duration(Duration::from_secs(1), Duration::from_hours(24 * 30)))]
    ttl: Duration,
    /// How many clusters may join with it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    uses: u64,
    /// A label of each cluster that joins with it
    #[arg(short = 'l', long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// The name of the cluster that joins, or how its name begins and `*`; any name unless said
    #[arg(long, value_name = "NAME|PREFIX*")]
    name: Option<String>,
    /// A project whose services may come to these clusters; every project unless said
    #[arg(long = "project", value_name = "NAME")]
    projects: Vec<ProjectName>,
    /// Clusters may poll at once, without a person's yes; so it is anyway with one use
    #[arg(long, overrides_with = "no_approve")]
    approve: bool,
    /// A person has to approve each cluster
    #[arg(long)]
    no_approve: bool,
    #[command(flatten)]
    form: credential::Form,
}

/// `windlass join-token revoke`.
#[derive(Args, Debug)]
pub(crate) struct Revoke {
    /// Its id
    #[arg(value_name = "ID")]
    id: String,
}

impl JoinTokenCommand {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        match self {
            Self::Create(create) => create.run(session).await,
            Self::List(format) => list(session, format.output).await,
            Self::Revoke(revoke) => revoke.run(session).await,
        }
    }
}

impl Create {
    async fn run(self, session: &Session) -> Result<Exit> {
        let new = NewJoinToken {
            ttl_seconds: Some(self.ttl.as_secs()),
            max_uses: Some(self.uses),
            labels: self.labels.into_iter().collect::<BTreeMap<_, _>>(),
            cluster_name: self.name,
            projects: self.projects,
            approve: match (self.approve, self.no_approve) {
                (true, _) => Some(true),
                (false, true) => Some(false),
                (false, false) => None,
            },
        };
        self.form.check()?;
        let created: JoinTokenCreated = session.server()?.create("/v1/join-tokens", &new).await?;
        let view = view(std::slice::from_ref(&created.join_token), serde_json::to_value(&created)?);
        self.form.deliver(session, created.token, &view)?;
        if !created.join_token.approve {
            session.out.hint("clusters that join wait for `windlass approve cluster NAME`");
        }
        Ok(Exit::Ok)
    }
}

async fn list(session: &Session, format: Format) -> Result<Exit> {
    let tokens: Vec<JoinToken> =
        session.server()?.list("/v1/join-tokens", &crate::server::Query::default()).await?;
    let value = serde_json::json!({ "items": tokens });
    session.out.show(&view(&tokens, value), format)?;
    Ok(Exit::Ok)
}

impl Revoke {
    async fn run(self, session: &Session) -> Result<Exit> {
        let id = self.id.strip_prefix("join-token/").unwrap_or(&self.id);
        let path = format!("/v1/join-tokens/{}/revoke", escaped(id));
        let _answer: Value =
            session.server()?.change(Method::POST, &path, None::<&()>, Terms::default()).await?;
        session.out.line(&format!("join-token/{id} revoked"))?;
        Ok(Exit::Ok)
    }
}

/// A clap value parser for a label: the api's own rule, told before it is asked.
fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    check_key(key).and_then(|()| check_value(value)).map_err(|why| why.to_string())?;
    Ok((key.to_owned(), value.to_owned()))
}
