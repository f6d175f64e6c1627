//! A load generator: keep-alive HTTP/1.1 connections that send one prepared request each, again and again.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Sends the prepared requests over one connection each for a while; returns how many were answered, every one of them
/// with `expected` as its status.
pub(crate) async fn run(address: &str, requests: Vec<String>, time: Duration, expected: u16) -> Result<u64> {
    let until = Instant::now() + time;
    let mut connections = JoinSet::new();
    for request in requests {
        let address = address.to_owned();
        connections.spawn(async move { connection(&address, request.as_bytes(), until, expected).await });
    }
    let mut answered = 0;
    while let Some(count) = connections.join_next().await {
        answered += count.context("a connection's task")??;
    }
    Ok(answered)
}

async fn connection(address: &str, request: &[u8], until: Instant, expected: u16) -> Result<u64> {
    let mut stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
    stream.set_nodelay(true).context("send at once")?;
    let wanted = format!("HTTP/1.1 {expected} ");
    let mut answer = Vec::with_capacity(2048);
    let mut count = 0;
    while Instant::now() < until {
        stream.write_all(request).await.context("send a request")?;
        answer.clear();
        // A 304 has no body (RFC 9110, 15.4.5): its end is the end of its head.
        while !answer.ends_with(b"\r\n\r\n") {
            let read = stream.read_buf(&mut answer).await.context("read an answer")?;
            ensure!(read > 0, "{address} closed the connection after {count} answers");
        }
        let head = String::from_utf8_lossy(&answer);
        ensure!(head.starts_with(&wanted), "{address} answered: {}", head.lines().next().unwrap_or_default());
        count += 1;
    }
    Ok(count)
}
