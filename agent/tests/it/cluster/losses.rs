//! What an agent loses, or does not come to write down; and what a server loses.

use std::collections::BTreeSet;

use agent::{Settings, Status};
use anyhow::Result;
use cdn::document::HoldReason;
use serde_json::{Value, json};

use super::Bench;
use crate::site::{Running, reasons, reported};

impl Bench {
    async fn inventory(&self, args: &[&str]) -> Result<String> {
        let namespace = format!("{}-windlass", self.namespace);
        self.cluster.kubectl(&[args, &["-n", &namespace]].concat()).await
    }

    /// The inventory as it is now in the cluster, to be put back later.
    async fn kept(&self) -> Result<Value> {
        let text =
            self.inventory(&["get", "configmaps", "-l", "windlass.dev/inventory", "-o", "json"]).await?;
        let mut list: Value = serde_json::from_str(&text)?;
        for item in list["items"].as_array_mut().into_iter().flatten() {
            let metadata = item["metadata"].as_object_mut().expect("an object has metadata");
            metadata.retain(|field, _| ["name", "labels", "annotations"].contains(&field.as_str()));
        }
        Ok(list)
    }

    async fn put_back(&self, kept: &Value) -> Result<()> {
        self.inventory(&["delete", "configmaps", "-l", "windlass.dev/inventory"]).await?;
        let namespace = format!("{}-windlass", self.namespace);
        self.cluster.kubectl_with(&kept.to_string(), &["create", "-n", &namespace, "-f", "-"]).await?;
        Ok(())
    }
}

#[tokio::test]
async fn f22_the_clusters_inventory_stands_in_for_a_lost_disk() -> Result<()> {
    let mut bench = Bench::new("disk").await?;
    bench.site.fleet.publish("web", &[bench.config("a", "1"), bench.config("b", "1")]);
    bench.assign().await;
    std::fs::remove_dir_all(bench.site.state())?;
    bench.site.fleet.publish("web", &[bench.config("a", "1")]);
    let status = bench.assign().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    assert_eq!(bench.field("configmap", "b", ".data.text").await, "");
    assert_eq!(bench.site.wire.far().joins, 2);
    Ok(())
}

#[tokio::test]
async fn f22_a_damaged_inventory_and_no_copy_of_it_stop_no_repair() -> Result<()> {
    let edit = r#"{"binaryData": {"content": "b3RoZXI="}}"#;
    let damages: [&[&str]; 2] = [
        &["patch", "configmap", "windlass-inventory", "-p", edit],
        &["delete", "configmap", "windlass-inventory"],
    ];
    for damage in damages {
        let mut bench = Bench::new("broken").await?;
        bench.site.fleet.publish("web", &[bench.config("a", "1"), bench.config("b", "1")]);
        bench.assign().await;
        bench.inventory(damage).await?;
        std::fs::remove_file(bench.site.state().join("inventory.json"))?;
        bench.kubectl(&["delete", "configmap", "a"]).await?;
        bench.site.fleet.publish("web", &[bench.config("a", "1")]);
        let status = bench.assign().await;
        assert_eq!(reasons(&status), [HoldReason::NeedsConfirm], "{damage:?}: {:?}", status.holds());
        assert_eq!(bench.field("configmap", "a", ".data.text").await, "1", "{damage:?}");
        assert_eq!(bench.field("configmap", "b", ".data.text").await, "1", "a mark proves no apply");
        // What was built anew is whole: from here on all is as before.
        bench.site.fleet.publish("web", &[bench.config("c", "1")]);
        bench.assign().await;
        bench.site.fleet.publish("web", &[bench.config("c", "1"), bench.config("d", "1")]);
        let status = bench.assign().await;
        assert_eq!(reasons(&status), [HoldReason::NeedsConfirm], "{damage:?}: {:?}", status.holds());
        assert_eq!(bench.field("configmap", "a", ".data.text").await, "");
    }
    Ok(())
}

/// A site built anew beside its old cluster: nothing on disk, no inventory, and objects that nobody declares any more.
#[tokio::test]
async fn f22_a_cluster_whose_inventory_is_lost_is_searched_in_every_kind_for_what_is_ours() -> Result<()> {
    let mut bench = Bench::new("searched").await?;
    let role = format!("{}-reader", bench.namespace);
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": role}, "rules": []});
    let all =
        [bench.config("a", "1"), bench.berths(&[("v1", true)]), bench.berth("v1", "long"), role.clone()];
    bench.site.fleet.publish("web", &all);
    bench.assign().await;
    bench.settle().await;
    // Somebody's copy of our mark is no mark of ours.
    let copied = bench.field("configmap", "a", ".metadata.annotations.windlass\\.dev/owner").await;
    assert!(copied.contains("default/web"), "{copied}");
    let mut copy = bench.config("copy", "1");
    copy["metadata"]["annotations"] = json!({"windlass.dev/owner": copied});
    bench.create(&copy).await?;
    std::fs::remove_dir_all(bench.site.state())?;
    bench.inventory(&["delete", "configmap", "-l", "windlass.dev/inventory"]).await?;
    bench.site.fleet.publish("web", &[bench.config("a", "1")]);
    let status = bench.assign().await;
    let held = status.holds();
    let names: BTreeSet<&str> =
        held.iter().filter_map(|hold| hold.object.as_ref()).map(|id| id.name.as_str()).collect();
    let definition = bench.of_berths();
    let role = role["metadata"]["name"].as_str().expect("it has a name");
    assert_eq!(names, BTreeSet::from(["long", definition.as_str(), role]), "{held:?}");
    assert_eq!(reasons(&status), [HoldReason::NeedsConfirm; 3]);
    assert_eq!(bench.field(&definition, "long", ".metadata.name").await, "long");
    let refused = bench.once().await;
    assert_eq!(reasons(&refused), [HoldReason::NeedsConfirm; 3], "said until somebody answers");
    bench.cluster.kubectl(&["delete", "customresourcedefinition", &definition]).await?;
    bench.cluster.kubectl(&["delete", "clusterrole", role]).await?;
    Ok(())
}

/// What may not be listed, or what a broken aggregated API does not show, is not forgotten: it is asked for again.
#[tokio::test]
async fn f22_a_kind_that_could_not_be_searched_is_searched_again_until_it_can() -> Result<()> {
    let mut bench = Bench::new("again").await?;
    let all = [bench.config("a", "1"), bench.berths(&[("v1", true)]), bench.berth("v1", "long")];
    bench.site.fleet.publish("web", &all);
    bench.assign().await;
    bench.settle().await;
    std::fs::remove_dir_all(bench.site.state())?;
    bench.inventory(&["delete", "configmap", "-l", "windlass.dev/inventory"]).await?;
    let user = format!("searcher-{}", bench.namespace);
    let all_of = |groups: &[&str]| json!({"apiGroups": groups, "resources": ["*"], "verbs": ["*"]});
    let group = format!("{}.example", bench.namespace);
    let known = ["", "apiextensions.k8s.io", "coordination.k8s.io"];
    let role = |rules: Value| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": user}, "rules": rules})
        .to_string()
    };
    bench.cluster.kubectl_with(&role(json!([all_of(&known)])), &["create", "-f", "-"]).await?;
    let bind = ["create", "clusterrolebinding", &user, "--clusterrole", &user, "--user", &user];
    bench.cluster.kubectl(&bind).await?;
    bench.site.fleet.publish("web", &[bench.config("a", "1")]);
    let envelope = bench.site.fleet.assign(&bench.site.wire.cluster);
    bench.site.wire.serve(envelope);
    let kubeconfig = Some(bench.cluster.kubeconfig_of(&user)?);
    let mut running = Running::new(Settings { kubeconfig, ..bench.settings() });
    let names = |status: &Status| -> BTreeSet<String> {
        let holds = status.holds();
        let confirms = holds.into_iter().filter(|hold| hold.reason == HoldReason::NeedsConfirm);
        confirms.filter_map(|hold| hold.object).map(|id| id.name).collect()
    };
    let definition = bench.of_berths();
    running.until("the definition is found", |status| names(status) == [definition.clone()].into()).await;
    let more = role(json!([all_of(&known), all_of(&[&group])]));
    bench.cluster.kubectl_with(&more, &["replace", "-f", "-"]).await?;
    let both = BTreeSet::from([definition.clone(), "long".to_owned()]);
    running.until("its object is found as well", |status| names(status) == both).await;
    running.stop().await;
    bench.cluster.kubectl(&["delete", "customresourcedefinition", &definition]).await?;
    bench.cluster.kubectl(&["delete", "clusterrolebinding", &user]).await?;
    bench.cluster.kubectl(&["delete", "clusterrole", &user]).await?;
    Ok(())
}

#[tokio::test]
async fn f22_a_strangers_object_under_our_label_is_no_damage_and_stays() -> Result<()> {
    let mut bench = Bench::new("strange").await?;
    bench.site.fleet.publish("web", &[bench.config("a", "1"), bench.config("b", "1")]);
    bench.assign().await;
    bench.inventory(&["create", "configmap", "theirs", "--from-literal=a=1"]).await?;
    bench.inventory(&["label", "configmap", "theirs", "windlass.dev/inventory=true"]).await?;
    std::fs::remove_file(bench.site.state().join("inventory.json"))?;
    bench.site.fleet.publish("web", &[bench.config("a", "1")]);
    let status = bench.assign().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    assert_eq!(bench.field("configmap", "b", ".data.text").await, "", "the inventory was read whole");
    assert_eq!(bench.inventory(&["get", "configmap", "theirs", "-o=jsonpath={.data.a}"]).await?, "1");
    Ok(())
}

#[tokio::test]
async fn f14_an_object_moves_between_services_of_a_cluster_and_keeps_its_uid() -> Result<()> {
    let mut bench = Bench::new("moves").await?;
    for (from, to) in [("old", "new"), ("new", "old")] {
        let (moving, own) = (bench.config("m", "1"), [bench.config(from, "1"), bench.config(to, "1")]);
        bench.site.fleet.publish(from, &[moving.clone(), own[0].clone()]);
        bench.site.fleet.publish(to, &own[1..]);
        bench.assign().await;
        let uid = bench.field("configmap", "m", ".metadata.uid").await;
        bench.site.fleet.publish(from, &own[..1]);
        bench.site.fleet.publish(to, &[moving, own[1].clone()]);
        let status = bench.assign().await;
        assert!(reasons(&status).is_empty(), "{:?}", status.holds());
        assert_eq!(bench.field("configmap", "m", ".metadata.uid").await, uid);
        let managers = bench.field("configmap", "m", ".metadata.managedFields[*].manager").await;
        assert_eq!(managers, format!("windlass/default/{to}"));
    }
    Ok(())
}

#[tokio::test]
async fn f14_an_agent_that_stops_before_it_has_written_the_move_down_deletes_nothing() -> Result<()> {
    for (from, to) in [("old", "new"), ("new", "old")] {
        let mut bench = Bench::new("stops").await?;
        let (moving, own) = (bench.config("m", "1"), [bench.config(from, "1"), bench.config(to, "1")]);
        bench.site.fleet.publish(from, &[moving.clone(), own[0].clone()]);
        bench.site.fleet.publish(to, &own[1..]);
        bench.assign().await;
        let uid = bench.field("configmap", "m", ".metadata.uid").await;
        let disk = bench.site.state().join("inventory.json");
        let (on_disk, kept) = (std::fs::read(&disk)?, bench.kept().await?);
        bench.site.fleet.publish(from, &own[..1]);
        bench.site.fleet.publish(to, &[moving, own[1].clone()]);
        bench.assign().await;
        // The move was made; neither inventory says so.
        std::fs::write(&disk, on_disk)?;
        bench.put_back(&kept).await?;
        let status = bench.once().await;
        assert!(reasons(&status).is_empty(), "{:?}", status.holds());
        assert_eq!(bench.field("configmap", "m", ".metadata.uid").await, uid);
        assert_eq!((reported(&status, from).objects, reported(&status, to).objects), (1, 2));
    }
    Ok(())
}

#[tokio::test]
async fn f29_a_pass_in_which_the_server_fails_prunes_nothing_of_the_service() -> Result<()> {
    let mut bench = Bench::new("fails").await?;
    bench.site.fleet.publish("web", &[bench.config("a", "1"), bench.config("b", "1")]);
    bench.assign().await;
    let rules = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"],
        "resources": ["configmaps"]});
    bench.create(&bench.webhook(&json!({"url": "https://127.0.0.1:1/"}), &rules)).await?;
    bench.refused(&["annotate", "configmap", "a", "x=y", "--dry-run=server"]).await;
    bench.site.fleet.publish("web", &[bench.config("a", "2")]);
    let status = bench.assign().await;
    assert_eq!(reasons(&status), [HoldReason::ApplyFailed, HoldReason::PruneWaits]);
    assert_eq!(bench.field("configmap", "b", ".data.text").await, "1", "the pass was not complete");
    bench.without_webhook().await?;
    bench.settle().await;
    assert_eq!(bench.field("configmap", "a", ".data.text").await, "2");
    assert_eq!(bench.field("configmap", "b", ".data.text").await, "");
    Ok(())
}

#[tokio::test]
async fn f24_an_object_whose_managed_fields_were_dropped_is_drift_and_becomes_ours_again() -> Result<()> {
    let mut bench = Bench::new("dropped").await?;
    bench.site.fleet.publish("web", &[bench.config("a", "1")]);
    bench.assign().await;
    let drop = r#"[{"op": "replace", "path": "/metadata/managedFields", "value": [{}]},
        {"op": "replace", "path": "/data/text", "value": "2"}]"#;
    bench.kubectl(&["patch", "configmap", "a", "--type=json", "-p", drop]).await?;
    let status = bench.once().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    assert_eq!(status.pass.expect("a pass was made").counts.repaired, 1);
    assert_eq!(bench.field("configmap", "a", ".data.text").await, "1");
    let managers = bench.field("configmap", "a", ".metadata.managedFields[*].manager").await;
    assert!(managers.contains("windlass/default/web"), "{managers}");
    Ok(())
}
