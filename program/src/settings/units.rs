//! Durations and sizes as people write them. A number without a unit is refused: `interval = 30` has been read as
//! seconds by one program and as milliseconds by the next.

use std::time::Duration;

use clap::builder::TypedValueParser;

const DURATION_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

const SIZE_UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// A clap value parser for durations such as `90s` or `1h30m` between `min` and `max`.
pub fn duration(min: Duration, max: Duration) -> impl TypedValueParser<Value = Duration> {
    move |text: &str| {
        let value = parse_duration(text)?;
        if (min..=max).contains(&value) {
            Ok(value)
        } else {
            Err(format!("must be between {} and {}", human(min), human(max)))
        }
    }
}

/// A clap value parser for sizes such as `20MB` or `512KiB` between `min` and `max` bytes.
pub fn bytes(min: u64, max: u64) -> impl TypedValueParser<Value = u64> {
    move |text: &str| {
        let value = parse_bytes(text)?;
        if (min..=max).contains(&value) {
            Ok(value)
        } else {
            Err(format!("must be between {min}B and {max}B"))
        }
    }
}

/// Reads `90s`, `1h30m`, `500ms`, `2d`: whole numbers, each with a unit, at least one.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err("is empty; write a duration such as 90s or 1h30m".to_owned());
    }
    while !rest.is_empty() {
        let (number, unit, after) = next_part(rest);
        let milliseconds = measure(number, unit, &DURATION_UNITS, "30s, 5m or 1h30m")?;
        total = total.checked_add(milliseconds).ok_or_else(|| "is too long".to_owned())?;
        rest = after;
    }
    Ok(Duration::from_millis(total))
}

/// Reads `512B`, `20MB` (20,000,000) or `20MiB` (20,971,520).
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let (number, unit, after) = next_part(text.trim());
    if !after.is_empty() {
        return Err("has something after the unit; write one number and one unit, such as 20MB".to_owned());
    }
    let unit = if unit == "KB" { "kB" } else { unit };
    measure(number, unit, &SIZE_UNITS, "512KiB or 20MB")
}

/// A duration as people write it: `1h30m`, `90s` as `1m30s`, `250ms`; parts below a millisecond are dropped.
pub fn human(duration: Duration) -> String {
    let whole = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (text, _) = DURATION_UNITS.iter().rev().fold((String::new(), whole), |(text, left), (unit, size)| {
        let count = left / size;
        let text = if count > 0 { format!("{text}{count}{unit}") } else { text };
        (text, left % size)
    });
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn next_part(text: &str) -> (&str, &str, &str) {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, after) = rest.split_at(letters);
    (number, unit.trim(), after)
}

fn measure(number: &str, unit: &str, units: &[(&str, u64)], example: &str) -> Result<u64, String> {
    let names = || units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    if number.is_empty() {
        return Err(format!("must start with a whole number, such as {example}"));
    }
    if unit.is_empty() {
        return Err(format!("has no unit; write for example {example} (units: {})", names()));
    }
    let Some((_, size)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("has the unknown unit `{unit}`; the units are {}", names()));
    };
    let number: u64 = number.parse().map_err(|_| "is too large".to_owned())?;
    number.checked_mul(*size).ok_or_else(|| "is too large".to_owned())
}

#[cfg(test)]
mod tests;
