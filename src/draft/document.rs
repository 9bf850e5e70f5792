//! A document in the making, and what its author should know of it.

use serde_json::{Map, Value, json};

use crate::base::json_out;
use crate::plan::subject::{AI_RUN, unknown_document};

/// A document of the second format in which everything is unknown that nothing was said of.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclarationDraft {
    document: Value,
    notes: Vec<DraftNote>,
}

/// Something that does not stand in the document, or needs its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftNote {
    /// What it is about, in a word or two.
    pub about: &'static str,
    /// What there is to say.
    pub text: String,
}

impl DeclarationDraft {
    /// A run of which nothing is known, for this reason.
    pub fn of_run(why: &str) -> Self {
        Self { document: unknown_document(AI_RUN, why), notes: Vec::new() }
    }

    /// States an item, by its pointer. Items that may be left out are added.
    pub fn state(&mut self, pointer: &str, value: impl Into<Value>) {
        let mut at = &mut self.document;
        for part in pointer.split('/').skip(1) {
            if !at.is_object() {
                *at = Value::Object(Map::new());
            }
            at = &mut at[part];
        }
        *at = value.into();
    }

    /// Says why an item is unknown.
    pub fn unknown(&mut self, pointer: &str, why: impl AsRef<str>) {
        self.state(pointer, json!({ "unknown": why.as_ref() }));
    }

    /// Adds a note.
    pub fn note(&mut self, about: &'static str, text: impl Into<String>) {
        self.notes.push(DraftNote { about, text: text.into() });
    }

    /// What does not stand in the document, or needs its author.
    pub fn notes(&self) -> &[DraftNote] {
        &self.notes
    }

    /// The document as a file holds it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = json_out::to_pretty(&self.document);
        bytes.push(b'\n');
        bytes
    }

    /// How many items of it are unknown.
    pub fn unknown_items(&self) -> usize {
        fn count(value: &Value) -> usize {
            match value {
                Value::Object(members)
                    if members.len() == 1 && members.get("unknown").is_some_and(Value::is_string) =>
                {
                    1
                }
                Value::Object(members) => members.values().map(count).sum(),
                Value::Array(items) => items.iter().map(count).sum(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
            }
        }
        count(&self.document)
    }
}
