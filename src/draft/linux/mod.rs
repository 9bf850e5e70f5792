//! A command that is watched with all that it starts, by ptrace(2) and a filter of system calls: what it opens, looks at, lists,
//! executes and connects to.

mod calls;
mod filter;
mod follow;
mod observation;
mod other_memory;
mod sorting;
mod start;
mod whole;
mod written;

use super::error::DraftError;
use super::request::{WatchRequest, WatchedDraft};
use crate::base::fsx::IoContext;

/// Runs the command once, and writes down what it was made of.
///
/// # Errors
/// If it cannot be watched or started. That it fails is no error.
pub fn watch(request: &WatchRequest) -> Result<WatchedDraft, DraftError> {
    let home = request.folder.canonicalize().at("find the folder", &request.folder)?;
    let passed = written::passed(&request.environment);
    let seen = follow::observe(&home, &written::given(&request.environment, &passed), &request.command)?;
    let draft = written::draft(&home, request, &passed, &seen);
    Ok(WatchedDraft { draft, exit: seen.exit })
}
