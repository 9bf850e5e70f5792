//! What `inspect --json` prints.

use serde::Serialize;

/// `inspect --json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileInspection {
    /// What was looked at.
    pub path: String,
    /// What it is, for programs: the name of a schema, or a word for what has none.
    pub kind: String,
    /// The same for people.
    pub what: String,
    /// The published schema of its format; null if it has none.
    pub schema: Option<String>,
    /// Where it does not satisfy that; the first ten.
    pub schema_errors: Vec<String>,
    /// What it says of itself, in the order in which it is shown.
    pub facts: Vec<InspectionFact>,
    /// Commands that do something with it.
    pub next: Vec<String>,
}

/// One thing that a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectionFact {
    /// What is said.
    pub name: String,
    /// What it is.
    pub value: String,
}
