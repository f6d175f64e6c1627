//! The content plane: what Windlass stores, names, signs and believes. Pure: no file, no socket, no clock of its own.
//!
//! In reading order:
//!
//! 1. [`digest`], [`limits`], [`secret`], [`name`]: the words that can only be right;
//! 2. [`json`], [`ct1`], [`object`], [`bundle`], [`encoding`]: manifests as canonical bytes, and back;
//! 3. [`signature`], [`document`], [`envelope`]: who signs, what a document says, and both together;
//! 4. [`key`]: every place in a store, and what may be cached there;
//! 5. [`trust`]: the one order in which a document is believed;
//! 6. [`wire`]: the bodies that two programs say to each other.

pub mod bundle;
pub mod ct1;
pub mod digest;
pub mod document;
pub mod encoding;
pub mod envelope;
pub mod json;
pub mod key;
pub mod limits;
pub mod name;
pub mod object;
pub mod secret;
pub mod signature;
pub mod trust;
pub mod wire;

pub use bundle::Bundle;
pub use digest::Digest;
pub use envelope::Signed;
pub use key::Key;
pub use limits::Limits;
pub use name::{ClusterId, ProjectName, ServiceName};
pub use object::{Object, ObjectId};
pub use secret::Secret;
pub use signature::{PublicKey, SigningKey};
