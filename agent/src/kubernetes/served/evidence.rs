//! What the server says of a group and its versions, each read with suspicion.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::kubernetes::api::{Answer, ApiServer, Ask};
use crate::kubernetes::list::read_page;
use crate::kubernetes::resource::{Resource, segment};
use crate::kubernetes::trouble::Trouble;
use crate::target::KindRef;

/// A group version's discovery document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Document {
    /// It is served, with these resources.
    Served(Vec<Resource>),
    /// 404: no proof of anything (FAULTS F1).
    NotFound,
    /// No document, or one that says nothing; why.
    Unclear(String),
}

/// An APIService: who serves a group version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registration {
    /// The group.
    pub(super) group: String,
    /// The version.
    pub(super) version: String,
    /// Where it is served, when not by the API server itself: `namespace/name` of a Service.
    pub(super) elsewhere: Option<String>,
    /// Whether it can be reached.
    pub(super) available: bool,
}

/// A CustomResourceDefinition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Definition {
    /// The group.
    pub(super) group: String,
    /// The kind.
    pub(super) kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceList {
    kind: String,
    group_version: String,
    resources: Vec<Listed>,
}

#[derive(Deserialize)]
struct CoreVersions {
    versions: Vec<String>,
}

#[derive(Deserialize)]
struct GroupList {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: String,
    preferred_version: GroupVersion,
    versions: Vec<GroupVersion>,
}

#[derive(Clone, Deserialize)]
struct GroupVersion {
    version: String,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    kind: String,
    namespaced: bool,
    #[serde(default)]
    verbs: Vec<String>,
}

impl Document {
    /// Reads an answer. An empty list is nothing that a served version says: an aggregated API that is broken answers
    /// so (FAULTS F2).
    pub(super) fn read(group: &str, version: &str, answer: Result<Answer, Trouble>) -> Self {
        let body = match answer {
            Ok(answer) => answer.body,
            Err(trouble) if trouble.code() == Some(404) => return Self::NotFound,
            Err(trouble) => return Self::Unclear(trouble.to_string()),
        };
        let Ok(list) = serde_json::from_slice::<ResourceList>(&body) else {
            return Self::Unclear("its discovery document cannot be read".to_owned());
        };
        let wanted = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        if list.kind != "APIResourceList" || list.group_version != wanted || list.resources.is_empty() {
            return Self::Unclear("its discovery document is empty or another's".to_owned());
        }
        let resources = list.resources.into_iter().filter(|listed| !listed.name.contains('/'));
        let resource = |listed: Listed| Resource {
            kind: KindRef { group: group.to_owned(), version: version.to_owned(), kind: listed.kind },
            plural: listed.name,
            namespaced: listed.namespaced,
            lists: listed.verbs.iter().any(|verb| verb == "list"),
        };
        Self::Served(resources.map(resource).collect())
    }

    /// What it lists.
    pub(super) fn resources(&self) -> &[Resource] {
        match self {
            Self::Served(resources) => resources,
            Self::NotFound | Self::Unclear(_) => &[],
        }
    }

    /// One kind of it.
    pub(super) fn get(&self, kind: &str) -> Option<&Resource> {
        self.resources().iter().find(|resource| resource.kind.kind == kind)
    }
}

impl Registration {
    /// Group and version.
    pub(super) fn version(&self) -> (String, String) {
        (self.group.clone(), self.version.clone())
    }
}

/// Every group version that is served, in each group the preferred one first.
pub(super) async fn versions(api: &ApiServer) -> Result<Vec<(String, String)>, Trouble> {
    let core: CoreVersions = document(api, "/api").await?;
    let groups: GroupList = document(api, "/apis").await?;
    let mut versions: Vec<_> = core.versions.into_iter().map(|version| (String::new(), version)).collect();
    for Group { name, preferred_version, versions: others } in groups.groups {
        let others = others.into_iter().filter(|other| other.version != preferred_version.version);
        let of_group = [preferred_version.clone()].into_iter().chain(others);
        versions.extend(of_group.map(|one| (name.clone(), one.version)));
    }
    Ok(versions)
}

async fn document<T: DeserializeOwned>(api: &ApiServer, path: &str) -> Result<T, Trouble> {
    let answer = api.send(Ask::list(path.to_owned())).await?;
    serde_json::from_slice(&answer.body)
        .map_err(|_| Trouble::Garbage(format!("{path} is no discovery document")))
}

/// Every [`Registration`] of these groups.
pub(super) async fn registrations(
    api: &ApiServer,
    groups: &BTreeSet<&str>,
) -> Result<Vec<Registration>, String> {
    let path = "/apis/apiregistration.k8s.io/v1/apiservices".to_owned();
    let list: Value = read(api, Ask::list(path)).await?;
    let items = list.get("items").and_then(Value::as_array).filter(|items| !items.is_empty());
    let items = items.ok_or("the list of APIServices is empty")?;
    let registration = |item: &Value| {
        let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let elsewhere = item.pointer("/spec/service").filter(|service| service.is_object());
        Registration {
            group: text("/spec/group").to_owned(),
            version: text("/spec/version").to_owned(),
            elsewhere: elsewhere
                .map(|_| format!("{}/{}", text("/spec/service/namespace"), text("/spec/service/name"))),
            available: condition(item, "Available"),
        }
    };
    let all = items.iter().map(registration);
    Ok(all.filter(|registration| groups.contains(registration.group.as_str())).collect())
}

/// All definitions of these groups. Their names end in the group, so the list needs only metadata: definitions are long.
pub(super) async fn definitions(
    api: &ApiServer,
    groups: &BTreeSet<&str>,
    most: usize,
) -> Result<Vec<Definition>, String> {
    if groups.iter().all(|group| group.is_empty()) {
        return Ok(Vec::new());
    }
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let ask = Ask::list(path.to_owned()).metadata_only(true);
    let answer = api.send(ask).await.map_err(|trouble| format!("{path}: {trouble}"))?;
    let mut names = Vec::new();
    read_page(&answer.body, |item| {
        let name = item.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        if name.split_once('.').is_some_and(|(_, group)| groups.contains(group)) {
            names.push(name.to_owned());
        }
    })
    .map_err(|trouble| format!("{path}: {trouble}"))?;
    if names.len() > most {
        return Err(format!("the groups have more than {most} definitions"));
    }
    let mut definitions = Vec::with_capacity(names.len());
    for name in names {
        let whole: Value = read(api, Ask::get(format!("{path}/{}", segment(&name)))).await?;
        let text = |pointer: &str| whole.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let (group, kind) = (text("/spec/group"), text("/spec/names/kind"));
        let (Some(group), Some(kind)) = (group, kind) else { return Err(format!("{name} cannot be read")) };
        definitions.push(Definition { group, kind });
    }
    Ok(definitions)
}

async fn read<T: DeserializeOwned>(api: &ApiServer, ask: Ask) -> Result<T, String> {
    let path = ask.path.clone();
    let answer = api.send(ask).await.map_err(|trouble| format!("{path}: {trouble}"))?;
    serde_json::from_slice(&answer.body).map_err(|_| format!("{path}: no JSON of the expected form"))
}

fn condition(item: &Value, name: &str) -> bool {
    let conditions = item.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        condition.get("type").and_then(Value::as_str) == Some(name)
            && condition.get("status").and_then(Value::as_str) == Some("True")
    })
}
