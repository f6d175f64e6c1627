//! `Bundle`: all objects of one service, as files of a CT1 tar, with `bundle.json` as the mark that it is complete.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ct1::{self, Ct1Refused};
use crate::json::{self, JsonRefused};
use crate::object::{Object, ObjectRefused};
use crate::{Limits, ObjectId};

const ABOUT: &str = "bundle.json";
const FORMAT: &str = "bundle.v0";

/// The objects of one service, by identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    objects: BTreeMap<ObjectId, Object>,
}

/// `bundle.json`: the completeness mark.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    format: String,
    /// How many objects the archive holds: a shorter one is not this bundle.
    objects: usize,
}

/// Why files are not a bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleRefused {
    /// The archive itself.
    #[error(transparent)]
    Archive(#[from] Ct1Refused),
    /// `bundle.json` is missing, of another format, or asks for what we do not know.
    #[error("bundle.json: {0}")]
    About(String),
    /// One file is not the object that it should be.
    #[error("{path}: {why}")]
    Object {
        /// The file's path in the archive.
        path: String,
        /// Why not.
        why: ObjectRefused,
    },
    /// An object lies elsewhere than its identity says.
    #[error("{path} holds {id}, which does not belong there")]
    Misplaced {
        /// The file's path in the archive.
        path: String,
        /// What it holds.
        id: ObjectId,
    },
    /// Two identities have one place.
    #[error("two objects would both be {0}")]
    OnePath(String),
    /// Two objects of one identity.
    #[error("{0} is there twice")]
    Duplicate(ObjectId),
    /// A bound was reached.
    #[error("over the limit: {0}")]
    Limit(String),
}

impl Bundle {
    /// Collects objects; two of one identity are refused.
    pub fn new(objects: impl IntoIterator<Item = Object>) -> Result<Self, BundleRefused> {
        let mut bundle = Self::default();
        for object in objects {
            if let Some(twice) = bundle.objects.insert(object.id().clone(), object) {
                return Err(BundleRefused::Duplicate(twice.id().clone()));
            }
        }
        Ok(bundle)
    }

    /// The canonical tar. Its digest is T.
    pub fn pack(&self) -> Result<Vec<u8>, BundleRefused> {
        let about = About { format: FORMAT.to_owned(), objects: self.objects.len() };
        let mut files = ct1::Files::new();
        files.insert(ABOUT.to_owned(), json::canonical_of(&about));
        for object in self.objects.values() {
            let path = object.id().path();
            if files.insert(path.clone(), object.json().to_vec()).is_some() {
                return Err(BundleRefused::OnePath(path));
            }
        }
        Ok(ct1::pack(&files)?)
    }

    /// Reads a canonical tar whose digest has been checked; canonical or refused.
    pub fn read(tar: &[u8], limits: Limits) -> Result<Self, BundleRefused> {
        let mut entries = ct1::read(tar, limits);
        let expected = match entries.next().transpose()? {
            Some((path, bytes)) if path == ABOUT => about(&bytes)?,
            Some(_) | None => return Err(BundleRefused::About("it is not the first file".to_owned())),
        };
        let mut objects = Vec::new();
        for entry in entries {
            let (path, bytes) = entry?;
            if bytes.len() > limits.object_bytes {
                return Err(BundleRefused::Limit(format!(
                    "{path} has more than {} bytes",
                    limits.object_bytes
                )));
            }
            let object = Object::from_stored(&bytes, limits.depth)
                .map_err(|why| BundleRefused::Object { path: path.clone(), why })?;
            if object.id().path() != path {
                return Err(BundleRefused::Misplaced { path, id: object.id().clone() });
            }
            objects.push(object);
        }
        if objects.len() != expected {
            let found = objects.len();
            return Err(BundleRefused::About(format!(
                "it counts {expected} objects, the archive holds {found}"
            )));
        }
        Self::new(objects)
    }

    /// The objects, sorted by identity.
    pub fn objects(&self) -> impl ExactSizeIterator<Item = &Object> {
        self.objects.values()
    }

    /// One object.
    pub fn get(&self, id: &ObjectId) -> Option<&Object> {
        self.objects.get(id)
    }

    /// How many objects.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

fn about(bytes: &[u8]) -> Result<usize, BundleRefused> {
    let about: About =
        json::document(bytes).map_err(|error: JsonRefused| BundleRefused::About(error.to_string()))?;
    if about.format != FORMAT {
        return Err(BundleRefused::About(format!("format `{}` is not `{FORMAT}`", about.format)));
    }
    if json::canonical(&json::parse(bytes, 8).map_err(|error| BundleRefused::About(error.to_string()))?)
        != bytes
    {
        return Err(BundleRefused::About("not canonical".to_owned()));
    }
    Ok(about.objects)
}
