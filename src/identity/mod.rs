//! The identity of a declaration: four parts, a digest of each, and one over them.
//!
//! Everything here is pure: facts are handed in, and the same facts give the same identity on any machine. [`mod@seal`]
//! holds the rule that a stranger follows to compute an identity; [`mod@compare`] says where two values differ.

pub mod compare;
pub mod seal;

pub use compare::{Difference, differences};
pub use seal::{Flaw, Parts, check, seal};
