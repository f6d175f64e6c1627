//! How services go: only by a removal, until it is reported done. And how holds are approved.

use cdn::Digest;
use cdn::document::{HoldReason, RemovalMode, Report};
use reqwest::Method;
use serde_json::json;

use crate::agent::{Agent, Held, Polled};
use crate::fleet::{Fleet, hold, until};

async fn running(fleet: &Fleet, options: serde_json::Value) -> Agent {
    fleet.source("default").await;
    let spec = json!({"source": "repo", "namespace": "app", "selector": {"matchLabels": {"env": "prod"}},
        "options": options});
    fleet.put("/v1/global-services/default/web", spec).await.ok();
    let publisher = fleet.publisher("ci", "default").await;
    fleet.publish(&publisher, "default/web", 1).await;
    let mut agent = fleet.join("site-1", json!({"env": "prod"})).await;
    assert_eq!(agent.has_news(fleet).await.services(), ["default/web"]);
    agent.reports(fleet, &[], Vec::new()).await;
    agent
}

async fn relabel(fleet: &Fleet, labels: serde_json::Value) {
    let body = json!({"labels": labels});
    fleet.send(Method::PATCH, "/v1/clusters/site-1", &fleet.admin, Some(body)).await.ok();
}

on_both! {
    async fn l6_a_deleted_service_is_removed_by_name_until_reported_done(fleet) {
        let mut agent = running(&fleet, json!({})).await;
        let path = "/v1/services/default/web";
        fleet.send(Method::DELETE, path, &fleet.admin, None).await.refused(400, "malformed");
        agent.has_no_news(&fleet).await;
        let gone = fleet.send(Method::DELETE, &format!("{path}?mode=delete"), &fleet.admin, None).await.ok();
        assert_eq!(gone["removals"], 1);
        let held = agent.has_news(&fleet).await;
        assert!(held.services().is_empty());
        let removal = &held.desired.removals[0];
        assert_eq!((removal.service.to_string().as_str(), removal.mode), ("default/web", RemovalMode::Delete));

        agent.reports(&fleet, &[], Vec::new()).await;
        agent.has_no_news(&fleet).await;
        agent.reports(&fleet, &["default/web"], Vec::new()).await;
        let after = wait_for_news(&fleet, &mut agent).await;
        assert!(after.desired.removals.is_empty() && after.desired.seq > held.desired.seq);
        let done = fleet.get("/v1/removals?done=true").await.ok();
        assert!(done["items"][0]["done_at"].is_string(), "{done}");
    }

    /// That its objects stay was promised for every cluster, also for one that is away while the name is given again: the
    /// new service would prune what it does not declare.
    async fn l6_what_a_deleted_service_was_to_leave_is_let_go_before_its_namesake_comes(fleet) {
        let mut agent = running(&fleet, json!({})).await;
        let path = "/v1/services/default/web?mode=orphan";
        fleet.send(Method::DELETE, path, &fleet.admin, None).await.ok();
        fleet.clock.advance(std::time::Duration::from_secs(1));
        let spec = json!({"source": "repo", "namespace": "other", "selector": {"matchLabels": {"env": "prod"}}});
        fleet.put("/v1/global-services/default/web", spec).await.ok();
        let publisher = fleet.publisher("ci-2", "default").await;
        fleet.publish(&publisher, "default/web", 2).await;
        let held = agent.has_news(&fleet).await;
        assert!(held.services().is_empty());
        assert_eq!(held.desired.removals[0].mode, RemovalMode::Orphan);
        let notes = fleet.get("/v1/clusters/site-1").await.ok()["notes"].to_string();
        assert!(notes.contains("let the objects of its deleted namesake go"), "{notes}");
        agent.reports(&fleet, &["default/web"], Vec::new()).await;
        assert_eq!(wait_for_news(&fleet, &mut agent).await.services(), ["default/web"]);
    }

    /// A report of a pass before the removal knows nothing of it, whatever it says is gone.
    async fn l6_a_removal_ends_by_no_report_of_a_pass_before_it(fleet) {
        let mut agent = running(&fleet, json!({})).await;
        let early = Report { removed: vec!["default/web".parse().unwrap()], ..agent.report() };
        relabel(&fleet, json!({"env": "test"})).await;
        let removal = json!({"cluster": "site-1", "service": "default/web", "mode": "orphan"});
        fleet.post("/v1/removals", removal).await.ok();
        agent.send(&fleet, &early).await.ok();
        let open = async || fleet.get("/v1/removals").await.ok()["items"].as_array().unwrap().len();
        assert_eq!(open().await, 1, "it is still open");
        let held = agent.has_news(&fleet).await;
        assert_eq!(held.desired.removals[0].mode, RemovalMode::Orphan);

        let early = Report { removed: early.removed, ..agent.report() };
        agent.send(&fleet, &Report { passed: 0, ..early.clone() }).await.ok();
        let other = json!({"cluster": "site-1", "service": "default/web", "mode": "delete"});
        fleet.post("/v1/removals", other).await.ok();
        let early = Report { number: early.number + 1, ..early };
        agent.send(&fleet, &early).await.ok();
        assert_eq!(open().await, 1, "another mode is another removal");
        let held = agent.has_news(&fleet).await;
        assert_eq!(held.desired.removals[0].mode, RemovalMode::Delete);

        let late = Report { number: early.number + 1, passed: held.desired.seq, ..early };
        agent.send(&fleet, &late).await.ok();
        assert!(wait_for_news(&fleet, &mut agent).await.desired.removals.is_empty());
    }

    async fn l6_a_label_that_changes_removes_nothing_unless_the_service_says_so(fleet) {
        let mut agent = running(&fleet, json!({})).await;
        relabel(&fleet, json!({"env": "pord"})).await;
        let held = agent.has_news(&fleet).await;
        assert!(held.services().is_empty() && held.desired.removals.is_empty(), "kept, as Unassigned");
        let removal = json!({"cluster": "site-1", "service": "default/web", "mode": "orphan"});
        fleet.post("/v1/removals", removal).await.ok();
        assert_eq!(agent.has_news(&fleet).await.desired.removals[0].mode, RemovalMode::Orphan);
    }

    async fn a_service_that_says_so_is_removed_where_it_no_longer_belongs(fleet) {
        let mut agent = running(&fleet, json!({"onUnassign": "delete"})).await;
        relabel(&fleet, json!({"env": "test"})).await;
        let held = agent.has_news(&fleet).await;
        assert_eq!(held.desired.removals.len(), 1);
        agent.has_no_news(&fleet).await;
        relabel(&fleet, json!({"env": "prod"})).await;
        let back = agent.has_news(&fleet).await;
        assert_eq!(back.services(), ["default/web"]);
        assert!(back.desired.removals.is_empty(), "assigned again: the removal is withdrawn");
        fleet.post("/v1/removals", json!({"cluster": "site-1", "service": "default/web", "mode": "delete"}))
            .await
            .refused(409, "still_assigned");
    }

    async fn a_hold_is_approved_by_its_digest_and_the_approval_goes_when_it_is_used(fleet) {
        let mut agent = running(&fleet, json!({})).await;
        let digest = Digest::of(b"exactly these objects");
        let hold = hold(digest);
        fleet.post(&format!("/v1/holds/{digest}/approve"), json!({})).await.refused(404, "not_found");
        agent.reports(&fleet, &[], vec![hold.clone()]).await;
        let holds = fleet.get("/v1/holds?reason=PruneBudget").await.ok();
        assert_eq!(holds["items"][0]["hold"]["digest"], json!(digest));
        assert_eq!(holds["items"][0]["next"], HoldReason::PruneBudget.next());
        assert_eq!(fleet.get("/v1/clusters/site-1").await.ok()["sync"], "held");

        fleet.post(&format!("/v1/holds/{digest}/approve"), json!({})).await.ok();
        let news = agent.has_news(&fleet).await;
        assert_eq!(news.desired.approvals[0].hold, digest);
        agent.reports(&fleet, &[], vec![hold]).await;
        agent.has_no_news(&fleet).await;
        // No pass could be made: its report knows nothing of the hold.
        let failed = Report { passed: 0, ..agent.report() };
        agent.send(&fleet, &failed).await.ok();
        for env in ["test", "prod"] {
            relabel(&fleet, json!({"env": env})).await;
            assert_eq!(agent.has_news(&fleet).await.desired.approvals[0].hold, digest);
        }
        agent.reports(&fleet, &[], Vec::new()).await;
        assert!(wait_for_news(&fleet, &mut agent).await.desired.approvals.is_empty());
    }

    /// Any cluster may repeat what another one holds: the yes is not its to take.
    async fn d1_a_yes_goes_to_the_cluster_that_is_named_where_several_report_a_hold(fleet) {
        let mut all = [fleet.join("site-1", json!({})).await, fleet.join("site-2", json!({})).await];
        let digest = Digest::of(b"exactly these objects");
        for agent in &mut all {
            agent.has_news(&fleet).await;
            agent.reports(&fleet, &[], vec![hold(digest), hold(digest)]).await;
        }
        let path = format!("/v1/holds/{digest}/approve");
        let said = fleet.post(&path, json!({})).await.refused(409, "several_clusters");
        let detail = said["detail"].as_str().unwrap();
        assert!(detail.contains("site-1, site-2") && detail.contains("--cluster NAME"), "{detail}");
        fleet.post(&path, json!({"cluster": "site-3"})).await.refused(404, "not_found");
        for agent in &mut all {
            agent.has_no_news(&fleet).await;
        }
        let said = fleet.post(&path, json!({"cluster": "site-2"})).await.ok();
        assert_eq!(said["cluster"], json!(all[1].id));
        assert_eq!(all[1].has_news(&fleet).await.desired.approvals[0].hold, digest);
        all[0].has_no_news(&fleet).await;
        all[0].reports(&fleet, &[], Vec::new()).await;
        fleet.post(&path, json!({"cluster": "site-1"})).await.refused(404, "not_found");
        fleet.post(&path, json!({})).await.ok();
    }

    async fn a_deleted_cluster_is_forgotten_and_its_credential_with_it(fleet) {
        let mut agent = running(&fleet, json!({})).await;
        fleet.send(Method::DELETE, "/v1/clusters/site-1", &fleet.admin, None).await;
        agent.is_refused(&fleet, 401, "unknown_credential").await;
        fleet.get("/v1/clusters/site-1").await.refused(404, "not_found");
        fleet.join("site-1", json!({})).await;
    }
}

/// What a report changes is assigned behind it.
async fn wait_for_news(fleet: &Fleet, agent: &mut Agent) -> Held {
    let look = async || match agent.poll(fleet).await {
        Polled::News => agent.held.clone(),
        Polled::NotModified => None,
        Polled::Refused(said) => panic!("{said:?}"),
    };
    until("no news", look).await
}
