//! What only a person resolves: two agents with one identity, and a database that is older than the fleet.

use std::time::Duration;

use cdn::Digest;
use reqwest::Method;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::fleet::{Copied, Fleet, hold, start_time};

on_both! {
    async fn d9_two_agents_with_one_identity_are_told_nothing_until_a_person_has_chosen(fleet) {
        let mut agent = fleet.join("site-1", json!({})).await;
        agent.has_news(&fleet).await;
        let mut copy = agent.twin();
        "00000000000000b2".clone_into(&mut copy.start);
        copy.has_no_news(&fleet).await;
        agent.has_no_news(&fleet).await;
        copy.is_refused(&fleet, 409, "duplicate_identity").await;
        agent.is_refused(&fleet, 409, "duplicate_identity").await;
        let seen = fleet.get("/v1/clusters/site-1").await.ok();
        assert!(seen["duplicate_since"].is_string());
        assert_eq!(seen["sync"], "held", "it is told nothing until a person has decided");
        is_held(&fleet, &mut agent, "DuplicateIdentity").await;
        let renew = fleet.send(Method::POST, "/v1/renew", &agent.credential, None).await;
        renew.refused(409, "duplicate_identity");
        fleet.post("/v1/clusters/site-1/recover", json!({})).await.ok();
        agent.has_news(&fleet).await;
        agent.has_no_news(&fleet).await;
        assert_eq!(holds(&fleet, "DuplicateIdentity").await, json!([]));
    }

    async fn an_agent_that_is_restarted_often_is_no_duplicate(fleet) {
        let mut agent = fleet.join("site-1", json!({})).await;
        agent.has_news(&fleet).await;
        for start in 1..20 {
            agent.start = format!("{start:016x}");
            agent.has_no_news(&fleet).await;
            agent.has_no_news(&fleet).await;
        }
    }

    async fn i9_an_agent_that_is_ahead_is_told_nothing_until_a_person_has_looked(fleet) {
        let mut agent = fleet.join("site-1", json!({})).await;
        let before = agent.has_news(&fleet).await;
        let ahead = before.desired.seq + 86_400_000;
        agent.held.as_mut().unwrap().desired.seq = ahead;
        agent.is_refused(&fleet, 409, "agent_ahead").await;
        assert_eq!(fleet.get("/v1/clusters/site-1").await.ok()["agent_ahead"], ahead);
        is_held(&fleet, &mut agent, "AgentAhead").await;
        fleet.post("/v1/clusters/site-1/recover", json!({})).await.ok();
        agent.held = Some(before);
        let after = agent.has_news(&fleet).await;
        assert!(after.desired.seq > ahead, "above what the agent held");
        assert_eq!(fleet.get("/v1/clusters/site-1").await.ok().get("agent_ahead"), None);
        assert_eq!(holds(&fleet, "AgentAhead").await, json!([]));
    }

    /// A credential that is stolen must not take the fleet down by what its thief says, also not behind a person's word.
    async fn a3_i9_no_sequence_that_an_agent_says_leaves_none_above_it(fleet) {
        let mut agent = fleet.join("site-1", json!({"env": "prod"})).await;
        let mut other = fleet.join("site-2", json!({"env": "prod"})).await;
        let before = agent.has_news(&fleet).await;
        other.has_news(&fleet).await;
        for seq in [u64::MAX, u64::try_from(i64::MAX).unwrap(), (1 << 53) - 1, 1 << 52] {
            agent.held.as_mut().unwrap().desired.seq = seq;
            agent.is_refused(&fleet, 400, "malformed").await;
            assert_eq!(fleet.get("/v1/clusters/site-1").await.ok().get("agent_ahead"), None, "{seq}");
        }
        let said = fleet.http.get(format!("{}/v1/desired", fleet.url)).bearer_auth(&agent.credential);
        let said = said.header(cdn::wire::SEQ_HEADER, "18446744073709551616").send().await.unwrap();
        assert_eq!(said.status(), 400);

        let highest = (1 << 52) - 1;
        agent.held.as_mut().unwrap().desired.seq = highest;
        agent.is_refused(&fleet, 409, "agent_ahead").await;
        fleet.post("/v1/clusters/site-1/recover", json!({})).await.ok();
        agent.held = Some(before);
        assert_eq!(agent.has_news(&fleet).await.desired.seq, highest + 1);
        agent.has_no_news(&fleet).await;
        goes_on(&fleet, [&mut agent, &mut other]).await;
    }

    async fn h7_an_agent_that_says_it_is_further_ahead_each_time_writes_little(fleet) {
        let mut agent = fleet.join("site-1", json!({})).await;
        let before = agent.has_news(&fleet).await.desired.seq;
        for n in 1..=50 {
            agent.held.as_mut().unwrap().desired.seq = before + n;
            agent.is_refused(&fleet, 409, "agent_ahead").await;
        }
        let noted = async || fleet.get("/v1/clusters/site-1").await.ok()["agent_ahead"].clone();
        assert_eq!(noted().await, json!(before + 10), "ten in a minute are written");
        let audit = fleet.get("/v1/audit?limit=1000").await.ok().to_string();
        assert_eq!(audit.matches("cluster.ahead").count(), 1);
        fleet.clock.advance(Duration::from_mins(1));
        agent.is_refused(&fleet, 409, "agent_ahead").await;
        assert_eq!(noted().await, json!(before + 50), "what it holds is still noted in the end");
    }

    /// Noted by an api that believed everything.
    async fn a3_i9_what_an_older_api_has_noted_is_not_counted_on_from(fleet) {
        let mut agent = fleet.join("site-1", json!({"env": "prod"})).await;
        let mut other = fleet.join("site-2", json!({"env": "prod"})).await;
        agent.has_news(&fleet).await;
        other.has_news(&fleet).await;
        fleet.sql("update clusters set agent_ahead = 9223372036854775807 where name = 'site-1'").await;
        fleet.post("/v1/clusters/site-1/recover", json!({})).await.ok();
        goes_on(&fleet, [&mut agent, &mut other]).await;
    }

    /// Whatever happens before a person has looked: other origins, the release that the database lacks, and another one.
    /// Each is a sequence above all that the lost database has issued.
    async fn i9_k4_a_restored_database_rolls_nothing_back_however_much_changes_before_a_person_looks(fleet) {
        let mut fleet = fleet;
        let hour = Duration::from_hours(1);
        let selector = json!({"matchLabels": {"env": "prod"}});
        fleet.global("web", selector.clone()).await;
        fleet.global("tides", selector).await;
        let publisher = fleet.publisher("ci", "default").await;
        fleet.publish(&publisher, "default/web", 1).await;
        let mut agent = fleet.join("site-1", json!({"env": "prod"})).await;
        let mut away = fleet.join("site-2", json!({"env": "prod"})).await;
        agent.has_news(&fleet).await;
        away.has_news(&fleet).await;
        fleet.clock.advance(hour);
        fleet.stop().await;
        fleet.copy_database(Copied::Away).await;
        fleet.start(&[]).await;
        fleet.clock.advance(hour);
        let two = fleet.publish(&publisher, "default/web", 2).await;
        let held = agent.has_news(&fleet).await;
        assert_eq!(held.release("default/web"), Some(two));

        fleet.clock.advance(hour);
        fleet.stop().await;
        fleet.copy_database(Copied::Back).await;
        fleet.start(&["--origins=https://elsewhere.example.com"]).await;
        fleet.clock.advance(hour);
        fleet.publish(&publisher, "default/tides", 1).await;
        let assigned = fleet.get("/v1/clusters/site-1").await.ok();
        assert!(assigned["seq"].as_u64().unwrap() > held.desired.seq, "leapt over: {assigned}");
        agent.is_refused(&fleet, 409, "agent_ahead").await;
        let seen = fleet.get("/v1/clusters/site-1").await.ok();
        assert_eq!(seen["agent_ahead"], held.desired.seq);
        let three = fleet.publish(&publisher, "default/web", 3).await;
        fleet.stop().await;
        fleet.start(&[]).await;
        agent.is_refused(&fleet, 409, "agent_ahead").await;
        let still = fleet.get("/v1/clusters/site-1").await.ok();
        assert_eq!(still["seq"], seen["seq"], "and assigned nothing");
        // Who was away all the time is behind by as many sequences, and holds one that this database has issued.
        assert_eq!(away.has_news(&fleet).await.release("default/web"), Some(three));

        fleet.post("/v1/clusters/site-1/recover", json!({})).await.ok();
        let after = agent.has_news(&fleet).await;
        assert_eq!(after.release("default/web"), Some(three));
        assert!(after.desired.seq > held.desired.seq);
    }

    async fn i8_an_api_runs_on_the_tables_of_a_newer_one(fleet) {
        let mut fleet = fleet;
        let mut agent = fleet.join("site-1", json!({})).await;
        agent.has_news(&fleet).await;
        fleet.sql("alter table clusters add column later bigint").await;
        fleet.sql("create table later_things (id bigint not null)").await;
        fleet.sql("insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                   select 9999, 'later', success, checksum, 0 from _sqlx_migrations where version = 1").await;
        fleet.stop().await;
        fleet.start(&[]).await;
        agent.has_no_news(&fleet).await;
        fleet.join("site-2", json!({})).await.has_news(&fleet).await;
    }

    async fn i8_what_a_newer_api_took_costs_nobody_a_list_and_is_passed_on_as_it_is(fleet) {
        let source = json!({"git": {"url": "https://git.example.com/later.git"}});
        fleet.put("/v1/sources/default/later", source).await.ok();
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let later = json!({"oci": {"url": "x"}});
        fleet.sql(r#"update sources set spec = '{"oci":{"url":"x"}}' where name = 'repo'"#).await;
        let listed = fleet.get("/v1/sources").await.ok();
        let specs = [0, 1].map(|n| listed["items"][n]["spec"].clone());
        assert!(specs.contains(&later), "{listed}");
        let publisher = fleet.publisher("ci", "default").await;
        let wanted = fleet.send(Method::GET, "/v1/wanted", &publisher, None).await.ok();
        assert_eq!(wanted["services"][0]["source"], later);
        // Who writes is told at once.
        fleet.put("/v1/sources/default/later", later).await.refused(422, "invalid_body");
    }
}

/// The holds of a reason.
async fn holds(fleet: &Fleet, reason: &str) -> Value {
    fleet.get(&format!("/v1/holds?reason={reason}")).await.ok()["items"].clone()
}

/// Holds of the api's own are listed and counted beside those of reports, and stay when the agent reports: once, also
/// where the agent says back what it was told.
async fn is_held(fleet: &Fleet, agent: &mut Agent, reason: &str) {
    let another = hold(Digest::of(b"another"));
    let told = serde_json::from_value(json!({"reason": reason, "message": "told", "since": start_time()}));
    agent.reports(fleet, &[], vec![told.unwrap(), another]).await;
    let held = holds(fleet, reason).await;
    assert_eq!(held.as_array().map(Vec::len), Some(1), "{held}");
    assert!(held[0]["next"].as_str().unwrap().contains("windlass recover"), "{held}");
    assert_eq!(fleet.get("/v1/clusters/site-1").await.ok()["holds"], 2);
}

/// What is published comes to both, and also when all are told something else, as by an api that is started anew.
async fn goes_on(fleet: &Fleet, agents: [&mut Agent; 2]) {
    fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
    let publisher = fleet.publisher("ci", "default").await;
    let release = fleet.publish(&publisher, "default/web", 1).await;
    for agent in agents {
        assert_eq!(agent.has_news(fleet).await.release("default/web"), Some(release));
    }
}
