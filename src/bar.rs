//! Progress of long work: a bar where a person watches, plain lines elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use program::progress::{Lines, Progress, Silent};

use crate::clean;
use crate::session::Session;

/// A bar on a terminal.
#[derive(Debug)]
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }
}

/// The form of the line; a template that does not parse costs the form, not the work.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Progress for Bar {
    fn step(&self, what: &str) {
        self.0.set_style(style("{spinner} {msg}"));
        self.0.set_message(clean::line(what));
    }

    fn bytes(&self, done: u64, of: Option<u64>) {
        if let Some(of) = of {
            self.0.set_style(style("{spinner} {msg} [{bar:30}] {bytes} of {total_bytes}"));
            self.0.set_length(of);
        }
        self.0.set_position(done);
    }

    fn finish(&self, what: &str) {
        self.0.finish_and_clear();
        // Not by the bar: its lines have no end, and the data would follow on this one.
        if !what.is_empty() {
            Lines::stderr().finish(&clean::line(what));
        }
    }
}

impl Session {
    /// What long work tells how far it is.
    pub(crate) fn progress(&self) -> Box<dyn Progress> {
        match (self.out.is_quiet(), self.out.is_terminal()) {
            (true, _) => Box::new(Silent),
            (false, true) => Box::new(Bar::new()),
            (false, false) => Box::new(Spoken(Lines::stderr())),
        }
    }
}

/// Plain lines; an empty sum-up says nothing.
#[derive(Debug)]
struct Spoken(Lines);

impl Progress for Spoken {
    fn step(&self, what: &str) {
        self.0.step(&clean::line(what));
    }

    fn bytes(&self, done: u64, of: Option<u64>) {
        self.0.bytes(done, of);
    }

    fn finish(&self, what: &str) {
        if !what.is_empty() {
            self.0.finish(&clean::line(what));
        }
    }
}
