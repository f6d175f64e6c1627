//! The chain of roots.

use cdn::document::Root;
use cdn::envelope::{Envelope, NotSigned, Role};
use cdn::limits::ROOTS;
use cdn::trust::{RootRefused, Trust};
use cdn::{Digest, SigningKey};

use crate::fleet::Fleet;

#[test]
fn root_1_is_the_one_that_the_fleets_id_names() {
    let (ours, theirs) = (Fleet::new(), Fleet::new());
    let refused = Trust::begin(ours.trust.fleet(), &theirs.root_1).unwrap_err();
    assert!(matches!(refused, RootRefused::NotThisFleet { .. }), "{refused}");
}

#[test]
fn root_1_must_be_signed_by_its_own_keys() {
    let fleet = Fleet::new();
    let forged = Envelope::sign(fleet.trust.root(), &[&SigningKey::random()]).to_bytes();
    let refused = Trust::begin(Digest::of(&forged), &forged).unwrap_err();
    assert!(matches!(refused, RootRefused::NotSigned { version: 1, .. }), "{refused}");
}

#[test]
fn a9_a_rotated_key_is_trusted_only_through_old_and_new_signatures() {
    let fleet = Fleet::new();
    let new_root_key = SigningKey::random();
    let next = fleet.next_root(|root| root.roles.root = Role::of(new_root_key.public()));
    for keys in [vec![&fleet.root_key], vec![&new_root_key], vec![&fleet.desired_key, &new_root_key]] {
        let bytes = Envelope::sign(&next, &keys).to_bytes();
        assert!(matches!(fleet.trust.advance(&bytes), Err(RootRefused::NotSigned { version: 2, .. })));
    }
    let bytes = Envelope::sign(&next, &[&fleet.root_key, &new_root_key]).to_bytes();
    let trust = fleet.trust.advance(&bytes).unwrap();
    assert_eq!(trust.version(), 2);
    assert_eq!(trust.fleet(), fleet.trust.fleet());
}

#[test]
fn a9_an_agent_that_was_away_walks_every_root_and_skips_none() {
    let fleet = Fleet::new();
    let sign = |root: &Root| Envelope::sign(root, &[&fleet.root_key]).to_bytes();
    let two = fleet.next_root(|_| {});
    let three = Root { version: 3, ..two.clone() };
    let skipped = fleet.trust.advance(&sign(&three)).unwrap_err();
    assert_eq!(skipped, RootRefused::OutOfOrder { held: 1, got: 3 });
    let trust = fleet.trust.advance(&sign(&two)).unwrap().advance(&sign(&three)).unwrap();
    assert_eq!(trust.version(), 3);
    assert!(matches!(trust.advance(&sign(&two)), Err(RootRefused::OutOfOrder { .. })), "no way back");
}

#[test]
fn a_root_of_another_fleet_is_no_successor() {
    let fleet = Fleet::new();
    let next = fleet.next_root(|root| root.fleet = Some(Digest::of(b"another")));
    let bytes = Envelope::sign(&next, &[&fleet.root_key]).to_bytes();
    assert!(fleet.trust.advance(&bytes).is_err());
}

#[test]
fn a10_threshold_tricks_do_not_make_a_role() {
    let fleet = Fleet::new();
    let (a, b) = (SigningKey::random(), SigningKey::random());
    let refused = |change: &dyn Fn(&mut Root)| {
        let next = fleet.next_root(change);
        let bytes = Envelope::sign(&next, &[&fleet.root_key]).to_bytes();
        assert!(fleet.trust.advance(&bytes).is_err());
    };
    refused(&|root| root.roles.desired.threshold = 0);
    refused(&|root| root.roles.desired.threshold = 2);
    refused(&|root| root.roles.desired = Role { keys: vec![a.public(), a.public()], threshold: 2 });
    refused(&|root| root.roles.desired = Role { keys: Vec::new(), threshold: 1 });
    refused(&|root| root.roles.desired = root.roles.routes.clone());
    refused(&|root| {
        let keys = (0..17).map(|_| SigningKey::random().public()).collect();
        root.roles.desired = Role { keys, threshold: 1 };
    });

    let next = fleet.next_root(|root| {
        root.roles.routes = Role { keys: vec![a.public(), b.public()], threshold: 2 };
    });
    let routes = next.roles.routes.clone();
    // One key that signs twice is still one key.
    let twice = Envelope::sign(&next, &[&a, &a]).to_bytes();
    let refused = Envelope::verify::<Root>(&twice, &routes).unwrap_err();
    assert_eq!(refused, NotSigned::Threshold { got: 1, wanted: 2 });
    let many: Vec<_> = std::iter::repeat_n(&a, 17).collect();
    let refused = Envelope::verify::<Root>(&Envelope::sign(&next, &many).to_bytes(), &routes).unwrap_err();
    assert!(matches!(refused, NotSigned::Malformed(_)), "{refused}");
    assert!(Envelope::verify::<Root>(&Envelope::sign(&next, &[&a, &b]).to_bytes(), &routes).is_ok());
}

#[test]
fn a_chain_is_followed_to_the_first_root_that_is_missing_and_no_further_than_any_chain_goes() {
    let fleet = Fleet::new();
    let two = fleet.next_root(|_| {});
    let sign = |version| Envelope::sign(&Root { version, ..two.clone() }, &[&fleet.root_key]).to_bytes();
    let up_to = |last: u64| {
        let mut asked = 0;
        let read = |version: u64| -> Result<Option<Vec<u8>>, RootRefused> {
            asked += 1;
            Ok((version <= last).then(|| sign(version)))
        };
        let trust = fleet.trust.clone().follow(read).unwrap();
        (trust.version(), asked)
    };
    assert_eq!(up_to(1), (1, 1));
    assert_eq!(up_to(3), (3, 3));
    assert_eq!(up_to(u64::MAX), (ROOTS, ROOTS - 1), "who makes roots without end is left");

    let broken = fleet.trust.clone().follow(|_| Ok::<_, RootRefused>(Some(sign(3))));
    assert!(matches!(broken, Err(RootRefused::OutOfOrder { held: 1, got: 3 })), "{broken:?}");
}

#[test]
fn a_root_beyond_the_longest_chain_is_none() {
    let fleet = Fleet::new();
    let last = fleet.next_root(|root| root.version = ROOTS);
    assert!(
        Envelope::verify::<Root>(&Envelope::sign(&last, &[&fleet.root_key]).to_bytes(), &last.roles.root)
            .is_ok()
    );
    let beyond = Root { version: ROOTS + 1, ..last.clone() };
    let bytes = Envelope::sign(&beyond, &[&fleet.root_key]).to_bytes();
    let refused = Envelope::verify::<Root>(&bytes, &last.roles.root).unwrap_err();
    assert!(matches!(refused, NotSigned::Payload(_)), "{refused}");
}
