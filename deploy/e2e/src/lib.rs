//! All programs as separate processes on real parts, driven as an operator drives them: through `windlass`.
//!
//! A [`Rig`] is a whole fleet: keys, api, publisher, store and what serves it; [`Rig::full`] has SeaweedFS, nginx,
//! PostgreSQL and a real control plane, [`Rig::embedded`] a folder, the mirror, SQLite and folders as sites. A
//! [`Site`] is an agent with its target. A [`Repository`] is where manifests come from. Between any two programs
//! stands a [`Wire`]: it counts and keeps what is said, and lies when told to.
//!
//! Nothing here sleeps in the hope that something has happened by then: [`until`] waits for what is to happen, and says what happened instead.

mod command;
mod content;
mod fleet;
mod history;
mod operator;
mod programs;
mod repository;
mod rig;
mod site;
mod target;
mod until;
mod wire;

pub use command::Said;
pub use content::Content;
pub use fleet::Service;
pub use history::History;
pub use operator::Operator;
pub use programs::{Bin, Programs};
pub use repository::{Repository, example};
pub use rig::{Database, Part, Rig};
pub use site::{Site, SiteOptions};
pub use target::{Id, Target};
pub use until::until;
pub use wire::{Exchange, Reply, Wire};
