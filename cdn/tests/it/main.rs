//! The content plane from outside: what is refused, in what order, and what must parse for ever.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod archive;
mod assignment;
mod chain;
mod content;
mod corpus;
mod encoding;
mod fleet;
mod hold;
mod key;
mod object;
mod properties;
mod rules;
mod samples;
mod token;
mod wire;
