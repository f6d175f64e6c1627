//! `windlass keys rotate`: the next root of a fleet, signed by its root keys. What follows the last root by the content
//! plane's own rule is written, and nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cdn::document::Root;
use cdn::envelope::Envelope;
use cdn::trust::Trust;
use cdn::{ProjectName, PublicKey, SigningKey};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use program::files;
use serde_json::json;

use super::change::{Change, Leaving, RoleName, next_root};
use super::{PRIVATE, PUBLIC, held, key_file, private_key, trust_of};
use crate::exit::{Exit, Failure};
use crate::output::{FormatArg, View};
use crate::session::Session;
use crate::table::Table;

/// Sign the next root: another key for a role, one more, or one less; or other hosts for origins
#[derive(Args, Debug)]
#[command(before_help = "Examples:
  windlass keys rotate fleet-keys --role release                  # a new key instead of the old
  windlass keys rotate fleet-keys --role release --project pay --add
  windlass keys rotate fleet-keys --role desired --drop 0f5c1e7a93b2d846
  windlass keys rotate fleet-keys --role root --root-key /media/usb/root.key
  windlass keys rotate fleet-keys --origin-host cdn.example.com --origin-host cdn.example.net

A root has no end: it counts until the next one. Each run changes one role at most.")]
pub(crate) struct Rotate {
    /// The folder of `keys init`
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Whose keys change
    #[arg(long, value_name = "ROLE", required_unless_present = "origin_hosts")]
    role: Option<Kind>,
    /// The project, for `--role release`; `default` unless said
    #[arg(long, value_name = "NAME")]
    project: Option<ProjectName>,
    /// Make a new key, and keep the others but those that --drop names; without either, it takes the place of all
    #[arg(long, requires = "role")]
    add: bool,
    /// A key that counts no longer, by its id; may be given several times
    #[arg(long = "drop", value_name = "KEYID", requires = "role")]
    drops: Vec<String>,
    /// How many of the role's keys have to sign; as before unless said
    #[arg(long, value_name = "NUMBER", requires = "role")]
    threshold: Option<usize>,
    /// A host that origins may be on, instead of those of the last root; may be given several times
    #[arg(long = "origin-host", value_name = "HOST")]
    origin_hosts: Vec<String>,
    /// A private root key; those in the folder are used as well; may be given several times
    #[arg(long = "root-key", value_name = "FILE")]
    root_keys: Vec<PathBuf>,
    /// Check it all and show it, write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: FormatArg,
}

/// A role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Signs the next root
    Root,
    /// Signs what each cluster is to run: the api
    Desired,
    /// Signs which deltas there are
    Routes,
    /// Signs a project's releases: its publishers
    Release,
    /// Signs approvals of holds
    Approver,
}

/// The next root, proved, and the key that comes with it.
struct Next {
    role: Option<RoleName>,
    before: Trust,
    after: Trust,
    bytes: Vec<u8>,
    file: PathBuf,
    key: Option<(PathBuf, SigningKey)>,
}

impl Rotate {
    /// Does it.
    pub(super) fn run(&self, session: &Session) -> Result<Exit> {
        let next = self.next()?;
        if !self.dry_run {
            next.write()?;
        }
        session.out.show(&next.view(self.dry_run), self.format.output)?;
        let told = if self.dry_run { "\nNothing was written (--dry-run)".to_owned() } else { next.steps() };
        session.out.hint(&told);
        Ok(Exit::Ok)
    }

    fn next(&self) -> Result<Next> {
        let role = self.role_name()?;
        let before = trust_of(&self.dir.join("root"))?;
        let version = before.version() + 1;
        // A threshold alone changes no key.
        let replaces = !self.add && self.drops.is_empty() && self.threshold.is_none();
        let file = |role: &RoleName| self.dir.join(key_file(&role.to_string(), version));
        let key = role.as_ref().filter(|_| self.add || replaces);
        let key = key.map(|role| (file(role), SigningKey::random()));
        let leaving = if replaces { Leaving::All } else { Leaving::of(&self.drops) };
        let new = key.as_ref().map(|(_, key)| key.public());
        let change = Change { new, leaving, threshold: self.threshold };
        let mut root = next_root(&before, Timestamp::now())?;
        if let Some(role) = &role {
            change.make(role, &mut root)?;
        }
        if !self.origin_hosts.is_empty() {
            root.origin_hosts.clone_from(&self.origin_hosts);
        }
        let bytes = self.sign(&before, &root, key.as_ref().map(|(_, key)| key))?;
        let after = before.advance(&bytes).context("the next root does not follow the last one")?;
        let file = self.dir.join(format!("root/{version}.json"));
        Ok(Next { role, before, after, bytes, file, key })
    }

    fn role_name(&self) -> Result<Option<RoleName>> {
        if self.project.is_some() && self.role != Some(Kind::Release) {
            return Err(Failure::new(Exit::Usage, "--project is for --role release only").into());
        }
        Ok(self.role.map(|role| match role {
            Kind::Root => RoleName::Root,
            Kind::Desired => RoleName::Desired,
            Kind::Routes => RoleName::Routes,
            Kind::Approver => RoleName::Approver,
            Kind::Release => RoleName::Release(self.project.clone().unwrap_or_default()),
        }))
    }

    /// Signs by every root key at hand that the last root or this one lists.
    fn sign(&self, before: &Trust, root: &Root, new: Option<&SigningKey>) -> Result<Vec<u8>> {
        let mut hand: BTreeMap<PublicKey, SigningKey> = BTreeMap::new();
        for file in &self.root_keys {
            let key = private_key(file)?;
            hand.insert(key.public(), key);
        }
        let folder = held(&self.dir, &RoleName::Root.to_string(), before.version())?;
        hand.extend(folder.into_iter().map(|(_, key)| (key.public(), key)));
        let roles = [&before.root().roles.root, &root.roles.root];
        let listed = |key: &&SigningKey| roles.iter().any(|role| role.keys.contains(&key.public()));
        let signers: Vec<&SigningKey> = hand.values().chain(new).filter(listed).collect();
        for role in roles {
            let missing = |key: &&PublicKey| !signers.iter().any(|signer| signer.public() == **key);
            let missing: Vec<String> = role.keys.iter().filter(missing).map(PublicKey::id).collect();
            let got = role.keys.len() - missing.len();
            if got < role.threshold {
                let what = format!("{got} of the {} root keys that have to sign are here", role.threshold);
                return Err(Failure::new(Exit::NotFound, what)
                    .why(format!("not in {}, nor given: {}", self.dir.display(), missing.join(", ")))
                    .next("give each with --root-key FILE")
                    .into());
            }
        }
        Ok(Envelope::sign(root, &signers).to_bytes())
    }
}

impl Next {
    /// Writes the private key, then the root; a root whose key is lost must not be there.
    fn write(&self) -> Result<()> {
        let key = self.key.iter().map(|(path, key)| (path, key.to_text()));
        for (path, text) in key {
            create(path, text.expose().as_bytes(), PRIVATE)?;
        }
        create(&self.file, &self.bytes, PUBLIC).inspect_err(|_| {
            // A key that no root lists is of no use; one that cannot be removed is told by the next run.
            self.key.iter().for_each(|(path, _)| drop(files::remove(path)));
        })
    }

    fn view(&self, dry_run: bool) -> View {
        let named = |trust: &Trust| self.role.as_ref()?.of(&trust.root().roles).cloned();
        let keys = |trust: &Trust| named(trust).map(|role| role.keys);
        let (before, after) = (keys(&self.before).unwrap_or_default(), keys(&self.after).unwrap_or_default());
        let mut table = Table::new(["ROLE", "CHANGE", "KEY", "FILE"]);
        let mut items = Vec::new();
        let all = before.iter().chain(after.iter().filter(|key| !before.contains(key)));
        for key in all {
            let (change, file) = match (before.contains(key), after.contains(key)) {
                (true, true) => ("stays", None),
                (true, false) => ("dropped", None),
                (false, _) => ("new", self.key.as_ref().map(|(path, _)| path.display().to_string())),
            };
            // A key that a dry run has made is gone with it.
            let id = if dry_run && change == "new" { "-".to_owned() } else { key.id() };
            let role = self.role.as_ref().map(ToString::to_string).unwrap_or_default();
            table.row([role.clone(), change.to_owned(), id.clone(), file.clone().unwrap_or_default()]);
            items.push(json!({ "role": role, "change": change, "keyid": id, "file": file }));
        }
        let threshold = named(&self.after).map(|role| role.threshold);
        let hosts = &self.after.root().origin_hosts;
        if *hosts != self.before.root().origin_hosts {
            table.row(["-".to_owned(), "origin hosts".to_owned(), hosts.join(","), String::new()]);
        }
        let value = json!({ "fleet": self.after.fleet(), "root": self.after.version(), "file": self.file,
            "written": !dry_run, "threshold": threshold, "origin_hosts": hosts, "keys": items });
        View { table, value, names: vec![self.file.display().to_string()], empty: "" }
    }

    /// What makes the fleet believe it.
    fn steps(&self) -> String {
        let (root, version) = (self.file.display(), self.after.version());
        let own = match (&self.role, &self.key) {
            (None, _) => {
                "Give windlass-api no --origins on other hosts: agents that have this root refuse them."
                    .to_owned()
            }
            (Some(RoleName::Root), Some((path, _))) => {
                format!("Move {} off this machine. Keep no key that was dropped.", path.display())
            }
            (Some(RoleName::Root), None) => "Keep no key that was dropped.".to_owned(),
            (Some(RoleName::Desired), Some((path, _))) => format!(
                "Restart windlass-api with --desired-key {}: agents that have root {version} believe no key that was \
                 dropped.",
                path.display()
            ),
            (Some(RoleName::Release(project)), Some((path, _))) => format!(
                "Restart the publishers of {project} with --release-key {}: they read the new root then, and sign \
                 anew what dropped keys have signed. With `windlass-publisher once` in CI, change its key.",
                path.display()
            ),
            (Some(RoleName::Release(project)), None) => {
                format!("Restart the publishers of {project}: they read the new root then.")
            }
            (Some(RoleName::Approver), Some((path, _))) => {
                format!("Approvers give it to `windlass approve hold DIGEST --key {}`.", path.display())
            }
            (Some(RoleName::Desired), None) => {
                "Where windlass-api signs by a key that was dropped, restart it with one that counts."
                    .to_owned()
            }
            (Some(RoleName::Routes | RoleName::Approver), _) => {
                "Nothing else has to be restarted.".to_owned()
            }
        };
        format!(
            "\nRoot {version} is {root}.\n\n\
             Next:\n\
             1. Copy it into the folder that windlass-api's --root names. It counts there within seconds, without a \
             restart; where --root names a file, name its folder and restart. The api puts it into the store, and \
             names it to every agent at its next poll. Publishers look for it in the store at their start, and hourly.\n\
             2. {own}\n\
             3. Keep {root} with the roots before it: who begins at root 1 needs them all."
        )
    }
}

impl Leaving {
    fn of(ids: &[String]) -> Self {
        if ids.is_empty() { Self::Nobody } else { Self::These(ids.to_vec()) }
    }
}

fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    files::create_exclusive(path, bytes, mode).map_err(|error| {
        if error.kind() != std::io::ErrorKind::AlreadyExists {
            return anyhow::Error::new(error).context(format!("write {}", path.display()));
        }
        Failure::new(Exit::Conflict, format!("{} is there already", path.display()))
            .why("keys and roots are never overwritten")
            .next("`windlass keys show DIR` says what counts; take the file away if nothing needs it")
            .into()
    })
}
