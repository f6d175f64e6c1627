//! What the daemon refuses, and what of it fails alone.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn i8_l8_a_service_in_words_that_the_publisher_does_not_know_fails_alone_and_says_so() {
    let mut running = Running::new().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", map("a", "1"));
    running.api.want(vec![from_folder(folder.path(), "")]);
    running.api.want_also(serde_json::json!({
        "name": "default/later", "source": {"oci": {"url": "x"}}, "namespace": "later",
    }));
    running.start();
    running.until("the one is registered", |api| api.releases().len() == 1).await;
    running.until("the other is told", |api| !of(api, "default/later").is_empty()).await;
    let later = of(&running.api, "default/later").remove(0);
    assert_eq!(later.outcome, Outcome::Failed);
    assert!(
        later.message.contains("`oci`") && later.message.contains("update the publisher"),
        "{}",
        later.message
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_allow_list_does_not_permit_is_refused_and_shown() {
    let mut running = Running::new().await;
    running
        .bench
        .allow("[[allow]]\nservices = [\"default/web\"]\nrepository = \"https://git.example.com/*\"\n");
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", map("a", "1"));
    running.api.want(vec![from_folder(folder.path(), "")]);
    running.start();
    running.until("it is refused", |api| !api.statuses().is_empty()).await;
    let status = running.api.statuses().remove(0);
    assert_eq!(status.outcome, Outcome::Refused);
    assert!(status.message.contains("allow list"), "{}", status.message);
    assert!(running.bench.stored().is_empty());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allow_list_that_changes_counts_from_the_next_pass_and_a_broken_one_changes_nothing() {
    let mut running = Running::new().await;
    let entry = |name: &str| {
        format!("[[allow]]\nservices = [\"default/{name}\"]\nrepository = \"**\"\nlocal = true\n")
    };
    running.bench.allow(&entry("other"));
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", map("a", "1"));
    running.api.want(vec![from_folder(folder.path(), "")]);
    running.start();
    running.until("it is refused", |api| !api.statuses().is_empty()).await;
    running.bench.allow(&entry("web"));
    running.until("it is registered", |api| api.releases().len() == 1).await;
    running.bench.allow("[[allow]]\n");
    let (asked, _) = running.api.asked();
    running.until("the broken list is looked at", |api| api.asked().0 >= asked + 2).await;
    write(folder.path(), "a.yaml", map("a", "2"));
    running.until("the list before counts", |api| api.releases().len() == 2).await;
    running.bench.allow(&entry("other"));
    let refused = |api: &Api| api.statuses().pop().is_some_and(|status| status.outcome == Outcome::Refused);
    running.until("it is refused again", refused).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_service_s_failure_is_one_service_s_failure() {
    let mut running = Running::new().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "good/a.yaml", map("a", "1"));
    write(folder.path(), "bad/a.yaml", "a: b: c\n");
    running.api.want(vec![
        named("default/bad", from_folder(folder.path(), "bad")),
        named("default/away", from_git("file:///nowhere/a.git", "")),
        named("default/good", from_folder(folder.path(), "good")),
    ]);
    running.start();
    running.until("the good one is registered", |api| api.releases().len() == 1).await;
    running.until("the others are told", |api| api.statuses().len() == 3).await;
    assert_eq!(of(&running.api, "default/bad")[0].outcome, Outcome::Refused);
    assert_eq!(of(&running.api, "default/away")[0].outcome, Outcome::Failed);
    write(folder.path(), "bad/a.yaml", map("a", "1"));
    running.until("the bad one is mended", |api| api.releases().len() == 2).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_not_rendered_again_until_what_it_is_made_of_changes() {
    let mut running = Running::new().await;
    running.count_renderings();
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    let template = |text: &str| {
        [("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"), ("c/templates/a.yaml", text)]
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
    };
    for (path, text) in template("{{ fail \"it is not to be\" }}\n") {
        repo.write(&path, &text);
        write(folder.path(), &path, &text);
    }
    repo.commit("begin");
    running.api.want(vec![
        named("default/folder", charted(from_folder(folder.path(), "c"), HelmRenderer::default())),
        named("default/git", charted(from_git(&repo.url(), "c"), HelmRenderer::default())),
    ]);
    running.start();
    running.until("both are told", |api| api.statuses().len() == 2).await;
    assert!(running.api.statuses().iter().all(|status| status.message.contains("it is not to be")));
    running.passes().await;
    // A folder may change while it is rendered: it takes a second look to be sure.
    assert_eq!((running.renderings("git"), running.renderings("folder")), (1, 2));
    repo.write("README.md", "read me");
    let elsewhere = repo.commit("elsewhere");
    running.until("the commit is told", |api| of(api, "default/git").len() == 2).await;
    assert_eq!(of(&running.api, "default/git")[1].commit, elsewhere);
    assert_eq!(of(&running.api, "default/git")[1].outcome, Outcome::Failed);
    running.passes().await;
    assert_eq!((running.renderings("git"), running.renderings("folder")), (1, 2));
    for (path, text) in template(&map("a", "1")) {
        repo.write(&path, &text);
        write(folder.path(), &path, &text);
    }
    repo.commit("mend");
    running.until("both are registered", |api| api.releases().len() == 2).await;
    running.stop().await;
}
