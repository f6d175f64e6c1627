//! The demo's git repository: the example application that is inside this binary, or a copy of the visitor's own.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use include_dir::{Dir, include_dir};
use tokio::process::Command;

use super::Demo;

static EXAMPLE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/deploy/examples/harbour");
const NAME: &str = "Windlass demo";
const EMAIL: &str = "demo@example.com";
/// The most time for one git command.
const GIT: Duration = Duration::from_mins(5);

/// A repository with a work tree, on branch `main`.
pub(super) struct Repository {
    folder: PathBuf,
    /// Whose manifests they are, for the story.
    pub(super) what: String,
}

/// One changed line, for the story.
pub(super) struct Change {
    /// The file, relative to the repository.
    pub(super) file: String,
    /// The image before.
    pub(super) from: String,
    /// The image after.
    pub(super) to: String,
}

impl Repository {
    /// Makes it in `folder`.
    pub(super) async fn make(folder: PathBuf, demo: &Demo) -> Result<Self> {
        let what = if let Some(source) = &demo.source {
            let arguments = ["clone", "--quiet", "--depth=1", "--", source.as_str()].map(OsStr::new);
            git(None, arguments.into_iter().chain([folder.as_os_str()])).await?;
            git(Some(&folder), ["checkout", "--quiet", "-B", "main"].map(OsStr::new)).await?;
            source.clone()
        } else {
            fs::create_dir_all(&folder).context("make the repository's folder")?;
            EXAMPLE.extract(&folder).context("write the example application")?;
            git(Some(&folder), ["init", "--quiet", "--initial-branch=main"].map(OsStr::new)).await?;
            "the example application `harbour`".to_owned()
        };
        let repository = Self { folder, what };
        repository.sign_as_the_demo().await?;
        if demo.source.is_none() {
            repository.commit("harbour: the application").await?;
        }
        Ok(repository)
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// `file://` and its folder.
    pub(super) fn url(&self) -> String {
        format!("file://{}", self.folder.display())
    }

    /// The text of one of its files.
    pub(super) fn read(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.folder.join(name)).with_context(|| format!("read {name}"))
    }

    /// Raises the tag of the first image below `path` and commits it; `None` where no manifest names an image with a tag.
    pub(super) async fn raise_a_tag(&self, path: &str) -> Result<Option<Change>> {
        for file in manifests(&self.folder.join(path))? {
            let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
            let Some((from, to)) = text.lines().find_map(raised) else { continue };
            fs::write(&file, text.replacen(&from, &to, 1))
                .with_context(|| format!("write {}", file.display()))?;
            self.commit("raise an image's tag").await?;
            let file = file.strip_prefix(&self.folder).unwrap_or(&file).display().to_string();
            return Ok(Some(Change { file, from, to }));
        }
        Ok(None)
    }

    /// The first twelve digits of the last commit.
    pub(super) async fn head(&self) -> Result<String> {
        let head = git(Some(&self.folder), ["rev-parse", "--short=12", "HEAD"].map(OsStr::new)).await?;
        Ok(head.trim().to_owned())
    }

    /// Lets whoever follows the demo's advice commit, on a machine where git does not know them yet.
    async fn sign_as_the_demo(&self) -> Result<()> {
        for (key, value) in [("user.name", NAME), ("user.email", EMAIL)] {
            git(Some(&self.folder), ["config", key, value].map(OsStr::new)).await?;
        }
        Ok(())
    }

    async fn commit(&self, message: &str) -> Result<()> {
        git(Some(&self.folder), ["add", "--all"].map(OsStr::new)).await?;
        git(Some(&self.folder), ["commit", "--quiet", "--message", message].map(OsStr::new)).await.map(drop)
    }
}

/// An image with a tag that ends in a number, and the same with the number raised by one.
fn raised(line: &str) -> Option<(String, String)> {
    let (before, rest) = line.split_once("image:")?;
    // A key of its own, in a block or in a flow: not the end of another one, not a comment.
    let is_key =
        before.chars().all(|c| matches!(c, ' ' | '-' | '{' | '[')) || before.trim_end().ends_with([',', '{']);
    let rest = rest.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    let image = match quote {
        Some(quote) => rest[1..].split(quote).next()?,
        None => rest.split([' ', ',', '}', '#']).next()?,
    };
    let (name, tag) = image.rsplit_once(':').filter(|_| is_key)?;
    if tag.contains('/') || image.contains(['{', ' ']) || name.is_empty() {
        return None;
    }
    let digits = tag.len() - tag.bytes().rev().take_while(u8::is_ascii_digit).count();
    let number: u64 = tag[digits..].parse().ok()?;
    Some((image.to_owned(), format!("{name}:{}{}", &tag[..digits], number.checked_add(1)?)))
}

fn manifests(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry.context("read the folder")?.path();
        let is_yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if path.is_dir() && path.file_name() != Some(OsStr::new(".git")) {
            found.extend(manifests(&path)?);
        } else if is_yaml {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Runs git with an identity of its own; nothing of the user's configuration is read or written.
async fn git<'a>(folder: Option<&Path>, arguments: impl IntoIterator<Item = &'a OsStr>) -> Result<String> {
    let mut command = Command::new("git");
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    for (name, value) in [("NAME", NAME), ("EMAIL", EMAIL)] {
        command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_TERMINAL_PROMPT", "0");
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(GIT, command.output()).await.context("git takes too long")?;
    let output = output.context("run git; install it, e.g. `apt-get install git`")?;
    if !output.status.success() {
        bail!("git failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests;
