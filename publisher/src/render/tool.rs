//! `Tools`: helm, kustomize and kubectl, run in a cell of their own: no network, no files but those they are given, no
//! environment of ours, bounded memory, time and output.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use cdn::wire::Renderer;
use cdn::{Digest, Limits};
use tokio::time::Instant;

use super::WorkshopSettings;
use crate::child::sandbox::{Confinement, Sandbox};
use crate::child::{Child, ChildBounds, ChildError, Said, find};
use crate::source::Files;
use crate::sweep;

/// A renderer that is a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Tool {
    Helm,
    Kustomize,
    Kubectl,
}

/// Why a renderer gave nothing: what, why, and the next step.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It is not there.
    #[error("the program `{name}` is not found; install it, or say where it is with --{name}")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// It cannot be closed off as the settings require.
    #[error(
        "`{name}` cannot be closed off from this machine's files, as --sandbox require wants; use a statically linked \
         `{name}`, or say --sandbox best-effort"
    )]
    Open {
        /// Its name.
        name: &'static str,
    },
    /// It failed.
    #[error("{name}: {why}; {next}")]
    Failed {
        /// Its name.
        name: &'static str,
        /// What it says.
        why: String,
        /// What to do.
        next: &'static str,
        /// Whether the same may work later.
        may_pass: bool,
    },
    /// Its folder cannot be made.
    #[error("{}: {why}; check the cache folder and its disk", path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What went wrong.
        why: io::Error,
    },
}

/// The renderers that are programs.
#[derive(Debug)]
pub struct Tools {
    programs: HashMap<Tool, PathBuf>,
    cache: PathBuf,
    sandbox: Sandbox,
    confinement: Confinement,
    time: Duration,
    memory_bytes: u64,
    /// Whether a program runs with nothing but itself to read.
    tried: Mutex<HashMap<Tool, Tried>>,
}

/// What came of running a program with nothing but itself to read.
#[derive(Clone, Copy, Debug)]
struct Tried {
    alone: bool,
    at: Instant,
}

/// A program that needs more than itself is tried again after so long: what it lacked may be there.
const TRY_AGAIN: Duration = Duration::from_mins(10);
/// How long a copy may be busy, and how often it is looked.
const BUSY: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(20);

/// One run: the files, further files beside them, and the words.
pub(super) struct Run<'r> {
    pub(super) tool: Tool,
    pub(super) files: &'r Files,
    /// Put beside the files, outside of what a chart or kustomization can name.
    pub(super) beside: Option<(&'static str, &'r [u8])>,
    pub(super) words: Vec<String>,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Helm => "helm",
            Self::Kustomize => "kustomize",
            Self::Kubectl => "kubectl",
        }
    }

    fn version(self) -> &'static [&'static str] {
        match self {
            Self::Helm | Self::Kustomize => &["version"],
            Self::Kubectl => &["version", "--client"],
        }
    }
}

impl Tools {
    pub(super) fn new(settings: &WorkshopSettings, sandbox: Sandbox) -> Self {
        let named = [
            (Tool::Helm, &settings.helm),
            (Tool::Kustomize, &settings.kustomize),
            (Tool::Kubectl, &settings.kubectl),
        ];
        let found = named.iter().filter_map(|(tool, name)| Some((*tool, find(name, &settings.search_path)?)));
        Self {
            programs: found.collect(),
            cache: settings.cache.clone(),
            sandbox,
            confinement: settings.confinement,
            time: settings.render_time,
            memory_bytes: settings.render_memory_bytes,
            tried: Mutex::default(),
        }
    }

    /// Whether the program is there.
    pub(super) fn has(&self, tool: Tool) -> bool {
        self.programs.contains_key(&tool)
    }

    /// What changes when the program of a renderer is another one.
    pub(super) fn identity(&self, renderer: &Renderer) -> Option<String> {
        let tool = match renderer {
            Renderer::Plain(_) => return None,
            Renderer::Kustomize(_) if self.has(Tool::Kustomize) => Tool::Kustomize,
            Renderer::Kustomize(_) => Tool::Kubectl,
            Renderer::Helm(_) => Tool::Helm,
        };
        self.programs.get(&tool).map(|program| identity(program))
    }

    /// Runs it and gives what it writes.
    pub(super) async fn run(&self, run: Run<'_>) -> Result<Vec<u8>, ToolError> {
        let name = run.tool.name();
        let program = self.programs.get(&run.tool).ok_or(ToolError::Missing { name })?;
        let alone = self.runs_alone(run.tool, program).await?;
        let cell = self.cell(program, alone).map_err(|why| self.folder(why))?;
        run.files.write_below(&cell.path().join("files")).map_err(|why| self.folder(why))?;
        if let Some((name, bytes)) = run.beside {
            std::fs::write(cell.path().join(name), bytes).map_err(|why| self.folder(why))?;
        }
        let said = self.ask(program, cell.path(), alone, &run.words).await;
        said.map(|said| said.stdout).map_err(|why| explain(name, why))
    }

    /// A folder with what the program needs: itself, its work, a home.
    fn cell(&self, program: &Path, alone: bool) -> io::Result<tempfile::TempDir> {
        let parent = self.cache.join("render");
        std::fs::create_dir_all(&parent)?;
        let cell = tempfile::tempdir_in(parent)?;
        for folder in ["files", "home", "tmp", "bin"] {
            std::fs::create_dir(cell.path().join(folder))?;
        }
        if alone {
            let kept = self.kept(program)?;
            std::fs::hard_link(kept, cell.path().join("bin/tool"))?;
        }
        Ok(cell)
    }

    fn copy_of(&self, program: &Path) -> PathBuf {
        self.cache.join("tools").join(&Digest::of(identity(program).as_bytes()).hex()[..32])
    }

    /// Removes the copies of programs that have been replaced.
    pub(super) fn sweep(&self) {
        let current: Vec<PathBuf> = self.programs.values().map(|program| self.copy_of(program)).collect();
        for copy in sweep::stale(&self.cache.join("tools"), |path| current.iter().any(|kept| kept == path)) {
            sweep::remove(&copy);
        }
    }

    /// The program's copy in the cache, from which a cell takes it without copying.
    fn kept(&self, program: &Path) -> io::Result<PathBuf> {
        let (folder, kept) = (self.cache.join("tools"), self.copy_of(program));
        std::fs::create_dir_all(&folder)?;
        if !kept.is_file() {
            let draft = tempfile::NamedTempFile::new_in(&folder)?.into_temp_path();
            std::fs::copy(program, &draft)?;
            draft.persist(&kept).map_err(|error| error.error)?;
        }
        Ok(kept)
    }

    /// Starts it; again for a while where its copy is busy.
    async fn ask<W>(&self, program: &Path, cell: &Path, alone: bool, words: &[W]) -> Result<Said, ChildError>
    where
        W: Clone + Into<OsString>,
    {
        let begun = Instant::now();
        loop {
            match self.child(program, cell, alone).args(words.iter().cloned()).run().await {
                Err(why) if is_busy(&why) && begun.elapsed() < BUSY => tokio::time::sleep(GLANCE).await,
                said => return said,
            }
        }
    }

    fn child(&self, program: &Path, cell: &Path, alone: bool) -> Child {
        let bounds = ChildBounds { time: self.time, output_bytes: 2 * Limits::DEFAULT.bundle_bytes };
        let home = if alone { PathBuf::from("/home") } else { cell.join("home") };
        let temporary = if alone { PathBuf::from("/tmp") } else { cell.join("tmp") };
        let program = if alone { Path::new("/bin/tool") } else { program };
        let words = self.sandbox.words(self.memory_bytes, alone.then_some(cell));
        let mut child = Child::new(program, &cell.join("files"), bounds).behind(&words);
        let variables: [(&str, OsString); 6] = [
            ("HOME", home.into()),
            ("TMPDIR", temporary.into()),
            ("KUBECONFIG", "/nonexistent".into()),
            ("TZ", "UTC".into()),
            ("LC_ALL", "C".into()),
            // Where the network cannot be closed, this at least leads nowhere.
            ("HTTPS_PROXY", "http://127.0.0.1:9".into()),
        ];
        for (name, value) in variables {
            child = child.env(name, value);
        }
        child.env("HTTP_PROXY", "http://127.0.0.1:9").env("PATH", "/nonexistent")
    }

    /// Whether the program runs with no file but itself. Where that cannot be told now, nothing is rendered now: a
    /// moment without memory must not open this machine's files to it.
    async fn runs_alone(&self, tool: Tool, program: &Path) -> Result<bool, ToolError> {
        let known = self.tried.lock().unwrap_or_else(PoisonError::into_inner).get(&tool).copied();
        let known = known.filter(|tried| tried.alone || tried.at.elapsed() < TRY_AGAIN);
        let alone = match known {
            Some(tried) => tried.alone,
            None => self.sandbox.closes_network() && self.try_alone(tool, program).await?,
        };
        if !alone && self.confinement == Confinement::Require {
            return Err(ToolError::Open { name: tool.name() });
        }
        Ok(alone)
    }

    async fn try_alone(&self, tool: Tool, program: &Path) -> Result<bool, ToolError> {
        let cell = self.cell(program, true).map_err(|why| self.folder(why))?;
        let said = self.ask(program, cell.path(), true, tool.version()).await;
        let alone = match said {
            Ok(_) => true,
            Err(why) if needs_more(&why) => {
                tracing::warn!(tool = tool.name(), %why, "a renderer needs more of this machine's files than itself");
                false
            }
            Err(why) => return Err(explain(tool.name(), why)),
        };
        let tried = Tried { alone, at: Instant::now() };
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).insert(tool, tried);
        Ok(alone)
    }

    fn folder(&self, why: io::Error) -> ToolError {
        ToolError::Folder { path: self.cache.clone(), why }
    }
}

/// Whether the program itself has shown that it cannot run alone, as against the cell that could not be made for it now.
fn needs_more(why: &ChildError) -> bool {
    let ChildError::Failed { status, complaint } = why else { return false };
    let says = |words: &[&str]| words.iter().any(|words| complaint.contains(words));
    let of_the_moment = says(&["memory", "temporarily unavailable"]);
    let of_the_cell = ["unshare: ", "prlimit: "].iter().any(|who| complaint.starts_with(who));
    let cannot_start = says(&["No such file or directory", "Permission denied", "Exec format error"]);
    status.code().is_some() && !of_the_moment && (!of_the_cell || cannot_start)
}

/// Whether the copy is still open for writing: in another child of ours, which was forked while it was made and is not
/// yet the program that it is to be.
fn is_busy(why: &ChildError) -> bool {
    matches!(why, ChildError::Failed { complaint, .. } if complaint.contains("Text file busy"))
}

/// Whether it was a lack of the moment, as against what the program thinks of its input.
fn may_pass(why: &ChildError) -> bool {
    match why {
        ChildError::Failed { status, complaint } => {
            let lacks =
                ["memory", "temporarily unavailable", "Text file busy", "No space left", "Too many open"];
            let of_the_cell = ["unshare: ", "prlimit: "].iter().any(|who| complaint.starts_with(who));
            // Killed, or its own shell says so of it.
            let killed = status.code().is_none_or(|code| code > 128);
            killed || of_the_cell || lacks.iter().any(|lack| complaint.contains(lack))
        }
        ChildError::Output(_) => false,
        ChildError::Start(_)
        | ChildError::NoFolder(_)
        | ChildError::Time(_)
        | ChildError::Filled(_)
        | ChildError::Pipe(_) => true,
    }
}

fn explain(name: &'static str, why: ChildError) -> ToolError {
    let next = match &why {
        ChildError::Start(_) | ChildError::Pipe(_) | ChildError::Filled(_) => "check the program",
        ChildError::NoFolder(_) => "check the cache folder and its disk",
        ChildError::Time(_) => "make what it renders smaller, or raise --render-timeout",
        ChildError::Output(_) => "split the service",
        ChildError::Failed { .. } => "render it by hand to see more",
    };
    let may_pass = may_pass(&why);
    let why = match why {
        ChildError::Failed { complaint, .. } => complaint,
        ChildError::Start(_)
        | ChildError::NoFolder(_)
        | ChildError::Time(_)
        | ChildError::Output(_)
        | ChildError::Filled(_)
        | ChildError::Pipe(_) => why.to_string(),
    };
    ToolError::Failed { name, why, next, may_pass }
}

/// A program's path, size and time of change: cheaper than asking it, and another program changes it too.
fn identity(program: &Path) -> String {
    let about = std::fs::metadata(program).ok();
    let bytes = about.as_ref().map_or(0, std::fs::Metadata::len);
    let changed =
        about.and_then(|about| about.modified().ok()).and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!("{} {bytes} {}", program.display(), changed.unwrap_or_default().as_nanos())
}

#[cfg(test)]
mod tests;
