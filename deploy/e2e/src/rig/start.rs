//! Setting a fleet up: keys, api, a publisher's credential, publisher.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;

use anyhow::{Context, Result};
use tempfile::TempDir;
use testbed::{Cluster, Process, Program, Ready, Tool};

use super::{Database, PATIENCE, Part, Rig, address, text};
use crate::content::{Content, private};
use crate::operator::Operator;
use crate::programs::{Bin, Programs};
use crate::wire::Wire;

/// What a fleet stands on.
pub(super) struct Parts {
    pub(super) programs: &'static Programs,
    pub(super) folder: TempDir,
    pub(super) content: Content,
    pub(super) database: Database,
    pub(super) cluster: Option<Part<Cluster>>,
}

pub(super) fn folder() -> Result<TempDir> {
    tempfile::Builder::new().prefix("fleet-").tempdir().context("a folder for the fleet")
}

impl Parts {
    pub(super) async fn start(self) -> Result<Rig> {
        let (listen, observe) = (address()?, address()?);
        let wire = Wire::open(&format!("http://{listen}")).await?;
        let edge = Wire::open(self.content.url()).await?;
        let home = self.folder.path();
        let token_file = home.join("admin.token");
        let operator = Operator::new(self.programs.path(Bin::Windlass), home, wire.url(), token_file);
        operator.runs(&["keys", "init", "--dir", "keys"]).await?;
        let api = self.api((&listen, &observe), &edge).await?;
        write_allow_list(home, &[])?;
        let flags = self.content.flags()?;
        let publisher = publisher_of(self.programs, &operator, ("publisher", home), flags).await?;
        Ok(Rig {
            operator,
            api,
            publisher,
            wire,
            edge,
            content: self.content,
            database: self.database,
            programs: self.programs,
            cluster: self.cluster,
            names: AtomicU32::new(0),
            agents: Mutex::default(),
            observe,
            folder: self.folder,
        })
    }

    async fn api(&self, (listen, observe): (&str, &str), edge: &Wire) -> Result<Process> {
        let home = self.folder.path();
        let database = match &self.database {
            Database::Sqlite(file) => vec!["--database".to_owned(), text(file)?],
            Database::Postgres(server) => {
                let file = home.join("database.url");
                fs::write(&file, server.create_database("fleet").await?)
                    .context("write the database's address")?;
                private(&file)?;
                vec!["--database-url-file".to_owned(), text(&file)?]
            }
        };
        Program::new("windlass-api", self.programs.path(Bin::Api))
            .current_dir(home)
            .args(["--listen", listen, "--observe-listen", observe])
            .args(["--root", "keys/root", "--desired-key", "keys/desired.key"])
            .args(["--admin-token-file", "admin.token", "--origins", &edge.url()])
            .args(database)
            .args(self.content.flags()?)
            .ready_within(PATIENCE)
            .start(Ready::Http(format!("http://{observe}/readyz")))
            .await
    }
}

/// Starts a publisher of this name, whose token is made here.
async fn publisher_of(
    programs: &Programs,
    operator: &Operator,
    (name, home): (&str, &Path),
    flags: Vec<String>,
) -> Result<Process> {
    let (observe, token) = (address()?, format!("{name}.token"));
    operator.runs(&["publisher", "create", name, "--out", &token]).await?;
    Program::new("windlass-publisher", programs.path(Bin::Publisher))
        .current_dir(home)
        .args(["--api", operator.server(), "--token-file", &token])
        .args(["--root", "keys/root/1.json", "--release-key", "keys/release-default.key"])
        .args(["--allow", "allow.toml", "--cache", &text(&home.join(format!("{name}-cache")))?])
        .args(["--interval", "1s", "--observe-listen", &observe])
        .args([
            "--helm",
            &text(&testbed::tool(Tool::Helm)?)?,
            "--kubectl",
            &text(&testbed::tool(Tool::Kubectl)?)?,
        ])
        .args(flags)
        .ready_within(PATIENCE)
        .start(Ready::Http(format!("http://{observe}/readyz")))
        .await
}

/// One more publisher of a fleet.
pub(super) async fn publisher(rig: &Rig, name: &str) -> Result<Process> {
    publisher_of(rig.programs, &rig.operator, (name, rig.folder.path()), rig.content.flags()?).await
}

/// The publisher's own file: repositories of this machine, and these Secrets in plain.
pub(super) fn write_allow_list(home: &Path, secrets: &[&str]) -> Result<()> {
    let secrets: Vec<String> = secrets.iter().map(|name| format!("{name:?}")).collect();
    let text = format!(
        "[[allow]]\nservices = [\"default/*\"]\nrepository = \"file:///**\"\nlocal = true\nplain_secrets = [{}]\n",
        secrets.join(", ")
    );
    fs::write(home.join("allow.toml"), text).context("write the publisher's allow list")
}
