//! The real parts that tests run against: Kubernetes, S3, PostgreSQL, a CDN; knows nothing of ours.
//!
//! [`tool`] finds, installs or builds a program; [`S3`], [`Postgres`], [`Nginx`] and [`Cluster`] run one; [`FaultProxy`]
//! stands in front of one and misbehaves; [`Volume`] is a disk that can be full; [`Process`] runs any other program,
//! Windlass's own among them. Each part has free ports and a folder of its own, says the end of its log when it fails,
//! and ends with the test process, even when that is killed. Nothing here is bound to a tokio runtime except
//! [`FaultProxy`], so what `shared()` returns serves all tests of a process.

mod cache;
mod cluster;
mod environment;
mod fault;
mod http;
mod nginx;
mod ports;
mod postgres;
mod process;
mod run;
mod s3;
mod tools;
mod volume;
mod workplace;

pub use cluster::{AuditEvent, Cluster, ClusterOptions};
pub use fault::{Fault, FaultProxy, Traffic};
pub use nginx::{Nginx, Served};
pub use ports::free_port;
pub use postgres::Postgres;
pub use process::{Process, Program, Ready};
pub use s3::S3;
pub use tools::{Prepared, Tool, prepare, tool};
pub use volume::Volume;
