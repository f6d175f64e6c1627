//! Bodies that nobody should send, and what the database keeps of what was acknowledged.

use cdn::document::Report;
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::task::JoinSet;

use crate::fleet::{Fleet, Said, start_time, until};
use crate::program::program;

async fn raw(fleet: &Fleet, method: Method, path: &str, token: &str, body: Vec<u8>) -> Said {
    let request = fleet.http.request(method, format!("{}{path}", fleet.url)).bearer_auth(token).body(body);
    Said::read(request.send().await.unwrap()).await
}

on_both! {
    async fn b7_deep_large_doubled_and_cut_bodies_are_refused(fleet) {
        let agent = fleet.join("site-1", json!({})).await;
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes();
        let path = "/v1/sources/default/repo";
        raw(&fleet, Method::PUT, path, &fleet.admin, vec![b'['; 300_000]).await.refused(413, "too_large");
        raw(&fleet, Method::PUT, path, &fleet.admin, deep[..100_000].to_vec()).await.refused(400, "malformed");
        let doubled = br#"{"git": {"url": "https://a/b", "url": "https://c/d"}}"#.to_vec();
        raw(&fleet, Method::PUT, path, &fleet.admin, doubled).await.refused(400, "malformed");
        raw(&fleet, Method::PUT, path, &fleet.admin, b"{\"git\":".to_vec()).await.refused(400, "malformed");
        let typo = br#"{"git": {"url": "https://a/b", "reff": "main"}}"#.to_vec();
        let said = raw(&fleet, Method::PUT, path, &fleet.admin, typo).await.refused(422, "invalid_body");
        assert!(said["detail"].as_str().unwrap().contains("reff"), "{said}");
        raw(&fleet, Method::POST, "/v1/report", &agent.credential, deep).await.refused(422, "invalid_report");
        raw(&fleet, Method::POST, "/v1/report", &agent.credential, vec![b' '; 2 << 20]).await.refused(413, "too_large");
        raw(&fleet, Method::POST, "/v1/report", &agent.credential, b"{\"number\": NaN}".to_vec())
            .await
            .refused(422, "invalid_report");
    }

    async fn no_route_takes_a_bundle_whatever_the_credential(fleet) {
        let agent = fleet.join("site-1", json!({})).await;
        let publisher = fleet.publisher("ci", "default").await;
        let join = fleet.join_token(json!({})).await;
        // What a bundle looks like: a tar of JSON objects, zero blocks at its end.
        let mut tar = b"objects/Pod./app/web.json".to_vec();
        tar.resize(512, 0);
        tar.extend_from_slice(br#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"}}"#);
        tar.resize(10_240, 0);
        let mut tried = 0;
        for (method, path, kind) in crate::credentials::operations(&fleet).await {
            let token = match kind.as_deref() {
                Some("admin") => &fleet.admin,
                Some("cluster") => &agent.credential,
                Some("publisher") => &publisher,
                Some("join") => &join,
                Some(_) | None => continue,
            };
            if !["/v1/renew", "/recover", "/revoke", "/undo", "/resume"].iter().any(|end| path.ends_with(end))
                && !path.ends_with("site-1/approve")
                && [Method::POST, Method::PUT, Method::PATCH].contains(&method)
            {
                let said = raw(&fleet, method.clone(), &path, token, tar.clone()).await;
                assert!([400, 413, 422].contains(&said.status.as_u16()), "{method} {path}: {said:?}");
                tried += 1;
            }
        }
        assert!(tried >= 12, "{tried}");
        assert!(!fleet.dump().await.contains("objects/Pod"), "bytes of a bundle are in the database");
    }

    async fn a_report_below_the_last_number_is_refused_with_that_number_and_changes_nothing(fleet) {
        let mut agent = fleet.join("site-1", json!({})).await;
        agent.has_news(&fleet).await;
        let (mut first, second) = (agent.report(), agent.report());
        agent.send(&fleet, &second).await.ok();
        "older".clone_into(&mut first.agent);
        let problem = agent.send(&fleet, &first).await.refused(409, "report_outdated");
        assert_eq!(problem["number"], 2);
        agent.send(&fleet, &second).await.ok();
        let cluster = fleet.get("/v1/clusters/site-1").await.ok();
        assert_eq!((&cluster["agent"], &cluster["report"]["number"]), (&json!("0.1.0"), &json!(2)));
    }

    async fn a3_d8_no_number_of_a_report_silences_those_after_it(fleet) {
        let mut agent = fleet.join("site-1", json!({})).await;
        agent.has_news(&fleet).await;
        let far = agent.report();
        for number in [u64::MAX, 1 << 63, (1 << 53) - 1, 1 << 52] {
            let said = Report { number, ..far.clone() };
            agent.send(&fleet, &said).await.refused(422, "invalid_report");
        }
        for said in [Report { seq: 1 << 53, ..far.clone() }, Report { passed: u64::MAX, ..far.clone() }] {
            agent.send(&fleet, &said).await.refused(422, "invalid_report");
        }
        // A clock that was ahead, and the highest that can be said: each is told, and the next one goes on from it.
        for number in [4_000_000_000_000, (1 << 52) - 1] {
            agent.send(&fleet, &Report { number, ..far.clone() }).await.ok();
            let problem = agent.send(&fleet, &far).await.refused(409, "report_outdated");
            assert_eq!(problem["number"], number);
            agent.send(&fleet, &Report { number: number + 1, ..far.clone() }).await.ok();
            let cluster = fleet.get("/v1/clusters/site-1").await.ok();
            assert_eq!(cluster["report"]["number"], number + 1);
        }
    }

    async fn a3_a_release_beyond_the_last_sequence_is_refused(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        for (seq, min_seq) in [(u64::MAX, 0), (1 << 63, 1 << 63), (1 << 53, 1)] {
            let envelope = fleet.withdrawing("default/web", seq, min_seq);
            fleet.register(&publisher, envelope).await.refused(422, "release_refused");
        }
        let last = fleet.publish(&publisher, "default/web", (1 << 53) - 1).await;
        let path = "/v1/services/default/web";
        assert_eq!(fleet.get(path).await.ok()["latest"], json!(last));
        let listed = fleet.get(&format!("{path}/releases")).await.ok();
        assert_eq!(listed["items"][0]["digest"], json!(last), "what is the latest is listed");
        fleet.get(&format!("{path}/releases?cursor=18446744073709551615")).await.refused(400, "malformed");
    }

    async fn a_report_or_a_join_with_control_characters_is_refused(fleet) {
        let mut agent = fleet.join("site-1", json!({})).await;
        agent.has_news(&fleet).await;
        for (pointer, text) in [("/agent", "\u{0}"), ("/holds/0/message", "\u{1b}[2J"), ("/holds/0/object/name", "a\u{0}")] {
            let mut report = serde_json::to_value(agent.report()).unwrap();
            let object = json!({"group": "", "kind": "Pod", "name": "web"});
            report["holds"] = json!([{"reason": "Stalled", "object": object, "message": "x", "since": start_time()}]);
            *report.pointer_mut(pointer).unwrap() = json!(text);
            let said = fleet.send(Method::POST, "/v1/report", &agent.credential, Some(report)).await;
            said.refused(422, "invalid_report");
        }
        let token = fleet.join_token(json!({})).await;
        let key = cdn::SigningKey::random().public();
        let join = json!({"name": "site-2", "key": key, "agent": "0.1\u{0}"});
        fleet.send(Method::POST, "/v1/join", &token, Some(join)).await.refused(422, "invalid_name");
        fleet.join_with(&token, "site-2").await.unwrap();
    }

    async fn a_hundred_reports_at_once_are_all_kept(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        fleet.publish(&publisher, "default/web", 1).await;
        let mut agents = Vec::new();
        for n in 0..20 {
            let mut agent = fleet.join(&format!("site-{n}"), json!({"env": "prod"})).await;
            agent.has_news(&fleet).await;
            agents.push(agent);
        }
        let mut sends = JoinSet::new();
        for agent in &mut agents {
            for _ in 0..5 {
                let body = serde_json::to_value(agent.report()).unwrap();
                let url = format!("{}/v1/report", fleet.url);
                let request = fleet.http.post(url).bearer_auth(&agent.credential).json(&body);
                sends.spawn(async move { request.send().await.unwrap().status().as_u16() });
            }
        }
        while let Some(status) = sends.join_next().await {
            // One that was overtaken by a newer one of the same cluster is told so.
            assert!([204, 409].contains(&status.unwrap()));
        }
        for n in 0..20 {
            let cluster = fleet.get(&format!("/v1/clusters/site-{n}")).await.ok();
            assert_eq!(cluster["report"]["number"], 5, "the newest is kept");
        }
        let service = fleet.get("/v1/services/default/web").await.ok();
        assert_eq!(service["health"], json!({"healthy": 20}));
    }

    async fn routes_and_methods_that_are_not_there_say_so(fleet) {
        fleet.get("/v1/nothing").await.refused(404, "not_found");
        fleet.send(Method::DELETE, "/v1/whoami", &fleet.admin, None).await.refused(405, "method_not_allowed");
        let whoami = fleet.get("/v1/whoami").await.ok();
        assert_eq!(whoami["fleet"], json!(fleet.trust.fleet()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_the_database_refuses_takes_no_other_with_it() {
    let mut fleet = Fleet::on_postgres().await;
    let (_process, observe) = program(&mut fleet, &[]).await;
    let mut database = PgConnection::connect(&fleet.database).await.unwrap();
    let mut requests = Vec::new();
    for n in 0..11 {
        let mut agent = fleet.join(&format!("site-{n}"), json!({})).await;
        agent.has_news(&fleet).await;
        let mut report = agent.report();
        report.agent = if n == 4 { "odd".to_owned() } else { report.agent };
        let url = format!("{}/v1/report", fleet.url);
        requests.push(fleet.http.post(url).bearer_auth(&agent.credential).json(&report));
    }
    let rule = "alter table clusters add constraint no_such_agent check (agent <> 'odd')";
    sqlx::query(rule).execute(&mut database).await.unwrap();
    // The first one waits for another writer; the others gather behind it, and go into one transaction then.
    let mut writer = database.begin().await.unwrap();
    sqlx::query("select one from fleet for update").execute(&mut *writer).await.unwrap();
    let mut sends = JoinSet::new();
    for (n, request) in requests.into_iter().enumerate() {
        sends.spawn(async move { (n, request.send().await.unwrap().status().as_u16()) });
        if n == 0 {
            let waiting = "select count(*) from pg_stat_activity
                           where datname = current_database() and wait_event_type = 'Lock'";
            until("nothing waits for the writer", async || {
                let row: (i64,) = sqlx::query_as(waiting).fetch_one(&mut *writer).await.unwrap();
                (row.0 > 0).then_some(())
            })
            .await;
        }
    }
    let metrics = format!("{observe}/metrics");
    until("not all reports have come", async || {
        let metrics = fleet.http.get(&metrics).send().await.unwrap().text().await.unwrap();
        metrics.contains("windlass_report_queue 11\n").then_some(())
    })
    .await;
    writer.rollback().await.unwrap();
    let mut said = sends.join_all().await;
    said.sort_unstable();
    let wanted: Vec<_> = (0..11).map(|n| (n, if n == 4 { 503 } else { 204 })).collect();
    assert_eq!(said, wanted);
    for n in (0..11).filter(|n| *n != 4) {
        let cluster = fleet.get(&format!("/v1/clusters/site-{n}")).await.ok();
        assert_eq!(cluster["report"]["number"], 1);
    }
}
