//! What a renderer can reach, and when it is let out of its cell.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::*;

/// A chart that shows what its values file says.
fn chart() -> Files {
    let mut files = Files::default();
    for (path, text) in [
        ("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        ("c/templates/a.yaml", "shown: {{ .Values.word }}\n"),
    ] {
        files.add(path.to_owned(), text.as_bytes().to_vec()).expect("small");
    }
    files
}

/// What helm shows of a file of this machine, by its absolute path.
async fn shown(search_path: &str, file: &Path) -> Result<String, String> {
    let cache = tempfile::tempdir().expect("a folder");
    let mut settings = WorkshopSettings::new(cache.path().to_owned(), search_path.into());
    settings.helm = testbed::tool(testbed::Tool::Helm).expect("helm");
    let tools = Tools::new(&settings, Sandbox::probe(search_path.as_ref()).await);
    let words = ["template", "c", "./c", "--values", &file.display().to_string()].map(str::to_owned).into();
    let run = Run { tool: Tool::Helm, files: &chart(), beside: None, words };
    let said = tools.run(run).await.map_err(|why| why.to_string())?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test]
async fn c3_a_tool_in_the_cell_cannot_open_a_file_of_this_machine() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret.yaml");
    std::fs::write(&file, "word: canary-c3\n").expect("written");
    let refused = shown("/usr/bin:/bin", &file).await.expect_err("the cell has no such file");
    assert!(refused.contains("no such file") && !refused.contains("canary-c3"), "{refused}");
    // The same where nothing closes it off: what the cell is for.
    let open = shown("/nowhere", &file).await.expect("it is read");
    assert!(open.contains("shown: canary-c3"), "{open}");
}

#[tokio::test]
async fn a_copy_that_another_child_still_holds_is_started_a_little_later() {
    let cache = tempfile::tempdir().expect("a folder");
    let mut settings = WorkshopSettings::new(cache.path().to_owned(), "/usr/bin:/bin".into());
    settings.helm = testbed::tool(testbed::Tool::Helm).expect("helm");
    let tools = Tools::new(&settings, Sandbox::probe("/usr/bin:/bin".as_ref()).await);
    let kept = tools.kept(&settings.helm).expect("a copy");
    let held = std::fs::OpenOptions::new().append(true).open(kept).expect("as a fork holds it");
    let later = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(held);
    };
    let words = ["version"].map(str::to_owned).into();
    let run = Run { tool: Tool::Helm, files: &chart(), beside: None, words };
    let (said, ()) = tokio::join!(tools.run(run), later);
    assert!(!said.expect("it is not busy for ever").is_empty());
}

fn failed(raw: i32, complaint: &str) -> ChildError {
    ChildError::Failed { status: ExitStatus::from_raw(raw), complaint: complaint.to_owned() }
}

#[test]
fn c3_only_a_program_that_says_so_itself_is_run_with_this_machine_s_files_to_read() {
    for (why, needs) in [
        (failed(127 << 8, "unshare: failed to execute /bin/tool: No such file or directory"), true),
        (failed(126 << 8, "unshare: failed to execute /bin/tool: Exec format error"), true),
        (failed(1 << 8, "cannot open /etc/os-release"), true),
        (failed(126 << 8, "unshare: failed to execute /bin/tool: Text file busy"), false),
        (failed(1 << 8, "unshare: unshare failed: No space left on device"), false),
        (failed(1 << 8, "prlimit: failed to execute unshare: Cannot allocate memory"), false),
        (failed(2 << 8, "fatal error: runtime: cannot allocate memory"), false),
        (failed(9, ""), false),
        (ChildError::Time(Duration::from_secs(1)), false),
        (ChildError::Start(io::ErrorKind::OutOfMemory.into()), false),
    ] {
        assert_eq!(needs_more(&why), needs, "{why}");
    }
}

#[test]
fn what_lacked_for_a_moment_may_pass_and_what_is_wrong_with_the_input_does_not() {
    for (why, passes) in [
        (failed(1 << 8, "Error: execution error at (c/templates/a.yaml:1:3): no"), false),
        (ChildError::Output(1), false),
        (failed(2 << 8, "fatal error: runtime: cannot allocate memory"), true),
        (failed(1 << 8, "unshare: unshare failed: No space left on device"), true),
        (failed(126 << 8, "unshare: failed to execute /bin/tool: Text file busy"), true),
        (failed(9, ""), true),
        (failed(137 << 8, ""), true),
        (ChildError::Time(Duration::from_secs(1)), true),
        (ChildError::Start(io::ErrorKind::OutOfMemory.into()), true),
    ] {
        assert_eq!(may_pass(&why), passes, "{why}");
    }
}
