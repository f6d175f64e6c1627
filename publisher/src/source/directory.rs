//! A folder of this machine as a source. Every file is opened beneath it and nowhere else, links included (FAULTS C4).
//!
//! On the way to the folder, links are followed only as far as the allow list's entry itself names it: those are the
//! administrator's own. What follows is somebody else's word, and whoever may write there could lead to another's folder.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use super::SourceError;
use super::files::{BOUNDS, Files, FilesRefused, Odd};
use super::folders::Folders;
use super::path::{PathRefused, absolute};

/// A folder, by its absolute path.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    /// As far as a person has named it.
    named: PathBuf,
    /// From there on; empty where all of it is named.
    below: PathBuf,
    folders: Folders,
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// A pipe is opened without waiting for its other end.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);
/// A way of real folders only.
const WAY: ResolveFlags = BENEATH.union(ResolveFlags::NO_SYMLINKS);

impl Directory {
    /// A folder; `named` is how much of its path a person has named, all of it where that is none.
    pub(crate) fn new(path: &str, named: Option<&Path>, folders: &Folders) -> Result<Self, PathRefused> {
        let path = Path::new(absolute(path)?);
        let named = named.unwrap_or(path);
        let (named, below) = match path.strip_prefix(named) {
            Ok(below) => (named, below),
            Err(_) => (Path::new("/"), path.strip_prefix("/").unwrap_or(path)),
        };
        Ok(Self { named: named.to_owned(), below: below.to_owned(), folders: folders.clone() })
    }

    /// The files below the places.
    pub(crate) async fn read(&self, places: &BTreeSet<String>) -> Result<Files, SourceError> {
        let (folder, places) = (self.clone(), places.clone());
        match self.folders.look(&self.path(), move || read_places(&folder, &places)).await {
            Ok(Ok(files)) => Ok(files),
            Ok(Err(Stop::Refused(why))) => Err(SourceError::Files(why)),
            Ok(Err(Stop::Io(why))) | Err(why) => Err(self.fail(why)),
        }
    }

    /// Refuses a link on the way to it, and one that does not answer; whatever else is wrong is for its reader to say.
    pub(crate) async fn check_way(&self) -> Result<(), SourceError> {
        let folder = self.clone();
        match self.folders.look(&self.path(), move || folder.open(FOLDER)).await {
            Ok(Err(Errno::LOOP | Errno::XDEV)) => Err(self.fail(linked())),
            Ok(_) => Ok(()),
            Err(why) => Err(self.fail(why)),
        }
    }

    fn path(&self) -> PathBuf {
        self.named.join(&self.below)
    }

    fn open(&self, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        if self.below.as_os_str().is_empty() {
            return openat(CWD, &self.named, flags, Mode::empty());
        }
        let named = openat(CWD, &self.named, FOLDER, Mode::empty())?;
        openat2(named, &self.below, flags, Mode::empty(), WAY)
    }

    fn fail(&self, why: io::Error) -> SourceError {
        SourceError::Directory { path: self.path(), why }
    }
}

fn linked() -> io::Error {
    io::Error::other(
        "a link lies on the way to it; write its real path, or name it in full in the allow list",
    )
}

fn read_places(folder: &Directory, places: &BTreeSet<String>) -> Result<Files, Stop> {
    let top = match folder.open(FOLDER) {
        Err(Errno::LOOP | Errno::XDEV) => return Err(Stop::Io(linked())),
        opened => opened?,
    };
    let mut files = Files::default();
    for place in places {
        read_place(&top, place, &mut files)?;
    }
    Ok(files)
}

/// Reads a folder, or a single file. The way to it goes through real folders only: a link on it could lead past the
/// allow list.
fn read_place(top: &OwnedFd, place: &str, files: &mut Files) -> Result<(), Stop> {
    let name = if place.is_empty() { "." } else { place };
    let odd = |why| Err(FilesRefused::Odd { path: place.to_owned(), why }.into());
    let opened = match openat2(top, name, FOLDER, Mode::empty(), WAY) {
        Ok(opened) => return Walk { top: &opened, place, files }.folder("", 0),
        Err(Errno::NOTDIR) => openat2(top, name, FILE, Mode::empty(), WAY),
        Err(why) => Err(why),
    };
    match opened {
        Ok(single) if kind_of(&single)? == FileType::RegularFile => take(single, place.to_owned(), files),
        Ok(_) | Err(Errno::NXIO) => odd(Odd::Device),
        Err(Errno::NOENT) => Err(FilesRefused::Missing(place.to_owned()).into()),
        Err(Errno::LOOP | Errno::XDEV) => odd(Odd::LinkedFolder),
        Err(why) => Err(why.into()),
    }
}

enum Stop {
    Refused(FilesRefused),
    Io(io::Error),
}

impl From<Errno> for Stop {
    fn from(why: Errno) -> Self {
        Self::Io(why.into())
    }
}

impl From<FilesRefused> for Stop {
    fn from(why: FilesRefused) -> Self {
        Self::Refused(why)
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
        let listed = openat2(self.top, name, FOLDER, Mode::empty(), BENEATH)?;
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
        match openat2(self.top, below, FILE, Mode::empty(), BENEATH) {
            Ok(opened) if is_folder(&opened)? && is_link => self.files.add_odd(path, Odd::LinkedFolder),
            Ok(opened) if is_folder(&opened)? => self.folder(below, depth + 1)?,
            Ok(opened) => take(opened, path, self.files)?,
            Err(_) if is_link => self.files.add_odd(path, self.behind(below)),
            // It has gone since it was listed: the next pass sees what stands then.
            Err(Errno::NOENT) => {}
            Err(why) => return Err(why.into()),
        }
        Ok(())
    }
}

fn is_folder(opened: &OwnedFd) -> Result<bool, Stop> {
    Ok(kind_of(opened)? == FileType::Directory)
}

fn kind_of(opened: &OwnedFd) -> Result<FileType, Stop> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(opened)?.st_mode))
}

fn take(opened: OwnedFd, path: String, files: &mut Files) -> Result<(), Stop> {
    if kind_of(&opened)? != FileType::RegularFile {
        files.add_odd(path, Odd::Device);
        return Ok(());
    }
    let mut bytes = Vec::new();
    File::from(opened).take(BOUNDS.bytes + 1).read_to_end(&mut bytes).map_err(Stop::Io)?;
    Ok(files.add(path, bytes)?)
}
