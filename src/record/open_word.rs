//! The words by which an item of another system's declaration has no value, and what they make of the whole.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How an item has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenWord {
    /// There is no such thing: an answer like any other.
    None,
    /// There may be one, and who declares does not know it.
    Unknown,
    /// Of a deployment: each run states its own.
    PerRun,
}

impl OpenWord {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Unknown, Self::PerRun];

    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Unknown => "unknown",
            Self::PerRun => "per_run",
        }
    }

    /// The item as it is sealed.
    pub fn sealed(self) -> Value {
        json!({ self.as_str(): true })
    }

    /// How a sealed item has no value, if it has none.
    pub fn of(value: &Value) -> Option<Self> {
        let members = value.as_object().filter(|members| members.len() == 1)?;
        Self::ALL.into_iter().find(|word| members.get(word.as_str()) == Some(&Value::Bool(true)))
    }
}

/// Whether a declaration says everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    /// Nothing in it is unknown.
    Complete,
    /// Something is: systems that differ there have the same identity.
    Partial,
}

impl Completeness {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
        }
    }
}
