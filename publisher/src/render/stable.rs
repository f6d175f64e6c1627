//! Whether two renderings of the same input are the same: random values and the time of day would make every pass a
//! new release, and no two publishers would agree.

use serde_json::Value;

use crate::manifests::{Finding, Findings, Manifest};

const NEXT: &str = "take random values, generated certificates and the time out of the templates";

/// The first difference of two renderings, with the object and the field.
pub(super) fn same(first: &[Manifest], second: &[Manifest]) -> Result<(), Findings> {
    for (one, other) in first.iter().zip(second) {
        if let Some(path) = difference(&one.value, &other.value, String::new()) {
            let at = format!("{} ({})", one.at, one.title());
            let what = format!("two renderings of the same input differ at `{path}`");
            return Err(Finding::new(at, what, NEXT).into());
        }
    }
    if first.len() != second.len() {
        let what =
            format!("two renderings of the same input have {} and {} documents", first.len(), second.len());
        return Err(Finding::new("the service", what, NEXT).into());
    }
    Ok(())
}

fn difference(one: &Value, other: &Value, path: String) -> Option<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let absent = other.keys().find(|key| !one.contains_key(*key));
            let inner = one.iter().find_map(|(key, value)| match other.get(key) {
                Some(other) => difference(value, other, format!("{path}.{key}")),
                None => Some(format!("{path}.{key}")),
            });
            inner.or_else(|| absent.map(|key| format!("{path}.{key}")))
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let mut pairs = one.iter().zip(other).enumerate();
            pairs.find_map(|(index, (one, other))| difference(one, other, format!("{path}[{index}]")))
        }
        _ if one == other => None,
        _ => Some(if path.is_empty() { ".".to_owned() } else { path }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_difference_is_told_by_object_and_field() {
        let manifest = |value| Manifest { at: "t.yaml:1".to_owned(), value };
        let with = |password: &str| {
            manifest(
                json!({"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"l": [{"p": password}]}}),
            )
        };
        let refused = same(&[with("x")], &[with("y")]).expect_err("another").to_string();
        assert!(
            refused.starts_with("t.yaml:1 (ConfigMap a): two renderings")
                && refused.contains("`.data.l[0].p`"),
            "{refused}"
        );
        same(&[with("x")], &[with("x")]).expect("the same");
        same(&[with("x")], &[]).expect_err("fewer");
    }
}
