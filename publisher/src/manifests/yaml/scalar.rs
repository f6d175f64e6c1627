//! What a plain word of YAML means to kubectl: go-yaml v2's `resolve`, and Go's way of writing numbers as JSON.
//!
//! No refusal says the word: it may be a Secret's value, and refusals are logged and shown (law L10).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Number, Value};

/// The type that a word has been given by `!!int` and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Text,
    Integer,
    Float,
    Bool,
    Null,
    Binary,
}

/// A plain word without a tag.
pub(super) fn plain(word: &str) -> Result<Value, String> {
    match resolve(word) {
        Word::Null => Ok(Value::Null),
        Word::Bool(value) => Ok(Value::Bool(value)),
        Word::Integer(value) => Ok(value.into()),
        Word::Float(value) => float(value),
        Word::TooWide => Err(TOO_WIDE.to_owned()),
        Word::NotFinite => Err("a number that JSON does not have: quote it, if it is text".to_owned()),
        Word::Doubtful => Err("a word that different programs read differently: quote it".to_owned()),
        Word::Text => Ok(Value::String(word.to_owned())),
    }
}

/// A word with a tag; quoted or not makes no difference then.
pub(super) fn tagged(word: &str, tag: Tag) -> Result<Value, String> {
    if tag == Tag::Text {
        return Ok(Value::String(word.to_owned()));
    }
    if tag == Tag::Binary {
        return binary(word);
    }
    let value = plain(word)?;
    let fits = match tag {
        Tag::Integer => matches!(resolve(word), Word::Integer(_)),
        Tag::Float => value.is_number(),
        Tag::Bool => value.is_boolean(),
        Tag::Null => value.is_null(),
        Tag::Text | Tag::Binary => true,
    };
    if fits {
        Ok(value)
    } else {
        Err("a word that does not have the type that its tag says: remove the tag".to_owned())
    }
}

/// Whether kubectl takes a plain word for a float: as a key it would be written anew, with fewer digits.
pub(super) fn is_fraction(word: &str) -> bool {
    matches!(resolve(word), Word::Float(_) | Word::TooWide | Word::NotFinite | Word::Doubtful)
}

/// The text of a mapping's key: kubectl turns whole numbers and booleans into text.
pub(super) fn key(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) if number.is_i64() => Ok(number.to_string()),
        Value::Number(_) => Err("a number is a key: quote it, so that no digit is lost".to_owned()),
        Value::Null => Err("an empty or null key: write the key, or quote it".to_owned()),
        Value::Array(_) | Value::Object(_) => {
            Err("a list or mapping is a key: JSON has only text".to_owned())
        }
    }
}

/// Gives the numbers of a JSON text the form that kubectl gives them.
pub(super) fn settle(value: &mut Value) -> Result<(), String> {
    match value {
        Value::Number(number) if !number.is_i64() => {
            let word = number.to_string();
            *value = match number.as_f64() {
                Some(number) if !word.bytes().all(|byte| byte.is_ascii_digit()) => float(number)?,
                Some(_) | None => return Err(TOO_WIDE.to_owned()),
            };
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(settle),
        Value::Object(map) => map.values_mut().try_for_each(settle),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Word {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    /// A whole number beyond 64 bits with a sign: kubectl makes a float of it, and digits are lost.
    TooWide,
    NotFinite,
    /// go-yaml and the rest of the world part ways.
    Doubtful,
    Text,
}

fn resolve(word: &str) -> Word {
    let known = match word {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Word::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Word::Bool(false)
        }
        "" | "~" | "null" | "Null" | "NULL" => Word::Null,
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf"
        | "-.Inf" | "-.INF" => Word::NotFinite,
        _ => Word::Text,
    };
    match (known, word.as_bytes().first()) {
        (Word::Text, Some(b'.')) => dotted(word),
        (Word::Text, Some(b'0'..=b'9' | b'+' | b'-')) => number(word),
        (known, _) => known,
    }
}

/// A word that begins with a dot is only ever a float; Go lets underscores stand in some of them.
fn dotted(word: &str) -> Word {
    let numeric = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'e' | b'E' | b'+' | b'-');
    if is_float(word) {
        finite(word)
    } else if word.contains('_') && word.contains(|c: char| c.is_ascii_digit()) && word.bytes().all(numeric) {
        Word::Doubtful
    } else {
        Word::Text
    }
}

fn number(word: &str) -> Word {
    let plain: String = word.chars().filter(|c| *c != '_').collect();
    if let Some(value) = signed(&plain) {
        return Word::Integer(value);
    }
    if radix(&plain).is_some_and(|(radix, digits)| unsigned(digits, radix).is_some()) {
        return Word::TooWide;
    }
    if is_float(&plain) {
        return if is_too_wide(&plain) { Word::TooWide } else { finite(&plain) };
    }
    // go-yaml's own second look at binary numbers, which lets a sign stand behind the prefix.
    let binary = match (plain.strip_prefix("0b"), plain.strip_prefix("-0b")) {
        (Some(digits), _) => i64::from_str_radix(digits, 2).ok(),
        (None, Some(digits)) => i64::from_str_radix(&format!("-{digits}"), 2).ok(),
        (None, None) => None,
    };
    binary.map_or(Word::Text, Word::Integer)
}

/// Go's `ParseInt(_, 0, 64)`.
fn signed(plain: &str) -> Option<i64> {
    let (negative, rest) = match plain.as_bytes().first()? {
        b'-' => (true, &plain[1..]),
        b'+' => (false, &plain[1..]),
        _ => (false, plain),
    };
    let (radix, digits) = radix(rest)?;
    let magnitude = i128::from(unsigned(digits, radix)?);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// The radix that Go sees in a prefix, and the digits behind it.
fn radix(text: &str) -> Option<(u32, &str)> {
    let Some(rest) = text.strip_prefix('0') else {
        return (!text.is_empty()).then_some((10, text));
    };
    let prefixed = |radix| (rest.len() >= 2).then(|| (radix, &rest[1..]));
    match rest.as_bytes().first() {
        None => Some((10, text)),
        Some(b'b' | b'B') => prefixed(2),
        Some(b'o' | b'O') => prefixed(8),
        Some(b'x' | b'X') => prefixed(16),
        Some(_) => Some((8, rest)),
    }
}

fn unsigned(digits: &str, radix: u32) -> Option<u64> {
    // Rust lets a `+` stand here, Go does not.
    let all_digits = digits.chars().all(|c| c.is_digit(radix));
    if all_digits { u64::from_str_radix(digits, radix).ok() } else { None }
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_float(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (text, None),
    };
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    mantissa_fits && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

/// Whether these are nothing but digits, and more of them than 64 bits hold.
fn is_too_wide(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']);
    digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<i64>().is_err()
}

/// Go's `ParseFloat` fails on what is out of range, and go-yaml then takes the word as text.
fn finite(text: &str) -> Word {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Word::Float(value),
        Ok(_) | Err(_) => Word::Text,
    }
}

/// Go writes a whole float below 1e21 with all its digits and without an exponent, and kubectl reads it as an integer.
fn float(value: f64) -> Result<Value, String> {
    if value.fract() == 0.0
        && value.abs() < 1e21
        && let Ok(integer) = format!("{value}").parse::<i64>()
    {
        return Ok(integer.into());
    }
    Number::from_f64(value).map(Value::Number).ok_or_else(|| "a number out of range".to_owned())
}

const TOO_WIDE: &str = "a number of more digits than 64 bits hold: kubectl would round it; quote it";

fn binary(word: &str) -> Result<Value, String> {
    let text: String = word.split_whitespace().collect();
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| "a `!!binary` value is not base64")?;
    let text = String::from_utf8(bytes)
        .map_err(|_| "a `!!binary` value is not text: write its base64 as a string without the tag")?;
    Ok(Value::String(text))
}
