//! One run of a program, under a watchdog that ends it when this process dies.
//!
//! `PR_SET_PDEATHSIG` would need unsafe code, and fires when the *thread* ends that started the program, which under a
//! test runner is soon. A shell that waits for the end of a pipe needs neither.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::sync::oneshot;

use super::{Program, tree};
use crate::environment;

/// A thread that waits for a disk takes no signal before it has it.
const PAUSE_WITHIN: Duration = Duration::from_secs(20);
const WATCHDOG: &str = include_str!("../watchdog.sh");

#[derive(Debug)]
pub(super) struct Running {
    program: Pid,
    watchdog: Pid,
    ended: Arc<OnceLock<i32>>,
    /// Its closing, by us or by the kernel, is what the watchdog waits for.
    _lifeline: ChildStdin,
}

impl Running {
    pub(super) async fn start(program: &Program, log: &Path, folder: &Path) -> Result<Self> {
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "testbed-watchdog"])
            .arg(log)
            .arg(&program.path)
            .args(&program.args)
            .env_clear()
            .envs(environment::inherited())
            .envs(program.env.iter().map(|(name, value)| (name, value)))
            .current_dir(program.current_dir.as_deref().unwrap_or(folder))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("start {} under sh", program.name))?;
        let lifeline = watchdog.stdin.take().context("the watchdog has no stdin")?;
        let told = watchdog.stdout.take().context("the watchdog has no stdout")?;
        let group = pid(watchdog.id())?;
        let ended = Arc::new(OnceLock::new());
        let (send_id, id) = oneshot::channel();
        let ending = Arc::clone(&ended);
        // A thread and no task: the program may outlive the runtime of the test that has started it.
        std::thread::Builder::new()
            .name(format!("{}'s end", program.name))
            .spawn(move || listen(watchdog, told, send_id, &ending))
            .context("start the thread that waits for the program's end")?;
        let id = id.await.ok().flatten().with_context(|| format!("the watchdog of {} died", program.name))?;
        Ok(Self { program: id, watchdog: group, ended, _lifeline: lifeline })
    }

    pub(super) fn id(&self) -> u32 {
        self.program.as_raw_nonzero().get().unsigned_abs()
    }

    pub(super) fn exit_code(&self) -> Option<i32> {
        self.ended.get().copied()
    }

    /// To the program alone. It may have ended in this moment: then there is nobody to tell, which is no error.
    pub(super) fn signal(&self, signal: Signal) {
        if self.exit_code().is_none() {
            kill_process(self.program, signal).ok();
        }
    }

    /// To the program and all that descend from it, whatever group or session they have put themselves into.
    pub(super) fn signal_all(&self, signal: Signal) -> Result<()> {
        anyhow::ensure!(self.exit_code().is_none(), "it has ended");
        self.signal(signal);
        for child in tree::descendants(self.program) {
            kill_process(child, signal).ok();
        }
        Ok(())
    }

    /// Stops all of them, and waits until they stand.
    pub(super) fn pause(&self) -> Result<()> {
        self.signal_all(Signal::STOP)?;
        let begun = Instant::now();
        let stands = || {
            let all = tree::descendants(self.program).into_iter().chain([self.program]);
            all.into_iter().all(tree::is_stopped)
        };
        while !stands() {
            anyhow::ensure!(begun.elapsed() < PAUSE_WITHIN, "it does not stand still");
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Kills the program and its children, and leaves the watchdog to tell when the program is gone. Returns the children.
    pub(super) fn kill(&self) -> Vec<Pid> {
        if self.exit_code().is_some() {
            return Vec::new();
        }
        let children = tree::descendants(self.program);
        self.signal(Signal::KILL);
        for &child in &children {
            kill_process(child, Signal::KILL).ok();
        }
        children
    }
}

/// The watchdog would do it too, when it sees the end of its pipe; but then the part's folder is gone already, and a
/// server that finds its folder gone may make it anew.
impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        if self.exit_code().is_none() {
            kill_process_group(self.watchdog, Signal::KILL).ok();
        }
    }
}

fn listen(mut watchdog: Child, told: ChildStdout, id: oneshot::Sender<Option<Pid>>, ended: &OnceLock<i32>) {
    let mut lines = BufReader::new(told).lines().map_while(Result::ok);
    id.send(lines.next().and_then(|line| pid(line.parse().ok()?).ok())).ok();
    let code = lines.next().and_then(|line| line.parse().ok()).unwrap_or(128 + 9);
    ended.set(code).ok();
    watchdog.wait().ok();
}

fn pid(id: u32) -> Result<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw).with_context(|| format!("{id} is no process id"))
}
