//! `Repository`: a git URL that can only mean what it says, and never carries a password.

use std::fmt;
use std::str::FromStr;

use super::path::is_plain;

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

    /// Where it lies on this machine, if it does.
    pub(crate) fn local_path(&self) -> Option<&str> {
        self.text.strip_prefix("file://").filter(|_| self.is_local())
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
            Some(("ssh", rest)) => {
                let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
                ssh(text, authority, path)
            }
            Some(("file", rest)) => file(text, rest),
            Some(_) => Err(BadRepository("a repository is not read by this protocol")),
            None => match text.split_once(':') {
                Some((authority, path)) if authority.contains('@') && !path.is_empty() => {
                    ssh(text, authority, path.strip_prefix('/').unwrap_or(path))
                }
                Some(_) | None => Err(BadRepository("this is not a repository's URL")),
            },
        }
    }
}

fn file(text: &str, rest: &str) -> Result<Repository, BadRepository> {
    let Some(path) = rest.strip_prefix('/') else {
        return Err(BadRepository("a repository of this machine has no host"));
    };
    if path.contains('%') {
        return Err(BadRepository("the path of a repository of this machine has no percent sign"));
    }
    check_path(path)?;
    Ok(Repository { text: text.to_owned(), protocol: Protocol::File, host: String::new() })
}

/// A path that a server, or git itself, could read as another one would pass an allow list's pattern and leave it.
fn check_path(path: &str) -> Result<(), BadRepository> {
    let lower = path.to_ascii_lowercase();
    let encoded = ["%2e", "%2f", "%5c", "%25", "%00"].iter().any(|code| lower.contains(code));
    if encoded || path.contains('\\') {
        return Err(BadRepository(
            "a repository's path has no backslash, and no encoded dot, slash or percent sign",
        ));
    }
    if is_plain(path) {
        Ok(())
    } else {
        Err(BadRepository("a repository's path has no part that is empty, `.` or `..`"))
    }
}

fn https(text: &str, rest: &str) -> Result<Repository, BadRepository> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.contains('@') {
        return Err(BadRepository(
            "a URL carries no user name or password: name a credential in the allow list",
        ));
    }
    if rest.contains(['?', '#']) {
        return Err(BadRepository("a repository's URL has no query and no fragment"));
    }
    check_path(path)?;
    Ok(Repository { text: text.to_owned(), protocol: Protocol::Https, host: host(authority)? })
}

fn ssh(text: &str, authority: &str, path: &str) -> Result<Repository, BadRepository> {
    let (user, rest) = authority.split_once('@').unwrap_or(("", authority));
    if user.contains(':') {
        return Err(BadRepository("a URL carries no password: name a credential in the allow list"));
    }
    // ssh would take a leading dash for an option (CVE-2017-1000117).
    if user.starts_with('-') || rest.contains('@') {
        return Err(BadRepository("this is not a user name"));
    }
    check_path(path)?;
    Ok(Repository { text: text.to_owned(), protocol: Protocol::Ssh, host: host(rest)? })
}

fn host(text: &str) -> Result<String, BadRepository> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if text.is_empty() || text.starts_with(['-', '.']) || !text.chars().all(plain) {
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
            "git@git.example.com:/srv/a.git",
            "https://git.example.com/a%20b/...git/",
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
            "https://..",
        ] {
            bad.parse::<Repository>().expect_err(bad);
        }
    }

    /// What a pattern such as `https://forge/team-a/**` fits must lie there.
    #[test]
    fn c4_a_path_that_means_another_one_is_no_repository_s() {
        for path in [
            "team-a/../team-b/x.git",
            "team-a/./x.git",
            "team-a//x.git",
            "team-a/..",
            "team-a/..;/team-b/x.git",
            "team-a/%2e%2e/team-b/x.git",
            "team-a/.%2E/team-b/x.git",
            "team-a/%2e%2e%2fteam-b/x.git",
            "team-a/..%2Fteam-b/x.git",
            "team-a/%252e%252e/team-b/x.git",
            "team-a/..\\team-b/x.git",
        ] {
            for before in
                ["https://forge/", "ssh://git@forge/", "git@forge:", "git@forge:/", "file:///srv/", "/srv/"]
            {
                let url = format!("{before}{path}");
                url.parse::<Repository>().expect_err(&url);
            }
        }
        "file:///srv/a%20b".parse::<Repository>().expect_err("git would read it as another path");
    }

    /// The corpus of the fuzz target: every form, cut anywhere, with another behind it.
    #[test]
    fn b12_no_text_makes_the_reader_panic_and_no_repository_climbs() {
        let forms = [
            "https://h:1/a%20b/../c",
            "ssh://git@h:22/a//b",
            "git@h:a/..;/b",
            "file:///srv/\u{e9}",
            "-u@h:/./%2e",
        ];
        for (form, other) in forms.iter().flat_map(|form| forms.map(|other| (form, other))) {
            for end in (0..=form.len()).filter(|end| form.is_char_boundary(*end)) {
                let text = format!("{}{other}", &form[..end]);
                if let Ok(repository) = text.parse::<Repository>() {
                    assert_eq!(repository.to_string(), text);
                    assert!(!text.split(['/', ':']).any(|part| part == ".."), "{text}");
                    assert!(!text.starts_with('-'), "{text}");
                }
            }
        }
    }
}
