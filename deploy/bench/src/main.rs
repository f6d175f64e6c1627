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

/// A run, and the figures that come of it: `NAME` selects either.
struct Bench {
    name: &'static str,
    figures: &'static [&'static str],
}

const BENCHES: [Bench; 4] = [
    Bench {
        name: "pack",
        figures: &["pack-time-example", "pack-size-example", "pack-time-tree", "pack-size-tree"],
    },
    Bench { name: "poll-304", figures: &["poll-304"] },
    Bench { name: "index-memory", figures: &["index-memory"] },
    Bench {
        name: "apply",
        figures: &["apply-cold", "apply-unchanged", "apply-unchanged-writes", "agent-rss", "agent-binary"],
    },
];

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_else(|| "all".to_owned());
    // A real tree of manifests to pack as well, beside the example.
    let tree = words.next().map(PathBuf::from);
    let is_all = |bench: &Bench| name == "all" || name == bench.name;
    let selected: Vec<&Bench> =
        BENCHES.iter().filter(|bench| is_all(bench) || bench.figures.contains(&name.as_str())).collect();
    if selected.is_empty() {
        let names = BENCHES.iter().flat_map(|bench| std::iter::once(&bench.name).chain(bench.figures));
        bail!("no figure `{name}`; there are: {}", names.copied().collect::<Vec<_>>().join(", "));
    }
    for bench in selected {
        let figures = match bench.name {
            "pack" => pack::run(tree.as_deref()),
            "poll-304" => poll::figure().await.map(|figure| vec![figure]),
            "index-memory" => index::figure().await.map(|figure| vec![figure]),
            _ => apply::figures().await,
        };
        let figures = figures.with_context(|| bench.name)?;
        show(figures.into_iter().filter(|figure| is_all(bench) || name == figure.name))?;
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
