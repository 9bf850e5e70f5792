//! The policies that a template carries, and the ones that it only names.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::diagnostic::{DiagnosticKind, Diagnostics, pointer_part, shown};
use super::super::paths::clean_path;
use super::document::Ordered;
use crate::base::json_out;
use crate::record::fixture::FixtureEntry;

/// Gives the content of a policy by the path that documents name it by; `None` if there is none.
pub type FindPolicy<'a> = dyn Fn(&str) -> Option<Vec<u8>> + 'a;

/// The keys of ours that any expanding template may have.
#[derive(Debug, Deserialize)]
pub(super) struct CarriedKeys {
    #[serde(default)]
    pub(super) policies: Ordered<PolicyContent>,
    #[serde(default)]
    pub(super) fixtures: Vec<FixtureEntry>,
    #[serde(default)]
    pub(super) parameters: BTreeMap<String, String>,
}

/// A policy inside a template.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum PolicyContent {
    /// A text, line by line.
    Lines(Vec<String>),
    /// A JSON document.
    Document(serde_json::Map<String, Value>),
}

impl PolicyContent {
    /// The bytes of the file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Lines(lines) => lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect(),
            Self::Document(value) => document_bytes(value),
        }
    }
}

/// A JSON policy as a file.
pub(super) fn document_bytes(value: &serde_json::Map<String, Value>) -> Vec<u8> {
    let mut bytes = json_out::to_pretty(value);
    bytes.push(b'\n');
    bytes
}

/// The carried policies by their clean paths.
pub(super) fn carried(policies: &Ordered<PolicyContent>, notes: &mut Diagnostics<'_>) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for (path, content) in &policies.0 {
        let pointer = || format!("/policies/{}", pointer_part(path));
        match clean_path(path) {
            Ok(clean) if !clean.starts_with('/') => found.push((clean, content.bytes())),
            Ok(_) => notes.error(
                DiagnosticKind::BadPath,
                pointer(),
                format!("the carried policy `{}` has an absolute path", shown(path)),
                "write it relative to the plan folder",
            ),
            Err(reason) => notes.error(
                DiagnosticKind::BadPath,
                pointer(),
                format!("`{}` cannot name a policy document: {reason}", shown(path)),
                "write it relative to the plan folder",
            ),
        }
    }
    found
}
