//! `pack`: making a bundle's stored form, ours against `tar | gzip -9` of the same files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use cdn::encoding::Encoding;
use cdn::{Bundle, Limits, Object};
use publisher::manifests::yaml::{self, YamlLimits};
use publisher::manifests::{Manifest, Rules, check};
use serde_json::json;

use crate::figure::Figure;

/// Measures the example, and a real tree if one is given.
pub(crate) fn run(tree: Option<&Path>) -> Result<Vec<Figure>> {
    let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/harbour/plain");
    let mut figures = measure(["pack-time-example", "pack-size-example"], &example)?;
    if let Some(tree) = tree {
        figures.extend(measure(["pack-time-tree", "pack-size-tree"], tree)?);
    }
    Ok(figures)
}

fn measure(names: [&'static str; 2], folder: &Path) -> Result<Vec<Figure>> {
    let objects = objects(folder)?;
    let started = Instant::now();
    let tar = Bundle::new(objects).and_then(|bundle| bundle.pack()).context("pack the bundle")?;
    let stored = Encoding::Zst.encode(&tar).context("encode the bundle")?;
    let ours = started.elapsed().as_secs_f64();

    let started = Instant::now();
    let theirs = Command::new("sh")
        .args(["-c", r#"tar -C "$1" -cf - . | gzip -9"#, "sh"])
        .arg(folder)
        .output()
        .context("run tar and gzip")?;
    let against = started.elapsed().as_secs_f64();
    ensure!(theirs.status.success(), "tar | gzip failed: {}", String::from_utf8_lossy(&theirs.stderr));

    let [time, size] = names;
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
    let (stored, theirs) = (stored.len() as f64, theirs.stdout.len() as f64);
    Ok(vec![
        Figure { name: time, ours: ours * 1e6, anchor: "tar_gzip9", against: against * 1e6, unit: "us" },
        Figure { name: size, ours: stored, anchor: "tar_gzip9", against: theirs, unit: "bytes" },
    ])
}

/// All objects below a folder, read and checked as the publisher does; neither is part of what is timed.
fn objects(folder: &Path) -> Result<Vec<Object>> {
    let mut manifests = Vec::new();
    let mut next = vec![folder.to_owned()];
    while let Some(folder) = next.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
            let path = entry.context("read a folder")?.path();
            if path.is_dir() {
                next.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
                let text = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
                let at = path.display().to_string();
                let documents = yaml::read(&text, YamlLimits::default()).with_context(|| at.clone())?;
                manifests
                    .extend(documents.into_iter().map(|read| Manifest { at: at.clone(), value: read.value }));
            }
        }
    }
    let rules = Rules {
        namespace: "bench".to_owned(),
        plain_secrets: serde_json::from_value(json!(["*", "*/*"])).context("patterns for every Secret")?,
        allow_empty: false,
        limits: Limits::DEFAULT,
    };
    Ok(check(manifests, &rules)?.objects)
}
