//! Label selectors: as documents write them (`matchLabels`, `matchExpressions`), and as kubectl's `-l` does.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which clusters: all that every line matches. An empty selector is refused where it would mean the whole fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Selector {
    /// Labels that must have these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Expression>,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expression {
    /// The label.
    pub key: String,
    /// The condition.
    pub operator: Operator,
    /// The values that `In` and `NotIn` look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// A condition, in Kubernetes' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Operator {
    /// The label is there with one of the values.
    In,
    /// The label is not there, or has another value.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

/// The most conditions of one selector (FAULTS J5).
pub const MAX_TERMS: usize = 32;
/// The most values of one condition.
pub const MAX_VALUES: usize = 64;

/// The text is not a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write for example `env=prod,region in (north,south),!canary`")]
pub struct BadSelector(String);

impl Selector {
    /// Whether these labels match.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.terms().all(|term| term.matches(labels))
    }

    /// All conditions as expressions.
    pub fn terms(&self) -> impl Iterator<Item = Expression> + '_ {
        let equal = self.match_labels.iter().map(|(key, value)| Expression {
            key: key.clone(),
            operator: Operator::In,
            values: vec![value.clone()],
        });
        equal.chain(self.match_expressions.iter().cloned())
    }

    /// Whether it says nothing, and so matches everything.
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// What the types cannot say; the text names the broken rule.
    pub fn check(&self) -> Result<(), BadSelector> {
        if self.match_labels.len() + self.match_expressions.len() > MAX_TERMS {
            return Err(BadSelector(format!("more than {MAX_TERMS} conditions")));
        }
        self.terms().try_for_each(|term| term.check())
    }
}

impl Expression {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        let listed = || value.is_some_and(|value| self.values.contains(value));
        match self.operator {
            Operator::In => listed(),
            Operator::NotIn => !listed(),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }

    fn check(&self) -> Result<(), BadSelector> {
        check_key(&self.key)?;
        self.values.iter().try_for_each(|value| check_value(value))?;
        let takes_values = matches!(self.operator, Operator::In | Operator::NotIn);
        match (takes_values, self.values.len()) {
            (true, 0) => Err(BadSelector(format!("`{}` needs at least one value", self.key))),
            (false, 1..) => Err(BadSelector(format!("`{}` takes no values", self.key))),
            (true, more) if more > MAX_VALUES => Err(BadSelector(format!("more than {MAX_VALUES} values"))),
            (true | false, _) => Ok(()),
        }
    }
}

/// Whether a text can be a label's key: Kubernetes' form, an optional DNS prefix and 63 characters.
pub fn check_key(key: &str) -> Result<(), BadSelector> {
    let (prefix, name) = key.rsplit_once('/').unwrap_or(("", key));
    let prefix_is_dns = prefix.len() <= 253
        && prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'));
    if !name.is_empty() && is_label_text(name) && prefix_is_dns && (prefix.is_empty() != key.contains('/')) {
        Ok(())
    } else {
        Err(BadSelector(format!("`{}` is not a label", shown(key))))
    }
}

/// Whether a text can be a label's value: Kubernetes' form, up to 63 characters, may be empty.
pub fn check_value(value: &str) -> Result<(), BadSelector> {
    if is_label_text(value) {
        Ok(())
    } else {
        Err(BadSelector(format!("`{}` is not a label's value", shown(value))))
    }
}

fn is_label_text(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// What was typed, cut and without controls, for an error's text.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

impl FromStr for Selector {
    type Err = BadSelector;

    fn from_str(text: &str) -> Result<Self, BadSelector> {
        if text.len() > 4096 {
            return Err(BadSelector("longer than 4096 bytes".to_owned()));
        }
        let mut selector = Self::default();
        if text.trim().is_empty() {
            return Ok(selector);
        }
        for term in split(text) {
            selector.match_expressions.push(expression(term.trim())?);
        }
        selector.check()?;
        Ok(selector)
    }
}

/// Splits at commas outside brackets.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.split(move |c| {
        match c {
            '(' => inside = true,
            ')' => inside = false,
            _ => {}
        }
        c == ',' && !inside
    })
}

fn expression(term: &str) -> Result<Expression, BadSelector> {
    if term.is_empty() {
        return Err(BadSelector("there is a comma with no condition beside it".to_owned()));
    }
    let one = |key: &str, operator, values: Vec<String>| {
        Ok(Expression { key: key.trim().to_owned(), operator, values })
    };
    let value = |text: &str| vec![text.trim().to_owned()];
    if let Some((key, rest)) = term.split_once("!=") {
        return one(key, Operator::NotIn, value(rest));
    }
    if let Some((key, rest)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return one(key, Operator::In, value(rest));
    }
    if let Some(key) = term.strip_prefix('!') {
        return one(key, Operator::DoesNotExist, Vec::new());
    }
    let Some((key, rest)) = term.split_once(char::is_whitespace) else {
        return one(term, Operator::Exists, Vec::new());
    };
    let rest = rest.trim_start();
    let (operator, list) = match (rest.strip_prefix("notin"), rest.strip_prefix("in")) {
        (Some(list), _) => (Operator::NotIn, list),
        (None, Some(list)) => (Operator::In, list),
        (None, None) => return Err(BadSelector(format!("`{}` is not a condition", shown(term)))),
    };
    let list = list.trim().strip_prefix('(').and_then(|list| list.strip_suffix(')'));
    let list = list.ok_or_else(|| BadSelector(format!("`{}` lacks its brackets", shown(term))))?;
    one(key, operator, list.split(',').map(|value| value.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests;
