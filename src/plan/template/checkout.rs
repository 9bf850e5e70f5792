//! The templates of a checkout of the reference runtime, as they lie there.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::error::LoadError;
use super::super::source::Workspace;
use super::{Listing, TEMPLATE_SCHEMA, Template};
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::base::{fsx, json};

/// Where they lie, relative to the checkout.
const FOLDER: &str = "book/api/runtime/plans/templates";
/// How many documents of that folder are looked at.
const MOST: usize = 1000;

/// What the templates of a checkout are.
#[derive(Debug, Default)]
pub struct CheckoutTemplates {
    /// Those that can be read, by id, with their files.
    pub templates: Vec<(Template, PathBuf)>,
    /// Those that cannot.
    pub refused: Vec<LoadError>,
}

/// The templates of the checkout of the reference runtime that `folder` lies in; none if it lies in no such checkout.
/// What else lies beside them (the reference's skeletons of plans and registries) is no template and not looked at.
pub fn around(folder: &Path) -> CheckoutTemplates {
    let mut found = CheckoutTemplates::default();
    let Some(root) = Workspace::reference_checkout(folder) else { return found };
    let mut names: Vec<String> = std::fs::read_dir(root.join(FOLDER))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".json"))
        .collect();
    names.sort();
    for name in names.into_iter().take(MOST) {
        let relative = format!("{FOLDER}/{name}");
        let file = root.join(&relative);
        match read(&file, &relative) {
            Ok(None) => {}
            Ok(Some(template)) => found.templates.push((template, file)),
            Err(error) => found.refused.push(error),
        }
    }
    found.templates.sort_by(|(a, _), (b, _)| a.id().cmp(b.id()));
    found
}

/// The document in `file`, if it says that it is a template.
fn read(file: &Path, relative: &str) -> Result<Option<Template>, LoadError> {
    let bytes = fsx::read_input(file, MAX_INPUT_DOCUMENT_BYTES).map_err(|source| LoadError::Read {
        what: "template",
        file: relative.to_owned(),
        source,
    })?;
    let Ok(value) = json::parse(&bytes) else { return Template::read(&bytes, relative, None).map(Some) };
    let format = value.get("schema_version").and_then(Value::as_str).unwrap_or_default();
    let kind = TEMPLATE_SCHEMA.rsplit_once('v').map_or(TEMPLATE_SCHEMA, |(kind, _)| kind);
    if !format.starts_with(kind) {
        return Ok(None);
    }
    Template::read(&bytes, relative, None).map(Some)
}

impl CheckoutTemplates {
    /// The one of that id, and its file.
    pub fn by_id(&self, id: &str) -> Option<&(Template, PathBuf)> {
        self.templates.iter().find(|(template, _)| template.id() == id)
    }

    /// All of them with those that the program carries, by id. Of two with one id, the checkout's is believed.
    pub fn with_carried(&self) -> Vec<Listing> {
        let mut all: Vec<Listing> = self.templates.iter().map(|(template, _)| Listing::of(template)).collect();
        let own = |id: &str| self.by_id(id).is_some();
        all.extend(super::list().into_iter().filter(|carried| !own(&carried.template_id)));
        all.sort_by(|a, b| a.template_id.cmp(&b.template_id));
        all
    }
}
