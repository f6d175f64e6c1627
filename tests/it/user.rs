//! A user: a home folder, and the program as it is run from a shell.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// The program.
pub(crate) const WINDLASS: &str = env!("CARGO_BIN_EXE_windlass");

/// A user with an empty home, and nothing of the test's own environment but `PATH`.
pub(crate) struct User {
    home: TempDir,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl User {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    /// A path in the home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Writes a file in the home, with its folders.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    #[expect(clippy::disallowed_methods, reason = "a test has no settings: this is its main")]
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(WINDLASS);
        command.env_clear().env("HOME", self.home.path()).current_dir(self.home.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a line; words are separated by spaces.
    pub(crate) async fn run(&self, line: &str) -> Ran {
        self.run_with(&line.split(' ').collect::<Vec<_>>(), None).await
    }

    /// Runs words, with something on stdin.
    pub(crate) async fn run_with(&self, words: &[&str], stdin: Option<&str>) -> Ran {
        let mut command = self.command();
        command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
        if stdin.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().unwrap();
        if let Some(text) = stdin {
            let mut pipe = child.stdin.take().unwrap();
            // A program that refuses early does not read what it is given.
            drop(pipe.write_all(text.as_bytes()).await);
        }
        let ended = child.wait_with_output().await.unwrap();
        Ran {
            code: ended.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&ended.stdout).into_owned(),
            err: String::from_utf8_lossy(&ended.stderr).into_owned(),
        }
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        mode(&self.path(name))
    }
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().unwrap().permissions().mode() & 0o777
}

impl Ran {
    /// Ends well; gives what was printed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:#?}");
        self.out
    }

    /// Ends with a code, prints no data, and says all of these on stderr.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, says: &[&str]) -> String {
        assert_eq!(self.code, code, "{self:#?}");
        for text in says {
            assert!(self.err.contains(text), "`{text}` is not said: {self:#?}");
        }
        self.err
    }

    /// Ends well; gives what was printed as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }
}
