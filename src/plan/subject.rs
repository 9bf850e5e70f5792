//! Declarations of other systems: an AI run or a deployment that somebody describes in the four parts of an identity.
//!
//! | part | holds | why there |
//! |---|---|---|
//! | artifact | code, model, instructions, prompt, parameters, tools, retrieval, conversation, memory policy | all that the model is given: change it and something else is computed |
//! | runtime | engine, hardware, libraries, environment, scheduler, rollout | what computes it |
//! | policy | approval rules, escalation, veto thresholds, safety filters | who may stop or overrule it |
//! | history | memory, cached context, approvals, interventions, earlier runs | what happened before and is still felt |
//!
//! There are two formats. [`v1`] is read as it always was, to the same identities. In the second every item has a type
//! ([`shape`]), what has no value says whether there is none or nobody knows, and what it refers to may be a file of any size,
//! a folder, a text, the members of a JSON file, or something within another item ([`reference`], [`walk`]). [`document`] reads
//! either.

mod blank;
mod depth;
mod document;
mod immaterial;
mod literal;
mod named_path;
mod number;
mod reference;
pub mod resolved;
mod shape;
mod typed;
mod v1;
mod walk;

pub use blank::unknown_document;
pub(super) use document::read;
pub use document::{read_declaration, read_declaration_file_with};
pub use named_path::{NamedPath, NamedRoots, is_root_name};
pub use number::{is_decimal_within, moving_alias, shortest_decimal};
pub use resolved::{AI_RUN, DEPLOYMENT, ResolvedSubject};

pub use crate::record::identity::SYSTEM_DECLARATION_SCHEMAS;

#[cfg(test)]
mod second;
#[cfg(test)]
mod tests;
