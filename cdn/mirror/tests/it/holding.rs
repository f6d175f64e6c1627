//! Clients that hold a connection for nothing, a mirror that ends, and memory.

use std::time::{Duration, Instant};

use cdn::Key;
use mirror::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bench::{Bench, LARGE, clients, until};

fn short() -> Limits {
    let limit = Duration::from_millis(500);
    Limits { head: limit, idle: limit, stall: limit, drain: Duration::from_secs(10), ..Limits::default() }
}

/// How long a connection lives on which these bytes are sent, and nothing more.
async fn lives(bench: &Bench, said: &[u8]) -> Duration {
    let mut stream = TcpStream::connect(bench.address()).await.unwrap();
    let begun = Instant::now();
    stream.write_all(said).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end as well.
    stream.read_to_end(&mut answer).await.unwrap_or_default();
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a7_who_says_nothing_or_never_ends_a_request_is_cut_off() {
    let bench = Bench::limited(short()).await;
    let never_ending: [&[u8]; 4] =
        [b"", b"G", b"GET /v1/root/1.json HTTP/1.1\r\nHost: x\r\nX-", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
    for said in never_ending {
        let lived = lives(&bench, said).await;
        assert!(lived < Duration::from_secs(5), "{lived:?} after {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_connection_without_requests_is_closed() {
    let bench = Bench::limited(short()).await;
    let lived = lives(&bench, b"GET /v1/root/1.json HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(lived > Duration::from_millis(300) && lived < Duration::from_secs(5), "{lived:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_much_and_does_not_read_is_cut_off_without_costing_memory() {
    let bench = Bench::limited(short()).await;
    let key = bench.large();
    let before = program::usage::resident_bytes().unwrap();
    let mut idlers = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(bench.address()).await.unwrap();
        stream.write_all(format!("GET {key} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        idlers.push(stream);
    }
    until("all are answered", || bench.served.figures().whole == 20).await;
    let grown = program::usage::resident_bytes().unwrap().saturating_sub(before);
    assert!(grown < 60 << 20, "{grown} bytes of memory for 20 answers of 60 MiB");
    // Nothing can be seen of a connection that is being watched: only time tells.
    tokio::time::sleep(short().stall + Duration::from_secs(3)).await;
    for mut stream in idlers {
        let mut sink = vec![0; 1 << 20];
        let mut read = 0;
        while let Ok(more @ 1..) = stream.read(&mut sink).await {
            read += more as u64;
        }
        assert!(read < LARGE, "it got all of it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_without_end_is_refused() {
    let bench = Bench::start().await;
    let mut stream = TcpStream::connect(bench.address()).await.unwrap();
    let head = format!("GET /v1/root/1.json HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    // It may hang up before it has heard all of it.
    stream.write_all(head.as_bytes()).await.unwrap_or_default();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap_or_default();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_eq!(bench.served.figures().responses(), 0);
}

/// A connection on which this was asked for, and nothing is read yet.
async fn asking(bench: &Bench, key: &Key) -> TcpStream {
    let mut stream = TcpStream::connect(bench.address()).await.unwrap();
    stream.write_all(format!("GET {key} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i13_connections_beyond_the_limit_wait_while_all_are_being_served() {
    let bench = Bench::limited(Limits { connections: 2, ..Limits::default() }).await;
    let key = bench.large();
    let mut streams = [asking(&bench, &key).await, asking(&bench, &key).await, asking(&bench, &key).await];
    until("two are answered", || bench.served.figures().whole == 2).await;
    let mut byte = [0];
    let third = tokio::time::timeout(Duration::from_millis(300), streams[2].read(&mut byte)).await;
    assert!(third.is_err(), "the third waits");
    let [first, _second, _third] = streams;
    drop(first);
    until("the third is answered", || bench.served.figures().whole == 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i13_a_host_that_keeps_every_place_for_nothing_does_not_shut_the_others_out() {
    let bench = Bench::limited(Limits { connections: 4, ..Limits::default() }).await;
    let key = bench.object(b"content");
    let mut keepers = Vec::new();
    for asked in 1..=4 {
        keepers.push(asking(&bench, &key).await);
        until("it is answered", || bench.served.figures().whole == asked).await;
    }
    for asked in 5..=14 {
        keepers.push(asking(&bench, &key).await);
        until("another one is answered", || bench.served.figures().whole == asked).await;
    }
    let mut answer = Vec::new();
    let first = tokio::time::timeout(Duration::from_secs(10), keepers[0].read_to_end(&mut answer)).await;
    assert!(first.is_ok(), "the one that was idle longest is closed");
    assert!(answer.ends_with(b"content"), "and what it had asked for is whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i12_what_is_under_way_is_finished_and_nothing_new_is_taken() {
    let mut bench = Bench::limited(Limits { drain: Duration::from_secs(30), ..Limits::default() }).await;
    let key = bench.large();
    let [one, two] = clients();
    let mut answers =
        [bench.get(&one, &key).send().await.unwrap(), bench.get(&two, &key).send().await.unwrap()];
    bench.stop.cancel();
    let address = bench.address();
    until("nothing new is taken", || std::net::TcpStream::connect(address).is_err()).await;
    for answer in &mut answers {
        let mut read = 0;
        while let Some(chunk) = answer.chunk().await.unwrap() {
            read += chunk.len() as u64;
        }
        assert_eq!(read, LARGE);
    }
    let begun = Instant::now();
    bench.stopped().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "idle connections do not hold the end back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i12_a_client_that_does_not_read_cannot_hold_the_end_back() {
    let limits = Limits { drain: Duration::from_millis(300), ..Limits::default() };
    let mut bench = Bench::limited(limits).await;
    let key = bench.large();
    let mut stream = TcpStream::connect(bench.address()).await.unwrap();
    stream.write_all(format!("GET {key} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    until("it is answered", || bench.served.figures().whole == 1).await;
    let begun = Instant::now();
    bench.stopped().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
