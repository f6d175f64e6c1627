//! Plain manifests: the same bundle from git or from a directory, in any order of files, whatever is not an object.

use cdn::wire::{HelmRenderer, WantedService};

use crate::bench::{Bay, charted, from_folder, from_git, kustomized};
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

/// The same input, the same T: from git or from a directory, whatever the order in which files came to lie there.
#[tokio::test]
async fn b11_plain_kustomize_and_helm_give_one_digest_from_git_and_from_directories_of_any_order() {
    let bay = Bay::new().await;
    let many = |at: &'static str| {
        (0..30).map(move |index| (format!("{at}/m{index}.yaml"), map(&format!("m{index}"), "1")))
    };
    let names: Vec<String> = (0..30).rev().map(|index| format!("m{index}.yaml")).collect();
    let mut files: Vec<(String, String)> = many("p").chain(many("k")).chain(many("c/templates")).collect();
    files.push(("k/kustomization.yaml".to_owned(), format!("resources: [{}]\n", names.join(", "))));
    files.push(("c/Chart.yaml".to_owned(), "apiVersion: v2\nname: c\nversion: 1.0.0\n".to_owned()));
    let (forward, backward) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let repo = Repo::new();
    for (path, text) in &files {
        write(forward.path(), path, text);
        repo.write(path, text);
    }
    for (path, text) in files.iter().rev() {
        write(backward.path(), path, text);
    }
    repo.commit("all");
    let rendered_by = |path: &str, wanted: WantedService| match path {
        "k" => kustomized(wanted),
        "c" => charted(wanted, HelmRenderer::default()),
        _ => wanted,
    };
    for path in ["p", "k", "c"] {
        let one = bay.render(rendered_by(path, from_git(&repo.url(), path))).await.unwrap();
        assert_eq!(one.bundle.len(), 30, "{path}");
        for folder in [&forward, &backward] {
            let other = bay.render(rendered_by(path, from_folder(folder.path(), path))).await.unwrap();
            assert_eq!(other.digest, one.digest, "{path}");
            assert_eq!(other.tar, one.tar, "{path}");
        }
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
