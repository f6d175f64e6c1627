//! One request on its way to the server, and its answer on the way back.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use program::http::Bounds;

use super::{Exchange, Line, Reply, held};

/// Far above what any of the programs says at once.
const MOST_BYTES: usize = 128 << 20;
const PATIENCE: Duration = Duration::from_mins(1);

impl Line {
    /// An error closes the connection without an answer: so it looks when the server is not there.
    pub(super) async fn exchange(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let asked =
            Limited::new(body, MOST_BYTES).collect().await.map_err(anyhow::Error::from_boxed)?.to_bytes();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let mut forward = program::http::Request::new(head.method.clone(), format!("{}{path}", self.server));
        for (name, value) in to_pass(&head.headers) {
            let value = value.to_str().with_context(|| format!("the header {name} is not text"))?;
            forward = forward.header(name.clone(), value);
        }
        if !asked.is_empty() {
            forward = forward.body(asked.clone());
        }
        let answer = self.client.fetch(forward, Bounds::new(MOST_BYTES as u64, PATIENCE)).await?;
        let reply = Reply {
            status: answer.status.as_u16(),
            headers: to_pass(&answer.headers).map(|(name, value)| (name.clone(), value.clone())).collect(),
            body: answer.body.to_vec(),
        };
        let mut exchange = Exchange {
            method: head.method.to_string(),
            path,
            headers: head.headers,
            asked: asked.to_vec(),
            reply,
            lied: false,
        };
        let lie = held(&self.lie).as_ref().map(Arc::clone);
        let other = lie.and_then(|lie| lie(&exchange));
        exchange.lied = other.is_some();
        let said = other.unwrap_or_else(|| exchange.reply.clone());
        held(&self.exchanges).push(exchange);
        said.into_response()
    }
}

impl Reply {
    /// The same answer with another body.
    #[must_use]
    pub fn with(&self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self.clone() }
    }

    fn into_response(self) -> Result<Response<Full<Bytes>>> {
        let mut response = Response::builder().status(self.status);
        if let Some(headers) = response.headers_mut() {
            *headers = self.headers;
        }
        response.body(Full::new(self.body.into())).context("an answer of the wire")
    }
}

/// All headers but those that belong to one connection, or that the next side writes itself.
fn to_pass(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    let own = [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
    headers.iter().filter(move |(name, _)| !own.contains(name))
}
