//! The command line as a user runs it: the real program, its exit codes, and what it prints where.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod content;
mod documents;
mod fleet;
mod help;
mod keys;
mod publish;
mod rollout;
mod rotate;
mod secrets;
mod several;
mod shown;
mod tidy;
mod user;
mod verify;
