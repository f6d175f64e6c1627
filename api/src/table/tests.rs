//! The table: what it answers, and what it costs.

use cdn::document::Named;
use cdn::{ClusterId, Digest};

use super::{Ask, Gaps, Polled, Table};
use crate::db::clusters::slots::{Restart, SlotRow};
use crate::nouns::clusters::ClusterState;
use crate::nouns::terms::Terms;

fn terms(origin: &str) -> Terms {
    Terms { origins: vec![origin.to_owned()], lifetime_ms: 86_400_000 }
}

fn table() -> Table {
    Table::new(terms("a"), Gaps::default())
}

fn credential(n: u128) -> Digest {
    Digest::of(&n.to_be_bytes())
}

fn id(n: u128) -> ClusterId {
    // Ids are random: spread over all bits, as they will be.
    let spread = Digest::of(&n.to_le_bytes()).hex();
    format!("cl-{}", &spread[..32]).parse().unwrap()
}

fn row(n: u128) -> SlotRow {
    SlotRow {
        id: id(n),
        state: ClusterState::Active,
        credential: credential(n),
        next_credential: None,
        seq: 7,
        changed_at: 1_000,
        // A few hundred sets for all.
        set: Some(Named { digest: Digest::of(&(n % 300).to_be_bytes()), length: 500 }),
        values: None,
        extras: String::new(),
        duplicate: false,
        agent_ahead: None,
        ahead_accepted: None,
        agent_start: 0,
        reported_number: 0,
        last_seen: None,
        change: 1,
    }
}

fn ask(etag: Option<Digest>) -> Ask {
    Ask { now_ms: 2_000, start: 0, held_seq: 7, etag }
}

#[test]
fn a_hundred_thousand_clusters_cost_at_most_300_bytes_each() {
    let table = table();
    for n in 0..100_000 {
        table.put(&row(n));
    }
    let each = table.heap_bytes() / 100_000;
    assert!(each <= 300, "{each} bytes a cluster");
}

#[test]
fn an_etag_counts_until_the_assignment_or_the_half_lifetime_changes() {
    let table = table();
    table.put(&row(1));
    let etag = Digest::of(b"payload");
    let Polled::News(view) = table.poll(credential(1), &ask(Some(etag))) else {
        panic!("no ETag was made yet")
    };
    table.set_etag(&view, etag);
    assert!(matches!(table.poll(credential(1), &ask(Some(etag))), Polled::NotModified(held) if held == etag));
    assert!(matches!(table.poll(credential(1), &ask(None)), Polled::News(_)));
    let later = Ask { now_ms: 43_202_000, ..ask(Some(etag)) };
    let Polled::News(view) = table.poll(credential(1), &later) else { panic!("half the lifetime is over") };
    assert_eq!(view.issued_ms, 43_201_000);
    table.put(&SlotRow { seq: 8, ..row(1) });
    assert!(matches!(table.poll(credential(1), &ask(Some(etag))), Polled::News(_)));
    table.set_etag(&view, etag);
    assert!(matches!(table.poll(credential(1), &ask(Some(etag))), Polled::News(_)), "made of the row before");
}

#[test]
fn credentials_come_and_go_with_their_rows() {
    let table = table();
    table.put(&SlotRow { next_credential: Some(credential(2)), ..row(1) });
    assert!(matches!(table.poll(credential(2), &ask(None)), Polled::Next));
    table.put(&SlotRow { credential: credential(2), ..row(1) });
    assert!(matches!(table.poll(credential(1), &ask(None)), Polled::Unknown));
    assert!(matches!(table.poll(credential(2), &ask(None)), Polled::News(_)));
    table.remove(&id(1));
    assert!(matches!(table.poll(credential(2), &ask(None)), Polled::Unknown));
    table.put(&row(3));
    assert!(matches!(table.poll(credential(3), &ask(None)), Polled::News(_)), "in the place that was left");
}

#[test]
fn only_an_active_cluster_that_was_seen_once_can_be_lost() {
    let table = table();
    table.put(&row(1));
    assert_eq!(table.lost(700_000), 0);
    table.poll(credential(1), &Ask { now_ms: 600_000, ..ask(None) });
    assert_eq!((table.lost(600_000), table.lost(600_001)), (0, 1));
    table.put(&SlotRow { state: ClusterState::Revoked, ..row(1) });
    assert_eq!(table.lost(600_001), 0);
}

#[test]
fn who_was_seen_is_given_once_and_coarsely() {
    let table = table();
    table.put(&row(1));
    table.poll(credential(1), &Ask { now_ms: 700_000, ..ask(None) });
    assert_eq!(table.seen(600_000), [(id(1), 700_000)]);
    table.poll(credential(1), &Ask { now_ms: 900_000, ..ask(None) });
    assert_eq!(table.seen(600_000), []);
    assert_eq!(table.seen(0), [(id(1), 900_000)]);
}

#[test]
fn i9_a_sequence_of_a_time_without_writes_is_of_a_database_that_is_lost() {
    let table = Table::new(terms("a"), Gaps::new(vec![(100, 200)]));
    let row = SlotRow { seq: 300, ..row(1) };
    table.put(&row);
    let poll = |held_seq| table.poll(credential(1), &Ask { held_seq, ..ask(None) });
    // The first one is of before, the next three are at the ends and after; however many came in between.
    for issued in [0, 90, 100, 200, 250, 300] {
        assert!(matches!(poll(issued), Polled::News(_)), "{issued}");
    }
    for lost in [101, 199, 301] {
        assert!(matches!(poll(lost), Polled::Ahead(_, true)), "{lost}");
    }
    table.put(&SlotRow { agent_ahead: Some(150), ..row.clone() });
    for held in [0, 150, 300] {
        assert!(matches!(poll(held), Polled::Ahead(_, false)), "the mark stands, whatever is held: {held}");
    }
    table.put(&SlotRow { ahead_accepted: Some(150), ..row.clone() });
    for held in [0, 120, 150, 300] {
        assert!(matches!(poll(held), Polled::News(_)), "a person has looked: {held}");
    }
    assert!(matches!(poll(151), Polled::Ahead(_, true)), "another agent's, or of another backup");
}

#[test]
fn other_terms_are_told_once_all_rows_belong_to_them() {
    let table = table();
    table.put(&row(1));
    let etag = Digest::of(b"payload");
    let Polled::News(view) = table.poll(credential(1), &ask(None)) else { panic!("the first document") };
    table.set_etag(&view, etag);
    table.withhold_unless(&terms("b"));
    table.put(&SlotRow { seq: 8, ..row(1) });
    assert!(matches!(table.poll(credential(1), &ask(Some(etag))), Polled::Withheld));
    table.tell(terms("b"));
    let Polled::News(view) = table.poll(credential(1), &ask(Some(etag))) else { panic!("other terms") };
    assert_eq!((view.seq, &view.terms.origins), (8, &vec!["b".to_owned()]));
}

/// What two replicas hear of each other by the database, as far as one of them sees it.
#[test]
fn d9_a_copy_that_polls_another_replica_is_told_from_a_restart() {
    let table = table();
    let poll = |start| table.poll(credential(1), &Ask { start, ..ask(None) });
    let row_with = |agent_start| table.put(&SlotRow { agent_start, ..row(1) });
    row_with(0);
    assert!(matches!(poll(7), Polled::News(_)));
    let restart = |known, now| vec![Restart { id: id(1), known, now }];
    assert_eq!(table.restarts(), restart(0, 7));
    assert_eq!(table.restarts(), restart(0, 7), "until the row says so");
    row_with(7);
    assert_eq!(table.restarts(), []);
    // Started anew, and then seen by the other replica alone, and here again.
    poll(8);
    row_with(8);
    row_with(9);
    poll(9);
    assert_eq!(table.restarts(), [], "the row says so already");
    assert!(matches!(poll(9), Polled::News(_)));
    // A copy speaks to the other replica, and each of the two comes back.
    for _ in 0..2 {
        row_with(10);
        poll(9);
        assert_eq!(table.restarts(), restart(10, 9));
        row_with(9);
    }
    assert!(matches!(poll(9), Polled::Duplicate(_, true)));
    table.put(&SlotRow { agent_start: 9, duplicate: true, ..row(1) });
    assert!(matches!(poll(9), Polled::Duplicate(_, false)));
    row_with(9);
    assert!(matches!(poll(9), Polled::News(_)), "a person has chosen");
}
