//! `built_from.json`: what a plan folder was made of, and what lies in it.

use serde::{Deserialize, Serialize};

use crate::base::digest::Digest;

/// Format of the document. 1: first release.
pub const BUILT_FROM_SCHEMA: &str = "sandproof.built_from.v1";

/// `built_from.json`: what a plan folder was built from, and what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuiltFrom {
    /// The document's format: always [`BUILT_FROM_SCHEMA`].
    pub schema_version: String,
    /// Id of the template.
    pub template_id: String,
    /// Word for the builder that expanded the template, such as `vfs`.
    pub builder: String,
    /// The digest of the template document; of a plan that ships with the program, of its plan document.
    pub template_sha256: Digest,
    /// The plan that was made.
    pub plan_id: String,
    /// How many rows each of its lanes has.
    pub rows: usize,
    /// Every file that was made, this one aside, in the order of writing.
    pub files: Vec<BuiltFile>,
    /// Policies that the documents name by an absolute path: they stay where they are.
    pub host_policies: Vec<HostPolicy>,
    /// Policies that the documents name and that were not found. The folder cannot be run without them.
    pub missing_policies: Vec<String>,
}

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuiltFile {
    /// Path of the file, relative to the plan folder.
    pub path: String,
    /// How long it is.
    pub size: u64,
    /// SHA-256 of the file's bytes.
    pub sha256: Digest,
}

/// A policy of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostPolicy {
    /// Absolute path of the policy document on the host.
    pub path: String,
    /// Its digest when the folder was made; null if it was not there.
    pub sha256: Option<Digest>,
}

impl BuiltFrom {
    /// One that names its template and nothing else yet.
    pub fn head(template_id: &str, builder: &str, template_sha256: Digest) -> Self {
        Self {
            schema_version: BUILT_FROM_SCHEMA.to_owned(),
            template_id: template_id.to_owned(),
            builder: builder.to_owned(),
            template_sha256,
            plan_id: String::new(),
            rows: 0,
            files: Vec::new(),
            host_policies: Vec::new(),
            missing_policies: Vec::new(),
        }
    }
}
