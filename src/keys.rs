//! `windlass keys`: a fleet's keys and its roots. Root 1, whose digest is the fleet's id, is made once; each later one
//! changes whose signature counts. All of it offline.

mod change;
mod role;
mod rotate;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cdn::document::{Document, Floors, Roles, Root};
use cdn::envelope::{Envelope, Role};
use cdn::trust::Trust;
use cdn::{Digest, ProjectName, PublicKey, Secret, SigningKey};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use program::files;
use serde_json::json;

use crate::exit::{Exit, Failure, unreadable};
use crate::output::{FormatArg, View};
use crate::session::{self, Session};
use crate::table::Table;
use role::RoleName;

const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;

/// `windlass keys`.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a fleet's keys and its root 1
    #[command(before_help = "Examples:
  windlass keys init --dir fleet-keys
  windlass keys init --dir fleet-keys --project default --project payments")]
    Init(Init),
    Rotate(rotate::Rotate),
    /// Show whose signature counts for what, and which keys lie in a folder
    #[command(before_help = "Examples:
  windlass keys show fleet-keys
  windlass keys show fleet-keys -o json")]
    Show(Show),
}

/// `windlass keys init`.
#[derive(Args, Debug)]
pub(crate) struct Init {
    /// The folder; made if it is not there, with mode 0700
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// A project whose publishers get a key of their own; `default` unless said
    #[arg(long = "project", value_name = "NAME", default_value = "default")]
    projects: Vec<ProjectName>,
    /// A host that origins may be on; any unless said
    #[arg(long = "origin-host", value_name = "HOST", value_parser = crate::words::origin_host)]
    origin_hosts: Vec<String>,
    #[command(flatten)]
    format: FormatArg,
}

/// `windlass keys show`.
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The folder of `keys init`
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    format: FormatArg,
}

impl Keys {
    /// Does it.
    pub(crate) fn run(self, session: &Session) -> Result<Exit> {
        match self {
            Self::Init(init) => init.run(session),
            Self::Rotate(rotate) => rotate.run(session),
            Self::Show(show) => show.run(session),
        }
    }
}

/// One role's new key.
struct NewKey {
    role: RoleName,
    key: SigningKey,
    keep: &'static str,
}

impl NewKey {
    fn new(role: RoleName, keep: &'static str) -> Self {
        Self { role, key: SigningKey::random(), keep }
    }

    fn file(&self) -> String {
        self.role.file(1)
    }
}

impl Init {
    fn run(mut self, session: &Session) -> Result<Exit> {
        self.projects.sort();
        self.projects.dedup();
        let keys = self.keys();
        let root = self.root(&keys)?;
        self.write(&keys, &root)?;
        let fleet = Digest::of(&root);
        session.out.show(&self.view(&keys, fleet), self.format.output)?;
        session.out.hint(&format!("\nThe fleet's id is {fleet}\n\n{}", next_steps(&self.dir, &keys)));
        Ok(Exit::Ok)
    }

    fn keys(&self) -> Vec<NewKey> {
        let mut keys = vec![
            NewKey::new(RoleName::Root, "offline: signs the next root; with two copies, in two places"),
            NewKey::new(RoleName::Desired, "with windlass-api (--desired-key)"),
            NewKey::new(RoleName::Routes, "with windlass-publisher, once it makes deltas"),
        ];
        keys.extend(self.projects.iter().map(|project| {
            NewKey::new(
                RoleName::Release(project.clone()),
                "with this project's windlass-publisher or CI (--release-key)",
            )
        }));
        keys
    }

    /// Root 1, signed by its own key.
    fn root(&self, keys: &[NewKey]) -> Result<Vec<u8>> {
        let find =
            |role: &RoleName| keys.iter().find(|key| key.role == *role).context("every role has a key");
        let role = |name: &RoleName| find(name).map(|key| Role::of(key.key.public()));
        let release = self
            .projects
            .iter()
            .map(|project| role(&RoleName::Release(project.clone())).map(|role| (project.clone(), role)));
        let root = Root {
            version: 1,
            fleet: None,
            issued: Timestamp::now(),
            roles: Roles {
                root: role(&RoleName::Root)?,
                desired: role(&RoleName::Desired)?,
                routes: role(&RoleName::Routes)?,
                release: release.collect::<Result<_>>()?,
                approver: None,
            },
            origin_hosts: self.origin_hosts.clone(),
            floors: Floors::default(),
        };
        Ok(Envelope::sign(&root, &[&find(&RoleName::Root)?.key]).to_bytes())
    }

    /// Writes all files, or none: keys are never overwritten, and a half-written folder is not left behind.
    fn write(&self, keys: &[NewKey], root: &[u8]) -> Result<()> {
        let place = |name: &str| self.dir.join(name);
        let private = keys.iter().map(|key| (place(&key.file()), key.key.to_text(), PRIVATE));
        let root_text = String::from_utf8(root.to_vec()).context("an envelope is JSON")?;
        let public = (place("root/1.json"), Secret::new(root_text), PUBLIC);
        let all: Vec<(PathBuf, Secret, u32)> = private.chain([public]).collect();
        if let Some((there, ..)) = all.iter().find(|(path, ..)| path.symlink_metadata().is_ok()) {
            return Err(Failure::new(Exit::Conflict, format!("{} is there already", there.display()))
                .why("keys are never overwritten: what they have signed would no longer be believed")
                .next("give another --dir; `windlass keys show DIR` says what is there")
                .into());
        }
        for folder in [self.dir.clone(), place("root")] {
            files::create_directory(&folder, 0o700)
                .with_context(|| format!("create {}", folder.display()))?;
        }
        let mut written = Vec::new();
        for (path, text, mode) in &all {
            let made = files::create_exclusive(path, text.expose().as_bytes(), *mode);
            if let Err(error) = made {
                // What was written is of no use alone; what cannot be removed now is told by the next `init`.
                for path in written {
                    drop(files::remove(path));
                }
                return Err(error).with_context(|| format!("write {}; nothing was kept", path.display()));
            }
            written.push(path);
        }
        Ok(())
    }

    fn view(&self, keys: &[NewKey], fleet: Digest) -> View {
        let mut table = Table::new(["ROLE", "FILE", "KEY", "KEEP"]);
        for key in keys {
            let file = self.dir.join(key.file()).display().to_string();
            table.row([key.role.to_string(), file, key.key.public().id(), key.keep.to_owned()]);
        }
        let root = self.dir.join("root/1.json");
        let everywhere = "everywhere: it is public, and needed by api, publisher and agents";
        table.row(["-".to_owned(), root.display().to_string(), String::new(), everywhere.to_owned()]);
        let files = keys.iter().map(|key| {
            json!({ "role": key.role.to_string(), "file": self.dir.join(key.file()), "key": key.key.public(), "keyid": key.key.public().id() })
        });
        let value = json!({ "fleet": fleet, "root": root, "keys": files.collect::<Vec<_>>() });
        View { table, value, names: vec![fleet.to_string()], empty: "" }
    }
}

fn next_steps(dir: &Path, keys: &[NewKey]) -> String {
    let at = |name: &str| dir.join(name).display().to_string();
    let releases = keys.iter().filter(|key| matches!(key.role, RoleName::Release(_)));
    let projects: Vec<String> = releases.map(|key| at(&key.file())).collect();
    format!(
        "Next:\n\
         1. Move {} off this machine. Nothing but the next root (`windlass keys rotate`) needs it.\n\
         2. Start windlass-api with {} and {}.\n\
         3. Give {} to the project's windlass-publisher, together with {}.\n\
         4. windlass join-token create: the token carries the fleet's id, so agents need no file.",
        at("root.key"),
        at("desired.key"),
        at("root/1.json"),
        projects.join(", "),
        at("root/1.json"),
    )
}

impl Show {
    fn run(&self, session: &Session) -> Result<Exit> {
        let trust = trust_of(&self.dir.join("root"))?;
        let roles = &trust.root().roles;
        let mut table = Table::new(["ROLE", "THRESHOLD", "KEY", "FILE"]).wide(["PUBLIC KEY"]);
        let mut rows = Vec::new();
        for name in RoleName::all(roles) {
            let Some(role) = name.of(roles) else { continue };
            let held = held(&self.dir, &name, trust.version())?;
            for key in &role.keys {
                let file = holder(&held, *key);
                table.row([
                    name.to_string(),
                    format!("{} of {}", role.threshold, role.keys.len()),
                    key.id(),
                    file.clone().unwrap_or_else(|| "not here".to_owned()),
                    key.to_string(),
                ]);
                rows.push(json!({ "role": name.to_string(), "threshold": role.threshold, "key": key, "keyid": key.id(), "file": file }));
            }
        }
        let value = json!({ "fleet": trust.fleet(), "root": trust.version(), "issued": trust.root().issued,
            "origin_hosts": trust.root().origin_hosts, "keys": rows });
        let view = View { table, value, names: vec![trust.fleet().to_string()], empty: "" };
        session.out.hint(&format!("fleet {}, root {}", trust.fleet(), trust.version()));
        session.out.show(&view, self.format.output)?;
        Ok(Exit::Ok)
    }
}

/// What the folder has of a key: the file that holds its private half, else the role's file with another key.
fn holder(held: &[(PathBuf, SigningKey)], key: PublicKey) -> Option<String> {
    let own = held.iter().find(|(_, private)| private.public() == key);
    let other = || held.last().map(|(path, _)| format!("{} (another key!)", path.display()));
    own.map(|(path, _)| path.display().to_string()).or_else(other)
}

/// The private keys that `init` and `rotate` have put into the folder for a role, as far as they lie there still.
fn held(dir: &Path, role: &RoleName, newest: u64) -> Result<Vec<(PathBuf, SigningKey)>> {
    let there = (1..=newest).map(|version| dir.join(role.file(version))).filter(|path| path.exists());
    there.map(|path| private_key(&path).map(|key| (path, key))).collect()
}

/// Reads a private key from its file.
pub(crate) fn private_key(path: &Path) -> Result<SigningKey> {
    let text = session::secret(path)?;
    SigningKey::from_text(&text).with_context(|| format!("{} does not hold a private key", path.display()))
}

/// The chain of roots in a folder (`1.json`, `2.json` ...), as far as it goes.
pub(crate) fn trust_of(folder: &Path) -> Result<Trust> {
    let read = |version: u64| {
        let path = folder.join(format!("{version}.json"));
        match files::read_bounded(&path, Root::MAX_BYTES as u64) {
            Err(error) if version > 1 && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some).map_err(|why| {
                unreadable(&path, why).next("give a folder that `windlass keys init` has made").into()
            }),
        }
    };
    let first = read(1)?.unwrap_or_default();
    let trust =
        Trust::given(&first).with_context(|| format!("{} is no root", folder.join("1.json").display()))?;
    trust.follow(read)
}
