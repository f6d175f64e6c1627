//! Join, poll, 304, news.

use std::time::Duration;

use serde_json::json;

on_both! {
    async fn a_cluster_joins_polls_and_then_hears_nothing_new(fleet) {
        let mut agent = fleet.join("site-1", json!({"env": "prod"})).await;
        let held = agent.has_news(&fleet).await;
        assert_eq!((held.desired.cluster.clone(), held.services().len()), (agent.id.clone(), 0));
        assert_eq!(held.desired.fleet, fleet.trust.fleet());
        assert_eq!(held.desired.origins, ["https://cdn.example.com"]);
        agent.has_no_news(&fleet).await;
        agent.has_no_news(&fleet).await;
    }

    async fn a_release_comes_with_the_answer_and_the_set_is_shared(fleet) {
        fleet.global("web", json!({"matchLabels": {"env": "prod"}})).await;
        let mut one = fleet.join("site-1", json!({"env": "prod"})).await;
        let mut two = fleet.join("site-2", json!({"env": "prod"})).await;
        assert!(one.has_news(&fleet).await.services().is_empty(), "no release yet");
        let publisher = fleet.publisher("ci", "default").await;
        let release = fleet.publish(&publisher, "default/web", 1).await;
        let held = one.has_news(&fleet).await;
        assert_eq!(held.release("default/web"), Some(release));
        assert!(held.objects.contains(&release), "the release rides beside the document");
        assert_eq!(two.has_news(&fleet).await.desired.set, held.desired.set);
        one.has_no_news(&fleet).await;
    }

    async fn a_document_is_signed_anew_after_half_its_lifetime_at_the_same_sequence(fleet) {
        let mut agent = fleet.join("site-1", json!({})).await;
        let first = agent.has_news(&fleet).await.desired;
        fleet.clock.advance(Duration::from_hours(11));
        agent.has_no_news(&fleet).await;
        fleet.clock.advance(Duration::from_hours(2));
        let second = agent.has_news(&fleet).await.desired;
        assert_eq!((first.seq, first.content()), (second.seq, second.content()));
        assert_eq!(second.issued.as_second() - first.issued.as_second(), 12 * 3_600);
        agent.has_no_news(&fleet).await;
    }

    async fn what_is_known_survives_a_restart_and_no_sequence_moves(fleet) {
        let mut fleet = fleet;
        let mut agent = fleet.join("site-1", json!({})).await;
        agent.has_news(&fleet).await;
        fleet.stop().await;
        fleet.start(&[]).await;
        agent.has_no_news(&fleet).await;
    }

    async fn other_origins_are_a_newer_assignment_for_everyone(fleet) {
        let mut fleet = fleet;
        let mut agent = fleet.join("site-1", json!({})).await;
        let before = agent.has_news(&fleet).await.desired;
        fleet.stop().await;
        fleet.start(&["--origins=https://elsewhere.example.com"]).await;
        let after = agent.has_news(&fleet).await.desired;
        assert!(after.seq > before.seq);
        assert!(after.origins.contains(&"https://elsewhere.example.com".to_owned()), "{:?}", after.origins);
    }

    async fn k1_what_an_older_api_does_not_know_is_ignored(fleet) {
        let mut agent = fleet.join("site-1", json!({})).await;
        agent.has_news(&fleet).await;
        let mut report = serde_json::to_value(agent.report()).unwrap();
        report["a_later_field"] = json!({"x": 1});
        report["usage"]["a_later_number"] = json!(7);
        fleet.send(reqwest::Method::POST, "/v1/report", &agent.credential, Some(report.clone())).await.ok();
        report["must_understand"] = json!(["a_later_field"]);
        let said = fleet.send(reqwest::Method::POST, "/v1/report", &agent.credential, Some(report)).await;
        said.refused(422, "invalid_report");
    }

    async fn a8_each_cluster_is_told_its_own_document(fleet) {
        let mut one = fleet.join("site-1", json!({})).await;
        let mut two = fleet.join("site-2", json!({})).await;
        let (a, b) = (one.has_news(&fleet).await.desired, two.has_news(&fleet).await.desired);
        assert_eq!((a.cluster, b.cluster), (one.id.clone(), two.id.clone()));
        // The ETag of one is no 304 for the other, though both run the same set.
        two.held.clone_from(&one.held);
        let request = fleet.http.get(format!("{}/v1/desired", fleet.url)).bearer_auth(&two.credential);
        let etag = format!("\"{}\"", cdn::Digest::of(b"another"));
        assert_eq!(request.header("if-none-match", etag).send().await.unwrap().status(), 200);
        assert_eq!(a.set, b.set);
    }
}
