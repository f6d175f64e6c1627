//! Who may do what: join tokens, renewal, revocation, and foreign credentials on every route.

use std::time::Duration;

use cdn::SigningKey;
use cdn::secret::{Token, TokenKind};
use cdn::wire::JoinState;
use reqwest::Method;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::fleet::Fleet;

/// Every operation of the description, with its path filled in.
pub(crate) async fn operations(fleet: &Fleet) -> Vec<(Method, String, Option<String>)> {
    let description = fleet.get("/v1/openapi.json").await.ok();
    let mut all = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let kind = operation["security"][0].as_object().and_then(|kind| kind.keys().next().cloned());
            let path = path
                .replace("{project}", "default")
                .replace("{name}", "web")
                .replace("{cluster}", "site-1")
                .replace("{digest}", &cdn::Digest::of(b"x").to_string())
                .replace("{id}", "jt_1");
            all.push((method.to_uppercase().parse().unwrap(), path, kind));
        }
    }
    all
}

on_both! {
    async fn d1_a_foreign_credential_gets_nothing_on_any_route(fleet) {
        let agent = fleet.join("site-1", json!({"env": "prod"})).await;
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let revoked = fleet.join("site-2", json!({})).await;
        fleet.post("/v1/clusters/site-2/revoke", json!({})).await.ok();
        let foreign_publisher = fleet.publisher("ci", "other").await;
        let made_up = |kind| Token::random(kind, Some(fleet.trust.fleet())).secret().expose().to_owned();
        let used = fleet.join_token(json!({})).await;
        fleet.join_with(&used, "site-3").await.unwrap();
        let tokens = [
            ("cluster", "a cluster's own", agent.credential.clone()),
            ("none", "a revoked cluster's", revoked.credential.clone()),
            ("publisher", "another project's publisher", foreign_publisher),
            ("none", "a used join token", used),
            ("none", "a made up admin", made_up(TokenKind::Admin)),
            ("none", "a made up cluster", made_up(TokenKind::Cluster)),
            ("none", "a made up publisher", made_up(TokenKind::Publisher)),
            ("none", "a made up join token", made_up(TokenKind::Join)),
            ("none", "nonsense", "x".repeat(200)),
        ];
        let operations = operations(&fleet).await;
        assert!(operations.len() > 35, "{operations:?}");
        for (method, path, kind) in &operations {
            let Some(kind) = kind else {
                assert_eq!(path, "/v1/openapi.json", "only the description is for anyone");
                continue;
            };
            for (own, what, token) in &tokens {
                if kind == own {
                    continue;
                }
                let said = fleet.send(method.clone(), path, token, Some(json!({}))).await;
                let status = said.status.as_u16();
                // Not 404: that would be an answer of the route itself, which looked before it knew who asks.
                assert!([401, 403].contains(&status), "{what} on {method} {path}: {said:?}");
                assert!(said.body.get("items").is_none() && said.body.get("id").is_none(), "{said:?}");
            }
        }
    }

    async fn d1_a_publisher_sees_and_publishes_its_own_project_alone(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let (own, foreign) = (fleet.publisher("a", "default").await, fleet.publisher("b", "other").await);
        let wanted = |token: String| {
            let fleet = &fleet;
            async move { fleet.send(Method::GET, "/v1/wanted", &token, None).await.ok() }
        };
        assert_eq!(wanted(own).await["services"].as_array().unwrap().len(), 1);
        assert_eq!(wanted(foreign.clone()).await["services"], json!([]));
        // Signed by the right key, registered with the wrong credential.
        fleet.register(&foreign, fleet.release("default/web", 1)).await.refused(403, "wrong_project");
        let status = json!({"service": "default/web", "outcome": "failed", "message": "x"});
        fleet.send(Method::POST, "/v1/publish-status", &foreign, Some(status)).await.refused(404, "not_found");
    }

    async fn a_release_that_is_signed_by_another_projects_key_is_refused(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        let mut envelope: Value = serde_json::from_slice(&fleet.release("default/web", 1)).unwrap();
        let other: Value = serde_json::from_slice(&fleet.release("other/web", 1)).unwrap();
        envelope["signatures"] = other["signatures"].clone();
        let forged = serde_json::to_vec(&envelope).unwrap();
        fleet.register(&publisher, forged).await.refused(422, "release_refused");
        fleet.register(&publisher, b"{}".to_vec()).await.refused(422, "release_refused");
        fleet.register(&publisher, vec![b' '; 20_000]).await.refused(413, "too_large");
    }

    async fn d2_a_renewal_takes_no_input_and_gives_the_same_identity(fleet) {
        let mut agent = fleet.join("site-1", json!({"env": "prod"})).await;
        agent.has_news(&fleet).await;
        let body = json!({"cluster": "cl-00000000000000000000000000000000", "name": "admin", "labels": {"env": "x"}});
        let said = fleet.send(Method::POST, "/v1/renew", &agent.credential, Some(body)).await.ok();
        assert_eq!(said.as_object().unwrap().keys().collect::<Vec<_>>(), ["credential"]);
        said["credential"].as_str().unwrap().clone_into(&mut agent.credential);
        agent.has_no_news(&fleet).await;
        let cluster = fleet.get("/v1/clusters/site-1").await.ok();
        assert_eq!((&cluster["id"], &cluster["labels"]), (&json!(agent.id), &json!({"env": "prod"})));
    }

    async fn d3_a_token_for_ten_lets_ten_of_a_hundred_join(fleet) {
        let token = fleet.join_token(json!({"max_uses": 10, "approve": true})).await;
        let joins = (0..100).map(|n| {
            let (fleet, token) = (&fleet, &token);
            async move { fleet.join_with(token, &format!("site-{n}")).await.is_ok() }
        });
        let joined = join_all(joins).await.into_iter().filter(|joined| *joined).count();
        assert_eq!(joined, 10);
        assert_eq!(fleet.get("/v1/clusters?limit=1000").await.ok()["items"].as_array().unwrap().len(), 10);
        assert_eq!(fleet.get("/v1/join-tokens").await.ok()["items"][0]["uses"], 10);
        let said = fleet.join_with(&token, "late").await.unwrap_err();
        said.refused(401, "join_token_used");
    }

    async fn d3_a_join_token_expires_and_can_be_revoked(fleet) {
        let token = fleet.join_token(json!({"ttl_seconds": 60})).await;
        fleet.clock.advance(Duration::from_secs(61));
        fleet.join_with(&token, "site-1").await.unwrap_err().refused(401, "join_token_expired");
        let made = fleet.post("/v1/join-tokens", json!({})).await.ok();
        let path = format!("/v1/join-tokens/{}/revoke", made["id"].as_str().unwrap());
        fleet.post(&path, json!({})).await.ok();
        let said = fleet.join_with(made["token"].as_str().unwrap(), "site-1").await.unwrap_err();
        said.refused(401, "join_token_revoked");
        fleet.post("/v1/join-tokens", json!({"ttl_seconds": 31 * 86_400})).await.refused(422, "invalid_join_token");
    }

    async fn d3_a_join_whose_answer_got_lost_is_answered_again(fleet) {
        let token = fleet.join_token(json!({"labels": {"env": "prod"}})).await;
        let (key, other) = (SigningKey::random().public(), SigningKey::random().public());
        let lost = fleet.join_as(&token, "site-1", key).await.unwrap();
        let again = fleet.join_as(&token, "site-1", key).await.unwrap();
        assert_eq!((&lost.cluster, lost.state), (&again.cluster, again.state));
        assert_eq!(fleet.get("/v1/clusters").await.ok()["items"].as_array().unwrap().len(), 1);
        assert_eq!(fleet.get("/v1/join-tokens").await.ok()["items"][0]["uses"], 1);
        for (name, key) in [("site-1", other), ("site-2", key), ("site-2", other)] {
            let said = fleet.join_as(&token, name, key).await.unwrap_err();
            said.refused(401, "join_token_used");
        }
        Agent::new(&fleet, &lost).is_refused(&fleet, 401, "unknown_credential").await;
        let mut agent = Agent::new(&fleet, &again);
        agent.has_news(&fleet).await;
        // Its credential is in use: whoever asks once more is not the one that joined.
        fleet.join_as(&token, "site-1", key).await.unwrap_err().refused(401, "join_token_used");
        agent.has_no_news(&fleet).await;
    }

    async fn d3_a_join_is_answered_again_as_what_a_person_has_made_of_it(fleet) {
        let made = fleet.post("/v1/join-tokens", json!({"max_uses": 5, "ttl_seconds": 60})).await.ok();
        let token = made["token"].as_str().unwrap();
        let keys = [(); 3].map(|()| SigningKey::random().public());
        for (n, key) in keys.iter().enumerate() {
            let joined = fleet.join_as(token, &format!("site-{n}"), *key).await.unwrap();
            assert_eq!(joined.state, JoinState::Pending);
        }
        fleet.join_as(token, "site-0", keys[1]).await.unwrap_err().refused(409, "name_taken");
        fleet.post("/v1/clusters/site-0/approve", json!({})).await.ok();
        fleet.post("/v1/clusters/site-1/revoke", json!({})).await.ok();
        assert_eq!(fleet.join_as(token, "site-0", keys[0]).await.unwrap().state, JoinState::Active);
        fleet.join_as(token, "site-1", keys[1]).await.unwrap_err().refused(409, "name_taken");
        assert_eq!(fleet.join_as(token, "site-2", keys[2]).await.unwrap().state, JoinState::Pending);
        assert_eq!(fleet.get("/v1/join-tokens").await.ok()["items"][0]["uses"], 3);
        let short = fleet.join_token(json!({"ttl_seconds": 60})).await;
        let late = SigningKey::random().public();
        fleet.join_as(&short, "site-3", late).await.unwrap();
        fleet.post(&format!("/v1/join-tokens/{}/revoke", made["id"].as_str().unwrap()), json!({})).await.ok();
        fleet.join_as(token, "site-2", keys[2]).await.unwrap_err().refused(401, "join_token_revoked");
        fleet.clock.advance(Duration::from_secs(61));
        fleet.join_as(&short, "site-3", late).await.unwrap_err().refused(401, "join_token_expired");
    }

    async fn d3_a_token_for_many_makes_pending_clusters(fleet) {
        let token = fleet.join_token(json!({"max_uses": 5})).await;
        let mut agent = Agent::new(&fleet, &fleet.join_with(&token, "site-1").await.unwrap());
        agent.is_refused(&fleet, 403, "pending").await;
        fleet.post("/v1/clusters/site-1/approve", json!({})).await.ok();
        agent.has_news(&fleet).await;
    }

    async fn a_token_of_another_fleet_and_a_taken_name_are_refused(fleet) {
        let foreign = Token::random(TokenKind::Join, Some(cdn::Digest::of(b"another fleet")));
        let said = fleet.join_with(foreign.secret().expose(), "site-1").await.unwrap_err();
        said.refused(401, "unknown_credential");
        fleet.join("site-1", json!({})).await;
        let token = fleet.join_token(json!({})).await;
        fleet.join_with(&token, "site-1").await.unwrap_err().refused(409, "name_taken");
        fleet.join_with(&token, "Site 1").await.unwrap_err().refused(422, "invalid_name");
        fleet.join_with(&token, "site-2").await.unwrap();
    }

    async fn d4_the_old_credential_dies_only_when_the_new_one_is_used(fleet) {
        let mut agent = fleet.join("site-1", json!({})).await;
        agent.has_news(&fleet).await;
        let lost = agent.renew(&fleet).await;
        // The answer got lost: the agent still has the old one, and asks again.
        agent.has_no_news(&fleet).await;
        let old = std::mem::take(&mut agent.credential);
        agent.credential.clone_from(&old);
        let new = agent.renew(&fleet).await;
        agent.has_no_news(&fleet).await;
        agent.credential = lost;
        agent.is_refused(&fleet, 401, "unknown_credential").await;
        agent.credential = new;
        agent.has_no_news(&fleet).await;
        agent.has_no_news(&fleet).await;
        agent.credential = old;
        agent.is_refused(&fleet, 401, "unknown_credential").await;
    }

    async fn d4_a_revoked_cluster_is_told_at_its_next_poll(fleet) {
        let mut agent = fleet.join("site-1", json!({})).await;
        agent.has_news(&fleet).await;
        fleet.post("/v1/clusters/site-1/revoke", json!({})).await.ok();
        agent.is_refused(&fleet, 401, "revoked").await;
        let report = agent.report();
        agent.send(&fleet, &report).await.refused(401, "revoked");
        fleet.post("/v1/clusters/site-1/approve", json!({})).await.refused(409, "revoked");
    }

    async fn d4_a_revoked_publisher_sees_and_publishes_nothing_more(fleet) {
        let mut fleet = fleet;
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let (stays, lost) = (fleet.publisher("ci", "default").await, fleet.publisher("laptop", "default").await);
        // It is known to memory, as one that was good lately.
        fleet.send(Method::GET, "/v1/wanted", &lost, None).await.ok();
        let one = fleet.publish(&lost, "default/web", 1).await;
        let publishers = fleet.get("/v1/publishers").await.ok();
        let path = format!("/v1/publishers/{}/revoke", publishers["items"][0]["id"].as_str().unwrap());
        let revoked = fleet.post(&path, json!({})).await.ok();
        assert_eq!(revoked["name"], "laptop");
        let status = json!({"service": "default/web", "outcome": "failed", "message": "x"});
        for _ in 0..2 {
            let said = fleet.send(Method::GET, "/v1/wanted", &lost, None).await;
            said.refused(401, "unknown_credential");
            let said = fleet.send(Method::POST, "/v1/publish-status", &lost, Some(status.clone())).await;
            said.refused(401, "unknown_credential");
            fleet.register(&lost, fleet.release("default/web", 2)).await.refused(401, "unknown_credential");
            fleet.stop().await;
            fleet.start(&[]).await;
        }
        assert_eq!(fleet.get("/v1/services/default/web").await.ok()["release"], json!(one), "what it published stays");
        fleet.publish(&stays, "default/web", 2).await;
        fleet.clock.advance(Duration::from_hours(1));
        assert_eq!(fleet.post(&path, json!({})).await.ok(), revoked, "it was revoked when it was");
        fleet.post("/v1/publishers/pb_none/revoke", json!({})).await.refused(404, "not_found");
    }

    async fn d7_an_agent_that_was_off_for_a_year_comes_back_unless_it_was_revoked(fleet) {
        let mut fleet = fleet;
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let publisher = fleet.publisher("ci", "default").await;
        fleet.publish(&publisher, "default/web", 1).await;
        let mut agent = fleet.join("site-1", json!({"env": "prod"})).await;
        let mut sold = fleet.join("site-2", json!({"env": "prod"})).await;
        agent.has_news(&fleet).await;
        sold.has_news(&fleet).await;
        // It went off before the answer to its last renewal came: the old credential is all that it has.
        agent.renew(&fleet).await;
        fleet.post("/v1/clusters/site-2/revoke", json!({})).await.ok();
        fleet.clock.advance(Duration::from_hours(400 * 24));
        let release = fleet.publish(&publisher, "default/web", 2).await;
        fleet.stop().await;
        fleet.start(&[]).await;
        assert_eq!(agent.has_news(&fleet).await.release("default/web"), Some(release));
        agent.has_no_news(&fleet).await;
        agent.reports(&fleet, &[], Vec::new()).await;
        agent.credential = agent.renew(&fleet).await;
        agent.has_no_news(&fleet).await;
        sold.is_refused(&fleet, 401, "revoked").await;
    }

    async fn h7_a_cluster_that_renews_in_a_loop_is_slowed(fleet) {
        let agent = fleet.join("site-1", json!({})).await;
        let renew = async || fleet.send(Method::POST, "/v1/renew", &agent.credential, None).await;
        let mut slowed = 0;
        for _ in 0..20 {
            slowed += usize::from(renew().await.status == 429);
        }
        assert_eq!(slowed, 10, "ten in a minute are made");
        let audit = fleet.get("/v1/audit?limit=1000").await.ok().to_string();
        assert_eq!(audit.matches("cluster.renew").count(), 10);
        fleet.clock.advance(Duration::from_mins(1));
        renew().await.ok();
    }

    async fn a_joiner_takes_no_other_clusters_id_as_its_name(fleet) {
        let victim = fleet.join("site-1", json!({})).await;
        let token = fleet.join_token(json!({})).await;
        fleet.join_with(&token, victim.id.as_str()).await.unwrap_err().refused(422, "invalid_name");
    }

    async fn a_token_for_a_name_lets_no_other_in(fleet) {
        let many = json!({"cluster_name": "store-*", "max_uses": 5, "approve": true});
        let one = fleet.join_token(json!({"cluster_name": "depot"})).await;
        let many = fleet.join_token(many).await;
        fleet.join_with(&one, "depot-2").await.unwrap_err().refused(403, "name_not_allowed");
        fleet.join_with(&many, "depot").await.unwrap_err().refused(403, "name_not_allowed");
        fleet.join_with(&one, "depot").await.unwrap();
        fleet.join_with(&many, "store-17").await.unwrap();
        assert_eq!(fleet.get("/v1/join-tokens").await.ok()["items"][0]["uses"], 1, "a refusal is no use");
        for wrong in ["-*", "A*", "a b", "cl-00000000000000000000000000000000"] {
            let said = fleet.post("/v1/join-tokens", json!({"cluster_name": wrong})).await;
            said.refused(422, "invalid_join_token");
        }
    }

    async fn d5_guessing_is_slowed(fleet) {
        let mut slowed = 0;
        for _ in 0..80 {
            let guess = Token::random(TokenKind::Admin, None);
            let said = fleet.send(Method::GET, "/v1/clusters", guess.secret().expose(), None).await;
            slowed += usize::from(said.status == 429);
        }
        assert_eq!(slowed, 20, "sixty wrong credentials a minute are looked at");
        fleet.get("/v1/clusters").await.ok();
        fleet.clock.advance(Duration::from_mins(1));
        let guess = Token::random(TokenKind::Admin, None);
        let said = fleet.send(Method::GET, "/v1/clusters", guess.secret().expose(), None).await;
        said.refused(401, "unknown_credential");
    }

    async fn d4_only_hashes_of_tokens_are_kept(fleet) {
        let agent = fleet.join("site-1", json!({})).await;
        let publisher = fleet.publisher("ci", "default").await;
        let join = fleet.join_token(json!({})).await;
        let next = agent.renew(&fleet).await;
        let dump = fleet.dump().await;
        assert!(dump.contains(agent.id.as_str()), "the dump shows the rows");
        for secret in [&agent.credential, &publisher, &join, &next, &fleet.admin] {
            assert!(!dump.contains(secret.as_str()), "a token is in the database");
        }
    }
}

/// Two processes count the same uses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d3_two_replicas_let_no_more_join_than_the_token_may() {
    let fleet = Fleet::on_postgres().await;
    let (other, stop) = fleet.another(&[]).await;
    let token = fleet.join_token(json!({"max_uses": 10, "approve": true})).await;
    let places = [fleet.url.clone(), format!("http://{}", other.address)];
    let joins = (0..40).map(|n| {
        let request =
            json!({"name": format!("site-{n}"), "key": SigningKey::random().public(), "agent": "0.1.0"});
        let request =
            fleet.http.post(format!("{}/v1/join", places[n % 2])).bearer_auth(&token).json(&request);
        async move { request.send().await.unwrap().status() == 201 }
    });
    let joined = join_all(joins).await.into_iter().filter(|joined| *joined).count();
    assert_eq!(joined, 10);
    assert_eq!(fleet.get("/v1/clusters?limit=1000").await.ok()["items"].as_array().unwrap().len(), 10);
    assert_eq!(fleet.get("/v1/join-tokens").await.ok()["items"][0]["uses"], 10);
    stop.cancel();
    other.wait().await.unwrap();
}

async fn join_all<F: Future<Output = bool>>(all: impl Iterator<Item = F>) -> Vec<bool> {
    let mut open: Vec<_> = all.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        open.retain_mut(|one| match one.as_mut().poll(context) {
            std::task::Poll::Ready(result) => {
                done.push(result);
                false
            }
            std::task::Poll::Pending => true,
        });
        if open.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}
