//! What the reading side promises, tried against a real nginx, a proxy that cuts and stalls, and servers that lie.
#![expect(clippy::unwrap_used, reason = "a set-up that fails is a test that fails")]

mod content;
mod counted;
mod credentials;
mod documents;
mod far;
mod lies;
mod lines;
mod order;
mod site;
