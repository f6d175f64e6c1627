//! Paths: those within a checkout are relative, have one spelling each, and none climbs out.

use std::path::PathBuf;

/// A path cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path `{path}` {why}")]
pub struct PathRefused {
    path: String,
    why: &'static str,
}

/// A path as the rest of this crate writes it: parts joined by `/`, no `.` and no `..`, empty for the top.
pub(crate) fn normal(path: &str) -> Result<String, PathRefused> {
    join("", path)
}

/// Where `path` leads from `folder`.
pub(crate) fn join(folder: &str, path: &str) -> Result<String, PathRefused> {
    let refuse = |why| PathRefused { path: crate::words::safe(path, 200), why };
    if path.starts_with('/') {
        return Err(refuse("is absolute: write it relative to the top of the source"));
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Err(refuse("has a control character or a backslash"));
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Err(refuse("leads out of the source: files from elsewhere are not read"));
                }
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// A folder of this machine by its absolute path, in one spelling: what a pattern fits is then what is opened.
pub(crate) fn absolute(path: &str) -> Result<&str, PathRefused> {
    let refuse = |why| PathRefused { path: crate::words::safe(path, 200), why };
    let below = path.strip_prefix('/').ok_or_else(|| refuse("is not absolute: write it from `/` on"))?;
    if path.chars().any(char::is_control) {
        return Err(refuse("has a control character"));
    }
    if is_plain(below) {
        Ok(path)
    } else {
        Err(refuse("has a part that is empty, `.` or `..`: write the folder's own path"))
    }
}

/// Whether each part of a path means itself: none is empty, `.` or `..`, also not with parameters behind it as some
/// servers read them. One slash at the end says nothing.
pub(crate) fn is_plain(path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    let means_itself = |part: &str| !matches!(part.split(';').next(), None | Some("" | "." | ".."));
    path.is_empty() || path.split('/').all(means_itself)
}

/// Whether `path` is the place itself or below it.
pub(crate) fn within(path: &str, place: &str) -> bool {
    place.is_empty() || path == place || path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
}

/// The folder that a path lies in.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Makes a path one that leads to the same place from every folder.
pub(crate) fn make_full(path: &mut PathBuf) -> std::io::Result<()> {
    *path = std::path::absolute(&*path)?;
    Ok(())
}
