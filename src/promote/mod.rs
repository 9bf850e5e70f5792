//! Promotion: gates over a verified bundle, and the packet.
//!
//! Nothing here runs a probe or judges a row. [`gates`] is a pure function of a bundle with enumerated reasons;
//! [`packet`] writes its answer down together with the digests that it relied on.

mod derived;
pub mod gates;
pub mod packet;
mod reason;

pub use gates::{GateEvaluation, evaluate, evaluate_unverified};
pub use reason::Reason;

#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;
