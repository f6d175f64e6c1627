//! `Resource`: how a kind is called in paths.

use std::fmt::Write as _;

use cdn::ObjectId;

use crate::target::KindRef;

/// One kind in one version, as the server's discovery names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    /// The kind.
    pub(super) kind: KindRef,
    /// Its name in paths, e.g. `deployments`.
    pub(super) plural: String,
    /// Whether its objects lie in namespaces.
    pub(super) namespaced: bool,
    /// Whether there is a list of them: a review of somebody's permissions is answered, and kept nowhere.
    pub(super) lists: bool,
}

impl Resource {
    /// Where all of them are, in one namespace or in all.
    pub(super) fn collection(&self, namespace: Option<&str>) -> String {
        let root = version_path(&self.kind.group, &self.kind.version);
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{root}/namespaces/{}/{}", segment(namespace), segment(&self.plural)),
            None => format!("{root}/{}", segment(&self.plural)),
        }
    }

    /// Where one of them is; none when its identity and the kind's scope do not fit.
    pub(super) fn object(&self, id: &ObjectId) -> Option<String> {
        if self.namespaced != id.namespace.is_some() {
            return None;
        }
        Some(format!("{}/{}", self.collection(id.namespace.as_deref()), segment(&id.name)))
    }

    /// An identity of this kind without a name: the items of a list, which say no kind, are read by it.
    pub(super) fn nameless(&self) -> ObjectId {
        let KindRef { group, kind, .. } = self.kind.clone();
        ObjectId { group, kind, namespace: None, name: String::new() }
    }

    /// Whether a repair and its health need no more than the metadata: kinds that have no status. Secrets are among them,
    /// so that their content never comes here.
    pub(super) fn metadata_only(&self) -> bool {
        const WITHOUT_STATUS: [(&str, &str); 20] = [
            ("", "ConfigMap"),
            ("", "Endpoints"),
            ("", "LimitRange"),
            ("", "Secret"),
            ("", "ServiceAccount"),
            ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
            ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
            ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
            ("discovery.k8s.io", "EndpointSlice"),
            ("networking.k8s.io", "IngressClass"),
            ("networking.k8s.io", "NetworkPolicy"),
            ("node.k8s.io", "RuntimeClass"),
            ("rbac.authorization.k8s.io", "ClusterRole"),
            ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
            ("rbac.authorization.k8s.io", "Role"),
            ("rbac.authorization.k8s.io", "RoleBinding"),
            ("scheduling.k8s.io", "PriorityClass"),
            ("storage.k8s.io", "CSIDriver"),
            ("storage.k8s.io", "StorageClass"),
            ("storage.k8s.io", "VolumeAttributesClass"),
        ];
        WITHOUT_STATUS.contains(&(self.kind.group.as_str(), self.kind.kind.as_str()))
    }
}

/// Where a group's version is: `/apis/apps/v1`, `/api/v1`.
pub(super) fn version_path(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("/api/{}", segment(version))
    } else {
        format!("/apis/{}/{}", segment(group), segment(version))
    }
}

/// One segment of a path or one value of a query: nothing in it can end it.
pub(super) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':') {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string takes every write");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(group: &str, kind: &str, plural: &str, namespaced: bool) -> Resource {
        let kind = KindRef { group: group.into(), version: "v1".into(), kind: kind.into() };
        Resource { kind, plural: plural.into(), namespaced, lists: true }
    }

    fn id(namespace: Option<&str>, name: &str) -> ObjectId {
        ObjectId {
            group: String::new(),
            kind: String::new(),
            namespace: namespace.map(str::to_owned),
            name: name.into(),
        }
    }

    #[test]
    fn paths_are_those_of_the_api() {
        let deployment = resource("apps", "Deployment", "deployments", true);
        assert_eq!(
            deployment.object(&id(Some("a"), "web")).as_deref(),
            Some("/apis/apps/v1/namespaces/a/deployments/web")
        );
        assert_eq!(deployment.collection(None), "/apis/apps/v1/deployments");
        let role = resource("rbac.authorization.k8s.io", "ClusterRole", "clusterroles", false);
        assert_eq!(
            role.object(&id(None, "system:a")).as_deref(),
            Some("/apis/rbac.authorization.k8s.io/v1/clusterroles/system:a")
        );
        assert_eq!(
            resource("", "Namespace", "namespaces", false).object(&id(None, "a")).as_deref(),
            Some("/api/v1/namespaces/a")
        );
    }

    #[test]
    fn a_scope_that_does_not_fit_has_no_path() {
        assert_eq!(resource("apps", "Deployment", "deployments", true).object(&id(None, "web")), None);
        assert_eq!(resource("", "Node", "nodes", false).object(&id(Some("a"), "web")), None);
    }

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(segment("a/../b?c#d e\u{e9}%"), "a%2F..%2Fb%3Fc%23d%20e%C3%A9%25");
    }
}
