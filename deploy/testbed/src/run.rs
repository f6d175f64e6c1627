//! Running a program to its end and keeping what it says.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// How much of a failed program's words an error repeats.
const TAIL_BYTES: usize = 4_000;

/// Its stdout; an error with the end of its stderr when it fails. Blocks.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    output_with("", command)
}

/// The same with text for its stdin.
pub(crate) fn output_with(stdin: &str, command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {program}"))?;
    let pipe = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // A thread of its own: the program may fill its stdout before it has read all of its stdin. That it reads no
        // more is its own affair.
        scope.spawn(move || pipe.and_then(|mut pipe| pipe.write_all(stdin.as_bytes()).ok()));
        child.wait_with_output()
    })
    .with_context(|| format!("wait for {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let start = said.ceil_char_boundary(said.len().saturating_sub(TAIL_BYTES));
        bail!("{program} failed ({}):\n{}", output.status, said.get(start..).unwrap_or_default().trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{program} said something that is not text"))
}
