//! The bounds, held with programs that every system has.

use std::path::Path;
use std::time::Duration;

use super::sandbox::Sandbox;
use super::{Child, ChildBounds, ChildError};

const BOUNDS: ChildBounds = ChildBounds { time: Duration::from_secs(20), output_bytes: 1_000 };

fn shell(script: &str, bounds: ChildBounds) -> Child {
    Child::new(Path::new("/bin/sh"), Path::new("/"), bounds).args(["-c", script])
}

#[tokio::test]
async fn a_child_that_says_too_much_or_takes_too_long_is_ended_with_its_children() {
    let said = shell("while :; do echo y; done", BOUNDS).run().await;
    assert!(matches!(said, Err(ChildError::Output(1_000))), "{said:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let sign = folder.path().join("sign");
    // The grandchild holds the pipe open; only the end of the whole group ends this.
    let script = format!("(while :; do echo . >> {}; sleep 0.02; done) & sleep 60", sign.display());
    let bounds = ChildBounds { time: Duration::from_millis(500), ..BOUNDS };
    let said = shell(&script, bounds).run().await;
    assert!(matches!(said, Err(ChildError::Time(_))), "{said:?}");
    let length = || std::fs::metadata(&sign).map_or(0, |about| about.len());
    let ended = async {
        loop {
            let before = length();
            tokio::time::sleep(Duration::from_millis(200)).await;
            if length() == before {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the grandchild ends too");
}

#[tokio::test]
async fn a_child_sees_only_the_environment_that_it_is_given() {
    let said = shell("env | cut -d= -f1 | sort | tr '\\n' ' '", BOUNDS)
        .env("GIVEN", "1")
        .env("PATH", "/usr/bin:/bin");
    let said = String::from_utf8(said.run().await.expect("it runs").stdout).expect("text");
    // The shell itself adds the last two.
    assert!(
        said.split_whitespace().all(|name| ["GIVEN", "PATH", "PWD", "SHLVL", "_", "OLDPWD"].contains(&name)),
        "{said}"
    );
}

#[tokio::test]
async fn a_child_that_fills_its_folder_is_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = format!("while :; do head -c 65536 /dev/zero >> {}/big; done", folder.path().display());
    let said =
        shell(&script, BOUNDS).env("PATH", "/usr/bin:/bin").filling(folder.path(), 1 << 20).run().await;
    assert!(matches!(said, Err(ChildError::Filled(_))), "{said:?}");
}

#[tokio::test]
async fn what_a_failed_child_complains_about_is_one_safe_line() {
    let said = shell("printf 'first\\n\\033[31msecond\\n' >&2; exit 3", BOUNDS).run().await;
    let Err(ChildError::Failed { complaint, .. }) = said else { panic!("{said:?}") };
    assert_eq!(complaint, "first;  [31msecond");
}

#[tokio::test]
async fn c3_in_the_cell_there_is_no_network_and_no_more_memory_than_given() {
    let sandbox = Sandbox::probe("/usr/bin:/bin".as_ref()).await;
    assert!(
        sandbox.closes_network(),
        "renderers cannot be closed off here, so nothing can be shown: install util-linux and run as root, or allow \
         user namespaces with `sysctl -w user.max_user_namespaces=10000 kernel.unprivileged_userns_clone=1`"
    );
    let words = sandbox.words(256 << 20, None);
    let devices = shell("cat /proc/net/dev", BOUNDS).env("PATH", "/usr/bin:/bin").behind(&words).run().await;
    let devices = String::from_utf8(devices.expect("it runs").stdout).expect("text");
    let devices: Vec<&str> =
        devices.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim()).collect();
    assert_eq!(devices, ["lo"]);
    let greedy = shell("head -c 1000000000 /dev/zero | tail -c 1000000000 | wc -c", BOUNDS);
    let said = greedy.env("PATH", "/usr/bin:/bin").behind(&words).run().await;
    let said = said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned());
    assert!(said.as_deref().map_or(true, |count| count != "1000000000"), "{said:?}");
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_told_from_a_program_that_is_not() {
    let gone = Path::new("/nowhere/at/all");
    let said = Child::new(Path::new("/bin/sh"), gone, BOUNDS).run().await;
    assert!(matches!(&said, Err(ChildError::NoFolder(folder)) if folder == gone), "{said:?}");
    let said = Child::new(gone, Path::new("/"), BOUNDS).run().await;
    assert!(matches!(said, Err(ChildError::Start(_))), "{said:?}");
}

#[tokio::test]
async fn b4_a_child_has_so_much_memory_and_no_more() {
    let script = "x=$(head -c 200000000 /dev/zero | tr '\\0' a); echo ${#x}";
    let child = || shell(script, BOUNDS).env("PATH", "/usr/bin:/bin");
    let said = child().run().await.expect("there is room");
    assert_eq!(said.stdout, b"200000000\n");
    let said = child().memory(64 << 20).run().await;
    assert!(matches!(said, Err(ChildError::Failed { .. })), "{said:?}");
}
