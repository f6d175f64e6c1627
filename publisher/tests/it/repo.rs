//! A git repository made by git, and the few things that a person does with one.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A repository in a folder of its own.
#[derive(Debug)]
pub struct Repo {
    folder: TempDir,
}

impl Repo {
    /// An empty repository on the branch `main`.
    pub fn new() -> Self {
        let repo = Self { folder: tempfile::tempdir().expect("a folder") };
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }

    /// Writes a file below the folder.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        write(self.folder(), path, text)
    }

    /// Commits everything that is there, and tells the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.head()
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Runs git in the folder, with nothing of this machine's configuration.
    pub fn git(&self, words: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(self.folder())
            .args(["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgSign=false"])
            .args(words)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Writes a file below any folder.
pub fn write(folder: &Path, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
    std::fs::write(&file, text).expect("written");
    file
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            std::fs::create_dir_all(&target).expect("a folder");
            copy(&entry.path(), &target);
        } else {
            std::fs::create_dir_all(to).expect("a folder");
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// The examples of this repository.
pub fn examples() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    workspace.join("deploy/examples/harbour")
}

/// A `ConfigMap` as a person writes it.
pub fn map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  value: \"{value}\"\n")
}
