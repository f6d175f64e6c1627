//! One GET over a fresh connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(of, _)| of.eq_ignore_ascii_case(name))
            .map(|it| it.1)
    }
}

pub(crate) async fn get(url: &str) -> io::Result<Answer> {
    get_with(url, "").await
}

/// With lines of headers, each ended by `\r\n`. What has come before an error is lost.
pub(crate) async fn get_with(url: &str, headers: &str) -> io::Result<Answer> {
    let (url, headers) = (url.to_owned(), headers.to_owned());
    tokio::task::spawn_blocking(move || ask(&url, &headers)).await?
}

fn ask(url: &str, headers: &str) -> io::Result<Answer> {
    let (host, path) = url.trim_start_matches("http://").split_once('/').unwrap_or((url, ""));
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end =
        answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(|| io::Error::other("no head"))?;
    let body = answer.split_off(end + 4);
    let head = String::from_utf8_lossy(&answer).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(Answer { status: status.ok_or_else(|| io::Error::other("no status"))?, head, body })
}
