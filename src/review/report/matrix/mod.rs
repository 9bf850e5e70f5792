//! Questions by launchers: what several launchers, or other policies, answered to the same questions, in one bundle or in
//! several.
//!
//! A question is the same where probe, operation, target as declared and driver are. A column is a policy document of a
//! bundle, with all profiles that have it. Answers pass by as streams: memory holds a few bytes for each.

mod cell;
mod gather;
mod html;
mod json;
mod markdown;
mod row_facts;
mod store;
mod table;
mod text;
mod words;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

pub use gather::gather;
pub use table::{MOST_COLUMNS, Matrix};

/// The forms that a matrix is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatrixForm {
    /// For a terminal that has so many columns; `None`: for whatever takes lines of any length.
    Text(Option<usize>),
    /// Markdown.
    Markdown,
    /// One HTML page that loads nothing.
    Html,
    /// A JSON document (schema `matrix`).
    Json,
}

/// Writes a matrix.
///
/// # Errors
/// If that failed; what was written is not to be used then.
pub fn write(matrix: &Matrix, form: MatrixForm, out: &mut dyn Write) -> io::Result<()> {
    match form {
        MatrixForm::Text(width) => text::write(matrix, width, out),
        MatrixForm::Markdown => markdown::write(matrix, out),
        MatrixForm::Html => html::write(matrix, out),
        MatrixForm::Json => json::write(matrix, out),
    }?;
    out.flush()
}
