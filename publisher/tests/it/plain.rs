//! Plain manifests: the same bundle from git or from a directory, in any order of files, whatever is not an object.

use crate::bench::{Bay, from_folder, from_git};
use crate::repo::{Repo, copy, examples, map, write};

#[tokio::test]
async fn b11_the_same_files_give_the_same_bundle_from_git_and_from_a_directory() {
    let bay = Bay::new().await;
    let repo = Repo::new();
    copy(&examples().join("plain"), &repo.folder().join("plain"));
    repo.commit("all");
    for service in ["api", "berths", "cache", "platform", "web", "worker"] {
        let path = format!("plain/{service}");
        let git = bay.render(from_git(&repo.url(), &path)).await.unwrap();
        let folder = bay.render(from_folder(&examples(), &path)).await.unwrap();
        assert_eq!(git.digest, folder.digest, "{service}");
        assert!(!git.bundle.is_empty());
        assert_eq!(git.revision.id, repo.head());
        assert!(folder.revision.id.starts_with("sha256:"), "{}", folder.revision.id);
    }
}

#[tokio::test]
async fn b11_names_and_order_of_files_comments_and_formatting_change_no_digest() {
    let bay = Bay::new().await;
    let one = tempfile::tempdir().unwrap();
    write(one.path(), "a.yaml", format!("{}---\n{}", map("x", "1"), map("z", "2")));
    let other = tempfile::tempdir().unwrap();
    write(other.path(), "deep/z.yml", format!("# a comment\n{}", map("x", "1")));
    write(
        other.path(),
        "b.json",
        r#"{"kind":"ConfigMap","data":{"value":"2"},"metadata":{"name":"z"},"apiVersion":"v1"}"#,
    );
    write(other.path(), "README.md", "nothing to see");
    let one = bay.render(from_folder(one.path(), "")).await.unwrap();
    let other = bay.render(from_folder(other.path(), "")).await.unwrap();
    assert_eq!(one.digest, other.digest);
    assert_eq!(one.tar, other.tar);
}

#[tokio::test]
async fn b8_one_bad_object_among_many_fails_the_service_and_every_fault_is_told() {
    let bay = Bay::new().await;
    let folder = tempfile::tempdir().unwrap();
    for index in 0..500 {
        write(folder.path(), &format!("{index}.yaml"), map(&format!("m{index}"), "1"));
    }
    write(
        folder.path(),
        "bad.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nmetadata: {name: b}\n",
    );
    write(folder.path(), "worse.yaml", "apiVersion: v1\nkind: ConfigMap\n");
    let refused = bay.render(from_folder(folder.path(), "")).await.unwrap_err().to_string();
    assert!(refused.contains("bad.yaml: line 4: the key `metadata` is there twice"), "{refused}");
    std::fs::remove_file(folder.path().join("bad.yaml")).unwrap();
    let refused = bay.render(from_folder(folder.path(), "")).await.unwrap_err().to_string();
    assert!(refused.contains("worse.yaml:1 (ConfigMap ?)") && refused.contains("metadata.name"), "{refused}");
}

#[tokio::test]
async fn a_kustomization_among_plain_files_names_the_right_renderer() {
    let bay = Bay::new().await;
    let refused = bay.render(from_folder(&examples(), "kustomize/edge/base")).await.unwrap_err().to_string();
    assert!(refused.contains("kustomization.yaml") && refused.contains("`kustomize: {}`"), "{refused}");
    let refused = bay.render(from_folder(&examples(), "charts/gate")).await.unwrap_err().to_string();
    assert!(refused.contains("line"), "{refused}");
}

#[tokio::test]
async fn b9_a_folder_without_objects_is_refused_unless_it_is_allowed() {
    let bay = Bay::new().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", "# nothing\n");
    let wanted = || from_folder(folder.path(), "");
    let refused = bay.render(wanted()).await.unwrap_err().to_string();
    assert!(refused.contains("nothing came out of rendering"), "{refused}");
    assert!(bay.render_within(wanted(), "allow_empty = true").await.unwrap().bundle.is_empty());
}

#[tokio::test]
async fn e2_a_secret_in_plain_is_refused_unless_the_allow_list_names_it() {
    let bay = Bay::new().await;
    let folder = tempfile::tempdir().unwrap();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: token}\nstringData: {token: canary-77}\n";
    write(folder.path(), "a.yaml", secret);
    let wanted = || from_folder(folder.path(), "");
    let refused = bay.render(wanted()).await.unwrap_err();
    let said = format!("{refused} {refused:?}");
    assert!(said.contains("`web/token`") && !said.contains("canary-77"), "{said}");
    bay.render_within(wanted(), "plain_secrets = [\"web/token\"]").await.unwrap();
}

/// The tree holds plain Secrets: refused first, then allowed by name.
#[tokio::test]
async fn e2_a_real_tree_is_published_once_its_secrets_are_named() {
    let Some(tree) = crate::corpus::real_tree() else { return };
    let bay = Bay::new().await;
    let wanted = || from_folder(tree.path(), "manifests");
    let refused = bay.render(wanted()).await.unwrap_err().to_string();
    assert!(refused.contains("plain_secrets"), "{refused}");
    let rendered = bay.render_within(wanted(), "plain_secrets = [\"monitoring/*\"]").await.unwrap();
    assert!(rendered.bundle.len() > 90, "{}", rendered.bundle.len());
    assert!(rendered.images.len() > 5, "{:?}", rendered.images);
    let url = format!("file://{}", tree.path().display());
    let lines = "plain_secrets = [\"monitoring/*\"]";
    let of_git = bay.render_within(from_git(&url, "manifests"), lines).await.unwrap();
    assert_eq!(of_git.digest, rendered.digest);
}
