//! From a source to a signed bundle in the store: `Source -> Checkout -> Renderer -> Manifests -> Bundle -> Release -> Head`.
//!
//! In reading order:
//!
//! 1. [`allow`]: what this publisher may render - its own decision;
//! 2. [`source`]: where manifests come from;
//! 3. [`render`]: from a service's description to a bundle;
//! 4. [`manifests`]: YAML read as kubectl reads it, and the checks that every bundle must pass;
//! 5. [`release`]: content, release and head in the store, step by step;
//! 6. [`Publisher::publish`]: all of it for one service; [`run`]: for all that the api wants, again and again.

pub mod allow;
pub mod api;
mod child;
mod daemon;
mod glob;
pub mod manifests;
mod memory;
mod meters;
mod once;
mod public;
mod publish;
mod publisher;
mod refusals;
pub mod release;
pub mod render;
mod renderer;
mod settings;
pub mod source;
mod sweep;
pub mod trust;
mod words;

pub use child::sandbox::Confinement;
pub use daemon::{run, run_woken};
pub use glob::Glob;
pub use once::{OnceArgs, OnceError};
pub use public::NotPublic;
pub use publish::{PublishError, Published};
pub use publisher::Publisher;
pub use renderer::{RendererArgs, RendererWord};
pub use settings::{ProgramArgs, Settings};
