//! One decision for several: their number and names are told first, and one that fails stops no other.

use cdn::document::{Hold, HoldReason};

use crate::fleet::{Fleet, hold};

#[tokio::test(flavor = "multi_thread")]
async fn stopped_clusters_go_on_by_name_by_labels_or_all_after_one_yes() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    user.run("recover").await.fails(2, &["--all"]);
    user.run("recover site-1 --all").await.fails(2, &["cannot be used with"]);
    for (name, region) in [("a", "north"), ("b", "north"), ("c", "south"), ("d", "south")] {
        let joined = fleet.join(name, &format!(" --label region={region}")).await;
        if name != "d" {
            fleet.polls_ahead(&joined.credential).await;
        }
    }
    let stopped = async || user.run("get clusters --state agentahead -o name").await.ok();
    assert_eq!(stopped().await, "cluster/a\ncluster/b\ncluster/c\n");
    assert_eq!(user.run("get clusters --state active -o name").await.ok(), "cluster/d\n");
    user.run("recover a d --yes").await.fails(1, &["cluster d needs no recovery"]);
    let said =
        user.run("recover -l region=north").await.fails(2, &["agent of a", "agent of b", "2 clusters:"]);
    assert!(!said.contains("agent of c"), "{said}");
    assert_eq!(stopped().await.lines().count(), 3, "nobody said yes");
    let done = user.run("recover -l region=north --yes").await.ok();
    assert_eq!(done, "cluster/a recovered\ncluster/b recovered\n");
    assert_eq!(user.run("recover --all --yes").await.ok(), "cluster/c recovered\n");
    let none = user.run("recover --all --yes").await;
    assert!(none.err.contains("no such cluster is stopped"), "{none:?}");
    none.ok();
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_clusters_and_holds_are_approved_at_once() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    user.run("join-token create --uses 3 --label region=north --out token").await.ok();
    for name in ["a", "b"] {
        fleet.join(name, " --uses 2 --label region=north").await;
    }
    user.run("approve cluster -l region=south --yes").await.ok();
    user.run("approve cluster --all").await.fails(2, &["a (", "b (", "2 clusters: let each"]);
    let done = user.run("approve cluster a b a --yes").await.ok();
    assert_eq!(done, "cluster/a approved\ncluster/b approved\n");

    let joined = fleet.join("c", " --label region=south").await;
    let other = Hold { reason: HoldReason::NeedsConfirm, ..hold("a namespace would go") };
    fleet.report(&joined.credential, vec![hold("nine objects would go"), other]).await;
    user.run("approve hold --all").await.fails(2, &["nine objects", "a namespace", "2 holds: let each"]);
    user.run("approve hold -l region=north --yes").await.ok();
    assert_eq!(user.run("get holds").await.ok().matches("approved").count(), 0);
    user.run("approve hold -l region=south --reason NeedsConfirm --yes").await.ok();
    assert_eq!(user.run("get holds").await.ok().matches("approved").count(), 1);
    user.run("approve hold --all --yes").await.ok();
    assert_eq!(user.run("get holds").await.ok().matches("approved").count(), 2);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_name_of_a_hold_is_described_and_a_filter_that_means_nothing_is_refused() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    let shared = hold("nine objects would go");
    let plain = |message: &str| Hold { digest: None, reason: HoldReason::Conflict, ..hold(message) };
    for name in ["a", "b"] {
        let joined = fleet.join(name, " --label region=north").await;
        fleet.report(&joined.credential, vec![shared.clone(), plain("one field"), plain("another")]).await;
    }
    let names = user.run("get holds -o name").await.ok();
    assert_eq!(names.lines().count(), 6, "{names}");
    for name in names.lines() {
        let page = user.run(&format!("describe hold {name}")).await.ok();
        assert_eq!(page.matches("Message").count(), 2, "{name}: {page}");
    }
    user.run("get holds --reason PruneBudgt").await.fails(2, &["PruneBudgt", "PruneBudget"]);
    for selector in ["env=prod,,", ",", "a,,b"] {
        user.run(&format!("get clusters -l {selector}")).await.fails(2, &["no condition beside it"]);
    }
    user.run("get holds --state active").await.fails(2, &["--state is for clusters only"]);
    fleet.end().await;
}
