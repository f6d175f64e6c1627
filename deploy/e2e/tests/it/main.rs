//! A fleet from end to end: all programs as separate processes, driven through `windlass`.
//!
//! Most scenarios hold for both shapes: `full` (SeaweedFS, nginx, PostgreSQL, a real control plane) and `embedded`
//! (a folder behind the mirror, SQLite, folders as sites).
#![expect(clippy::tests_outside_test_module, reason = "this crate is nothing but tests")]

mod blackout;
mod demo;
mod history;
mod identity;
mod killed;
mod lies;
mod lines;
mod quickstart;
mod refused;
mod small;
mod tamper;
mod walk;
mod wire;
