//! Bodies between programs.

use cdn::Digest;
use cdn::document::Desired;
use cdn::envelope::Envelope;
use cdn::wire::{Described, Inline, PollAnswer, Source, Wanted, WantedService};

use crate::fleet::Fleet;

#[test]
fn an_answer_to_a_poll_is_the_envelope_with_small_objects_beside_it() {
    let fleet = Fleet::new();
    let set = Fleet::set(b"release");
    let envelope = Envelope::sign(&fleet.desired(5, &set), &[&fleet.desired_key]);
    let bytes = set.to_bytes();
    let objects = [(Digest::of(&bytes), Inline(bytes))].into();
    let answer = PollAnswer { envelope: envelope.clone(), objects };
    let bytes = serde_json::to_vec(&answer).unwrap();
    let back: PollAnswer = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(back, answer);
    // The body itself is an envelope: the objects beside the signature need no trust and change none.
    assert!(fleet.trust.accept(&bytes, &fleet.me, None).is_ok());
    assert!(Envelope::claim::<Desired>(&bytes).is_ok());
    assert_eq!(back.envelope.to_bytes(), envelope.to_bytes());
}

#[test]
fn an_inline_object_that_is_not_what_its_name_says_is_dropped() {
    let fleet = Fleet::new();
    let envelope = Envelope::sign(&fleet.desired(5, &Fleet::set(b"release")), &[&fleet.desired_key]);
    let objects = [(b"good", b"good".to_vec()), (b"oath", b"other".to_vec())];
    let objects = objects.map(|(promised, bytes)| (Digest::of(promised), Inline(bytes))).into();
    let answer = PollAnswer { envelope, objects };
    let proved = answer.proved();
    assert_eq!(proved.len(), 1);
    assert_eq!(proved[&Digest::of(b"good")], b"good");
}

#[test]
fn a_wanted_service_reads_as_people_write_it() {
    let wanted: WantedService = serde_json::from_str(
        r#"{"name":"default/web","source":{"git":{"url":"https://git.example.com/a.git"}},"path":"plain/web",
            "namespace":"web","renderer":{"helm":{"valueFiles":["values.yaml"],"values":{"n":1}}}}"#,
    )
    .unwrap();
    let Source::Git(git) = wanted.source else { panic!("git") };
    assert_eq!(git.reference, "main");
    let misspelt = r#"{"git":{"url":"x","branch":"main"}}"#;
    assert!(serde_json::from_str::<Source>(misspelt).unwrap_err().to_string().contains("`branch`"));
}

#[test]
fn i8_a_service_in_words_of_a_later_version_costs_nobody_the_list_and_is_passed_on_as_it_came() {
    let list = serde_json::json!({"of": "tomorrow", "services": [
        {"name": "default/a", "source": {"oci": {"url": "x"}}, "namespace": "a"},
        {"name": "default/b", "source": {"directory": {"path": "/b"}}, "namespace": "b", "of": "tomorrow"},
        {"name": "default/c", "source": {"directory": {"path": "/c"}}, "namespace": "c",
            "renderer": {"helm": {"skipCrds": true}}},
    ]});
    let wanted: Wanted = serde_json::from_value(list.clone()).unwrap();
    let known: Vec<_> = wanted.known().map(|service| service.name.to_string()).collect();
    assert_eq!(known, ["default/b"]);
    assert_eq!(wanted.names().count(), 3);
    let Described::Unknown(third) = &wanted.services[2] else { panic!("it is not understood") };
    // An option that is left out would render something else than what is wanted.
    assert!(third.why.contains("`skipCrds`"), "{}", third.why);
    assert_eq!(serde_json::to_value(&wanted.services[2]).unwrap(), list["services"][2]);
}
