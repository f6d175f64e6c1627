//! Objects that move between services, that were there before us, or that would go: on a folder, from end to end.

use cdn::document::{Approval, HoldReason, RemovalMode};
use serde_json::json;

use crate::fleet::{config, config_in, service};
use crate::site::{Site, reasons};

#[tokio::test]
async fn f14_an_object_moves_to_another_service_and_its_file_stays() {
    let mut site = Site::new().await;
    site.fleet.publish("old", &[config_in("x", "m", "1"), config("a", "1")]);
    site.fleet.publish("new", &[config("b", "1")]);
    site.assign().await;
    site.fleet.publish("old", &[config("a", "1")]);
    site.fleet.publish("new", &[config_in("x", "m", "1"), config("b", "1")]);
    let mut running = site.start();
    let envelope = site.fleet.assign(&site.wire.cluster);
    site.wire.serve(envelope);
    let there = || site.path("x", "m").exists();
    let mut always = there();
    running
        .until("moved", |status| {
            always &= there();
            status.pass.as_ref().is_some_and(|pass| pass.seq == site.fleet.seq)
        })
        .await;
    running.stop().await;
    let status = site.once().await;
    assert!(always && there());
    assert!(reasons(&status).is_empty());
    assert!(site.files()["x_ConfigMap_m.json"].contains("default/new"));
    assert_eq!(site.files().len(), 3);
}

#[tokio::test]
async fn f15_a_renamed_service_takes_its_files_along() {
    let mut site = Site::new().await;
    site.fleet.publish("old", &[config_in("x", "m", "1")]);
    site.assign().await;
    site.fleet.set.clear();
    site.fleet.publish("new", &[config_in("x", "m", "1")]);
    site.fleet.options("new").formerly.push(service("old"));
    let status = site.assign().await;
    assert!(reasons(&status).is_empty());
    assert_eq!(site.names(), ["x_ConfigMap_m.json"]);
    assert!(site.files()["x_ConfigMap_m.json"].contains("default/new"));
}

#[tokio::test]
async fn f16_a_file_that_was_there_before_us_is_adopted_and_stays_when_the_service_goes() {
    let mut site = Site::new().await;
    std::fs::create_dir_all(site.target()).unwrap();
    std::fs::write(site.path("web", "a"), config_in("web", "a", "theirs").to_string()).unwrap();
    site.fleet.publish("web", &[config("a", "ours"), config("b", "ours")]);
    site.assign().await;
    assert_eq!(site.text("web", "a").as_deref(), Some("ours"));
    site.fleet.remove("web", RemovalMode::Delete);
    site.assign().await;
    assert_eq!(site.names(), ["web_ConfigMap_a.json"]);
}

#[tokio::test]
async fn two_kinds_never_share_a_file() {
    let mut site = Site::new().await;
    let of = |version: &str, kind: &str| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "web", "namespace": "x"}});
    site.fleet.publish("web", &[of("apps/v1", "Deployment")]);
    site.fleet.publish("other", &[of("v1", "Deployment.apps"), config("a", "1")]);
    let status = site.assign().await;
    assert_eq!(reasons(&status), [HoldReason::KindNotServed], "no cluster has a kind with a dot in it");
    assert_eq!(site.names(), ["other_ConfigMap_a.json", "x_Deployment.apps_web.json"]);
}

#[tokio::test]
async fn f18_a_bundle_that_lost_most_of_its_objects_deletes_them_only_with_a_yes() {
    let mut site = Site::new().await;
    let many: Vec<_> = (0..30).map(|n| config(&format!("c{n}"), "1")).collect();
    site.fleet.publish("web", &many);
    site.assign().await;
    site.fleet.publish("web", &many[..6]);
    let status = site.assign().await;
    assert_eq!(reasons(&status), [HoldReason::PruneBudget]);
    assert_eq!(site.files().len(), 30);
    let hold = site.wire.report().holds[0].digest.unwrap();
    site.fleet.approvals.push(Approval { hold, signatures: Vec::new() });
    let status = site.assign().await;
    assert!(reasons(&status).is_empty());
    assert_eq!(site.files().len(), 6);
}

#[tokio::test]
async fn f17_a_namespace_goes_only_with_a_yes() {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}});
    let mut site = Site::new().await;
    site.fleet.publish("web", &[namespace, config("a", "1")]);
    site.assign().await;
    assert_eq!(site.names(), ["__Namespace_web.json", "web_ConfigMap_a.json"]);
    site.fleet.remove("web", RemovalMode::Delete);
    let status = site.assign().await;
    assert_eq!(reasons(&status), [HoldReason::NeedsConfirm]);
    assert_eq!(site.names(), ["__Namespace_web.json"]);
    assert!(site.wire.report().removed.is_empty());
}

#[tokio::test]
async fn b9_an_empty_bundle_deletes_nothing() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1"), config("b", "1")]);
    site.assign().await;
    site.fleet.publish("web", &[]);
    let status = site.assign().await;
    assert_eq!(reasons(&status), [HoldReason::PruneBudget]);
    assert_eq!(site.files().len(), 2);
}

#[tokio::test]
async fn f22_an_inventory_lost_in_one_place_is_had_from_the_other() {
    for lost in ["state/inventory.json", "target/.windlass/inventory"] {
        let mut site = Site::new().await;
        site.fleet.publish("web", &[config("a", "1"), config("b", "1")]);
        site.assign().await;
        let file = site.state().parent().unwrap().join(lost);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace('1', "2")).unwrap();
        site.fleet.publish("web", &[config("a", "1")]);
        let status = site.assign().await;
        assert!(reasons(&status).is_empty(), "{lost}");
        assert_eq!(site.names(), ["web_ConfigMap_a.json"], "{lost}");
    }
}

#[tokio::test]
async fn f22_an_inventory_lost_in_both_places_deletes_nothing_before_a_clean_pass() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1"), config("b", "1"), config("c", "1")]);
    site.assign().await;
    std::fs::remove_file(site.state().join("inventory.json")).unwrap();
    std::fs::remove_file(site.target().join(".windlass/inventory")).unwrap();
    site.fleet.publish("web", &[config("a", "1"), config("b", "1")]);
    // The first pass finds all three by their marks; what was applied it learns only of what is wanted.
    let status = site.assign().await;
    assert_eq!(reasons(&status), [HoldReason::NeedsConfirm]);
    assert_eq!(site.files().len(), 3, "what nobody wrote down goes only with a yes");
    // What was built anew is whole: what goes from here on goes.
    site.fleet.publish("web", &[config("a", "1")]);
    site.assign().await;
    assert_eq!(site.names(), ["web_ConfigMap_a.json", "web_ConfigMap_c.json"]);
}

#[tokio::test]
async fn d9_a_target_that_lost_its_name_is_another_one() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1"), config("b", "1")]);
    site.assign().await;
    std::fs::remove_dir_all(site.target().join(".windlass")).unwrap();
    site.fleet.publish("web", &[config("a", "2")]);
    let status = site.assign().await;
    assert_eq!(reasons(&status), [HoldReason::WrongHome]);
    assert_eq!(site.text("web", "a").as_deref(), Some("1"));
    assert_eq!(site.files().len(), 2);
}

#[tokio::test]
async fn f22_both_inventories_lost_are_built_anew_from_what_is_there() {
    let mut site = Site::new().await;
    site.fleet.publish("web", &[config("a", "1"), config("b", "1"), config("c", "1")]);
    site.assign().await;
    std::fs::remove_file(site.state().join("inventory.json")).unwrap();
    std::fs::remove_file(site.target().join(".windlass/inventory")).unwrap();
    let status = site.once().await;
    assert!(reasons(&status).is_empty(), "the first pass was clean, and the next one says nothing of it");
    site.fleet.publish("web", &[config("a", "1"), config("b", "1")]);
    site.assign().await;
    assert_eq!(site.files().len(), 2);
}
