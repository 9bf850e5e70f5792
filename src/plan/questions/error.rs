//! Why a question cannot be asked.

/// Why a question, or another line of a questions file, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QuestionError {
    /// The place in the line, counted in characters from 1.
    pub column: usize,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl QuestionError {
    /// An error at a column.
    pub fn new(column: usize, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { column, message: message.into(), remedy: remedy.into() }
    }
}
