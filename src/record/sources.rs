//! `inputs/sources.json`: which input document of a run lies where in its bundle.
//!
//! With it, a bundle carries everything that its plan was resolved from: the same resolution runs again on any machine.

use serde::{Deserialize, Serialize};

use crate::base::bundle_path::BundlePath;
use crate::base::digest::Digest;

/// Format of the list. 1: first release.
pub const INPUT_SOURCES_SCHEMA: &str = "sandproof.input_sources.v1";

/// `inputs/sources.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSources {
    /// The document's format: always [`INPUT_SOURCES_SCHEMA`].
    pub schema_version: String,
    /// The documents, in the order in which they were read: the plan first. No two have the same role and path.
    pub documents: Vec<InputSource>,
}

/// One input document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSource {
    /// What it is for.
    pub role: InputRole,
    /// Its path as it is referred to: relative to the root where it lay under it, else as spelled.
    pub path: String,
    /// Path of the bundle's copy, relative to the bundle's folder.
    pub file: BundlePath,
    /// The copy's size in bytes.
    pub size: u64,
    /// The copy's digest.
    pub sha256: Digest,
}

/// What an input document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputRole {
    /// The plan document.
    Plan,
    /// The registry index.
    Index,
    /// The probe registry.
    Probes,
    /// The profile registry.
    Profiles,
    /// A policy document.
    Policy,
    /// The document of the declared world.
    World,
    /// The declaration of the system whose sandbox is probed.
    Subject,
    /// A file that this declaration names.
    SubjectFile,
    /// The digest of a file or folder that this declaration names and that is not carried.
    SubjectDigest,
    /// The questions file that plan, index, probes and profiles were made of.
    Questions,
}

impl InputRole {
    /// The role's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Index => "index",
            Self::Probes => "probes",
            Self::Profiles => "profiles",
            Self::Policy => "policy",
            Self::World => "world",
            Self::Subject => "subject",
            Self::SubjectFile => "subject_file",
            Self::SubjectDigest => "subject_digest",
            Self::Questions => "questions",
        }
    }
}
