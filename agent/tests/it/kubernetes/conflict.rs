//! Others who own fields or the whole object.

use std::slice;

use agent::target::{ADOPTED, Prepared};
use anyhow::Result;
use cdn::Object;
use cdn::document::HoldReason;
use serde_json::{Value, json};

use super::{Bench, managers, prepared, prepared_for};

/// Another manager sets a field that we declare.
async fn taken_by(bench: &Bench, manager: &str, object: &Value) -> Result<()> {
    let manager = format!("--field-manager={manager}");
    bench.kubectl_with(object, &["apply", "--server-side", "--force-conflicts", &manager]).await.map(drop)
}

#[tokio::test]
async fn f12_a_persons_edit_is_taken_back_and_another_tools_field_is_not() -> Result<()> {
    let bench = Bench::new("taken").await?;
    let ours = bench.config("one", &json!({"a": "ours"}));
    let theirs = bench.config("one", &json!({"a": "theirs"}));
    let first = bench.apply(&prepared("default/web", &ours)?).await?;
    let again = prepared_for("default/web", &ours, &first.live)?;
    bench
        .kubectl(&["patch", "configmap", "one", "-p", &theirs.to_string(), "--field-manager=kubectl-edit"])
        .await?;
    assert!(bench.apply(&again).await?.changed);
    assert_eq!(bench.get("configmap", "one").await?["data"]["a"], "ours");
    taken_by(&bench, "argocd-controller", &theirs).await?;
    let refused = bench.apply(&again).await.expect_err("the tool would put it back");
    assert_eq!((refused.reason, refused.retry), (HoldReason::Conflict, false));
    assert!(refused.message.contains("argocd-controller (.data.a)"), "{refused}");
    assert_eq!(bench.get("configmap", "one").await?["data"]["a"], "theirs");
    Ok(())
}

#[tokio::test]
async fn f13_a_second_service_is_refused_and_the_first_is_not_touched() -> Result<()> {
    let bench = Bench::new("second").await?;
    let object = bench.config("one", &json!({"a": "1"}));
    let first = bench.apply(&prepared("default/first", &object)?).await?;
    for second in
        [prepared("default/second", &object)?, prepared_for("default/second", &object, &first.live)?]
    {
        let refused = bench.apply(&second).await.expect_err("the first one has it");
        assert_eq!(refused.reason, HoldReason::OwnedBy);
        assert!(refused.message.contains("default/first"), "{refused}");
    }
    assert_eq!(bench.live(&object).await?, first.live);
    Ok(())
}

#[tokio::test]
async fn an_object_that_someone_creates_in_between_is_theirs_until_looked_at() -> Result<()> {
    let bench = Bench::new("between").await?;
    for (name, data) in [("same", json!({"a": "1"})), ("other", json!({"a": "2"}))] {
        bench.kubectl_with(&bench.config(name, &data), &["create"]).await?;
        let before = bench.get("configmap", name).await?;
        let ours = prepared("default/web", &bench.config(name, &json!({"a": "1", "b": "1"})))?;
        let refused = bench.apply(&ours).await.expect_err("nobody has decided about it");
        assert!(refused.retry, "{refused:?}");
        let after = bench.get("configmap", name).await?;
        assert_eq!(after["metadata"]["annotations"], before["metadata"]["annotations"]);
        assert_eq!(managers(&after), managers(&before));
        assert_eq!(after["data"]["a"], data["a"]);
    }
    Ok(())
}

#[tokio::test]
async fn f40_an_object_of_another_uid_is_not_applied_to() -> Result<()> {
    let bench = Bench::new("another").await?;
    let object = bench.config("one", &json!({"a": "1"}));
    let first = bench.apply(&prepared("default/web", &object)?).await?;
    bench.kubectl(&["delete", "configmap", "one"]).await?;
    let again = prepared_for("default/web", &object, &first.live)?;
    let refused = bench.apply(&again).await.expect_err("it is gone");
    assert!(refused.retry && refused.reason == HoldReason::ApplyFailed, "{refused:?}");
    bench.kubectl_with(&bench.config("one", &json!({"b": "2"})), &["create"]).await?;
    let refused = bench.apply(&again).await.expect_err("it is another one");
    assert!(refused.retry && refused.reason == HoldReason::ApplyFailed, "{refused:?}");
    assert_eq!(bench.get("configmap", "one").await?["data"], json!({"b": "2"}));
    Ok(())
}

#[tokio::test]
async fn f25_what_kubectl_apply_declared_before_us_goes_with_our_source() -> Result<()> {
    let bench = Bench::new("legacy").await?;
    bench.kubectl_with(&bench.config("one", &json!({"a": "1", "b": "2"})), &["apply"]).await?;
    let ours = bench.config("one", &json!({"a": "1"}));
    let found = bench.live(&ours).await?;
    let applied = bench.apply(&prepared_for("default/web", &ours, &found)?).await?;
    assert_eq!(applied.live.uid, found.uid);
    let now = bench.get("configmap", "one").await?;
    assert_eq!(now["data"], json!({"a": "1"}));
    assert_eq!(managers(&now), ["windlass/default/web"]);
    let last = "kubectl.kubernetes.io/last-applied-configuration";
    assert!(now["metadata"]["annotations"].get(last).is_none(), "{now}");
    let again = bench.apply(&prepared_for("default/web", &ours, &applied.live)?).await?;
    assert!(!again.changed);
    Ok(())
}

#[tokio::test]
async fn f16_an_adopted_object_is_released_as_it_is() -> Result<()> {
    let bench = Bench::new("adopted").await?;
    bench.kubectl_with(&bench.config("one", &json!({"a": "1"})), &["create"]).await?;
    let object = bench.config("one", &json!({"a": "1", "b": "2"}));
    let found = bench.live(&object).await?;
    assert!(!found.adopted && found.owner.is_none());
    let mut adopting = prepared_for("default/web", &object, &found)?;
    let mut marked = adopting.object.value();
    marked["metadata"]["annotations"][ADOPTED] = json!("true");
    adopting = Prepared { object: Object::from_value(&marked)?, ..adopting };
    let adopted = bench.apply(&adopting).await?.live;
    assert!(adopted.adopted && adopted.owner.is_some());
    let before = bench.get("configmap", "one").await?;
    let address = super::address(&object)?;
    bench.target.release(&address, &adopted.uid, &super::service("default/web")).await?;
    let released = bench.live(&object).await?;
    assert!(!released.adopted && released.owner.is_none() && released.uid == adopted.uid);
    let after = bench.get("configmap", "one").await?;
    assert_eq!(after["data"], before["data"]);
    assert!(!managers(&after).contains(&"windlass/default/web"), "{after}");
    bench.target.release(&address, &adopted.uid, &super::service("default/web")).await?;
    bench.target.release(&address, "another uid", &super::service("default/web")).await?;
    assert_eq!(bench.target.observe(slice::from_ref(&address)).await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_object_that_only_we_own_keeps_everything_when_released() -> Result<()> {
    let bench = Bench::new("released").await?;
    let object = bench.deployment("web", "registry.invalid/web:1");
    let applied = bench.apply(&prepared("default/web", &object)?).await?.live;
    let before = bench.get("deployment", "web").await?;
    bench.target.release(&super::address(&object)?, &applied.uid, &super::service("default/web")).await?;
    let after = bench.get("deployment", "web").await?;
    assert_eq!(after["spec"], before["spec"]);
    assert_eq!(after["metadata"]["labels"], before["metadata"]["labels"]);
    assert!(after["metadata"].get("annotations").is_none(), "{after}");
    assert!(!managers(&after).contains(&"windlass/default/web"), "{after}");
    Ok(())
}
