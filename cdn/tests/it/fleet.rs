//! A fleet made by hand: keys, root 1, one service, one cluster. Tests attack it step by step.

use std::collections::BTreeMap;

use cdn::document::{
    Desired, Floors, Named, Release, Revision, Roles, Root, ServiceEntry, ServiceOptions, Set, Stored,
};
use cdn::encoding::Encoding;
use cdn::envelope::{Envelope, Role};
use cdn::trust::Trust;
use cdn::{Bundle, ClusterId, Digest, Object, ServiceName, SigningKey};
use jiff::Timestamp;
use serde_json::json;

pub(crate) struct Fleet {
    pub(crate) root_key: SigningKey,
    pub(crate) desired_key: SigningKey,
    pub(crate) routes_key: SigningKey,
    pub(crate) release_key: SigningKey,
    pub(crate) root_1: Vec<u8>,
    pub(crate) trust: Trust,
    pub(crate) me: ClusterId,
}

pub(crate) struct Published {
    pub(crate) tar: Vec<u8>,
    pub(crate) stored: Vec<u8>,
    pub(crate) release: Release,
    pub(crate) envelope: Vec<u8>,
}

pub(crate) fn service() -> ServiceName {
    "default/web".parse().unwrap()
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let [root_key, desired_key, routes_key, release_key] = std::array::from_fn(|_| SigningKey::random());
        let roles = Roles {
            root: Role::of(root_key.public()),
            desired: Role::of(desired_key.public()),
            routes: Role::of(routes_key.public()),
            release: BTreeMap::from([("default".parse().unwrap(), Role::of(release_key.public()))]),
            approver: None,
        };
        let root = Root {
            version: 1,
            fleet: None,
            issued: at(0),
            roles,
            origin_hosts: Vec::new(),
            floors: Floors::default(),
        };
        let root_1 = Envelope::sign(&root, &[&root_key]).to_bytes();
        let trust = Trust::begin(Digest::of(&root_1), &root_1).unwrap();
        Self { root_key, desired_key, routes_key, release_key, root_1, trust, me: ClusterId::random() }
    }

    /// The next root: today's, changed.
    pub(crate) fn next_root(&self, change: impl FnOnce(&mut Root)) -> Root {
        let mut root = self.trust.root().clone();
        root.version += 1;
        root.fleet = Some(self.trust.fleet());
        change(&mut root);
        root
    }

    pub(crate) fn release(&self, change: impl FnOnce(&mut Release)) -> Published {
        let object = Object::from_value(&json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"},
        }));
        let tar = Bundle::new([object.unwrap()]).unwrap().pack().unwrap();
        let stored = Encoding::Zst.encode(&tar).unwrap();
        let place =
            Stored { encoding: Encoding::Zst, digest: Digest::of(&stored), length: stored.len() as u64 };
        let mut release = Release {
            fleet: self.trust.fleet(),
            service: service(),
            revision: Revision { id: "c0ffee".to_owned(), subject: String::new(), time: None },
            bundle: Digest::of(&tar),
            length: tar.len() as u64,
            namespace: "web".to_owned(),
            encodings: vec![place],
            seq: 10,
            min_seq: 0,
            objects: 1,
        };
        change(&mut release);
        let envelope = Envelope::sign(&release, &[&self.release_key]).to_bytes();
        Published { tar, stored, release, envelope }
    }

    pub(crate) fn set(release: &[u8]) -> Set {
        Set::new(vec![ServiceEntry {
            name: service(),
            release: Digest::of(release),
            options: ServiceOptions::default(),
            depends_on: Vec::new(),
        }])
    }

    pub(crate) fn desired(&self, seq: u64, set: &Set) -> Desired {
        Desired {
            fleet: self.trust.fleet(),
            cluster: self.me.clone(),
            seq,
            issued: at(0),
            expires: at(86_400),
            root: 1,
            set: Named::of(&set.to_bytes()),
            values: None,
            origins: Vec::new(),
            removals: Vec::new(),
            approvals: Vec::new(),
        }
    }

    pub(crate) fn sign(&self, desired: &Desired) -> Vec<u8> {
        Envelope::sign(desired, &[&self.desired_key]).to_bytes()
    }
}
