//! Patterns of the allow list: `*` for any characters but `/`, `**` for any at all; everything else is itself.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    One(char),
    Some,
    Any,
}

impl Glob {
    /// Reads a pattern; every text is one.
    pub fn literal(text: &str) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        for c in text.chars() {
            match (c, parts.last()) {
                ('*', Some(Part::Some)) => {
                    parts.pop();
                    parts.push(Part::Any);
                }
                ('*', Some(Part::Any)) => {}
                ('*', Some(Part::One(_)) | None) => parts.push(Part::Some),
                (c, _) => parts.push(Part::One(c)),
            }
        }
        Self { text: text.to_owned(), parts }
    }

    /// What everything fits.
    pub fn anything() -> Self {
        Self::literal("**")
    }

    /// Whether the pattern itself begins so.
    pub(crate) fn begins_with(&self, text: &str) -> bool {
        self.text.starts_with(text)
    }

    /// What every text that fits has before it varies, up to the slash; all of it where there is no star.
    pub(crate) fn fixed(&self) -> &str {
        match self.text.find('*') {
            Some(star) => self.text[..star].rsplit_once('/').map_or("", |(folder, _)| folder),
            None => &self.text,
        }
    }

    /// Whether the whole text fits. A last `/**` also fits the folder itself. Linear in text times pattern: all places
    /// in the pattern where one could stand are kept at once.
    pub fn fits(&self, text: &str) -> bool {
        if self.text.strip_suffix("/**").is_some_and(|folder| !folder.contains('*') && folder == text) {
            return true;
        }
        let mut places = vec![false; self.parts.len() + 1];
        places[0] = true;
        self.skip(&mut places);
        for c in text.chars() {
            let mut next = vec![false; self.parts.len() + 1];
            for (at, part) in self.parts.iter().enumerate().filter(|(at, _)| places[*at]) {
                match part {
                    Part::One(own) if *own == c => next[at + 1] = true,
                    Part::Some if c != '/' => next[at] = true,
                    Part::Any => next[at] = true,
                    Part::One(_) | Part::Some => {}
                }
            }
            self.skip(&mut next);
            places = next;
        }
        places[self.parts.len()]
    }

    /// A star may also stand for nothing.
    fn skip(&self, places: &mut [bool]) {
        for (at, part) in self.parts.iter().enumerate() {
            if places[at] && matches!(part, Part::Some | Part::Any) {
                places[at + 1] = true;
            }
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::literal(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_has_fixed_ends_before_the_first_star() {
        for (pattern, fixed) in [
            ("/srv/demo", "/srv/demo"),
            ("/srv/team-a/**", "/srv/team-a"),
            ("/srv/team-*/x", "/srv"),
            ("/**", ""),
            ("**", ""),
        ] {
            assert_eq!(Glob::literal(pattern).fixed(), fixed, "{pattern}");
        }
    }

    #[test]
    fn a_star_ends_at_a_slash_and_two_do_not() {
        for (pattern, text, fits) in [
            ("default/*", "default/web", true),
            ("default/*", "other/web", false),
            ("*", "a/b", false),
            ("**", "a/b", true),
            ("**", "", true),
            ("apps/**", "apps", true),
            ("apps/**", "apps/web/base", true),
            ("apps/**", "appsecret", false),
            ("release-*", "release-1.2", true),
            ("release-*", "release", false),
            ("a*b*c", "aXXbYYc", true),
            ("https://forge/*/web.git", "https://forge/x/web.git", true),
            ("https://forge/*/web.git", "https://forge/x/y/web.git", false),
        ] {
            assert_eq!(Glob::literal(pattern).fits(text), fits, "{pattern} {text}");
        }
        // Patterns that make a backtracking matcher run for years.
        assert!(!Glob::literal(&"*a".repeat(50)).fits(&"a".repeat(40)));
    }
}
