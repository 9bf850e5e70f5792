//! Numbers of operations, from a vocabulary document of the mapping.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::ReviewError;
use crate::base::limits::MAX_INDEX_BYTES;
use crate::base::{fsx, json};

/// Operation numbers by name. Empty: no operation has a number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vocabulary {
    numbers: BTreeMap<String, i64>,
}

/// The part of a vocabulary document that is read; what else it has concerns other readers.
#[derive(Deserialize)]
struct VocabularyDocument {
    ops: Vec<VocabularyEntry>,
}

#[derive(Deserialize)]
struct VocabularyEntry {
    name: String,
    id: i64,
}

impl Vocabulary {
    /// Reads a document with `ops[]` of `name` and `id`.
    pub fn load(file: &Path) -> Result<Self, ReviewError> {
        let shape = |reason: String| ReviewError::Shape { file: file.to_owned(), what: "operation vocabulary", reason };
        let bytes = fsx::read_input(file, MAX_INDEX_BYTES)?;
        let value = json::parse(&bytes).map_err(|source| ReviewError::Json { file: file.to_owned(), source })?;
        let document: VocabularyDocument = serde_json::from_value(value).map_err(|error| shape(error.to_string()))?;
        let mut numbers = BTreeMap::new();
        for entry in document.ops {
            if let Some(other) = numbers.insert(entry.name.clone(), entry.id)
                && other != entry.id
            {
                return Err(shape(format!("`{}` has the numbers {other} and {}", entry.name, entry.id)));
            }
        }
        Ok(Self { numbers })
    }

    /// The number of an operation.
    pub fn number(&self, operation: &str) -> Option<i64> {
        self.numbers.get(operation).copied()
    }
}
