//! From desired to running, in one cluster.

pub mod directory;
pub mod kubernetes;
pub mod target;
