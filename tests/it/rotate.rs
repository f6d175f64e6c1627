//! `keys rotate`: the next root follows the last by the rule that every reader checks, and changes whom they believe.

use std::collections::BTreeMap;
use std::time::Duration;

use cdn::document::{Release, Root};
use cdn::envelope::Envelope;
use cdn::trust::Trust;
use serde_json::Value;

use crate::fleet::{Fleet, config};
use crate::user::User;
use crate::verify::{auditor, key};

/// The chain in the folder `keys`, followed as every reader follows it.
fn chain(user: &User) -> Trust {
    let read = |version: u64| std::fs::read(user.path(&format!("keys/root/{version}.json")));
    let trust = Trust::given(&read(1).unwrap()).unwrap();
    trust.follow(|version| Ok::<_, cdn::trust::RootRefused>(read(version).ok())).unwrap()
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_release_key_that_was_rotated_signs_nothing_any_more_and_the_new_one_does() {
    let (user, fleet) = auditor().await;
    let old = key(&user, "release-default");
    let shown = user.run("keys rotate keys --role release -o json").await.json();
    assert_eq!((&shown["root"], shown["keys"][1]["change"].as_str()), (&Value::from(2), Some("new")));
    let trust = chain(&user);
    assert_eq!((trust.version(), trust.fleet()), (2, fleet));
    let new = key(&user, "release-default.2");
    assert_eq!(user.mode("keys/release-default.2.key"), 0o600);
    assert_eq!(trust.release_role(&"default".parse().unwrap()).unwrap().keys, [new.public()]);
    assert_eq!(key(&user, "release-default").public(), old.public(), "the old file is as it was");

    let release: Release = Envelope::claim(&std::fs::read(user.path("release.json")).unwrap()).unwrap();
    let ran = user.run("verify release.json --root keys").await;
    assert_eq!(ran.code, 1, "{ran:?}");
    user.write("anew.json", Envelope::sign(&release, &[&new]).to_bytes());
    user.run("verify anew.json --root keys").await.ok();
    let shown = user.run("keys show keys").await.ok();
    assert!(shown.contains("release-default.2.key") && !shown.contains("another key"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_api_takes_the_next_root_and_then_the_new_key_s_releases_alone() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    fleet.describe(&["web"]).await;
    let before = fleet.publish("default/web", &BTreeMap::from([("a.yaml", config("a", "1"))])).await;
    let ran = user.run("keys rotate keys --role release").await;
    assert!(ran.err.contains("Give keys/release-default.2.key to the publishers of default"), "{ran:?}");
    let taken = async || user.run("whoami -o json").await.json()["root"] == 2;
    for _ in 0..300 {
        if taken().await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(taken().await, "the api never takes root 2");
    assert!(user.path("store/v1/root/2.json").is_file(), "agents and publishers find it in the store");
    user.write("source/web/a.yaml", config("a", "2"));
    let line = |key: &str| {
        format!(
            "publish default/web --from-directory {} --path web --namespace apps --store store --root keys/root/1.json \
             --release-key keys/{key} --allow allow.toml --cache cache --api {} --token-file publisher.token -o name",
            fleet.folder(),
            fleet.url
        )
    };
    user.run(&line("release-default.key")).await.fails(1, &["0 of our release keys count", "root 2 wants 1"]);
    let after = user.run(&line("release-default.2.key")).await.ok();
    let current = user.run("get services web -o json").await.json()["release"].clone();
    assert_eq!(after.trim(), format!("release/{}", current.as_str().unwrap()));
    assert_ne!(current, before.as_str());
    fleet.end().await;
}

#[tokio::test]
async fn a_root_key_is_rotated_by_the_old_and_the_new_one_together() {
    let user = User::new();
    user.run("keys init --dir keys").await.ok();
    let old = key(&user, "root");
    // As on the machine that signs: the root key comes on a stick.
    std::fs::create_dir(user.path("usb")).unwrap();
    std::fs::rename(user.path("keys/root.key"), user.path("usb/root.key")).unwrap();
    user.run("keys rotate keys --role root")
        .await
        .fails(4, &["0 of the 1 root keys", &old.public().id(), "--root-key FILE"]);
    assert!(!user.path("keys/root.2.key").exists());
    let ran = user.run("keys rotate keys --role root --root-key usb/root.key").await;
    assert!(ran.err.contains("Move keys/root.2.key off this machine"), "{ran:?}");
    let new = key(&user, "root.2");
    assert_eq!(chain(&user).root().roles.root.keys, [new.public()]);
    let bytes = std::fs::read(user.path("keys/root/2.json")).unwrap();
    for signer in [&old, &new] {
        let role = cdn::envelope::Role::of(signer.public());
        assert!(Envelope::verify::<Root>(&bytes, &role).is_ok());
    }
    // The old one alone leads no further, the new one does.
    std::fs::rename(user.path("keys/root.2.key"), user.path("usb/root.2.key")).unwrap();
    user.run("keys rotate keys --role routes --root-key usb/root.key").await.fails(4, &[&new.public().id()]);
    user.run("keys rotate keys --role routes --root-key usb/root.2.key").await.ok();
    assert_eq!(chain(&user).version(), 3);
}

#[tokio::test]
async fn keys_come_beside_others_and_go_one_by_one() {
    let user = User::new();
    user.run("keys init --dir keys").await.ok();
    let old = key(&user, "desired").public();
    user.run("keys rotate keys --role desired --add").await.ok();
    let new = key(&user, "desired.2").public();
    assert_eq!(chain(&user).root().roles.desired.keys, [old, new]);
    user.run(&format!("keys rotate keys --role desired --drop {}", old.id())).await.ok();
    assert_eq!(chain(&user).root().roles.desired.keys, [new]);
    user.run("keys rotate keys --role release --project pay")
        .await
        .fails(4, &["no key for the role release-pay", "--add"]);
    user.run("keys rotate keys --role release --project pay --add").await.ok();
    let pay = key(&user, "release-pay.4").public();
    assert_eq!(chain(&user).release_role(&"pay".parse().unwrap()).unwrap().keys, [pay]);
}

#[tokio::test]
async fn the_hosts_of_origins_change_without_a_key() {
    let user = User::new();
    user.run("keys init --dir keys --origin-host old.example.com").await.ok();
    user.run("keys rotate keys").await.fails(2, &["--role"]);
    for host in ["https://cdn.example.com", "CDN.example.com", "cdn.example.com:443", "a,b", "''"] {
        user.run(&format!("keys rotate keys --origin-host {host}")).await.fails(2, &["the host alone"]);
    }
    user.run("keys rotate keys --origin-host new.example.com --add").await.fails(2, &["--role"]);
    let shown = user.run("keys rotate keys --origin-host new.example.com").await.ok();
    assert!(shown.contains("new.example.com"), "{shown}");
    assert_eq!(chain(&user).root().origin_hosts, ["new.example.com"]);
    assert!(!names(&user.path("keys")).iter().any(|name| name.contains(".2.")));
    user.run("keys rotate keys --origin-host new.example.com")
        .await
        .fails(2, &["would say what root 2 does"]);
    user.run("keys rotate keys --role routes").await.ok();
    assert_eq!(chain(&user).root().origin_hosts, ["new.example.com"], "all else stays");
    let ran = user.run("keys rotate keys --role routes --origin-host third.example.com").await;
    assert!(ran.err.contains("--origins on other hosts"), "each part that changes has its step: {}", ran.err);
    assert_eq!(chain(&user).root().origin_hosts, ["third.example.com"]);
    user.run("keys rotate keys --any-origin-host").await.ok();
    assert_eq!(chain(&user).root().origin_hosts, [""; 0]);
}

#[tokio::test]
async fn what_cannot_be_a_next_root_is_refused_and_writes_nothing() {
    let user = User::new();
    user.run("keys init --dir keys").await.ok();
    let before = (names(&user.path("keys")), names(&user.path("keys/root")));
    let id = key(&user, "desired").public().id();
    for (words, code, says) in [
        ("--role desired --drop 0000", 4, &["no key 0000", id.as_str()][..]),
        (&format!("--role desired --drop {id}"), 2, &["0 of the 1 keys", "--add"]),
        ("--role desired --add --threshold 3", 2, &["2 of the 3 keys"]),
        ("--role desired --project pay", 2, &["--project is for --role release only"]),
        ("--role nobody", 2, &["nobody", "release"]),
        ("--role root --root-key keys/root/1.json", 1, &["keys/root/1.json does not hold a private key"]),
    ] {
        user.run(&format!("keys rotate keys {words}")).await.fails(code, says);
    }
    let dry = user.run("keys rotate keys --role release --dry-run").await;
    assert!(dry.err.contains("Nothing was written"), "{dry:?}");
    assert!(dry.ok().contains("release-default"));
    assert_eq!((names(&user.path("keys")), names(&user.path("keys/root"))), before);
    // Never overwritten, and a root without its key is not left behind.
    user.write("keys/release-default.2.key", "mine");
    user.run("keys rotate keys --role release").await.fails(5, &["release-default.2.key is there already"]);
    assert_eq!(user.text("keys/release-default.2.key"), "mine");
    assert!(!user.path("keys/root/2.json").exists());
}
