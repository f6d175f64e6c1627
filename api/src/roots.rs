//! The fleet's roots, as this api was given them: who the fleet is, whose releases count, and that our own key may
//! sign.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use cdn::document::{Document, Root};
use cdn::trust::Trust;
use cdn::{Key, SigningKey};
use program::files::read_bounded;
use program::settings::read_secret;
use store::Store;

/// The chain, and the bytes of each root in order.
#[derive(Debug)]
pub(crate) struct Roots {
    pub(crate) trust: Trust,
    pub(crate) bytes: Vec<Vec<u8>>,
}

/// Reads `1.json`, `2.json` ... of a folder, or root 1 alone from a file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Roots> {
    let file = |n: u64| if path.is_dir() { path.join(format!("{n}.json")) } else { path.to_owned() };
    let one = file(1);
    let root_1 = read_root(&one).with_context(|| {
        format!("read root 1 from {}; `windlass keys init` makes the fleet's first root", one.display())
    })?;
    let trust = Trust::given(&root_1).with_context(|| format!("{} is no root 1", one.display()))?;
    let mut bytes = vec![root_1];
    let trust = trust.follow(|version| {
        let at = file(version);
        if !path.is_dir() || !at.is_file() {
            return anyhow::Ok(None);
        }
        let next = read_root(&at).with_context(|| format!("read {}", at.display()))?;
        bytes.push(next.clone());
        Ok(Some(next))
    });
    let trust = trust.with_context(|| format!("follow the roots in {}", path.display()))?;
    Ok(Roots { trust, bytes })
}

fn read_root(path: &Path) -> std::io::Result<Vec<u8>> {
    read_bounded(path, Root::MAX_BYTES as u64)
}

/// Reads our key, and makes sure that agents will believe what it signs.
pub(crate) fn desired_key(path: &Path, trust: &Trust) -> anyhow::Result<SigningKey> {
    let text = read_secret(path).context("read --desired-key")?;
    let key = SigningKey::from_text(&cdn::Secret::new(text))
        .with_context(|| format!("{} is no key file; `windlass keys init` makes one", path.display()))?;
    let role = &trust.root().roles.desired;
    if !role.keys.contains(&key.public()) {
        bail!(
            "root {} does not list the public half of {} as a desired key: no agent would believe what it signs; \
             give the key that root names, or sign a new root",
            trust.version(),
            path.display()
        );
    }
    ensure!(
        role.threshold == 1,
        "root {} wants {} desired keys to sign, and an api has one; sign a root with a threshold of 1",
        trust.version(),
        role.threshold
    );
    Ok(key)
}

/// Puts the roots where agents look for them.
pub(crate) async fn publish(roots: &Roots, store: &Store) -> anyhow::Result<()> {
    for (version, bytes) in (1..).zip(&roots.bytes) {
        let key = Key::Root(version);
        store.put(&key, bytes.clone()).await.with_context(|| format!("put root {version} into the store"))?;
    }
    Ok(())
}
