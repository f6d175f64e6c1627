//! From desired to running, in one cluster.
//!
//! Three loops that never wait for each other: [`poll`] (network), [`sync`] (local), [`report`] (network). In reading
//! order: [`settings`], [`join`] and [`identity`]; [`state`] (what is believed, on disk); [`poll`] makes [`wanted`];
//! [`sync`] observes a [`target`], asks the [`plan`](mod@plan) - pure, it holds every decision - and acts;
//! [`inventory`] is what is ours; [`status`] is what we say of it.

pub mod api;
pub mod directory;
pub mod held;
pub mod identity;
pub mod inventory;
pub mod join;
pub mod kubernetes;
pub mod outcome;
pub mod plan;
pub mod poll;
pub mod report;
pub mod settings;
pub mod state;
pub mod status;
pub mod sync;
pub mod target;
pub mod wanted;

mod agent;
mod disk;
mod meters;

pub use agent::{Agent, run};
pub use settings::Settings;
pub use status::Status;

/// What this program calls itself on every wire.
pub(crate) const USER_AGENT: &str = concat!("windlass-agent/", env!("CARGO_PKG_VERSION"));
