//! `windlass apply`: the fleet's description, document by document, in an order in which each finds what it needs.
//! What is there already and says the same is left alone; what fails does not stop the rest.

mod documents;
mod imagined;
mod order;
mod schema;
mod service;

use std::fmt;
use std::path::PathBuf;

use anyhow::Result;
use api::routes::clusters::{ClusterChange, ClusterDetail};
use api::routes::services::Reach;
use api::routes::sources::Source;
use api::routes::whoami::Whoami;
use cdn::wire::Source as Place;
use clap::Args;
use program::http::Method;
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::output::{Format, FormatArg, reasons};
use crate::server::{Server, Terms, escaped};
use crate::session::Session;
use crate::several::Tally;
use documents::{Document, Spec};
use imagined::Imagined;

/// Make the fleet as documents describe it
#[derive(Args, Debug)]
#[command(before_help = "Examples:
  windlass apply -f fleet.yaml
  windlass apply -f fleet/ --dry-run
  kustomize build fleet | windlass apply -f -

Documents: apiVersion windlass.dev/v1alpha1; kinds Source, Cluster, ServiceDeployment, GlobalService.
What is not in the documents is left as it is: nothing is deleted because it is missing.")]
pub(crate) struct Apply {
    /// A file, a folder with *.yaml, *.yml and *.json, or `-` for stdin; may be given several times
    #[arg(short, long = "filename", value_name = "FILE|DIR|-", required = true)]
    files: Vec<PathBuf>,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: FormatArg,
}

/// What became of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Created,
    Configured,
    Unchanged,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
        })
    }
}

/// What became of a document, and which clusters it concerns.
#[derive(Debug)]
struct Outcome {
    effect: Effect,
    /// Of a service whose targets are others now.
    reach: Option<Reach>,
}

impl From<Effect> for Outcome {
    fn from(effect: Effect) -> Self {
        Self { effect, reach: None }
    }
}

impl Apply {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        let documents = order::ordered(documents::read(&self.files)?);
        if documents.is_empty() {
            return Err(Failure::new(Exit::Usage, "there is no document to apply")
                .next("check the files given with -f")
                .into());
        }
        let server = session.server()?;
        // One refusal instead of one for each document.
        let _who: Whoami = server.get("/v1/whoami").await?;
        let mut imagined = if self.dry_run { Some(Imagined::read(&server).await?) } else { None };
        let (mut results, mut tally) = (Vec::new(), Tally::default());
        for document in &documents {
            let ended = self.one(session, &server, document, imagined.as_mut()).await;
            tally.count(&ended);
            results.push(self.tell(session, document, &ended)?);
        }
        if matches!(self.format.output, Format::Json | Format::Yaml) {
            session.out.value(&json!({ "items": results }), self.format.output)?;
        }
        Ok(tally.exit(session))
    }

    fn tell(&self, session: &Session, document: &Document, ended: &Result<Outcome>) -> Result<Value> {
        let dry = if self.dry_run { " (dry run)" } else { "" };
        match (ended, self.format.output) {
            (Ok(Outcome { effect, .. }), Format::Table | Format::Wide) => {
                session.out.line(&format!("{} {effect}{dry}", document.id))?;
            }
            (Ok(_), Format::Name) => session.out.line(&document.id)?,
            (Ok(_), Format::Json | Format::Yaml) => {}
            (Err(error), _) => {
                session.out.error(&anyhow::anyhow!(
                    "{} ({}): {}",
                    document.id,
                    document.place,
                    reasons(error)
                ));
            }
        }
        Ok(match ended {
            Ok(Outcome { effect, reach }) => {
                let mut told =
                    json!({ "name": document.id, "effect": effect.to_string(), "dry_run": self.dry_run });
                if let Some(reach) = reach {
                    told["reach"] = json!(reach);
                }
                told
            }
            Err(error) => json!({ "name": document.id, "error": reasons(error) }),
        })
    }

    async fn one(
        &self,
        session: &Session,
        server: &Server,
        document: &Document,
        imagined: Option<&mut Imagined>,
    ) -> Result<Outcome> {
        let effect = match &document.spec {
            Spec::Source(spec) => self.source(server, &document.path, spec).await?,
            Spec::Cluster(change) => self.cluster(server, &document.path, change).await?,
            Spec::Service(kind, spec) => {
                return service::put(session, server, document, (*kind, spec), imagined).await;
            }
        };
        if let Some(imagined) = imagined.filter(|_| effect != Effect::Unchanged) {
            imagined.put(document)?;
        }
        Ok(effect.into())
    }

    async fn source(&self, server: &Server, path: &str, spec: &Place) -> Result<Effect> {
        let held = server.find::<Source>(path).await?;
        if held.as_ref().is_some_and(|held| held.body.spec.known() == Some(spec)) {
            return Ok(Effect::Unchanged);
        }
        if !self.dry_run {
            let etag = held.as_ref().and_then(|held| held.etag.as_deref());
            let terms = Terms { if_match: etag, idempotency_key: None };
            let _answer: Value = server.change(Method::PUT, path, Some(spec), terms).await?;
        }
        Ok(if held.is_some() { Effect::Configured } else { Effect::Created })
    }

    /// A cluster comes into being by joining; a document only says its labels, projects and values.
    async fn cluster(&self, server: &Server, name: &str, change: &ClusterChange) -> Result<Effect> {
        let path = format!("/v1/clusters/{}", escaped(name));
        let held = server.find::<ClusterDetail>(&path).await?.ok_or_else(|| {
            Failure::new(Exit::NotFound, "this cluster has not joined yet")
                .why("a cluster comes into being by joining; a document only says its labels, projects and values")
                .next("make a token with `windlass join-token create`, let its agent join, and apply again")
        })?;
        let now = &held.body;
        let differs = change.labels.as_ref().is_some_and(|labels| *labels != now.cluster.labels)
            || change.projects.as_ref().is_some_and(|projects| *projects != now.cluster.projects)
            || change.values.as_ref().is_some_and(|values| *values != now.values);
        if !differs {
            return Ok(Effect::Unchanged);
        }
        if !self.dry_run {
            let terms = Terms { if_match: held.etag.as_deref(), idempotency_key: None };
            let _answer: Value = server.change(Method::PATCH, &path, Some(change), terms).await?;
        }
        Ok(Effect::Configured)
    }
}
