//! What the list permits, and what it says where it does not.

use cdn::wire::{DirectorySource, GitSource, Newest, Renderer, Source, WantedService};

use super::AllowList;

const LIST: &str = r#"
[[allow]]
services = ["default/*"]
repository = "https://git.example.com/harbour.git"
refs = ["main", "release-*"]
paths = ["plain/**", "charts/*"]
credential = "forge"

[[allow]]
services = ["demo/*"]
repository = "/srv/**"
local = true

[[credential]]
name = "forge"
host = "git.example.com"
password_file = "/run/secrets/forge"
"#;

fn list() -> AllowList {
    LIST.parse().expect("a list")
}

fn git(name: &str, url: &str, reference: &str, path: &str) -> WantedService {
    let source = Source::Git(GitSource { url: url.to_owned(), reference: reference.to_owned() });
    wanted(name, source, path)
}

fn wanted(name: &str, source: Source, path: &str) -> WantedService {
    WantedService {
        name: name.parse().expect("a name"),
        source,
        path: path.to_owned(),
        namespace: "web".to_owned(),
        renderer: Renderer::default(),
        newest: Newest::Unsaid,
        asked: None,
    }
}

#[test]
fn what_is_listed_is_permitted_with_its_credential() {
    let wanted = git("default/web", "https://git.example.com/harbour.git", "release-3", "plain/web");
    let permission = list().permit(&wanted).expect("permitted");
    assert_eq!(permission.credential.map(|credential| credential.host).as_deref(), Some("git.example.com"));
    let source = Source::Directory(DirectorySource { path: "/srv/manifests/a".to_owned() });
    list().permit(&wanted_in("demo/a", source)).expect("permitted");
}

fn wanted_in(name: &str, source: Source) -> WantedService {
    wanted(name, source, "")
}

#[test]
fn what_is_not_listed_is_refused_with_the_nearest_reason() {
    let url = "https://git.example.com/harbour.git";
    for (wanted, why) in [
        (git("other/web", url, "main", "plain/web"), "no entry names the service"),
        (git("default/web", "https://git.example.com/x.git", "main", "plain/web"), "another repository"),
        (git("default/web", url, "dev", "plain/web"), "does not list the ref"),
        (git("default/web", url, "main", "charts/a/b"), "does not list the path"),
        (git("default/web", url, "main", "plain/../secret"), "does not list the path"),
        (git("default/web", url, "main", "../.."), "leads out of the source"),
        (git("demo/web", "file:///srv/a.git", "main", ""), "another repository"),
        (
            git("default/web", "https://u:p@git.example.com/harbour.git", "main", ""),
            "no user name or password",
        ),
    ] {
        let refused = list().permit(&wanted).expect_err("not permitted").to_string();
        assert!(refused.contains(why), "{refused:?} should say {why:?}");
    }
}

/// What a stranger can make by asking for a merge is nobody's word who owns the repository.
#[test]
fn c5_a_request_to_merge_and_a_commit_by_its_id_are_taken_only_where_a_pattern_names_them() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let owned = ["main", "v1.0", "feature/x", "HEAD", "refs/heads/main", "refs/tags/v1.0"];
    let strange = ["refs/pull/1/head", "refs/merge-requests/1/head", "refs/changes/01/1/1", commit];
    for (refs, taken) in [
        (None, &owned[..]),
        (Some(r#"["**"]"#), &owned),
        (Some(r#"["*"]"#), &["main", "v1.0", "HEAD"]),
        (Some(r#"["main", "refs/pull/*/head"]"#), &["main", "refs/pull/1/head"]),
        (Some(r#"["refs/**"]"#), &["refs/heads/main", "refs/tags/v1.0", strange[0], strange[1], strange[2]]),
        (Some(r#"["commit:*"]"#), &[commit]),
        (Some(r#"["0123456789abcdef0123456789abcdef01234567"]"#), &[commit]),
        (Some(r#"["012345*"]"#), &[]),
    ] {
        let refs = refs.map(|refs| format!("refs = {refs}\n")).unwrap_or_default();
        let url = "https://git.example.com/a.git";
        let text = format!("[[allow]]\nservices = [\"*/*\"]\nrepository = \"{url}\"\n{refs}");
        let list: AllowList = text.parse().expect("a list");
        for reference in owned.iter().chain(&strange) {
            let permitted = list.permit(&git("default/web", url, reference, "")).is_ok();
            assert_eq!(permitted, taken.contains(reference), "{refs}: {reference}");
        }
    }
}

#[test]
fn c4_what_leaves_a_pattern_s_folder_does_not_fit_it() {
    let folder = |path: &str| {
        let source = Source::Directory(DirectorySource { path: path.to_owned() });
        list().permit(&wanted_in("demo/a", source))
    };
    folder("/srv/team-a").expect("permitted");
    for path in ["/srv/team-a/../../etc", "/srv/..", "/srv/./a", "/srv//a", "srv/a", "/srv/a\n"] {
        let refused = folder(path).expect_err(path).to_string();
        assert!(refused.starts_with("the path `"), "{refused}");
    }
    let refused = list().permit(&git("demo/a", "file:///srv/team-a/../x.git", "main", "")).expect_err("`..`");
    assert!(refused.to_string().contains("empty, `.` or `..`"), "{refused}");
}

#[test]
fn k2_a_mistake_in_the_list_is_told_with_its_place() {
    for (text, said) in [
        ("[[allow]]\nservice = [\"a/b\"]\nrepository = \"x\"\n", "unknown field `service`"),
        (
            "[[allow]]\nservices = [\"a/b\"]\nrepository = \"x\"\ncredential = \"y\"\n",
            "no such [[credential]]",
        ),
        ("[[allow]]\nservices = [\"a/b\"]\n", "missing field `repository`"),
    ] {
        let why = text.parse::<AllowList>().expect_err("a mistake");
        assert!(why.contains(said), "{why}");
    }
}
