//! `Story`: how the demo speaks. Plain sentences, true figures, one heading a step.

use std::time::Duration;

use anyhow::Result;

use crate::output::Output;

/// The narrator.
#[derive(Debug)]
pub(super) struct Story<'o> {
    out: &'o Output,
    steps: u32,
}

impl<'o> Story<'o> {
    /// Speaks on stdout.
    pub(super) fn new(out: &'o Output) -> Self {
        Self { out, steps: 0 }
    }

    /// Begins the next step.
    pub(super) fn step(&mut self, title: &str) -> Result<()> {
        self.steps += 1;
        Ok(self.out.line(&format!("\n{}. {title}", self.steps))?)
    }

    /// Says a sentence.
    pub(super) fn say(&self, text: &str) -> Result<()> {
        Ok(self.out.line(&format!("   {text}"))?)
    }

    /// Shows a line as it is.
    pub(super) fn line(&self, text: &str) -> Result<()> {
        Ok(self.out.line(text)?)
    }
}

/// Bytes as people read them, exact below ten thousand.
pub(super) fn bytes(count: u64) -> String {
    if count < 10_000 { format!("{count} bytes") } else { program::progress::size(count) }
}

/// A time as people read it.
pub(super) fn time(time: Duration) -> String {
    if time < Duration::from_secs(10) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}
