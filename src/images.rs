//! `windlass images`: the container images that a bundle asks for.

use std::collections::BTreeMap;

use anyhow::Result;
use cdn::{Bundle, Object};
use clap::Args;
use serde_json::{Value, json};

use crate::content::{ContentArgs, Subject};
use crate::exit::Exit;
use crate::output::{FormatArg, View};
use crate::session::Session;
use crate::table::Table;

/// List the container images of a bundle
#[derive(Args, Debug)]
#[command(before_help = "Examples:
  windlass images default/web
  windlass images bundle.tar.zst -o name | xargs -n1 crane digest")]
pub(crate) struct Images {
    /// A file (tar, tar.zst, tar.gz), a release's digest, or a service for its latest release
    #[arg(value_name = "FILE|DIGEST|SERVICE", value_parser = Subject::parse)]
    subject: Subject,
    #[command(flatten)]
    content: ContentArgs,
    #[command(flatten)]
    format: FormatArg,
}

impl Images {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> Result<Exit> {
        let found = self.subject.find(&self.content, session).await?;
        let images = images(&found.bundle);
        let mut table = Table::new(["IMAGE", "USED BY"]);
        for (image, users) in &images {
            table.row([image.clone(), users.join(",")]);
        }
        let items = images.iter().map(|(image, users)| json!({ "image": image, "usedBy": users }));
        let value = json!({ "bundle": found.digest(), "items": items.collect::<Vec<_>>() });
        let names = images.keys().cloned().collect();
        let view = View { table, value, names, empty: "no container images" };
        session.out.show(&view, self.format.output)?;
        Ok(Exit::Ok)
    }
}

/// Images by name, with the objects that use them.
pub(crate) fn images(bundle: &Bundle) -> BTreeMap<String, Vec<String>> {
    let mut images: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for object in bundle.objects() {
        for image in of_object(object) {
            let users = images.entry(image).or_default();
            let user = object.id().to_string();
            if users.last() != Some(&user) {
                users.push(user);
            }
        }
    }
    images
}

/// Every `image` of an entry of a list of containers, wherever the pod's description lies: a custom resource may hold
/// one too.
fn of_object(object: &Object) -> Vec<String> {
    let mut images = Vec::new();
    collect(&object.value(), &mut images);
    images
}

fn collect(value: &Value, images: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                if matches!(key.as_str(), "containers" | "initContainers" | "ephemeralContainers") {
                    let entries = inner.as_array().into_iter().flatten();
                    let named = entries.filter_map(|entry| entry.get("image").and_then(Value::as_str));
                    images.extend(named.map(str::to_owned));
                }
                collect(inner, images);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, images)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_found_in_every_kind_of_container_and_named_once() {
        let pod = json!({ "containers": [{ "name": "a", "image": "a:1" }, { "name": "b", "image": "b:2" }],
            "initContainers": [{ "name": "i", "image": "a:1" }] });
        let job = json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "j", "namespace": "n" },
            "spec": { "template": { "spec": pod } } });
        let config = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c" }, "data": { "image": "no" } });
        let objects = [job, config].map(|value| Object::from_value(&value).expect("an object"));
        let bundle = Bundle::new(objects).expect("a bundle");
        let found = images(&bundle);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a:1", "b:2"]);
        assert_eq!(found["a:1"], ["Job.batch/n/j"]);
    }
}
