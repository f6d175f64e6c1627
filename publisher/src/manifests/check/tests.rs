//! What is published, what is not, and what is said.

use cdn::Limits;
use serde_json::{Value, json};

use super::{Checked, Rules, check};
use crate::glob::Glob;
use crate::manifests::{Findings, Manifest, read};

fn rules() -> Rules {
    Rules {
        namespace: "web".to_owned(),
        plain_secrets: Vec::new(),
        allow_empty: false,
        limits: Limits::DEFAULT,
    }
}

fn values(values: &[Value]) -> Result<Checked, Findings> {
    let manifest =
        |(index, value): (usize, &Value)| Manifest { at: format!("f{index}.yaml:1"), value: value.clone() };
    check(values.iter().enumerate().map(manifest).collect(), &rules())
}

fn why(value: Value) -> String {
    values(&[value]).expect_err("refused").to_string()
}

fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
}

#[test]
fn b10_lists_are_flattened_and_what_generators_leave_is_dropped() {
    let mut with_leftovers = map("b");
    with_leftovers["metadata"]["creationTimestamp"] = Value::Null;
    with_leftovers["status"] = json!({});
    let mut typed = map("c");
    typed.as_object_mut().expect("a mapping").retain(|key, _| key == "metadata");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        map("a"), with_leftovers, {"apiVersion": "v1", "kind": "ConfigMapList", "items": [typed]}]});
    let checked = values(&[list]).expect("fit");
    let mut objects: Vec<Value> = checked.objects.iter().map(cdn::Object::value).collect();
    objects.sort_by_key(Value::to_string);
    assert_eq!(objects, [map("a"), map("b"), map("c")]);
}

#[test]
fn b10_names_made_by_the_server_and_fields_set_by_it_are_refused() {
    let mut generated = map("x");
    generated["metadata"] = json!({"generateName": "x-"});
    assert!(why(generated).contains("makes another object at each apply"));
    for field in ["uid", "resourceVersion", "managedFields", "creationTimestamp"] {
        let mut exported = map("x");
        exported["metadata"][field] = json!("1");
        assert!(why(exported).contains(&format!("`metadata.{field}` is set by a cluster alone")), "{field}");
    }
}

#[test]
fn b8_every_fault_of_every_object_is_told_at_once() {
    let bad = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "uid": "1"},
        "spec": {"containers": [{"name": "a", "env": [{"name": "E"}, {"name": "E"}]}]}});
    let findings = values(&[bad, json!({"kind": "X"}), json!("text"), map("ok")]).expect_err("refused");
    assert_eq!(findings.len(), 4, "{findings}");
    assert!(findings.to_string().contains("f0.yaml:1 (Pod p)"), "{findings}");
    assert!(findings.to_string().contains("f2.yaml:1"), "{findings}");
}

#[test]
fn b9_nothing_at_all_is_refused_unless_it_is_allowed() {
    let only_comments = read("a.yaml", b"# one\n---\n# two\n").expect("read");
    let refused = check(only_comments.clone(), &rules()).expect_err("refused").to_string();
    assert!(
        refused.contains("nothing came out of rendering") && refused.contains("allow_empty"),
        "{refused}"
    );
    check(only_comments, &Rules { allow_empty: true, ..rules() }).expect("allowed");
}

#[test]
fn two_objects_of_one_identity_are_refused_also_where_one_leaves_its_namespace_out() {
    let mut named = map("a");
    named["metadata"]["namespace"] = json!("web");
    let findings = values(&[map("a"), named]).expect_err("refused").to_string();
    assert!(findings.contains("ConfigMap/web/a is there already, from f0.yaml:1"), "{findings}");
    let mut elsewhere = map("a");
    elsewhere["metadata"]["namespace"] = json!("other");
    values(&[map("a"), elsewhere]).expect("two namespaces");
}

#[test]
fn e2_a_secret_in_plain_is_refused_unless_the_allow_list_names_it() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"p": "canary"}});
    let refused = why(secret.clone());
    assert!(refused.contains("name `web/s` in `plain_secrets`") && !refused.contains("canary"), "{refused}");
    let manifests = || vec![Manifest { at: "s".to_owned(), value: secret.clone() }];
    for glob in ["web/s", "s", "web/*"] {
        check(manifests(), &Rules { plain_secrets: vec![Glob::literal(glob)], ..rules() }).expect(glob);
    }
    check(manifests(), &Rules { plain_secrets: vec![Glob::literal("other/*")], ..rules() })
        .expect_err("another");
    let empty = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "type": "Opaque", "data": {}});
    values(&[empty]).expect("a Secret without content");
}

#[test]
fn f24_an_object_over_one_mebibyte_is_refused() {
    let mut large = map("large");
    large["data"] = json!({"a": "x".repeat(1 << 20)});
    assert!(why(large).contains("cannot be repaired"));
    let mut fits = map("fits");
    fits["data"] = json!({"a": "x".repeat((1 << 20) - 200)});
    values(&[fits]).expect("below");
}

#[test]
fn f27_two_entries_of_one_key_are_refused_and_tcp_beside_udp_is_not() {
    let pod = |ports: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"template": {"spec": {"containers": [{"name": "a", "ports": ports}]}}}})
    };
    values(&[pod(json!([{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}]))])
        .expect("two protocols");
    let refused = why(pod(json!([{"containerPort": 53}, {"containerPort": 53, "protocol": "TCP"}])));
    assert!(
        refused.contains("`spec.template.spec.containers[0].ports` has two entries with containerPort 53"),
        "{refused}"
    );
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 80}]}});
    assert!(why(service).contains("port 80"));
}

#[test]
fn f33_a_namespace_where_there_is_none_is_refused() {
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "r", "namespace": "web"}});
    assert!(why(role).contains("lies in no namespace"));
    let mut named = map("a");
    named["metadata"]["namespace"] = json!("Not_A_Label");
    assert!(why(named).contains("is not a DNS label"));
}

#[test]
fn what_a_person_should_know_is_a_warning_and_images_are_listed() {
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
        "spec": {"ttlSecondsAfterFinished": 60, "template": {"spec": {"containers": [{"name": "a", "image": "busybox:1"}]}}}});
    let old =
        json!({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "p"}});
    let checked = values(&[job, old]).expect("fit");
    assert_eq!(checked.images.iter().collect::<Vec<_>>(), ["busybox:1"]);
    assert_eq!(checked.warnings.len(), 2, "{:?}", checked.warnings);
}

#[test]
fn a_job_is_warned_of_only_where_it_may_be_gone_before_an_agent_has_seen_its_end() {
    for (ttl, warned) in [(json!(0), true), (json!(299), true), (json!(300), false), (Value::Null, false)] {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
            "spec": {"ttlSecondsAfterFinished": ttl}});
        let warnings = values(&[job]).expect("fit").warnings;
        assert_eq!(warnings.iter().any(|warning| warning.contains("seen how it ended")), warned, "{ttl}");
    }
}
