//! What reached the API server, read from its audit log: so a test can say "not one write".

use anyhow::{Context, Result};
use serde_json::Value;

/// One request that the API server has answered, as its audit log tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// Path and query.
    pub uri: String,
    /// The user: `testbed` with the cluster's kubeconfig; the parts of the control plane have names of their own.
    pub user: String,
    /// The client's User-Agent.
    pub user_agent: String,
    /// The resource, as `deployments`; empty for paths that are none.
    pub resource: String,
    /// The subresource, as `status`; mostly empty.
    pub subresource: String,
    /// The object's namespace; empty for cluster-wide ones.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// The status of the answer.
    pub code: u16,
}

impl AuditEvent {
    /// Whether it asked for a change (a dry run did not).
    pub fn is_write(&self) -> bool {
        let changes =
            matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection");
        changes && !self.uri.contains("dryRun=")
    }
}

/// One event a line; the last one may still be in the making.
pub(super) fn parse(log: &str) -> Result<Vec<AuditEvent>> {
    let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(event).collect()
}

fn event(line: &str) -> Result<AuditEvent> {
    let value: Value = serde_json::from_str(line).with_context(|| format!("the audit log says `{line}`"))?;
    let text = |path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let code = value.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default();
    Ok(AuditEvent {
        verb: text("/verb"),
        uri: text("/requestURI"),
        user: text("/user/username"),
        user_agent: text("/userAgent"),
        resource: text("/objectRef/resource"),
        subresource: text("/objectRef/subresource"),
        namespace: text("/objectRef/namespace"),
        name: text("/objectRef/name"),
        code: u16::try_from(code).unwrap_or_default(),
    })
}
