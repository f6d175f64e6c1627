//! Just enough HTTP to ask a part on this machine whether it is there: plain `http://`, and the status of the answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A part that is there answers at once.
const PATIENCE: Duration = Duration::from_secs(2);
const LONGEST_STATUS_LINE: u64 = 1_024;

/// The status of the answer; an error when nobody answers in time. Threads, not the runtime's clock: tests may have stopped it.
pub(crate) async fn status(method: &'static str, url: &str) -> io::Result<u16> {
    status_with("", method, url).await
}

/// The same with a body.
pub(crate) async fn status_with(body: &'static str, method: &'static str, url: &str) -> io::Result<u16> {
    let url = url.to_owned();
    tokio::task::spawn_blocking(move || ask(body, method, &url)).await?
}

pub(crate) async fn accepts(address: &str) -> bool {
    let address = address.to_owned();
    tokio::task::spawn_blocking(move || connect(&address).is_ok()).await.unwrap_or(false)
}

fn ask(body: &str, method: &str, url: &str) -> io::Result<u16> {
    let rest =
        url.strip_prefix("http://").ok_or_else(|| io::Error::other(format!("{url} is not plain http")))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = connect(host)?;
    let length = body.len();
    let request =
        format!("{method} /{path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST_STATUS_LINE)).read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::other(format!("{url} answered with `{line}`, which is not HTTP")))
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let address: SocketAddr = address
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::other(format!("{address} is no address")))?;
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}
