//! `Repository`: a git URL that can only mean what it says, and never carries a password.

use std::fmt;
use std::str::FromStr;

/// Where a git repository lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    text: String,
    protocol: Protocol,
    host: String,
}

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Protocol {
    Https,
    Ssh,
    File,
}

/// A text that is no repository which a publisher reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}; write https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH or, where the allow list says `local = true`, \
     file:///PATH"
)]
pub struct BadRepository(&'static str);

impl Repository {
    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The host, with its port where one is given; empty for a file.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// As git is given it.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it lies on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.protocol == Protocol::File
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Repository {
    type Err = BadRepository;

    fn from_str(text: &str) -> Result<Self, BadRepository> {
        if text.chars().any(|c| c.is_control() || c.is_whitespace())
            || text.starts_with('-')
            || text.is_empty()
        {
            return Err(BadRepository("a repository's URL has no space and does not begin with `-`"));
        }
        if text.contains("::") {
            return Err(BadRepository("git's remote helpers are off"));
        }
        if text.starts_with('/') {
            return format!("file://{text}").parse();
        }
        match text.split_once("://") {
            Some(("https", rest)) => https(text, rest),
            Some(("ssh", rest)) => ssh(text, rest.split_once('/').map_or(rest, |(authority, _)| authority)),
            Some(("file", rest)) if rest.starts_with('/') => {
                Ok(Self { text: text.to_owned(), protocol: Protocol::File, host: String::new() })
            }
            Some(_) => Err(BadRepository("a repository is not read by this protocol")),
            None => match text.split_once(':') {
                Some((authority, path)) if authority.contains('@') && !path.is_empty() => {
                    ssh(text, authority)
                }
                Some(_) | None => Err(BadRepository("this is not a repository's URL")),
            },
        }
    }
}

fn https(text: &str, rest: &str) -> Result<Repository, BadRepository> {
    let authority = rest.split_once('/').map_or(rest, |(authority, _)| authority);
    if authority.contains('@') {
        return Err(BadRepository(
            "a URL carries no user name or password: name a credential in the allow list",
        ));
    }
    if rest.contains(['?', '#']) {
        return Err(BadRepository("a repository's URL has no query and no fragment"));
    }
    Ok(Repository { text: text.to_owned(), protocol: Protocol::Https, host: host(authority)? })
}

fn ssh(text: &str, authority: &str) -> Result<Repository, BadRepository> {
    let (user, rest) = authority.split_once('@').unwrap_or(("", authority));
    if user.contains(':') {
        return Err(BadRepository("a URL carries no password: name a credential in the allow list"));
    }
    // ssh would take a leading dash for an option (CVE-2017-1000117).
    if user.starts_with('-') || rest.contains('@') {
        return Err(BadRepository("this is not a user name"));
    }
    Ok(Repository { text: text.to_owned(), protocol: Protocol::Ssh, host: host(rest)? })
}

fn host(text: &str) -> Result<String, BadRepository> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if text.is_empty() || text.starts_with('-') || !text.chars().all(plain) {
        return Err(BadRepository("this is not a host's name"));
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_that_mean_what_they_say_are_repositories() {
        for good in [
            "https://git.example.com/a.git",
            "https://git.example.com:8443/a",
            "ssh://git@git.example.com:22/a.git",
            "git@git.example.com:a/b.git",
            "file:///srv/a.git",
            "/srv/a.git",
        ] {
            good.parse::<Repository>().unwrap_or_else(|why| panic!("{good}: {why}"));
        }
        for bad in [
            "",
            "-uhttps://a",
            "http://git.example.com/a",
            "git://git.example.com/a",
            "ext::sh -c x",
            "https://user:token@git.example.com/a",
            "https://token@git.example.com/a",
            "https://git.example.com/a?x=1",
            "ssh://-oProxyCommand=x/a",
            "ssh://git:secret@git.example.com/a",
            "-oProxyCommand=x@host:a",
            "../a",
            "file://host/a",
            "https://a b/",
        ] {
            bad.parse::<Repository>().expect_err(bad);
        }
    }
}
