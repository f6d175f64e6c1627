//! A body that counts what it gives, and says when it is done.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::TryStreamExt;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use crate::content::Piece;
use crate::open::Flight;
use crate::served::Served;

/// What is read from a file at once.
const CHUNK: usize = 64 * 1024;

pub(crate) type Inner = BoxBody<Bytes, io::Error>;

/// The body of an answer under way.
pub(crate) struct Counted {
    inner: Inner,
    served: Served,
    flight: Flight,
}

impl Counted {
    pub(crate) fn new(inner: Inner, served: Served, flight: Flight) -> Self {
        Self { inner, served, flight }
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            self.served.sent(bytes);
            self.flight.moved(bytes);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

pub(crate) fn of(piece: Piece) -> Inner {
    match piece {
        Piece::Bytes(bytes) => text(bytes),
        Piece::File(file, count) => {
            let file = tokio::fs::File::from_std(file).take(count);
            StreamBody::new(ReaderStream::with_capacity(file, CHUNK).map_ok(Frame::data)).boxed()
        }
    }
}

pub(crate) fn text(text: impl Into<Bytes>) -> Inner {
    Full::new(text.into()).map_err(|never| match never {}).boxed()
}

pub(crate) fn empty() -> Inner {
    Empty::new().map_err(|never| match never {}).boxed()
}
