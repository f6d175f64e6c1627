//! From desired to running, in one cluster.

pub mod directory;
pub mod held;
pub mod identity;
pub mod inventory;
pub mod kubernetes;
pub mod outcome;
pub mod plan;
pub mod state;
pub mod status;
pub mod sync;
pub mod target;
pub mod wanted;
