//! The binary, as a person or CI starts it.

use std::path::Path;
use std::process::{Command, Output};

use crate::api::{Api, TOKEN};
use crate::bench::Bench;
use crate::repo::{Repo, map, write};

fn run(bench: &Bench, words: &[&str]) -> Output {
    let config = bench.path("publisher.toml");
    let lines = [
        format!("store = \"{}\"", bench.path("store").display()),
        format!("root = \"{}\"", bench.path("root.json").display()),
        format!("release-key = \"{}\"", bench.path("release.key").display()),
        format!("allow = \"{}\"", bench.path("allow.toml").display()),
        format!("cache = \"{}\"", bench.path("cache").display()),
        "[observe]\nlisten = \"off\"".to_owned(),
    ];
    if !config.is_file() {
        std::fs::write(&config, lines.join("\n")).unwrap();
    }
    Command::new(env!("CARGO_BIN_EXE_windlass-publisher"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .args(["--config", &config.display().to_string(), "--log-level", "trace"])
        .args(words)
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn once_publishes_a_service_and_prints_what_stands() {
    let bench = Bench::new();
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    repo.commit("begin");
    let words = ["once", "default/web", "--from-git", &repo.url(), "--path", "web"];
    let first = run(&bench, &words);
    assert!(first.status.success(), "{}", stderr(&first));
    let line = String::from_utf8(first.stdout).unwrap();
    assert!(line.starts_with("default/web sha256:"), "{line}");
    assert_eq!(String::from_utf8(run(&bench, &words).stdout).unwrap(), line);
}

/// As the README starts it: every path as a person at a shell writes it.
#[test]
fn a_git_source_is_published_with_every_path_relative() {
    let bench = Bench::new();
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    repo.commit("begin");
    let settings = ["--store", "store", "--root", "root.json", "--release-key", "release.key"];
    let settings = [&settings[..], &["--allow", "./allow.toml", "--cache", "cache"]].concat();
    let output = Command::new(env!("CARGO_BIN_EXE_windlass-publisher"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir(bench.folder.path())
        .args(settings)
        .args(["--observe-listen", "off", "once", "default/web", "--from-git", &repo.url(), "--path", "web"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(bench.path("store/v1/head/default/web.json").is_file());
}

#[test]
fn once_takes_a_folder_as_a_person_names_it_and_the_renderer_s_flags() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    let template =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-{{ .Values.word }}}\n";
    write(folder.path(), "c/templates/a.yaml", template);
    write(folder.path(), "c/values-a.yaml", "word: a\n");
    let climbs = folder.path().join("c/..").display().to_string();
    let helm = testbed::tool(testbed::Tool::Helm).unwrap().display().to_string();
    let words = ["--helm", &helm, "once", "default/web", "--from-directory", &climbs, "--path", "c"];
    let words = [&words[..], &["--renderer", "helm", "--value-file", "values-a.yaml"]].concat();
    let output = run(&bench, &[&words[..], &["--release-name", "named"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let without = run(&bench, &["once", "default/web", "--from-directory", &climbs, "--value-file", "x"]);
    assert_eq!(without.status.code(), Some(2), "{}", stderr(&without));
}

/// What a person copies works.
#[test]
fn the_examples_of_settings_and_allow_list_are_accepted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let allow = folder.join("allow.example.toml").display().to_string();
    let example = folder.join("example.toml").display().to_string();
    let bench = Bench::new();
    std::fs::write(bench.path("token"), TOKEN).unwrap();
    let [root, key, token] =
        ["root.json", "release.key", "token"].map(|name| bench.path(name).display().to_string());
    let checked = Command::new(env!("CARGO_BIN_EXE_windlass-publisher"))
        .env_clear()
        .args(["--config", &example, "--allow", &allow, "--check-config"])
        .args(["--root", &root, "--release-key", &key, "--token-file", &token])
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", stderr(&checked));
}

#[test]
fn k2_mistakes_are_told_with_the_next_step_and_exit_code_two() {
    let bench = Bench::new();
    let checked = run(&bench, &["--check-config"]);
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    std::fs::write(bench.path("publisher.toml"), "storre = \"x\"\n").unwrap();
    let unknown = run(&bench, &["--check-config"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("did you mean `store`"), "{}", stderr(&unknown));
    std::fs::remove_file(bench.path("publisher.toml")).unwrap();
    bench.allow("[[allow]]\nservices = [\"*/*\"]\nrepo = \"x\"\n");
    let allow = run(&bench, &["--check-config"]);
    assert_eq!(allow.status.code(), Some(2));
    assert!(stderr(&allow).contains("unknown field `repo`"), "{}", stderr(&allow));
}

#[test]
fn k2_a_check_reads_the_files_that_the_settings_name() {
    let bench = Bench::new();
    let api = ["--api", "https://windlass.example.com", "--token-file"];
    let said = |words: &[&str]| {
        let output = run(&bench, &[words, &["--check-config"]].concat());
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        stderr(&output)
    };
    let token = said(&[&api[..], &["/missing/token"]].concat());
    assert!(token.contains("/missing/token") && token.contains("No such file"), "{token}");
    let allow = bench.path("allow.toml").display().to_string();
    let key = said(&["--release-key", &allow]);
    assert!(key.contains("not a key of `windlass keys init`"), "{key}");
    let root = said(&["--root", &allow]);
    assert!(root.contains("root 1: not an envelope"), "{root}");
}

#[test]
fn what_is_not_published_says_what_why_and_the_next_step() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "a.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: Y2FuYXJ5}\n",
    );
    let folder = folder.path().display().to_string();
    let refused = run(&bench, &["once", "default/web", "--from-directory", &folder]);
    assert_eq!(refused.status.code(), Some(1));
    let said = stderr(&refused);
    assert!(said.contains("publish default/web: ") && said.contains("`plain_secrets`"), "{said}");
    assert!(!said.contains("Y2FuYXJ5"), "{said}");
    let nothing = run(&bench, &["once", "default/web"]);
    assert!(stderr(&nothing).contains("give --from-git or --from-directory"), "{}", stderr(&nothing));
}

/// D6: everything at its most talkative, and no secret in it.
#[tokio::test(flavor = "multi_thread")]
async fn d6_no_log_says_a_token_or_a_key() {
    let (bench, api) = (Bench::new(), Api::start().await);
    std::fs::write(bench.path("token"), TOKEN).unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", map("a", "1"));
    let (token, folder) = (bench.path("token").display().to_string(), folder.path().display().to_string());
    let url = api.url.clone();
    let key = bench.release_key.to_text().expose().trim().to_owned();
    let output = tokio::task::spawn_blocking(move || {
        run(
            &bench,
            &["--api", &url, "--token-file", &token, "once", "default/web", "--from-directory", &folder],
        )
    });
    let output = output.await.unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let said = format!("{}{}", stderr(&output), String::from_utf8_lossy(&output.stdout));
    assert!(!said.contains(TOKEN) && !said.contains(key.split(':').next_back().unwrap()), "{said}");
    assert_eq!(api.releases().len(), 1);
    assert!(Path::new(env!("CARGO_BIN_EXE_windlass-publisher")).is_file());
}
