//! What this publisher may render: its own file, which no api can change (law L2). The api only says what is wanted.
//!
//! ```toml
//! [[allow]]
//! services = ["default/*"]
//! repository = "https://git.example.com/harbour.git"
//! refs = ["main", "release-*"]           # any branch or tag, unless said
//! paths = ["plain/**", "charts/**"]      # any, unless said
//! credential = "forge"
//! plain_secrets = ["monitoring/grafana-*"]
//!
//! [[credential]]
//! name = "forge"
//! host = "git.example.com"
//! username = "x-access-token"
//! password_file = "/run/secrets/forge"
//! ```

mod file;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cdn::ServiceName;
use cdn::wire::{Source, WantedService};
use serde::Deserialize;

use crate::glob::Glob;
use crate::source::{BadRepository, PathRefused, RefKind, Repository, absolute, make_full, normal};

pub(crate) use file::AllowFile;

/// Bytes of a list.
const MAX_BYTES: u64 = 1 << 20;

/// The allow list: what may be rendered, and the credentials that its entries name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowList {
    #[serde(default)]
    allow: Vec<Allow>,
    #[serde(default)]
    credential: Vec<Credential>,
}

/// One entry: these services, from this repository.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// Which services: `project/name`, where `*` stands for any characters but `/`.
    pub services: Vec<Glob>,
    /// From which repository URL, or folder: exact, or with `*` and `**`.
    pub repository: Glob,
    /// From which refs, as descriptions write them; any branch and tag unless said. Other refs are taken only by
    /// patterns that begin with `refs/`, and commits by their id or by `commit:*`: anybody who may ask for a merge can
    /// make those.
    #[serde(default = "anything")]
    pub refs: Vec<Glob>,
    /// From which folders; any unless said. `**` also stands for slashes.
    #[serde(default = "anything")]
    pub paths: Vec<Glob>,
    /// Whether the repository may lie on this machine: `file://`, or a directory. Links on the way are followed only
    /// where `repository` itself names them, before its first star.
    #[serde(default)]
    pub local: bool,
    /// The credential that opens it.
    #[serde(default)]
    pub credential: Option<String>,
    /// Secrets that may be published in plain: `namespace/name`, or `name`.
    #[serde(default)]
    pub plain_secrets: Vec<Glob>,
    /// Whether a service may have no object at all.
    #[serde(default)]
    pub allow_empty: bool,
}

/// What opens a repository: given to git for its one host, from files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// What entries call it.
    pub name: String,
    /// The one host that it is for, with a port if the URL has one.
    pub host: String,
    /// For https; some forges want one beside a token.
    #[serde(default = "git_user")]
    pub username: String,
    /// For https: the file with the token or password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// For ssh: the file with the private key.
    #[serde(default)]
    pub ssh_key_file: Option<PathBuf>,
    /// For ssh: the file with the host's public keys, as `ssh-keyscan` gives them and a person has checked them.
    #[serde(default)]
    pub known_hosts_file: Option<PathBuf>,
}

fn anything() -> Vec<Glob> {
    vec![Glob::anything()]
}

fn git_user() -> String {
    "git".to_owned()
}

/// The allow list cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("allow list {}: {why}; correct the file: `--check-config` says whether it is right", file.display())]
pub struct BadAllowList {
    file: PathBuf,
    why: String,
}

/// What an entry permits a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    pub(crate) paths: Vec<Glob>,
    /// How much of a local source's path the entry itself names; all of it where that is none.
    pub(crate) named: Option<PathBuf>,
    pub(crate) credential: Option<Credential>,
    /// Secrets that may be published in plain.
    pub plain_secrets: Vec<Glob>,
    /// Whether there may be no object at all.
    pub allow_empty: bool,
}

/// The allow list does not permit it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// No entry is for this service and repository.
    #[error(
        "{service} from {place} is not in this publisher's allow list: {why}; add an [[allow]] entry for it"
    )]
    Entry {
        /// Which service.
        service: ServiceName,
        /// Where it was to come from.
        place: String,
        /// How near the nearest entry comes.
        why: &'static str,
    },
    /// An entry is, but not for this folder.
    #[error("the folder `{0}` is not among the entry's `paths` in this publisher's allow list; add it there")]
    Path(String),
    /// The URL.
    #[error("repository `{0}`: {1}")]
    Repository(String, BadRepository),
    /// The path.
    #[error(transparent)]
    BadPath(#[from] PathRefused),
}

impl AllowList {
    /// Reads and checks a file. The files that it names are named in full: ssh runs in another folder.
    pub fn read(file: &Path) -> Result<Self, BadAllowList> {
        AllowFile::open(file.to_owned()).map(|file| AllowList::clone(&file.list()))
    }

    fn of(file: &Path, bytes: Vec<u8>) -> Result<Self, BadAllowList> {
        let bad = |why: String| BadAllowList { file: file.to_owned(), why };
        let text = String::from_utf8(bytes).map_err(|_| bad("it is not UTF-8 text".to_owned()))?;
        let mut list: Self = text.parse().map_err(bad)?;
        list.credential
            .iter_mut()
            .flat_map(|one| [&mut one.password_file, &mut one.ssh_key_file, &mut one.known_hosts_file])
            .flatten()
            .try_for_each(make_full)
            .map_err(|why| bad(why.to_string()))?;
        Ok(list)
    }

    /// What a service is permitted, or why it is not.
    pub fn permit(&self, wanted: &WantedService) -> Result<Permission, NotAllowed> {
        let place = place(&wanted.source)?;
        let path = normal(&wanted.path)?;
        let mut nearest = (0, "no entry names the service");
        for entry in &self.allow {
            let Some((step, why)) = entry.refuses(wanted, &place, &path) else {
                return Ok(self.permission(entry));
            };
            if step > nearest.0 {
                nearest = (step, why);
            }
        }
        Err(NotAllowed::Entry { service: wanted.name.clone(), place, why: nearest.1 })
    }

    fn permission(&self, entry: &Allow) -> Permission {
        let named = |credential: &&Credential| Some(&credential.name) == entry.credential.as_ref();
        Permission {
            paths: entry.paths.clone(),
            named: Some(entry.named()),
            credential: self.credential.iter().find(named).cloned(),
            plain_secrets: entry.plain_secrets.clone(),
            allow_empty: entry.allow_empty,
        }
    }

    fn check(self) -> Result<Self, String> {
        let names: BTreeSet<&str> =
            self.credential.iter().map(|credential| credential.name.as_str()).collect();
        if names.len() != self.credential.len() {
            return Err("two credentials have one name: rename one".to_owned());
        }
        for name in self.allow.iter().filter_map(|entry| entry.credential.as_deref()) {
            if !names.contains(name) {
                return Err(format!(
                    "an entry names the credential `{name}`: there is no such [[credential]]"
                ));
            }
        }
        Ok(self)
    }
}

impl std::str::FromStr for AllowList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        toml::from_str::<Self>(text).map_err(|error| error.to_string())?.check()
    }
}

impl Allow {
    /// The folder that it names before anything varies.
    fn named(&self) -> PathBuf {
        let fixed = self.repository.fixed();
        let path = fixed.strip_prefix("file://").unwrap_or(fixed);
        PathBuf::from(if path.starts_with('/') { path } else { "/" })
    }

    /// Why it does not list a ref; none if it does.
    fn refuses_ref(&self, reference: &str) -> Option<&'static str> {
        let kind = RefKind::of(reference);
        let commit = format!("commit:{reference}");
        let fits = |glob: &Glob| match kind {
            RefKind::Owned => glob.fits(reference),
            RefKind::Other => glob.begins_with("refs/") && glob.fits(reference),
            RefKind::Commit => glob.fixed() == reference || glob.begins_with("commit:") && glob.fits(&commit),
        };
        let why = match kind {
            RefKind::Owned => "the entry for it does not list the ref",
            RefKind::Other => {
                "its ref is neither a branch nor a tag, and the entry for it names none such by `refs/...`"
            }
            RefKind::Commit => {
                "its ref is a commit, and the entry for it lists neither this one nor `commit:*`"
            }
        };
        (!self.refs.iter().any(fits)).then_some(why)
    }

    /// Why it does not permit the service, and how far it came; none if it does.
    fn refuses(&self, wanted: &WantedService, place: &str, path: &str) -> Option<(u8, &'static str)> {
        let service = wanted.name.to_string();
        if !self.services.iter().any(|glob| glob.fits(&service)) {
            return Some((0, "no entry names the service"));
        }
        if !self.repository.fits(place) {
            return Some((1, "the entry for it names another repository"));
        }
        let is_local = match &wanted.source {
            Source::Git(git) => git.url.parse::<Repository>().is_ok_and(|repository| repository.is_local()),
            Source::Directory(_) => true,
        };
        if is_local && !self.local {
            return Some((2, "the entry for it does not say `local = true`"));
        }
        if let Source::Git(git) = &wanted.source
            && let Some(why) = self.refuses_ref(&git.reference)
        {
            return Some((3, why));
        }
        let fits = self.paths.iter().any(|glob| glob.fits(path));
        (!fits).then_some((4, "the entry for it does not list the path"))
    }
}

impl Permission {
    /// Anything at all from the given place, for a person at their own machine.
    pub fn own_machine() -> Self {
        Self {
            paths: anything(),
            named: None,
            credential: None,
            plain_secrets: Vec::new(),
            allow_empty: false,
        }
    }

    /// Whether a further folder or file of the source may be read: what a Kustomize base or a value file leads to.
    pub(crate) fn check_path(&self, path: &str) -> Result<(), NotAllowed> {
        let fits = self.paths.iter().any(|glob| glob.fits(path));
        if fits { Ok(()) } else { Err(NotAllowed::Path(path.to_owned())) }
    }
}

/// How a source is written in an entry.
fn place(source: &Source) -> Result<String, NotAllowed> {
    match source {
        Source::Git(git) => match git.url.parse::<Repository>() {
            Ok(_) => Ok(git.url.clone()),
            Err(why) => Err(NotAllowed::Repository(crate::words::safe(&git.url, 200), why)),
        },
        Source::Directory(directory) => Ok(absolute(&directory.path)?.to_owned()),
    }
}

#[cfg(test)]
mod tests;
