//! Helm's hooks, in a world without `helm install`: tests and what runs at deletion or rollback are left out, the rest
//! belongs to the service and runs before or after it, in waves.

use serde_json::Value;

use crate::manifests::Manifest;

const HOOK: &str = "helm.sh/hook";
const WEIGHT: &str = "helm.sh/hook-weight";
const WAVE: &str = "windlass.dev/wave";
/// Before everything of weight 0, and after it; weights shift within.
const BEFORE: i64 = -1000;
const AFTER: i64 = 1000;

/// What a hook's events make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Not a hook.
    Own,
    /// Into a wave before or after the rest.
    Wave(i64),
    /// Only for `helm test`, `helm uninstall` or `helm rollback`.
    Out,
}

/// Sorts hooks from the rest, and says what became of them.
pub(super) fn sort(manifests: Vec<Manifest>) -> (Vec<Manifest>, Vec<String>) {
    let (mut kept, mut notes) = (Vec::with_capacity(manifests.len()), Vec::new());
    for mut manifest in manifests {
        let events = annotation(&manifest.value, HOOK).unwrap_or_default().to_owned();
        match fate(&events) {
            Fate::Own => kept.push(manifest),
            Fate::Out => {
                notes.push(format!(
                    "{} ({}): the hook `{events}` is left out",
                    manifest.at,
                    manifest.title()
                ));
            }
            Fate::Wave(base) => {
                let weight =
                    annotation(&manifest.value, WEIGHT).and_then(|text| text.trim().parse::<i64>().ok());
                let wave = base + weight.unwrap_or(0).clamp(-999, 999);
                let (at, title) = (&manifest.at, manifest.title());
                notes.push(format!(
                    "{at} ({title}): the hook `{events}` belongs to the service, in wave {wave}"
                ));
                set_wave(&mut manifest.value, wave);
                kept.push(manifest);
            }
        }
    }
    (kept, notes)
}

fn fate(events: &str) -> Fate {
    let events: Vec<&str> = events.split(',').map(str::trim).filter(|event| !event.is_empty()).collect();
    let any = |names: &[&str]| events.iter().any(|event| names.contains(event));
    if events.is_empty() {
        Fate::Own
    } else if any(&["pre-install", "pre-upgrade", "crd-install"]) {
        Fate::Wave(BEFORE)
    } else if any(&["post-install", "post-upgrade"]) {
        Fate::Wave(AFTER)
    } else {
        Fate::Out
    }
}

fn annotation<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get("metadata")?.get("annotations")?.get(name)?.as_str()
}

/// A wave that the chart's author has written stays.
fn set_wave(value: &mut Value, wave: i64) {
    let annotations = value.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
    if let Some(annotations) = annotations
        && !annotations.contains_key(WAVE)
    {
        annotations.insert(WAVE.to_owned(), wave.to_string().into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tests_and_deletion_are_left_out_and_the_rest_becomes_waves() {
        let hook = |events: &str, weight: &str| Manifest {
            at: "t".to_owned(),
            value: json!({"kind": "Job", "metadata": {"name": events, "annotations": {HOOK: events, WEIGHT: weight}}}),
        };
        let own =
            Manifest { at: "t".to_owned(), value: json!({"kind": "Service", "metadata": {"name": "own"}}) };
        let all = vec![
            own,
            hook("test", "0"),
            hook("pre-delete,post-delete", "0"),
            hook("pre-install, pre-upgrade", "-5"),
            hook("post-upgrade", "7"),
        ];
        let (kept, notes) = sort(all);
        let waves: Vec<_> = kept.iter().map(|manifest| annotation(&manifest.value, WAVE)).collect();
        assert_eq!(waves, [None, Some("-1005"), Some("1007")]);
        assert_eq!(notes.len(), 4, "{notes:?}");
    }
}
