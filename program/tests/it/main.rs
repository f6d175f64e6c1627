//! What a program can rely on at its edge, tried on real sockets, files and processes.
#![expect(clippy::unwrap_used, reason = "a set-up that fails is a test that fails")]
#![expect(clippy::disallowed_methods, reason = "processes are waited for without a runtime")]

mod edge;
mod far;
mod files;
mod http;
mod observe;
mod progress;
mod settings;
mod shutdown;
mod tls;
