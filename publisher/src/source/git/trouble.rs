//! What git's complaints mean, and what a person does next.

use std::io;

use crate::child::ChildError;
use crate::source::SourceError;
use crate::source::repository::{Protocol, Repository};

/// What git says, what it means, and the next step; the first that fits.
const KNOWN: [(&str, &str, &str); 17] = [
    (
        "No space left on device",
        "the cache's disk is full",
        "make room on it, or name another folder with --cache",
    ),
    ("Could not resolve host", "its host's name has no address", "check the name, and this machine's DNS"),
    (
        "Could not resolve hostname",
        "its host's name has no address",
        "check the name, and this machine's DNS",
    ),
    ("Connection refused", "nobody answers there", "check the address and the firewall"),
    ("Connection timed out", "its host does not answer", "check the address, the firewall and the proxy"),
    ("Failed to connect", "its host cannot be reached", "check the address, the firewall and the proxy"),
    ("Network is unreachable", "there is no way to its host", "check this machine's network"),
    (
        "Host key verification failed",
        "its host's key is not known",
        "put the key into the credential's known_hosts_file",
    ),
    ("SSL certificate problem", "its certificate is not trusted", "name its authority with --ca-file"),
    // The same, where git is built with GnuTLS.
    (
        "certificate verification failed",
        "its certificate is not trusted",
        "name its authority with --ca-file",
    ),
    (
        "Permission denied",
        "the ssh key is not accepted",
        "give the key read access, or name another credential",
    ),
    (
        "Authentication failed",
        "the credential is not accepted",
        "renew the token, or name another credential",
    ),
    (
        "could not read Username",
        "it wants a credential, or another one",
        "name one in the allow list's entry: credential = \"...\", or renew its token",
    ),
    ("unadvertised object", "it gives no single commits", "write a branch or a tag"),
    ("returned error: 301", "it has moved", "write the new URL: redirects are not followed"),
    ("returned error: 302", "it has moved", "write the new URL: redirects are not followed"),
    ("returned error: 308", "it has moved", "write the new URL: redirects are not followed"),
];

/// An error that a person can act on.
pub(super) fn explain(what: &'static str, repository: &Repository, error: ChildError) -> SourceError {
    let (why, next) = match error {
        ChildError::Start(why) if why.kind() == io::ErrorKind::NotFound => return SourceError::NoGit,
        ChildError::Start(_) => (format!("git {error}"), "check the program that --git names"),
        ChildError::NoFolder(_) => (format!("git {error}"), "check the cache folder and its disk"),
        ChildError::Time(_) => (format!("git {error}"), "check the line, or raise --git-timeout"),
        ChildError::Filled(limit) => {
            (format!("it has more than {limit} bytes"), "split the repository, or raise --git-max-size")
        }
        ChildError::Output(_) | ChildError::Pipe(_) => (format!("git {error}"), "try again"),
        ChildError::Failed { complaint, .. } => meaning(repository, &complaint),
    };
    SourceError::Git { what, repository: repository.clone(), why, next }
}

fn meaning(repository: &Repository, complaint: &str) -> (String, &'static str) {
    let known = KNOWN.iter().find(|(said, ..)| complaint.contains(said));
    if let Some((_, why, next)) = known {
        return (format!("{why} ({})", first(complaint)), next);
    }
    let absent = ["not found", "does not appear to be a git repository", "does not exist", "No such file"];
    let next = match repository.protocol() {
        _ if complaint.contains("fsck error") || complaint.contains("fsckObjects") => {
            "its objects are damaged or hostile: look at the repository"
        }
        Protocol::File => "check the path, and that this user may read it",
        Protocol::Https | Protocol::Ssh if absent.iter().any(|said| complaint.contains(said)) => {
            "check the URL; a private repository looks like this without a credential"
        }
        Protocol::Https | Protocol::Ssh => "look at what git says",
    };
    (first(complaint), next)
}

/// The complaint without git's preamble.
fn first(complaint: &str) -> String {
    let line = complaint.split("; ").find(|line| line.starts_with("fatal:") || line.starts_with("error:"));
    let line = line.unwrap_or(complaint);
    crate::words::safe(line.trim_start_matches("fatal: ").trim_start_matches("error: "), 300)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_leads_to_the_next_step() {
        let repository: Repository = "https://git.example.com/fleet.git".parse().expect("a repository");
        for (said, next) in [
            (
                "fatal: unable to access 'x': server certificate verification failed. CAfile: none",
                "--ca-file",
            ),
            ("fatal: unable to access 'x': SSL certificate problem: self-signed certificate", "--ca-file"),
            ("fatal: write error: No space left on device", "--cache"),
            ("fatal: could not read Username for 'x': terminal prompts disabled", "credential = "),
        ] {
            let (_, told) = meaning(&repository, said);
            assert!(told.contains(next), "{said}: {told}");
        }
    }
}
