//! One object, one file.

use std::io;
use std::path::{Path, PathBuf};

use cdn::document::{Health, HoldReason};
use cdn::{Digest, Object, ObjectId, ServiceName, json};
use program::files;
use serde_json::Value;

use super::{FILE_BYTES, failed};
use crate::target::{ADOPTED, Address, Applied, Deleted, Live, OWNER, OwnerMark, Prepared, Refusal, Seen};

const NAME_BYTES: usize = 200;

/// `namespace_Kind.group_name.json`, `_` for no namespace; a name that is too long is cut and ends in a digest.
pub(super) fn path(folder: &Path, id: &ObjectId) -> PathBuf {
    let namespace = id.namespace.as_deref().unwrap_or("_");
    let kind = if id.group.is_empty() { id.kind.clone() } else { format!("{}.{}", id.kind, id.group) };
    let mut name = format!("{namespace}_{kind}_{}", id.name);
    if name.len() > NAME_BYTES {
        let digest = Digest::of(name.as_bytes()).hex();
        let end = (0..=NAME_BYTES - 17).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
        name = format!("{}~{}", &name[..end], &digest[..16]);
    }
    folder.join(format!("{name}.json"))
}

pub(super) fn look(folder: &Path, id: &ObjectId) -> Seen {
    match read(&path(folder, id)) {
        Ok(Some(bytes)) => Seen::Live(live(&bytes)),
        Ok(None) => Seen::Missing,
        Err(refusal) => Seen::Unknown(refusal.message),
    }
}

/// What lies here of a fleet, by its marks, each in the file of its own name.
pub(super) fn marked(folder: &Path, fleet: Digest) -> Result<Vec<(ServiceName, Address)>, Refusal> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, &error))? {
        let path = entry.map_err(|error| failed(folder, &error))?.path();
        if path.is_file() {
            found.extend(marked_at(folder, &path, fleet));
        }
    }
    Ok(found)
}

fn marked_at(folder: &Path, at: &Path, fleet: Digest) -> Option<(ServiceName, Address)> {
    let value = parse(read(at).ok()??)?;
    let object = Object::from_value(&value).ok()?;
    let (id, version) = (object.id().clone(), object.version().to_owned());
    let service = mark(&value)?.owner_of(&id, fleet)?.clone();
    (path(folder, &id) == at).then_some((service, Address { id, version }))
}

pub(super) fn apply(folder: &Path, prepared: &Prepared) -> Result<Applied, Refusal> {
    let path = path(folder, prepared.object.id());
    let before = read(&path)?;
    let uid = before.as_deref().map(|bytes| Digest::of(bytes).hex());
    if uid != prepared.seen {
        return Err(changed_meanwhile());
    }
    let bytes = spread(prepared.object.json());
    let changed = before.as_deref() != Some(bytes.as_slice());
    if changed {
        files::write_atomic(&path, &bytes, 0o644).map_err(|error| failed(&path, &error))?;
    }
    Ok(Applied { live: live(&bytes), changed, taken_back: None })
}

pub(super) fn delete(folder: &Path, id: &ObjectId, uid: &str) -> Result<Deleted, Refusal> {
    let path = path(folder, id);
    if still(&path, uid)?.is_some() {
        files::remove(&path).map_err(|error| failed(&path, &error))?;
    }
    Ok(Deleted::Gone)
}

/// Takes our annotations out and leaves the rest.
pub(super) fn release(folder: &Path, id: &ObjectId, uid: &str) -> Result<(), Refusal> {
    let path = path(folder, id);
    let Some(mut value) = read(&path)?.filter(|bytes| Digest::of(bytes).hex() == uid).and_then(parse) else {
        return Ok(());
    };
    if let Some(annotations) = value.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(OWNER);
        annotations.remove(ADOPTED);
    }
    let bytes = spread(&json::canonical(&value));
    files::write_atomic(&path, &bytes, 0o644).map_err(|error| failed(&path, &error))
}

/// The file, if it is there, and a refusal if it is another one by now (FAULTS F40).
fn still(path: &Path, uid: &str) -> Result<Option<Vec<u8>>, Refusal> {
    match read(path)? {
        Some(bytes) if Digest::of(&bytes).hex() != uid => Err(changed_meanwhile()),
        found => Ok(found),
    }
}

fn changed_meanwhile() -> Refusal {
    Refusal::passing(HoldReason::ApplyFailed, "somebody changed the file meanwhile; it is looked at again")
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Refusal> {
    match files::read_bounded(path, FILE_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, &error)),
    }
}

fn parse(bytes: impl AsRef<[u8]>) -> Option<Value> {
    json::parse(bytes.as_ref(), cdn::Limits::DEFAULT.depth).ok()
}

fn live(bytes: &[u8]) -> Live {
    let value = parse(bytes).unwrap_or_default();
    let digest = Digest::of(bytes);
    Live {
        uid: digest.hex(),
        resource_version: digest.hex(),
        content: digest,
        owner: mark(&value),
        adopted: annotation(&value, ADOPTED) == Some("true"),
        deleting: false,
        scaler: None,
        finished: None,
        health: Health::Unknown,
    }
}

fn annotation<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.pointer("/metadata/annotations")?.get(name)?.as_str()
}

fn mark(value: &Value) -> Option<OwnerMark> {
    annotation(value, OWNER)?.parse().ok()
}

/// Canonical JSON on several lines, for people: the same bytes from the same object, always.
fn spread(canonical: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(canonical.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let newline = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.resize(out.len() + 2 * depth, b' ');
    };
    for (at, byte) in canonical.iter().copied().enumerate() {
        let empty = matches!(canonical.get(at + 1), Some(b'}' | b']'));
        match byte {
            _ if quoted => out.push(byte),
            b'{' | b'[' => {
                out.push(byte);
                depth += 1;
                if !empty {
                    newline(&mut out, depth);
                }
            }
            b'}' | b']' => {
                depth -= 1;
                if !matches!(canonical.get(at.wrapping_sub(1)), Some(b'{' | b'[')) {
                    newline(&mut out, depth);
                }
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                newline(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            _ => out.push(byte),
        }
        if byte == b'"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && byte == b'\\' && !escaped;
    }
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_object_says_the_same_on_more_lines() {
        let text = br#"{"a":{},"b":["x, \" {y}: ",1,[]],"c":{"d":"\\"}}"#;
        let spread = spread(text);
        assert_eq!(json::canonical(&parse(&spread).unwrap()), text);
        let expected = "{\n  \"a\": {},\n  \"b\": [\n    \"x, \\\" {y}: \",\n    1,\n    []\n  ],\n  \"c\": {\n    \
                        \"d\": \"\\\\\"\n  }\n}\n";
        assert_eq!(String::from_utf8(spread).unwrap(), expected);
    }

    #[test]
    fn no_two_objects_share_a_file() {
        let id = |namespace: Option<&str>, kind: &str, name: &str| ObjectId {
            group: "apps".into(),
            kind: kind.into(),
            namespace: namespace.map(Into::into),
            name: name.into(),
        };
        let long = "n".repeat(250);
        let ids = [
            id(None, "Deployment", "web"),
            id(Some("web"), "Deployment", "web"),
            id(Some("web"), "DaemonSet", "web"),
            id(Some("web"), "DaemonSet", &long),
            id(Some("web"), "DaemonSet", &format!("{long}x")),
        ];
        let paths: std::collections::BTreeSet<_> = ids.iter().map(|id| path(Path::new("/f"), id)).collect();
        assert_eq!(paths.len(), ids.len());
        assert!(paths.iter().all(|path| path.file_name().unwrap().len() <= 205));
    }
}
