//! The parts themselves: each does what tests of other crates rely on.

mod cluster;
mod fault;
mod http;
mod nginx;
mod postgres;
mod process;
mod s3;
mod volume;
