//! The plain renderer: every YAML and JSON file of a folder and its subfolders, in the order of their paths.

use std::collections::BTreeSet;

use super::{Made, RenderError};
use crate::manifests::{Finding, Findings, Manifest, read};
use crate::source::{Checkout, Files, Odd};

const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

pub(super) async fn render(checkout: &Checkout, path: String) -> Result<Made, RenderError> {
    let places = BTreeSet::from([path]);
    let files = checkout.read(&places).await?;
    let (files, manifests) = tokio::task::spawn_blocking(move || manifests(&files).map(|read| (files, read)))
        .await
        .map_err(|panic| RenderError::Broken(panic.to_string()))??;
    Ok(Made { manifests, notes: Vec::new(), files, places })
}

/// Everything that is YAML or JSON by its name; none is passed over silently.
fn manifests(files: &Files) -> Result<Vec<Manifest>, Findings> {
    let mut findings = Findings::default();
    let mut manifests = Vec::new();
    for (path, why) in files.odd().filter(|(path, why)| is_manifest(path) || may_hold_manifests(*why)) {
        findings.add(Finding::new(path, format!("it {why}"), "or move it out of the service's folder"));
    }
    for (path, bytes) in files.iter() {
        if KUSTOMIZATIONS.contains(&name(path)) {
            let what = "a Kustomize file among plain manifests";
            findings.add(Finding::new(path, what, "use the renderer `kustomize: {}`, or remove the file"));
        } else if is_manifest(path) {
            match read(path, bytes) {
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
