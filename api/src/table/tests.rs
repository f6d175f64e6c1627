//! The table: what it answers, and what it costs.

use cdn::document::Named;
use cdn::{ClusterId, Digest};

use super::{Ask, Polled, Table};
use crate::db::clusters::slots::SlotRow;
use crate::routes::clusters::ClusterState;

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
        reported_number: 0,
        last_seen: None,
        change: 1,
    }
}

fn ask(etag: Option<Digest>) -> Ask {
    Ask { now_ms: 2_000, half_ms: 43_200_000, start: 0, held_seq: 7, etag }
}

#[test]
fn a_hundred_thousand_clusters_cost_at_most_300_bytes_each() {
    let table = Table::default();
    for n in 0..100_000 {
        table.put(&row(n));
    }
    let each = table.heap_bytes() / 100_000;
    assert!(each <= 300, "{each} bytes a cluster");
}

#[test]
fn an_etag_counts_until_the_assignment_or_the_half_lifetime_changes() {
    let table = Table::default();
    table.put(&row(1));
    let etag = Digest::of(b"payload");
    let Polled::News(view) = table.poll(credential(1), &ask(Some(etag))) else {
        panic!("no ETag was made yet")
    };
    table.set_etag(&view, etag);
    assert!(matches!(table.poll(credential(1), &ask(Some(etag))), Polled::NotModified));
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
    let table = Table::default();
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
fn who_was_seen_is_given_once_and_coarsely() {
    let table = Table::default();
    table.put(&row(1));
    table.poll(credential(1), &Ask { now_ms: 700_000, ..ask(None) });
    assert_eq!(table.seen(600_000), [(id(1), 700_000)]);
    table.poll(credential(1), &Ask { now_ms: 900_000, ..ask(None) });
    assert_eq!(table.seen(600_000), []);
    assert_eq!(table.seen(0), [(id(1), 900_000)]);
}
