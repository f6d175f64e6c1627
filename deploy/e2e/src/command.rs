//! A program that is run to its end, in bounded time.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

/// What a program has said, and how it ended.
#[derive(Clone, Debug)]
pub struct Said {
    /// The exit code; -1 after a signal.
    pub code: i32,
    /// Its stdout.
    pub stdout: String,
    /// Its stderr.
    pub stderr: String,
}

impl Said {
    /// Its stdout, if it ended well.
    pub fn ok(self, what: &str) -> Result<String> {
        ensure!(self.code == 0, "{what}: exit code {}\n{}{}", self.code, self.stdout, self.stderr.trim_end());
        Ok(self.stdout)
    }
}

/// Runs it with this text on its stdin; ended when it takes longer than `within`.
pub(crate) async fn run(mut command: Command, stdin: &str, within: Duration) -> Result<Said> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("start {name}"))?;
    let mut pipe = child.stdin.take().context("its stdin is a pipe")?;
    let talk = async {
        let ((), output) = tokio::join!(
            async {
                // That it reads no more of it is its own affair.
                pipe.write_all(stdin.as_bytes()).await.ok();
                drop(pipe);
            },
            child.wait_with_output()
        );
        output
    };
    let output =
        timeout(within, talk).await.with_context(|| format!("{name} runs for more than {within:?}"))?;
    let output = output.with_context(|| format!("wait for {name}"))?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Said {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    })
}

/// git, deaf to the settings of whoever runs the tests.
pub(crate) async fn git<A: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = A>) -> Result<String> {
    let mut command = Command::new("git");
    command
        .args([
            "-c",
            "user.name=Harbour",
            "-c",
            "user.email=harbour@example.com",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    let what = format!("{:?}", command.as_std());
    run(command, "", Duration::from_mins(1)).await?.ok(&what)
}
