//! Reasons and approvals.

use cdn::document::{HoldReason, hold_digest};
use cdn::{ClusterId, Digest, ObjectId};

#[test]
fn l13_every_reason_has_a_code_a_next_step_and_reads_back() {
    for reason in HoldReason::ALL {
        let text = serde_json::to_string(reason).unwrap();
        assert_eq!(text, format!("\"{}\"", reason.code()));
        assert_eq!(serde_json::from_str::<HoldReason>(&text).unwrap(), *reason);
        assert!(reason.next().ends_with('.'), "{reason:?}");
    }
    assert_eq!(serde_json::from_str::<HoldReason>("\"OfTomorrow\"").unwrap(), HoldReason::Unknown);
}

#[test]
fn an_approval_covers_exactly_the_objects_that_were_shown() {
    let (me, service) = (ClusterId::random(), "default/web".parse().unwrap());
    let id = |name: &str| ObjectId {
        group: String::new(),
        kind: "ConfigMap".into(),
        namespace: None,
        name: name.into(),
    };
    let (a, b) = ((id("a"), "uid-a".to_owned()), (id("b"), "uid-b".to_owned()));
    let digest = |objects: &[(ObjectId, String)]| hold_digest(&me, &service, Digest::of(b"T"), objects);
    let shown = digest(&[a.clone(), b.clone()]);
    assert_eq!(shown, digest(&[b.clone(), a.clone()]), "in any order");
    assert_ne!(shown, digest(std::slice::from_ref(&a)));
    assert_ne!(shown, digest(&[a.clone(), (b.0.clone(), "another uid".to_owned())]));
    assert_ne!(shown, hold_digest(&ClusterId::random(), &service, Digest::of(b"T"), &[a.clone(), b.clone()]));
    assert_ne!(shown, hold_digest(&me, &service, Digest::of(b"U"), &[a, b]));
}

/// Computed elsewhere, from the canonical text: an approval that a person gave must mean the same in every version.
#[test]
fn the_digest_of_a_hold_is_what_it_always_was() {
    let cluster = "cl-00000000000000000000000000000001".parse().unwrap();
    let object = |group: &str, kind: &str, name: &str, uid: &str| {
        let id = ObjectId {
            group: group.into(),
            kind: kind.into(),
            namespace: Some("web".into()),
            name: name.into(),
        };
        (id, uid.to_owned())
    };
    let objects = [object("apps", "Deployment", "b", "u-2"), object("", "ConfigMap", "a", "u-1")];
    let digest = hold_digest(&cluster, &"default/web".parse().unwrap(), Digest::of(b"bundle"), &objects);
    assert_eq!(digest.to_string(), "sha256:4ee91e59c35bfa3c978bed485c94b21e5a1a9a7a71fa9a7042c42e11ba062317");
}
