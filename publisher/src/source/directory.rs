//! A folder of this machine as a source. Every file is opened beneath it and nowhere else, links included (FAULTS C4).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags, openat, openat2};

use super::files::{BOUNDS, Files, FilesRefused, Odd};
use super::git::SourceError;

/// A folder, by its absolute path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Directory {
    path: PathBuf,
}

const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

impl Directory {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The files below the places.
    pub(crate) async fn read(&self, places: &BTreeSet<String>) -> Result<Files, SourceError> {
        let (root, places) = (self.path.clone(), places.clone());
        let read = tokio::task::spawn_blocking(move || read_places(&root, &places)).await;
        match read {
            Ok(Ok(files)) => Ok(files),
            Ok(Err(Unread::Refused(why))) => Err(SourceError::Files(why)),
            Ok(Err(Unread::Io(path, why))) => Err(SourceError::Directory { path, why }),
            Err(panic) => {
                Err(SourceError::Directory { path: self.path.clone(), why: io::Error::other(panic) })
            }
        }
    }
}

enum Unread {
    Refused(FilesRefused),
    Io(PathBuf, io::Error),
}

fn read_places(root: &PathBuf, places: &BTreeSet<String>) -> Result<Files, Unread> {
    let fail = |why: rustix::io::Errno| Unread::Io(root.clone(), why.into());
    let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let top = openat(CWD, root, folder, Mode::empty()).map_err(fail)?;
    let mut files = Files::default();
    for place in places {
        // The way to a place goes through real folders only: a link on it could lead past the allow list.
        let way = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let name = if place.is_empty() { "." } else { place.as_str() };
        match openat2(&top, name, folder, Mode::empty(), way) {
            Ok(opened) => {
                let mut walk = Walk { top: &opened, place, files: &mut files };
                walk.folder("", 0).map_err(|why| unread(root, why))?;
            }
            Err(rustix::io::Errno::NOTDIR) => {
                let single = openat2(&top, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty(), way)
                    .map_err(fail)?;
                take(single, place.clone(), &mut files).map_err(|why| unread(root, why))?;
            }
            Err(rustix::io::Errno::NOENT) => {
                return Err(Unread::Refused(FilesRefused::Missing(place.clone())));
            }
            Err(rustix::io::Errno::LOOP | rustix::io::Errno::XDEV) => {
                return Err(Unread::Refused(FilesRefused::Odd {
                    path: place.clone(),
                    why: Odd::LinkedFolder,
                }));
            }
            Err(why) => return Err(fail(why)),
        }
    }
    Ok(files)
}

enum Stop {
    Refused(FilesRefused),
    Io(io::Error),
}

impl From<rustix::io::Errno> for Stop {
    fn from(why: rustix::io::Errno) -> Self {
        Self::Io(why.into())
    }
}

impl From<FilesRefused> for Stop {
    fn from(why: FilesRefused) -> Self {
        Self::Refused(why)
    }
}

fn unread(root: &std::path::Path, stop: Stop) -> Unread {
    match stop {
        Stop::Refused(why) => Unread::Refused(why),
        Stop::Io(why) => Unread::Io(root.to_owned(), why),
    }
}

/// One place of a folder while it is read.
struct Walk<'w> {
    top: &'w OwnedFd,
    place: &'w str,
    files: &'w mut Files,
}

impl Walk<'_> {
    /// Reads a folder below the place, and those within it.
    fn folder(&mut self, below: &str, depth: usize) -> Result<(), Stop> {
        if depth > BOUNDS.depth {
            return Err(FilesRefused::TooMuch(format!("folders nested deeper than {}", BOUNDS.depth)).into());
        }
        let name = if below.is_empty() { "." } else { below };
        let listed = openat2(self.top, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty(), BENEATH)?;
        for entry in Dir::read_from(&listed)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            // Git's own folder is no part of a commit either.
            if matches!(name, b"." | b".." | b".git") {
                continue;
            }
            let Ok(name) = std::str::from_utf8(name) else {
                let path = String::from_utf8_lossy(name).into_owned();
                return Err(FilesRefused::Odd { path, why: Odd::Name }.into());
            };
            let below = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            self.entry(&below, entry.file_type(), depth)?;
        }
        Ok(())
    }

    /// What a link that leads out leads to: only whether it is a folder is looked at.
    fn behind(&self, below: &str) -> Odd {
        let about = rustix::fs::statat(self.top, below, rustix::fs::AtFlags::empty());
        match about.map(|about| FileType::from_raw_mode(about.st_mode)) {
            Ok(FileType::Directory) => Odd::LinkedFolder,
            Ok(_) | Err(_) => Odd::Leaves,
        }
    }

    fn entry(&mut self, below: &str, kind: FileType, depth: usize) -> Result<(), Stop> {
        let path = if self.place.is_empty() { below.to_owned() } else { format!("{}/{below}", self.place) };
        let is_link = kind == FileType::Symlink;
        if !is_link && !matches!(kind, FileType::RegularFile | FileType::Directory | FileType::Unknown) {
            self.files.add_odd(path, Odd::Device);
            return Ok(());
        }
        match openat2(
            self.top,
            below,
            OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK,
            Mode::empty(),
            BENEATH,
        ) {
            Ok(opened) if is_folder(&opened)? && is_link => self.files.add_odd(path, Odd::LinkedFolder),
            Ok(opened) if is_folder(&opened)? => self.folder(below, depth + 1)?,
            Ok(opened) => take(opened, path, self.files)?,
            Err(_) if is_link => self.files.add_odd(path, self.behind(below)),
            // It has gone since it was listed: the next pass sees what stands then.
            Err(rustix::io::Errno::NOENT) => {}
            Err(why) => return Err(why.into()),
        }
        Ok(())
    }
}

fn is_folder(opened: &OwnedFd) -> Result<bool, Stop> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(opened)?.st_mode) == FileType::Directory)
}

fn take(opened: OwnedFd, path: String, files: &mut Files) -> Result<(), Stop> {
    if FileType::from_raw_mode(rustix::fs::fstat(&opened)?.st_mode) != FileType::RegularFile {
        files.add_odd(path, Odd::Device);
        return Ok(());
    }
    let mut bytes = Vec::new();
    File::from(opened).take(BOUNDS.bytes + 1).read_to_end(&mut bytes).map_err(Stop::Io)?;
    Ok(files.add(path, bytes)?)
}
