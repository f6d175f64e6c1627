//! From a `desired` to a snapshot.

use cdn::document::{Approval, Desired, Named, Removal, RemovalMode, Values};
use cdn::envelope::{Envelope, Role, Signature};
use cdn::trust::{Accepted, DesiredRefused, SnapshotRefused};
use cdn::{ClusterId, Digest, SigningKey};

use crate::fleet::{Fleet, at, service};

#[test]
fn a8_another_clusters_assignment_is_refused() {
    let fleet = Fleet::new();
    let set = Fleet::set(b"release");
    let mut desired = fleet.desired(5, &set);
    desired.cluster = ClusterId::random();
    let refused = fleet.trust.accept(&fleet.sign(&desired), &fleet.me, None).unwrap_err();
    assert_eq!(refused, DesiredRefused::WrongCluster(desired.cluster));
}

#[test]
fn another_fleets_assignment_is_refused() {
    let fleet = Fleet::new();
    let mut desired = fleet.desired(5, &Fleet::set(b"release"));
    desired.fleet = Digest::of(b"another");
    let refused = fleet.trust.accept(&fleet.sign(&desired), &fleet.me, None).unwrap_err();
    assert!(matches!(refused, DesiredRefused::WrongFleet(_)), "{refused}");
}

#[test]
fn only_the_desired_key_can_assign() {
    let fleet = Fleet::new();
    let desired = fleet.desired(5, &Fleet::set(b"release"));
    for key in [&fleet.root_key, &fleet.release_key, &fleet.routes_key, &SigningKey::random()] {
        let bytes = Envelope::sign(&desired, &[key]).to_bytes();
        let refused = fleet.trust.accept(&bytes, &fleet.me, None).unwrap_err();
        assert!(matches!(refused, DesiredRefused::NotSigned(_)), "{refused}");
    }
}

#[test]
fn a11_every_bent_byte_of_an_envelope_is_a_refusal() {
    let fleet = Fleet::new();
    let good = fleet.sign(&fleet.desired(5, &Fleet::set(b"release")));
    let accepted = fleet.trust.accept(&good, &fleet.me, None).unwrap();
    for at in 0..good.len() {
        for bit in [0x01, 0x20] {
            let mut bent = good.clone();
            bent[at] ^= bit;
            // The key id is a hint: bending it, or the spelling of base64's unused bits, changes nothing that is
            // believed. Whatever is accepted must say exactly what was signed.
            if let Ok(other) = fleet.trust.accept(&bent, &fleet.me, None) {
                assert_eq!(other.desired(), accepted.desired(), "byte {at}");
            }
        }
    }
    for cut in 0..good.len() {
        assert!(fleet.trust.accept(&good[..cut], &fleet.me, None).is_err(), "cut at {cut}");
    }
}

#[test]
fn a2_an_older_assignment_is_refused_and_the_same_one_is_not() {
    let fleet = Fleet::new();
    let set = Fleet::set(b"release");
    let accepted = fleet.trust.accept(&fleet.sign(&fleet.desired(5, &set)), &fleet.me, None).unwrap();
    let floor = accepted.floor().clone();
    let accept = |seq: u64, second: i64| {
        let mut desired = fleet.desired(seq, &set);
        desired.issued = at(second);
        fleet.trust.accept(&fleet.sign(&desired), &fleet.me, Some(&floor)).map(|_| ())
    };
    assert_eq!(accept(5, 0), Ok(()), "the same again");
    assert_eq!(accept(5, 60), Ok(()), "signed again later");
    assert_eq!(accept(6, 0), Ok(()), "newer");
    assert_eq!(accept(4, 60), Err(DesiredRefused::Older { held: 5, got: 4 }));
    assert_eq!(accept(5, -1), Err(DesiredRefused::Older { held: 5, got: 5 }));
}

#[test]
fn one_sequence_says_one_thing() {
    let fleet = Fleet::new();
    let desired = fleet.desired(5, &Fleet::set(b"release"));
    let floor = fleet.trust.accept(&fleet.sign(&desired), &fleet.me, None).unwrap().floor().clone();
    let mut other = desired.clone();
    other.issued = at(60);
    other.removals.push(Removal { service: service(), mode: RemovalMode::Delete });
    let refused = fleet.trust.accept(&fleet.sign(&other), &fleet.me, Some(&floor)).unwrap_err();
    assert_eq!(refused, DesiredRefused::SeqConflict(5));
}

#[test]
fn a3_a_root_that_drops_the_key_which_set_a_floor_resets_it() {
    let fleet = Fleet::new();
    let set = Fleet::set(b"release");
    let far = fleet.desired(u64::MAX, &set);
    let floor = fleet.trust.accept(&fleet.sign(&far), &fleet.me, None).unwrap().floor().clone();
    let new_key = SigningKey::random();
    let next = fleet.next_root(|root| root.roles.desired = Role::of(new_key.public()));
    let trust = fleet.trust.advance(&Envelope::sign(&next, &[&fleet.root_key]).to_bytes()).unwrap();
    let recovered = Envelope::sign(&fleet.desired(7, &set), &[&new_key]).to_bytes();
    assert_eq!(trust.accept(&recovered, &fleet.me, Some(&floor)).unwrap().desired().seq, 7);
    assert!(trust.accept(&fleet.sign(&far), &fleet.me, Some(&floor)).is_err(), "the old key is out");
}

#[test]
fn roots_emergency_floor_counts_without_any_memory() {
    let fleet = Fleet::new();
    let next = fleet.next_root(|root| root.floors.desired_seq = 100);
    let trust = fleet.trust.advance(&Envelope::sign(&next, &[&fleet.root_key]).to_bytes()).unwrap();
    let bytes = fleet.sign(&fleet.desired(99, &Fleet::set(b"release")));
    assert_eq!(
        trust.accept(&bytes, &fleet.me, None).unwrap_err(),
        DesiredRefused::Older { held: 100, got: 99 }
    );
}

#[test]
fn a9_only_what_names_no_newer_root_is_judged_by_the_one_that_is_held() {
    let fleet = Fleet::new();
    let desired = fleet.desired(5, &Fleet::set(b"release"));
    assert!(!fleet.trust.is_behind(&fleet.sign(&desired)));
    // Whatever else is wrong with it.
    let newer = Desired { root: fleet.trust.version() + 1, cluster: ClusterId::random(), ..desired.clone() };
    assert!(fleet.trust.is_behind(&fleet.sign(&newer)));
    assert!(fleet.trust.is_behind(&Envelope::sign(&desired, &[&SigningKey::random()]).to_bytes()));
}

#[test]
fn origins_stay_on_the_hosts_that_root_allows() {
    let fleet = Fleet::new();
    let next = fleet.next_root(|root| root.origin_hosts = vec!["cdn.example.com".to_owned()]);
    let trust = fleet.trust.advance(&Envelope::sign(&next, &[&fleet.root_key]).to_bytes()).unwrap();
    let accept = |origin: &str| {
        let mut desired = fleet.desired(5, &Fleet::set(b"release"));
        desired.origins = vec![origin.to_owned()];
        trust.accept(&fleet.sign(&desired), &fleet.me, None).is_ok()
    };
    assert!(accept("https://cdn.example.com/a"));
    assert!(accept("https://cdn.example.com:8443"));
    for other in [
        "https://evil.example.com",
        "https://cdn.example.com@evil.example.com/",
        "file:///etc",
        "cdn.example.com",
    ] {
        assert!(!accept(other), "{other}");
    }
}

#[test]
fn a5_halves_of_two_snapshots_are_no_snapshot() {
    let fleet = Fleet::new();
    let (set, other) = (Fleet::set(b"release"), Fleet::set(b"another"));
    let values = Values::new([].into());
    let mut desired = fleet.desired(5, &set);
    let open = |desired: &Desired, set: &[u8], values: Option<&[u8]>| {
        fleet.trust.accept(&fleet.sign(desired), &fleet.me, None).unwrap().open(set, values)
    };
    assert!(open(&desired, &set.to_bytes(), None).is_ok());
    let refused = open(&desired, &other.to_bytes(), None).unwrap_err();
    assert_eq!(refused, SnapshotRefused::Mismatch("set"));
    assert!(open(&desired, &set.to_bytes(), Some(&values.to_bytes())).is_err());
    desired.values = Some(Named::of(&values.to_bytes()));
    assert!(open(&desired, &set.to_bytes(), None).is_err());
    assert!(open(&desired, &set.to_bytes(), Some(&values.to_bytes())).is_ok());
}

#[test]
fn l1_a_restart_takes_up_what_was_accepted_though_the_key_has_been_rotated() {
    let fleet = Fleet::new();
    let set = Fleet::set(b"release");
    let bytes = fleet.sign(&fleet.desired(5, &set));
    let accepted = fleet.trust.accept(&bytes, &fleet.me, None).unwrap();
    let (record, floor) = (Digest::of(&bytes), accepted.floor().clone());
    let next = fleet.next_root(|root| root.roles.desired = Role::of(SigningKey::random().public()));
    let trust = fleet.trust.advance(&Envelope::sign(&next, &[&fleet.root_key]).to_bytes()).unwrap();
    assert!(trust.accept(&bytes, &fleet.me, Some(&floor)).is_err());
    let resumed = Accepted::resume(&trust, &bytes, record, floor.clone()).unwrap();
    assert_eq!(resumed.open(&set.to_bytes(), None).unwrap().desired().seq, 5);
    let other = fleet.sign(&fleet.desired(6, &set));
    assert!(Accepted::resume(&trust, &other, record, floor).is_err());
}

#[test]
fn a_hold_is_approved_by_name_and_by_approvers_where_root_lists_them() {
    let fleet = Fleet::new();
    let set = Fleet::set(b"release");
    let approver = SigningKey::random();
    let hold = Digest::of(b"hold");
    let is_approved = |trust: &cdn::trust::Trust, signatures: Vec<Signature>| {
        let mut desired = fleet.desired(5, &set);
        desired.approvals = vec![Approval { hold, signatures }];
        let snapshot = trust
            .accept(&fleet.sign(&desired), &fleet.me, None)
            .unwrap()
            .open(&set.to_bytes(), None)
            .unwrap();
        assert!(!snapshot.approves(Digest::of(b"another hold")));
        snapshot.approves(hold)
    };
    assert!(is_approved(&fleet.trust, Vec::new()));
    let next = fleet.next_root(|root| root.roles.approver = Some(Role::of(approver.public())));
    let trust = fleet.trust.advance(&Envelope::sign(&next, &[&fleet.root_key]).to_bytes()).unwrap();
    assert!(!is_approved(&trust, Vec::new()));
    assert!(!is_approved(&trust, vec![Signature::approve(hold, &SigningKey::random())]));
    assert!(!is_approved(&trust, vec![Signature::approve(Digest::of(b"another hold"), &approver)]));
    assert!(is_approved(&trust, vec![Signature::approve(hold, &approver)]));
}
