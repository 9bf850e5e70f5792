//! What `conformance` prints: how an implementation did on the test vectors.

use serde::Serialize;

/// An implementation against the vectors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConformanceReport {
    /// The kinds of vectors that it was put to.
    pub groups: Vec<ConformanceGroup>,
    /// Every vector on which it differs.
    pub differing: Vec<VectorDifference>,
}

/// Vectors of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ConformanceGroup {
    /// Of what kind they are.
    pub kind: VectorKind,
    /// How many there are.
    pub vectors: u64,
    /// On how many of them it differs.
    pub differing: u64,
}

/// The kinds of vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VectorKind {
    /// A forged bundle.
    Forgery,
    /// A changed packet.
    Packet,
    /// A shape of a row.
    Row,
    /// A document with its digests or controls.
    Value,
}

impl VectorKind {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forgery => "forgery",
            Self::Packet => "packet",
            Self::Row => "row",
            Self::Value => "value",
        }
    }
}

/// A vector on which an implementation differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VectorDifference {
    /// Of what kind it is.
    pub kind: VectorKind,
    /// Name of the vector; of documents the kind of question and a path or number.
    pub name: String,
    /// What the vector says, in words.
    pub expected: String,
    /// What the implementation says, in words.
    pub found: String,
}
