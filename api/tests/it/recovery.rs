//! What only a person resolves: two agents with one identity, and a database that is older than the fleet.

use serde_json::json;

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
        assert!(fleet.get("/v1/clusters/site-1").await.ok()["duplicate_since"].is_string());
        let renew = fleet.send(reqwest::Method::POST, "/v1/renew", &agent.credential, None).await;
        renew.refused(409, "duplicate_identity");
        fleet.post("/v1/clusters/site-1/recover", json!({})).await.ok();
        agent.has_news(&fleet).await;
        agent.has_no_news(&fleet).await;
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
        fleet.post("/v1/clusters/site-1/recover", json!({})).await.ok();
        agent.held = Some(before);
        let after = agent.has_news(&fleet).await;
        assert!(after.desired.seq > ahead, "above what the agent held");
        assert_eq!(fleet.get("/v1/clusters/site-1").await.ok().get("agent_ahead"), None);
    }
}
