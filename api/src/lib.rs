//! The control plane: which digest should each cluster run. No manifest byte passes through it.
//!
//! In reading order:
//!
//! 1. [`settings`], `start`: what a process is given, and what it opens with it;
//! 2. `front`: the listener, and the poll, which is answered from `table` alone;
//! 3. [`routes`]: every route with its bodies, one file a noun; `auth`, `extract`, [`error`]: what they share;
//! 4. `nouns`: what all layers speak of; `db`: SQL beside its noun, for SQLite and PostgreSQL alike;
//! 5. `assign`: the pure decision, and `pass`, which makes it real;
//! 6. `desired`: what is signed; `reports`, `loops`: what happens on the way back and without being asked.

mod app;
mod assign;
mod auth;
pub mod clock;
mod db;
mod desired;
pub mod error;
mod extract;
mod follow;
mod front;
mod id;
mod limiter;
mod loops;
mod meters;
mod nouns;
mod pass;
mod recent;
mod reports;
mod roots;
pub mod routes;
pub mod selector;
pub mod settings;
mod start;
mod table;

pub use clock::Clock;
pub use settings::Settings;
pub use start::{Running, inspect, run, start};
