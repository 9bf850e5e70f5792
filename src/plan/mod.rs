//! Plans and registries: what people write, and what it means once everything is known.
//!
//! [`mod@file`] holds the documents as written, [`schema`] their JSON Schemas, [`source`] where they come from;
//! [`resolve`](resolve()) follows every reference and checks what it finds. Only a [`ResolvedPlan`] can be run.

pub mod capability;
pub mod catalogue;
pub mod diagnostic;
pub mod digest;
pub mod error;
pub mod file;
pub mod lint;
pub mod policy_lookup;
pub mod probe_digest;
pub mod questions;
pub mod resolved;
pub mod schema;
pub mod shard;
pub mod source;
pub mod subject;
pub mod template;
pub mod upgrade;

mod bundle_inputs;
mod carried_worlds;
mod contradiction;
mod expectation;
mod fixtures;
mod history;
mod lint_sbpl;
mod locate;
mod paths;
mod policy;
mod probe_entry;
mod probes;
mod reach;
mod read;
mod registry;
mod resolve;
mod seatbelt;
mod text;
mod text_place;
mod worlds;
mod written_probe;

pub use bundle_inputs::{BundleInputs, BundleInputsError};
pub use carried_worlds::carried_worlds;
pub use diagnostic::{Diagnostic, DiagnosticKind, Severity};
pub use error::{LoadError, spelled_out};
pub use paths::{OWN_PROFILES_PATH, QUESTIONS_FILE};
pub(crate) use paths::{leads_out, spelled_below};
pub use reach::host_programs;
pub use resolve::{load, resolve};
pub use resolved::{InputDocument, LaneSet, ResolvedPlan, ResolvedPolicy, ResolvedProbe, ResolvedProfile, Selection};
pub use source::{DocumentSource, Workspace};
pub use text_place::TextPlace;
pub use worlds::{has_derived_form, known as known_worlds};

#[cfg(test)]
mod tests;
