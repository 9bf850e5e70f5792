//! The process that probes are forked from: this executable, re-run, small, single-threaded, holding nothing of the
//! run. `protocol` is what is said to it and by it.

pub mod protocol;
