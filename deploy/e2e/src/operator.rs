//! The operator: whoever runs `windlass`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::process::Command;

use crate::command::{self, Said};

const PATIENCE: Duration = Duration::from_mins(2);

/// A person with the command line, a home folder and an admin's token.
#[derive(Clone, Debug)]
pub struct Operator {
    windlass: PathBuf,
    home: PathBuf,
    server: String,
    token_file: PathBuf,
}

impl Operator {
    pub(crate) fn new(windlass: PathBuf, home: &Path, server: String, token_file: PathBuf) -> Self {
        Self { windlass, home: home.to_owned(), server, token_file }
    }

    /// The api's URL.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// Runs `windlass` with these arguments and says how it ended.
    pub async fn tries(&self, args: &[&str]) -> Result<Said> {
        self.tries_with("", args).await
    }

    /// The same with text on its stdin.
    pub async fn tries_with(&self, stdin: &str, args: &[&str]) -> Result<Said> {
        let mut command = Command::new(&self.windlass);
        command
            .args(args)
            .current_dir(&self.home)
            .env("HOME", &self.home)
            .env("XDG_CONFIG_HOME", self.home.join(".config"))
            .env("WINDLASS_SERVER", &self.server)
            .env("WINDLASS_TOKEN_FILE", &self.token_file);
        command::run(command, stdin, PATIENCE).await
    }

    /// Runs `windlass`, which must succeed; returns its stdout.
    pub async fn runs(&self, args: &[&str]) -> Result<String> {
        self.tries(args).await?.ok(&format!("windlass {}", args.join(" ")))
    }

    /// Runs `windlass ... -o json` and reads what it says.
    pub async fn reads(&self, args: &[&str]) -> Result<Value> {
        let text = self.runs(&[args, &["-o", "json"]].concat()).await?;
        serde_json::from_str(&text)
            .with_context(|| format!("windlass {} says no JSON: {text}", args.join(" ")))
    }

    /// The entries of a list.
    pub async fn lists(&self, args: &[&str]) -> Result<Vec<Value>> {
        let value = self.reads(args).await?;
        let items = value.get("items").and_then(Value::as_array).cloned();
        items.with_context(|| format!("windlass {} gives no list: {value}", args.join(" ")))
    }

    /// `windlass apply -f`.
    pub async fn applies(&self, documents: &str) -> Result<String> {
        let file = tempfile::Builder::new().prefix("fleet-").suffix(".yaml").tempfile_in(&self.home)?;
        std::fs::write(file.path(), documents).context("write the fleet's documents")?;
        let path = file.path().to_str().context("a temporary path is text")?;
        self.runs(&["apply", "-f", path, "--yes"]).await
    }
}
