//! Lanes: which policy, which probes, in what order; and the fixtures and listeners that a probe finds.

pub mod fixture;
pub mod listener;
