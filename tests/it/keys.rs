//! A fleet's keys: made once, kept close, never overwritten.

use cdn::trust::Trust;
use cdn::{Digest, Secret, SigningKey};

use crate::user::User;

#[tokio::test]
async fn keys_are_private_and_root_1_is_the_fleet() {
    let user = User::new();
    let fleet = user.run("keys init --dir keys --project default --project pay -o name").await.ok();
    let root = std::fs::read(user.path("keys/root/1.json")).unwrap();
    assert_eq!(fleet.trim(), Digest::of(&root).to_string());
    let trust = Trust::begin(Digest::of(&root), &root).unwrap();
    for (file, role) in [
        ("root", Some(&trust.root().roles.root)),
        ("desired", Some(&trust.root().roles.desired)),
        ("routes", Some(&trust.root().roles.routes)),
        ("release-default", trust.release_role(&"default".parse().unwrap())),
        ("release-pay", trust.release_role(&"pay".parse().unwrap())),
    ] {
        let name = format!("keys/{file}.key");
        assert_eq!(user.mode(&name), 0o600, "{name}");
        let key = SigningKey::from_text(&Secret::new(user.text(&name))).unwrap();
        assert_eq!(role.unwrap().keys, [key.public()], "{name}");
    }
    assert_eq!((user.mode("keys"), user.mode("keys/root/1.json")), (0o700, 0o644));
    let shown = user.run("keys show keys").await.ok();
    assert_eq!(shown.matches("1 of 1").count(), 5, "{shown}");
}

#[tokio::test]
async fn a_second_init_is_refused_and_changes_nothing() {
    let user = User::new();
    user.run("keys init --dir keys").await.ok();
    let before = user.text("keys/root.key");
    user.run("keys init --dir keys")
        .await
        .fails(5, &["keys/root.key is there already", "never overwritten", "next: "]);
    assert_eq!(user.text("keys/root.key"), before);
    // One file of it is enough, and nothing is put beside it.
    user.write("other/release-default.key", "mine");
    user.run("keys init --dir other").await.fails(5, &["release-default.key is there already"]);
    assert_eq!(std::fs::read_dir(user.path("other")).unwrap().count(), 1);
}

#[tokio::test]
async fn init_that_cannot_write_everything_leaves_nothing() {
    let user = User::new();
    user.run("keys init --dir keys").await.ok();
    // The folder of the roots is a file here: every key is written before that shows.
    user.write("half/root", "in the way");
    let ran = user.run("keys init --dir half").await;
    assert_eq!(ran.code, 1, "{ran:?}");
    let left: Vec<_> =
        std::fs::read_dir(user.path("half")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["root"]);
}

#[tokio::test]
async fn a_key_that_is_not_the_listed_one_is_pointed_out() {
    let user = User::new();
    user.run("keys init --dir keys").await.ok();
    user.write("keys/desired.key", SigningKey::random().to_text().expose());
    std::fs::remove_file(user.path("keys/root.key")).unwrap();
    let shown = user.run("keys show keys").await.ok();
    assert!(shown.contains("another key!") && shown.contains("not here"), "{shown}");
}
