//! From a source to a signed bundle in the store: `Source -> Checkout -> Renderer -> Manifests -> Bundle -> Release -> Head`.
//!
//! In reading order:
//!
//! 1. [`allow`]: what this publisher may render - its own decision;
//! 2. [`source`]: where manifests come from;
//! 3. [`render`]: from a service's description to a bundle;
//! 4. [`manifests`]: YAML read as kubectl reads it, and the checks that every bundle must pass.

pub mod allow;
mod child;
mod glob;
pub mod manifests;
pub mod render;
pub mod source;
mod words;

pub use child::sandbox::Confinement;
pub use glob::Glob;
