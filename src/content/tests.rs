use origins::Origin;
use program::http::{Client, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::*;

/// Remembers how many bytes it was told of last.
struct Told(watch::Sender<u64>);

impl Progress for Told {
    fn step(&self, _what: &str) {}

    fn bytes(&self, done: u64, _of: Option<u64>) {
        self.0.send_replace(done);
    }

    fn finish(&self, _what: &str) {}
}

/// Sends half of a body, and the rest only when that half was told of.
async fn answer(listener: TcpListener, body: &[u8], mut told: watch::Receiver<u64>) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    let _asked = stream.read(&mut [0; 4_096]).await?;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    let (first, rest) = body.split_at(body.len() / 2);
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(first).await?;
    let half = first.len() as u64;
    told.wait_for(|told| *told == half).await.expect("the download goes on");
    stream.write_all(rest).await
}

#[tokio::test]
async fn bytes_are_told_while_they_come() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    let client = Client::new(&Settings::new("test")).expect("a client");
    let origins = Origins::new(vec![url.parse::<Origin>().expect("an origin")], client);
    let body = vec![7; 2_000];
    let stored = Stored { encoding: Encoding::Zst, digest: Digest::of(&body), length: 2_000 };
    let (tell, told) = watch::channel(0);
    let progress = Told(tell);
    let (fetched, sent) = tokio::join!(fetch(&origins, &stored, &progress), answer(listener, &body, told));
    sent.expect("the whole was sent");
    assert_eq!(fetched.expect("it came"), body);
}
