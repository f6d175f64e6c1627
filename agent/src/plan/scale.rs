//! Replicas that an autoscaler owns are left to it (FAULTS F11).

use std::collections::BTreeSet;

use cdn::ObjectId;
use serde_json::Value;

use super::Input;
use crate::target::Live;

/// The manager that scales by a `HorizontalPodAutoscaler`.
const CONTROLLER: &str = "kube-controller-manager";

/// The workloads that a wanted autoscaler targets.
pub(super) fn targets(input: &Input<'_>) -> BTreeSet<ObjectId> {
    let wishes = input.wishes.services.values().flat_map(|list| &list.objects);
    let scalers = wishes.filter(|(id, _)| id.group == "autoscaling" && id.kind == "HorizontalPodAutoscaler");
    scalers.filter_map(|(id, wish)| target(id, &wish.object.value())).collect()
}

fn target(scaler: &ObjectId, object: &Value) -> Option<ObjectId> {
    let target = object.pointer("/spec/scaleTargetRef")?;
    let text = |name| target.get(name).and_then(Value::as_str);
    let group = text("apiVersion")?.split_once('/').map_or("", |(group, _)| group);
    Some(ObjectId {
        group: group.to_owned(),
        kind: text("kind")?.to_owned(),
        namespace: scaler.namespace.clone(),
        name: text("name")?.to_owned(),
    })
}

/// Whether `spec.replicas` of a live workload is somebody else's: whoever scales it, where one of our autoscalers
/// targets it; else the autoscaling controller. What nobody has scaled yet keeps the replicas that its source says,
/// since a field that its only owner drops falls back to 1.
pub(super) fn is_scaled(live: &Live, targeted: bool) -> bool {
    live.scaler.as_deref().is_some_and(|manager| targeted || manager == CONTROLLER)
}
