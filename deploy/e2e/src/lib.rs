//! All programs as separate processes on real parts.
