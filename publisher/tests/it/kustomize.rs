//! Kustomize by `kubectl kustomize`: over just the folders that it leads to, and nothing from elsewhere.

use crate::bench::{Bay, from_folder, from_git, kustomized};
use crate::repo::{Repo, copy, examples, map, write};

#[tokio::test]
async fn the_examples_render_alike_from_git_and_from_a_directory() {
    let bay = Bay::new().await;
    let repo = Repo::new();
    copy(&examples(), repo.folder());
    repo.commit("all");
    for service in ["edge", "tides", "notices"] {
        for overlay in ["staging", "production"] {
            let path = format!("kustomize/{service}/overlays/{overlay}");
            let git = bay.render(kustomized(from_git(&repo.url(), &path))).await.unwrap();
            let folder = bay.render(kustomized(from_folder(&examples(), &path))).await.unwrap();
            assert_eq!(git.digest, folder.digest, "{path}");
            assert!(git.bundle.len() > 1, "{path}");
        }
    }
}

#[tokio::test]
async fn c3_whatever_lies_elsewhere_is_refused_before_anything_runs() {
    let bay = Bay::with(|settings| settings.kubectl = "/nonexistent/kubectl".into()).await;
    for (text, said) in [
        ("resources: [https://example.com/a.yaml]", "`https://example.com/a.yaml` lies elsewhere"),
        ("resources: [github.com/kubernetes/examples]", "lies elsewhere"),
        ("resources: ['git::https://example.com/a']", "lies elsewhere"),
        ("resources: ['git@github.com:a/b']", "lies elsewhere"),
        ("bases: ['../..']", "leads out of the source"),
        ("components: [/etc]", "is absolute"),
        ("resources: [gone.yaml]", "`k/gone.yaml`, which is not in the source"),
        ("configMapGenerator: [{name: a, files: ['k=http://169.254.169.254/latest']}]", "lies elsewhere"),
        ("patches: [{path: 'https://example.com/p.yaml'}]", "lies elsewhere"),
        ("helmCharts: [{name: a, repo: 'https://example.com'}]", "would fetch and run a chart"),
        ("crds: ['https://example.com/crd.yaml']", "lies elsewhere"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "k/kustomization.yaml", text);
        let refused = bay.render(kustomized(from_folder(folder.path(), "k"))).await.unwrap_err().to_string();
        assert!(refused.contains(said), "{text}: {refused}");
    }
}

#[tokio::test]
async fn c3_a_kustomization_reads_no_file_beyond_what_the_allow_list_gives() {
    let bay = Bay::new().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "team/kustomization.yaml", "resources: [../other]\n");
    write(folder.path(), "other/kustomization.yaml", "resources: [a.yaml]\n");
    write(folder.path(), "other/a.yaml", map("a", "1"));
    let wanted = || kustomized(from_folder(folder.path(), "team"));
    bay.render(wanted()).await.unwrap();
    let refused = bay.render_within(wanted(), "paths = [\"team/**\"]").await.unwrap_err().to_string();
    assert!(refused.contains("`other` is not among the entry's `paths`"), "{refused}");
}

#[tokio::test]
async fn c3_exec_plugins_do_not_run_and_the_cell_holds_no_other_file() {
    let bay = Bay::new().await;
    let folder = tempfile::tempdir().unwrap();
    let sign = folder.path().join("sign");
    let script = format!("#!/bin/sh\ntouch {}\n", sign.display());
    let plugin = write(folder.path(), "k/plugin.sh", script);
    std::fs::set_permissions(plugin, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    write(
        folder.path(),
        "k/generator.yaml",
        "apiVersion: x/v1\nkind: Evil\nmetadata:\n  name: e\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: ./plugin.sh}\n",
    );
    write(folder.path(), "k/kustomization.yaml", "generators: [generator.yaml]\n");
    let refused = bay.render(kustomized(from_folder(folder.path(), "k"))).await.unwrap_err().to_string();
    assert!(refused.starts_with("kustom") || refused.starts_with("kubectl"), "{refused}");
    assert!(!sign.exists());
}

#[tokio::test]
async fn a_folder_without_a_kustomization_and_a_missing_program_are_told() {
    let bay = Bay::new().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.yaml", map("a", "1"));
    let refused = bay.render(kustomized(from_folder(folder.path(), ""))).await.unwrap_err().to_string();
    assert!(refused.contains("have exactly one"), "{refused}");
    write(folder.path(), "kustomization.yaml", "resources: [a.yaml]\n");
    let without = Bay::with(|settings| settings.kubectl = "no-such-kubectl".into()).await;
    let refused = without.render(kustomized(from_folder(folder.path(), ""))).await.unwrap_err().to_string();
    assert!(refused.contains("`kubectl` is not found") && refused.contains("--kubectl"), "{refused}");
}
