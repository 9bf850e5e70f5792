//! Plan templates: one document from which a self-contained plan folder is made.
//!
//! The format and the first three builders are those of the reference runtime (Protonk/sandbox-boostrap,
//! book/api/runtime), so that its documents build here as they are; the keys `builder`, `policies`, `fixtures` and
//! everything of the `linux` builder are ours. Building is pure: a document and the policies that it names become a set
//! of files in memory, which is itself a [`Source`](super::Source) and can be linted before anything is written.

mod checkout;
mod document;
mod expand;
mod files;
mod linux;
mod metadata;
mod parsed;
mod policies;
mod shipped;
mod shipped_plan;
mod spelled;
mod vfs;

#[cfg(test)]
mod tests;

pub use checkout::around;
pub use document::Builder;
pub use files::{BUILT_FROM_FILE, FileSet, PLAN_FILE};
pub use parsed::{TEMPLATE_SCHEMA, Template};
pub use policies::FindPolicy;
pub use shipped::{Listing, by_id, example, list, policy as carried_policy};
