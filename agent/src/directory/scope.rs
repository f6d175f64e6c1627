//! Which kinds lie in no namespace. A folder cannot be asked, so the kinds of Kubernetes itself are listed; a
//! definition in the same bundle stands before this list.

use crate::target::KindRef;

/// Whether a kind belongs to the whole cluster.
pub(super) fn is_of_the_cluster(kind: &KindRef) -> bool {
    match kind.group.as_str() {
        "" => matches!(kind.kind.as_str(), "Namespace" | "Node" | "PersistentVolume"),
        "rbac.authorization.k8s.io" => matches!(kind.kind.as_str(), "ClusterRole" | "ClusterRoleBinding"),
        "storage.k8s.io" => kind.kind != "CSIStorageCapacity",
        "networking.k8s.io" => matches!(kind.kind.as_str(), "IngressClass" | "IPAddress" | "ServiceCIDR"),
        "resource.k8s.io" => matches!(kind.kind.as_str(), "DeviceClass" | "ResourceSlice"),
        "certificates.k8s.io" => {
            matches!(kind.kind.as_str(), "CertificateSigningRequest" | "ClusterTrustBundle")
        }
        "apiextensions.k8s.io"
        | "apiregistration.k8s.io"
        | "admissionregistration.k8s.io"
        | "scheduling.k8s.io"
        | "node.k8s.io"
        | "flowcontrol.apiserver.k8s.io"
        | "storagemigration.k8s.io"
        | "internal.apiserver.k8s.io" => true,
        _ => false,
    }
}
