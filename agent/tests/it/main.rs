//! The agent on real parts.

mod kubernetes;
