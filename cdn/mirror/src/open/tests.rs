use std::net::IpAddr;

use super::{Seen, gives_way};

/// Connections in order, each with the last part of its host's address and since when it is idle.
fn check(connections: &[(u8, Option<u64>)], expected: Option<u64>) {
    let seen = |(number, (host, idle_since)): (u64, &(u8, Option<u64>))| Seen {
        number,
        host: IpAddr::from([192, 0, 2, *host]),
        idle_since: *idle_since,
    };
    let seen: Vec<Seen> = (0..).zip(connections).map(seen).collect();
    assert_eq!(gives_way(&seen), expected, "{connections:?}");
}

#[test]
fn the_longest_idle_gives_way_and_nobody_who_is_being_served() {
    check(&[], None);
    check(&[(1, None), (2, None)], None);
    check(&[(1, Some(30)), (2, Some(10)), (3, Some(20))], Some(1));
    check(&[(1, None), (2, Some(40))], Some(1));
}

#[test]
fn a_host_that_keeps_its_many_connections_fresh_gives_way_before_one_with_few() {
    check(&[(1, Some(900)), (2, Some(10)), (1, Some(800)), (1, None)], Some(2));
    // All of the many are being served: then it is another's turn.
    check(&[(1, None), (2, Some(10)), (1, None)], Some(1));
}
