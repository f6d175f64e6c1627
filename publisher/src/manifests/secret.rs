//! Secrets in plain: what is on a CDN is readable by whoever knows its digest (FAULTS E2).

use cdn::Object;
use serde_json::Value;

use super::check::has_content;
use super::{Finding, Rules};

/// A `Secret` with content that the allow list does not name.
pub(super) fn plain(object: &Object, value: &Value, rules: &Rules, at: &str) -> Option<Finding> {
    let id = object.id();
    let is_secret = id.group.is_empty() && id.kind == "Secret";
    if !is_secret || !(has_content(value, "data") || has_content(value, "stringData")) {
        return None;
    }
    let namespace = id.namespace.as_deref().unwrap_or(&rules.namespace);
    let full = format!("{namespace}/{}", id.name);
    if rules.plain_secrets.iter().any(|glob| glob.fits(&full) || glob.fits(&id.name)) {
        return None;
    }
    let what = "a Secret with its content in plain would be readable by everyone who reads the store";
    let next = format!(
        "keep it in the cluster's secret store (ExternalSecret, SealedSecret), or name `{full}` in `plain_secrets` \
         of the allow list's entry"
    );
    Some(Finding::new(at, what, next))
}
