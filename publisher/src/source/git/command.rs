//! How `git` is started: with no configuration but ours, one protocol, checked host keys, and credentials that are in no
//! argument and no URL.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{CAT_FILE_BYTES, Git, MEMORY_BYTES, Remote, SourceError};
use crate::allow::Credential;
use crate::child::{Child, ChildBounds};
use crate::source::repository::{Protocol, Repository};

/// Read instead of the user's and the machine's configuration.
///
/// - objects are checked when they come in: `.git` and `..` as names in a tree are refused (FAULTS C5);
/// - packs are unpacked by two threads on any machine, so that memory bounds them alike;
/// - a redirect is not followed: it could carry the credential to another host (FAULTS C2);
/// - a local repository is read whoever owns it: only the allow list's `local = true` leads to one.
const CONFIGURATION: &str = "\
[core]
\thooksPath = /dev/null
\tfsmonitor = false
[credential]
\thelper =
[pack]
\tthreads = 2
[fetch]
\tfsckObjects = true
[fetch \"fsck\"]
\tzeroPaddedFilemode = warn
\tmissingSpaceBeforeDate = warn
\tbadTimezone = warn
[gc]
\tauto = 0
[maintenance]
\tauto = false
[http]
\tfollowRedirects = false
\tlowSpeedLimit = 1000
\tlowSpeedTime = 30
[safe]
\tdirectory = *
[submodule]
\trecurse = false
[protocol \"ext\"]
\tallow = never
";

impl Git {
    /// Makes the cache folder and the configuration in it.
    pub(super) async fn prepare(&self) -> Result<(), SourceError> {
        let cache = self.0.cache.clone();
        let fail = |why| SourceError::Cache { path: self.0.cache.clone(), why };
        let made = tokio::task::spawn_blocking(move || {
            program::files::create_directory(&cache, 0o700)?;
            let file = cache.join("config");
            match std::fs::read(&file) {
                Ok(bytes) if bytes == CONFIGURATION.as_bytes() => Ok(()),
                Ok(_) | Err(_) => program::files::write_atomic(&file, CONFIGURATION.as_bytes(), 0o600),
            }
        });
        made.await.map_err(|panic| fail(std::io::Error::other(panic)))?.map_err(fail)
    }

    /// A `git` in a folder that speaks to nobody.
    pub(super) fn command(&self, folder: &Path, time: Duration) -> Result<Child, SourceError> {
        let program = self.0.program.as_deref().ok_or(SourceError::NoGit)?;
        let bounds = ChildBounds { time, output_bytes: CAT_FILE_BYTES };
        let mut child = Child::new(program, folder, bounds).memory(MEMORY_BYTES);
        for (name, value) in &self.0.environment {
            child = child.env(name, value);
        }
        Ok(child
            .env("GIT_CONFIG_GLOBAL", self.0.cache.join("config"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_ALLOW_PROTOCOL", "")
            .env("HOME", "/nonexistent")
            .env("LC_ALL", "C"))
    }

    /// A `git` that may speak to one repository, by its one protocol, with its credential.
    pub(super) fn remote_command(
        &self,
        remote: &Remote,
        folder: &Path,
        time: Duration,
    ) -> Result<Child, SourceError> {
        let child = self.command(folder, time)?;
        let allowed = match remote.repository.protocol() {
            Protocol::Https => "https",
            Protocol::Ssh => "ssh",
            Protocol::File => "file",
        };
        let child = child.env("GIT_ALLOW_PROTOCOL", allowed);
        if let Some(credential) = remote.credential.as_ref().filter(|_| !remote.repository.is_local()) {
            check_host(credential, &remote.repository)?;
        }
        match (remote.repository.protocol(), &remote.credential) {
            (Protocol::Https, Some(credential)) => with_token(child, remote, credential),
            (Protocol::Ssh, credential) => with_ssh(child, credential.as_ref()),
            (Protocol::Https, None) | (Protocol::File, _) => Ok(child),
        }
    }
}

/// A credential is used for its one host, whatever a pattern of the allow list lets pass (FAULTS C2).
fn check_host(credential: &Credential, repository: &Repository) -> Result<(), SourceError> {
    let (is_for, asked) = (&credential.host, repository.host());
    if is_for.eq_ignore_ascii_case(asked) {
        return Ok(());
    }
    let why = format!("it is for {is_for}, and {asked} is asked: name a credential for that host");
    Err(SourceError::Credential { name: credential.name.clone(), why })
}

/// The token goes to git as configuration in its environment, bound to the one host (law L10).
fn with_token(child: Child, remote: &Remote, credential: &Credential) -> Result<Child, SourceError> {
    let Some(file) = &credential.password_file else { return Ok(child) };
    let refuse = |why: String| SourceError::Credential { name: credential.name.clone(), why };
    let password = program::settings::read_secret(file).map_err(|why| refuse(why.to_string()))?;
    let password = cdn::Secret::new(password);
    let pair = cdn::Secret::new(format!("{}:{}", credential.username, password.expose()));
    let header = format!("Authorization: Basic {}", BASE64_STANDARD.encode(pair.expose()));
    Ok(child
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", format!("http.https://{}/.extraHeader", remote.repository.host()))
        .env("GIT_CONFIG_VALUE_0", header))
}

/// ssh with the given key alone, and only to a host whose key is known (FAULTS C5).
fn with_ssh(child: Child, credential: Option<&Credential>) -> Result<Child, SourceError> {
    let refuse =
        |name: &str, why: &str| SourceError::Credential { name: name.to_owned(), why: why.to_owned() };
    let credential = credential.ok_or_else(|| {
        refuse(
            "(none)",
            "ssh needs one with `ssh_key_file` and `known_hosts_file`; name it in the allow list",
        )
    })?;
    let (Some(key), Some(known)) = (&credential.ssh_key_file, &credential.known_hosts_file) else {
        return Err(refuse(&credential.name, "ssh needs `ssh_key_file` and `known_hosts_file`; give both"));
    };
    let mut command = OsString::from("ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes");
    command.push(" -o GlobalKnownHostsFile=/dev/null -o UpdateHostKeys=no -o ConnectTimeout=15");
    command.push(" -o ServerAliveInterval=15 -o IdentitiesOnly=yes -o IdentityAgent=none");
    command.push(" -o ForwardAgent=no -o PermitLocalCommand=no -o ClearAllForwardings=yes");
    for (option, file) in [("UserKnownHostsFile", known), ("IdentityFile", key)] {
        let path = file.to_str().filter(|path| !path.contains(['"', '\'', '%', '\\', '\n']));
        let path =
            path.ok_or_else(|| refuse(&credential.name, "a file's path has a quote or `%`: move it"))?;
        command.push(format!(" -o '{option}=\"{path}\"'"));
    }
    Ok(child.env("GIT_SSH_COMMAND", command).env("GIT_SSH_VARIANT", "ssh"))
}

#[cfg(test)]
mod tests;
