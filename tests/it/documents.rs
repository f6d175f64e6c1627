//! `apply`: created, configured, unchanged; refused whole, or partly done.

use crate::fleet::{Fleet, document};

const SPEC: &str = "{source: here, namespace: apps, selector: {matchLabels: {env: test}}}";

fn two(path: &str) -> String {
    let source = document("Source", "here", &format!("{{directory: {{path: {path}}}}}"));
    format!("{}---\n{source}", document("GlobalService", "web", SPEC))
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_applied_in_order_and_a_second_time_changes_nothing() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    user.write("fleet/all.yaml", two("/one"));
    let dry = user.run("apply -f fleet --dry-run").await.ok();
    assert_eq!(dry, "source/default/here created (dry run)\nservice/default/web created (dry run)\n");
    let json = user.run("apply -f fleet --dry-run -o json").await.json();
    assert_eq!(json["items"][0]["dry_run"], true);
    user.run("get services web").await.fails(4, &["default/web"]);
    assert_eq!(
        user.run("apply -f fleet").await.ok(),
        "source/default/here created\nservice/default/web created\n"
    );
    assert_eq!(
        user.run("apply -f fleet").await.ok(),
        "source/default/here unchanged\nservice/default/web unchanged\n"
    );
    let version = user.run("get services web -o json").await.json()["version"].clone();
    let changed = user.run_with(&["apply", "-f", "-"], Some(&two("/two"))).await.ok();
    assert_eq!(changed, "source/default/here configured\nservice/default/web unchanged\n");
    assert_eq!(user.run("get services web -o json").await.json()["version"], version);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k2_an_unknown_field_refuses_all_documents_with_its_path_and_the_word_meant() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    let text = two("/one").replace("namespace: apps", "namespaec: apps");
    user.write("fleet.yaml", text);
    user.run("apply -f fleet.yaml").await.fails(
        2,
        &[
            "fleet.yaml:1 (GlobalService web) is not understood",
            "spec",
            "unknown field `namespaec`",
            "did you mean `namespace`?",
            "nothing was applied",
        ],
    );
    user.run("get sources default/here").await.fails(4, &[]);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_document_that_fails_leaves_the_others_done_and_makes_exit_code_7() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    let cluster = "---\napiVersion: windlass.dev/v1alpha1\nkind: Cluster\nmetadata: {name: site-1, labels: {env: test}}\n";
    user.write("fleet.yaml", two("/one") + cluster);
    let ran = user.run("apply -f fleet.yaml").await;
    assert_eq!(ran.out, "source/default/here created\nservice/default/web created\n");
    ran.fails(7, &["cluster/site-1 (fleet.yaml:", "has not joined yet", "1 of 3 failed"]);
    fleet.join("site-1", "").await;
    assert!(user.run("apply -f fleet.yaml").await.ok().contains("cluster/site-1 configured"));
    assert_eq!(user.run("get clusters -l env=test -o name").await.ok(), "cluster/site-1\n");
    user.write("cluster.yaml", cluster.replace("site-1", "site-9"));
    user.run("apply -f cluster.yaml").await.fails(4, &["has not joined yet"]);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_refuses_what_the_api_would() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    user.write("lost.yaml", document("GlobalService", "lost", SPEC));
    user.run("apply -f lost.yaml --dry-run")
        .await
        .fails(1, &["service/default/lost (lost.yaml:1)", "source/default/here does not exist", "next: "]);
    user.run("apply -f lost.yaml").await.fails(1, &["has no such source"]);
    user.write("fleet.yaml", two("/one"));
    user.run("apply -f fleet.yaml").await.ok();
    let found = user.run("apply -f lost.yaml --dry-run").await.ok();
    assert_eq!(found, "service/default/lost created (dry run)\n", "the api has its source");
    let on = |name: &str, other: &str| {
        document(
            "GlobalService",
            name,
            &SPEC.replace("source: here", &format!("source: here, dependsOn: [{other}]")),
        )
    };
    user.write("circle.yaml", format!("{}---\n{}", on("a", "b"), on("b", "a")));
    let ran = user.run("apply -f circle.yaml --dry-run").await;
    assert_eq!(ran.out, "service/default/a created (dry run)\n");
    ran.fails(7, &["service/default/b", "comes back to the service itself"]);
    let ran = user.run("apply -f circle.yaml").await;
    assert_eq!(ran.out, "service/default/a created\n");
    ran.fails(7, &["service/default/b", "comes back to the service itself"]);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_longer_than_a_page_is_whole() {
    let fleet = Fleet::start().await;
    let text: Vec<String> =
        (0..520).map(|n| document("Source", &format!("s{n:03}"), "{directory: {path: /x}}")).collect();
    fleet.user.write("many.yaml", text.join("---\n"));
    fleet.user.run("apply -f many.yaml").await.ok();
    let names = fleet.user.run("get sources -o name").await.ok();
    assert_eq!(names.lines().count(), 520);
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selector_that_leaves_clusters_says_so_and_asks_where_objects_would_be_deleted() {
    let fleet = Fleet::start().await;
    let user = &fleet.user;
    let write = |env: &str, options: &str| {
        let spec = format!(
            "{{source: here, namespace: apps, selector: {{matchLabels: {{env: {env}}}}}, options: {options}}}"
        );
        let source = document("Source", "here", "{directory: {path: /one}}");
        user.write("fleet.yaml", format!("{source}---\n{}", document("GlobalService", "web", &spec)));
    };
    for name in ["site-1", "site-2"] {
        fleet.join(name, " --label env=prod").await;
    }
    write("prod", "{}");
    let ran = user.run("apply -f fleet.yaml --dry-run").await;
    assert!(!ran.err.contains("cluster"), "its source is of this dry run alone: {}", ran.err);
    let ran = user.run("apply -f fleet.yaml").await;
    assert!(ran.err.contains("service/default/web: 2 clusters, all of them new"), "{}", ran.err);
    write("prd", "{}");
    let left = "0 clusters; it leaves 2 (site-1, site-2), where its objects stay and are no longer repaired";
    let ran = user.run("apply -f fleet.yaml --dry-run").await;
    assert!(ran.err.contains(left), "{}", ran.err);
    let ran = user.run("apply -f fleet.yaml --dry-run -o json").await.json();
    assert_eq!(ran["items"][1]["reach"]["leaving"], 2);
    write("prd", "{onUnassign: delete}");
    user.run("apply -f fleet.yaml").await.fails(7, &["where its objects are deleted", "--yes"]);
    assert!(user.run("get services web -o json").await.ok().contains("prod"), "nothing was changed");
    assert!(user.run("apply -f fleet.yaml --yes").await.ok().contains("service/default/web configured"));
    fleet.end().await;
}
