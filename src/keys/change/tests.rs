use std::collections::BTreeMap;

use cdn::document::{Floors, Roles};
use cdn::envelope::Envelope;
use cdn::{ProjectName, SigningKey};

use super::*;

fn key() -> PublicKey {
    SigningKey::random().public()
}

/// A chain of one root, its root key, and the key that releases are signed by.
fn fleet() -> (Trust, SigningKey, PublicKey) {
    let (signer, release) = (SigningKey::random(), key());
    let root = Root {
        version: 1,
        fleet: None,
        issued: Timestamp::UNIX_EPOCH,
        roles: Roles {
            root: Role::of(signer.public()),
            desired: Role::of(key()),
            routes: Role::of(key()),
            release: BTreeMap::from([(ProjectName::default(), Role::of(release))]),
            approver: None,
        },
        origin_hosts: vec!["cdn.example.com".to_owned()],
        floors: Floors { desired_seq: 7, ..Floors::default() },
    };
    let trust = Trust::given(&Envelope::sign(&root, &[&signer]).to_bytes()).expect("a root 1");
    (trust, signer, release)
}

fn release() -> RoleName {
    RoleName::Release(ProjectName::default())
}

fn next(trust: &Trust, role: &RoleName, keys: &KeyChange) -> Result<Root, Failure> {
    let change = Change { role: Some((role.clone(), keys.clone())), origin_hosts: None };
    change.next(trust, Timestamp::UNIX_EPOCH)
}

#[test]
fn one_role_changes_and_all_else_stays() {
    let (trust, signer, _) = fleet();
    let new = key();
    let change = KeyChange { new: Some(new), leaving: Leaving::All, threshold: None };
    let root = next(&trust, &release(), &change).expect("a next root");
    assert_eq!((root.version, root.fleet), (2, Some(trust.fleet())));
    assert_eq!(root.roles.release[&ProjectName::default()], Role::of(new));
    let mut same = root.clone();
    same.roles.release.clone_from(&trust.root().roles.release);
    assert_eq!(Root { version: 1, fleet: None, ..same }, *trust.root());
    trust.advance(&Envelope::sign(&root, &[&signer]).to_bytes()).expect("it follows");
}

#[test]
fn a_key_comes_beside_another_and_then_takes_its_place() {
    let (trust, signer, old) = fleet();
    let new = key();
    let add = KeyChange { new: Some(new), ..KeyChange::default() };
    let root = next(&trust, &release(), &add).expect("a next root");
    assert_eq!(root.roles.release[&ProjectName::default()].keys, [old, new]);
    let trust = trust.advance(&Envelope::sign(&root, &[&signer]).to_bytes()).expect("it follows");
    let drop = KeyChange { leaving: Leaving::These(vec![old.id()]), ..KeyChange::default() };
    let root = next(&trust, &release(), &drop).expect("a next root");
    assert_eq!(root.roles.release[&ProjectName::default()].keys, [new]);
}

#[test]
fn a_role_that_root_does_not_list_begins_with_a_key() {
    let (trust, ..) = fleet();
    let pay = RoleName::Release("pay".parse().expect("a name"));
    let add = KeyChange { new: Some(key()), ..KeyChange::default() };
    for role in [pay, RoleName::Approver] {
        let root = next(&trust, &role, &add).expect("a next root");
        assert_eq!(role.of(&root.roles).map(|role| role.threshold), Some(1));
        let replace = KeyChange { leaving: Leaving::All, ..add.clone() };
        let refused = next(&trust, &role, &replace).expect_err("no root");
        assert_eq!(refused.exit(), Exit::NotFound, "{refused}");
    }
}

#[test]
fn what_would_lock_a_role_out_or_change_nothing_is_refused() {
    let (trust, _, old) = fleet();
    let dropped = |ids: &[String], threshold| {
        let change = KeyChange { leaving: Leaving::These(ids.to_vec()), threshold, new: None };
        next(&trust, &release(), &change).expect_err("no root").to_string()
    };
    assert!(dropped(&[old.id()], None).contains("release-default would have 0 of the 1 keys"));
    assert!(dropped(&["ff".to_owned()], None).contains(&format!("its keys are {}", old.id())));
    assert!(dropped(&[], Some(2)).contains("1 of the 2 keys"));
    assert!(dropped(&[], Some(0)).contains("1 of the 0 keys"));
    assert!(dropped(&[], None).contains("root 2 would say what root 1 does"));
}

#[test]
fn hosts_of_origins_change_with_a_role_or_alone_and_may_be_any_again() {
    let (trust, ..) = fleet();
    let of = |hosts: &[&str]| {
        let origin_hosts = Some(hosts.iter().map(|host| (*host).to_owned()).collect());
        Change { role: None, origin_hosts }.next(&trust, Timestamp::UNIX_EPOCH)
    };
    assert_eq!(of(&["cdn.example.net"]).expect("a next root").origin_hosts, ["cdn.example.net"]);
    assert_eq!(of(&[]).expect("a next root").origin_hosts, [""; 0]);
    assert!(of(&["cdn.example.com"]).expect_err("no root").to_string().contains("would say what"));
}
