//! Charts by the real helm: values, hooks, dependencies, and nothing that changes from one rendering to the next.

use std::collections::BTreeMap;
use std::process::Command;

use cdn::wire::HelmRenderer;
use serde_json::json;
use testbed::{Tool, tool};

use crate::bench::{Bay, charted, from_folder, from_git};
use crate::repo::{Repo, copy, examples, map, write};

fn chart(folder: &std::path::Path, template: &str) {
    write(folder, "c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    write(folder, "c/templates/a.yaml", template);
}

fn with_values(files: &[&str]) -> HelmRenderer {
    HelmRenderer {
        value_files: files.iter().map(|file| (*file).to_owned()).collect(),
        ..HelmRenderer::default()
    }
}

#[tokio::test]
async fn the_examples_render_alike_from_git_and_from_a_directory_with_crds_and_without_tests() {
    let bay = Bay::new().await;
    let repo = Repo::new();
    copy(&examples(), repo.folder());
    repo.commit("all");
    for name in ["gate", "telemetry"] {
        let path = format!("charts/{name}");
        let helm = || with_values(&["values-production.yaml"]);
        let git = bay.render(charted(from_git(&repo.url(), &path), helm())).await.unwrap();
        let folder = bay.render(charted(from_folder(&examples(), &path), helm())).await.unwrap();
        assert_eq!(git.digest, folder.digest, "{name}");
        assert!(
            git.warnings.iter().any(|note| note.contains("the hook `test") && note.contains("left out")),
            "{:?}",
            git.warnings
        );
        let kinds: Vec<String> = git.bundle.objects().map(|object| object.id().kind.clone()).collect();
        assert!(!kinds.iter().any(|kind| kind == "Pod"), "{kinds:?}");
        assert_eq!(
            name == "telemetry",
            kinds.iter().any(|kind| kind == "CustomResourceDefinition"),
            "{kinds:?}"
        );
    }
    let staging =
        bay.render(charted(from_folder(&examples(), "charts/gate"), with_values(&["values-staging.yaml"])));
    let production = bay
        .render(charted(from_folder(&examples(), "charts/gate"), with_values(&["values-production.yaml"])));
    assert_ne!(staging.await.unwrap().digest, production.await.unwrap().digest);
}

#[tokio::test]
async fn values_versions_and_the_release_s_name_reach_the_templates() {
    let bay = Bay::new().await;
    let folder = tempfile::tempdir().unwrap();
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata:\n  ns: {{ .Release.Namespace }}\n  v: {{ .Values.v | quote }}\n  kube: {{ .Capabilities.KubeVersion.Version }}\n  api: {{ .Capabilities.APIVersions.Has \"x.test/v1\" | quote }}\n";
    chart(folder.path(), template);
    write(folder.path(), "c/values.yaml", "v: default\n");
    write(folder.path(), "shared/one.yaml", "v: file\n");
    let helm = HelmRenderer {
        release_name: Some("named".to_owned()),
        value_files: vec!["../shared/one.yaml".to_owned()],
        values: BTreeMap::new(),
        kube_version: Some("1.31".to_owned()),
        api_versions: vec!["x.test/v1".to_owned()],
    };
    let object = async |helm: HelmRenderer| {
        let rendered = bay.render(charted(from_folder(folder.path(), "c"), helm)).await.unwrap();
        rendered.bundle.objects().next().unwrap().value()
    };
    let with_file = object(helm.clone()).await;
    assert_eq!(with_file["metadata"]["name"], "named");
    assert_eq!(with_file["data"], json!({"ns": "web", "v": "file", "kube": "v1.31", "api": "true"}));
    let inline = HelmRenderer { values: BTreeMap::from([("v".to_owned(), json!("inline"))]), ..helm };
    assert_eq!(object(inline).await["data"]["v"], "inline");
}

#[tokio::test]
async fn what_changes_from_one_rendering_to_the_next_is_refused_with_its_field() {
    let bay = Bay::new().await;
    for (value, field) in
        [("randAlphaNum 8", ".data.v"), ("now | unixEpoch", ".data.v"), ("uuidv4", ".data.v")]
    {
        let folder = tempfile::tempdir().unwrap();
        let template = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  v: {{{{ {value} | quote }}}}\n"
        );
        chart(folder.path(), &template);
        let wanted = charted(from_folder(folder.path(), "c"), HelmRenderer::default());
        let refused = bay.render(wanted).await.unwrap_err().to_string();
        assert!(refused.contains("c/templates/a.yaml (ConfigMap a)"), "{value}: {refused}");
        assert!(refused.contains(&format!("differ at `{field}`")), "{value}: {refused}");
    }
}

#[tokio::test]
async fn c3_lookup_is_empty_and_nothing_is_resolved_or_read_beyond_the_chart() {
    let bay = Bay::new().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "outside.txt", "canary-c3");
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  lookup: {{ lookup \"v1\" \"Secret\" \"\" \"\" | toJson | quote }}\n  file: {{ .Files.Get \"../outside.txt\" | quote }}\n  abs: {{ .Files.Get \"/etc/hostname\" | quote }}\n  host: {{ getHostByName \"localhost\" | quote }}\n";
    chart(folder.path(), template);
    let wanted = charted(from_folder(folder.path(), "c"), HelmRenderer::default());
    let rendered = bay.render(wanted).await.unwrap();
    let data = rendered.bundle.objects().next().unwrap().value()["data"].clone();
    assert_eq!(data, json!({"lookup": "{}", "file": "", "abs": "", "host": ""}));
}

#[tokio::test]
async fn dependencies_must_be_vendored_and_a_packaged_chart_renders() {
    let bay = Bay::new().await;
    let folder = tempfile::tempdir().unwrap();
    chart(folder.path(), &map("a", "1"));
    let chart_file = "apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies:\n- {name: redis, version: 1.0.0, repository: 'https://charts.example.com'}\n";
    write(folder.path(), "c/Chart.yaml", chart_file);
    let wanted = |path: &str| charted(from_folder(folder.path(), path), HelmRenderer::default());
    let refused = bay.render(wanted("c")).await.unwrap_err().to_string();
    assert!(
        refused.contains("`redis` is not in `charts/`") && refused.contains("helm dependency update"),
        "{refused}"
    );
    write(folder.path(), "c/charts/redis/Chart.yaml", "apiVersion: v2\nname: redis\nversion: 1.0.0\n");
    write(folder.path(), "c/charts/redis/templates/b.yaml", map("b", "1"));
    let open = bay.render(wanted("c")).await.unwrap();
    assert_eq!(open.bundle.len(), 2);
    let packed = Command::new(tool(Tool::Helm).unwrap())
        .args(["package", "c"])
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .output()
        .unwrap();
    assert!(packed.status.success(), "{packed:?}");
    let packed = bay.render(wanted("c-1.0.0.tgz")).await.unwrap();
    assert_eq!(packed.digest, open.digest);
}

#[tokio::test]
async fn a_chart_that_is_wrong_or_too_slow_is_told() {
    let bay = Bay::new().await;
    let folder = tempfile::tempdir().unwrap();
    chart(folder.path(), "{{ fail \"no such region\" }}\n");
    let wanted = || charted(from_folder(folder.path(), "c"), HelmRenderer::default());
    let refused = bay.render(wanted()).await.unwrap_err().to_string();
    assert!(refused.starts_with("helm: ") && refused.contains("no such region"), "{refused}");
    chart(folder.path(), "{{ range until 1000000 }}{{ range until 1000000 }}{{ end }}{{ end }}\n");
    let slow = Bay::with(|settings| settings.render_time = std::time::Duration::from_secs(2)).await;
    let refused = slow.render(wanted()).await.unwrap_err().to_string();
    assert!(refused.contains("did not end within 2s") && refused.contains("--render-timeout"), "{refused}");
    let helm = HelmRenderer { release_name: Some("--post-renderer=x".to_owned()), ..HelmRenderer::default() };
    let refused = bay.render(charted(from_folder(folder.path(), "c"), helm)).await.unwrap_err().to_string();
    assert!(refused.contains("is not a release's name"), "{refused}");
    let helm = with_values(&["../../x.yaml"]);
    let refused = bay.render(charted(from_folder(folder.path(), "c"), helm)).await.unwrap_err().to_string();
    assert!(refused.contains("leads out of the source"), "{refused}");
}
