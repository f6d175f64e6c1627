//! One agent at a time in a cluster, by a Lease.

use agent::{Agent, Settings};
use anyhow::Result;
use cdn::document::{HoldReason, RemovalMode, Sync};
use serde_json::json;

use super::Bench;
use crate::site::{Running, Site, reasons, reported};
use crate::wire::Wire;

impl Bench {
    /// Another identity of another fleet, in the same cluster and namespace.
    async fn another(&self) -> Self {
        Self { site: Site::new().await, cluster: self.cluster, namespace: self.namespace.clone() }
    }

    /// What the agents keep in the cluster themselves.
    async fn kept_by_agents(&self, args: &[&str]) -> Result<String> {
        self.cluster.kubectl(&[args, &["-n", &format!("{}-windlass", self.namespace)]].concat()).await
    }

    /// A field of the Lease.
    async fn lease(&self, field: &str) -> Result<String> {
        self.kept_by_agents(&["get", "lease", "windlass-agent", &format!("-o=jsonpath={{.spec.{field}}}")])
            .await
    }

    /// Its holder is gone, and had a Lease of a second.
    async fn lease_of_a_second(&self) -> Result<()> {
        let patch = r#"{"spec": {"leaseDurationSeconds": 1}}"#;
        self.kept_by_agents(&["patch", "lease", "windlass-agent", "-p", patch]).await?;
        Ok(())
    }

    /// The inventory, with the version of each part.
    async fn versions(&self) -> Result<String> {
        let version = "-o=jsonpath={range .items[*]}{.metadata.name} {.metadata.resourceVersion} {end}";
        self.kept_by_agents(&["get", "configmaps", "-l", "windlass.dev/inventory", version]).await
    }

    /// What an agent of this site does as long as it runs.
    fn run(&mut self) -> Running {
        let envelope = self.site.fleet.assign(&self.site.wire.cluster);
        self.site.wire.serve(envelope);
        Running::new(self.settings())
    }
}

#[tokio::test]
async fn l7_an_agent_of_another_fleet_applies_deletes_and_writes_nothing_where_one_works() -> Result<()> {
    let mut first = Bench::new("leased").await?;
    first.site.fleet.publish("web", &[first.config("a", "1")]);
    let mut running = first.run();
    running.until("all is there", |status| status.pass.is_some() && reasons(status).is_empty()).await;
    let inventory = first.versions().await?;
    let mut second = first.another().await;
    second.site.fleet.publish("other", &[second.config("b", "1")]);
    let status = second.assign().await;
    assert_eq!(reasons(&status), [HoldReason::AnotherAgent]);
    let said = &status.holds()[0].message;
    assert!(said.starts_with(&first.lease("holderIdentity").await?), "it names the other one: {said}");
    assert!(said.contains(second.site.wire.cluster.as_str()), "and itself: {said}");
    second.site.fleet.remove("web", RemovalMode::Delete);
    let status = second.assign().await;
    assert_eq!(reasons(&status), [HoldReason::AnotherAgent]);
    assert_eq!(status.pass.map(|pass| pass.removed.len()), Some(0));
    let said = second.site.wire.far().reports.last().cloned().expect("it is reported");
    assert_eq!(said.holds.iter().map(|hold| hold.reason).collect::<Vec<_>>(), [HoldReason::AnotherAgent]);
    assert!(said.services.is_empty() && said.removed.is_empty(), "{said:?}");
    assert_eq!(first.field("configmap", "a", ".data.text").await, "1");
    assert_eq!(first.field("configmap", "b", ".metadata.name").await, "");
    assert_eq!(first.versions().await?, inventory);
    // The first one goes on as ever.
    first.kubectl(&["delete", "configmap", "a"]).await?;
    let repaired = |status: &agent::Status| status.pass.as_ref().is_some_and(|pass| pass.counts.repaired > 0);
    running.until("it is repaired", repaired).await;
    running.stop().await;
    Ok(())
}

#[tokio::test]
async fn l7_a_removal_at_another_cluster_of_the_fleet_deletes_nothing_where_one_works() -> Result<()> {
    let mut bench = Bench::new("sibling").await?;
    bench.site.fleet.publish("web", &[bench.config("a", "1")]);
    bench.assign().await;
    let wire = Wire::new(bench.site.fleet.id).await;
    let folder = tempfile::tempdir()?;
    let token = folder.path().join("token");
    std::fs::write(&token, wire.token.secret().expose())?;
    let settings = Settings {
        api: wire.url.clone(),
        join_token_file: Some(token),
        state: folder.path().join("state"),
        ..bench.settings()
    };
    // It was given something else, and comes to work where the first one already does.
    bench.site.fleet.remove("web", RemovalMode::Delete);
    wire.serve(bench.site.fleet.assign(&wire.cluster));
    let status = Box::pin(Agent::new(settings).once()).await?;
    assert_eq!(reasons(&status), [HoldReason::AnotherAgent]);
    assert_eq!(bench.field("configmap", "a", ".data.text").await, "1");
    Ok(())
}

#[tokio::test]
async fn l7_of_two_agents_that_begin_at_once_one_works() -> Result<()> {
    for _ in 0..5 {
        let mut first = Bench::new("both").await?;
        let mut second = first.another().await;
        first.site.fleet.publish("web", &[first.config("a", "1")]);
        second.site.fleet.publish("web", &[second.config("b", "1")]);
        let (one, other) = tokio::join!(first.assign(), second.assign());
        let works = |status: &agent::Status| reasons(status).is_empty();
        let waits = |status: &agent::Status| reasons(status) == [HoldReason::AnotherAgent];
        let held = [one.holds(), other.holds()];
        assert!(works(&one) && waits(&other) || works(&other) && waits(&one), "{held:?}");
        let there = |works| if works { "1" } else { "" };
        assert_eq!(first.field("configmap", "a", ".data.text").await, there(works(&one)));
        assert_eq!(first.field("configmap", "b", ".data.text").await, there(works(&other)));
    }
    Ok(())
}

#[tokio::test]
async fn l7_an_agent_whose_predecessor_is_gone_goes_on_by_itself() -> Result<()> {
    let mut first = Bench::new("gone").await?;
    first.site.fleet.publish("web", &[first.config("a", "1")]);
    first.assign().await;
    let mut second = first.another().await;
    second.site.fleet.publish("other", &[second.config("b", "1")]);
    let mut running = second.run();
    let is_held = |status: &agent::Status| reasons(status) == [HoldReason::AnotherAgent];
    running.until("it waits", is_held).await;
    first.lease_of_a_second().await?;
    let is_there = |status: &agent::Status| {
        status.pass.as_ref().is_some_and(|pass| pass.services.iter().any(|one| one.sync == Sync::Synced))
    };
    running.until("it goes on", is_there).await;
    running.stop().await;
    assert_eq!(second.field("configmap", "b", ".data.text").await, "1");
    assert_eq!(
        second.field("configmap", "a", ".data.text").await,
        "1",
        "nobody said that it is to be removed"
    );
    assert!(second.lease("holderIdentity").await?.ends_with(second.site.wire.cluster.as_str()));
    assert_eq!(second.lease("leaseTransitions").await?, "1");
    // The first one is the second now.
    let status = first.once().await;
    assert_eq!(reasons(&status), [HoldReason::AnotherAgent]);
    assert_eq!(first.site.wire.report().passed, 0, "no hold has gone by a pass that was not made");
    Ok(())
}

#[tokio::test]
async fn l7_an_agent_that_another_took_over_from_says_no_more_that_all_is_well() -> Result<()> {
    let mut first = Bench::new("taken").await?;
    first.site.fleet.publish("web", &[first.config("a", "1")]);
    let mut running = first.run();
    running.until("all is there", |status| status.pass.is_some() && reasons(status).is_empty()).await;
    let patch = json!({"spec": {"holderIdentity": "somebody/else"}}).to_string();
    first.kept_by_agents(&["patch", "lease", "windlass-agent", "-p", &patch]).await?;
    let is_held = |status: &agent::Status| reasons(status) == [HoldReason::AnotherAgent];
    let status = running.until("it stops", is_held).await;
    assert_eq!(reported(&status, "web").sync, Sync::Held);
    assert!(status.holds()[0].message.starts_with("somebody/else"), "{:?}", status.holds());
    // Somebody else is never heard of again.
    first.lease_of_a_second().await?;
    let status = running.until("it goes on", |status| reasons(status).is_empty()).await;
    assert_eq!(reported(&status, "web").sync, Sync::Synced);
    running.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_restart_waits_for_nothing_and_an_unchanged_pass_renews_nothing() -> Result<()> {
    let mut bench = Bench::new("restart").await?;
    bench.site.fleet.publish("web", &[bench.config("a", "1")]);
    bench.assign().await;
    let renewed = bench.lease("renewTime").await?;
    let status = bench.once().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    assert_eq!(bench.lease("renewTime").await?, renewed);
    // One that was away for long is the same one.
    let patch = r#"{"spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}}"#;
    bench.kept_by_agents(&["patch", "lease", "windlass-agent", "-p", patch]).await?;
    bench.kubectl(&["delete", "configmap", "a"]).await?;
    let status = bench.once().await;
    assert!(reasons(&status).is_empty(), "{:?}", status.holds());
    assert_eq!(bench.field("configmap", "a", ".data.text").await, "1");
    assert!(bench.lease("renewTime").await? > renewed);
    assert_eq!(bench.lease("leaseTransitions").await?, "0");
    Ok(())
}

#[tokio::test]
async fn l1_a_lease_that_may_not_be_read_stops_no_repair() -> Result<()> {
    let mut bench = Bench::new("unread").await?;
    let user = format!("leaseless-{}", bench.namespace);
    let rules = json!([{"apiGroups": [""], "resources": ["*"], "verbs": ["*"]}]);
    let metadata = json!({"name": user});
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata,
        "rules": rules});
    bench.cluster.kubectl_with(&role.to_string(), &["create", "-f", "-"]).await?;
    let bind = ["create", "clusterrolebinding", &user, "--clusterrole", &user, "--user", &user];
    bench.cluster.kubectl(&bind).await?;
    let kubeconfig = Some(bench.cluster.kubeconfig_of(&user)?);
    bench.site.fleet.publish("web", &[bench.config("a", "1")]);
    let envelope = bench.site.fleet.assign(&bench.site.wire.cluster);
    bench.site.wire.serve(envelope);
    for _ in ["applied", "repaired"] {
        let settings = Settings { kubeconfig: kubeconfig.clone(), ..bench.settings() };
        let status = Box::pin(Agent::new(settings).once()).await?;
        assert_eq!(reasons(&status), [HoldReason::Forbidden]);
        assert!(status.holds()[0].message.contains("/windlass-agent"), "{:?}", status.holds());
        assert_eq!(reported(&status, "web").sync, Sync::Synced);
        assert_eq!(bench.field("configmap", "a", ".data.text").await, "1");
        bench.kubectl(&["delete", "configmap", "a"]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_agent_that_leaves_takes_its_lease_along() -> Result<()> {
    let mut first = Bench::new("leaves").await?;
    first.site.fleet.publish("web", &[first.config("a", "1")]);
    first.assign().await;
    first.site.fleet.remove("web", RemovalMode::Delete);
    first.assign().await;
    Box::pin(Agent::new(first.settings()).leave()).await?;
    let left = first.kept_by_agents(&["get", "leases", "-o", "name"]).await?;
    assert_eq!(left, "");
    Ok(())
}
