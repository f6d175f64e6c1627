//! What the writing side promises: one behaviour, held by one suite that runs on a folder and on a real S3 server; and
//! what is particular to each.
#![expect(clippy::unwrap_used, reason = "a set-up that fails is a test that fails")]
#![expect(clippy::disallowed_methods, reason = "a writer beside a reader is a task of its own")]

mod bench;
mod both;
mod crash;
mod directory;
mod far;
mod s3;
