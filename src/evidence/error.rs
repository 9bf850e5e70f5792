//! Why the artifacts cannot be derived.

use super::contradiction::RowRule;
use super::oracle_model::OtherAnswer;
use crate::record::layout::rows_of;
use crate::record::outcome::Lane;

/// Why the artifacts cannot be derived. Lines count from 1.
#[derive(Debug, thiserror::Error)]
pub enum DeriveError {
    /// A lane's rows could not be opened.
    #[error("could not open `{}`, the rows of the {} lane", rows_of(*lane), lane.as_str())]
    Open {
        /// The lane whose rows file it is.
        lane: Lane,
        /// The operating system's error.
        #[source]
        source: std::io::Error,
    },
    /// A lane that is on has no file.
    #[error("`{}` is missing; the {} lane is on, so it must hold one row for every planned probe", rows_of(*lane), lane.as_str())]
    MissingLane {
        /// The lane whose rows file it is.
        lane: Lane,
    },
    /// A lane that is off, or has nothing planned, has rows.
    #[error("`{}` holds rows, but nothing is planned in the {} lane", rows_of(*lane), lane.as_str())]
    UnplannedLane {
        /// The lane whose rows file it is.
        lane: Lane,
    },
    /// A row could not be read.
    #[error("could not read `{}`, line {line}", rows_of(*lane))]
    Read {
        /// The lane whose rows file it is.
        lane: Lane,
        /// Line of the rows file, counted from 1.
        line: u64,
        /// The operating system's error.
        #[source]
        source: std::io::Error,
    },
    /// A row's line is longer than rows may be.
    #[error("`{}`, line {line}: longer than {} bytes", rows_of(*lane), crate::base::limits::MAX_ROW_BYTES)]
    TooLong {
        /// The lane whose rows file it is.
        lane: Lane,
        /// Line of the rows file, counted from 1.
        line: u64,
    },
    /// The last line has no newline, so it was cut off.
    #[error("`{}`, line {line}: the line does not end in a newline; the file was cut off", rows_of(*lane))]
    CutOff {
        /// The lane whose rows file it is.
        lane: Lane,
        /// Line of the rows file, counted from 1.
        line: u64,
    },
    /// A line is no row.
    #[error("`{}`, line {line}: not a row of that lane", rows_of(*lane))]
    Decode {
        /// The lane whose rows file it is.
        lane: Lane,
        /// Line of the rows file, counted from 1.
        line: u64,
        /// Where the document has another shape than expected.
        #[source]
        source: serde_json::Error,
    },
    /// A row is not the one that the plan has at its place.
    #[error("`{}`, line {line}: {field} is `{found}`, expected `{expected}`", rows_of(*lane))]
    Unexpected {
        /// The lane whose rows file it is.
        lane: Lane,
        /// Line of the rows file, counted from 1.
        line: u64,
        /// Which field differs.
        field: &'static str,
        /// What the plan has there.
        expected: String,
        /// What the row has there.
        found: String,
    },
    /// A row contradicts itself.
    #[error("`{}`, line {line}: {message}", rows_of(*lane))]
    Inconsistent {
        /// The lane whose rows file it is.
        lane: Lane,
        /// Line of the rows file, counted from 1.
        line: u64,
        /// What contradicts what, as text for people.
        message: &'static str,
    },
    /// A row says what cannot be if the rest of the bundle is true.
    #[error("`{}`, line {line}: {words}", rows_of(*lane))]
    Contradiction {
        /// The lane whose rows file it is.
        lane: Lane,
        /// Line of the rows file, counted from 1.
        line: u64,
        /// Which rule it breaks.
        rule: RowRule,
        /// What contradicts what, as text for people.
        words: String,
    },
    /// The file ends before every planned row was there.
    #[error("`{}` ends after {} rows; the next one must be {expected}", rows_of(*lane), line - 1)]
    MissingRow {
        /// The lane whose rows file it is.
        lane: Lane,
        /// The line where it should be.
        line: u64,
        /// The row that the plan has there: profile and probe.
        expected: String,
    },
    /// The file goes on after every planned row was there.
    #[error("`{}`, line {line}: one row too many; every planned row stands before it", rows_of(*lane))]
    ExtraRow {
        /// The lane whose rows file it is.
        lane: Lane,
        /// Line of the rows file, counted from 1.
        line: u64,
    },
    /// An oracle row is not what the model answers.
    #[error(transparent)]
    OtherAnswer(#[from] OtherAnswer),
    /// The controls do not belong to the plan.
    #[error("the plan has {profiles} profiles, but controls were given for {given}")]
    Controls {
        /// Profiles of the plan.
        profiles: usize,
        /// How many controls were given.
        given: usize,
    },
    /// An artifact could not be written.
    #[error("could not write `{artifact}`")]
    Write {
        /// Name of the artifact: its path inside the bundle.
        artifact: &'static str,
        /// The operating system's error.
        #[source]
        source: std::io::Error,
    },
}
