//! `verify`: what is believed, and what is not, whatever it says about itself.

use std::collections::BTreeMap;

use cdn::document::{Desired, Named, Release, Revision, Set, Stored};
use cdn::encoding::Encoding;
use cdn::envelope::Envelope;
use cdn::{Bundle, ClusterId, Digest, Object, Secret, SigningKey};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::user::User;

/// A user with a fleet's keys, a release with its bundle, and an assignment with its set.
pub(crate) async fn auditor() -> (User, Digest) {
    let user = User::new();
    let fleet: Digest = user.run("keys init --dir keys -o name").await.ok().trim().parse().unwrap();
    let object =
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": { "k": "v" } });
    let tar = Bundle::new([Object::from_value(&object).unwrap()]).unwrap().pack().unwrap();
    let stored = Encoding::Zst.encode(&tar).unwrap();
    let release = Release {
        fleet,
        service: "default/web".parse().unwrap(),
        revision: Revision { id: "4be1".to_owned(), subject: String::new(), time: None },
        bundle: Digest::of(&tar),
        length: tar.len() as u64,
        namespace: "apps".to_owned(),
        encodings: vec![Stored {
            encoding: Encoding::Zst,
            digest: Digest::of(&stored),
            length: stored.len() as u64,
        }],
        seq: 1,
        min_seq: 0,
        objects: 1,
    };
    user.write("release.json", Envelope::sign(&release, &[&key(&user, "release-default")]).to_bytes());
    user.write("forged.json", Envelope::sign(&release, &[&SigningKey::random()]).to_bytes());
    user.write("bundle.tar.zst", &stored);
    user.write("bundle.tar", &tar);
    let set = Set::new(Vec::new()).to_bytes();
    let now = Timestamp::now();
    let desired = Desired {
        fleet,
        cluster: ClusterId::random(),
        seq: 7,
        issued: now,
        expires: now,
        root: 1,
        set: Named::of(&set),
        values: None,
        origins: Vec::new(),
        removals: Vec::new(),
        approvals: Vec::new(),
    };
    user.write("desired.json", Envelope::sign(&desired, &[&key(&user, "desired")]).to_bytes());
    user.write("set.json", set);
    (user, fleet)
}

pub(crate) fn key(user: &User, role: &str) -> SigningKey {
    SigningKey::from_text(&Secret::new(user.text(&format!("keys/{role}.key")))).unwrap()
}

fn verdicts(value: &Value) -> BTreeMap<String, bool> {
    let files = value["files"].as_array().unwrap().iter();
    files
        .map(|file| (file["file"].as_str().unwrap().to_owned(), file["verified"].as_bool().unwrap()))
        .collect()
}

#[tokio::test]
async fn what_the_fleets_keys_lead_to_is_verified_in_any_order_of_files() {
    let (user, fleet) = auditor().await;
    let files = "bundle.tar bundle.tar.zst set.json release.json desired.json keys/root/1.json";
    for root in ["keys", "keys/root", "keys/root/1.json", &fleet.to_string()] {
        let value = user.run(&format!("verify {files} --root {root} -o json")).await.json();
        assert!(verdicts(&value).values().all(|verified| *verified), "{value:#}");
        assert_eq!(value["fleet"], fleet.to_string());
    }
    let table = user.run(&format!("verify {files} --root keys")).await.ok();
    assert!(table.contains("default/web at 4be1 is bundle"), "{table}");
}

#[tokio::test]
async fn one_file_that_nothing_leads_to_makes_exit_code_1() {
    let (user, _) = auditor().await;
    for file in ["forged.json", "bundle.tar", "set.json", "keys/root.key"] {
        let ran = user.run(&format!("verify {file} --root keys")).await;
        assert_eq!(ran.code, 1, "{file}: {ran:?}");
        assert!(ran.out.contains("not verified"), "{file}: {ran:?}");
    }
}

#[tokio::test]
async fn a1_a_changed_byte_anywhere_is_not_verified() {
    let (user, _) = auditor().await;
    for file in ["release.json", "desired.json", "bundle.tar", "bundle.tar.zst", "set.json"] {
        let good = std::fs::read(user.path(file)).unwrap();
        for at in believed(&good).step_by(37) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            user.write("bad", bad);
            let others = "release.json desired.json";
            let value = user.run(&format!("verify bad {others} --root keys -o json")).await;
            assert_eq!(value.code, 1, "{file}, byte {at}: {value:?}");
            let value: Value = serde_json::from_str(&value.out).unwrap();
            assert!(!verdicts(&value)["bad"], "{file}, byte {at}: {value:#}");
        }
    }
}

/// The bytes that count: of an envelope its payload, as the key id beside a signature is only a hint.
fn believed(bytes: &[u8]) -> std::ops::Range<usize> {
    let text = String::from_utf8_lossy(bytes);
    match text.find("\"payload\":\"") {
        Some(start) => start + 11..start + 11 + text[start + 11..].find('"').unwrap(),
        None => 0..bytes.len(),
    }
}

#[tokio::test]
async fn nothing_is_verified_without_something_to_trust() {
    let (user, _) = auditor().await;
    user.run("verify release.json").await.fails(2, &["nothing is trusted", "--root"]);
    user.run("verify release.json --root release.json").await.fails(1, &["is not a root 1"]);
    let other = Digest::of(b"another fleet");
    user.run(&format!("verify release.json --root {other}")).await.fails(2, &["root 1 is missing"]);
    user.run("keys init --dir theirs").await.ok();
    let ran = user.run("verify release.json --root theirs").await;
    assert_eq!(ran.code, 1, "{ran:?}");
}
