use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Connections, Held};

const IDLE: Duration = Duration::from_mins(10);

async fn hold(all: &Arc<Connections>, drain: &CancellationToken) -> Held {
    all.hold(all.place().await.unwrap(), drain)
}

fn closed(held: &Held) -> bool {
    held.close.is_cancelled()
}

#[tokio::test]
async fn at_the_bound_the_longest_idle_gives_way() {
    let (all, drain) = (Arc::new(Connections::new(2, IDLE)), CancellationToken::new());
    let (first, second) = (hold(&all, &drain).await, hold(&all, &drain).await);
    first.activity.used.store(20, Ordering::Relaxed);
    second.activity.used.store(10, Ordering::Relaxed);
    all.close_idle();
    assert_eq!([closed(&first), closed(&second)], [false, true]);
    // One that ends is not chosen again, though it is counted until it is gone.
    all.close_idle();
    assert_eq!([closed(&first), closed(&second)], [true, true]);
}

#[tokio::test]
async fn of_those_that_were_used_in_one_millisecond_the_oldest_gives_way() {
    let (all, drain) = (Arc::new(Connections::new(8, IDLE)), CancellationToken::new());
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(hold(&all, &drain).await);
    }
    for one in &held {
        one.activity.used.store(20, Ordering::Relaxed);
    }
    for nth in 1..=8 {
        all.close_idle();
        let ended: Vec<bool> = held.iter().map(closed).collect();
        assert!(ended[..nth].iter().all(|it| *it) && !ended[nth..].contains(&true), "{ended:?}");
    }
}

#[tokio::test]
async fn h10_one_that_is_ending_counts_until_it_is_gone() {
    let (all, drain) = (Arc::new(Connections::new(8, IDLE)), CancellationToken::new());
    let mut held = Vec::new();
    for _ in 0..9 {
        held.push(hold(&all, &drain).await);
    }
    assert_eq!(held.iter().filter(|one| closed(one)).count(), 1);
    assert!(all.places.clone().try_acquire_owned().is_err(), "nine places, and nine are taken");
    held.retain(|one| !closed(one));
    held.push(hold(&all, &drain).await);
    assert_eq!(held.iter().filter(|one| closed(one)).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn h10_a_connection_that_is_held_for_nothing_is_ended() {
    let (all, drain) = (Arc::new(Connections::new(8, IDLE)), CancellationToken::new());
    let (mute, deaf, slow, polls) = (
        hold(&all, &drain).await,
        hold(&all, &drain).await,
        hold(&all, &drain).await,
        hold(&all, &drain).await,
    );
    let now = |seconds| async move { tokio::time::advance(Duration::from_secs(seconds)).await };
    for held in [&deaf, &slow, &polls] {
        held.used().now();
    }
    let (_never_read, read) = (deaf.used().flight(), slow.used().flight());
    let seen = |all: &Connections| {
        all.sweep();
        [&mute, &deaf, &slow, &polls].map(closed)
    };
    now(15).await;
    assert_eq!(seen(&all), [false; 4]);
    now(15).await;
    read.moved();
    assert_eq!(seen(&all), [true, false, false, false], "no request came");
    now(45).await;
    assert_eq!(seen(&all), [true, true, false, false], "its client does not read");
    drop(read);
    polls.used().now();
    now(599).await;
    assert_eq!(seen(&all), [true, true, true, false], "it was idle");
    now(2).await;
    assert_eq!(seen(&all), [true; 4]);
}
