//! The plan, as tables and as properties.
