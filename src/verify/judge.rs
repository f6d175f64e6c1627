//! The judge: takes the roots among the files, then holds every file against them and against each other.

use cdn::bundle::Bundle;
use cdn::document::{self, Desired, Document, Head, Release, Root, Routes, Set, Values};
use cdn::encoding::Encoding;
use cdn::envelope::{Envelope, NotSigned, Role, Signed};
use cdn::trust::Trust;
use cdn::{Digest, Limits};
use program::progress::count;
use serde_json::Value;

use super::Given;
use super::finding::Finding;
use super::says::{Named, Says, root_says};
use crate::exit::{Exit, Failure};
use crate::trust::Anchor;

/// What is believed so far: the chain of roots, and what was signed by its keys.
#[derive(Debug)]
pub(crate) struct Judge {
    trust: Trust,
    /// Roots of the chain, by the digest of their bytes.
    roots: Vec<Digest>,
    desired: Vec<Desired>,
    releases: Vec<Release>,
}

impl Judge {
    /// Builds the chain of roots from the files, then finds the signed documents that others lean on.
    pub(crate) fn new(anchor: Anchor, files: &[Given]) -> anyhow::Result<Self> {
        let mut roots = vec![anchor.fleet()];
        let mut trust = match anchor {
            Anchor::Roots(trust) => *trust,
            Anchor::Fleet(fleet) => begin(fleet, files)?,
        };
        // Each pass takes the next version, if a file has it; what does not follow is said about that file later.
        while let Some((next, file)) =
            files.iter().find_map(|file| Some((trust.advance(&file.bytes).ok()?, file)))
        {
            roots.push(Digest::of(&file.bytes));
            trust = next;
        }
        let mut judge = Self { trust, roots, desired: Vec::new(), releases: Vec::new() };
        for file in files {
            if let Ok(signed) = judge.signed::<Desired>(&file.bytes) {
                judge.desired.push(signed.into_document());
            } else if let Ok(signed) = judge.signed::<Release>(&file.bytes) {
                judge.releases.push(signed.into_document());
            }
        }
        Ok(judge)
    }

    /// The newest root.
    pub(crate) fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Says what a file is, and whether it can be believed.
    pub(crate) fn examine(&self, file: &Given) -> Finding {
        let bytes = &file.bytes;
        let mut finding = match kind_of(bytes) {
            Kind::Root => self.root(bytes),
            Kind::Release => self.judged::<Release>(bytes, "release"),
            Kind::Head => self.judged::<Head>(bytes, "head"),
            Kind::Routes => self.judged::<Routes>(bytes, "routes"),
            Kind::Desired => self.judged::<Desired>(bytes, "desired"),
            Kind::Set => self.named::<Set>(bytes, "set"),
            Kind::Values => self.named::<Values>(bytes, "values"),
            Kind::Content => self.content(bytes),
        };
        finding.file.clone_from(&file.name);
        finding
    }

    fn root(&self, bytes: &[u8]) -> Finding {
        let digest = Digest::of(bytes);
        let claim = Envelope::claim::<Root>(bytes);
        let mut finding = found("root", digest);
        match &claim {
            Ok(root) => {
                finding.says = root_says(root);
                finding.document = value(root);
                finding.verified = self.roots.contains(&digest);
                finding.signers = root_signers(bytes, &root.roles.root);
                finding.why = if finding.verified {
                    "the chain from the fleet's id leads to it".to_owned()
                } else {
                    format!("the chain ends at root {}, and this one does not follow", self.trust.version())
                };
            }
            Err(error) => finding.why = error.to_string(),
        }
        finding
    }

    fn judged<T: Says>(&self, bytes: &[u8], kind: &'static str) -> Finding {
        let mut finding = found(kind, Digest::of(bytes));
        if let Ok(claim) = Envelope::claim::<T>(bytes) {
            finding.says = claim.says();
            finding.document = value(&claim);
        }
        match self.signed::<T>(bytes) {
            Ok(signed) => {
                finding.verified = true;
                finding.signers = signed.signers().to_vec();
                finding.why =
                    format!("signed by the fleet's keys for it, as root {} lists them", self.trust.version());
            }
            Err(why) => finding.why = why,
        }
        finding
    }

    /// Verifies an envelope by the role that must have signed it.
    fn signed<T: Says>(&self, bytes: &[u8]) -> Result<Signed<T>, String> {
        let claim = Envelope::claim::<T>(bytes).map_err(|error| error.to_string())?;
        let role = claim.role(&self.trust).ok_or("root lists no key that could sign it")?;
        let signed = Envelope::verify::<T>(bytes, role).map_err(|error| error.to_string())?;
        let fleet = signed.document().fleet();
        if fleet != self.trust.fleet() {
            return Err(format!("it is of another fleet: {fleet}"));
        }
        signed.document().floors(bytes, &self.trust)?;
        Ok(signed)
    }

    /// A document that is named by its digest.
    fn named<T: Document + Named>(&self, bytes: &[u8], kind: &'static str) -> Finding {
        let mut finding = found(kind, Digest::of(bytes));
        match document::read::<T>(bytes) {
            Ok(document) => {
                finding.says = document.summary();
                finding.document = value(&document);
                let by = self.desired.iter().find(|desired| T::is_named(desired, bytes));
                finding.verified = by.is_some();
                finding.why = match by {
                    Some(by) => format!("named by the assignment of {}, sequence {}", by.cluster, by.seq),
                    None => "it is not signed itself, and no verified `desired` among the files names it"
                        .to_owned(),
                };
            }
            Err(error) => finding.why = error.to_string(),
        }
        finding
    }

    fn content(&self, bytes: &[u8]) -> Finding {
        let mut finding = found("bundle", Digest::of(bytes));
        let tar = match Encoding::sniff(bytes) {
            Some(encoding) => encoding.unpack(bytes, Limits::DEFAULT),
            None => Ok(bytes.to_vec()),
        };
        let tar = match tar {
            Ok(tar) => tar,
            Err(error) => return Finding { why: error.to_string(), ..finding },
        };
        let bundle = match Bundle::read(&tar, Limits::DEFAULT) {
            Ok(bundle) => bundle,
            Err(error) => return Finding { kind: "unknown", why: error.to_string(), ..finding },
        };
        finding.digest = Digest::of(&tar);
        finding.says = format!("{}, {} bytes as tar", count(bundle.len() as u64, "object"), tar.len());
        let by = self.releases.iter().find(|release| release.bundle == finding.digest);
        finding.verified = by.is_some();
        finding.why = match by {
            Some(by) => {
                format!("named by the release of {} at {}", by.service, crate::words::commit(&by.revision.id))
            }
            None => "a whole bundle, but no verified release among the files names it".to_owned(),
        };
        finding
    }
}

fn begin(fleet: Digest, files: &[Given]) -> anyhow::Result<Trust> {
    let first = files.iter().find(|file| Digest::of(&file.bytes) == fleet).ok_or_else(|| {
        Failure::new(Exit::Usage, "root 1 is missing")
            .why(format!("none of the files has the digest {fleet}"))
            .next("add root 1 to the files, or give it with --root FILE")
    })?;
    Ok(Trust::begin(fleet, &first.bytes)?)
}

fn found(kind: &'static str, digest: Digest) -> Finding {
    Finding {
        file: String::new(),
        kind,
        verified: false,
        signers: Vec::new(),
        digest,
        says: String::new(),
        why: String::new(),
        document: Value::Null,
    }
}

fn value<T: serde::Serialize>(document: &T) -> Value {
    serde_json::to_value(document).unwrap_or_default()
}

fn root_signers(bytes: &[u8], role: &Role) -> Vec<cdn::PublicKey> {
    let one = Role { keys: role.keys.clone(), threshold: 1 };
    Envelope::verify::<Root>(bytes, &one).map(|signed| signed.signers().to_vec()).unwrap_or_default()
}

/// What bytes say they are.
enum Kind {
    Root,
    Release,
    Head,
    Routes,
    Desired,
    Set,
    Values,
    Content,
}

fn kind_of(bytes: &[u8]) -> Kind {
    let got = match Envelope::read::<Root>(bytes) {
        Err(NotSigned::WrongType { got, .. }) => got,
        Ok(_) => return Kind::Root,
        Err(_) => document_format(bytes).unwrap_or_default(),
    };
    match got.as_str() {
        Release::TYPE => Kind::Release,
        Head::TYPE => Kind::Head,
        Routes::TYPE => Kind::Routes,
        Desired::TYPE => Kind::Desired,
        Set::TYPE => Kind::Set,
        Values::TYPE => Kind::Values,
        _ => Kind::Content,
    }
}

/// The `format` or `payloadType` of a JSON document.
fn document_format(bytes: &[u8]) -> Option<String> {
    if bytes.len() > Set::MAX_BYTES {
        return None;
    }
    let value = cdn::json::parse(bytes, Limits::DEFAULT.depth).ok()?;
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    text("format").or_else(|| text("payloadType"))
}
