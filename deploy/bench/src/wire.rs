//! One HTTP/1.1 request per connection, to set a scene with; what is measured goes through [`crate::load`].

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Just enough HTTP/1.1 to set the scene: one request per connection.
pub(crate) struct Client {
    /// `host:port`.
    pub(crate) address: String,
}

impl Client {
    /// Sends one request; gives the answer's ETag and body.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        bearer: &str,
        body: &str,
    ) -> Result<(String, String)> {
        let mut stream = TcpStream::connect(&self.address).await.context("connect")?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {bearer}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.context("send")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.context("read the answer")?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a head")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        ensure!(status.starts_with('2'), "{path} answered {status}: {body}");
        let etag = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().starts_with("etag:").then(|| line[5..].trim()));
        Ok((etag.unwrap_or_default().to_owned(), body.to_owned()))
    }
}
