//! The fleet's roots, as this api was given them: who the fleet is, whose releases count, and that our own key may
//! sign.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use cdn::document::{Document, Root};
use cdn::trust::{MinSeqs, Trust, Verified};
use cdn::{Digest, Key, PublicKey, SigningKey};
use program::files::read_bounded;
use program::settings::read_secret;
use serde_json::json;
use store::{Cause, Store};

use crate::db::audit::{self, Act};
use crate::db::releases::{self, Judged};
use crate::db::{self, Conn, Db, fleet};
use crate::nouns::audit::API;

/// The chain, and the bytes of each root in order.
#[derive(Debug)]
pub(crate) struct Roots {
    pub(crate) trust: Trust,
    pub(crate) bytes: Vec<Vec<u8>>,
    /// Why the next file is no root that follows, where there is one.
    pub(crate) refused: Option<String>,
}

/// Reads `1.json`, `2.json` ... of a folder, or root 1 alone from a file. What does not follow is left out: it must not
/// keep the fleet's api from starting with the roots that do.
pub(crate) fn read(path: &Path) -> anyhow::Result<Roots> {
    let file = |n: u64| if path.is_dir() { path.join(format!("{n}.json")) } else { path.to_owned() };
    let one = file(1);
    let root_1 = read_root(&one).with_context(|| {
        format!("read root 1 from {}; `windlass keys init` makes the fleet's first root", one.display())
    })?;
    let trust = Trust::given(&root_1).with_context(|| format!("{} is no root 1", one.display()))?;
    let mut roots = Roots { trust, bytes: vec![root_1], refused: None };
    while let Some(version) = roots.trust.next_version().filter(|_| path.is_dir()) {
        let at = file(version);
        if !at.is_file() {
            let behind = file(version + 1);
            roots.refused = behind.is_file().then(|| {
                format!(
                    "{} is missing, while {} is there; put it beside them",
                    at.display(),
                    behind.display()
                )
            });
            break;
        }
        match follow(&roots.trust, &at) {
            Ok((trust, next)) => {
                roots.trust = trust;
                roots.bytes.push(next);
            }
            Err(error) => {
                roots.refused = Some(format!("{error:#}"));
                break;
            }
        }
    }
    Ok(roots)
}

fn follow(trust: &Trust, at: &Path) -> anyhow::Result<(Trust, Vec<u8>)> {
    let next = read_root(at).with_context(|| format!("read {}", at.display()))?;
    let trust = trust.advance(&next).with_context(|| format!("{} does not follow", at.display()))?;
    Ok((trust, next))
}

fn read_root(path: &Path) -> std::io::Result<Vec<u8>> {
    read_bounded(path, Root::MAX_BYTES as u64)
}

/// Reads our key, and makes sure that agents will believe what it signs.
pub(crate) fn desired_key(path: &Path, trust: &Trust) -> anyhow::Result<SigningKey> {
    let text = read_secret(path).context("read --desired-key")?;
    let key = SigningKey::from_text(&cdn::Secret::new(text))
        .with_context(|| format!("{} is no key file; `windlass keys init` makes one", path.display()))?;
    check_key(key.public(), trust)?;
    Ok(key)
}

/// Makes sure that root lists our key, and that it is enough.
pub(crate) fn check_key(key: PublicKey, trust: &Trust) -> anyhow::Result<()> {
    let role = &trust.root().roles.desired;
    if !role.keys.contains(&key) {
        bail!(
            "root {} does not list the public half of --desired-key as a desired key: no agent would believe what it \
             signs; give the key that root names, or make a new root with `windlass keys rotate`",
            trust.version(),
        );
    }
    ensure!(
        role.threshold == 1,
        "root {} wants {} desired keys to sign, and an api has one; `windlass keys rotate --threshold 1` makes a root that wants one",
        trust.version(),
        role.threshold
    );
    Ok(())
}

/// Why agents refuse whatever is assigned: an origin that we tell them is on no host that root allows.
pub(crate) fn foreign_origin(trust: &Trust, origins: &[String]) -> Option<String> {
    let foreign = origins.iter().find(|origin| !trust.allows_origin(origin))?;
    Some(format!(
        "--origins has {foreign}, and root {} allows no origin on its host, so that agents refuse every assignment; take \
         it out, or allow it by `windlass keys rotate --origin-host`",
        trust.version()
    ))
}

/// Writes down which releases a root believes that is newer than the last one that was taken up here: what it does not
/// is newer than no other release, however high its sequence (FAULTS A3, A9). Nobody waits while signatures are looked at:
/// only those that came meanwhile are looked at inside the write.
pub(crate) async fn take_up(db: &Db, trust: &Trust, now_ms: i64) -> db::Result<()> {
    let before = fleet::get(&mut *db.read().await?).await?;
    if trust.version() <= before.root {
        return Ok(());
    }
    let mut changed = judged_otherwise(&mut *db.read().await?, trust, 0).await?;
    let mut tx = db.write().await?;
    let now = fleet::get(&mut tx).await?.root;
    if trust.version() <= now {
        return Ok(());
    }
    if now == before.root {
        changed.extend(judged_otherwise(&mut tx, trust, before.change).await?);
    } else {
        // Another replica has taken up a root in between: what stood is no longer what was judged.
        changed = judged_otherwise(&mut tx, trust, 0).await?;
    }
    for (digest, trusted) in &changed {
        releases::set_trusted(&mut tx, *digest, *trusted).await?;
    }
    fleet::set_root(&mut tx, trust.version()).await?;
    if !changed.is_empty() {
        fleet::touch_catalog(&mut tx).await?;
    }
    let act = Act { who: API, verb: "root.take-up", object: &trust.version().to_string(), at: now_ms };
    audit::add(&mut tx, act, &json!({"releases_changed": changed.len()})).await?;
    tx.commit().await
}

/// The releases, of those registered behind a change, whose standing is another under this root: which, and whether it
/// believes them.
async fn judged_otherwise(conn: &mut Conn, trust: &Trust, since: i64) -> db::Result<Vec<(Digest, bool)>> {
    let (mut after, mut changed) = (None, Vec::new());
    loop {
        let page = releases::to_judge(conn, since, after).await?;
        let Some(last) = page.last() else { return Ok(changed) };
        after = Some(last.digest);
        for Judged { digest, service, envelope, trusted } in &page {
            let is_believed = Verified::check(trust, service, envelope, &MinSeqs::default()).is_ok();
            if is_believed != *trusted {
                changed.push((*digest, is_believed));
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Puts the roots where agents look for them.
pub(crate) async fn publish(roots: &Roots, store: &Store) -> anyhow::Result<()> {
    for (version, bytes) in (1..).zip(&roots.bytes) {
        match store.put(&Key::Root(version), bytes.clone()).await {
            Ok(_) => {}
            // Agents refuse what lies there, and ask other origins; the fleet goes on with the roots that it has.
            Err(error) if matches!(error.cause, Cause::Different) => {
                tracing::error!(%error, version, "what lies in the store is not this root: remove it there");
            }
            Err(error) => {
                return Err(error).with_context(|| format!("put root {version} into the store"));
            }
        }
    }
    Ok(())
}
