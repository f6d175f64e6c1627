//! A child process with bounds: time, output, the folder that it fills, and no more of our environment than it is given.
//! It ends as a group: with its own children, on every way out, dropping included.

pub(crate) mod sandbox;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::{Instant, interval, timeout_at};

/// How much of its complaints is kept.
const COMPLAINT_BYTES: usize = 16 << 10;
/// How often the folder that a child fills is measured.
const GLANCE: Duration = Duration::from_millis(100);

/// A child's time counts once for each processor that it may keep busy.
const PROCESSORS: u64 = 16;

/// What a child may use at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChildBounds {
    /// Time from start to end.
    pub(crate) time: Duration,
    /// Bytes on its standard output.
    pub(crate) output_bytes: u64,
}

/// A program that is to run once, to its end.
#[derive(Debug)]
pub(crate) struct Child {
    program: PathBuf,
    arguments: Vec<OsString>,
    folder: PathBuf,
    environment: Vec<(OsString, OsString)>,
    stdin: Vec<u8>,
    bounds: ChildBounds,
    filled: Option<(PathBuf, u64)>,
    memory: Option<u64>,
}

/// Why a child gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChildError {
    #[error("cannot be started: {0}")]
    Start(io::Error),
    #[error("cannot be started in {}: there is no such folder", .0.display())]
    NoFolder(PathBuf),
    #[error("failed ({status}): {complaint}")]
    Failed { status: ExitStatus, complaint: String },
    #[error("did not end within {}", program::settings::human(*.0))]
    Time(Duration),
    #[error("wrote more than {0} bytes")]
    Output(u64),
    #[error("filled its folder with more than {0} bytes")]
    Filled(u64),
    #[error("lost the connection to it: {0}")]
    Pipe(io::Error),
}

/// What a child has said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) stdout: Vec<u8>,
}

impl Child {
    pub(crate) fn new(program: &Path, folder: &Path, bounds: ChildBounds) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            folder: folder.to_owned(),
            environment: Vec::new(),
            stdin: Vec::new(),
            bounds,
            filled: None,
            memory: None,
        }
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub(crate) fn stdin(self, stdin: Vec<u8>) -> Self {
        Self { stdin, ..self }
    }

    /// Ends it when it says more than so many bytes.
    pub(crate) fn saying(mut self, most: u64) -> Self {
        self.bounds.output_bytes = most;
        self
    }

    /// Ends it when this folder holds more than so many bytes.
    pub(crate) fn filling(self, folder: &Path, most: u64) -> Self {
        Self { filled: Some((folder.to_owned(), most)), ..self }
    }

    /// Lets it, and whatever it starts, each have so many bytes of memory; and so much time of a processor that it also ends
    /// where we are killed and end nothing any more.
    pub(crate) fn memory(self, most: u64) -> Self {
        Self { memory: Some(most), ..self }
    }

    /// The same child behind other programs, which take it as their last arguments.
    pub(crate) fn behind(mut self, words: &[OsString]) -> Self {
        if let Some((first, rest)) = words.split_first() {
            let program = std::mem::replace(&mut self.program, first.into());
            let own = std::mem::take(&mut self.arguments);
            self.arguments = rest.iter().cloned().chain([program.into()]).chain(own).collect();
        }
        self
    }

    /// Everything that another process of this machine can see of it.
    #[cfg(test)]
    pub(crate) fn words(&self) -> Vec<&OsStr> {
        std::iter::once(self.program.as_os_str())
            .chain(self.arguments.iter().map(OsString::as_os_str))
            .collect()
    }

    /// Its environment.
    #[cfg(test)]
    pub(crate) fn environment(&self) -> &[(OsString, OsString)] {
        &self.environment
    }

    /// Runs it to its end; anything but success is an error.
    pub(crate) async fn run(self) -> Result<Said, ChildError> {
        self.limited().run_as_it_is().await
    }

    /// Behind a shell that bounds it before it is there: what it starts at once would be without bounds else.
    fn limited(self) -> Self {
        let Some(memory) = self.memory else { return self };
        let processor = self.bounds.time.as_secs().saturating_mul(PROCESSORS);
        let script = format!("ulimit -d {} && ulimit -t {processor} && exec \"$@\"", memory >> 10);
        self.behind(&["/bin/sh", "-c", &script, "sh"].map(OsString::from))
    }

    async fn run_as_it_is(self) -> Result<Said, ChildError> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(&self.folder)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|why| not_started(why, &self.folder))?;
        let group = Group::of(&child);
        let deadline = Instant::now() + self.bounds.time;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feed = async {
            if let Some(mut pipe) = stdin {
                // A child that reads no more is its own affair: its status says what it thinks of it.
                let _fed: io::Result<()> = pipe.write_all(&self.stdin).await;
            }
            Ok(())
        };
        let talk = async {
            let complaint = async { Ok(end_of(stderr).await) };
            let (stdout, complaint, ()) =
                tokio::try_join!(all(stdout, self.bounds.output_bytes), complaint, feed)?;
            Ok::<_, ChildError>((stdout, complaint, child.wait().await.map_err(ChildError::Pipe)?))
        };
        let (stdout, complaint, status) = tokio::select! {
            done = timeout_at(deadline, talk) => done.map_err(|_| ChildError::Time(self.bounds.time))??,
            most = outgrown(self.filled.as_ref()) => return Err(ChildError::Filled(most)),
        };
        group.end();
        if status.success() {
            Ok(Said { stdout })
        } else {
            Err(ChildError::Failed { status, complaint: readable(&complaint) })
        }
    }
}

/// The system says the same of a program that is not there and of a folder that is not.
fn not_started(why: io::Error, folder: &Path) -> ChildError {
    if why.kind() == io::ErrorKind::NotFound && !folder.is_dir() {
        return ChildError::NoFolder(folder.to_owned());
    }
    ChildError::Start(why)
}

/// The process group of a child: killed when dropped, since the child's own children would live on.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &tokio::process::Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    fn end(self) {
        drop(self);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0.take() {
            // The error says that nobody is left, which is what was wanted.
            let _gone: rustix::io::Result<()> = kill_process_group(id, Signal::KILL);
        }
    }
}

async fn all(pipe: Option<impl AsyncRead + Unpin>, most: u64) -> Result<Vec<u8>, ChildError> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(most.saturating_add(1)).read_to_end(&mut bytes).await.map_err(ChildError::Pipe)?;
    }
    if bytes.len() as u64 > most { Err(ChildError::Output(most)) } else { Ok(bytes) }
}

/// The end of what a child complains about; read to its end, so that it never waits for us.
async fn end_of(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let Some(mut pipe) = pipe else { return Vec::new() };
    let mut kept = Vec::new();
    let mut piece = vec![0; 4 << 10];
    while let Ok(read @ 1..) = pipe.read(&mut piece).await {
        kept.extend_from_slice(&piece[..read]);
        let over = kept.len().saturating_sub(COMPLAINT_BYTES);
        kept.drain(..over);
    }
    kept
}

/// Never returns while there is no folder to watch, or it stays within its bound.
async fn outgrown(filled: Option<&(PathBuf, u64)>) -> u64 {
    let Some((folder, most)) = filled else { return std::future::pending().await };
    let mut glance = interval(GLANCE);
    loop {
        glance.tick().await;
        if folder_bytes(folder) > *most {
            return *most;
        }
    }
}

/// Bytes of all files below a folder; files that vanish while one looks count nothing.
pub(crate) fn folder_bytes(folder: &Path) -> u64 {
    let mut total = 0;
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(about) if about.is_dir() => left.push(entry.path()),
                Ok(about) => total += about.len(),
                Err(_) => {}
            }
        }
    }
    total
}

/// A foreign program's words as one line that is safe to show.
pub(crate) fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.collect::<Vec<_>>().join("; ");
    crate::words::safe(&line, 2_000)
}

/// The path of a program, in full: as it is if it has a slash, else the first in the search path.
pub(crate) fn find(name: &Path, search_path: &OsStr) -> Option<PathBuf> {
    let found = if name.components().count() > 1 {
        name.is_file().then(|| name.to_owned())
    } else {
        std::env::split_paths(search_path).map(|folder| folder.join(name)).find(|path| path.is_file())
    };
    std::path::absolute(found?).ok()
}

#[cfg(test)]
mod tests;
