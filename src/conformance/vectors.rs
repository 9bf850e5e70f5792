//! The files of the vectors as they are read (SPEC.md, section 10).

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::calling::ConformanceError;
use crate::base::digest::Digest;
use crate::base::error_chain::error_chain;
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::base::{fsx, json};

/// Changes of the base bundle, with what is found then.
pub(super) const FORGERIES: &str = "forgeries.json";

/// `forgeries.json`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Forgeries {
    pub(super) forgeries: Vec<Forgery>,
}

/// A bundle that was changed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Forgery {
    pub(super) name: String,
    /// The folder of the bundle that is changed, in that of the vectors.
    #[serde(default = "base")]
    pub(super) base: String,
    pub(super) edits: Vec<Edit>,
    /// What is made to fit again, in this order.
    #[serde(default)]
    pub(super) reseal: Vec<ResealStep>,
    /// What it is refused with; nothing if it verifies.
    pub(super) codes: Vec<String>,
    /// Whether only the program can see it.
    #[serde(default)]
    pub(super) reference: bool,
}

fn base() -> String {
    "out/base".to_owned()
}

/// A change of one file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edit {
    /// The file, relative to the bundle.
    #[serde(default)]
    pub(super) file: String,
    /// What changes in a document, or in the line.
    pub(super) pointer: Option<String>,
    /// What it becomes; without one it goes.
    #[serde(default, deserialize_with = "json::present")]
    pub(super) value: Option<Value>,
    /// The line, from 0.
    pub(super) line: Option<usize>,
    /// The whole text of the file.
    pub(super) text: Option<String>,
    /// What comes behind the file.
    pub(super) append: Option<String>,
    /// The file goes.
    #[serde(default)]
    pub(super) remove: bool,
    /// The file becomes a symbolic link to this.
    pub(super) link: Option<String>,
    /// The file is an empty folder.
    #[serde(default)]
    pub(super) folder: bool,
    /// It is made after everything was made to fit again.
    #[serde(default)]
    pub(super) after: bool,
}

/// What is made to fit again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ResealStep {
    /// Sizes and digests in `inputs/sources.json`.
    Sources,
    /// Digests of the parts, the identity, and its stamps.
    Declaration,
    /// Sizes and digests in the index.
    Index,
}

/// `packets.json`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PacketVectors {
    pub(super) packets: Vec<PacketVector>,
}

/// A packet that was changed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PacketVector {
    pub(super) name: String,
    #[serde(default = "base")]
    pub(super) base: String,
    pub(super) edits: Vec<Edit>,
    /// Whether it is what the bundle yields all the same.
    pub(super) accepted: bool,
}

/// `rows.json`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowVectors {
    pub(super) rows: Vec<RowVector>,
}

/// A shape of a row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowVector {
    pub(super) name: String,
    pub(super) mode: String,
    pub(super) row: Box<RawValue>,
    pub(super) baseline: Box<RawValue>,
    pub(super) outcome: Map<String, Value>,
}

/// `digests.json`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DigestVectors {
    /// Plan digests by path.
    pub(super) plans: BTreeMap<String, Digest>,
    /// Digests of policies by path.
    pub(super) policies: BTreeMap<String, PolicyVector>,
}

/// The digests of a policy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyVector {
    pub(super) mode: String,
    /// Of the document.
    pub(super) sha256: Digest,
    /// Of its meaning.
    pub(super) value_sha256: Digest,
}

/// `controls.json`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ControlVectors {
    pub(super) controls: Vec<ControlVector>,
}

/// A policy, and the actions of its controls.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ControlVector {
    pub(super) policy: Box<RawValue>,
    pub(super) must_deny: Value,
    pub(super) must_allow: Value,
}

/// `models.json`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelVectors {
    /// Fixtures, of which a question has the first few.
    pub(super) fixtures: Vec<Box<RawValue>>,
    pub(super) models: Vec<ModelVector>,
}

/// A question to the model, and its answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelVector {
    pub(super) policy: Box<RawValue>,
    pub(super) action: Box<RawValue>,
    /// How many of the fixtures there are.
    pub(super) fixtures: usize,
    pub(super) answer: Map<String, Value>,
}

/// `seatbelt.json`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeatbeltVectors {
    pub(super) seatbelt: Vec<SeatbeltVector>,
}

/// A Seatbelt text, and the digest of its meaning.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeatbeltVector {
    pub(super) text: String,
    pub(super) parameters: Box<RawValue>,
    /// The profile's own rules.
    pub(super) rules: Box<RawValue>,
    pub(super) value_sha256: Value,
}

/// `identities.json`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityVectors {
    pub(super) identities: Vec<IdentityVector>,
}

/// A declaration whose identity has to come out, with the lengths that its parts have on the way.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityVector {
    pub(super) name: String,
    pub(super) declaration: Box<RawValue>,
    /// How long the canonical form of each part is, in bytes: a help for whoever looks for a difference.
    #[serde(rename = "canonical_bytes")]
    _canonical_bytes: BTreeMap<String, u64>,
}

/// Reads a file of the vectors.
pub(super) fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T, ConformanceError> {
    let bytes = bytes(folder, name)?;
    json::typed(&bytes).map_err(|error| unusable(folder, format!("`{name}`: {error}")))
}

/// The bytes of a file of the vectors.
pub(super) fn bytes(folder: &Path, name: &str) -> Result<Vec<u8>, ConformanceError> {
    fsx::read_input(&folder.join(name), MAX_INPUT_DOCUMENT_BYTES).map_err(|error| unusable(folder, error_chain(&error)))
}

pub(super) fn unusable(folder: &Path, reason: String) -> ConformanceError {
    ConformanceError::Vectors { folder: folder.to_owned(), reason }
}
