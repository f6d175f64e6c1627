//! What other processes of the machine can see of a `git`, and what it may do.

use std::io::Write;
use std::path::Path;

use super::super::{Git, GitBounds, Remote};
use crate::allow::Credential;

const TIME: std::time::Duration = std::time::Duration::from_secs(1);
const CANARY: &str = "canary-4f1d";

fn git() -> Git {
    Git::new(Some("/usr/bin/git".into()), Path::new("/cache"), Vec::new(), GitBounds::default())
}

fn credential(host: &str, password: &Path) -> Credential {
    Credential {
        name: "forge".to_owned(),
        host: host.to_owned(),
        username: "x-access-token".to_owned(),
        password_file: Some(password.to_owned()),
        ssh_key_file: None,
        known_hosts_file: None,
    }
}

#[test]
fn d6_a_token_is_in_the_environment_of_its_host_alone_and_never_in_an_argument() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "{CANARY}").expect("written");
    let repository = "https://git.example.com/a.git".parse().expect("a repository");
    let remote = Remote { repository, credential: Some(credential("git.example.com", file.path())) };
    let child = git().remote_command(&remote, Path::new("/cache"), TIME).expect("a command");
    let child = child.args(["ls-remote", remote.repository.as_str()]);
    let words: Vec<String> = child.words().iter().map(|word| word.to_string_lossy().into_owned()).collect();
    assert!(!words.join(" ").contains(CANARY), "{words:?}");
    let value = |name: &str| {
        let found = child.environment().iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.to_string_lossy().into_owned()).unwrap_or_default()
    };
    assert_eq!(value("GIT_CONFIG_KEY_0"), "http.https://git.example.com/.extraHeader");
    assert_eq!(value("GIT_CONFIG_VALUE_0"), "Authorization: Basic eC1hY2Nlc3MtdG9rZW46Y2FuYXJ5LTRmMWQ=");
    assert_eq!(value("GIT_ALLOW_PROTOCOL"), "https");
}

#[test]
fn c2_a_credential_is_not_given_to_another_host() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "{CANARY}").expect("written");
    let repository = "https://elsewhere.example.com/a.git".parse().expect("a repository");
    let remote = Remote { repository, credential: Some(credential("git.example.com", file.path())) };
    let refused =
        git().remote_command(&remote, Path::new("/cache"), TIME).expect_err("another host").to_string();
    assert!(refused.contains("it is for git.example.com") && !refused.contains(CANARY), "{refused}");
}

#[test]
fn c2_a_key_for_ssh_is_not_used_for_another_host() {
    let mut credential = credential("git.example.com", Path::new("/p"));
    (credential.ssh_key_file, credential.known_hosts_file) =
        (Some("/keys/id".into()), Some("/keys/known".into()));
    for (url, fits) in [
        ("git@git.example.com:a.git", true),
        ("ssh://git@GIT.example.com/a.git", true),
        ("ssh://git@git.example.com:2222/a.git", false),
        ("git@elsewhere.example.com:a.git", false),
    ] {
        let repository = url.parse().expect("a repository");
        let remote = Remote { repository, credential: Some(credential.clone()) };
        let made = git().remote_command(&remote, Path::new("/cache"), TIME);
        assert_eq!(made.is_ok(), fits, "{url}");
    }
}

#[test]
fn c5_ssh_goes_only_to_hosts_whose_key_is_known() {
    let remote =
        |credential| Remote { repository: "git@git.example.com:a.git".parse().expect("ssh"), credential };
    let refused = git()
        .remote_command(&remote(None), Path::new("/cache"), TIME)
        .expect_err("no credential")
        .to_string();
    assert!(refused.contains("known_hosts_file"), "{refused}");
    let mut with = credential("git.example.com", Path::new("/p"));
    (with.ssh_key_file, with.known_hosts_file) = (Some("/keys/id".into()), Some("/keys/known hosts".into()));
    let child = git().remote_command(&remote(Some(with)), Path::new("/cache"), TIME).expect("a command");
    let ssh = child.environment().iter().find(|(name, _)| name == "GIT_SSH_COMMAND").expect("an ssh command");
    let ssh = ssh.1.to_string_lossy();
    for option in ["StrictHostKeyChecking=yes", "'UserKnownHostsFile=\"/keys/known hosts\"'", "-F /dev/null"]
    {
        assert!(ssh.contains(option), "{ssh}");
    }
}
