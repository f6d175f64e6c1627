//! Bundles: from files and from the store's public side, proved before they are shown.

use std::collections::BTreeMap;

use crate::fleet::{Fleet, config};
use crate::user::{User, WINDLASS};

async fn published() -> (Fleet, String) {
    let fleet = Fleet::start().await;
    fleet.describe(&["web"]).await;
    let manifests = BTreeMap::from([
        ("a.yaml", config("a", "1")),
        ("b.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: b}\nspec: {containers: [{name: c, image: \"r/c:1\"}]}\n".to_owned()),
    ]);
    let release = fleet.publish("default/web", &manifests).await;
    (fleet, release)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_shown_from_the_origin_by_service_and_by_digest() {
    let (fleet, release) = published().await;
    let user = &fleet.user;
    let about = user.run(&format!("describe release {} -o json", &release[7..19])).await.json();
    let bundle = about["bundle"].as_str().unwrap();
    // Tables show the first digits of a digest, and what they show can be given.
    for subject in ["default/web", "web", &release, bundle, &release[7..19], &bundle[7..19]] {
        let names = user.run(&format!("bundle show {subject} --origin store -o name")).await.ok();
        assert_eq!(names, "ConfigMap/_/a\nPod/_/b\n");
    }
    user.run("bundle show abcdef012345 --origin store").await.fails(4, &["no service, release or bundle"]);
    let one = user.run(&format!("get release {} -o name", &release[7..19])).await.ok();
    assert_eq!(one, format!("release/{release}\n"));
    user.run("get release abcdef012345").await.fails(4, &["has no release `abcdef012345`"]);
    let yaml = user.run("bundle show web --origin store -o yaml").await.ok();
    assert!(yaml.contains("\n---\n") && yaml.contains("key: \"1\""), "{yaml}");
    let ran = user.run("bundle show web --origin store").await;
    assert!(ran.err.contains("release verified"), "the login named a root: {ran:?}");
    assert_eq!(user.run("images web --origin store -o name").await.ok(), "r/c:1\n");
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_extracted_whole_and_never_over_what_is_there() {
    let (fleet, _) = published().await;
    let user = &fleet.user;
    user.run("bundle extract web --origin store --to out -o yaml").await.ok();
    assert!(user.text("out/ConfigMap/_/a.yaml").contains("key: \"1\""));
    user.run("bundle extract web --origin store --to out -o yaml").await.fails(5, &["is there already"]);
    let mut command = user.command();
    let tar =
        command.args(["bundle", "extract", "web", "--origin", "store", "--tar"]).output().await.unwrap();
    user.write("web.tar", &tar.stdout);
    assert_eq!(user.run("bundle show web.tar -o name").await.ok(), "ConfigMap/_/a\nPod/_/b\n");
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a1_other_bytes_at_the_origin_are_refused_and_nothing_is_shown() {
    let (fleet, release) = published().await;
    let user = &fleet.user;
    let value = user.run(&format!("describe release {release} -o json")).await.json();
    for stored in value["document"]["encodings"].as_array().unwrap() {
        let name = stored["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let file = user.path(&format!("store/v1/o/{name}"));
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[20] ^= 1;
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, bytes).unwrap();
    }
    let ran = user.run("bundle show web --origin store -o yaml").await;
    assert_eq!(ran.out, "");
    ran.fails(1, &["other bytes came"]);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn diff_tells_what_differs_by_object_and_by_exit_code() {
    let (fleet, first) = published().await;
    let user = &fleet.user;
    let same = user.run("diff web --origin store").await;
    assert_eq!((same.code, same.out.as_str()), (0, ""), "{same:?}");
    let second = fleet.publish("default/web", &BTreeMap::from([("a.yaml", config("a", "2"))])).await;
    let line = format!("diff web --origin store --from {} --to latest", &first[7..17]);
    let ran = user.run(&line).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("-  key: \"1\"\n+  key: \"2\"\n"), "{ran:?}");
    assert!(!ran.out.contains("Pod"), "what is the same does not show: {ran:?}");
    // The working tree against the last release: only what was changed since.
    user.write("source/web/a.yaml", config("a", "3"));
    let tree = user.run("diff web --origin store --path source/web -o name").await;
    assert_eq!((tree.code, tree.out.as_str()), (1, "ConfigMap/_/a\n"), "{tree:?}");
    user.write("source/web/a.yaml", format!("# a comment\n{}", config("a", "2")));
    let comment = user.run("diff web --origin store --path source/web").await;
    assert_eq!((comment.code, comment.out.as_str()), (0, ""), "{comment:?}");
    assert_ne!(first, second);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_that_fails_is_not_taken_for_a_difference() {
    let (fleet, release) = published().await;
    let user = &fleet.user;
    user.run("diff web --origin store --path nowhere").await.fails(2, &["there is no folder nowhere"]);
    user.run("diff web --origin http://127.0.0.1:1").await.fails(2, &["127.0.0.1:1"]);
    let away = "--server http://127.0.0.1:1 --token-file admin.token";
    user.run(&format!("diff web --origin store {away}")).await.fails(2, &["cannot reach the api"]);
    user.run("diff nope --origin store").await.fails(4, &["default/nope"]);
    let out = user.path("store/v1/o").join(release.strip_prefix("sha256:").unwrap());
    std::fs::remove_file(out).unwrap();
    user.run("diff web --origin store").await.fails(2, &["error: "]);
    fleet.end().await;
}

#[tokio::test]
async fn render_checks_as_the_publisher_does() {
    let user = User::new();
    user.write("app/a.yaml", config("a", "1"));
    assert_eq!(user.run("render --path app -o name").await.ok(), "ConfigMap/_/a\n");
    let yaml = user.run("render --path app").await.ok();
    assert!(yaml.starts_with("apiVersion: v1\ndata:\n  key: \"1\"\nkind: ConfigMap\n"), "{yaml}");
    user.write(
        "app/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {p: hunter2}\n",
    );
    let told = user.run("render --path app").await.fails(1, &["Secret"]);
    assert!(!told.contains("hunter2"), "{told}");
    user.run("render --path app -o name --allow-plain-secret s").await.ok();
    user.run("render --path nowhere").await.fails(1, &["there is no folder nowhere"]);
}

#[tokio::test]
async fn on_a_terminal_data_has_lines_of_its_own() {
    let user = User::new();
    user.write("app/a.yaml", config("a", "1"));
    let line = format!("{WINDLASS} render --path app -o name");
    let mut terminal = tokio::process::Command::new("script");
    terminal.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").env_remove("CI");
    let ran = terminal.current_dir(user.path("")).output().await.unwrap();
    let shown = String::from_utf8(ran.stdout).unwrap();
    assert!(shown.contains("1 object, 3.0 kB\r\nConfigMap/_/a\r\n"), "{shown:?}");
}

#[tokio::test]
async fn a_file_that_is_no_bundle_is_refused() {
    let user = User::new();
    user.write("junk.tar", vec![7u8; 2048]);
    user.run("bundle show junk.tar").await.fails(1, &["junk.tar is not a bundle"]);
    user.run("bundle show missing.tar").await.fails(2, &["read missing.tar"]);
}
