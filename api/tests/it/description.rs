//! The description of the routes is current, and none of them is about manifests.

use std::path::Path;

use serde_json::Value;

fn description() -> Value {
    serde_json::to_value(api::routes::openapi()).unwrap()
}

fn file() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json")
}

/// `UPDATE=1 cargo test -p api` writes it anew.
#[test]
fn the_description_in_the_repository_is_current() {
    let current = format!("{}\n", serde_json::to_string_pretty(&description()).unwrap());
    if option_env!("UPDATE").is_some() {
        std::fs::write(file(), &current).unwrap();
    }
    let held = std::fs::read_to_string(file()).unwrap_or_default();
    assert!(
        held == current,
        "api/openapi.json is not current: UPDATE=1 cargo test -p api, then look at the difference"
    );
}

/// Whatever a route takes or gives is JSON of a known shape; nothing is a stream of bytes, an archive or YAML, and
/// no shape has a field for an object of Kubernetes.
#[test]
fn no_route_takes_or_gives_manifest_bytes() {
    let description = description();
    let mut bodies = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap().values();
            let request = std::iter::once(&operation["requestBody"]);
            for content in request.chain(responses).filter_map(|body| body["content"].as_object()) {
                for kind in content.keys() {
                    assert_eq!(kind, "application/json", "{method} {path}");
                    bodies += 1;
                }
            }
        }
    }
    assert!(bodies > 50, "{bodies}");
    let mut fields = Vec::new();
    collect(&description["components"]["schemas"], &mut fields);
    assert!(fields.len() > 100, "{}", fields.len());
    for (field, shape) in &fields {
        let format = shape["format"].as_str().unwrap_or("");
        assert!(!["binary", "byte", "base64"].contains(&format), "{field} is bytes");
        let is_text = ["string", "object", "array"].iter().any(|kind| shape["type"] == *kind);
        let speaks = ["manifest", "yaml", "tar", "objects", "content", "data"].contains(&field.as_str());
        assert!(!(is_text && speaks), "{field}: {shape}");
    }
}

/// Every field of every shape, by name.
fn collect(shape: &Value, into: &mut Vec<(String, Value)>) {
    let inside: Vec<(&String, &Value)> = match shape {
        Value::Object(map) => map.iter().collect(),
        Value::Array(list) => return list.iter().for_each(|one| collect(one, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return,
    };
    for (name, inner) in inside {
        if name == "properties" {
            into.extend(
                inner.as_object().unwrap().iter().map(|(field, shape)| (field.clone(), shape.clone())),
            );
        }
        collect(inner, into);
    }
}

/// The crate cannot even name a bundle: neither in its manifest nor in its sources.
#[test]
fn the_api_knows_no_bundles() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for word in
                ["cdn::bundle", "cdn::Bundle", "cdn::ct1", "cdn::object", "cdn::Object", "Bundle,", "ct1::"]
            {
                assert!(!text.contains(word), "{} names {word}", path.display());
            }
            files += 1;
        }
    }
    assert!(files > 50, "{files}");
}
