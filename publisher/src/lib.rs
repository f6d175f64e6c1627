//! From a source to a signed bundle in the store.
