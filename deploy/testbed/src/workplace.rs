//! Where running parts keep their files: one folder per test process, emptied when that process is gone.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// The end of its stdin is the end of this process, however that came (Ctrl-C too: it has a process group of its own).
/// What still runs then is being killed by its own watchdog, so a folder that is not empty at once soon is.
const JANITOR: &str = r#"
    read -r _
    sleep 0.3
    while read -r path; do rm -f -- "$path"; done <"$1/litter"
    for _ in 1 2 3 4 5; do rm -rf -- "$1" && exit; sleep 0.3; done
"#;
/// Files elsewhere that are to go too, one a line.
const LITTER: &str = "litter";

/// Parts run as other users than the test (PostgreSQL refuses root), so they may pass through, not look around.
const MAY_PASS: u32 = 0o711;

struct Workplace {
    folder: PathBuf,
    _janitor: (Child, ChildStdin),
}

/// A new folder for one part, removed when dropped.
pub(crate) fn folder(part: &str) -> Result<TempDir> {
    new_folder(&workplace()?.folder, part)
}

/// Has a file that a part insists on leaving elsewhere removed when this process is gone.
pub(crate) fn remove_at_the_end(file: &str) -> Result<()> {
    let litter = workplace()?.folder.join(LITTER);
    let mut list = OpenOptions::new().append(true).open(&litter).context("open the list of litter")?;
    list.write_all(format!("{file}\n").as_bytes()).context("write the list of litter")
}

fn workplace() -> Result<&'static Workplace> {
    static WORKPLACE: OnceLock<Workplace> = OnceLock::new();
    static OPENING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(workplace) = WORKPLACE.get() {
        return Ok(workplace);
    }
    let opened = Workplace::open()?;
    Ok(WORKPLACE.get_or_init(|| opened))
}

/// This user's folder among the temporary ones, for workplaces and for the locks of ports.
pub(crate) fn of_this_user() -> Result<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let folder = std::env::temp_dir().join(format!("windlass-testbed-{user}"));
    match DirBuilder::new().mode(MAY_PASS).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("create {}", folder.display()));
        }
        _ => {}
    }
    let owner = fs::symlink_metadata(&folder).with_context(|| format!("look at {}", folder.display()))?;
    ensure!(
        owner.is_dir() && owner.uid() == user,
        "{} belongs to somebody else: remove it",
        folder.display()
    );
    Ok(folder)
}

impl Workplace {
    fn open() -> Result<Self> {
        let folder = new_folder(&of_this_user()?, &format!("run-{}", std::process::id()))?.keep();
        fs::write(folder.join(LITTER), "").context("begin the list of litter")?;
        let mut janitor = Command::new("sh")
            .args(["-c", JANITOR, "testbed-janitor"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn()
            .context("start sh, which removes the parts' files at the end")?;
        let lifeline = janitor.stdin.take().context("the janitor has no stdin")?;
        Ok(Self { folder, _janitor: (janitor, lifeline) })
    }
}

fn new_folder(parent: &Path, name: &str) -> Result<TempDir> {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .permissions(fs::Permissions::from_mode(MAY_PASS))
        .tempdir_in(parent)
        .with_context(|| format!("create a folder for {name} in {}", parent.display()))
}
