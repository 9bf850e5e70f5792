//! Plans and registries: what people write, and what it means once everything is known.
//!
//! [`file`] holds the documents as written; [`resolved`] what a run works from. Only [`resolved::ResolvedPlan`] can be
//! run.

pub mod file;
pub mod resolved;

pub use resolved::{LaneSet, ResolvedPlan, ResolvedPolicy, ResolvedProbe, ResolvedProfile};
