//! The plan, as tables and as properties. Each test has a small world of its own, in which steps are taken at once.

mod apply;
mod jobs;
mod moves;
mod property;
mod prune;
mod wait;
pub(crate) mod world;

use world::{World, config, id, object};
