//! The nouns of a fleet, one file each: what people read and write, what rows become, what decisions look at. They know
//! neither the database nor HTTP, so that every layer may speak of them; the file of the same name in `db` has a noun's
//! SQL, the one in `routes` its routes.

pub(crate) mod audit;
pub(crate) mod clusters;
pub(crate) mod holds;
pub(crate) mod join_tokens;
pub(crate) mod publishers;
pub(crate) mod releases;
pub(crate) mod removals;
pub(crate) mod seq;
pub(crate) mod services;
pub(crate) mod sources;
pub(crate) mod terms;
