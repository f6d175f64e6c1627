//! The cell that renderers run in: no network, no files but their own, bounded memory. Made of what the system has
//! (`prlimit`, `unshare` of util-linux); probed at start, and told what it can do.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Child, ChildBounds, find};

/// What to do where the system does not offer all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Confinement {
    /// Render nothing unless network and files are closed off.
    Require,
    /// Close off what the system can, say what it cannot, and render.
    #[default]
    BestEffort,
}

/// What the system offers.
#[derive(Clone, Debug)]
pub(crate) struct Sandbox {
    prlimit: Option<PathBuf>,
    cell: Option<Cell>,
}

/// `unshare` with the flags that work here.
#[derive(Clone, Debug)]
struct Cell {
    unshare: PathBuf,
    flags: &'static [&'static str],
}

/// As the user itself in a user namespace of its own, which needs no rights; else as root without one.
const FLAGS: [&[&str]; 2] = [&["--user", "--map-root-user", "--net"], &["--net"]];
const PROBE: ChildBounds = ChildBounds { time: Duration::from_secs(10), output_bytes: 1 << 16 };

impl Sandbox {
    /// Tries what there is.
    pub(crate) async fn probe(search_path: &OsStr) -> Self {
        let probe = find(Path::new("true"), search_path);
        let works = async |words: &[OsString]| match &probe {
            Some(nothing) => Child::new(nothing, Path::new("/"), PROBE).behind(words).run().await.is_ok(),
            None => false,
        };
        let mut sandbox = Self { prlimit: None, cell: None };
        if let Some(prlimit) = find(Path::new("prlimit"), search_path)
            && works(&limits(&prlimit, 1 << 30)).await
        {
            sandbox.prlimit = Some(prlimit);
        }
        let Some(unshare) = find(Path::new("unshare"), search_path) else { return sandbox };
        for flags in FLAGS {
            let cell = Cell { unshare: unshare.clone(), flags };
            if works(&cell.words(None)).await {
                sandbox.cell = Some(cell);
                break;
            }
        }
        sandbox
    }

    /// Whether a child here has no network.
    pub(crate) fn closes_network(&self) -> bool {
        self.cell.is_some()
    }

    /// Whether a child here has a bound on its memory.
    pub(crate) fn bounds_memory(&self) -> bool {
        self.prlimit.is_some()
    }

    /// The words that go before a child: bounded memory, no network, and - with a root - no other files.
    pub(crate) fn words(&self, memory_bytes: u64, root: Option<&Path>) -> Vec<OsString> {
        let mut words =
            self.prlimit.as_deref().map(|prlimit| limits(prlimit, memory_bytes)).unwrap_or_default();
        words.extend(self.cell.iter().flat_map(|cell| cell.words(root)));
        words
    }
}

impl Cell {
    fn words(&self, root: Option<&Path>) -> Vec<OsString> {
        let mut words = vec![self.unshare.clone().into_os_string()];
        words.extend(self.flags.iter().map(OsString::from));
        if let Some(root) = root {
            let mut flag = OsString::from("--root=");
            flag.push(root);
            words.extend([flag, "--wd=/files".into()]);
        }
        words.push("--".into());
        words
    }
}

fn limits(prlimit: &Path, memory_bytes: u64) -> Vec<OsString> {
    let bounds =
        [format!("--as={memory_bytes}"), "--core=0".to_owned(), "--nofile=512".to_owned(), "--".to_owned()];
    std::iter::once(prlimit.into()).chain(bounds.into_iter().map(Into::into)).collect()
}
