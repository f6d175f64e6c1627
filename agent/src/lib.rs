//! From desired to running, in one cluster.
//!
//! Three loops that never wait for each other: `poll` (network), `sync` (local), `report` (network). In reading order:
//! `settings`, `outside` (what they name; `inspect` looks into it), `join` and `identity`; `state` (what is believed, on
//! disk); `poll` makes `wanted`; `sync` observes a `target`, asks the `plan` - pure, it holds every decision - and acts;
//! `inventory` is what is ours; `status` is what we say of it.

pub mod kubernetes;
pub mod settings;
pub mod target;

mod agent;
mod api;
mod checked;
mod directory;
mod disk;
mod held;
mod identity;
mod inspect;
mod inventory;
mod join;
mod meters;
mod outcome;
mod outside;
mod plan;
mod poll;
mod ready;
mod report;
mod state;
mod status;
mod sync;
mod wanted;

pub use agent::{Agent, run};
pub use settings::Settings;
pub use status::Status;

/// What this program calls itself on every wire.
pub(crate) const USER_AGENT: &str = concat!("windlass-agent/", env!("CARGO_PKG_VERSION"));
