//! The control plane: which digest should each cluster run. No manifest byte passes through it.

pub mod routes;
pub mod selector;
