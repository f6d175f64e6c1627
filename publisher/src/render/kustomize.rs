//! The Kustomize renderer: `kustomize build`, or `kubectl kustomize`, over just the folders that a kustomization leads to.
//!
//! Remote bases, plugins and charts are off: everything that it reads lies in the source (FAULTS C3). So the folders are
//! found first, by following what the kustomization files name.

use std::collections::BTreeSet;

use serde_json::Value;

use super::tool::{Run, Tool};
use super::{Made, RenderError, RenderRequest, Workshop, stable};
use crate::manifests::{Finding, Findings, read};
use crate::source::{Checkout, Files, FilesRefused, SourceError, join};

const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// Fields whose entries are files, or folders with a kustomization of their own.
const FOLDERS: [&str; 6] = ["resources", "bases", "components", "generators", "transformers", "validators"];
/// Fields whose entries are files.
const FILES: [&str; 3] = ["crds", "configurations", "patchesStrategicMerge"];
/// Fields that would run a program or fetch a chart.
const OFF: [&str; 2] = ["helmCharts", "helmChartInflationGenerator"];
/// Folders that one kustomization may lead to.
const MOST_FOLDERS: usize = 500;
const VENDOR: &str =
    "put it into the source and name it by a relative path: nothing is fetched while rendering";

pub(super) async fn render(
    workshop: &Workshop,
    request: &RenderRequest,
    checkout: &Checkout,
    path: String,
    places: &mut BTreeSet<String>,
) -> Result<Made, RenderError> {
    let files = gather(request, checkout, &path, places).await?;
    files.without_odd().map_err(SourceError::Files)?;
    let tools = workshop.tools();
    let folder = if path.is_empty() { ".".to_owned() } else { format!("./{path}") };
    let (tool, verb) =
        if tools.has(Tool::Kustomize) { (Tool::Kustomize, "build") } else { (Tool::Kubectl, "kustomize") };
    let run = async || {
        let words = vec![verb.to_owned(), folder.clone()];
        let said = tools.run(Run { tool, files: &files, beside: None, words }).await?;
        Ok::<_, RenderError>(read("kustomize", &said).map_err(Findings::from)?)
    };
    let manifests = run().await?;
    stable::same(&manifests, &run().await?)?;
    Ok(Made { manifests, notes: Vec::new(), files })
}

/// Reads the folder, and every folder that its kustomization leads to.
async fn gather(
    request: &RenderRequest,
    checkout: &Checkout,
    path: &str,
    places: &mut BTreeSet<String>,
) -> Result<Files, RenderError> {
    places.insert(path.to_owned());
    let mut files = checkout.read(places).await?;
    let mut left = vec![(path.to_owned(), "the service's path".to_owned())];
    let mut seen = BTreeSet::new();
    while let Some((folder, from)) = left.pop() {
        if !seen.insert(folder.clone()) {
            continue;
        }
        if seen.len() > MOST_FOLDERS {
            let what = format!("it leads to more than {MOST_FOLDERS} folders");
            return Err(Findings::from(Finding::new(path, what, "split the service")).into());
        }
        if !covered(places, &folder) {
            request.permission.check_path(&folder)?;
            places.insert(folder.clone());
            let more = checkout.read(&BTreeSet::from([folder.clone()])).await;
            files.merge(more.map_err(|why| missing(why, &folder, &from))?).map_err(SourceError::Files)?;
        }
        if files.has_folder(&folder) {
            left.extend(leads_to(&files, &folder)?);
        } else if files.get(&folder).is_none() && files.odd().all(|(path, _)| path != folder) {
            return Err(absent(&folder, &from).into());
        }
    }
    Ok(files)
}

fn covered(places: &BTreeSet<String>, path: &str) -> bool {
    let below = |place: &String| path.strip_prefix(place.as_str()).is_some_and(|rest| rest.starts_with('/'));
    places.iter().any(|place| place.is_empty() || place == path || below(place))
}

fn missing(why: SourceError, folder: &str, from: &str) -> RenderError {
    if matches!(why, SourceError::Files(FilesRefused::Missing(_))) {
        absent(folder, from).into()
    } else {
        why.into()
    }
}

fn absent(folder: &str, from: &str) -> Findings {
    let what = format!("it names `{folder}`, which is not in the source");
    Finding::new(from, what, "correct the path, or add the file").into()
}

/// The files and folders beyond its own that a folder's kustomization names, and the file that names them.
fn leads_to(files: &Files, folder: &str) -> Result<Vec<(String, String)>, Findings> {
    let own = |name: &&str| files.get(&joined(folder, name)).is_some();
    let names: Vec<&str> = NAMES.iter().copied().filter(own).collect();
    let [name] = names.as_slice() else {
        let what = format!("{} of {} is there", names.len(), NAMES.join(", "));
        let next = "have exactly one in a folder that Kustomize is to build";
        return Err(Finding::new(if folder.is_empty() { "." } else { folder }, what, next).into());
    };
    let at = joined(folder, name);
    let mut findings = Findings::default();
    let mut found = Vec::new();
    for document in read(&at, files.get(&at).unwrap_or_default())? {
        for field in
            OFF.iter().filter(|field| document.value.get(field).is_some_and(|value| !value.is_null()))
        {
            let what = format!("`{field}` would fetch and run a chart");
            findings.add(Finding::new(
                &at,
                what,
                "render the chart as a service of its own with the renderer helm",
            ));
        }
        for entry in references(&document.value) {
            match target(folder, entry) {
                Ok(target) => found.push((target, at.clone())),
                Err(what) => findings.add(Finding::new(&at, what, VENDOR)),
            }
        }
    }
    let beyond = |(target, _): &(String, String)| files.get(target).is_none();
    findings.or(found.into_iter().filter(beyond).collect())
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Where an entry leads, if that is within the source.
fn target(folder: &str, entry: &str) -> Result<String, String> {
    let shown = crate::words::safe(entry, 200);
    let remote = ["://", "::", "?ref="].iter().any(|sign| entry.contains(sign));
    if remote || entry.starts_with("git@") || entry.starts_with("github.com/") {
        return Err(format!("`{shown}` lies elsewhere"));
    }
    join(folder, entry).map_err(|why| why.to_string())
}

/// Every path that a kustomization names.
fn references(value: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    for field in FOLDERS.iter().chain(&FILES) {
        // What spans lines is written out in place: a patch, a transformer.
        found.extend(texts(value.get(field)).filter(|text| !text.contains('\n')));
    }
    for field in ["patches", "patchesJson6902", "replacements"] {
        found.extend(entries(value.get(field)).filter_map(|entry| entry.get("path").and_then(Value::as_str)));
    }
    found.extend(value.pointer("/openapi/path").and_then(Value::as_str));
    for generator in ["configMapGenerator", "secretGenerator"] {
        for entry in entries(value.get(generator)) {
            // `key=path`, or the path alone.
            found.extend(
                texts(entry.get("files")).map(|text| text.split_once('=').map_or(text, |(_, path)| path)),
            );
            found.extend(texts(entry.get("envs")).chain(entry.get("env").and_then(Value::as_str)));
        }
    }
    found
}

fn entries(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    entries(value).filter_map(Value::as_str)
}
