//! From desired to running, in one cluster.
