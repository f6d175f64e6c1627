//! `Stored`: a release as it lies in the demo's store, proved as an agent proves it.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result};
use api::routes::releases::Release;
use cdn::encoding::Encoding;
use cdn::trust::{MinSeqs, Trust, Verified};
use cdn::{Bundle, Digest, Key, Limits};
use serde_json::Value;

use super::workshop::Workshop;

/// What one release put into the store.
pub(super) struct Stored {
    /// Bytes of its `zst` encoding.
    pub(super) size: u64,
    /// Its objects.
    pub(super) bundle: Bundle,
    /// The namespace of objects that name none.
    pub(super) namespace: String,
}

impl Stored {
    /// Reads and proves it.
    pub(super) fn read(workshop: &Workshop, release: &Release) -> Result<Self> {
        let read = |digest: &Digest| {
            let path = workshop.path(format!("store/{}", Key::Object(*digest).path()));
            fs::read(&path).with_context(|| format!("read {}", path.display()))
        };
        let root = fs::read(workshop.path("root/1.json")).context("read root 1")?;
        let trust = Trust::begin(workshop.fleet, &root)?;
        let verified =
            Verified::check(&trust, &release.service, &read(&release.digest)?, &MinSeqs::default())?;
        let mut places = verified.encodings().iter();
        let place = places.find(|place| place.encoding == Encoding::Zst).context("no zst encoding")?;
        let content = verified.open(place, &read(&place.digest)?, Limits::DEFAULT)?;
        let namespace = verified.record().namespace.clone();
        Ok(Self { size: place.length, bundle: content.bundle().clone(), namespace })
    }
}

/// Texts that only the manifests of these releases have: long strings in their objects. Not the names of the objects,
/// which holds and warnings say; nor what the api was `told` of the services, such as a chart's values.
pub(super) fn texts(workshop: &Workshop, releases: &[Release], told: &[Value]) -> Result<BTreeSet<String>> {
    const LONG: usize = 24;
    let (mut texts, mut known) = (BTreeSet::new(), BTreeSet::new());
    for release in releases {
        for object in Stored::read(workshop, release)?.bundle.objects() {
            strings(&object.value(), &mut texts);
            known.insert(object.id().name.clone());
        }
    }
    for document in told {
        strings(document, &mut known);
    }
    texts.retain(|text| text.len() >= LONG && !known.iter().any(|known| known.contains(text)));
    Ok(texts)
}

fn strings(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(found.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(map) => map.values().for_each(|item| strings(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
