//! Two bundles, object by object, as unified diffs of their YAML.

use cdn::{Bundle, Object, ObjectId};
use similar::TextDiff;

use crate::yaml;

/// Lines shown around a change.
const AROUND: usize = 3;

/// One object that differs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Which.
    pub(super) id: ObjectId,
    /// `added`, `removed` or `changed`.
    pub(super) kind: &'static str,
    /// The unified diff.
    pub(super) text: String,
}

/// What differs, sorted by identity.
pub(super) fn changes(from: &Bundle, to: &Bundle) -> Vec<Change> {
    let gone =
        from.objects().filter(|object| to.get(object.id()).is_none()).map(|object| (Some(object), None));
    let here = to.objects().map(|object| (from.get(object.id()), Some(object)));
    let mut changes: Vec<Change> = gone.chain(here).filter_map(|(from, to)| change(from, to)).collect();
    changes.sort_by(|a, b| a.id.cmp(&b.id));
    changes
}

fn change(from: Option<&Object>, to: Option<&Object>) -> Option<Change> {
    if from.map(Object::json) == to.map(Object::json) {
        return None;
    }
    let kind = match (from, to) {
        (None, _) => "added",
        (_, None) => "removed",
        (Some(_), Some(_)) => "changed",
    };
    let id = to.or(from)?.id().clone();
    let text =
        |object: Option<&Object>| object.map(|object| yaml::document(&object.value())).unwrap_or_default();
    let name =
        |object: Option<&Object>| object.map_or_else(|| "/dev/null".to_owned(), |o| o.id().to_string());
    let (before, after) = (text(from), text(to));
    let diff = TextDiff::from_lines(&before, &after);
    let text = diff.unified_diff().context_radius(AROUND).header(&name(from), &name(to)).to_string();
    Some(Change { id, kind, text })
}

/// The sum in one line.
pub(super) fn sum(changes: &[Change]) -> String {
    let count = |kind| changes.iter().filter(|change| change.kind == kind).count();
    if changes.is_empty() {
        return "no difference".to_owned();
    }
    format!("{} added, {} removed, {} changed", count("added"), count("removed"), count("changed"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bundle(objects: &[(&str, &str)]) -> Bundle {
        let object = |(name, value): &(&str, &str)| {
            let value = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "k": value } });
            Object::from_value(&value).expect("an object")
        };
        Bundle::new(objects.iter().map(object)).expect("a bundle")
    }

    #[test]
    fn only_objects_that_differ_show_and_each_names_both_sides() {
        let (from, to) =
            (bundle(&[("a", "1"), ("b", "1"), ("c", "1")]), bundle(&[("a", "1"), ("b", "2"), ("d", "1")]));
        let found = changes(&from, &to);
        let kinds: Vec<_> = found.iter().map(|change| (change.id.name.as_str(), change.kind)).collect();
        assert_eq!(kinds, [("b", "changed"), ("c", "removed"), ("d", "added")]);
        assert!(found[0].text.starts_with("--- ConfigMap/_/b\n+++ ConfigMap/_/b\n"), "{}", found[0].text);
        assert!(found[0].text.contains("-  k: \"1\"\n+  k: \"2\"\n"), "{}", found[0].text);
        assert!(found[2].text.starts_with("--- /dev/null\n+++ ConfigMap/_/d\n"), "{}", found[2].text);
        assert_eq!(sum(&found), "1 added, 1 removed, 1 changed");
        assert_eq!(changes(&from, &from), []);
    }
}
