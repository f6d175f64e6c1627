//! The fleet's documents: files to YAML to types that can only be right.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use api::routes::clusters::ClusterChange;
use api::routes::services::{ServiceKind, ServiceSpec};
use cdn::document::ProjectValues;
use cdn::name::is_dns_label;
use cdn::wire::Source as Place;
use cdn::{ProjectName, ServiceName};
use program::files;
use publisher::manifests::yaml::{self, YamlLimits};
use serde::Deserialize;
use serde_json::Value;

use super::schema;
use crate::exit::{Exit, Failure, unreadable};

/// The most bytes of one file.
const MAX_BYTES: u64 = 8 << 20;
/// The most files of one folder.
const MAX_FILES: usize = 10_000;

const API_VERSION: &str = "windlass.dev/v1alpha1";
const KINDS: [&str; 4] = ["Source", "Cluster", "ServiceDeployment", "GlobalService"];

/// A document that has been read.
#[derive(Debug)]
pub(super) struct Document {
    /// What people see: `service/default/web`.
    pub(super) id: String,
    /// Where it was read: `fleet.yaml:12`.
    pub(super) place: String,
    /// The route that it is put to; for a cluster, its name.
    pub(super) path: String,
    /// What it says.
    pub(super) spec: Spec,
}

/// What a document says.
#[derive(Debug)]
pub(super) enum Spec {
    /// Where manifests come from.
    Source(Place),
    /// What is said of a cluster.
    Cluster(ClusterChange),
    /// A service.
    Service(ServiceKind, Box<ServiceSpec>),
}

impl Document {
    /// The service's name, of a document of one.
    pub(super) fn service(&self) -> Result<ServiceName> {
        let name = self.id.strip_prefix("service/").unwrap_or_default();
        name.parse().with_context(|| format!("{} is no service", self.id))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    api_version: String,
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    spec: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
    #[serde(default)]
    project: Option<ProjectName>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClusterSpec {
    #[serde(default)]
    projects: Option<Vec<ProjectName>>,
    #[serde(default)]
    values: Option<BTreeMap<ProjectName, ProjectValues>>,
}

/// Reads all documents of files and folders; two of one name are refused.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Document>> {
    let mut documents: Vec<Document> = Vec::new();
    for path in paths {
        for (name, text) in texts(path)? {
            documents.extend(parse(&name, &text)?);
        }
    }
    let mut places: BTreeMap<&str, &str> = BTreeMap::new();
    for document in &documents {
        if let Some(first) = places.insert(&document.id, &document.place) {
            return Err(Failure::new(Exit::Usage, format!("{} is described twice", document.id))
                .why(format!("in {first} and in {}", document.place))
                .next("keep one of the two")
                .into());
        }
    }
    Ok(documents)
}

fn texts(path: &Path) -> Result<Vec<(String, String)>> {
    if path == Path::new("-") {
        return Ok(vec![("stdin".to_owned(), bounded(std::io::stdin().lock())?)]);
    }
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        files = listed(path)?;
    }
    let text = |file: PathBuf| {
        let name = file.display().to_string();
        let bytes = files::read_bounded(&file, MAX_BYTES).map_err(|why| unreadable(&file, why))?;
        let text = String::from_utf8(bytes).with_context(|| format!("{name} is not UTF-8 text"))?;
        Ok((name, text))
    };
    files.into_iter().map(text).collect()
}

/// The documents' files of a folder, all of them or none: of a list that is cut nobody would know which are missing.
fn listed(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let entries = entries.take(MAX_FILES + 1).map(|entry| entry.map(|entry| entry.path()));
    let mut files: Vec<PathBuf> = entries.collect::<Result<_, _>>()?;
    if files.len() > MAX_FILES {
        return Err(Failure::new(Exit::Usage, format!("{} is too large", folder.display()))
            .why(format!("it has more than {MAX_FILES} files"))
            .next("divide it into several folders, and apply them one after the other; nothing was applied")
            .into());
    }
    files.retain(|file| file.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json"));
    files.sort();
    Ok(files)
}

/// All of a stream, or nothing: one that is cut off at a `---` would lose documents without a word.
fn bounded(from: impl Read) -> Result<String> {
    let mut text = String::new();
    from.take(MAX_BYTES + 1).read_to_string(&mut text).context("read documents from stdin")?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Failure::new(Exit::Usage, "stdin is too long")
            .why(format!("it has more than {MAX_BYTES} bytes"))
            .next("apply it in several parts; nothing was applied")
            .into());
    }
    Ok(text)
}

/// Reads the documents of one text, as kubectl would.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Document>> {
    let read = yaml::read(text.as_bytes(), YamlLimits::default()).map_err(|refused| {
        Failure::new(Exit::Usage, format!("{file}:{} cannot be read", refused.line)).why(refused.why)
    })?;
    read.into_iter().map(|read| document(format!("{file}:{}", read.line), read.value)).collect()
}

fn document(place: String, value: Value) -> Result<Document> {
    let said = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned();
    let at = format!("{place} ({} {})", said("/kind"), said("/metadata/name"));
    let raw: Raw = schema::read(value, "").map_err(|why| refused(&at, why))?;
    if raw.api_version != API_VERSION {
        return Err(refused(&at, format!("apiVersion: `{}` is not `{API_VERSION}`", raw.api_version)));
    }
    if !is_dns_label(&raw.metadata.name) {
        return Err(refused(&at, format!("metadata.name: `{}` is not a DNS label", raw.metadata.name)));
    }
    let built = match raw.kind.as_str() {
        "Source" => source(raw, place),
        "Cluster" => cluster(raw, place),
        "ServiceDeployment" => service(raw, place, ServiceKind::ServiceDeployment),
        "GlobalService" => service(raw, place, ServiceKind::GlobalService),
        other => {
            Err(format!("kind: `{other}` is none of {}{}", KINDS.join(", "), schema::hint(other, KINDS)))
        }
    };
    built.map_err(|why| refused(&at, why))
}

fn refused(at: &str, why: String) -> anyhow::Error {
    Failure::new(Exit::Usage, format!("{at} is not understood"))
        .why(why)
        .next("correct it; nothing was applied")
        .into()
}

fn source(raw: Raw, place: String) -> Result<Document, String> {
    no_labels(&raw.metadata)?;
    let project = raw.metadata.project.unwrap_or_default();
    let name = format!("{project}/{}", raw.metadata.name);
    let spec = schema::read(raw.spec, "spec")?;
    Ok(Document {
        id: format!("source/{name}"),
        place,
        path: format!("/v1/sources/{name}"),
        spec: Spec::Source(spec),
    })
}

fn cluster(raw: Raw, place: String) -> Result<Document, String> {
    if raw.metadata.project.is_some() {
        return Err(
            "metadata.project: a cluster is of no project; `spec.projects` says whose services may come"
                .to_owned(),
        );
    }
    if raw.spec.get("labels").is_some() {
        return Err("spec.labels: a cluster's labels stand in `metadata.labels`".to_owned());
    }
    let spec: ClusterSpec =
        if raw.spec.is_null() { ClusterSpec::default() } else { schema::read(raw.spec, "spec")? };
    let change = ClusterChange {
        name: None,
        labels: raw.metadata.labels,
        projects: spec.projects,
        values: spec.values,
    };
    let name = raw.metadata.name;
    Ok(Document { id: format!("cluster/{name}"), place, path: name, spec: Spec::Cluster(change) })
}

fn service(raw: Raw, place: String, kind: ServiceKind) -> Result<Document, String> {
    no_labels(&raw.metadata)?;
    let project = raw.metadata.project.unwrap_or_default();
    let name = ServiceName::new(project, &raw.metadata.name).map_err(|error| error.to_string())?;
    let spec: ServiceSpec = schema::read(raw.spec, "spec")?;
    let room = match kind {
        ServiceKind::ServiceDeployment if spec.selector.is_some() => {
            return Err(
                "spec.selector: a ServiceDeployment has `clusters`; a selector makes it a GlobalService"
                    .to_owned(),
            );
        }
        ServiceKind::GlobalService if !spec.clusters.is_empty() => {
            return Err(
                "spec.clusters: a GlobalService has a `selector`; clusters make it a ServiceDeployment"
                    .to_owned(),
            );
        }
        ServiceKind::GlobalService if spec.selector.is_none() => {
            return Err("spec.selector: is missing; a GlobalService finds its clusters by it".to_owned());
        }
        ServiceKind::ServiceDeployment => "services",
        ServiceKind::GlobalService => "global-services",
    };
    let path = format!("/v1/{room}/{name}");
    Ok(Document { id: format!("service/{name}"), place, path, spec: Spec::Service(kind, Box::new(spec)) })
}

fn no_labels(metadata: &Metadata) -> Result<(), String> {
    match metadata.labels {
        Some(_) => Err("metadata.labels: only a Cluster has labels".to_owned()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
