//! Looking: few requests, and nothing is missing that was not proved to be.

use agent::target::{Address, Seen};
use anyhow::Result;
use serde_json::json;

use super::{Bench, address, prepared};

#[tokio::test]
async fn many_objects_cost_one_list_and_those_it_does_not_show_a_read_each() -> Result<()> {
    let bench = Bench::new("many").await?;
    let mut objects = Vec::new();
    for n in 0..30 {
        let object = bench.config(&format!("c{n}"), &json!({"n": n.to_string()}));
        bench.apply(&prepared("default/web", &object)?).await?;
        objects.push(address(&object)?);
    }
    let gone = address(&bench.config("gone", &json!({})))?;
    objects.push(gone.clone());
    let before = bench.cluster.audit_events().await?.len();
    let seen = bench.target.observe(&objects).await;
    let events = bench.cluster.audit_events().await?.split_off(before);
    assert_eq!(seen.len(), 31);
    assert_eq!(seen[&gone.id], Seen::Missing);
    assert_eq!(seen.values().filter(|seen| matches!(seen, Seen::Live(_))).count(), 30);
    let ours = events.iter().filter(|event| {
        event.namespace == bench.namespace && event.user_agent.starts_with("windlass-agent/")
    });
    let asked: Vec<_> = ours.map(|event| (event.verb.as_str(), event.name.as_str())).collect();
    assert_eq!(asked, [("list", ""), ("get", "gone")]);
    Ok(())
}

#[tokio::test]
async fn a_long_list_is_read_page_by_page() -> Result<()> {
    let bench = Bench::new("pages").await?;
    let mut wanted = Vec::new();
    for n in 0..110 {
        let object = bench.deployment(&format!("d{n}"), "registry.invalid/web:1");
        bench.apply(&prepared("default/web", &object)?).await?;
        wanted.push(address(&object)?);
    }
    let seen = bench.target.observe(&wanted).await;
    assert_eq!(seen.values().filter(|seen| matches!(seen, Seen::Live(_))).count(), 110);
    Ok(())
}

#[tokio::test]
async fn without_the_right_to_list_each_is_read_and_without_any_right_all_is_unknown() -> Result<()> {
    let bench = Bench::new("rights").await?;
    let (reader, stranger) = (format!("reader-{}", bench.namespace), format!("stranger-{}", bench.namespace));
    bench.kubectl(&["create", "role", "reader", "--verb=get", "--resource=configmaps"]).await?;
    let user = format!("--user={reader}");
    bench.kubectl(&["create", "rolebinding", "reader", "--role=reader", &user]).await?;
    let mut wanted: Vec<Address> = Vec::new();
    for n in 0..6 {
        let object = bench.config(&format!("c{n}"), &json!({}));
        bench.apply(&prepared("default/web", &object)?).await?;
        wanted.push(address(&object)?);
    }
    let seen = bench.of(&reader).await?.observe(&wanted).await;
    assert!(seen.values().all(|seen| matches!(seen, Seen::Live(_))), "{seen:?}");
    let seen = bench.of(&stranger).await?.observe(&wanted).await;
    let unknown = |seen: &Seen| matches!(seen, Seen::Unknown(why) if why.contains("403"));
    assert!(seen.len() == 6 && seen.values().all(unknown), "{seen:?}");
    Ok(())
}

#[tokio::test]
async fn an_unserved_kind_and_a_wrong_scope_are_unknown_not_missing() -> Result<()> {
    let bench = Bench::new("odd").await?;
    let unserved = json!({"apiVersion": "nowhere.dev/v1", "kind": "Ghost", "metadata": {"name": "one"}});
    let unscoped = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}});
    for object in [unserved, unscoped] {
        let seen = bench.seen(&object).await?;
        assert!(matches!(seen, Seen::Unknown(_)), "{seen:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_cluster_is_named_by_the_uid_of_kube_system() -> Result<()> {
    let bench = Bench::new("home").await?;
    let uid = ["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"];
    assert_eq!(bench.target.home().await?, bench.cluster.kubectl(&uid).await?);
    Ok(())
}

#[tokio::test]
async fn in_an_empty_namespace_all_is_missing() -> Result<()> {
    let bench = Bench::new("empty").await?;
    let configs = (0..6).map(|n| address(&bench.config(&format!("c{n}"), &json!({}))));
    let deployments = (0..6).map(|n| address(&bench.deployment(&format!("d{n}"), "registry.invalid/web:1")));
    let wanted = configs.chain(deployments).collect::<Result<Vec<_>>>()?;
    let seen = bench.target.observe(&wanted).await;
    assert!(seen.len() == 12 && seen.values().all(|seen| *seen == Seen::Missing), "{seen:?}");
    Ok(())
}
