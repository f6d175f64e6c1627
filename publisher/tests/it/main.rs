//! The publisher against real parts: git repositories made by git, the real kubectl and helm, real stores.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends, and says where")]
#![expect(unreachable_pub, reason = "a test binary has no outside")]

mod api;
mod bench;
mod corpus;
mod daemon;
mod directory;
mod figures;
mod forge;
mod git;
mod helm;
mod kustomize;
mod moved;
mod oracle;
mod plain;
mod program;
mod public;
mod publish;
mod race;
mod repo;
mod rotation;
