//! Git as a source: refs, commits, bounds, and what a hostile or absent repository comes to.

use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use cdn::wire::{GitSource, Outcome, Source, WantedService};

use crate::bench::{Bay, from_git};
use crate::repo::{Repo, map};

fn at(repo: &Repo, reference: &str) -> WantedService {
    let source = Source::Git(GitSource { url: repo.url(), reference: reference.to_owned() });
    WantedService { source, ..from_git(&repo.url(), "web") }
}

#[tokio::test]
async fn a_branch_a_tag_and_a_commit_are_read_with_their_subject_and_time() {
    let bay = Bay::new().await;
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    let first = repo.commit("web: begin\n\nwith a body");
    repo.git(&["tag", "-a", "v1", "-m", "one"]);
    repo.git(&["branch", "old"]);
    repo.write("web/a.yaml", map("a", "2"));
    let second = repo.commit("web: go on");
    let main = bay.render(at(&repo, "main")).await.unwrap();
    assert_eq!((main.revision.id.as_str(), main.revision.subject.as_str()), (second.as_str(), "web: go on"));
    assert!(main.revision.time.is_some());
    for reference in ["v1", "old", "refs/heads/old", "refs/tags/v1", first.as_str()] {
        let old = bay.render_within(at(&repo, reference), "refs = [\"**\", \"commit:*\"]").await.unwrap();
        assert_eq!(old.revision.id, first, "{reference}");
        assert_ne!(old.digest, main.digest);
    }
    let head = bay.render(at(&repo, "HEAD")).await.unwrap();
    assert_eq!(head.revision.id, second);
}

#[tokio::test]
async fn a_ref_that_is_not_there_or_there_twice_is_told() {
    let bay = Bay::new().await;
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    repo.commit("begin");
    let refused = bay.render(at(&repo, "gone")).await.unwrap_err().to_string();
    assert!(refused.contains("has no branch or tag `gone`"), "{refused}");
    repo.git(&["branch", "both"]);
    repo.git(&["tag", "both"]);
    let refused = bay.render(at(&repo, "both")).await.unwrap_err().to_string();
    assert!(refused.contains("refs/heads/NAME"), "{refused}");
    let refused = bay.render(at(&repo, "--upload-pack=touch /tmp/x")).await.unwrap_err().to_string();
    assert!(refused.contains("cannot have a ref"), "{refused}");
}

/// Anybody can make a commit in somebody's repository at a forge, by asking for a merge.
#[tokio::test]
async fn c5_what_a_stranger_asks_to_merge_is_rendered_only_where_the_allow_list_names_such_refs() {
    let bay = Bay::new().await;
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    let owned = repo.commit("begin");
    repo.write("web/a.yaml", map("a", "evil"));
    let strange = repo.commit("evil");
    repo.git(&["update-ref", "refs/pull/1/head", &strange]);
    repo.git(&["reset", "--quiet", "--hard", &owned]);
    for reference in ["refs/pull/1/head", strange.as_str()] {
        let refused = bay.render(at(&repo, reference)).await.unwrap_err();
        assert_eq!(refused.outcome(), Outcome::Refused);
        assert!(refused.to_string().contains("not in this publisher's allow list"), "{refused}");
    }
    // A short name is a branch or a tag, and never leads there.
    for reference in ["pull/1/head", "1/head", "head"] {
        let refused = bay.render(at(&repo, reference)).await.unwrap_err().to_string();
        assert!(refused.contains("has no branch or tag"), "{refused}");
    }
    assert_eq!(bay.render(at(&repo, "main")).await.unwrap().revision.id, owned);
    let named = bay.render_within(at(&repo, "refs/pull/1/head"), "refs = [\"refs/pull/*/head\"]").await;
    assert_eq!(named.unwrap().revision.id, strange);
}

#[tokio::test]
async fn c4_a_repository_behind_a_link_that_nobody_named_is_refused() {
    let bay = Bay::new().await;
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    repo.commit("begin");
    let team = tempfile::tempdir().unwrap();
    let link = team.path().join("link.git");
    symlink(repo.folder(), &link).unwrap();
    let url = format!("file://{}", link.display());
    let refused = bay.render(from_git(&url, "web")).await.unwrap_err().to_string();
    assert!(refused.contains("a link lies on the way"), "{refused}");
    let list = format!("[[allow]]\nservices = [\"*/*\"]\nrepository = \"{url}\"\nlocal = true\n");
    let list: publisher::allow::AllowList = list.parse().unwrap();
    let wanted = from_git(&url, "web");
    let request = publisher::render::RenderRequest { permission: list.permit(&wanted).unwrap(), wanted };
    bay.workshop.render(&request, &program::progress::Silent).await.unwrap();
}

#[tokio::test]
async fn c5_submodules_links_out_and_hooks_of_a_repository_have_no_say() {
    let bay = Bay::new().await;
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    symlink("/etc/hostname", repo.folder().join("web/b.yaml")).unwrap();
    repo.commit("a link");
    let refused = bay.render(at(&repo, "main")).await.unwrap_err().to_string();
    assert!(refused.contains("web/b.yaml") && refused.contains("leads out"), "{refused}");
    std::fs::remove_file(repo.folder().join("web/b.yaml")).unwrap();
    let inner = Repo::new();
    inner.write("x.yaml", map("x", "1"));
    inner.commit("inner");
    let url = inner.url();
    repo.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "web/sub"]);
    repo.commit("a submodule");
    let refused = bay.render(at(&repo, "main")).await.unwrap_err().to_string();
    assert!(refused.contains("web/sub") && refused.contains("submodules are off"), "{refused}");
    // Attributes that would run a filter or leave a file out are not read: a commit is its tree.
    repo.git(&["rm", "--quiet", "-f", "web/sub", ".gitmodules"]);
    repo.write(".gitattributes", "*.yaml export-ignore eol=crlf filter=evil\n");
    repo.commit("attributes");
    assert_eq!(bay.render(at(&repo, "main")).await.unwrap().bundle.len(), 1);
}

/// Writes a tree of these entries, whatever they say; gives its id.
fn tree(repo: &Repo, entries: &[(&str, &str, &str)]) -> String {
    let hex = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let mut bytes = Vec::new();
    for (mode, name, id) in entries {
        bytes.extend(format!("{mode} {name}\0").into_bytes());
        bytes.extend(id.as_bytes().chunks(2).map(hex));
    }
    let file = repo.write(".git/tree-object", &bytes).display().to_string();
    repo.git(&["hash-object", "-t", "tree", "-w", "--literally", &file]).trim().to_owned()
}

/// A few kilobytes that name a file three billion times.
#[tokio::test]
async fn b4_c5_a_tree_of_trees_costs_little_and_is_refused() {
    let bay = Bay::new().await;
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    repo.commit("begin");
    let blob = repo.git(&["rev-parse", "HEAD:web/a.yaml"]).trim().to_owned();
    let names: Vec<String> = (0..1_000).map(|n| format!("f{n:04}{}", "x".repeat(200))).collect();
    let files: Vec<_> = names.iter().map(|name| ("100644", name.as_str(), blob.as_str())).collect();
    let mut top = tree(&repo, &files);
    let names: Vec<String> = (0..20).map(|n| format!("d{n:02}")).collect();
    for _ in 0..5 {
        let folders: Vec<_> = names.iter().map(|name| ("40000", name.as_str(), top.as_str())).collect();
        top = tree(&repo, &folders);
    }
    let commit = repo.git(&["commit-tree", &top, "-m", "evil"]).trim().to_owned();
    repo.git(&["update-ref", "refs/heads/evil", &commit]);
    let refused = bay.render(at(&repo, "evil")).await.unwrap_err().to_string();
    assert!(refused.contains("wrote more than 67108864 bytes"), "{refused}");
}

#[tokio::test]
async fn c5_a_tree_with_git_s_own_names_in_it_is_refused() {
    let bay = Bay::new().await;
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    repo.commit("begin");
    let blob = repo.git(&["rev-parse", "HEAD:web/a.yaml"]).trim().to_owned();
    for name in [".git", ".."] {
        // git itself writes no such tree; an attacker does.
        let id = tree(&repo, &[("100644", name, &blob)]);
        let commit = repo.git(&["commit-tree", &id, "-m", "evil"]).trim().to_owned();
        repo.git(&["update-ref", "refs/heads/evil", &commit]);
        let wanted = WantedService { path: String::new(), ..at(&repo, "evil") };
        let refused = bay.render(wanted).await.unwrap_err().to_string();
        assert!(
            refused.contains("damaged or hostile") || refused.contains("leads elsewhere"),
            "{name}: {refused}"
        );
    }
}

#[tokio::test]
async fn c5_a_repository_over_the_bound_is_given_up_and_leaves_nothing() {
    let bay = Bay::with(|settings| settings.git_bounds.repository_bytes = 2 << 20).await;
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    })
    .take(16 << 20)
    .collect();
    repo.write("big", noise);
    repo.commit("big");
    let refused = bay.render(at(&repo, "main")).await.unwrap_err().to_string();
    assert!(refused.contains("more than 2097152 bytes") && refused.contains("--git-max-size"), "{refused}");
    let left: Vec<_> = std::fs::read_dir(bay.folder.path().join("cache/git")).unwrap().flatten().collect();
    assert!(left.iter().all(|entry| entry.file_name() == "config"), "{left:?}");
}

#[tokio::test]
async fn an_unreachable_host_is_told_with_its_name_the_cause_and_the_next_step() {
    let bay = Bay::new().await;
    let begun = Instant::now();
    let refused =
        bay.render(from_git("https://git.nowhere.invalid/a.git", "")).await.unwrap_err().to_string();
    assert!(refused.contains("https://git.nowhere.invalid/a.git"), "{refused}");
    assert!(refused.contains("has no address") && refused.contains("check the name"), "{refused}");
    let port = testbed::free_port().unwrap();
    let url = format!("https://127.0.0.1:{port}/a.git");
    let refused = bay.render(from_git(&url, "")).await.unwrap_err().to_string();
    assert!(refused.contains("check the address"), "{refused}");
    let refused = bay.render(from_git("file:///nowhere/a.git", "")).await.unwrap_err().to_string();
    assert!(refused.contains("check the path"), "{refused}");
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
}

/// A host that accepts and says nothing must not hold a worker.
#[tokio::test]
async fn a_host_that_never_answers_is_given_up_in_time() {
    let bay = Bay::with(|settings| settings.git_bounds.fetch_time = Duration::from_secs(1)).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/a.git", listener.local_addr().unwrap());
    let begun = Instant::now();
    let refused = bay.render(from_git(&url, "")).await.unwrap_err().to_string();
    assert!(refused.contains("did not end within 1s") && refused.contains("--git-timeout"), "{refused}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn only_the_news_is_fetched_and_a_lock_left_by_a_killed_fetch_is_no_hindrance() {
    let bay = Bay::new().await;
    let repo = Repo::new();
    repo.write("web/a.yaml", map("a", "1"));
    repo.commit("one");
    let one = bay.render(at(&repo, "main")).await.unwrap();
    let cache = bay.folder.path().join("cache/git");
    let folders = std::fs::read_dir(&cache).unwrap().flatten().map(|entry| entry.path());
    let bare = folders.into_iter().find(|path| path.is_dir()).unwrap();
    std::fs::write(bare.join("shallow.lock"), "").unwrap();
    repo.write("web/a.yaml", map("a", "2"));
    repo.commit("two");
    let two = bay.render(at(&repo, "main")).await.unwrap();
    assert_ne!(one.digest, two.digest);
    assert_eq!(two.revision.subject, "two");
}

/// D6: what other processes see of a git that has a token, while it runs.
#[tokio::test]
async fn d6_a_token_is_in_no_argument_and_no_error() {
    let bay = Bay::with(|settings| settings.git_bounds.fetch_time = Duration::from_secs(3)).await;
    let secret = tempfile::tempdir().unwrap();
    let file = crate::repo::write(secret.path(), "token", "canary-d6\n");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let list = format!(
        "[[allow]]\nservices = [\"*/*\"]\nrepository = \"**\"\ncredential = \"c\"\n[[credential]]\nname = \"c\"\nhost = \"{address}\"\npassword_file = \"{}\"\n",
        file.display()
    );
    let list: publisher::allow::AllowList = list.parse().unwrap();
    let wanted = from_git(&format!("https://{address}/a.git"), "");
    let permission = list.permit(&wanted).unwrap();
    let request = publisher::render::RenderRequest { wanted, permission };
    let watch = async {
        let mut seen = Vec::new();
        while seen.is_empty() {
            seen = arguments_that_say(&address);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        seen
    };
    let (rendered, seen) = tokio::join!(bay.workshop.render(&request, &program::progress::Silent), watch);
    let said = format!("{0} {0:?}", rendered.unwrap_err());
    assert!(!said.contains("canary-d6"), "{said}");
    assert!(
        seen.iter().all(|line| !line.contains("canary-d6") && !line.contains("Authorization")),
        "{seen:?}"
    );
}

/// The command lines of this machine's processes that hold a text.
fn arguments_that_say(text: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).into_owned()).filter(|line| line.contains(text)).collect()
}
