//! What git tells about refs, commits and trees, read strictly.

use std::collections::{BTreeMap, BTreeSet};

use cdn::Digest;
use cdn::digest::Hasher;
use cdn::document::Revision;

use super::{Resolved, SourceError};
use crate::source::files::{BOUNDS, Files, FilesRefused, Odd};
use crate::source::path::{join, parent, within};
use crate::source::reference::{full_names, is_commit};
use crate::source::repository::Repository;

/// Every file of a commit, by its path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    kind: Kind,
    id: String,
    bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Link,
    Submodule,
}

/// Bytes of a link's target.
const LINK_BYTES: u64 = 4 << 10;
/// Entries of one commit.
const ENTRIES: usize = 1_000_000;

/// The names under which a repository may know a ref; none for what cannot be a ref.
pub fn candidates(reference: &str) -> Option<Vec<String>> {
    let bad = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    let part =
        |part: &str| !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none();
    if reference.starts_with('-')
        || reference.contains("..")
        || reference.contains("@{")
        || reference.contains(bad)
        || !reference.split('/').all(part)
    {
        return None;
    }
    let names = full_names(reference);
    // What an annotated tag leads to is told under a name of its own.
    let peeled = names.iter().map(|name| format!("{name}^{{}}")).collect::<Vec<_>>();
    Some(names.into_iter().chain(peeled).collect())
}

/// Which commit `ls-remote` says that a ref stands at.
pub fn resolve(said: &str, reference: &str, repository: &Repository) -> Result<Resolved, SourceError> {
    let refuse = |why, next| SourceError::Reference {
        repository: repository.clone(),
        reference: reference.to_owned(),
        why,
        next,
    };
    let told: BTreeMap<&str, &str> =
        said.lines().filter_map(|line| line.split_once('\t')).map(|(id, r)| (r, id)).collect();
    let names = full_names(reference);
    let found: Vec<&String> = names.iter().filter(|name| told.contains_key(name.as_str())).collect();
    let name = match found.as_slice() {
        [name] => *name,
        [] => return Err(refuse("has no branch or tag", "check the ref")),
        [_, ..] => {
            return Err(refuse("has a branch and a tag", "write refs/heads/NAME or refs/tags/NAME in full"));
        }
    };
    // An annotated tag is told twice: itself, and what it leads to.
    let id = told.get(format!("{name}^{{}}").as_str()).or_else(|| told.get(name.as_str())).copied();
    match id.filter(|id| is_commit(id)) {
        Some(id) => Ok(Resolved { wanted: name.clone(), commit: id.to_owned() }),
        None => Err(refuse("gives no commit for", "check the ref")),
    }
}

/// What `rev-list --format=%H%n%ct%n%s` tells about a commit, behind a line of its own.
pub fn revision(said: &str) -> Option<Revision> {
    let mut lines = said.lines().skip(1);
    let id = lines.next().filter(|id| is_commit(id))?.to_owned();
    let time = lines.next()?.parse().ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let subject = crate::words::safe(lines.next().unwrap_or_default(), 200);
    Some(Revision { id, subject, time })
}

impl Tree {
    /// Reads `ls-tree -r -z -l`.
    pub fn read(said: &[u8]) -> Result<Self, FilesRefused> {
        let mut entries = BTreeMap::new();
        for line in said.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            let odd = |path: &[u8], why| FilesRefused::Odd {
                path: String::from_utf8_lossy(path).into_owned(),
                why,
            };
            let tab = line.iter().position(|byte| *byte == b'\t');
            let (about, path) = line.split_at(tab.unwrap_or(line.len()));
            let path = path.get(1..).unwrap_or_default();
            let text = std::str::from_utf8(path).map_err(|_| odd(path, Odd::Name))?;
            let about = String::from_utf8_lossy(about).into_owned();
            let entry = entry(&about).ok_or_else(|| odd(path, Odd::Kind))?;
            // git's own check at the fetch refuses these too; a path that climbs must not depend on it.
            if join("", text).as_deref() != Ok(text) {
                return Err(odd(path, Odd::Climbs));
            }
            entries.insert(text.to_owned(), entry);
            if entries.len() > ENTRIES {
                return Err(FilesRefused::TooMuch(format!("a commit of more than {ENTRIES} files")));
            }
        }
        Ok(Self { entries })
    }

    /// A digest of everything below the places.
    pub fn fingerprint(&self, places: &BTreeSet<String>) -> Digest {
        let mut hasher = Hasher::default();
        for (path, entry) in self.below(places) {
            hasher.update(format!("{:?} {} {path}\0", entry.kind, entry.id).as_bytes());
        }
        hasher.finish()
    }

    /// Whose contents are to be read for these places.
    pub fn wanted<'t>(&'t self, places: &'t BTreeSet<String>) -> Result<Wanted<'t>, FilesRefused> {
        if let Some(absent) = places.iter().find(|place| !self.has(place)) {
            return Err(FilesRefused::Missing(absent.clone()));
        }
        let mut wanted = Wanted { entries: Vec::new(), submodules: Vec::new(), places, tree: self };
        let mut bytes = 0_u64;
        for (path, entry) in self.below(places) {
            match entry.kind {
                Kind::Submodule => wanted.submodules.push(path),
                Kind::Link if entry.bytes > LINK_BYTES => {
                    return Err(FilesRefused::Odd { path: path.to_owned(), why: Odd::Leaves });
                }
                Kind::File | Kind::Link => wanted.entries.push((path, entry)),
            }
            bytes = bytes.saturating_add(entry.bytes);
        }
        // Known from the list, so nothing too large is ever read.
        if bytes > BOUNDS.bytes || wanted.entries.len() > BOUNDS.count {
            let (files, most) = (wanted.entries.len(), BOUNDS);
            let more =
                format!("{files} files of {bytes} bytes, at most {} of {} are read", most.count, most.bytes);
            return Err(FilesRefused::TooMuch(more));
        }
        Ok(wanted)
    }

    fn has(&self, place: &str) -> bool {
        self.entries.contains_key(place) || self.is_folder(place)
    }

    fn is_folder(&self, path: &str) -> bool {
        path.is_empty() || {
            let below = format!("{path}/");
            self.entries.range(below.clone()..).next().is_some_and(|(path, _)| path.starts_with(&below))
        }
    }

    fn below<'t>(&'t self, places: &'t BTreeSet<String>) -> impl Iterator<Item = (&'t str, &'t Entry)> {
        let inside = move |path: &str| places.iter().any(|place| within(path, place));
        self.entries.iter().filter(move |(path, _)| inside(path)).map(|(path, entry)| (path.as_str(), entry))
    }
}

/// `<mode> <type> <id> <size>`, the size padded and `-` for a submodule.
fn entry(about: &str) -> Option<Entry> {
    let mut words = about.split_ascii_whitespace();
    let (mode, kind, id, bytes) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let kind = match (mode, kind) {
        ("100644" | "100755" | "100664", "blob") => Kind::File,
        ("120000", "blob") => Kind::Link,
        ("160000", "commit") => Kind::Submodule,
        _ => return None,
    };
    let bytes = if kind == Kind::Submodule { 0 } else { bytes.parse().ok()? };
    is_commit(id).then(|| Entry { kind, id: id.to_owned(), bytes })
}

/// Entries whose contents are to be read.
#[derive(Debug)]
pub struct Wanted<'t> {
    entries: Vec<(&'t str, &'t Entry)>,
    submodules: Vec<&'t str>,
    places: &'t BTreeSet<String>,
    tree: &'t Tree,
}

impl Wanted<'_> {
    /// The ids to ask for, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(_, entry)| entry.id.as_str())
    }

    /// The files, from what `cat-file --batch` says; none if it says something else than was asked.
    pub fn files(&self, said: &[u8]) -> Option<Result<Files, FilesRefused>> {
        let mut contents: BTreeMap<&str, (&Entry, &[u8])> = BTreeMap::new();
        let mut rest = said;
        for (path, entry) in &self.entries {
            let header = format!("{} blob {}\n", entry.id, entry.bytes);
            rest = rest.strip_prefix(header.as_bytes())?;
            let (content, after) = rest.split_at_checked(usize::try_from(entry.bytes).ok()?)?;
            contents.insert(path, (entry, content));
            rest = after.strip_prefix(b"\n")?;
        }
        rest.is_empty().then(|| self.collect(&contents))
    }

    fn collect(&self, contents: &BTreeMap<&str, (&Entry, &[u8])>) -> Result<Files, FilesRefused> {
        let mut files = Files::default();
        for path in &self.submodules {
            files.add_odd((*path).to_owned(), Odd::Submodule);
        }
        for (path, (entry, content)) in contents {
            if entry.kind == Kind::File {
                files.add((*path).to_owned(), content.to_vec())?;
                continue;
            }
            match self.target(path, content, contents) {
                Ok(content) => files.add((*path).to_owned(), content.to_vec())?,
                Err(odd) => files.add_odd((*path).to_owned(), odd),
            }
        }
        Ok(files)
    }

    /// What a link leads to: a file below the same place, or nothing. A chain of links is not followed far.
    fn target<'c>(
        &self,
        link: &str,
        content: &'c [u8],
        contents: &BTreeMap<&str, (&'c Entry, &'c [u8])>,
    ) -> Result<&'c [u8], Odd> {
        let (mut at, mut content) = (link.to_owned(), content);
        let place = self.places.iter().find(|place| within(link, place)).ok_or(Odd::Leaves)?;
        for _ in 0..8 {
            let text = std::str::from_utf8(content).map_err(|_| Odd::Leaves)?;
            at = join(parent(&at), text).map_err(|_| Odd::Leaves)?;
            if self.tree.is_folder(&at) {
                return Err(Odd::LinkedFolder);
            }
            let next = contents.get(at.as_str()).filter(|_| within(&at, place));
            let (entry, next) = next.ok_or(Odd::Leaves)?;
            content = next;
            if entry.kind == Kind::File {
                return Ok(content);
            }
        }
        Err(Odd::Leaves)
    }
}

#[cfg(test)]
mod tests;
