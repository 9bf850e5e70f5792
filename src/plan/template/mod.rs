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
mod policies;
mod shipped;
mod spelled;
mod vfs;

#[cfg(test)]
mod tests;

pub use checkout::{CheckoutTemplates, around};
pub use document::Builder;
pub use files::{BUILT_FROM_FILE, FileSet, PLAN_FILE};
pub use policies::FindPolicy;
pub use shipped::{Listing, by_id, list, policy as carried_policy};

use serde_json::Value;

use super::diagnostic::{Diagnostics, has_errors};
use super::error::LoadError;
use super::read::refused;
use super::schema::DocumentKind;
use crate::base::digest::Digest;
use crate::base::json;
use crate::record::build::BuiltFrom;
use document::Head;
use expand::Expanded;

/// Format of a template.
pub const TEMPLATE_SCHEMA: &str = "runtime-tools.plan_template.v0.1";

/// A template that was read and checked as far as it can be without its policies.
#[derive(Debug, Clone)]
pub struct Template {
    head: Head,
    /// The file, as it is referred to in messages.
    file: String,
    digest: Digest,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    /// A template document.
    Document { value: Value, text: String },
    /// A plan that ships with the program, with its registry.
    Shipped(&'static shipped::ShippedPlan),
}

impl Template {
    /// Reads a template document. `file` is its name in messages; `requested` is the id by which it was asked for, if
    /// the document may not have another one.
    pub fn read(bytes: &[u8], file: &str, requested: Option<&str>) -> Result<Self, LoadError> {
        let json_error = |source| LoadError::Json { what: "template", file: file.to_owned(), source };
        let value = json::parse(bytes).map_err(json_error)?;
        let mut notes = Vec::new();
        if !DocumentKind::PlanTemplate.check(&value, &mut Diagnostics { list: &mut notes, file, subject: "" }) {
            return Err(refused(notes));
        }
        let head = Head::of(&value, file, requested, &mut Diagnostics { list: &mut notes, file, subject: "" });
        let Some(head) = head.filter(|_| !has_errors(&notes)) else { return Err(refused(notes)) };
        let text = String::from_utf8_lossy(bytes).into_owned();
        Ok(Self { head, file: file.to_owned(), digest: Digest::of(bytes), content: Content::Document { value, text } })
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.head.template_id
    }

    /// What it is about.
    pub fn description(&self) -> Option<&str> {
        self.head.description.as_deref()
    }

    /// How it is built.
    pub fn builder(&self) -> Builder {
        self.head.builder
    }

    /// Its file, as it is referred to.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Builds it. `find` gives the policies that the template names and does not carry.
    pub fn build(&self, find: &FindPolicy<'_>) -> Result<FileSet, LoadError> {
        let mut notes = Vec::new();
        let expanded = self.expand(&mut Diagnostics { list: &mut notes, file: &self.file, subject: self.id() })?;
        let Some(expanded) = expanded.filter(|_| !has_errors(&notes)) else { return Err(refused(notes)) };
        let head = BuiltFrom::head(self.id(), self.builder().as_str(), self.digest);
        let built = files::assemble(head, expanded, find, &self.file, &mut notes);
        if has_errors(&notes) { Err(refused(notes)) } else { Ok(built) }
    }

    fn expand(&self, notes: &mut Diagnostics<'_>) -> Result<Option<Expanded>, LoadError> {
        let (value, text) = match &self.content {
            Content::Shipped(plan) => return plan.expand().map(Some),
            Content::Document { value, text } => (value, text),
        };
        Ok(match self.head.builder {
            Builder::Static => spelled::expand(&self.head, value, text, notes)?,
            Builder::Vfs => vfs::expand(&self.head, text, value, notes),
            Builder::Metadata => metadata::expand(&self.head, text, value, notes),
            Builder::Linux => linux::expand(&self.head, text, value, notes),
        })
    }
}
