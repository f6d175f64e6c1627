//! What a mirror promises, over real sockets: HTTP/1.1, HTTP/2, TLS, behind a CDN, and against clients that hold on.
#![expect(clippy::unwrap_used, reason = "a set-up that fails is a test that fails")]

mod answers;
mod bench;
mod edge;
mod holding;
mod program_itself;
mod tls;
