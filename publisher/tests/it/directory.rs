//! A folder of this machine: read beneath itself and nowhere else.

use std::os::unix::fs::symlink;

use crate::bench::{Bay, charted, from_folder, kustomized};
use crate::repo::{map, write};

#[tokio::test]
async fn c4_a_link_that_leaves_the_folder_is_refused_and_its_content_never_shown() {
    let bay = Bay::new().await;
    let outside = tempfile::tempdir().unwrap();
    let secret = write(outside.path(), "secret.yaml", map("canary-9", "canary-9"));
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "in/a.yaml", map("a", "1"));
    write(folder.path(), "side.yaml", map("canary-9", "1"));
    for (name, target) in [("abs.yaml", secret.as_path()), ("up.yaml", std::path::Path::new("../side.yaml"))]
    {
        let link = folder.path().join("in").join(name);
        symlink(target, &link).unwrap();
        let refused = bay.render(from_folder(folder.path(), "in")).await.unwrap_err().to_string();
        assert!(
            refused.contains(&format!("in/{name}")) && refused.contains("leads out of the folder"),
            "{refused}"
        );
        assert!(!refused.contains("canary-9"), "{refused}");
        std::fs::remove_file(link).unwrap();
    }
    symlink(outside.path(), folder.path().join("in/folder")).unwrap();
    let refused = bay.render(from_folder(folder.path(), "in")).await.unwrap_err().to_string();
    assert!(refused.contains("in/folder"), "{refused}");
    // And the way to the folder itself is no link either.
    symlink(outside.path(), folder.path().join("linked")).unwrap();
    let refused = bay.render(from_folder(folder.path(), "linked")).await.unwrap_err().to_string();
    assert!(refused.contains("linked"), "{refused}");
}

#[tokio::test]
async fn c4_a_link_within_the_folder_is_the_file_itself() {
    let bay = Bay::new().await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "in/real.txt", map("a", "1"));
    symlink("real.txt", folder.path().join("in/a.yaml")).unwrap();
    let rendered = bay.render(from_folder(folder.path(), "in")).await.unwrap();
    assert_eq!(rendered.bundle.len(), 1);
}

#[tokio::test]
async fn c4_a_chart_or_an_overlay_with_a_link_that_leaves_is_refused() {
    let bay = Bay::new().await;
    let outside = tempfile::tempdir().unwrap();
    let secret = write(outside.path(), "secret", "canary-9");
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "k/kustomization.yaml", "configMapGenerator: [{name: a, files: [secret]}]\n");
    write(folder.path(), "c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    write(folder.path(), "c/templates/a.yaml", "{{ .Files.Get \"secret\" }}\n");
    symlink(&secret, folder.path().join("k/secret")).unwrap();
    symlink(&secret, folder.path().join("c/secret")).unwrap();
    for wanted in [
        kustomized(from_folder(folder.path(), "k")),
        charted(from_folder(folder.path(), "c"), cdn::wire::HelmRenderer::default()),
    ] {
        let refused = bay.render(wanted).await.unwrap_err().to_string();
        assert!(refused.contains("leads out of the folder") && !refused.contains("canary-9"), "{refused}");
    }
}

#[tokio::test]
async fn a_missing_folder_and_a_path_that_climbs_are_told() {
    let bay = Bay::new().await;
    let folder = tempfile::tempdir().unwrap();
    let refused = bay.render(from_folder(folder.path(), "none")).await.unwrap_err().to_string();
    assert!(refused.contains("there is no `none` in the source"), "{refused}");
    let refused = bay.render(from_folder(folder.path(), "a/../..")).await.unwrap_err().to_string();
    assert!(refused.contains("leads out of the source"), "{refused}");
    let refused = bay.render(from_folder(&folder.path().join("gone"), "")).await.unwrap_err().to_string();
    assert!(refused.contains("gone") && refused.contains("check the path"), "{refused}");
}
