//! A fleet's writing side for tests: keys, roots, releases, sets and assignments, signed by the real code, and laid
//! into a folder that is an origin. What a test wants to be wrong it makes wrong by hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cdn::document::{
    Approval, Desired, Floors, Named, Release, Removal, RemovalMode, Revision, Roles, Root, ServiceEntry,
    ServiceOptions, Set, Stored,
};
use cdn::encoding::Encoding;
use cdn::envelope::{Envelope, Role};
use cdn::{Bundle, ClusterId, Digest, Key, Object, PublicKey, ServiceName, SigningKey};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The writing side of one fleet.
pub(crate) struct Fleet {
    /// The origin.
    pub(crate) folder: tempfile::TempDir,
    pub(crate) id: Digest,
    pub(crate) root_key: SigningKey,
    pub(crate) desired_key: SigningKey,
    routes_key: SigningKey,
    pub(crate) publisher_key: SigningKey,
    pub(crate) version: u64,
    pub(crate) seq: u64,
    /// Whether a new release withdraws those before it.
    pub(crate) withdraws: bool,
    pub(crate) set: BTreeMap<ServiceName, ServiceEntry>,
    pub(crate) removals: Vec<Removal>,
    pub(crate) approvals: Vec<Approval>,
}

pub(crate) fn service(name: &str) -> ServiceName {
    if name.contains('/') { name.parse() } else { format!("default/{name}").parse() }.unwrap()
}

/// A `ConfigMap` without a namespace.
pub(crate) fn config(name: &str, text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"text": text}})
}

/// A `ConfigMap` in a namespace.
pub(crate) fn config_in(namespace: &str, name: &str, text: &str) -> Value {
    let mut value = config(name, text);
    value["metadata"]["namespace"] = json!(namespace);
    value
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let mut fleet = Self {
            folder: tempfile::tempdir().unwrap(),
            id: Digest::of(b""),
            root_key: SigningKey::random(),
            desired_key: SigningKey::random(),
            routes_key: SigningKey::random(),
            publisher_key: SigningKey::random(),
            version: 1,
            seq: u64::try_from(Timestamp::now().as_millisecond()).unwrap(),
            withdraws: false,
            set: BTreeMap::new(),
            removals: Vec::new(),
            approvals: Vec::new(),
        };
        let first = Envelope::sign(&fleet.root(), &[&fleet.root_key]).to_bytes();
        fleet.id = Digest::of(&first);
        fleet.lay(&Key::Root(1), &first);
        fleet
    }

    /// The root that the keys of now make.
    pub(crate) fn root(&self) -> Root {
        let release = BTreeMap::from([("default".parse().unwrap(), Role::of(self.publisher_key.public()))]);
        Root {
            version: self.version,
            fleet: (self.version > 1).then_some(self.id),
            issued: Timestamp::now(),
            roles: Roles {
                root: Role::of(self.root_key.public()),
                desired: Role::of(self.desired_key.public()),
                routes: Role::of(self.routes_key.public()),
                release,
                approver: None,
            },
            origin_hosts: Vec::new(),
            floors: Floors::default(),
        }
    }

    /// Makes and lays the next root, with a new root key and a new key for assignments.
    pub(crate) fn rotate(&mut self) {
        let old = std::mem::replace(&mut self.root_key, SigningKey::random());
        self.desired_key = SigningKey::random();
        self.version += 1;
        let root = Envelope::sign(&self.root(), &[&old, &self.root_key]).to_bytes();
        self.lay(&Key::Root(self.version), &root);
    }

    /// Lays the next root with assignments signed by several keys.
    pub(crate) fn demand(&mut self, keys: Vec<PublicKey>, threshold: usize) {
        self.version += 1;
        let mut root = self.root();
        root.roles.desired = Role { keys, threshold };
        let root = Envelope::sign(&root, &[&self.root_key]).to_bytes();
        self.lay(&Key::Root(self.version), &root);
    }

    /// Lays the next root, in which origins have this host.
    pub(crate) fn allow_origins(&mut self, host: &str) {
        self.version += 1;
        let root = Root { origin_hosts: vec![host.to_owned()], ..self.root() };
        let root = Envelope::sign(&root, &[&self.root_key]).to_bytes();
        self.lay(&Key::Root(self.version), &root);
    }

    fn lay(&self, key: &Key, bytes: &[u8]) {
        let path = self.folder.path().join(key.path());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Lays an object into the origin.
    pub(crate) fn put(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.lay(&Key::Object(digest), bytes);
        digest
    }

    /// Where an object lies.
    pub(crate) fn place(&self, digest: Digest) -> PathBuf {
        self.folder.path().join(Key::Object(digest).path())
    }

    /// Publishes a service, and puts it into the set. Its namespace has its own name.
    pub(crate) fn publish(&mut self, name: &str, objects: &[Value]) -> Published {
        let service = service(name);
        let objects = objects.iter().map(|value| Object::from_value(value).unwrap());
        self.publish_tar(&service, &Bundle::new(objects).unwrap().pack().unwrap())
    }

    /// Publishes whatever bytes as a service's bundle.
    pub(crate) fn publish_tar(&mut self, service: &ServiceName, tar: &[u8]) -> Published {
        self.seq += 1;
        let stored = |encoding: Encoding| {
            let bytes = encoding.encode(tar).unwrap();
            Stored { encoding, digest: self.put(&bytes), length: bytes.len() as u64 }
        };
        let release = Release {
            fleet: self.id,
            service: service.clone(),
            revision: Revision { id: self.seq.to_string(), subject: String::new(), time: None },
            bundle: Digest::of(tar),
            length: tar.len() as u64,
            namespace: service.name().to_owned(),
            encodings: vec![stored(Encoding::Zst), stored(Encoding::Gz)],
            seq: self.seq,
            min_seq: if self.withdraws { self.seq } else { 0 },
            objects: 0,
        };
        let published = self.release(&release);
        let old = self.set.remove(service);
        let (options, depends_on) = old.map(|old| (old.options, old.depends_on)).unwrap_or_default();
        let entry = ServiceEntry { name: service.clone(), release: published.release, options, depends_on };
        self.set.insert(service.clone(), entry);
        published
    }

    /// Signs and lays a release.
    pub(crate) fn release(&self, release: &Release) -> Published {
        let envelope = Envelope::sign(release, &[&self.publisher_key]).to_bytes();
        let encodings = release.encodings.iter().map(|stored| stored.digest).collect();
        Published { release: self.put(&envelope), bundle: release.bundle, encodings }
    }

    pub(crate) fn options(&mut self, name: &str) -> &mut ServiceOptions {
        &mut self.set.get_mut(&service(name)).unwrap().options
    }

    pub(crate) fn depends(&mut self, name: &str, on: &str) {
        self.set.get_mut(&service(name)).unwrap().depends_on = vec![service(on)];
    }

    pub(crate) fn remove(&mut self, name: &str, mode: RemovalMode) {
        self.set.remove(&service(name));
        self.removals.push(Removal { service: service(name), mode });
    }

    /// The assignment of the set as it is now, at a new sequence; the set is laid into the origin.
    pub(crate) fn desired(&mut self, cluster: &ClusterId) -> Desired {
        self.seq += 1;
        let set = Set::new(self.set.values().cloned().collect()).to_bytes();
        self.put(&set);
        let now = Timestamp::now();
        Desired {
            fleet: self.id,
            cluster: cluster.clone(),
            seq: self.seq,
            issued: now,
            expires: now + SignedDuration::from_hours(24),
            root: self.version,
            set: Named::of(&set),
            values: None,
            origins: Vec::new(),
            removals: self.removals.clone(),
            approvals: self.approvals.clone(),
        }
    }

    /// The same, signed.
    pub(crate) fn assign(&mut self, cluster: &ClusterId) -> Envelope {
        Envelope::sign(&self.desired(cluster), &[&self.desired_key])
    }

    pub(crate) fn origin(&self) -> &Path {
        self.folder.path()
    }
}

/// What publishing made.
pub(crate) struct Published {
    pub(crate) release: Digest,
    pub(crate) bundle: Digest,
    pub(crate) encodings: Vec<Digest>,
}
