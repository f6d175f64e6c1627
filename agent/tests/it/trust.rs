//! Documents that must not be believed: the agent keeps what runs, and says what it refused.

use axum::http::StatusCode;
use cdn::document::{Desired, HoldReason, Named, Sync};
use cdn::envelope::Envelope;
use cdn::wire::{Inline, PollAnswer};
use cdn::{ClusterId, Digest, SigningKey};
use serde_json::{Value, json};

use crate::fleet::config;
use crate::site::{Site, reasons, reported};

/// A site that runs `web` with text 1.
async fn running() -> Site {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1")]);
    site.assign().await;
    assert_eq!(site.text("web", "a").as_deref(), Some("1"));
    site
}

/// A site that runs text 1, is assigned text 2, and whose assignment is made wrong.
async fn refused(wrong: impl FnOnce(&mut Site, Desired) -> Envelope) -> (Site, Vec<HoldReason>) {
    let mut site = running().await;
    site.fleet.publish("web", &[config("a", "2")]);
    let desired = site.fleet.desired(&site.wire.cluster);
    let envelope = wrong(&mut site, desired);
    site.wire.serve(envelope);
    let status = site.once().await;
    assert_eq!(site.text("web", "a").as_deref(), Some("1"), "what runs goes on");
    (site, reasons(&status))
}

#[tokio::test]
async fn a1_other_bytes_under_a_digest_hold_that_service_alone() {
    let mut site = running().await;
    let published = site.fleet.publish("web", &[config("a", "2")]);
    site.fleet.publish("other", &[config("b", "1")]);
    let places: Vec<_> = published.encodings.iter().map(|digest| site.fleet.place(*digest)).collect();
    let good: Vec<_> = places.iter().map(|place| std::fs::read(place).unwrap()).collect();
    let envelope = site.fleet.assign(&site.wire.cluster);
    site.wire.serve(envelope);
    for flip in (0..good[0].len()).step_by(37) {
        for (place, good) in places.iter().zip(&good) {
            let mut bytes = good.clone();
            bytes[flip] ^= 0x40;
            std::fs::write(place, bytes).unwrap();
        }
        let status = site.once().await;
        assert_eq!(reasons(&status), [HoldReason::ContentMismatch], "byte {flip}");
        assert_eq!(site.text("web", "a").as_deref(), Some("1"));
    }
    assert_eq!(site.text("other", "b").as_deref(), Some("1"));
    // One good encoding is enough.
    std::fs::write(&places[1], &good[1]).unwrap();
    let status = site.once().await;
    assert!(reasons(&status).is_empty());
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
}

#[tokio::test]
async fn a2_an_older_assignment_is_not_taken_also_after_a_restart() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1")]);
    let old = site.fleet.assign(&site.wire.cluster);
    site.fleet.publish("web", &[config("a", "2")]);
    site.assign().await;
    for _ in 0..2 {
        site.wire.serve(old.clone());
        let status = site.once().await;
        assert_eq!(site.text("web", "a").as_deref(), Some("2"));
        assert!(status.network.problem.contains("older"), "{}", status.network.problem);
        assert_eq!(site.wire.report().seq, site.fleet.seq, "the server sees the newer one");
    }
    let status = site.assign().await;
    assert_eq!(status.network.problem, "");
}

#[tokio::test]
async fn a2_the_same_sequence_with_another_content_is_a_conflict() {
    let (_, reasons) = refused(|site, desired| {
        let seq = site.fleet.seq - 2;
        let held = site.wire.report().seq;
        assert_eq!(seq, held);
        Envelope::sign(&Desired { seq, ..desired }, &[&site.fleet.desired_key])
    })
    .await;
    assert_eq!(reasons, [HoldReason::SeqConflict]);
}

#[tokio::test]
async fn a3_a_sequence_that_was_driven_out_of_reach_ends_with_the_key_that_did_it() {
    for minds_seq in [false, true] {
        let mut site = running().await;
        let now = site.fleet.seq;
        site.fleet.seq = u64::MAX - 1;
        site.assign().await;
        // The real api serves nothing to whoever says that it holds more.
        site.wire.far().minds_seq = minds_seq;
        site.fleet.seq = now;
        site.fleet.publish("web", &[config("a", "2")]);
        let status = site.assign().await;
        let problem = if minds_seq { "409" } else { "older" };
        assert!(status.network.problem.contains(problem), "{}", status.network.problem);
        assert_eq!(site.text("web", "a").as_deref(), Some("1"));
        site.fleet.rotate();
        let status = site.assign().await;
        assert_eq!((status.network.root, status.network.seq), (2, site.fleet.seq));
        assert_eq!(site.text("web", "a").as_deref(), Some("2"));
    }
}

/// A site that runs text 2, with text 1 on disk as the release before; and the set that names that one.
async fn with_one_before() -> (Site, std::collections::BTreeMap<cdn::ServiceName, cdn::document::ServiceEntry>)
{
    let mut site = running().await;
    let old = site.fleet.set.clone();
    site.fleet.withdraws = true;
    site.fleet.publish("web", &[config("a", "2")]);
    site.assign().await;
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
    (site, old)
}

/// Whatever the api's key signs: text 2 runs, also after a restart without any network.
async fn stays_at_two(site: &Site) {
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    site.wire.far().broken = Some((StatusCode::BAD_GATEWAY, String::new()));
    site.once().await;
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
}

#[tokio::test]
async fn a9_a_stolen_api_key_does_not_bring_back_a_release_that_its_publisher_withdrew() {
    let (mut site, old) = with_one_before().await;
    site.fleet.set = old;
    let status = site.assign().await;
    assert_eq!(reasons(&status), [HoldReason::ReleaseRefused]);
    stays_at_two(&site).await;
}

#[tokio::test]
async fn a9_a_stolen_api_key_does_not_bring_back_a_release_whose_publishers_key_was_dropped() {
    let (mut site, old) = with_one_before().await;
    site.fleet.publisher_key = SigningKey::random();
    site.fleet.rotate();
    site.fleet.set = old;
    let status = site.assign().await;
    assert_eq!(status.network.root, 2);
    assert_eq!(reasons(&status), [HoldReason::NotSigned]);
    stays_at_two(&site).await;
}

#[tokio::test]
async fn a9_a_service_that_went_and_comes_back_is_verified_anew() {
    let (mut site, old) = with_one_before().await;
    site.fleet.remove("web", cdn::document::RemovalMode::Delete);
    site.assign().await;
    assert!(site.names().is_empty());
    site.fleet.removals.clear();
    site.fleet.publisher_key = SigningKey::random();
    site.fleet.rotate();
    site.fleet.set = old;
    for _ in 0..2 {
        let status = site.assign().await;
        assert_eq!(reasons(&status), [HoldReason::NotSigned]);
        assert!(site.names().is_empty());
    }
}

#[tokio::test]
async fn b8_a_bundle_that_is_signed_and_no_bundle_holds_its_service_and_the_others_go_on() {
    let mut site = running().await;
    site.fleet.publish_tar(&crate::fleet::service("web"), &[b'x'; 1_024]);
    site.fleet.publish("other", &[config("b", "1")]);
    let status = site.assign().await;
    assert_eq!(reasons(&status), [HoldReason::BundleRefused]);
    assert_eq!(reported(&status, "web").sync, Sync::Held);
    assert_eq!(site.text("web", "a").as_deref(), Some("1"), "nothing of it is applied, and nothing goes");
    assert_eq!(site.text("other", "b").as_deref(), Some("1"));
}

#[tokio::test]
async fn a5_a_document_is_never_joined_with_the_set_of_another() {
    let mut site = running().await;
    let old = cdn::document::Set::new(site.fleet.set.values().cloned().collect()).to_bytes();
    site.fleet.publish("web", &[config("a", "2")]);
    let desired = site.fleet.desired(&site.wire.cluster);
    let set = desired.set;
    let envelope = Envelope::sign(&desired, &[&site.fleet.desired_key]);
    // The new document, with the old set under the new one's name beside it; and the right one nowhere.
    std::fs::remove_file(site.fleet.place(set.digest)).unwrap();
    let objects = [(set.digest, Inline(old))].into();
    site.wire.far().answer = Some(PollAnswer { envelope, objects });
    let status = site.once().await;
    assert_eq!(reasons(&status), [HoldReason::ContentUnavailable]);
    assert_eq!(site.text("web", "a").as_deref(), Some("1"));
    assert_eq!(reported(&status, "web").sync, Sync::Synced, "the old snapshot is whole");
    assert!(status.network.seq < site.fleet.seq);
    // With the right one it is taken, without anything new from the api.
    site.fleet.put(&cdn::document::Set::new(site.fleet.set.values().cloned().collect()).to_bytes());
    site.once().await;
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
}

#[tokio::test]
async fn a8_an_assignment_of_another_cluster_or_fleet_is_refused() {
    let (_, reasons) = refused(|site, desired| {
        let desired = Desired { cluster: ClusterId::random(), ..desired };
        Envelope::sign(&desired, &[&site.fleet.desired_key])
    })
    .await;
    assert_eq!(reasons, [HoldReason::WrongCluster]);
    let (_, reasons) = refused(|site, desired| {
        Envelope::sign(&Desired { fleet: Digest::of(b"x"), ..desired }, &[&site.fleet.desired_key])
    })
    .await;
    assert_eq!(reasons, [HoldReason::WrongCluster]);
}

#[tokio::test]
async fn a9_three_rotations_while_the_agent_was_away_are_walked_and_the_old_key_is_refused() {
    let mut site = running().await;
    let stolen = std::mem::replace(&mut site.fleet.desired_key, SigningKey::random());
    for _ in 0..3 {
        site.fleet.rotate();
    }
    site.fleet.publish("web", &[config("a", "2")]);
    let status = site.assign().await;
    assert_eq!(status.network.root, 4);
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
    site.fleet.publish("web", &[config("a", "3")]);
    let desired = site.fleet.desired(&site.wire.cluster);
    site.wire.serve(Envelope::sign(&desired, &[&stolen]));
    let status = site.once().await;
    assert_eq!(reasons(&status), [HoldReason::NotSigned]);
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
}

/// The keys are the same: nothing but the root that the document names says that its origins are allowed.
#[tokio::test]
async fn a9_an_agent_that_runs_looks_for_the_root_that_allows_what_an_older_one_refuses() {
    let mut site = running().await;
    site.fleet.allow_origins("cdn.example.com");
    let mut agent = site.start();
    agent.until("held", |status| status.network.connected && status.network.root == 2).await;
    site.fleet.publish("web", &[config("a", "2")]);
    site.fleet.allow_origins("127.0.0.1");
    let origins = vec!["http://127.0.0.1:9/".to_owned()];
    let desired = Desired { origins, ..site.fleet.desired(&site.wire.cluster) };
    site.wire.serve(Envelope::sign(&desired, &[&site.fleet.desired_key]));
    agent.until("applied", |_| site.text("web", "a").as_deref() == Some("2")).await;
    let status = agent.until("said", |status| status.network.seq == desired.seq).await;
    assert_eq!(status.network.root, 3);
    agent.stop().await;
}

#[tokio::test]
async fn a9_a_key_that_is_rotated_does_not_stop_the_repair_of_what_runs() {
    let mut site = running().await;
    site.fleet.rotate();
    site.fleet.publisher_key = SigningKey::random();
    site.fleet.rotate();
    site.wire.far().broken = Some((StatusCode::BAD_GATEWAY, String::new()));
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    let status = site.once().await;
    assert_eq!(status.network.root, 3);
    assert_eq!(site.text("web", "a").as_deref(), Some("1"));
}

#[tokio::test]
async fn a10_a_threshold_counts_distinct_keys_and_few_signatures() {
    let other = SigningKey::random();
    let (mut site, reasons) = refused(|site, desired| {
        let keys = vec![site.fleet.desired_key.public(), other.public()];
        site.fleet.demand(keys, 2);
        Envelope::sign(&desired, &[&site.fleet.desired_key, &site.fleet.desired_key])
    })
    .await;
    assert_eq!(reasons, [HoldReason::NotSigned]);
    let desired = site.fleet.desired(&site.wire.cluster);
    let good = Envelope::sign(&desired, &[&site.fleet.desired_key, &other]);
    let many = tampered(&good, |envelope| {
        let signatures = envelope["signatures"].as_array_mut().unwrap();
        signatures.extend(std::iter::repeat_n(signatures[0].clone(), 16));
    });
    site.wire.serve(many);
    let status = site.once().await;
    assert_eq!(crate::site::reasons(&status), [HoldReason::NotSigned]);
    site.wire.serve(good);
    site.once().await;
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
}

#[tokio::test]
async fn a11_what_cannot_be_verified_or_read_is_refused() {
    let nobody = |_: &mut Site, desired| Envelope::sign(&desired, &[]);
    assert_eq!(refused(nobody).await.1, [HoldReason::NotSigned]);
    let stranger = |_: &mut Site, desired| Envelope::sign(&desired, &[&SigningKey::random()]);
    assert_eq!(refused(stranger).await.1, [HoldReason::NotSigned]);
    let publisher = |site: &mut Site, desired| Envelope::sign(&desired, &[&site.fleet.publisher_key]);
    assert_eq!(refused(publisher).await.1, [HoldReason::NotSigned]);
    let edits: [fn(&mut Value); 4] = [
        |envelope| {
            // Three spaces before the same JSON.
            envelope["payload"] = json!(format!("ICAg{}", envelope["payload"].as_str().unwrap()));
        },
        |envelope| envelope["payloadType"] = json!("application/vnd.windlass.release.v0+json"),
        |envelope| envelope["signatures"] = json!([{"keyid": "none", "sig": ""}]),
        |envelope| envelope["signatures"][0]["sig"] = json!("bm9uZQ=="),
    ];
    for edit in edits {
        let edited =
            |site: &mut Site, desired| tampered(&Envelope::sign(&desired, &[&site.fleet.desired_key]), edit);
        assert_eq!(refused(edited).await.1, [HoldReason::NotSigned]);
    }
}

#[tokio::test]
async fn l13_a_signed_assignment_that_cannot_be_used_says_what_is_wrong_with_it() {
    let no_set = |site: &mut Site, desired: Desired| {
        let set = b"{}";
        site.fleet.put(set);
        let set = Named::of(set);
        Envelope::sign(&Desired { set, ..desired }, &[&site.fleet.desired_key])
    };
    assert_eq!(refused(no_set).await.1, [HoldReason::AssignmentUnusable]);
    let elsewhere = |site: &mut Site, desired: Desired| {
        site.fleet.allow_origins("cdn.example.com");
        let origins = vec!["https://other.example.com/".to_owned()];
        Envelope::sign(&Desired { root: 2, origins, ..desired }, &[&site.fleet.desired_key])
    };
    assert_eq!(refused(elsewhere).await.1, [HoldReason::OriginNotAllowed]);
}

/// An envelope, changed on the way.
fn tampered(envelope: &Envelope, change: impl FnOnce(&mut Value)) -> Envelope {
    let mut value = serde_json::to_value(envelope).unwrap();
    change(&mut value);
    let tampered: Envelope = serde_json::from_value(value).unwrap();
    assert_ne!(tampered, *envelope);
    tampered
}

#[tokio::test]
async fn a11_a_release_by_another_key_or_for_another_service_is_refused() {
    let mut site = running().await;
    let good = std::mem::replace(&mut site.fleet.publisher_key, SigningKey::random());
    site.fleet.publish("web", &[config("a", "2")]);
    let status = site.assign().await;
    assert_eq!(reasons(&status), [HoldReason::NotSigned]);
    site.fleet.publisher_key = good;
    let other = site.fleet.publish("other", &[config("b", "1")]);
    site.fleet.set.get_mut(&crate::fleet::service("web")).unwrap().release = other.release;
    let status = site.assign().await;
    assert_eq!(reasons(&status), [HoldReason::ReleaseRefused]);
    assert_eq!(site.text("web", "a").as_deref(), Some("1"));
    assert_eq!(site.text("other", "b").as_deref(), Some("1"));
}

#[tokio::test]
async fn a13_nothing_that_a_bundle_names_is_fetched() {
    let mut site = running().await;
    let url = format!("{}/base.yaml", site.wire.url);
    let base = serde_json::json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "metadata": {"name": "k"}, "resources": [url], "data": {"text": url}});
    site.fleet.publish("web", &[config("a", &url), base]);
    let status = site.assign().await;
    assert!(reasons(&status).is_empty());
    assert_eq!(site.text("web", "a"), Some(url));
    assert_eq!(site.wire.far().strangers, 0);
}

#[tokio::test]
async fn a4_an_assignment_that_has_expired_is_said_and_goes_on_running() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1")]);
    let desired = site.fleet.desired(&site.wire.cluster);
    let past = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(200);
    let desired = Desired { issued: past, expires: past, set: Named { ..desired.set }, ..desired };
    site.wire.serve(Envelope::sign(&desired, &[&site.fleet.desired_key]));
    let status = site.once().await;
    assert_eq!(reasons(&status), [HoldReason::Stale]);
    assert_eq!(site.text("web", "a").as_deref(), Some("1"));
}
