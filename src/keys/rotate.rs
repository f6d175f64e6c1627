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

use super::change::{Change, KeyChange, Leaving};
use super::role::RoleName;
use super::{PRIVATE, PUBLIC, held, private_key, trust_of};
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
    #[arg(long, value_name = "ROLE", required_unless_present_any = ["origin_hosts", "any_origin_host"])]
    role: Option<RoleArg>,
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
    #[arg(long = "origin-host", value_name = "HOST", value_parser = crate::words::origin_host, conflicts_with = "any_origin_host")]
    origin_hosts: Vec<String>,
    /// Let origins be on any host again
    #[arg(long)]
    any_origin_host: bool,
    /// A private root key; those in the folder are used as well; may be given several times
    #[arg(long = "root-key", value_name = "FILE")]
    root_keys: Vec<PathBuf>,
    /// Check it all and show it, write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: FormatArg,
}

/// A role, as a flag names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RoleArg {
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
        let before = trust_of(&self.dir.join("root"))?;
        let (change, key) = self.change(self.role_name()?);
        let root = change.next(&before, Timestamp::now())?;
        let bytes = self.sign(&before, &root, key.as_ref())?;
        let after = before.advance(&bytes).context("the next root does not follow the last one")?;
        let role = change.role.map(|(role, _)| role);
        let file = |role: &RoleName| self.dir.join(role.file(root.version));
        let key = role.as_ref().map(file).zip(key);
        let file = self.dir.join(format!("root/{}.json", root.version));
        Ok(Next { role, before, after, bytes, file, key })
    }

    /// What these flags ask for, and the new key, if one comes in.
    fn change(&self, role: Option<RoleName>) -> (Change, Option<SigningKey>) {
        // A threshold alone changes no key.
        let replaces = !self.add && self.drops.is_empty() && self.threshold.is_none();
        let key = (role.is_some() && (self.add || replaces)).then(SigningKey::random);
        let leaving = if replaces { Leaving::All } else { Leaving::of(&self.drops) };
        let new = key.as_ref().map(SigningKey::public);
        let keys = KeyChange { new, leaving, threshold: self.threshold };
        let changes_hosts = self.any_origin_host || !self.origin_hosts.is_empty();
        let origin_hosts = changes_hosts.then(|| self.origin_hosts.clone());
        (Change { role: role.map(|role| (role, keys)), origin_hosts }, key)
    }

    fn role_name(&self) -> Result<Option<RoleName>> {
        if self.project.is_some() && self.role != Some(RoleArg::Release) {
            return Err(Failure::new(Exit::Usage, "--project is for --role release only").into());
        }
        Ok(self.role.map(|role| match role {
            RoleArg::Root => RoleName::Root,
            RoleArg::Desired => RoleName::Desired,
            RoleArg::Routes => RoleName::Routes,
            RoleArg::Approver => RoleName::Approver,
            RoleArg::Release => RoleName::Release(self.project.clone().unwrap_or_default()),
        }))
    }

    /// Signs by every root key at hand that the last root or this one lists.
    fn sign(&self, before: &Trust, root: &Root, new: Option<&SigningKey>) -> Result<Vec<u8>> {
        let mut hand: BTreeMap<PublicKey, SigningKey> = BTreeMap::new();
        for file in &self.root_keys {
            let key = private_key(file)?;
            hand.insert(key.public(), key);
        }
        let folder = held(&self.dir, &RoleName::Root, before.version())?;
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
            let hosts = if hosts.is_empty() { "any".to_owned() } else { hosts.join(",") };
            table.row(["-".to_owned(), "origin hosts".to_owned(), hosts, String::new()]);
        }
        let value = json!({ "fleet": self.after.fleet(), "root": self.after.version(), "file": self.file,
            "written": !dry_run, "threshold": threshold, "origin_hosts": hosts, "keys": items });
        View { table, value, names: vec![self.file.display().to_string()], empty: "" }
    }

    /// What makes the fleet believe it.
    fn steps(&self) -> String {
        let (root, version) = (self.file.display(), self.after.version());
        let mut steps = self.step_before();
        steps.push(
            "Copy it into the folder that windlass-api's --root names. It counts there within seconds, without a \
             restart; where --root names a file, name its folder and restart. The api puts it into the store, and \
             names it to every agent at its next poll, and to publishers at their next pass."
                .to_owned(),
        );
        if self.after.root().origin_hosts != self.before.root().origin_hosts {
            let step =
                "Give windlass-api no --origins on other hosts: agents that have this root refuse them.";
            steps.push(step.to_owned());
        }
        steps.extend(self.role.as_ref().map(|role| self.step_of(role)));
        steps.push(format!("Keep {root} with the roots before it: who begins at root 1 needs them all."));
        let steps = (1..).zip(steps).map(|(n, step)| format!("{n}. {step}"));
        format!("\nRoot {version} is {root}.\n\nNext:\n{}", steps.collect::<Vec<_>>().join("\n"))
    }

    /// What is better done otherwise, while it can still be: this root lies in no store yet.
    fn step_before(&self) -> Vec<String> {
        let is_gap = self.role == Some(RoleName::Desired) && self.drops_a_key() && self.key.is_some();
        let step = "With several replicas of windlass-api, or to have no moment without one that is ready: take this root \
                    away again, `--add` the new key, give it to each, and `--drop` the old one then.";
        is_gap.then(|| step.to_owned()).into_iter().collect()
    }

    fn drops_a_key(&self) -> bool {
        let keys = |trust: &Trust| self.role.as_ref().and_then(|role| role.of(&trust.root().roles).cloned());
        let (Some(before), Some(after)) = (keys(&self.before), keys(&self.after)) else { return false };
        before.keys.iter().any(|key| !after.keys.contains(key))
    }

    /// What is to be done with the role's key.
    fn step_of(&self, role: &RoleName) -> String {
        let key = self.key.as_ref().map(|(path, _)| path.display());
        match (role, key) {
            (RoleName::Root, Some(key)) => {
                format!("Move {key} off this machine. Keep no key that was dropped.")
            }
            (RoleName::Root, None) => "Keep no key that was dropped.".to_owned(),
            (RoleName::Desired, Some(key)) if self.drops_a_key() => format!(
                "At once after that, restart windlass-api with --desired-key {key}: until then it takes root {} for \
                 nothing it can sign by, and is not ready.",
                self.after.version()
            ),
            (RoleName::Desired, Some(key)) => format!(
                "Restart each windlass-api with --desired-key {key}, in its own time; then drop the old key by another root."
            ),
            (RoleName::Desired, None) => {
                "Where windlass-api signs by a key that was dropped, restart it with one that counts: else it is not ready."
                    .to_owned()
            }
            (RoleName::Release(project), Some(key)) => format!(
                "Give {key} to the publishers of {project}: put into the file of their --release-key, it counts at their \
                 next pass, without a restart. With `windlass-publisher once` in CI, change its key. They sign each \
                 service's newest release anew, where a dropped key has signed it; older ones can no longer be gone back \
                 to, and a service that is pinned to one is refused at sites that join later: `windlass get releases` \
                 shows what is not trusted."
            ),
            (RoleName::Release(project), None) => format!(
                "Where a publisher of {project} signs by a key that was dropped, put one that counts into the file of \
                 its --release-key. No publisher has to be restarted."
            ),
            (RoleName::Approver, Some(key)) => {
                format!("Approvers give it to `windlass approve hold DIGEST --key {key}`.")
            }
            (RoleName::Routes | RoleName::Approver, _) => "Nothing else has to be restarted.".to_owned(),
        }
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
