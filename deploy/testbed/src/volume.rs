//! A small file system of its own, that can be full, or read-only: the kernel's, so that what fails fails as it does on
//! a real disk.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Where it is mounted, seen from the shell that holds it.
const PLACE: &str = "/mnt";
const FILLER: &str = "filler";
/// A page of the kernel's: less than this is never left.
const PAGE: usize = 4 << 10;

/// A file system in memory. It stands in a mount namespace of a shell's own, so it ends with that shell, which ends with
/// this value or with the test process, however that ends.
#[derive(Debug)]
pub struct Volume {
    shell: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    path: PathBuf,
}

impl Volume {
    /// Makes one of so many bytes. Only root may.
    pub fn new(bytes: u64) -> Result<Self> {
        let mut shell = Command::new("unshare")
            .args(["--mount", "sh"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start `unshare`; apt-get install util-linux")?;
        let commands = shell.stdin.take().context("the shell's input is piped")?;
        let answers = BufReader::new(shell.stdout.take().context("the shell's output is piped")?);
        let path = PathBuf::from(format!("/proc/{}/root{PLACE}", shell.id()));
        let mut volume = Self { shell, commands, answers, path };
        let mount = format!("mount -t tmpfs -o size={bytes},mode=700 testbed {PLACE}");
        volume.run(&mount).context("mount a file system of our own; run the tests as root")?;
        Ok(volume)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fills it to the last byte.
    pub fn fill(&self) -> Result<()> {
        let mut filler = File::create(self.path.join(FILLER)).context("begin to fill the volume")?;
        loop {
            match filler.write_all(&[0; PAGE]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error).context("fill the volume"),
            }
        }
    }

    /// Takes away what filled it.
    pub fn empty(&self) -> Result<()> {
        fs::remove_file(self.path.join(FILLER)).context("take away what fills the volume")
    }

    /// Makes it read-only, or writable again. Refused by the kernel while a file in it is open for writing.
    pub fn read_only(&mut self, so: bool) -> Result<()> {
        let mode = if so { "ro" } else { "rw" };
        self.run(&format!("mount -o remount,{mode} {PLACE}"))
    }

    fn run(&mut self, command: &str) -> Result<()> {
        writeln!(self.commands, "{command}; echo $?").with_context(|| format!("say `{command}`"))?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).with_context(|| format!("hear how `{command}` ended"))?;
        ensure!(answer.trim() == "0", "`{command}` failed; its words are in the test's output");
        Ok(())
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let ended = self.shell.kill().and_then(|()| self.shell.wait());
        drop(ended);
    }
}
