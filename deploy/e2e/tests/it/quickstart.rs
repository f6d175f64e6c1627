//! The README's quickstart, pasted as it stands.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::Programs;
use testbed::{Program, Ready};

const FENCE: &str = "```sh quickstart\n";
/// What ends when the block has ended: its servers run in the background.
const SHELL: &str = "trap 'jobs -p | xargs -r kill' EXIT; source ./quickstart.sh";

#[tokio::test]
async fn the_quickstart_of_the_readme_runs_as_it_stands() -> Result<()> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let text = fs::read_to_string(&readme).context("read README.md, which has the quickstart")?;
    let block = text.split_once(FENCE).and_then(|(_, rest)| rest.split_once("\n```"));
    let (block, _) = block.context("README.md has no block that begins with ```sh quickstart")?;
    let programs = Programs::built().await?;
    let home = tempfile::Builder::new().prefix("quickstart-").tempdir()?;
    fs::write(home.path().join("quickstart.sh"), block).context("write the block into a file")?;
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", programs.folder().display());
    let mut shell = Program::new("quickstart", "bash")
        .args(["-euo", "pipefail", "-c", SHELL])
        .current_dir(home.path())
        .env("HOME", home.path())
        .env("PATH", path)
        .start(Ready::AtOnce)
        .await?;
    let code = shell.wait(Duration::from_mins(3)).await?;
    ensure!(code == 0, "the quickstart ends with exit code {code}:\n{}", shell.log());
    ensure!(!shell.log().trim().is_empty(), "the quickstart shows something");
    Ok(())
}
