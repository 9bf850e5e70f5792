//! A place in the text of a document.

use serde::Serialize;

use crate::base::json::JsonError;
use crate::base::line_excerpt::LineExcerpt;

/// A place in a text, and its line for people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TextPlace {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The line itself, with a mark under the place.
    #[serde(skip)]
    pub excerpt: LineExcerpt,
}

impl TextPlace {
    /// The place `line` and `column` of `text`; `None` if there is no such line.
    pub fn of(text: &str, line: u32, column: u32, length: usize) -> Option<Self> {
        LineExcerpt::of(text, line, column, length).map(|excerpt| Self { line, column, excerpt })
    }

    /// Where a text is no acceptable JSON.
    pub(super) fn of_json(error: &JsonError) -> Option<Self> {
        let excerpt = error.excerpt.as_deref()?.clone();
        Some(Self { line: excerpt.line(), column: u32::try_from(error.column).ok()?, excerpt })
    }
}
