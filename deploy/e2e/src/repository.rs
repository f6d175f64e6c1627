//! A git repository of manifests, as its owner changes it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::command::git;
use crate::programs::top;

/// A git repository with a branch `main`.
#[derive(Debug)]
pub struct Repository {
    folder: TempDir,
}

impl Repository {
    /// An empty one.
    pub async fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("repository-").tempdir().context("a folder for git")?;
        git(folder.path(), ["init", "--quiet", "--initial-branch=main"]).await?;
        Ok(Self { folder })
    }

    /// The branch `main` of a git bundle.
    pub async fn of_bundle(bundle: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("repository-").tempdir().context("a folder for git")?;
        let bundle = bundle.to_str().context("the bundle's path is text")?;
        git(folder.path(), ["clone", "--quiet", "--branch=main", bundle, "."]).await?;
        Ok(Self { folder })
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }

    /// Copies a folder's files to a place in the working tree.
    pub fn copy(&self, from: &Path, to: &str) -> Result<()> {
        copy(from, &self.folder.path().join(to))
    }

    /// Writes a file of the working tree.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        let file = self.folder.path().join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        }
        fs::write(&file, text).with_context(|| format!("write {path}"))
    }

    /// Removes a file of the working tree.
    pub fn remove(&self, path: &str) -> Result<()> {
        fs::remove_file(self.folder.path().join(path)).with_context(|| format!("remove {path}"))
    }

    /// Replaces a text in a file of the working tree; it is an error when it is not there.
    pub fn replace(&self, path: &str, from: &str, to: &str) -> Result<()> {
        let file = self.folder.path().join(path);
        let text = fs::read_to_string(&file).with_context(|| format!("read {path}"))?;
        anyhow::ensure!(text.contains(from), "{path} does not say `{from}`");
        self.write(path, &text.replace(from, to))
    }

    /// Commits all changes of the working tree; returns the commit.
    pub async fn commit(&self, subject: &str) -> Result<String> {
        git(self.path(), ["add", "--all"]).await?;
        git(self.path(), ["commit", "--quiet", "--message", subject]).await?;
        self.head().await
    }

    /// The commit at the end of `main`.
    pub async fn head(&self) -> Result<String> {
        Ok(git(self.path(), ["rev-parse", "main"]).await?.trim().to_owned())
    }

    /// All commits of `main`, oldest first.
    pub async fn commits(&self) -> Result<Vec<String>> {
        let list = git(self.path(), ["rev-list", "--reverse", "main"]).await?;
        Ok(list.lines().map(str::to_owned).collect())
    }

    /// Moves `main`, and the working tree, to a commit.
    pub async fn move_to(&self, commit: &str) -> Result<()> {
        git(self.path(), ["reset", "--quiet", "--hard", commit]).await.map(drop)
    }
}

/// A folder of the example application.
pub fn example(path: &str) -> PathBuf {
    top().join("deploy/examples/harbour").join(path)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let to = to.join(name);
        if path.is_dir() {
            copy(&path, &to)?;
        } else {
            fs::copy(&path, &to).with_context(|| format!("copy {}", path.display()))?;
        }
    }
    Ok(())
}
