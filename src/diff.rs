//! `windlass diff`: what differs between two releases of a service, or between its last release and a working tree.
//! Object by object, so that order and formatting never show.

mod unified;

use anyhow::Result;
use cdn::{Bundle, ServiceName};
use clap::Args;
use serde_json::json;

use crate::content::{ContentArgs, Found, Subject, release_named};
use crate::exit::{Exit, exit_of};
use crate::output::{Format, FormatArg, View, is_closed_pipe};
use crate::render::TreeArgs;
use crate::session::Session;
use crate::table::{Table, Tone};
use crate::words::service_arg;
use unified::{Change, changes};

/// Compare two releases of a service, or a working tree with the last one
#[derive(Args, Debug)]
#[command(before_help = "Examples:
  windlass diff default/web                                  # what runs against what was published last
  windlass diff default/web --from 4be1c2d3e4f5 --to latest
  windlass diff default/web --path apps/web --renderer kustomize
  windlass diff default/web --to new.tar.zst -o name         # only the objects' names

Exit codes: 0 no difference, 1 different, 2 failed, above 2 as everywhere")]
pub(crate) struct Diff {
    /// The service
    #[arg(value_name = "SERVICE", value_parser = service_arg)]
    service: ServiceName,
    /// The older side: `current`, `latest`, a digest or its first digits, or a bundle's file [default: `current`; with --path `latest`]
    #[arg(long, value_name = "RELEASE|FILE")]
    from: Option<String>,
    /// The newer side, in the same words
    #[arg(long, value_name = "RELEASE|FILE", default_value = "latest", conflicts_with = "path")]
    to: String,
    #[command(flatten)]
    tree: TreeArgs,
    #[command(flatten)]
    content: ContentArgs,
    #[command(flatten)]
    format: FormatArg,
}

impl Diff {
    /// Does it: exit code 1 when the two differ, and never for a failure (as diff(1) has it).
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        match self.compare(session).await {
            Err(error) if exit_of(&error) == Exit::Failed && !is_closed_pipe(&error) => {
                session.out.error(&error);
                Ok(Exit::Usage)
            }
            ended => ended,
        }
    }

    async fn compare(&self, session: &Session) -> Result<Exit> {
        let before = if self.tree.is_given() { "latest" } else { "current" };
        let from = self.side(session, self.from.as_deref().unwrap_or(before)).await?;
        let (name, bundle) = if let Some(tree) = self.tree.render(session, &self.service).await? {
            tree
        } else {
            let to = self.side(session, &self.to).await?;
            (to.name, to.bundle)
        };
        session.out.hint(&format!("--- {}\n+++ {name}", from.name));
        self.print(session, &from.bundle, &bundle)
    }

    async fn side(&self, session: &Session, text: &str) -> Result<Found> {
        if let Ok(Subject::File(path)) = Subject::parse(text) {
            return Found::from_file(&path);
        }
        let digest = release_named(session, &self.service, text).await?;
        let progress = session.progress();
        let found = self.content.reader(session).await?.release(digest, &*progress).await;
        progress.finish("");
        found
    }

    fn print(&self, session: &Session, from: &Bundle, to: &Bundle) -> Result<Exit> {
        let changes = changes(from, to);
        match self.format.output {
            Format::Table => {
                for change in &changes {
                    session.out.write(&painted(&change.text, session.out.colour()))?;
                }
            }
            Format::Wide | Format::Json | Format::Yaml | Format::Name => {
                session.out.show(&view(&changes), self.format.output)?;
            }
        }
        session.out.hint(&unified::sum(&changes));
        Ok(if changes.is_empty() { Exit::Ok } else { Exit::Failed })
    }
}

/// The lines of a diff, cleaned, and in colour where that is wanted.
fn painted(text: &str, colour: bool) -> String {
    let line = |line: &str| {
        let tone = match line.as_bytes().first() {
            Some(b'+') => Tone::Good,
            Some(b'-') => Tone::Bad,
            _ => Tone::Plain,
        };
        tone.paint(&crate::clean::line(line), colour) + "\n"
    };
    text.lines().map(line).collect()
}

fn view(changes: &[Change]) -> View {
    let mut table = Table::new(["CHANGE", "OBJECT"]);
    for change in changes {
        table.row([change.kind.to_owned(), change.id.to_string()]);
    }
    let items = changes.iter().map(|c| json!({ "change": c.kind, "object": c.id, "diff": c.text }));
    View {
        table,
        value: json!({ "items": items.collect::<Vec<_>>() }),
        names: changes.iter().map(|change| change.id.to_string()).collect(),
        empty: "",
    }
}
