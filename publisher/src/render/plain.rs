//! The plain renderer: every YAML and JSON file of a folder and its subfolders, in the order of their paths.

use std::collections::BTreeSet;

use super::{Made, RenderError};
use crate::manifests::yaml::Cost;
use crate::manifests::{Finding, Findings, Manifest, read_more};
use crate::source::{Checkout, Files, Odd};

const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

pub(super) async fn render(
    checkout: &Checkout,
    path: String,
    places: &mut BTreeSet<String>,
) -> Result<Made, RenderError> {
    places.insert(path);
    let files = checkout.read(places).await?;
    let (files, manifests) = tokio::task::spawn_blocking(move || manifests(&files).map(|read| (files, read)))
        .await
        .map_err(|panic| RenderError::Broken(panic.to_string()))??;
    Ok(Made { manifests, notes: Vec::new(), files })
}

/// Everything that is YAML or JSON by its name; none is passed over silently.
fn manifests(files: &Files) -> Result<Vec<Manifest>, Findings> {
    let mut findings = Findings::default();
    let (mut manifests, mut spent) = (Vec::new(), Cost::default());
    for (path, why) in files.odd().filter(|(path, why)| is_manifest(path) || may_hold_manifests(*why)) {
        findings.add(Finding::new(path, format!("it {why}"), "or move it out of the service's folder"));
    }
    for (path, bytes) in files.iter() {
        if KUSTOMIZATIONS.contains(&name(path)) {
            let what = "a Kustomize file among plain manifests";
            findings.add(Finding::new(path, what, "use the renderer `kustomize: {}`, or remove the file"));
        } else if is_manifest(path) {
            match read_more(path, bytes, &mut spent) {
                Ok(read) => manifests.extend(read),
                Err(finding) => findings.add(finding),
            }
        }
    }
    findings.or(manifests)
}

fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// What would be passed over with everything in it.
fn may_hold_manifests(odd: Odd) -> bool {
    match odd {
        Odd::LinkedFolder | Odd::Submodule => true,
        Odd::Leaves | Odd::Device | Odd::Name | Odd::Climbs | Odd::Kind => false,
    }
}

fn is_manifest(path: &str) -> bool {
    let end = name(path).rsplit_once('.').map_or("", |(_, end)| end);
    ["yaml", "yml", "json"].iter().any(|known| end.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b6_many_files_with_a_small_bomb_each_are_one_large_bomb() {
        let level = |level: usize| {
            format!("a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 10].join(", "))
        };
        let levels: Vec<String> = (1..5).map(level).collect();
        let bomb = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}\n", levels.join("\n"));
        let of = |count: usize| {
            let mut files = Files::default();
            for n in 0..count {
                files.add(format!("{n}.yaml"), bomb.clone().into_bytes()).expect("small");
            }
            manifests(&files)
        };
        assert_eq!(of(1).expect("one is within the bounds").len(), 1);
        let refused = of(50).expect_err("all of them are not").to_string();
        assert!(refused.contains("too large once its aliases are written out"), "{refused}");
    }
}
