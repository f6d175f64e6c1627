//! What a service's spec must be, beyond its types. Each refusal names the field and the next step.

use std::collections::BTreeMap;

use cdn::name::is_dns_label;
use cdn::{ClusterId, ServiceName};

use super::{ServiceKind, ServiceSpec};
use crate::assign::cycle;
use crate::db::{Conn, services, sources};
use crate::error::{Error, Result};

const MAX_TARGETS: usize = 10_000;
const MAX_DEPENDENCIES: usize = 64;
const MAX_FORMERLY: usize = 16;

fn wrong(detail: impl Into<String>) -> Error {
    Error::invalid("invalid_service", detail)
}

/// What the spec says of itself.
pub(super) fn check(name: &ServiceName, kind: ServiceKind, spec: &ServiceSpec) -> Result<()> {
    check_place(spec)?;
    check_targets(kind, spec)?;
    check_names("dependsOn", &spec.depends_on, MAX_DEPENDENCIES)?;
    check_names("options.formerly", &spec.options.formerly, MAX_FORMERLY)?;
    if spec.depends_on.iter().any(|on| on == name.name()) {
        return Err(wrong("`dependsOn` names the service itself; leave it out."));
    }
    Ok(())
}

fn check_place(spec: &ServiceSpec) -> Result<()> {
    let is_inside = spec.path.is_empty()
        || (spec.path.len() <= 1_024
            && !spec.path.starts_with('/')
            && spec.path.split('/').all(|part| !part.is_empty() && part != ".." && !part.contains('\\'))
            && !spec.path.contains(char::is_control));
    if !is_inside {
        return Err(wrong(
            "`path` is a folder inside the source: relative, without `..`, at most 1,024 characters.",
        ));
    }
    if !is_dns_label(&spec.namespace) {
        return Err(wrong("`namespace` is a DNS label of up to 63 characters."));
    }
    Ok(())
}

fn check_targets(kind: ServiceKind, spec: &ServiceSpec) -> Result<()> {
    match (kind, &spec.selector) {
        (ServiceKind::ServiceDeployment, Some(_)) => {
            Err(wrong("A ServiceDeployment has `clusters`; what has a `selector` is a GlobalService."))
        }
        (ServiceKind::ServiceDeployment, None) => {
            let is_target = |name: &String| is_dns_label(name) || name.parse::<ClusterId>().is_ok();
            if spec.clusters.len() > MAX_TARGETS {
                return Err(wrong(format!("`clusters` has more than {MAX_TARGETS}; use a selector.")));
            }
            match spec.clusters.iter().find(|name| !is_target(name)) {
                Some(_) => Err(wrong("`clusters` has names (DNS labels) or ids of clusters.")),
                None => Ok(()),
            }
        }
        (ServiceKind::GlobalService, Some(selector)) => {
            if selector.is_empty() {
                return Err(wrong(
                    "An empty `selector` would mean the whole fleet; say so with a label, e.g. `Exists`.",
                ));
            }
            if !spec.clusters.is_empty() {
                return Err(wrong(
                    "A GlobalService has a `selector`; what has `clusters` is a ServiceDeployment.",
                ));
            }
            selector.check().map_err(|error| wrong(format!("`selector`: {error}.")))
        }
        (ServiceKind::GlobalService, None) => Err(wrong("A GlobalService needs a `selector`.")),
    }
}

fn check_names(field: &str, names: &[String], limit: usize) -> Result<()> {
    if names.len() > limit {
        return Err(wrong(format!("`{field}` has more than {limit} entries.")));
    }
    match names.iter().find(|name| !is_dns_label(name)) {
        Some(_) => {
            Err(wrong(format!("`{field}` has names of services of the same project, without the project.")))
        }
        None => Ok(()),
    }
}

/// What it says of others: its source is there, and it does not wait for itself by way of others.
pub(super) async fn check_others(conn: &mut Conn, name: &ServiceName, spec: &ServiceSpec) -> Result<()> {
    if sources::get(conn, name.project(), &spec.source).await?.is_none() {
        let detail =
            format!("Project {} has no such source; make it first: PUT /v1/sources.", name.project());
        return Err(wrong(detail));
    }
    if spec.depends_on.is_empty() {
        return Ok(());
    }
    let listed =
        services::Listed { project: Some(name.project()), limit: i64::MAX, ..services::Listed::default() };
    let all = services::list(conn, &listed).await?;
    let others: BTreeMap<ServiceName, Vec<ServiceName>> = all
        .into_iter()
        .map(|service| {
            let on = service.spec.depends_on_names(service.name.project());
            (service.name, on)
        })
        .collect();
    if cycle(name, &spec.depends_on_names(name.project()), &others) {
        return Err(wrong(
            "`dependsOn` comes back to the service itself: each would wait for the other for ever.",
        ));
    }
    Ok(())
}
