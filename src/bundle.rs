//! `windlass bundle`: what is inside a bundle, for people.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use cdn::Object;
use clap::{Args, Subcommand};
use program::files;
use program::progress::count;
use serde_json::{Value, json};

use crate::content::{ContentArgs, Found, Subject};
use crate::exit::{Exit, Failure};
use crate::output::{Format, FormatArg, View};
use crate::session::Session;
use crate::table::Table;
use crate::{clean, yaml};

/// `windlass bundle`.
#[derive(Debug, Subcommand)]
pub(crate) enum BundleCommand {
    /// List the objects of a bundle, or print them
    #[command(before_help = "Examples:
  windlass bundle show default/web
  windlass bundle show bundle.tar.zst -o yaml
  windlass bundle show sha256:4be1... --origin https://cdn.example.com --root fleet-keys")]
    Show(Show),
    /// Write the objects of a bundle into a folder, one file each
    #[command(before_help = "Examples:
  windlass bundle extract bundle.tar.zst --to web/ -o yaml
  windlass bundle extract default/web --tar > web.tar")]
    Extract(Extract),
}

/// Which bundle.
#[derive(Args, Debug)]
struct Which {
    /// A file (tar, tar.zst, tar.gz), a release's digest or its first digits, or a service for its latest release
    #[arg(value_name = "FILE|DIGEST|SERVICE", value_parser = Subject::parse)]
    subject: Subject,
    #[command(flatten)]
    content: ContentArgs,
}

/// `windlass bundle show`.
#[derive(Args, Debug)]
pub(crate) struct Show {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    format: FormatArg,
}

/// `windlass bundle extract`.
#[derive(Args, Debug)]
pub(crate) struct Extract {
    #[command(flatten)]
    which: Which,
    /// The folder; made if it is not there. Files that are there are not overwritten
    #[arg(long, value_name = "DIR", required_unless_present = "tar")]
    to: Option<PathBuf>,
    /// Write the canonical tar to stdout instead
    #[arg(long, conflicts_with = "to")]
    tar: bool,
    /// The form of the files: yaml or json
    #[arg(short, long, value_name = "FORMAT", default_value = "json")]
    output: Format,
}

impl BundleCommand {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        match self {
            Self::Show(show) => show.run(session).await,
            Self::Extract(extract) => extract.run(session).await,
        }
    }
}

impl Which {
    async fn find(&self, session: &Session) -> Result<Found> {
        self.subject.find(&self.content, session).await
    }
}

impl Show {
    async fn run(self, session: &Session) -> Result<Exit> {
        let found = self.which.find(session).await?;
        session.out.hint(&headline(&found));
        print(session, found.bundle.objects(), self.format.output)?;
        Ok(Exit::Ok)
    }
}

/// Prints objects: a list, or the objects themselves.
pub(crate) fn print<'o>(
    session: &Session,
    objects: impl Iterator<Item = &'o Object>,
    format: Format,
) -> Result<()> {
    let objects: Vec<&Object> = objects.collect();
    match format {
        Format::Yaml => {
            let values: Vec<Value> = objects.iter().map(|object| object.value()).collect();
            session.out.write(&yaml::documents(&values))?;
        }
        Format::Json => {
            let items: Vec<Value> = objects.iter().map(|object| object.value()).collect();
            let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
            session.out.value(&list, Format::Json)?;
        }
        Format::Table | Format::Wide | Format::Name => session.out.show(&list(&objects), format)?,
    }
    Ok(())
}

fn list(objects: &[&Object]) -> View {
    let mut table = Table::new(["KIND", "NAMESPACE", "NAME", "API VERSION", "BYTES"]).wide(["DIGEST"]);
    for object in objects {
        let id = object.id();
        table.row([
            id.kind.clone(),
            id.namespace.clone().unwrap_or_default(),
            id.name.clone(),
            object.api_version(),
            object.json().len().to_string(),
            object.digest().to_string(),
        ]);
    }
    let names = objects.iter().map(|object| object.id().to_string()).collect();
    View { table, value: Value::Null, names, empty: "no objects" }
}

fn headline(found: &Found) -> String {
    let signed = match (&found.release, found.verified) {
        (Some(_), true) => ", release verified",
        (Some(_), false) => ", release not verified",
        (None, _) => "",
    };
    let (name, bytes) = (&found.name, found.tar.len());
    let objects = count(found.bundle.len() as u64, "object");
    format!("{name}: bundle {}, {objects}, {bytes} bytes as tar{signed}", found.digest())
}

impl Extract {
    async fn run(self, session: &Session) -> Result<Exit> {
        let found = self.which.find(session).await?;
        let Some(folder) = &self.to else {
            session.out.bytes(&found.tar)?;
            return Ok(Exit::Ok);
        };
        let ending = match self.output {
            Format::Yaml => "yaml",
            Format::Json => "json",
            Format::Table | Format::Wide | Format::Name => {
                return Err(Failure::new(Exit::Usage, "files are written as yaml or json").into());
            }
        };
        for object in found.bundle.objects() {
            let place = object.id().path();
            // The path is made of the object's identity, whose parts cannot climb.
            let place = place.strip_prefix("objects/").unwrap_or(&place).trim_end_matches("json");
            let path = folder.join(format!("{place}{ending}"));
            let mut text = Vec::new();
            match self.output {
                Format::Yaml => text.extend(yaml::document(&object.value()).into_bytes()),
                Format::Json | Format::Table | Format::Wide | Format::Name => {
                    writeln!(text, "{}", clean::json(&format!("{:#}", object.value())))?;
                }
            }
            write(&path, &text)?;
        }
        session.out.hint(&format!("{} written to {}", headline(&found), folder.display()));
        Ok(Exit::Ok)
    }
}

fn write(path: &std::path::Path, text: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        files::create_directory(folder, 0o755).with_context(|| format!("create {}", folder.display()))?;
    }
    let written = files::create_exclusive(path, text, 0o644);
    if written.as_ref().is_err_and(|why| why.kind() == std::io::ErrorKind::AlreadyExists) {
        return Err(Failure::new(Exit::Conflict, format!("{} is there already", path.display()))
            .next("give an empty folder with --to")
            .into());
    }
    written.with_context(|| format!("write {}", path.display()))
}
