//! `windlass publish`: one service, once, for CI. The daemon's own code and settings; nothing is asked of an api unless
//! one is named.

use anyhow::Result;
use cdn::wire::Problem;
use clap::Args;
use program::http::StatusCode;
use publisher::api::ApiError;
use publisher::release::ReleaseError;
use publisher::{OnceArgs, OnceError, PublishError, Published, Publisher, Settings};
use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::output::{FormatArg, View, reasons};
use crate::server;
use crate::session::Session;
use crate::table::Table;
use crate::words::{commit, service_arg, word};

/// Publish one service once: render, check, store, sign, register
#[derive(Args, Debug)]
#[command(mut_arg("service", |service| service.value_parser(service_arg)), before_help = "Examples:
  windlass publish default/web --from-directory /src/shop --path web --store /srv/windlass --root 1.json --release-key release-default.key --allow allow.toml --cache /tmp/windlass

With all of that in WINDLASS_* variables, and WINDLASS_API to describe the service, the service's name is enough.")]
pub(crate) struct Publish {
    #[command(flatten)]
    once: OnceArgs,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    format: FormatArg,
}

impl Publish {
    /// Does it: exit code 7 when the content is published but the api does not know it yet.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        self.settings.check().map_err(|error| Failure::new(Exit::Usage, reasons(&error)))?;
        let opened = Publisher::open(&self.settings).await?;
        let progress = session.progress();
        let published = opened.once(&self.once, &*progress).await;
        opened.close().await;
        progress.finish("");
        let published = published.map_err(|error| self.failure(error))?;
        for warning in &published.warnings {
            session.out.hint(&format!("warning: {warning}"));
        }
        session.out.show(&view(&published), self.format.output)?;
        if published.registered == Some(false) {
            return Err(Failure::new(
                Exit::Partly,
                "the release is in the store, but the api does not know it yet",
            )
            .next("see the warning for why, and run this again when that is mended")
            .into());
        }
        Ok(Exit::Ok)
    }

    /// Why nothing was published, by the exit code that a script branches on.
    fn failure(&self, error: OnceError) -> anyhow::Error {
        let failure = match error {
            OnceError::Undescribed(service) => {
                Failure::new(Exit::Usage, format!("nothing says where {service} comes from"))
                    .why("there is neither a source on the command line, nor an api that describes it")
                    .next("give --from-git or --from-directory, or --api and --token-file")
            }
            OnceError::NotWanted(service) => {
                Failure::new(Exit::NotFound, format!("the api does not want {service}"))
                    .why("no service of this name is described in the project of the credential")
                    .next("apply its description first, or give --from-git or --from-directory")
            }
            OnceError::Api(ApiError::Fetch(error)) => {
                server::unreachable(self.settings.api.as_deref().unwrap_or_default(), error)
                    .next("check that windlass-api runs there, and --api")
            }
            OnceError::Api(ApiError::Refused { status, problem, next, .. }) => {
                refused(status, problem.map(|problem| *problem)).next(next)
            }
            OnceError::Publish {
                service,
                why: PublishError::Release(why @ ReleaseError::Conflict { .. }),
            } => Failure::new(Exit::Conflict, format!("{service} was not published"))
                .why(why)
                .next("look at what is there now, and run this again if yours is the newer"),
            other @ (OnceError::Api(ApiError::Malformed { .. }) | OnceError::Publish { .. }) => {
                return other.into();
            }
        };
        failure.into()
    }
}

fn refused(status: StatusCode, problem: Option<Problem>) -> Failure {
    let exit = server::exit_of(status);
    match problem {
        Some(problem) => Failure::new(exit, problem.title).why(problem.detail).request(problem.request_id),
        None => Failure::new(exit, format!("the api answered {status}")),
    }
}

fn view(published: &Published) -> View {
    let mut table = Table::new(["SERVICE", "OUTCOME", "COMMIT", "RELEASE", "BUNDLE", "BYTES PUT"]);
    table.row([
        published.service.to_string(),
        word(&published.outcome),
        commit(&published.commit),
        published.release.short(),
        published.bundle.short(),
        published.put_bytes.to_string(),
    ]);
    let value = json!({
        "service": published.service, "outcome": published.outcome, "commit": published.commit,
        "release": published.release, "bundle": published.bundle, "put_bytes": published.put_bytes,
        "rendered": published.rendered, "registered": published.registered, "warnings": published.warnings,
    });
    View { table, value, names: vec![format!("release/{}", published.release)], empty: "" }
}
