//! `windlass publish`: one service, once, for CI. The daemon's own code and settings; nothing is asked of an api unless
//! one is named.

use anyhow::Result;
use clap::Args;
use publisher::{OnceArgs, Published, Publisher, Settings};
use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::output::{FormatArg, View};
use crate::session::Session;
use crate::table::Table;
use crate::words::{commit, word};

/// Publish one service once: render, check, store, sign, register
#[derive(Args, Debug)]
#[command(before_help = "Examples:
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
        self.settings.check()?;
        let opened = Publisher::open(&self.settings).await?;
        let progress = session.progress();
        let published = opened.once(&self.once, &*progress).await;
        opened.close().await;
        progress.finish("");
        let published = published?;
        for warning in &published.warnings {
            session.out.hint(&format!("warning: {warning}"));
        }
        session.out.show(&view(&published), self.format.output)?;
        if published.registered == Some(false) {
            return Err(Failure::new(
                Exit::Partly,
                "the release is in the store, but the api does not know it yet",
            )
            .next("run this again when the api can be reached")
            .into());
        }
        Ok(Exit::Ok)
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
        "release": published.release, "bundle": published.bundle, "putBytes": published.put_bytes,
        "rendered": published.rendered, "registered": published.registered, "warnings": published.warnings,
    });
    View { table, value, names: vec![format!("release/{}", published.release)], empty: "" }
}
