//! Lanes: which policy, which probes, in what order.
