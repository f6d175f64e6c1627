//! What is printed, in which form, and where.

use std::time::Duration;

use serde_json::Value;
use testbed::{Program, Ready};

use crate::fleet::{Fleet, hold};
use crate::user::WINDLASS;

#[tokio::test(flavor = "multi_thread")]
async fn every_noun_is_listed_in_every_format_and_data_is_all_that_stdout_has() {
    let fleet = Fleet::start().await;
    fleet.describe(&["web"]).await;
    let joined = fleet.join("site-1", " --label env=test").await;
    fleet.report(&joined.credential, vec![hold("nine objects would go")]).await;
    fleet.user.run("publisher create main --out p.token").await.ok();
    let nouns =
        ["clusters", "sources", "services", "global-services", "holds", "join-tokens", "publishers", "audit"];
    for noun in nouns {
        let value = fleet.user.run(&format!("get {noun} -o json")).await.json();
        let count = value["items"].as_array().unwrap().len();
        assert!(count > 0, "{noun}");
        for format in ["table", "wide", "name", "yaml"] {
            let out = fleet.user.run(&format!("get {noun} -o {format}")).await.ok();
            let lines = out.lines().count();
            let wanted = if format == "name" { count } else { count + 1 };
            assert!(
                if format == "yaml" { out.starts_with("items:\n") } else { lines == wanted },
                "{noun} {format}: {out}"
            );
        }
    }
    for noun in ["releases", "removals"] {
        let ran = fleet.user.run(&format!("get {noun}")).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, ""), "an empty list is no data");
        assert!(ran.err.starts_with("no re"), "{ran:?}");
    }
    let one = fleet.user.run("get cluster site-1 -o json").await.json();
    assert_eq!(one["name"], "site-1");
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn j3_what_a_cluster_says_cannot_paint_the_terminal_and_json_keeps_it() {
    let fleet = Fleet::start().await;
    let joined = fleet.join("site-1", " --label env=test").await;
    // Controls are refused with the whole report; what turns the writing round is text like any other to the api.
    let hostile = "gone \u{202e}txt.exe\u{200f}";
    fleet.report(&joined.credential, vec![hold(hostile)]).await;
    let lines = [
        "get holds",
        "get holds -o wide",
        "get holds -o json",
        "get holds -o yaml",
        "describe cluster site-1",
    ];
    for line in lines {
        for colour in ["never", "always"] {
            let out = fleet.user.run(&format!("{line} --color {colour}")).await.ok();
            let active = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{200f}');
            // Our own colours are the one exception, and only where they were asked for.
            let ours = ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[0m"];
            let rest = ours.iter().fold(out.clone(), |text, code| text.replace(code, ""));
            assert!(!rest.contains(active), "{line}: {out:?}");
            assert!(colour == "always" || rest == out, "{line}: {out:?}");
        }
    }
    let value = fleet.user.run("get holds -o json").await.json();
    let message = value["items"][0]["hold"]["message"].as_str().unwrap();
    assert!(message.contains("txt.exe"), "{message:?}");
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_and_an_order_are_kept() {
    let fleet = Fleet::start().await;
    fleet.join("b", " --label env=test").await;
    fleet.join("a", " --label env=prod").await;
    let names = |line: &'static str| async { fleet.user.run(line).await.ok() };
    assert_eq!(names("get clusters --sort-by name -o name").await, "cluster/a\ncluster/b\n");
    assert_eq!(names("get clusters --sort-by joined_at -o name").await, "cluster/b\ncluster/a\n");
    assert_eq!(names("get clusters -l env!=prod -o name").await, "cluster/b\n");
    let none = fleet.user.run("get clusters -l env=none").await;
    assert!(none.err.starts_with("no cluster has these labels"), "{none:?}");
    fleet.user.run("get clusters --sort-by nmae").await.fails(2, &["no", "field `nmae`", "the fields are: "]);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_shows_what_comes_and_ctrl_c_is_exit_code_130() {
    let fleet = Fleet::start().await;
    let home = fleet.user.path("");
    let watch =
        Program::new("watch", WINDLASS).args(["get", "clusters", "-w", "-o", "name"]).env("HOME", &home);
    let mut watch = watch.start(Ready::AtOnce).await.unwrap();
    fleet.join("site-1", "").await;
    let shown = async || watch.log().contains("cluster/site-1");
    watch.wait_until("the new cluster shows", Duration::from_secs(20), shown).await.unwrap();
    assert_eq!(watch.interrupt().await.unwrap(), 130);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_name_the_request_and_the_next_step() {
    let fleet = Fleet::start().await;
    fleet.user.run("get services nope").await.fails(4, &["error: ", "why: ", "default/nope", "request: rq_"]);
    fleet.user.run("describe cluster nope").await.fails(4, &["request: rq_"]);
    let whoami: Value = fleet.user.run("whoami -o json").await.json();
    assert_eq!(whoami["server"], fleet.url);
    fleet.end().await;
}
