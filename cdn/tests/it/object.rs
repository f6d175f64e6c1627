//! What an object is, beyond its bytes.

use cdn::object::is_cluster_scoped;

#[test]
fn f33_kinds_that_lie_in_no_namespace_are_known_and_their_neighbours_are_not_taken_for_them() {
    let check = |group: &str, whole: &[&str], within: &[&str]| {
        for kind in whole {
            assert!(is_cluster_scoped(group, kind), "{kind}.{group}");
        }
        for kind in within {
            assert!(!is_cluster_scoped(group, kind), "{kind}.{group}");
        }
    };
    check("", &["Namespace", "Node", "PersistentVolume"], &["Pod", "PersistentVolumeClaim", "ClusterRole"]);
    check("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"], &["Role", "RoleBinding"]);
    check("storage.k8s.io", &["StorageClass", "CSINode"], &["CSIStorageCapacity"]);
    check("scheduling.k8s.io", &["PriorityClass"], &["Workload", "PodGroup"]);
    check("resource.k8s.io", &["DeviceClass", "ResourceSlice", "DeviceTaintRule"], &["ResourceClaim"]);
    check("certificates.k8s.io", &["ClusterTrustBundle"], &["PodCertificateRequest"]);
    check("networking.k8s.io", &["IngressClass", "ServiceCIDR"], &["Ingress", "NetworkPolicy"]);
    check("admissionregistration.k8s.io", &["MutatingAdmissionPolicyBinding"], &[]);
    check("storagemigration.k8s.io", &["StorageVersionMigration"], &[]);
    check("policy", &[], &["PodDisruptionBudget"]);
    check("example.com", &[], &["Namespace", "ClusterRole"]);
}
