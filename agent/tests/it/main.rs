//! The agent on real parts.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands, with the line")]

mod alone;
mod cluster;
mod disk;
mod edge;
mod fleet;
mod home;
mod identity;
mod join;
mod kubernetes;
mod moving;
mod outside;
mod program_itself;
mod shown;
mod site;
mod slow;
mod state;
mod trust;
mod unwritable;
mod wire;
