//! Comparing runs: what was declared differently, which verdicts differ, and which differences could explain them.
//!
//! Nothing here runs a probe or judges a row, and nothing is named a cause that the declarations do not single out. A
//! bundle is compared only after it was verified; rows pass by as streams and are never held whole.

mod attempts;
mod attempts_sealed;
mod changes;
mod comparison;
mod declarations;
mod explain;
mod inner;
mod join;
mod kinds;
mod launcher_words;
mod names;
mod outputs;
mod phrases;
pub mod render_markdown;
pub mod render_text;
mod row_provenance;
mod rows;
mod same_verdicts;
mod shown;
mod side;
mod system_changes;
mod text_lines;
mod verdicts;

use std::error::Error;
use std::io;

pub use attempts::{attempts, render as render_attempts};
pub use comparison::{compare, compare_accepting_absent};
pub use rows::RowsError;
pub use shown::shown;
pub use side::{ComparedSide, open, open_both};

use crate::base::fsx::FileError;
use crate::bundle::BundleRefused;
use crate::plan::LoadError;

/// Why a comparison could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// A side could not be read.
    #[error(transparent)]
    Read(FileError),
    /// A bundle did not pass verification.
    #[error(transparent)]
    Refused(Box<BundleRefused>),
    /// A document is not what it has to be.
    #[error("`{file}` cannot be compared: {reason}")]
    Document {
        /// Path of the file.
        file: String,
        /// The reason, as text for people.
        reason: String,
    },
    /// A declaration of another system is incomplete or wrong.
    #[error(transparent)]
    Load(Box<LoadError>),
    /// A run of this program and another system.
    #[error("a declaration of kind `{a}` cannot be compared with one of kind `{b}`")]
    Kinds {
        /// The first side's kind.
        a: String,
        /// The second side's kind.
        b: String,
    },
    /// The plan of a verified bundle could not be resolved once more.
    #[error("could not resolve the plan of the bundle `{bundle}` from its own inputs")]
    Inputs {
        /// Path of the bundle's folder.
        bundle: String,
        /// The underlying error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The rows of a bundle could not be read.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The temporary files could not be used.
    #[error("could not keep rows in temporary files while joining them")]
    Spill {
        /// The operating system's error.
        #[source]
        source: io::Error,
    },
}

#[cfg(test)]
mod tests;
