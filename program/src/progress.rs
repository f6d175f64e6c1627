//! What long work says while it runs. The work tells a [`Progress`]; who started it decides whether that becomes a
//! bar, plain lines or nothing.

use std::io::{self, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Hears how long work gets on. All calls are cheap enough for inner loops.
pub trait Progress: Send + Sync {
    /// A new step begins: `clone https://git.example/fleet`.
    fn step(&self, what: &str);
    /// So many bytes of the step are through, of so many where that is known.
    fn bytes(&self, done: u64, of: Option<u64>);
    /// The work ended; `what` sums it up.
    fn finish(&self, what: &str);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _what: &str) {}
    fn bytes(&self, _done: u64, _of: Option<u64>) {}
    fn finish(&self, _what: &str) {}
}

/// Plain lines on stderr, for terminals that are none, and CI: each step once, bytes at most every five seconds.
#[derive(Debug)]
pub struct Lines<W: Write + Send = io::Stderr> {
    state: Mutex<State<W>>,
}

#[derive(Debug)]
struct State<W> {
    out: W,
    told: Instant,
}

const TELL_EVERY: Duration = Duration::from_secs(5);

impl Lines {
    /// Lines on stderr.
    pub fn stderr() -> Self {
        Self::to(io::stderr())
    }
}

impl<W: Write + Send> Lines<W> {
    /// Lines to any writer.
    pub fn to(out: W) -> Self {
        Self { state: Mutex::new(State { out, told: Instant::now() }) }
    }

    fn say(&self, line: &str, due: impl FnOnce(Instant) -> bool) {
        // A poisoned lock means that a writer panicked; progress is the least of the worries then.
        let Ok(mut state) = self.state.lock() else { return };
        if due(state.told) {
            state.told = Instant::now();
            let _told: io::Result<()> = writeln!(state.out, "{line}");
        }
    }
}

impl<W: Write + Send> Progress for Lines<W> {
    fn step(&self, what: &str) {
        self.say(what, |_| true);
    }

    fn bytes(&self, done: u64, of: Option<u64>) {
        let line = match of {
            Some(of) => format!("  {} of {}", size(done), size(of)),
            None => format!("  {}", size(done)),
        };
        self.say(&line, |told| told.elapsed() >= TELL_EVERY);
    }

    fn finish(&self, what: &str) {
        self.say(what, |_| true);
    }
}

/// So many things: `1 object`, `2 objects`.
pub fn count(of: u64, thing: &str) -> String {
    let ending = if of == 1 { "" } else { "s" };
    format!("{of} {thing}{ending}")
}

/// Bytes as people read them: `512 B`, `1.5 kB`, `13.4 MB`.
pub fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1_000 => return format!("{bytes} B"),
        1_000..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit)
}
