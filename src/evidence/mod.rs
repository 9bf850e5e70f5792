//! Evidence: everything that follows from the inputs and the raw rows, by pure functions.
//!
//! The same code writes the derived artifacts of a run and replays them when a bundle is verified: only the
//! [`ArtifactSink`] differs. Rows are read as streams and joined in lockstep, so memory does not grow with the run.

mod artifact_writer;
pub mod channel_checks;
mod confounders;
pub mod contradiction;
pub mod controls;
mod darwin_errno;
pub mod decide;
mod derive;
mod error;
mod finding;
mod host_os;
mod identical;
pub mod judge;
pub mod launcher;
mod layers;
mod linux_errno;
mod matrix;
mod mismatch;
pub mod opinions;
mod oracle_document;
pub mod oracle_model;
mod outcome;
pub mod places;
pub mod remedies;
mod row_facts;
mod row_prefetch;
mod rows;
mod scenario;
mod static_preflight;
mod summary;
mod surroundings;
mod template;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod testing_schemas;
#[cfg(test)]
mod tests;
mod verdict_lines;
mod waivers;
mod witness;

use std::io::{self, BufRead, Write};

pub use controls::ProfileControls;
pub use decide::DECISION_RULE;
pub use derive::{derive, derive_merged, replay};
pub use error::DeriveError;
pub use host_os::errno_name;
pub use matrix::expected_matrix;
#[cfg(test)]
pub use outcome::PlannedRowCounts;
pub use outcome::{CauseCounts, DerivationOutcome, ProfileOutcome, RowFinding, UndecidedCause};
pub use row_prefetch::RowPrefetch;
pub use waivers::{JudgedWaiver, WaiverStanding, Waivers};

use crate::record::outcome::Lane;

/// Where derived artifacts go, one at a time or several at once.
pub trait ArtifactSink {
    /// What one artifact is written to.
    type Out: Write;

    /// Whether the artifact is to be written. A lane's own documents can be left out; what is left out is never started.
    fn wants(&self, _name: &str) -> bool {
        true
    }

    /// Starts the artifact of that name (see `record::layout`).
    fn create(&mut self, name: &str) -> io::Result<Self::Out>;

    /// Takes a finished artifact.
    fn finish(&mut self, name: &str, out: Self::Out) -> io::Result<()>;
}

/// Where raw rows come from. A lane may be opened more than once.
pub trait RowSource: Sync {
    /// The rows of a lane as JSON lines; `None` if the lane has no file.
    fn open(&self, lane: Lane) -> io::Result<Option<Box<dyn BufRead + '_>>>;
}
