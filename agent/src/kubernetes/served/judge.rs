//! Served, Absent or Unknown: the decision, from evidence alone.

use super::Documents;
use super::evidence::{Definition, Document, Registration};
use crate::target::{KindRef, Served};

/// Everything that was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence<'a> {
    /// Each version that a kind is wanted in and, for groups in doubt, each version that is registered.
    pub(super) documents: &'a Documents,
    /// Every APIService of the groups in doubt, or why there is no list.
    pub(super) registrations: Result<&'a [Registration], &'a str>,
    /// Every definition in the groups in doubt, or why there is no list.
    pub(super) definitions: Result<&'a [Definition], &'a str>,
}

/// How a kind stands. `Absent` needs every witness to say so: no version of the group lists it, each that is registered
/// has answered, and no definition of it exists that may be served in a moment.
pub(super) fn judge(kind: &KindRef, evidence: &Evidence<'_>) -> Served {
    let key = (kind.group.clone(), kind.version.clone());
    let own = evidence.documents.get(&key).unwrap_or(&Document::NotFound);
    if let Some(resource) = own.get(&kind.kind) {
        return Served::Yes { namespaced: resource.namespaced, version: kind.version.clone() };
    }
    let registrations = match evidence.registrations {
        Ok(all) => all.iter().filter(|registration| registration.group == kind.group),
        Err(why) => return Served::Unknown(why.to_owned()),
    };
    if let Document::Unclear(why) = own {
        return Served::Unknown(format!("{}: {why}{}", kind.api_version(), silent_one(registrations)));
    }
    let mut other = None;
    for registration in registrations.clone() {
        let document = evidence.documents.get(&registration.version());
        match witness(registration, document) {
            Err(why) => return Served::Unknown(why),
            Ok(document) => other = newer(other, document.get(&kind.kind)),
        }
    }
    if let Some(resource) = other {
        return Served::Yes { namespaced: resource.namespaced, version: resource.kind.version.clone() };
    }
    match evidence.definitions {
        Err(why) => Served::Unknown(why.to_owned()),
        Ok(all) if all.iter().any(|one| one.group == kind.group && one.kind == kind.kind) => {
            Served::Unknown(format!("{kind} is defined, but not served: see the definition's conditions"))
        }
        Ok(_) => Served::Absent,
    }
}

/// A registered version's document, if it can be believed.
fn witness<'a>(registration: &Registration, document: Option<&'a Document>) -> Result<&'a Document, String> {
    let name = format!("APIService {}.{}", registration.version, registration.group);
    if let Some(service) = registration.elsewhere.as_ref().filter(|_| !registration.available) {
        return Err(format!("{name} (served by Service {service}) is not available"));
    }
    match document {
        Some(document @ Document::Served(_)) => Ok(document),
        Some(Document::Unclear(why)) => Err(format!("{name}: {why}")),
        Some(Document::NotFound) | None => Err(format!("{name} is registered, but not served")),
    }
}

fn silent_one<'a>(mut registrations: impl Iterator<Item = &'a Registration>) -> String {
    let silent = registrations.find(|one| one.elsewhere.is_some() && !one.available);
    let text = |one: &Registration| {
        let service = one.elsewhere.as_deref().unwrap_or_default();
        format!(" (APIService {}.{}, served by Service {service}, is not available)", one.version, one.group)
    };
    silent.map(text).unwrap_or_default()
}

type Found<'a> = Option<&'a super::Resource>;

/// The more stable of two: v2 before v1, v1 before v1beta1, beta before alpha.
fn newer<'a>(one: Found<'a>, two: Found<'a>) -> Found<'a> {
    match (one, two) {
        (Some(one), Some(two)) if rank(&two.kind.version) > rank(&one.kind.version) => Some(two),
        (Some(one), _) => Some(one),
        (None, two) => two,
    }
}

fn rank(version: &str) -> (u32, u32, u32) {
    let rest = version.strip_prefix('v').unwrap_or_default();
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    if let Some((major, minor)) = rest.split_once("beta") {
        (2, number(major), number(minor))
    } else if let Some((major, minor)) = rest.split_once("alpha") {
        (1, number(major), number(minor))
    } else if rest.is_empty() || rest.parse::<u32>().is_err() {
        (0, 0, 0)
    } else {
        (3, number(rest), 0)
    }
}
