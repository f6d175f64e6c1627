//! The front door: TLS, HTTP/2, and bounds on what strangers send.

use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::fleet::Fleet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_speaks_tls_and_http_2() {
    let mut fleet = Fleet::on_sqlite().await;
    fleet.stop().await;
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(fleet.path("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(fleet.path("key.pem"), key.serialize_pem()).unwrap();
    let flags = [("--tls-certificate-file", "cert.pem"), ("--tls-key-file", "key.pem")]
        .map(|(flag, file)| format!("{flag}={}", fleet.path(file).display()));
    fleet.start(&[&flags[0], &flags[1]]).await;
    fleet.url = fleet.url.replace("http://127.0.0.1", "https://localhost");
    let authority = reqwest::Certificate::from_pem(certificate.pem().as_bytes()).unwrap();
    fleet.http = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build().unwrap();
    let mut agent = fleet.join("site-1", json!({})).await;
    agent.has_news(&fleet).await;
    agent.has_no_news(&fleet).await;
    let answer = fleet.http.get(format!("{}/v1/openapi.json", fleet.url)).send().await.unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert!(answer.headers().contains_key("x-request-id"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h10_endless_headers_are_cut() {
    let fleet = Fleet::on_sqlite().await;
    let address = fleet.url.strip_prefix("http://").unwrap();
    for (header, count) in [("a".repeat(100), 10_000), ("b".repeat(100_000), 1)] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let headers: Vec<String> = (0..count).map(|n| format!("x-{n}: {header}")).collect();
        let request = format!("GET /v1/desired HTTP/1.1\r\nhost: x\r\n{}\r\n", headers.join("\r\n"));
        // The server may hang up before it has read all of it.
        let _cut: std::io::Result<()> = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _reset: std::io::Result<usize> = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    fleet.get("/v1/whoami").await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h10_beyond_the_bound_the_longest_idle_connection_is_closed() {
    let mut fleet = Fleet::on_sqlite().await;
    fleet.stop().await;
    fleet.start(&["--max-connections=16"]).await;
    let address = fleet.url.strip_prefix("http://").unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    let request = b"GET /v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
    idle.write_all(request).await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let mut others = Vec::new();
    for _ in 0..16 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream.read_exact(&mut first).await.unwrap();
        others.push(stream);
    }
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(30), idle.read_to_end(&mut rest)).await;
    ended.unwrap_or_else(|_| panic!("it is open after {} bytes more", rest.len())).unwrap();
}

/// A client that speaks HTTP/2, asks for something, gives no room for the answer, and only answers pings.
async fn deaf(address: &str) -> TcpStream {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    let path = b"/v1/openapi.json";
    let head =
        [&[0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()], &path[..], &[0x01, 0x01, b'x']].concat();
    let request = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        // INITIAL_WINDOW_SIZE 0, the settings acknowledged, and a whole request.
        frame(0x4, 0, 0, &[0, 4, 0, 0, 0, 0]),
        frame(0x4, 1, 0, &[]),
        frame(0x1, 0x5, 1, &head),
    ]
    .concat();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&request).await.unwrap();
    stream
}

/// Answers pings until the other side hangs up.
async fn pong(mut stream: TcpStream) {
    let mut head = [0; 9];
    while stream.read_exact(&mut head).await.is_ok() {
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        if stream.read_exact(&mut payload).await.is_err() {
            return;
        }
        if head[3] == 0x6 && head[4] & 1 == 0 {
            head[4] |= 1;
            let _gone: std::io::Result<()> = stream.write_all(&[&head[..], &payload].concat()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h10_no_more_connections_stay_open_than_the_bound_whatever_their_clients_do() {
    let mut fleet = Fleet::on_sqlite().await;
    fleet.stop().await;
    fleet.start(&["--max-connections=16"]).await;
    let address = fleet.url.strip_prefix("http://").unwrap().to_owned();
    let mut open = JoinSet::new();
    for _ in 0..24 {
        open.spawn(pong(deaf(&address).await));
    }
    let ended = tokio::time::timeout(Duration::from_mins(1), async {
        while open.len() > 16 {
            open.join_next().await.unwrap().unwrap();
        }
    });
    ended.await.expect("those beyond the bound are closed, though they never read");
    fleet.get("/v1/whoami").await.ok();
}
