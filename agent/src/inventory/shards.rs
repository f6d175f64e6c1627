//! How an inventory is kept: an index that names shards by digest. Each shard fits one object in etcd, and a change in
//! one service rewrites one shard and the index.

use std::collections::BTreeMap;

use cdn::{Digest, ObjectId, ServiceName, json};
use serde::{Deserialize, Serialize};

use super::{Entry, Inventory, Owned};
use crate::target::Sharded;

const FORMAT: &str = "inventory.v0";
/// Below the 512 KB that a target takes, with room for the target's own words around it.
const SHARD_BYTES: usize = 400 << 10;

/// The stored bytes are not a whole inventory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the inventory cannot be read: {0}")]
pub(crate) struct BadInventory(String);

#[derive(Serialize, Deserialize)]
struct Index {
    format: String,
    number: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    lost: bool,
    shards: Vec<Digest>,
}

/// A piece of one service; a large service has several.
#[derive(Serialize, Deserialize)]
struct Piece {
    service: ServiceName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    release: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bundle: Option<Digest>,
    entries: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    id: ObjectId,
    #[serde(flatten)]
    entry: Entry,
}

impl Inventory {
    /// The form that a target keeps.
    pub(crate) fn to_shards(&self) -> Sharded {
        let mut shards = BTreeMap::new();
        let mut order = Vec::new();
        let mut close = |pieces: &mut Vec<Vec<u8>>| {
            if !pieces.is_empty() {
                let bytes = [b"[".as_slice(), &pieces.join(&b','), b"]"].concat();
                let digest = Digest::of(&bytes);
                order.push(digest);
                shards.insert(digest, bytes);
                pieces.clear();
            }
        };
        let mut open: Vec<Vec<u8>> = Vec::new();
        for piece in self.services.iter().flat_map(pieces) {
            let used: usize = open.iter().map(|piece| piece.len() + 1).sum();
            if used + piece.len() > SHARD_BYTES {
                close(&mut open);
            }
            open.push(piece);
        }
        close(&mut open);
        let (number, lost) = (self.number, self.lost);
        let index = Index { format: FORMAT.to_owned(), number, lost, shards: order };
        Sharded { index: json::canonical_of(&index), shards }
    }

    /// Reads what a target kept: every shard that the index names, each with its digest, or nothing.
    pub(crate) fn from_shards(kept: &Sharded) -> Result<Self, BadInventory> {
        let bad = |why: &str| BadInventory(why.to_owned());
        let index: Index = json::document(&kept.index).map_err(|error| BadInventory(error.to_string()))?;
        if index.format != FORMAT {
            return Err(bad("its format is another one"));
        }
        let mut inventory = Self { number: index.number, lost: index.lost, services: BTreeMap::new() };
        for digest in &index.shards {
            let bytes = kept.shards.get(digest).ok_or_else(|| bad("a shard is missing"))?;
            if Digest::of(bytes) != *digest {
                return Err(bad("a shard is damaged"));
            }
            let pieces: Vec<Piece> =
                json::document(bytes).map_err(|error| BadInventory(error.to_string()))?;
            for piece in pieces {
                inventory.take(piece);
            }
        }
        Ok(inventory)
    }

    fn take(&mut self, piece: Piece) {
        let owned = self.services.entry(piece.service).or_default();
        owned.release = piece.release;
        owned.bundle = piece.bundle;
        owned.entries.extend(piece.entries.into_iter().map(|line| (line.id, line.entry)));
    }

    /// The form of the copy on disk.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let kept = self.to_shards();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let shards: Vec<String> = kept.shards.values().map(|bytes| text(bytes)).collect();
        json::canonical_of(&Copy { index: text(&kept.index), shards })
    }

    /// Reads the copy on disk.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, BadInventory> {
        let copy: Copy = json::document(bytes).map_err(|error| BadInventory(error.to_string()))?;
        let shards = copy.shards.into_iter().map(String::into_bytes);
        let shards = shards.map(|bytes| (Digest::of(&bytes), bytes)).collect();
        Self::from_shards(&Sharded { index: copy.index.into_bytes(), shards })
    }
}

#[derive(Serialize, Deserialize)]
struct Copy {
    index: String,
    shards: Vec<String>,
}

fn pieces((service, owned): (&ServiceName, &Owned)) -> Vec<Vec<u8>> {
    let piece = |entries| {
        let (release, bundle) = (owned.release, owned.bundle);
        json::canonical_of(&Piece { service: service.clone(), release, bundle, entries })
    };
    let mut made = Vec::new();
    let mut open = Vec::new();
    let mut used = 0;
    for (id, entry) in &owned.entries {
        let line = Line { id: id.clone(), entry: entry.clone() };
        let length = json::canonical_of(&line).len() + 1;
        if used + length > SHARD_BYTES / 2 {
            made.push(piece(std::mem::take(&mut open)));
            used = 0;
        }
        used += length;
        open.push(line);
    }
    if made.is_empty() || !open.is_empty() {
        made.push(piece(open));
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Uid;
    use crate::target::Address;

    fn inventory(objects: usize) -> Inventory {
        let mut inventory = Inventory { number: 7, ..Inventory::default() };
        let service: ServiceName = "default/web".parse().unwrap();
        for n in 0..objects {
            let id = ObjectId {
                group: String::new(),
                kind: "ConfigMap".into(),
                namespace: Some("web".into()),
                name: format!("settings-{n}"),
            };
            inventory.expect(&service, &Address { id: id.clone(), version: "v1".into() });
            let entry = Entry { uid: Uid::Applied("u".repeat(36)), version: "v1".into(), ..Entry::default() };
            inventory.record(&service, &id, entry);
        }
        inventory.complete(&"default/empty".parse().unwrap(), Digest::of(b"r"), Digest::of(b"t"));
        inventory
    }

    #[test]
    fn what_is_kept_reads_back_whole() {
        let inventory = inventory(3);
        assert_eq!(Inventory::from_shards(&inventory.to_shards()).unwrap(), inventory);
        assert_eq!(Inventory::from_bytes(&inventory.to_bytes()).unwrap(), inventory);
    }

    /// As agents have kept it from the first version on.
    #[test]
    fn what_was_kept_before_reads_and_is_written_as_it_was() {
        let shard = br#"[{"entries":[{"group":"","kind":"ConfigMap","name":"a","namespace":"web","version":"v1"},{"group":"","kind":"ConfigMap","name":"b","namespace":"web","uid":"","version":"v1"},{"group":"","kind":"ConfigMap","name":"c","namespace":"web","uid":"u-1","version":"v1"}],"service":"default/web"}]"#;
        let digest = Digest::of(shard);
        let index = format!(r#"{{"format":"inventory.v0","number":7,"shards":["{digest}"]}}"#);
        let kept = Sharded { index: index.into_bytes(), shards: [(digest, shard.to_vec())].into() };
        let inventory = Inventory::from_shards(&kept).unwrap();
        let uids: Vec<Uid> = inventory.entries().map(|(_, _, entry)| entry.uid.clone()).collect();
        assert_eq!(uids, [Uid::Unconfirmed, Uid::FoundByMark, Uid::Applied("u-1".to_owned())]);
        assert_eq!(inventory.to_shards(), kept);
    }

    #[test]
    fn f22_twenty_thousand_objects_are_kept_in_shards_that_etcd_takes() {
        let inventory = inventory(20_000);
        let kept = inventory.to_shards();
        assert!(kept.shards.len() > 4);
        assert!(kept.shards.values().all(|shard| shard.len() <= 512_000));
        assert_eq!(Inventory::from_shards(&kept).unwrap(), inventory);
    }

    #[test]
    fn f22_a_lost_or_damaged_shard_is_no_inventory() {
        let kept = inventory(3).to_shards();
        let lost = Sharded { shards: BTreeMap::new(), ..kept.clone() };
        assert!(Inventory::from_shards(&lost).is_err());
        let mut damaged = kept.clone();
        damaged.shards.values_mut().for_each(|bytes| bytes[20] ^= 1);
        assert!(Inventory::from_shards(&damaged).is_err());
        assert!(Inventory::from_shards(&Sharded { index: b"{}".to_vec(), ..kept }).is_err());
    }
}
