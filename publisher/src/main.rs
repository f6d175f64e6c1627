//! `windlass-publisher`.

fn main() {}
