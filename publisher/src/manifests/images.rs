//! The images that objects name, for `windlass images` and for whoever mirrors them.

use std::collections::BTreeSet;

use cdn::ObjectId;
use serde_json::Value;

/// Adds every text that stands in a field `image` or `...Image`; a CRD's schema only describes such fields.
pub(super) fn collect(id: &ObjectId, object: &Value, images: &mut BTreeSet<String>) {
    if id.kind != "CustomResourceDefinition"
        && let Some(spec) = object.get("spec").or_else(|| object.get("template"))
    {
        walk(spec, images);
    }
}

fn walk(value: &Value, images: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str() {
                    Some(image) if key == "image" && !image.is_empty() => {
                        images.insert(image.to_owned());
                    }
                    Some(_) | None => walk(value, images),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, images)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
