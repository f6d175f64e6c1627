//! `make bench`: one line a figure, ours beside a named anchor's of the same run. `make bench NAME=poll-304` runs one.

mod apply;
mod figure;
mod fleet;
mod index;
mod load;
mod pack;
mod poll;
mod usage;
mod wire;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use figure::Figure;

/// What can be selected.
const NAMES: [&str; 5] = ["poll-304", "index-memory", "pack", "apply", "agent-rss"];

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_else(|| "all".to_owned());
    // A real tree of manifests to pack as well, beside the example.
    let tree = words.next().map(PathBuf::from);
    if name != "all" && !NAMES.contains(&name.as_str()) {
        bail!("no figure `{name}`; there are: {}", NAMES.join(", "));
    }
    let wants = |one: &str| name == "all" || name == one;
    if wants("pack") {
        show(pack::run(tree.as_deref()).context("pack")?)?;
    }
    if wants("poll-304") {
        show([poll::figure().await.context("poll-304")?])?;
    }
    if wants("index-memory") {
        show([index::figure().await.context("index-memory")?])?;
    }
    if wants("apply") || wants("agent-rss") {
        let figures = apply::figures().await.context("apply")?;
        show(figures.into_iter().filter(|figure| name != "agent-rss" || figure.name.starts_with("agent")))?;
    }
    Ok(())
}

fn show(figures: impl IntoIterator<Item = Figure>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for figure in figures {
        writeln!(out, "{figure}").context("print a figure")?;
    }
    Ok(())
}
