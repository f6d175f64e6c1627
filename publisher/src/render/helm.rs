//! The Helm renderer: `helm template` of a chart that lies in the source, packaged or not, with its dependencies vendored.

mod hooks;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cdn::wire::HelmRenderer;
use serde_json::Value;

use super::tool::{Run, Tool};
use super::{Made, RenderError, RenderRequest, Workshop, stable};
use crate::manifests::{Finding, Findings, Manifest, read};
use crate::source::{Checkout, Files, SourceError, join};

const VALUES: &str = "values.json";

pub(super) async fn render(
    workshop: &Workshop,
    (request, helm): (&RenderRequest, &HelmRenderer),
    checkout: &Checkout,
    path: String,
    places: &mut BTreeSet<String>,
) -> Result<Made, RenderError> {
    let packaged = is_package(&path);
    let folder =
        if packaged { path.rsplit_once('/').map_or("", |(folder, _)| folder) } else { path.as_str() };
    places.insert(path.clone());
    let mut values = Vec::new();
    for file in &helm.value_files {
        let file = join(folder, file).map_err(SourceError::Path)?;
        request.permission.check_path(&file)?;
        places.insert(file.clone());
        values.push(file);
    }
    let files = checkout.read(places).await?;
    files.without_odd().map_err(SourceError::Files)?;
    if !packaged {
        vendored(&files, folder)?;
    }
    let inline = (!helm.values.is_empty()).then(|| cdn::json::canonical_of(&helm.values));
    let words = words(request, helm, (&path, &values), inline.is_some())?;
    let run = async || {
        let beside = inline.as_deref().map(|bytes| (VALUES, bytes));
        let run = Run { tool: Tool::Helm, files: &files, beside, words: words.clone() };
        let said = workshop.tools().run(run).await?;
        Ok::<_, RenderError>(manifests(&said)?)
    };
    let first = run().await?;
    // A template that writes the time writes another one in another second.
    tokio::time::sleep(until_next_second()).await;
    stable::same(&first, &run().await?)?;
    let (manifests, notes) = hooks::sort(first);
    Ok(Made { manifests, notes, files })
}

/// The arguments. Everything foreign in them is checked, so that no text becomes a flag.
fn words(
    request: &RenderRequest,
    helm: &HelmRenderer,
    (chart, values): (&str, &[String]),
    inline: bool,
) -> Result<Vec<String>, Findings> {
    let mut findings = Findings::default();
    let mut word = |text: &str, what: &str, fits: fn(char) -> bool| {
        if text.is_empty() || text.starts_with('-') || !text.chars().all(fits) {
            let next = "correct the service's renderer";
            findings.add(Finding::new("the service", format!("`{text}` is not {what}"), next));
        }
        text.to_owned()
    };
    let in_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let name =
        word(helm.release_name.as_deref().unwrap_or(request.wanted.name.name()), "a release's name", in_name);
    let namespace = word(&request.wanted.namespace, "a namespace", in_name);
    let mut words: Vec<String> = ["template", &name, &format!("./{chart}")].map(str::to_owned).into();
    words.extend(["--include-crds".to_owned(), format!("--namespace={namespace}")]);
    if let Some(version) = &helm.kube_version {
        let version =
            word(version, "a Kubernetes version", |c| c.is_ascii_alphanumeric() || ".-+".contains(c));
        words.push(format!("--kube-version={version}"));
    }
    for version in &helm.api_versions {
        let version = word(version, "an API version", |c| c.is_ascii_alphanumeric() || "./-".contains(c));
        words.push(format!("--api-versions={version}"));
    }
    // A comma would make two files of one.
    for file in values {
        let file = word(file, "a value file's path", |c| !c.is_control() && c != ',');
        words.push(format!("--values=./{file}"));
    }
    if inline {
        words.push(format!("--values=../{VALUES}"));
    }
    findings.or(words)
}

/// What `helm template` writes, each document under the name of its template.
fn manifests(said: &[u8]) -> Result<Vec<Manifest>, Findings> {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text.lines().collect();
    let mut manifests = read("helm", said)?;
    for manifest in &mut manifests {
        let line = manifest.at.rsplit_once(':').and_then(|(_, line)| line.parse::<usize>().ok()).unwrap_or(0);
        let source = lines.get(line.saturating_sub(1)).and_then(|line| line.strip_prefix("# Source: "));
        if let Some(source) = source {
            manifest.at = crate::words::safe(source, 200);
        }
    }
    Ok(manifests)
}

/// Every dependency that the chart names lies in its `charts/`: nothing is fetched while rendering.
fn vendored(files: &Files, folder: &str) -> Result<(), Findings> {
    let at = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    let Some(chart) = files.get(&at("Chart.yaml")) else {
        let what = "there is no Chart.yaml";
        return Err(
            Finding::new(at("Chart.yaml"), what, "correct the service's path, or its renderer").into()
        );
    };
    let mut findings = Findings::default();
    for (name, bytes) in
        [("Chart.yaml", Some(chart)), ("requirements.yaml", files.get(&at("requirements.yaml")))]
    {
        let Some(bytes) = bytes else { continue };
        for document in read(&at(name), bytes)? {
            let list = document.value.get("dependencies").and_then(Value::as_array);
            for dependency in list.into_iter().flatten().filter_map(|entry| entry.get("name")?.as_str()) {
                let packaged = at(&format!("charts/{dependency}-"));
                let is_there = files.has_folder(&at(&format!("charts/{dependency}")))
                    || files.iter().any(|(path, _)| path.starts_with(&packaged) && is_package(path));
                if !is_there {
                    let what = format!("the dependency `{dependency}` is not in `charts/`");
                    let next = "run `helm dependency update` and commit `charts/`: nothing is fetched while rendering";
                    findings.add(Finding::new(at(name), what, next));
                }
            }
        }
    }
    findings.or(())
}

/// A chart as `helm package` leaves it.
fn is_package(path: &str) -> bool {
    path.strip_suffix(".tgz").is_some_and(|name| !name.is_empty())
}

fn until_next_second() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(1).saturating_sub(Duration::from_nanos(u64::from(now.subsec_nanos())))
}
