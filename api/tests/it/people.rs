//! People's routes: pages, conditions, idempotency, sources.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::fleet::Said;

on_both! {
    async fn lists_come_in_pages_and_are_filtered_by_the_database(fleet) {
        let token = fleet.join_token(json!({"max_uses": 30, "approve": true, "labels": {"env": "prod"}})).await;
        for n in 0..12 {
            fleet.join_with(&token, &format!("site-{n:02}")).await.unwrap();
        }
        fleet.join("else-1", json!({"env": "test", "region": "north"})).await;
        let mut names = Vec::new();
        let mut path = "/v1/clusters?limit=5&selector=env%3Dprod".to_owned();
        loop {
            let page = fleet.get(&path).await.ok();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 5);
            names.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/clusters?limit=5&selector=env%3Dprod&cursor={next}");
        }
        assert_eq!(names, (0..12).map(|n| format!("site-{n:02}")).collect::<Vec<_>>());
        for (query, count) in [
            ("selector=region", 1),
            ("selector=!region", 12),
            ("selector=env+in+(prod,test),region+notin+(north)", 12),
            ("selector=env!%3Dprod", 1),
            ("name=else", 1),
            ("state=pending", 0),
        ] {
            let found = fleet.get(&format!("/v1/clusters?{query}")).await.ok();
            assert_eq!(found["items"].as_array().unwrap().len(), count, "{query}");
        }
    }

    async fn a_cluster_says_synced_only_of_what_it_was_told_and_while_it_is_seen(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        fleet.publish(&publisher, "default/web", 1).await;
        let mut agent = fleet.join("site-1", json!({"env": "prod"})).await;
        agent.has_news(&fleet).await;
        agent.reports(&fleet, &[], Vec::new()).await;
        let fleet = &fleet;
        let shown = async || {
            let page = fleet.get("/v1/clusters").await.ok();
            let detail = fleet.get("/v1/clusters/site-1").await.ok();
            let shown = [&page["items"][0], &detail].map(|shown| json!([shown["sync"], shown["health"]]));
            assert_eq!(shown[0], shown[1]);
            shown[0].clone()
        };
        assert_eq!(shown().await, json!(["synced", "healthy"]));
        fleet.publish(&publisher, "default/web", 2).await;
        assert_eq!(shown().await, json!(["pending", "healthy"]));
        agent.has_news(fleet).await;
        agent.reports(fleet, &[], Vec::new()).await;
        assert_eq!(shown().await, json!(["synced", "healthy"]));
        // With several replicas, what another one has seen is written down ten minutes later.
        fleet.clock.advance(Duration::from_mins(10));
        assert_eq!(shown().await, json!(["synced", "healthy"]));
        fleet.clock.advance(Duration::from_mins(12));
        assert_eq!(shown().await, json!(["unknown", "unknown"]));
        agent.has_no_news(fleet).await;
        assert_eq!(shown().await, json!(["synced", "healthy"]));
    }

    async fn j5_a_filter_is_never_part_of_a_query(fleet) {
        fleet.join("site-1", json!({"env": "prod"})).await;
        let hostile = "')+or+1%3D1+--";
        fleet.get(&format!("/v1/clusters?selector={hostile}")).await.refused(400, "malformed");
        for query in ["name", "cursor"] {
            let said = fleet.get(&format!("/v1/clusters?{query}=zz{hostile}")).await.ok();
            assert_eq!(said["items"], json!([]), "{query}");
        }
        for path in ["/v1/services?cursor=", "/v1/audit?cursor=", "/v1/publishers?cursor="] {
            let said = fleet.get(&format!("{path}!{hostile}")).await;
            assert!(said.status.is_success(), "{path}: {said:?}");
        }
        fleet.get(&format!("/v1/holds?cursor={hostile}")).await.refused(400, "malformed");
        let said = fleet.get(&format!("/v1/holds?reason={hostile}")).await.refused(400, "malformed");
        assert!(said["detail"].as_str().unwrap().contains("PruneBudget"), "{said}");
        // A filter that is not one, left out, would show more than was asked for.
        for path in ["clusters?stat=active", "holds?service=web", "services?projects=x", "audit?after=x"] {
            let said = fleet.get(&format!("/v1/{path}")).await.refused(400, "malformed");
            assert!(said["detail"].as_str().unwrap().contains("unknown field"), "{said}");
        }
        fleet.get("/v1/clusters?limit=abc").await.refused(400, "malformed");
        fleet.get(&format!("/v1/clusters/{hostile}")).await.refused(404, "not_found");
        fleet.get(&format!("/v1/services/{hostile}/x")).await.refused(400, "malformed");
    }

    async fn a_write_can_demand_what_it_read(fleet) {
        fleet.source("default").await;
        let path = "/v1/services/default/web";
        let spec = json!({"source": "repo", "namespace": "app", "clusters": []});
        let put = |header: &'static str, value: String, spec: Value| {
            let request = fleet.http.put(format!("{}{path}", fleet.url)).bearer_auth(&fleet.admin);
            let request = request.header(header, value).json(&spec);
            async move { Said::read(request.send().await.unwrap()).await }
        };
        let made = put("if-none-match", "*".to_owned(), spec.clone()).await;
        assert_eq!(made.status, 201);
        put("if-none-match", "*".to_owned(), spec.clone()).await.refused(412, "changed_meanwhile");
        let etag = made.etag.unwrap();
        let other = json!({"source": "repo", "namespace": "app", "clusters": ["site-1"]});
        assert_eq!(put("if-match", etag.clone(), other).await.status, 200);
        put("if-match", etag, spec).await.refused(412, "changed_meanwhile");
    }

    async fn a_condition_that_cannot_be_read_is_not_left_out(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let path = "/v1/global-services/default/web";
        let before = fleet.get(path).await;
        let (held, before) = (before.etag.clone().unwrap(), before.ok());
        let ask = || {
            let spec = json!({"source": "repo", "namespace": "other", "selector": {"matchLabels": {"env": "test"}}});
            fleet.http.put(format!("{}{path}", fleet.url)).bearer_auth(&fleet.admin).json(&spec)
        };
        let not_text = || reqwest::header::HeaderValue::from_bytes(b"\"v\xff\"").unwrap();
        for asked in [
            ask().header("if-match", not_text()),
            ask().header("if-none-match", not_text()),
            ask().header("if-match", "\"v9\"").header("if-match", &held),
            ask().header("if-match", &held).header("if-match", "\"v9\""),
            ask().header("if-none-match", "x").header("if-none-match", "*"),
        ] {
            Said::read(asked.send().await.unwrap()).await.refused(400, "malformed");
        }
        assert_eq!(fleet.get(path).await.ok(), before);
        assert_eq!(ask().header("if-match", &held).send().await.unwrap().status(), 200);
    }

    async fn l5_the_description_is_tagged_once_and_for_everyone(fleet) {
        let read = |held: Option<String>| {
            let request = fleet.http.request(Method::GET, format!("{}/v1/openapi.json", fleet.url));
            held.into_iter().fold(request, |request, held| request.header("if-none-match", held)).send()
        };
        let first = read(None).await.unwrap();
        assert_eq!(first.headers()["cache-control"], "public, no-cache");
        assert_eq!(first.headers()["content-type"], "application/json");
        let tag = first.headers()["etag"].to_str().unwrap().to_owned();
        assert_eq!(tag, format!("\"{}\"", cdn::Digest::of(&first.bytes().await.unwrap())));
        for held in [tag.clone(), format!("W/{tag}"), "*".to_owned()] {
            let again = read(Some(held)).await.unwrap();
            assert_eq!((again.status().as_u16(), again.headers()["etag"].to_str().unwrap()), (304, tag.as_str()));
            assert!(again.bytes().await.unwrap().is_empty());
        }
        assert_eq!(read(Some("\"other\"".to_owned())).await.unwrap().status(), 200);
    }

    /// What people changed is the version that a write demands; what is shown of it is more.
    async fn every_read_is_304_to_who_holds_it_and_not_to_who_holds_what_was_shown_before(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        let release = fleet.publish(&publisher, "default/web", 1).await;
        let mut agent = fleet.join("site-1", json!({"env": "prod"})).await;
        agent.has_news(&fleet).await;
        let read = async |path: &str, held: Option<&str>| {
            let token = if path == "/v1/wanted" { &publisher } else { &fleet.admin };
            let request = fleet.http.get(format!("{}{path}", fleet.url)).bearer_auth(token);
            let request = request.header("if-none-match", held.unwrap_or("\"other\""));
            Said::read(request.send().await.unwrap()).await
        };
        // What `operations` names.
        let unknown = cdn::Digest::of(b"x").to_string();
        let spec = json!({"git": {"url": "https://git.example.com/web.git", "ref": "main"}});
        fleet.put("/v1/sources/default/web", spec).await.ok();
        let mut reads = 0;
        for (method, path, _) in crate::credentials::operations(&fleet).await {
            if method != Method::GET || path == "/v1/desired" {
                continue;
            }
            let path = path.replace(&unknown, &release.to_string());
            let shown = read(&path, None).await;
            let etag = shown.etag.clone().unwrap_or_else(|| panic!("{path}: {shown:?}"));
            shown.ok();
            let same = read(&path, Some(&etag)).await;
            assert_eq!((same.status.as_u16(), same.etag.as_ref()), (304, Some(&etag)), "{path}");
            assert_eq!(same.body, Value::Null, "{path}");
            reads += 1;
        }
        assert!(reads > 15, "{reads}");

        let path = "/v1/clusters/site-1";
        let before = read(path, None).await.etag.unwrap();
        agent.reports(&fleet, &[], Vec::new()).await;
        let after = read(path, Some(&before)).await;
        let etag = after.etag.clone().unwrap();
        assert_eq!(after.ok()["sync"], "synced");
        assert_ne!(etag, before);
        // A report is no change that a person has not seen.
        let relabel = |held: String| {
            let request = fleet.http.patch(format!("{}{path}", fleet.url)).bearer_auth(&fleet.admin);
            request.header("if-match", held).json(&json!({"labels": {"env": "test"}})).send()
        };
        assert_eq!(relabel(before.clone()).await.unwrap().status(), 200);
        assert_eq!(relabel(before).await.unwrap().status(), 412);
        read("/v1/clusters/none", Some("*")).await.refused(404, "not_found");
    }

    async fn a_post_that_is_sent_twice_with_one_key_makes_one_thing(fleet) {
        let post = || {
            let request = fleet.http.post(format!("{}/v1/join-tokens", fleet.url)).bearer_auth(&fleet.admin);
            let request = request.header("idempotency-key", "k").json(&json!({}));
            async move { Said::read(request.send().await.unwrap()).await }
        };
        let (first, second) = (post().await, post().await);
        assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 200));
        assert_eq!(first.body["id"], second.body["id"]);
        assert!(first.body["token"].is_string() && second.body.get("token").is_none());
    }

    async fn a_source_that_is_in_use_stays(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let delete = || fleet.send(Method::DELETE, "/v1/sources/default/repo", &fleet.admin, None);
        delete().await.refused(409, "in_use");
        let path = "/v1/global-services/default/web?mode=orphan";
        fleet.send(Method::DELETE, path, &fleet.admin, None).await.ok();
        assert_eq!(delete().await.status, 204);
        let secret = json!({"git": {"url": "https://user:password@git.example.com/r.git"}});
        fleet.put("/v1/sources/default/bad", secret).await.refused(422, "invalid_source");
    }

    async fn a_publisher_hears_only_news_and_says_what_became_of_it(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        let wanted = fleet.send(Method::GET, "/v1/wanted", &publisher, None).await;
        let etag = wanted.etag.clone().unwrap();
        let wanted: cdn::wire::Wanted = serde_json::from_value(wanted.ok()).unwrap();
        assert_eq!(wanted.known().next().unwrap().path, "web");
        let request = fleet.http.get(format!("{}/v1/wanted", fleet.url)).bearer_auth(&publisher);
        assert_eq!(request.header("if-none-match", etag).send().await.unwrap().status(), 304);
        let status = json!({"service": "default/web", "outcome": "refused", "message": "not in the allow list"});
        assert_eq!(fleet.send(Method::POST, "/v1/publish-status", &publisher, Some(status)).await.status, 204);
        let service = fleet.get("/v1/services/default/web").await.ok();
        assert_eq!(service["publish"]["message"], "not in the allow list");
    }

    async fn a_service_shows_whether_its_publisher_has_looked_at_it_as_it_is_described_now(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        let asked = async || {
            let wanted = fleet.send(Method::GET, "/v1/wanted", &publisher, None).await.ok();
            wanted["services"][0]["asked"].clone()
        };
        let say = async |asked: &Value| {
            let status = json!({"service": "default/web", "outcome": "unchanged", "asked": asked});
            fleet.send(Method::POST, "/v1/publish-status", &publisher, Some(status)).await.ok();
        };
        let current = async || fleet.get("/v1/services/default/web").await.ok()["publish"]["current"].clone();
        say(&Value::Null).await;
        assert_eq!(current().await, Value::Null, "a publisher of an earlier version does not say");
        let first = asked().await;
        say(&first).await;
        assert_eq!(current().await, true);
        // Where it goes and which release runs is no matter of its publisher.
        let release = fleet.publish(&publisher, "default/web", 1).await;
        let pin = Some(json!({"release": release}));
        fleet.send(Method::POST, "/v1/services/default/web/pin", &fleet.admin, pin).await.ok();
        fleet.global("web", json!({"matchLabels": {"env": "test"}})).await;
        assert_eq!((asked().await, current().await), (first.clone(), json!(true)));
        let source = json!({"git": {"url": "https://git.example.com/repo.git", "ref": "next"}});
        fleet.put("/v1/sources/default/repo", source).await.ok();
        let second = asked().await;
        say(&first).await;
        assert_eq!(current().await, false, "it has looked at what was described before");
        say(&second).await;
        assert_eq!(current().await, true);
        let spec = json!({"source": "repo", "path": "elsewhere", "namespace": "app", "selector": {"matchLabels": {"env": "test"}}});
        fleet.put("/v1/global-services/default/web", spec).await.ok();
        assert_eq!(fleet.get("/v1/services").await.ok()["items"][0]["publish"]["current"], false);
    }

    async fn a_publisher_is_told_the_newest_root(fleet) {
        let publisher = fleet.publisher("ci", "default").await;
        assert_eq!(fleet.send(Method::GET, "/v1/wanted", &publisher, None).await.ok()["root"], 1);
    }
}
