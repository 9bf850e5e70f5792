//! One template: read, checked, and built.

use serde_json::Value;

use super::super::diagnostic::{Diagnostics, has_errors};
use super::super::error::LoadError;
use super::super::read::refused;
use super::super::schema::DocumentKind;
use super::document::{Builder, BuilderContext};
use super::expand::{Expanded, expand};
use super::files::{self, FileSet};
use super::linux::LinuxBody;
use super::metadata::MetadataBody;
use super::policies::FindPolicy;
use super::shipped_plan::ShippedPlan;
use super::spelled;
use super::vfs::VfsBody;
use crate::base::digest::Digest;
use crate::base::json;
use crate::record::build::BuiltFrom;

/// Format of a template.
pub const TEMPLATE_SCHEMA: &str = "runtime-tools.plan_template.v0.1";

/// A template that was read and checked as far as it can be without its policies.
#[derive(Debug, Clone)]
pub struct Template {
    pub(super) head: BuilderContext,
    /// The file, as it is referred to in messages.
    pub(super) file: String,
    pub(super) digest: Digest,
    pub(super) content: DocumentContent,
}

#[derive(Debug, Clone)]
pub(super) enum DocumentContent {
    /// A template document.
    Document { value: Value, text: String },
    /// A plan that ships with the program, with its registry.
    Shipped(&'static ShippedPlan),
}

impl Template {
    /// Reads a template document. `file` is its name in messages; `requested` is the id by which it was asked for, if
    /// the document may not have another one.
    pub fn read(bytes: &[u8], file: &str, requested: Option<&str>) -> Result<Self, LoadError> {
        let json_error = |source| LoadError::Json { what: "template", file: file.to_owned(), source };
        let value = json::parse(bytes).map_err(json_error)?;
        let refused = |notes| refused(notes).located_within(file, &bytes.to_vec().into());
        let mut notes = Vec::new();
        if !DocumentKind::PlanTemplate.check(&value, &mut Diagnostics { list: &mut notes, file, subject: "" }) {
            return Err(refused(notes));
        }
        let head =
            BuilderContext::of(&value, file, requested, &mut Diagnostics { list: &mut notes, file, subject: "" });
        let Some(head) = head.filter(|_| !has_errors(&notes)) else { return Err(refused(notes)) };
        let text = String::from_utf8_lossy(bytes).into_owned();
        Ok(Self {
            head,
            file: file.to_owned(),
            digest: Digest::of(bytes),
            content: DocumentContent::Document { value, text },
        })
    }

    /// Id of the template (`template_id`).
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

    /// Path of the template's file, spelled as it is referred to.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Its document, as it was read; of a plan that ships with the program, the plan's.
    pub fn document(&self) -> &[u8] {
        match &self.content {
            DocumentContent::Shipped(plan) => plan.bytes,
            DocumentContent::Document { text, .. } => text.as_bytes(),
        }
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
            DocumentContent::Shipped(plan) => return plan.expand().map(Some),
            DocumentContent::Document { value, text } => (value, text),
        };
        Ok(match self.head.builder {
            Builder::Static => spelled::expand(&self.head, value, text, notes)?,
            Builder::Vfs => expand::<VfsBody>(&self.head, value, text, notes),
            Builder::Metadata => expand::<MetadataBody>(&self.head, value, text, notes),
            Builder::Linux => expand::<LinuxBody>(&self.head, value, text, notes),
        })
    }
}
