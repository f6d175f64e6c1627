//! From a snapshot's entry to objects.

use cdn::encoding::DecodeRefused;
use cdn::envelope::{Envelope, Role};
use cdn::trust::{ContentRefused, MinSeqs, ReleaseRefused, Snapshot, Trust};
use cdn::{Digest, Limits, SigningKey};

use crate::fleet::{Fleet, Published, service};

fn snapshot(fleet: &Fleet, trust: &Trust, published: &Published) -> Snapshot {
    let set = Fleet::set(&published.envelope);
    let bytes = fleet.sign(&fleet.desired(5, &set));
    trust.accept(&bytes, &fleet.me, None).unwrap().open(&set.to_bytes(), None).unwrap()
}

#[test]
fn a_release_that_is_signed_and_chosen_opens_to_its_objects() {
    let fleet = Fleet::new();
    let published = fleet.release(|_| {});
    let snapshot = snapshot(&fleet, &fleet.trust, &published);
    let verified =
        snapshot.release(&fleet.trust, &service(), &published.envelope, &MinSeqs::default()).unwrap();
    let content = verified.open(&verified.encodings()[0], &published.stored, Limits::DEFAULT).unwrap();
    assert_eq!(content.bundle().len(), 1);
    assert_eq!(content.tar(), published.tar);
    let again = content.record().reopen(published.tar, Limits::DEFAULT).unwrap();
    assert_eq!(again.bundle(), content.bundle());
}

#[test]
fn l2_neither_key_alone_makes_anything_run() {
    let fleet = Fleet::new();
    let published = fleet.release(|_| {});
    let refuse = |envelope: &[u8], release_of: &Published| {
        let snapshot = snapshot(&fleet, &fleet.trust, release_of);
        snapshot.release(&fleet.trust, &service(), envelope, &MinSeqs::default()).unwrap_err()
    };
    // A publisher's release that the api has not chosen.
    let other = fleet.release(|release| release.seq = 11);
    assert!(matches!(refuse(&other.envelope, &published), ReleaseRefused::Mismatch { .. }));
    // The api chooses what no publisher has signed.
    for key in [&fleet.desired_key, &fleet.root_key, &SigningKey::random()] {
        let envelope = Envelope::sign(&published.release, &[key]).to_bytes();
        let forged = Published { envelope: envelope.clone(), ..fleet.release(|_| {}) };
        assert!(matches!(refuse(&envelope, &forged), ReleaseRefused::NotSigned(_)));
    }
}

#[test]
fn a_release_of_another_service_or_fleet_is_refused() {
    let fleet = Fleet::new();
    for published in [
        fleet.release(|release| release.service = "default/other".parse().unwrap()),
        fleet.release(|release| release.fleet = Digest::of(b"another")),
    ] {
        let snapshot = snapshot(&fleet, &fleet.trust, &published);
        let refused = snapshot.release(&fleet.trust, &service(), &published.envelope, &MinSeqs::default());
        assert!(matches!(refused, Err(ReleaseRefused::WrongService(_))));
    }
}

#[test]
fn d10_another_projects_key_signs_nothing_here() {
    let fleet = Fleet::new();
    let theirs = SigningKey::random();
    let next = fleet.next_root(|root| {
        root.roles.release.insert("other".parse().unwrap(), Role::of(theirs.public()));
    });
    let trust = fleet.trust.advance(&Envelope::sign(&next, &[&fleet.root_key]).to_bytes()).unwrap();
    let published = fleet.release(|_| {});
    let envelope = Envelope::sign(&published.release, &[&theirs]).to_bytes();
    let forged = Published { envelope: envelope.clone(), ..published };
    let snapshot = snapshot(&fleet, &trust, &forged);
    let refused = snapshot.release(&trust, &service(), &envelope, &MinSeqs::default());
    assert!(matches!(refused, Err(ReleaseRefused::NotSigned(_))));
}

#[test]
fn a_withdrawn_release_is_refused_until_its_key_is_dropped() {
    let fleet = Fleet::new();
    let mut seen = MinSeqs::default();
    let newer = fleet.release(|release| (release.seq, release.min_seq) = (20, 20));
    let taken = snapshot(&fleet, &fleet.trust, &newer);
    seen.raise(&taken.release(&fleet.trust, &service(), &newer.envelope, &seen).unwrap());
    let older = fleet.release(|release| release.seq = 19);
    let again = snapshot(&fleet, &fleet.trust, &older);
    let refused = again.release(&fleet.trust, &service(), &older.envelope, &seen).unwrap_err();
    assert_eq!(refused, ReleaseRefused::Withdrawn { got: 19, floor: 20 });

    let new_key = SigningKey::random();
    let next = fleet.next_root(|root| {
        root.roles.release.insert("default".parse().unwrap(), Role::of(new_key.public()));
    });
    let trust = fleet.trust.advance(&Envelope::sign(&next, &[&fleet.root_key]).to_bytes()).unwrap();
    let envelope = Envelope::sign(&older.release, &[&new_key]).to_bytes();
    let resigned = Published { envelope: envelope.clone(), ..older };
    let snapshot = snapshot(&fleet, &trust, &resigned);
    assert!(snapshot.release(&trust, &service(), &envelope, &seen).is_ok());
}

/// A root in which another key publishes.
fn republished(fleet: &Fleet, by: &SigningKey) -> Trust {
    let next = fleet.next_root(|root| {
        root.roles.release.insert("default".parse().unwrap(), Role::of(by.public()));
    });
    fleet.trust.advance(&Envelope::sign(&next, &[&fleet.root_key]).to_bytes()).unwrap()
}

#[test]
fn a9_a_release_that_was_verified_before_is_admitted_only_by_what_is_known_today() {
    let fleet = Fleet::new();
    let mut seen = MinSeqs::default();
    let older = fleet.release(|release| release.seq = 19);
    let back = snapshot(&fleet, &fleet.trust, &older);
    let verified = back.release(&fleet.trust, &service(), &older.envelope, &seen).unwrap();
    let record = verified.record();
    assert_eq!(back.readmit(&fleet.trust, record, &seen), Ok(()));

    let newer = fleet.release(|release| (release.seq, release.min_seq) = (20, 20));
    let taken = snapshot(&fleet, &fleet.trust, &newer);
    let mismatch = taken.readmit(&fleet.trust, record, &seen);
    assert!(matches!(mismatch, Err(ReleaseRefused::Mismatch { .. })), "the set names another one");
    seen.raise(&taken.release(&fleet.trust, &service(), &newer.envelope, &seen).unwrap());
    let withdrawn = back.readmit(&fleet.trust, record, &seen);
    assert_eq!(withdrawn, Err(ReleaseRefused::Withdrawn { got: 19, floor: 20 }));

    let trust = republished(&fleet, &SigningKey::random());
    let dropped = back.readmit(&trust, record, &MinSeqs::default());
    assert!(matches!(dropped, Err(ReleaseRefused::NotSigned(_))), "its key was dropped");
    let floored = fleet.next_root(|root| {
        root.floors.releases.insert(service(), 20);
    });
    let trust = fleet.trust.advance(&Envelope::sign(&floored, &[&fleet.root_key]).to_bytes()).unwrap();
    let floored = back.readmit(&trust, record, &MinSeqs::default());
    assert_eq!(floored, Err(ReleaseRefused::Withdrawn { got: 19, floor: 20 }), "root has a floor");
}

#[test]
fn a9_what_was_stored_without_its_signers_is_verified_anew() {
    let fleet = Fleet::new();
    let published = fleet.release(|_| {});
    let snapshot = snapshot(&fleet, &fleet.trust, &published);
    let seen = MinSeqs::default();
    let verified = snapshot.release(&fleet.trust, &service(), &published.envelope, &seen).unwrap();
    let mut stored = serde_json::to_value(verified.record()).unwrap();
    let members = stored.as_object_mut().unwrap();
    members.remove("seq");
    members.remove("signers");
    let record = serde_json::from_value(stored).unwrap();
    assert!(snapshot.readmit(&fleet.trust, &record, &seen).is_err());
}

#[test]
fn a3_a_min_seq_that_a_dropped_key_drove_out_of_reach_keeps_no_later_one_from_counting() {
    let fleet = Fleet::new();
    let mut seen = MinSeqs::default();
    let far = fleet.release(|release| (release.seq, release.min_seq) = (u64::MAX, u64::MAX));
    let taken = snapshot(&fleet, &fleet.trust, &far);
    seen.raise(&taken.release(&fleet.trust, &service(), &far.envelope, &seen).unwrap());

    let new_key = SigningKey::random();
    let trust = republished(&fleet, &new_key);
    let signed = |seq, min_seq| {
        let published = fleet.release(|release| (release.seq, release.min_seq) = (seq, min_seq));
        let envelope = Envelope::sign(&published.release, &[&new_key]).to_bytes();
        Published { envelope, ..published }
    };
    let newer = signed(20, 20);
    let taken = snapshot(&fleet, &trust, &newer);
    seen.raise(&taken.release(&trust, &service(), &newer.envelope, &seen).unwrap());
    let older = signed(19, 0);
    let refused =
        snapshot(&fleet, &trust, &older).release(&trust, &service(), &older.envelope, &seen).unwrap_err();
    assert_eq!(refused, ReleaseRefused::Withdrawn { got: 19, floor: 20 });
}

/// Two publishers' keys, one of which is replaced: what both have signed, and what the other has, still holds.
#[test]
fn a2_a3_a_floor_that_a_key_has_signed_which_stays_outlives_one_that_goes() {
    let fleet = Fleet::new();
    let [stays, goes] = std::array::from_fn(|_| SigningKey::random());
    let with = |keys: &[&SigningKey]| {
        let keys = keys.iter().map(|key| key.public()).collect();
        let next = fleet.next_root(|root| {
            root.roles.release.insert("default".parse().unwrap(), Role { keys, threshold: 1 });
        });
        fleet.trust.advance(&Envelope::sign(&next, &[&fleet.root_key]).to_bytes()).unwrap()
    };
    let (both, one) = (with(&[&stays, &goes]), with(&[&stays]));
    let signed = |seq, min_seq, keys: &[&SigningKey]| {
        let published = fleet.release(|release| (release.seq, release.min_seq) = (seq, min_seq));
        Published { envelope: Envelope::sign(&published.release, keys).to_bytes(), ..published }
    };
    let older = signed(100, 0, &[&stays]);
    let refused = |trust: &Trust, seen: &MinSeqs| {
        snapshot(&fleet, trust, &older).release(trust, &service(), &older.envelope, seen).err()
    };
    let see = |seen: &mut MinSeqs, seq, keys: &[&SigningKey]| {
        let published = signed(seq, seq, keys);
        let taken = snapshot(&fleet, &both, &published);
        seen.raise(&taken.release(&both, &service(), &published.envelope, seen).unwrap());
    };
    let below = |floor| Some(ReleaseRefused::Withdrawn { got: 100, floor });
    let mut seen = MinSeqs::default();
    see(&mut seen, 200, &[&stays, &goes]);
    assert_eq!([refused(&both, &seen), refused(&one, &seen)], [below(200), below(200)]);
    let mut seen = MinSeqs::default();
    see(&mut seen, 200, &[&stays]);
    see(&mut seen, 300, &[&goes]);
    assert_eq!([refused(&both, &seen), refused(&one, &seen)], [below(300), below(200)]);
    let mut seen = MinSeqs::default();
    see(&mut seen, 300, &[&goes]);
    assert_eq!([refused(&both, &seen), refused(&one, &seen)], [below(300), None]);
}

#[test]
fn l5_what_is_remembered_of_min_seqs_is_bounded_and_the_lowest_of_those_not_needed_go_first() {
    let seqs = [("p/a", 3), ("p/b", 1), ("p/c", 2), ("p/d", 4)];
    let json: serde_json::Map<_, _> = seqs
        .into_iter()
        .map(|(name, seq)| (name.to_owned(), serde_json::json!([{"seq": seq, "signers": []}])))
        .collect();
    let mut seen: MinSeqs = serde_json::from_value(json.into()).unwrap();
    let left = |seen: &MinSeqs| {
        let left = serde_json::to_value(seen).unwrap();
        left.as_object().unwrap().keys().map(|name| name[2..].to_owned()).collect::<String>()
    };
    seen.trim(4, |_| false);
    assert_eq!(left(&seen), "abcd");
    seen.trim(2, |service| service.name() == "b");
    assert_eq!(left(&seen), "bd");
    seen.trim(0, |service| service.name() == "b");
    assert_eq!(left(&seen), "b");
}

#[test]
fn a1_every_bent_byte_of_stored_content_is_refused_before_it_is_decoded() {
    let fleet = Fleet::new();
    let published = fleet.release(|_| {});
    let snapshot = snapshot(&fleet, &fleet.trust, &published);
    let verified =
        snapshot.release(&fleet.trust, &service(), &published.envelope, &MinSeqs::default()).unwrap();
    let place = verified.encodings()[0];
    for at in 0..published.stored.len() {
        let mut bent = published.stored.clone();
        bent[at] ^= 1;
        let refused = verified.open(&place, &bent, Limits::DEFAULT).unwrap_err();
        assert!(matches!(refused, ContentRefused::Stored { .. }), "byte {at}: {refused}");
    }
}

#[test]
fn stored_bytes_that_unpack_to_another_tar_than_was_signed_are_refused() {
    let fleet = Fleet::new();
    for (change, why) in [
        ((|release| release.bundle = Digest::of(b"x")) as fn(&mut cdn::document::Release), "digest"),
        (|release| release.length += 1, "length"),
        (|release| release.length -= 1, "length"),
        (|release| release.length = u64::MAX, "length"),
    ] {
        let published = fleet.release(change);
        let snapshot = snapshot(&fleet, &fleet.trust, &published);
        let verified =
            snapshot.release(&fleet.trust, &service(), &published.envelope, &MinSeqs::default()).unwrap();
        let refused =
            verified.open(&verified.encodings()[0], &published.stored, Limits::DEFAULT).unwrap_err();
        let expected = matches!(
            refused,
            ContentRefused::Decode(
                DecodeRefused::Mismatch { .. } | DecodeRefused::TooShort { .. } | DecodeRefused::TooLong(_)
            )
        );
        assert!(expected, "{why}: {refused}");
    }
}

#[test]
fn an_edited_tar_on_disk_does_not_reopen() {
    let fleet = Fleet::new();
    let published = fleet.release(|_| {});
    let snapshot = snapshot(&fleet, &fleet.trust, &published);
    let verified =
        snapshot.release(&fleet.trust, &service(), &published.envelope, &MinSeqs::default()).unwrap();
    let mut bent = published.tar.clone();
    bent[600] ^= 1;
    assert!(verified.record().reopen(bent, Limits::DEFAULT).is_err());
    assert!(verified.record().reopen(published.tar[..512].to_vec(), Limits::DEFAULT).is_err());
}
