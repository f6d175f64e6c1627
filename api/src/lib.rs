//! The control plane: which digest should each cluster run.
