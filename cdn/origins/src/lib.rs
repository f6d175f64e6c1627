//! Reading from origins: ordered, bounded, verified.
