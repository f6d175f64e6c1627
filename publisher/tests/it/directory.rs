//! A folder of this machine: read beneath itself and nowhere else.

use std::os::unix::fs::symlink;

use cdn::wire::HelmRenderer;
use program::progress::Silent;
use publisher::allow::AllowList;
use publisher::render::RenderRequest;

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

/// Whoever may write below the folder that an entry names could lead the rest of the way elsewhere.
#[tokio::test]
async fn c4_links_on_the_way_to_the_folder_are_followed_only_where_the_allow_list_names_them() {
    let bay = Bay::new().await;
    let top = tempfile::tempdir().unwrap();
    write(top.path(), "team-b/app/a.yaml", map("canary-9", "1"));
    write(top.path(), "team-a/app/a.yaml", map("a", "1"));
    symlink(top.path().join("team-b"), top.path().join("team-a/borrowed")).unwrap();
    symlink(top.path(), top.path().join("current")).unwrap();
    let at = |path: &str| top.path().join(path).display().to_string();
    let render = async |pattern: &str, path: &str| {
        let list =
            format!("[[allow]]\nservices = [\"*/*\"]\nrepository = \"{}\"\nlocal = true\n", at(pattern));
        let list: AllowList = list.parse().unwrap();
        let wanted = from_folder(at(path).as_ref(), "");
        let permission = list.permit(&wanted).map_err(|why| why.to_string())?;
        let request = RenderRequest { wanted, permission };
        bay.workshop.render(&request, &Silent).await.map_err(|why| why.to_string())
    };
    render("team-a/**", "team-a/app").await.unwrap();
    // The administrator's own link, in what the entry names: the way to the allowed tree, or all of it.
    render("current/team-a/**", "current/team-a/app").await.unwrap();
    render("team-a/borrowed/app", "team-a/borrowed/app").await.unwrap();
    for (pattern, path, why) in [
        ("team-a/**", "team-a/borrowed/app", "a link lies on the way to it"),
        ("team-a/**", "team-a/borrowed", "a link lies on the way to it"),
        ("**", "current/team-a/app", "a link lies on the way to it"),
        ("team-a/**", "team-a/../team-b/app", "empty, `.` or `..`"),
        ("team-a/**", "team-b/app", "names another repository"),
    ] {
        let refused = render(pattern, path).await.unwrap_err();
        assert!(refused.contains(why) && !refused.contains("canary-9"), "{pattern} {path}: {refused}");
    }
}

/// Whoever opens a pipe to read it waits for one who writes.
#[tokio::test]
async fn c4_a_pipe_or_a_device_as_a_path_or_a_value_file_is_refused_and_holds_nobody_up() {
    let bay = Bay::new().await;
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    write(folder.path(), "c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    write(folder.path(), "c/templates/a.yaml", map("a", "1"));
    let chart =
        |file: &str| HelmRenderer { value_files: vec![format!("../{file}")], ..HelmRenderer::default() };
    for odd in ["pipe", "socket"] {
        for wanted in [from_folder(folder.path(), odd), charted(from_folder(folder.path(), "c"), chart(odd))]
        {
            let refused = bay.render(wanted).await.unwrap_err().to_string();
            assert!(refused.contains(&format!("`{odd}` is a device, a pipe or a socket")), "{refused}");
        }
    }
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
        charted(from_folder(folder.path(), "c"), HelmRenderer::default()),
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
