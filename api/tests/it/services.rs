//! Which cluster runs which release.

use serde_json::json;

use crate::fleet::{Said, until};

on_both! {
    async fn a_selector_follows_labels(fleet) {
        let selector = json!({"matchExpressions": [
            {"key": "env", "operator": "In", "values": ["prod", "staging"]},
            {"key": "water", "operator": "NotIn", "values": ["locked"]},
        ]});
        fleet.global("tides", selector).await;
        let publisher = fleet.publisher("ci", "default").await;
        fleet.publish(&publisher, "default/tides", 1).await;
        let mut tidal = fleet.join("site-1", json!({"env": "prod", "water": "tidal"})).await;
        let mut locked = fleet.join("site-2", json!({"env": "prod", "water": "locked"})).await;
        assert_eq!(tidal.has_news(&fleet).await.services(), ["default/tides"]);
        assert!(locked.has_news(&fleet).await.services().is_empty());
        let labels = json!({"labels": {"env": "prod", "water": "open"}});
        fleet.send(reqwest::Method::PATCH, "/v1/clusters/site-2", &fleet.admin, Some(labels)).await.ok();
        assert_eq!(locked.has_news(&fleet).await.services(), ["default/tides"]);
        tidal.has_no_news(&fleet).await;
    }

    async fn a_change_says_which_clusters_it_leaves_and_a_dry_run_changes_nothing(fleet) {
        let selector = |env: &str| json!({"matchLabels": {"env": env}});
        fleet.global("web", selector("prod")).await;
        let publisher = fleet.publisher("ci", "default").await;
        fleet.publish(&publisher, "default/web", 1).await;
        for (name, env) in [("site-1", "prod"), ("site-2", "prod"), ("site-3", "staging")] {
            fleet.join(name, json!({"env": env})).await;
        }
        let put = async |query: &str, env: &str| {
            let body = json!({"source": "repo", "namespace": "app", "selector": selector(env)});
            fleet.put(&format!("/v1/global-services/default/web{query}"), body).await
        };
        let leaving = json!({"before": 2, "after": 0, "joining": 0, "leaving": 2, "leaves": ["site-1", "site-2"]});
        let said = put("?dry_run=true", "prd").await.ok();
        assert_eq!(said["reach"], leaving);
        assert_eq!(said["spec"]["selector"], selector("prd"));
        assert_eq!(fleet.get("/v1/services/default/web").await.ok()["spec"]["selector"], selector("prod"));
        // One whose agent is ahead of the database is assigned nothing yet, and will be.
        let mut ahead = fleet.join("site-4", json!({"env": "staging"})).await;
        ahead.has_news(&fleet).await;
        ahead.held.as_mut().unwrap().desired.seq += 86_400_000;
        ahead.is_refused(&fleet, 409, "agent_ahead").await;
        assert_eq!(put("", "prd").await.ok()["reach"], leaving);
        let said = put("", "staging").await.ok();
        assert_eq!(said["reach"], json!({"before": 0, "after": 2, "joining": 2, "leaving": 0, "leaves": []}));
        assert_eq!(put("", "staging").await.ok().get("reach"), None, "the same again concerns nobody");
        let body = json!({"source": "none", "namespace": "app", "selector": selector("x")});
        fleet.put("/v1/global-services/default/web?dry_run=true", body).await.refused(422, "invalid_service");
        let body = json!({"source": "repo", "namespace": "app", "clusters": ["site-1"]});
        assert_eq!(fleet.put("/v1/services/default/new?dry_run=true", body).await.ok()["reach"]["after"], 1);
        fleet.get("/v1/services/default/new").await.refused(404, "not_found");
    }

    async fn explicit_targets_count_by_name_and_also_before_the_cluster_joins(fleet) {
        fleet.source("default").await;
        let spec = json!({"source": "repo", "namespace": "app", "clusters": ["site-1", "site-2"]});
        fleet.put("/v1/services/default/web", spec).await.ok();
        let publisher = fleet.publisher("ci", "default").await;
        fleet.publish(&publisher, "default/web", 1).await;
        for (name, services) in [("site-1", 1), ("site-2", 1), ("site-3", 0)] {
            let mut agent = fleet.join(name, json!({})).await;
            assert_eq!(agent.has_news(&fleet).await.services().len(), services, "{name}");
        }
    }

    async fn an_undo_pins_the_release_before_and_a_resume_follows_again(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        let one = fleet.publish(&publisher, "default/web", 1).await;
        let two = fleet.publish(&publisher, "default/web", 2).await;
        let mut agent = fleet.join("site-1", json!({"env": "prod"})).await;
        let before = agent.has_news(&fleet).await;
        assert_eq!(before.release("default/web"), Some(two));

        let moved = fleet.post("/v1/services/default/web/undo", json!({})).await.ok();
        assert_eq!((&moved["from"], &moved["to"]), (&json!(two), &json!(one)));
        assert!(moved["message"].as_str().unwrap().contains("pinned"), "{moved}");
        let after = agent.has_news(&fleet).await;
        assert_eq!(after.release("default/web"), Some(one));
        assert!(after.desired.seq > before.desired.seq, "going back is a newer assignment");
        fleet.post("/v1/services/default/web/undo", json!({})).await.refused(409, "nothing_to_undo");

        let three = fleet.publish(&publisher, "default/web", 3).await;
        agent.has_no_news(&fleet).await;
        fleet.post("/v1/services/default/web/resume", json!({})).await.ok();
        assert_eq!(agent.has_news(&fleet).await.release("default/web"), Some(three));
        fleet.post("/v1/services/default/web/pin", json!({"release": two})).await.ok();
        assert_eq!(agent.has_news(&fleet).await.release("default/web"), Some(two));
    }

    async fn what_its_publisher_has_withdrawn_is_neither_pinned_nor_gone_back_to(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        let one = fleet.publish(&publisher, "default/web", 1).await;
        let two = fleet.publish(&publisher, "default/web", 2).await;
        fleet.register(&publisher, fleet.withdrawing("default/web", 3, 2)).await.ok();
        let mut agent = fleet.join("site-1", json!({"env": "prod"})).await;
        agent.has_news(&fleet).await;
        let moves = async |verb: &str, body: serde_json::Value| {
            fleet.post(&format!("/v1/services/default/web/{verb}"), body).await
        };
        let said = moves("pin", json!({"release": one})).await.refused(409, "withdrawn");
        assert!(said["detail"].as_str().unwrap().contains("default/web below 2"), "{said}");
        agent.has_no_news(&fleet).await;
        assert_eq!(moves("undo", json!({})).await.ok()["to"], json!(two), "what is not below is accepted");
        assert_eq!(agent.has_news(&fleet).await.release("default/web"), Some(two));
        moves("undo", json!({})).await.refused(409, "nothing_to_undo");
        moves("resume", json!({})).await.ok();
        moves("pin", json!({"release": two})).await.ok();
        agent.has_news(&fleet).await;
        // Withdrawn while it is pinned: it stays what it is, and nothing leads back to it.
        let four = fleet.withdrawing("default/web", 4, 4);
        fleet.register(&publisher, four.clone()).await.ok();
        agent.has_no_news(&fleet).await;
        moves("pin", json!({"release": two})).await.refused(409, "withdrawn");
        moves("resume", json!({})).await.ok();
        let four = cdn::Digest::of(&four);
        assert_eq!(agent.has_news(&fleet).await.release("default/web"), Some(four));
        moves("undo", json!({})).await.refused(409, "nothing_to_undo");
        agent.has_no_news(&fleet).await;
    }

    async fn an_undo_that_is_sent_twice_with_one_key_goes_back_once(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        let releases = [1, 2, 3].map(|seq| fleet.publish(&publisher, "default/web", seq));
        let [_, two, _] = futures(releases).await;
        for _ in 0..2 {
            let url = format!("{}/v1/services/default/web/undo", fleet.url);
            let request = fleet.http.post(url).bearer_auth(&fleet.admin).header("idempotency-key", "once");
            assert_eq!(request.send().await.unwrap().status(), 200);
        }
        assert_eq!(fleet.get("/v1/services/default/web").await.ok()["release"], json!(two));
    }

    async fn a_publisher_is_told_the_newest_release_that_is_known_and_asks_for_news_of_it(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        let wanted = async |etag: Option<&str>| {
            let url = format!("{}/v1/wanted", fleet.url);
            let request = fleet.http.get(url).bearer_auth(&publisher).header("if-none-match", etag.unwrap_or("\"\""));
            Said::read(request.send().await.unwrap()).await
        };
        let before = wanted(None).await;
        let etag = before.etag.clone();
        let service = &before.ok()["services"][0];
        assert!(service.get("newest").is_some_and(serde_json::Value::is_null), "{service}");
        assert_eq!(wanted(etag.as_deref()).await.status, 304);
        fleet.publish(&publisher, "default/web", 1).await;
        let two = fleet.publish(&publisher, "default/web", 2).await;
        let after = wanted(etag.as_deref()).await;
        let etag = after.etag.clone();
        assert_eq!(after.ok()["services"][0]["newest"], json!(two));
        assert_eq!(wanted(etag.as_deref()).await.status, 304);
    }

    async fn dependencies_come_along_and_a_circle_is_refused(fleet) {
        fleet.source("default").await;
        let spec = |on: serde_json::Value| {
            json!({"source": "repo", "namespace": "app", "clusters": ["site-1"], "dependsOn": on})
        };
        fleet.put("/v1/services/default/platform", spec(json!([]))).await.ok();
        fleet.put("/v1/services/default/web", spec(json!(["platform"]))).await.ok();
        fleet.put("/v1/services/default/platform", spec(json!(["web"]))).await.refused(422, "invalid_service");
        let publisher = fleet.publisher("ci", "default").await;
        fleet.publish(&publisher, "default/web", 1).await;
        let mut agent = fleet.join("site-1", json!({})).await;
        assert!(agent.has_news(&fleet).await.services().is_empty(), "web waits for platform's first release");
        let notes = fleet.get("/v1/clusters/site-1").await.ok()["notes"].to_string();
        assert!(notes.contains("default/web is left out: it depends on default/platform"), "{notes}");
        let clusters = async || fleet.get("/v1/services/default/web/clusters").await.ok()["items"].clone();
        assert_eq!(clusters().await, json!([]), "who waits for it would wait in vain");
        fleet.publish(&publisher, "default/platform", 1).await;
        let held = agent.has_news(&fleet).await;
        assert_eq!(held.services(), ["default/platform", "default/web"]);
        assert_eq!(held.set.services[1].depends_on[0].to_string(), "default/platform");
        let before = clusters().await;
        assert_eq!((&before[0]["cluster"], &before[0]["sync"]), (&json!("site-1"), &json!("unknown")));
        agent.reports(&fleet, &[], Vec::new()).await;
        let release = json!(held.release("default/web"));
        let after = until("the report is written", async || {
            Some(clusters().await).filter(|after| after[0]["release"] == release)
        });
        let after = after.await;
        assert_eq!((&after[0]["sync"], &after[0]["health"]), (&json!("synced"), &json!("healthy")));
    }

    async fn values_are_a_document_of_their_own(fleet) {
        let mut agent = fleet.join("site-1", json!({})).await;
        assert_eq!(agent.has_news(&fleet).await.desired.values, None);
        let change = json!({"values": {"default": {"region": "north"}}});
        fleet.send(reqwest::Method::PATCH, "/v1/clusters/site-1", &fleet.admin, Some(change)).await.ok();
        assert!(agent.has_news(&fleet).await.desired.values.is_some());
    }

    async fn applying_the_same_documents_again_changes_nothing(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        fleet.publish(&publisher, "default/web", 1).await;
        let mut agent = fleet.join("site-1", json!({"env": "prod"})).await;
        agent.has_news(&fleet).await;
        let before = fleet.get("/v1/global-services/default/web").await.ok();
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        assert_eq!(fleet.get("/v1/global-services/default/web").await.ok()["version"], before["version"]);
        agent.has_no_news(&fleet).await;
    }

    async fn d10_a_project_that_a_cluster_does_not_let_in_stays_out(fleet) {
        fleet.source("other").await;
        let spec = json!({"source": "repo", "namespace": "app", "selector": {"matchLabels": {"env": "prod"}}});
        fleet.put("/v1/global-services/other/spy", spec).await.ok();
        let publisher = fleet.publisher("ci", "other").await;
        fleet.publish(&publisher, "other/spy", 1).await;
        let token = fleet.join_token(json!({"labels": {"env": "prod"}, "projects": ["default"]})).await;
        let joined = fleet.join_with(&token, "site-1").await.unwrap();
        let mut closed = crate::agent::Agent::new(&fleet, &joined);
        let mut open = fleet.join("site-2", json!({"env": "prod"})).await;
        assert!(closed.has_news(&fleet).await.services().is_empty());
        assert_eq!(open.has_news(&fleet).await.services(), ["other/spy"]);
    }

    async fn a_service_that_is_made_anew_runs_nothing_that_its_namesake_did(fleet) {
        let selector = || json!({"matchLabels": {"env": "prod"}});
        fleet.global("web", selector()).await;
        let publisher = fleet.publisher("ci", "default").await;
        let one = fleet.publish(&publisher, "default/web", 1).await;
        let mut agent = fleet.join("site-1", json!({"env": "prod"})).await;
        assert_eq!(agent.has_news(&fleet).await.release("default/web"), Some(one));
        let delete = async || {
            let path = "/v1/services/default/web?mode=orphan";
            fleet.send(reqwest::Method::DELETE, path, &fleet.admin, None).await.ok();
        };
        delete().await;
        fleet.global("web", selector()).await;
        assert!(agent.has_news(&fleet).await.services().is_empty(), "it has no release of its own yet");
        assert_eq!(fleet.get("/v1/services/default/web").await.ok().get("release"), None);
        // Its publisher has rendered it, and what came out is what lies in the store already.
        let again = || fleet.register(&publisher, fleet.release("default/web", 1));
        assert_eq!(again().await.status, 201);
        assert_eq!(again().await.status, 200);
        assert_eq!(agent.has_news(&fleet).await.release("default/web"), Some(one));

        delete().await;
        fleet.global("web", selector()).await;
        let two = fleet.publish(&publisher, "default/web", 2).await;
        assert_eq!(agent.has_news(&fleet).await.release("default/web"), Some(two));
        fleet.post("/v1/services/default/web/undo", json!({})).await.refused(409, "nothing_to_undo");
        again().await.refused(409, "not_newer");
    }

    async fn c7_of_two_publishers_the_second_is_told_both_revisions(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        let envelope = fleet.release("default/web", 5);
        assert_eq!(fleet.register(&publisher, envelope.clone()).await.status, 201);
        assert_eq!(fleet.register(&publisher, envelope).await.status, 200, "the same again is no news");
        let older = fleet.register(&publisher, fleet.release("default/web", 4)).await.refused(409, "not_newer");
        let detail = older["detail"].as_str().unwrap();
        assert!(detail.contains("commit-5") && detail.contains("commit-4"), "{detail}");
    }
}

async fn futures<const N: usize, F: Future<Output = cdn::Digest>>(all: [F; N]) -> [cdn::Digest; N] {
    let mut done = Vec::new();
    for one in all {
        done.push(one.await);
    }
    done.try_into().unwrap()
}
