//! Discovery: Served, Absent or Unknown, and never Absent for want of an answer.

use std::collections::BTreeSet;
use std::time::Duration;

use agent::target::{Address, Deleted, KindRef, Seen, Served};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Bench, id_of, kind, prepared, until};

/// Defines a namespaced kind of any content; versions with whether each is served, the first one stored.
pub(super) async fn define(bench: &Bench, group: &str, name: &str, versions: &[(&str, bool)]) -> Result<()> {
    let definition = definition(group, name, versions);
    bench.cluster.kubectl_with(&definition.to_string(), &["apply", "-f", "-"]).await.map(drop)
}

fn definition(group: &str, name: &str, versions: &[(&str, bool)]) -> Value {
    let plural = format!("{}s", name.to_lowercase());
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let version = |(index, (version, served)): (usize, &(&str, bool))| json!({"name": version, "served": served, "storage": index == 0, "schema": schema});
    let versions: Vec<Value> = versions.iter().enumerate().map(version).collect();
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "versions": versions,
            "names": {"kind": name, "plural": plural, "singular": name.to_lowercase()}}})
}

/// A group that no other test has.
fn group(bench: &Bench) -> String {
    format!("{}.example.dev", bench.namespace)
}

async fn served(bench: &Bench, kind: &KindRef) -> Result<Served> {
    bench.target.served(&BTreeSet::from([kind.clone()])).await.remove(kind).context("it is in the answer")
}

fn yes(namespaced: bool, version: &str) -> Served {
    Served::Yes { namespaced, version: version.to_owned() }
}

#[tokio::test]
async fn kinds_are_served_with_their_scope_and_unheard_of_ones_are_absent() -> Result<()> {
    let bench = Bench::new("kinds").await?;
    let cases = [
        (kind("", "v1", "ConfigMap"), yes(true, "v1")),
        (kind("", "v1", "Namespace"), yes(false, "v1")),
        (kind("apps", "v1", "Deployment"), yes(true, "v1")),
        (kind("rbac.authorization.k8s.io", "v1", "ClusterRole"), yes(false, "v1")),
        (kind("apps", "v1beta2", "Deployment"), yes(true, "v1")),
        (kind("", "v1", "Ghost"), Served::Absent),
        (kind("apps", "v1", "Ghost"), Served::Absent),
        (kind("nowhere.dev", "v1", "Ghost"), Served::Absent),
    ];
    let all: BTreeSet<KindRef> = cases.iter().map(|(kind, _)| kind.clone()).collect();
    let said = bench.target.served(&all).await;
    assert_eq!(said.len(), all.len());
    for (kind, wanted) in cases {
        assert_eq!(said[&kind], wanted, "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn f1_a_dead_aggregated_api_is_unknown_in_its_404_phase_and_in_its_503_phase() -> Result<()> {
    let bench = Bench::new("dead").await?;
    let group = group(&bench);
    let api_service = format!("v1.{group}");
    let registration = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": api_service}, "spec": {"group": group, "version": "v1", "groupPriorityMinimum": 1000,
            "versionPriority": 10, "insecureSkipTLSVerify": true,
            "service": {"namespace": bench.namespace, "name": "not-there"}}});
    let ghost = kind(&group, "v1", "Ghost");
    let older = kind(&group, "v1alpha1", "Ghost");
    let object = json!({"apiVersion": format!("{group}/v1"), "kind": "Ghost",
        "metadata": {"name": "one", "namespace": bench.namespace}});
    // The 404s last for some milliseconds only: the first look often, not always, finds them.
    let mut phases = BTreeSet::new();
    let look = async || {
        for kind in [&ghost, &older] {
            let said = served(&bench, kind).await?;
            let Served::Unknown(why) = &said else { anyhow::bail!("{phases:?}: {said:?}") };
            assert!(why.contains(&api_service), "{phases:?}: {why}");
            if *kind == ghost {
                phases.insert(if why.contains("answered 503") { "503" } else { "404" });
            }
        }
        let seen = bench.seen(&object).await?;
        assert!(matches!(seen, Seen::Unknown(_)), "{phases:?}: {seen:?}");
        assert_eq!(served(&bench, &kind("apps", "v1", "Deployment")).await?, yes(true, "v1"));
        assert_eq!(served(&bench, &kind("nowhere.dev", "v1", "Ghost")).await?, Served::Absent);
        Ok(phases.contains("503"))
    };
    bench.apply(&prepared("default/web", &registration)?).await?;
    until("the API service is known to be unavailable", look).await?;
    bench.cluster.kubectl(&["delete", "apiservice", &api_service]).await?;
    until("it is gone", async || Ok(served(&bench, &ghost).await? == Served::Absent)).await
}

#[tokio::test]
async fn f4_a_definition_and_its_objects_are_applied_one_after_the_other() -> Result<()> {
    let bench = Bench::new("staged").await?;
    let group = group(&bench);
    let names: Vec<String> = (0..10).map(|n| format!("Thing{n}")).collect();
    let kinds: BTreeSet<KindRef> = names.iter().map(|name| kind(&group, "v1", name)).collect();
    assert!(bench.target.served(&kinds).await.values().all(|served| *served == Served::Absent));
    for name in &names {
        bench.apply(&prepared("default/web", &definition(&group, name, &[("v1", true)]))?).await?;
    }
    let said = bench.target.wait_served(&kinds, Duration::from_secs(30)).await;
    assert!(said.values().all(|served| *served == yes(true, "v1")), "{said:?}");
    for name in &names {
        let object = json!({"apiVersion": format!("{group}/v1"), "kind": name,
            "metadata": {"name": "one", "namespace": bench.namespace}, "spec": {"a": 1}});
        let applied = bench.apply(&prepared("default/web", &object)?).await?;
        assert!(applied.changed);
        assert_eq!(bench.live(&object).await?, applied.live);
    }
    Ok(())
}

#[tokio::test]
async fn f4_a_version_that_is_added_is_waited_for() -> Result<()> {
    let bench = Bench::new("added").await?;
    let group = group(&bench);
    define(&bench, &group, "Thing", &[("v1", true)]).await?;
    let (one, two) = (kind(&group, "v1", "Thing"), kind(&group, "v2", "Thing"));
    bench.target.wait_served(&BTreeSet::from([one]), Duration::from_secs(30)).await;
    assert_eq!(served(&bench, &two).await?, yes(true, "v1"));
    define(&bench, &group, "Thing", &[("v1", true), ("v2", true)]).await?;
    let said = bench.target.wait_served(&BTreeSet::from([two.clone()]), Duration::from_secs(30)).await;
    assert_eq!(said[&two], yes(true, "v2"));
    let object = json!({"apiVersion": format!("{group}/v2"), "kind": "Thing",
        "metadata": {"name": "one", "namespace": bench.namespace}});
    bench.apply(&prepared("default/web", &object)?).await?;
    Ok(())
}

#[tokio::test]
async fn f3_objects_of_a_definition_that_was_deleted_are_of_an_absent_kind() -> Result<()> {
    let bench = Bench::new("undefined").await?;
    let group = group(&bench);
    define(&bench, &group, "Thing", &[("v1", true)]).await?;
    let thing = kind(&group, "v1", "Thing");
    bench.target.wait_served(&BTreeSet::from([thing.clone()]), Duration::from_secs(30)).await;
    let object = json!({"apiVersion": format!("{group}/v1"), "kind": "Thing",
        "metadata": {"name": "one", "namespace": bench.namespace}});
    bench.apply(&prepared("default/web", &object)?).await?;
    bench.cluster.kubectl(&["delete", "customresourcedefinition", &format!("things.{group}")]).await?;
    until("the kind is absent", async || Ok(served(&bench, &thing).await? == Served::Absent)).await
}

#[tokio::test]
async fn f26_an_object_of_a_version_that_is_no_longer_served_is_found_and_deleted_by_another() -> Result<()> {
    let bench = Bench::new("older").await?;
    let group = group(&bench);
    define(&bench, &group, "Thing", &[("v1", true), ("v1alpha1", true)]).await?;
    let (old, new) = (kind(&group, "v1alpha1", "Thing"), kind(&group, "v1", "Thing"));
    bench.target.wait_served(&BTreeSet::from([old.clone(), new]), Duration::from_secs(30)).await;
    let object = json!({"apiVersion": format!("{group}/v1alpha1"), "kind": "Thing",
        "metadata": {"name": "one", "namespace": bench.namespace}, "spec": {"a": 1}});
    let applied = bench.apply(&prepared("default/web", &object)?).await?.live;
    define(&bench, &group, "Thing", &[("v1", true), ("v1alpha1", false)]).await?;
    until("the old version is gone", async || Ok(served(&bench, &old).await? == yes(true, "v1"))).await?;
    let at = Address { id: id_of(&object)?, version: "v1".to_owned() };
    let seen = bench.target.observe(std::slice::from_ref(&at)).await.remove(&at.id);
    assert!(matches!(&seen, Some(Seen::Live(live)) if live.uid == applied.uid), "{seen:?}");
    assert_eq!(bench.target.delete(&at, &applied.uid, None).await?, Deleted::Gone);
    Ok(())
}

#[tokio::test]
async fn f32_while_a_conversion_webhook_is_down_its_kind_is_unknown_and_no_other() -> Result<()> {
    let bench = Bench::new("convert").await?;
    let group = group(&bench);
    define(&bench, &group, "Thing", &[("v1", true), ("v2", true)]).await?;
    let kinds = BTreeSet::from([kind(&group, "v1", "Thing"), kind(&group, "v2", "Thing")]);
    bench.target.wait_served(&kinds, Duration::from_secs(30)).await;
    let mut things = Vec::new();
    for n in 0..5 {
        let object = json!({"apiVersion": format!("{group}/v1"), "kind": "Thing",
            "metadata": {"name": format!("t{n}"), "namespace": bench.namespace}});
        bench.apply(&prepared("default/web", &object)?).await?;
        things.push(Address { id: id_of(&object)?, version: "v2".to_owned() });
    }
    let webhook = json!({"spec": {"conversion": {"strategy": "Webhook", "webhook": {
        "conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://127.0.0.1:1/"}}}}});
    let name = format!("things.{group}");
    let patch = ["patch", "customresourcedefinition", &name, "--type=merge", "-p", &webhook.to_string()];
    bench.cluster.kubectl(&patch).await?;
    let config = bench.config("one", &json!({}));
    let other = bench.apply(&prepared("default/web", &config)?).await?.live;
    let all_unknown = async || {
        let seen = bench.target.observe(&things).await;
        assert!(seen.values().all(|seen| *seen != Seen::Missing), "{seen:?}");
        Ok(seen.values().all(|seen| matches!(seen, Seen::Unknown(_))))
    };
    until("the webhook is in force", all_unknown).await?;
    assert_eq!(bench.live(&config).await?, other);
    bench.cluster.kubectl(&["delete", "customresourcedefinition", &name, "--wait=false"]).await?;
    Ok(())
}
