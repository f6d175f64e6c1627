//! Decisions: which release runs, who may join, what goes; each with its effect told first.

use std::collections::BTreeMap;

use cdn::wire::{Outcome, PublishStatus};

use crate::fleet::{Fleet, config};

#[tokio::test(flavor = "multi_thread")]
async fn undo_pins_the_release_before_and_resume_follows_again() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    fleet.describe(&["web"]).await;
    let first = fleet.publish("default/web", &BTreeMap::from([("a.yaml", config("a", "1"))])).await;
    let second = fleet.publish("default/web", &BTreeMap::from([("a.yaml", config("a", "2"))])).await;
    let current =
        async || user.run("get services web -o json").await.json()["release"].as_str().unwrap().to_owned();
    assert_eq!(current().await, second);
    user.run("rollout undo web")
        .await
        .fails(2, &["default/web goes to: env=test", "run it again with --yes"]);
    assert_eq!(current().await, second, "nobody said yes");
    let printed = user.run("rollout undo web --yes").await.ok();
    assert_eq!(
        printed,
        format!("service/default/web {} -> {}, follows pinned\n", &second[7..19], &first[7..19])
    );
    assert_eq!(current().await, first);
    let third = fleet.publish("default/web", &BTreeMap::from([("a.yaml", config("a", "3"))])).await;
    assert_eq!(current().await, first, "what is published waits");
    user.run("rollout resume web -y").await.ok();
    assert_eq!(current().await, third);
    user.run("rollout pause web -y").await.ok();
    user.run(&format!("rollout undo web --to {} -y", &first[7..15])).await.ok();
    assert_eq!(current().await, first);
    let history = user.run("rollout history web -o name").await.ok();
    assert_eq!(history, format!("release/{third}\nrelease/{second}\nrelease/{first}\n"));
    user.run("rollout undo web --to 00000000 -y").await.fails(4, &["no release `00000000`"]);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_waits_no_longer_than_it_was_told() {
    let fleet = Fleet::start().await;
    fleet.describe(&["web"]).await;
    fleet.publish("default/web", &BTreeMap::from([("a.yaml", config("a", "1"))])).await;
    let user = &fleet.user;
    user.run("rollout status web").await.fails(1, &["no active target"]);
    fleet.join("site-1", " --label env=test").await;
    let ran = user.run("rollout status web --wait --timeout 1s").await;
    assert!(ran.out.contains("site-1"), "{ran:?}");
    ran.fails(6, &["1 of 1 cluster without"]);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_its_publisher_has_not_looked_at_is_not_done_though_the_old_release_is_everywhere() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    fleet.describe(&["web"]).await;
    let release = fleet.publish("default/web", &BTreeMap::from([("a.yaml", config("a", "1"))])).await;
    let joined = fleet.join("site-1", " --label env=test").await;
    fleet.runs(&joined.credential, "default/web", &release).await;
    user.run("rollout status web").await.ok();
    let line = "rollout status web --commit 4be1c2d3";
    let waits = "default/web waits for commit 4be1c2d3 from its publisher";
    user.run(line).await.fails(1, &[waits, "has said nothing yet"]);
    let said = |commit: &str, outcome, message: &str| PublishStatus {
        service: "default/web".parse().unwrap(),
        commit: commit.to_owned(),
        outcome,
        release: Some(release.parse().unwrap()),
        message: message.to_owned(),
        asked: None,
    };
    fleet.say(&said("0000aaaa", Outcome::Unchanged, "")).await;
    user.run(&format!("{line} --wait --timeout 1s")).await.fails(6, &[waits, "looked at 0000aaaa last"]);
    fleet.say(&said("4be1c2d3e4f5", Outcome::Refused, "there is no `web` in the source")).await;
    for line in [line, "rollout status web"] {
        user.run(line).await.fails(1, &["the publisher of default/web refuses it: there is no `web`"]);
    }
    fleet.say(&said("4be1c2d3e4f5", Outcome::Unchanged, "")).await;
    user.run(line).await.ok();
    user.run("rollout status web --commit main").await.fails(2, &["first digits"]);
    // A folder's revision has no commit, and is asked for by the digits that tables show.
    let own = user.run(&format!("get release {release} -o json")).await.json()["revision"].clone();
    let own = own.as_str().unwrap().strip_prefix("sha256:").unwrap();
    user.run(&format!("rollout status web --commit {}", &own[..12])).await.ok();
    // Pinned, and the commit is refused, or published and not what runs.
    user.run("rollout pause web --yes").await.ok();
    fleet.say(&said("5555aaaa", Outcome::Refused, "no such folder")).await;
    let line = "rollout status web --commit 5555aaaa";
    user.run(line).await.fails(1, &["refuses it: no such folder"]);
    let other = cdn::Digest::of(b"another release");
    fleet.say(&PublishStatus { release: Some(other), ..said("5555aaaa", Outcome::Published, "") }).await;
    user.run(line).await.fails(1, &["5555aaaa is published as", "rollout resume default/web"]);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_its_publisher_has_not_looked_at_is_not_done_though_the_old_release_is_everywhere() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    fleet.describe(&["web"]).await;
    fleet.publish("default/web", &BTreeMap::from([("a.yaml", config("a", "1"))])).await;
    let release = fleet.publish_as_described("default/web").await;
    let joined = fleet.join("site-1", " --label env=test").await;
    fleet.runs(&joined.credential, "default/web", &release).await;
    user.run("rollout status web").await.ok();
    user.write("fleet.yaml", user.text("fleet.yaml").replace("namespace: apps", "namespace: shop"));
    user.run("apply -f fleet.yaml").await.ok();
    let waits = "default/web waits for its publisher to look at the last change";
    user.run("rollout status web").await.fails(1, &[waits]);
    user.run("rollout status web --wait --timeout 1s").await.fails(6, &[waits]);
    // What is pinned waits for nobody.
    user.run("rollout pause web -y").await.ok();
    user.run("rollout status web").await.ok();
    user.run("rollout resume web -y").await.ok();
    let release = fleet.publish_as_described("default/web").await;
    user.run("rollout status web").await.fails(1, &["1 of 1 cluster without"]);
    fleet.runs(&joined.credential, "default/web", &release).await;
    user.run("rollout status web").await.ok();
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_cluster_is_approved_by_a_person() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    fleet.join("site-1", " --uses 2").await;
    assert!(user.run("get clusters").await.ok().contains("Pending"));
    user.run("approve cluster site-1").await.fails(2, &["joined at", "run it again with --yes"]);
    user.run("approve cluster site-1 --yes").await.ok();
    assert!(user.run("get clusters").await.ok().contains("Active"));
    assert_eq!(user.run("approve cluster site-1").await.ok(), "cluster/site-1 is active already\n");
    user.run("recover site-1").await.fails(1, &["needs no recovery"]);
    user.run("delete cluster site-1 --yes").await.ok();
    user.run("get clusters site-1").await.fails(4, &[]);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_described_and_approved_by_its_first_digits() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    let joined = fleet.join("site-1", " --label env=test").await;
    let hold = crate::fleet::hold("nine of ten objects would go");
    let digest = hold.digest.unwrap();
    fleet.report(&joined.credential, vec![hold]).await;
    let page = user.run(&format!("describe hold {}", digest.short())).await.ok();
    for text in
        ["PruneBudget", "site-1", "nine of ten objects would go", "Next:", "windlass approve hold sha256:"]
    {
        assert!(page.contains(text), "{text} is missing: {page}");
    }
    let line = format!("approve hold {}", digest.short());
    user.run(&line).await.fails(2, &["PruneBudget at site-1, service default/web: nine of ten"]);
    user.run(&format!("{line} --yes")).await.ok();
    assert!(user.run("get holds").await.ok().contains("approved"));
    user.run("approve hold 000000000000 --yes").await.fails(4, &["no hold"]);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d1_a_hold_that_several_clusters_report_is_approved_for_the_one_that_is_named() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    let hold = crate::fleet::hold("nine of ten objects would go");
    let digits = hold.digest.unwrap().short();
    for name in ["site-1", "site-2"] {
        let joined = fleet.join(name, " --label env=test").await;
        fleet.report(&joined.credential, vec![hold.clone()]).await;
    }
    let line = format!("approve hold {digits}");
    let next = format!("windlass {line} --cluster NAME");
    user.run(&format!("{line} --yes")).await.fails(2, &["several clusters", "site-1, site-2", &next]);
    user.run(&format!("{line} --cluster site-2")).await.fails(2, &["PruneBudget at site-2"]);
    user.run(&format!("{line} --cluster site-2 --yes")).await.ok();
    let holds = user.run("get holds").await.ok();
    assert_eq!(holds.matches("approved").count(), 1, "{holds}");
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_deleted_only_with_a_mode_and_a_yes() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    fleet.describe(&["web"]).await;
    user.run("delete service web").await.fails(2, &["--mode"]);
    user.run("delete service web --mode delete")
        .await
        .fails(2, &["deleted there", "what was there before Windlass stays", "run it again with --yes"]);
    user.run("get services web").await.ok();
    assert!(
        user.run("delete service web --mode orphan --yes")
            .await
            .ok()
            .starts_with("service/default/web deleted")
    );
    user.run("get services web").await.fails(4, &[]);
    user.run("delete source here --yes").await.ok();
    assert_eq!(user.run("get sources").await.ok(), "");
    fleet.end().await;
}
