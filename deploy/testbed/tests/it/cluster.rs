//! A control plane that is real: it stores, audits, restarts, and runs Deployments.

use testbed::{Cluster, ClusterOptions};

const DEPLOYMENT: &str = r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
    "replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "registry.invalid/web:1"}]}}}}"#;

#[tokio::test]
async fn a_deployment_becomes_ready_and_its_namespace_can_be_deleted() {
    let cluster = Cluster::shared_with_controllers().await.expect("a cluster starts");
    let namespace = cluster.create_namespace("runs").await.expect("a namespace is made");
    cluster.kubectl_with(DEPLOYMENT, &["apply", "-n", &namespace, "-f", "-"]).await.expect("it is applied");
    let rollout = ["rollout", "status", "deployment/web", "-n", &namespace, "--timeout=60s"];
    cluster.kubectl(&rollout).await.expect("its pods become ready");
    let ready = ["get", "deployment", "web", "-n", &namespace, "-o", "jsonpath={.status.readyReplicas}"];
    assert_eq!(cluster.kubectl(&ready).await.expect("it is read"), "2");
    let delete = ["delete", "namespace", &namespace, "--timeout=60s"];
    cluster.kubectl(&delete).await.expect("the namespace goes, with all that is in it");
}

#[tokio::test]
async fn the_played_node_says_by_a_lease_that_it_is_there() {
    let cluster = Cluster::shared_with_controllers().await.expect("a cluster starts");
    let lease = ["wait", "--for=create", "lease/testbed", "-n", "kube-node-lease", "--timeout=60s"];
    cluster.kubectl(&lease).await.expect("else its pods lose their readiness within a minute");
}

#[tokio::test]
async fn every_request_is_audited() {
    let cluster = Cluster::shared().await.expect("a cluster starts");
    let namespace = cluster.create_namespace("audited").await.expect("a namespace is made");
    let create = ["create", "configmap", "one", "-n", &namespace];
    cluster.kubectl(&create).await.expect("an object is made");
    cluster.kubectl(&["get", "configmap", "one", "-n", &namespace]).await.expect("it is read");
    cluster.kubectl(&[&create[..], &["--dry-run=server"]].concat()).await.expect_err("it is there already");
    let events = cluster.audit_events().await.expect("the audit log is read");
    let ours = events
        .iter()
        .filter(|it| it.namespace == namespace && it.resource == "configmaps" && it.user == "testbed");
    let told: Vec<_> = ours.map(|it| (it.verb.as_str(), it.code, it.is_write())).collect();
    assert_eq!(told, [("create", 201, true), ("get", 200, false), ("create", 409, false)]);
}

#[tokio::test]
async fn others_have_only_the_rights_they_were_given() {
    let cluster = Cluster::shared().await.expect("a cluster starts");
    let namespace = cluster.create_namespace("rights").await.expect("a namespace is made");
    let kubeconfig = cluster.kubeconfig_of("stranger").expect("a certificate is made");
    let kubeconfig = kubeconfig.to_str().expect("the path is text");
    let list = ["--kubeconfig", kubeconfig, "get", "configmaps", "-n", &namespace];
    let refused = cluster.kubectl(&list).await.expect_err("nothing is bound to the stranger");
    assert!(format!("{refused:#}").contains("Forbidden"), "{refused:#}");
    let role = ["create", "role", "reader", "--verb=list", "--resource=configmaps", "-n", &namespace];
    cluster.kubectl(&role).await.expect("a role is made");
    let bind = ["create", "rolebinding", "reader", "--role=reader", "--user=stranger", "-n", &namespace];
    cluster.kubectl(&bind).await.expect("the role is bound");
    cluster.kubectl(&list).await.expect("now it is allowed");
    let token = cluster.service_account_token(&namespace, "agent").await.expect("a token is made");
    assert_eq!(token.split('.').count(), 3, "it is a signed token");
}

#[tokio::test]
async fn an_outage_of_the_api_server_loses_nothing() {
    let mut cluster = Box::pin(Cluster::start(ClusterOptions::default())).await.expect("a cluster starts");
    let namespace = cluster.create_namespace("kept").await.expect("a namespace is made");
    cluster.stop_api_server().await.expect("the API server is killed");
    cluster.kubectl(&["get", "namespace", &namespace]).await.expect_err("nobody answers");
    cluster.start_api_server().await.expect("it starts again");
    cluster.kubectl(&["get", "namespace", &namespace]).await.expect("etcd has kept it");
    cluster.stop().await.expect("all ends");
    let address = cluster.server_url().trim_start_matches("https://").to_owned();
    std::net::TcpListener::bind(address).expect("the port is free again");
}
