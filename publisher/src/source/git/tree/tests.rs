//! What git tells, and what is made of it.

use std::collections::BTreeSet;

use super::{Tree, candidates, resolve, revision};
use crate::source::repository::Repository;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn repository() -> Repository {
    "https://git.example.com/a.git".parse().expect("a repository")
}

fn places(paths: &[&str]) -> BTreeSet<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

#[test]
fn a_ref_is_a_branch_or_a_tag_and_never_both() {
    let branch = resolve(&format!("{A}\trefs/heads/main\n"), "main", &repository()).expect("a branch");
    assert_eq!((branch.wanted.as_str(), branch.commit.as_str()), ("refs/heads/main", A));
    let tag =
        resolve(&format!("{A}\trefs/tags/v1\n{B}\trefs/tags/v1^{{}}\n"), "v1", &repository()).expect("a tag");
    assert_eq!((tag.wanted.as_str(), tag.commit.as_str()), ("refs/tags/v1", B));
    let both = resolve(&format!("{A}\trefs/heads/x\n{B}\trefs/tags/x\n"), "x", &repository());
    assert!(both.expect_err("both").to_string().contains("refs/heads/NAME"));
    assert!(
        resolve("", "main", &repository())
            .expect_err("none")
            .to_string()
            .contains("has no branch or tag `main`")
    );
}

#[test]
fn a_ref_in_full_is_that_one_and_no_other_whose_name_ends_like_it() {
    let said = format!("{A}\trefs/heads/x\n{B}\trefs/heads/refs/heads/x\n{B}\trefs/pull/refs/heads/x\n");
    let full = resolve(&said, "refs/heads/x", &repository()).expect("the branch");
    assert_eq!((full.wanted.as_str(), full.commit.as_str()), ("refs/heads/x", A));
    let said = format!("{A}\tHEAD\n{B}\trefs/remotes/origin/HEAD\n{B}\trefs/heads/HEAD\n");
    assert_eq!(resolve(&said, "HEAD", &repository()).expect("HEAD").commit, A);
}

#[test]
fn c5_what_is_no_ref_never_reaches_git() {
    for bad in ["-x", "a..b", "a b", "a:b", "a^{commit}", "@{1}", "", "a//b", ".a", "a.lock", "a\u{7}"] {
        assert_eq!(candidates(bad), None, "{bad:?}");
    }
}

#[test]
fn c5_a_tree_with_a_path_that_climbs_is_refused() {
    for bad in ["../a", "a/../../b", "/a", "a/./b"] {
        let said = format!("100644 blob {A}       3\t{bad}\0");
        assert!(Tree::read(said.as_bytes()).is_err(), "{bad}");
    }
    assert!(Tree::read(format!("100644 blob {A} 3\ta\\b\0").as_bytes()).is_err());
    assert!(Tree::read(format!("040000 tree {A} -\ta\0").as_bytes()).is_err());
}

#[test]
fn c4_a_link_is_the_file_beside_it_or_refused() {
    let link = "cccccccccccccccccccccccccccccccccccccccc";
    let said = format!(
        "100644 blob {A}       3\tin/real\0120000 blob {B}       4\tin/good\0120000 blob {link}       9\tin/bad\0\
         100644 blob {A}       3\tout/side\0160000 commit {A}       -\tin/sub\0"
    );
    let tree = Tree::read(said.as_bytes()).expect("a tree");
    let places = places(&["in"]);
    let wanted = tree.wanted(&places).expect("wanted");
    assert_eq!(wanted.ids().count(), 3);
    let said = format!("{link} blob 9\n../out/si\n{B} blob 4\nreal\n{A} blob 3\nabc\n");
    let files = wanted.files(said.as_bytes()).expect("as asked").expect("files");
    assert_eq!(files.iter().collect::<Vec<_>>(), [("in/good", &b"abc"[..]), ("in/real", &b"abc"[..])]);
    let odd: Vec<_> = files.odd().map(|(path, _)| path).collect();
    assert_eq!(odd, ["in/bad", "in/sub"]);
    assert!(wanted.files(b"something else").is_none());
}

#[test]
fn a_commit_is_told_by_id_time_and_subject() {
    let told = revision(&format!("commit {A}\n{A}\n1700000000\nweb: \u{1b}[31mred\n")).expect("a revision");
    assert_eq!((told.id.as_str(), told.subject.as_str()), (A, "web:  [31mred"));
    assert_eq!(told.time.map(|time| time.to_string()).as_deref(), Some("2023-11-14T22:13:20Z"));
    assert!(revision("fatal: no").is_none());
}

#[test]
fn sizes_that_no_number_holds_are_too_much() {
    let most = u64::MAX;
    let said = format!("100644 blob {A} {most}\ta\0100644 blob {B} {most}\tb\0");
    let tree = Tree::read(said.as_bytes()).expect("a tree");
    assert!(tree.wanted(&places(&[""])).is_err());
}

/// The corpus of the fuzz target: what git says, cut anywhere, with anything behind it.
#[test]
fn b12_nothing_that_git_says_makes_the_reader_panic() {
    let list = format!("100644 blob {A} 3\ta/b\0120000 blob {B} 1\tl\0160000 commit {A} -\tm\0");
    let batch = format!("{A} blob 3\nabc\n{B} blob 1\na\n");
    let tree = Tree::read(list.as_bytes()).expect("a tree");
    let top = places(&[""]);
    let wanted = tree.wanted(&top).expect("within the bounds");
    assert!(matches!(wanted.files(batch.as_bytes()), Some(Ok(_))));
    let refs = format!("{A}\trefs/heads/main\n{B}\trefs/tags/main^{{}}\n\u{e9}\t\t\n");
    let about = format!("commit {A}\n{A}\n1700000000\n\u{e9}\u{1b}[2J\n");
    for said in [&list, &batch, &refs, &about].map(String::as_bytes) {
        for end in 0..said.len() {
            for behind in [b"".as_slice(), b"\0", b"\t", b"\n", b"\xff", batch.as_bytes()] {
                let said = [&said[..end], behind].concat();
                let text = String::from_utf8_lossy(&said);
                drop(resolve(&text, "main", &repository()));
                if let Some(revision) = revision(&text) {
                    assert!(!revision.subject.contains(char::is_control));
                }
                if let Ok(tree) = Tree::read(&said) {
                    drop(tree.wanted(&top).map(|wanted| wanted.files(&said).is_some()));
                }
            }
        }
    }
    for end in 0..batch.len() {
        assert!(wanted.files(&batch.as_bytes()[..end]).is_none(), "{end}");
    }
}
