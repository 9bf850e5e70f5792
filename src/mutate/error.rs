//! Why there is no report of mutation.

use crate::lane::executor::LaneError;
use crate::lane::worker::LaneWorkerError;
use crate::run::RunError;

/// Why there is no report of mutation.
#[derive(Debug, thiserror::Error)]
pub enum MutationError {
    /// The plan's probes cannot be performed here, or nobody agreed to what they would execute.
    #[error(transparent)]
    NotBegun(RunError),
    /// No profile has a policy that can be changed.
    #[error("no profile of `{plan}` has a policy that can be changed: Landlock, a Seatbelt text, or a launcher")]
    Nothing {
        /// Id of the plan.
        plan: String,
    },
    /// No worker can be started.
    #[error("the probes could not be begun")]
    Worker(#[source] LaneWorkerError),
    /// The probes did not go to their end.
    #[error("the probes did not go to their end")]
    Lane(#[source] LaneError),
}
