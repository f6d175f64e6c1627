use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::super::connections::Connections;
use super::speak;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

async fn is_answered(client: &mut DuplexStream) -> bool {
    client.write_all(REQUEST).await.is_ok() && client.read_u8().await.is_ok()
}

/// Lets a time pass as the listener does: a look every five seconds.
async fn pass(all: &Connections, time: Duration) {
    for _ in 0..time.as_secs() / 5 {
        tokio::time::sleep(Duration::from_secs(5)).await;
        all.sweep();
    }
}

#[tokio::test(start_paused = true)]
async fn an_http_1_connection_stays_warm_between_polls_and_not_for_ever() {
    let (minute, drain) = (Duration::from_mins(1), CancellationToken::new());
    let all = Arc::new(Connections::new(8, 5 * minute));
    let (mut client, server) = tokio::io::duplex(4_096);
    let held = all.hold(all.place().await.unwrap(), &drain);
    let mut tasks = JoinSet::new();
    let peer = "127.0.0.1:1".parse().unwrap();
    tasks.spawn(speak(server, peer, held, |_, _| async { Response::new(Body::empty()) }));
    for _ in 0..3 {
        assert!(is_answered(&mut client).await);
        let mut said = Vec::new();
        while !said.ends_with(b"\r\n\r\n") {
            said.push(client.read_u8().await.unwrap());
        }
        pass(&all, 2 * minute).await;
    }
    pass(&all, 5 * minute).await;
    assert!(!is_answered(&mut client).await);
}

#[tokio::test(start_paused = true)]
async fn h10_a_head_that_never_ends_is_not_waited_for() {
    let (all, drain) = (Arc::new(Connections::new(8, Duration::from_mins(5))), CancellationToken::new());
    let (mut client, server) = tokio::io::duplex(4_096);
    let held = all.hold(all.place().await.unwrap(), &drain);
    let mut tasks = JoinSet::new();
    let peer = "127.0.0.1:1".parse().unwrap();
    tasks.spawn(speak(server, peer, held, |_, _| async { Response::new(Body::empty()) }));
    client.write_all(&REQUEST[..20]).await.unwrap();
    pass(&all, Duration::from_secs(40)).await;
    assert_eq!(client.read(&mut [0; 16]).await.unwrap_or(0), 0);
}
