//! Why a channel cannot be used, or did not bring its worker to the end.

use super::launchd::refusal::NotBootstrapped;
use crate::process::tool::{ToolError, ToolOutput};
use crate::record::channel_witness::ManagerAccount;

/// Why a channel cannot be used here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ChannelUnavailable {
    reason: String,
}

impl ChannelUnavailable {
    /// A channel that cannot be used, and why, in words.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// A channel that did not bring the worker to its end.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// A program of the manager could not be run.
    #[error("could not ask the manager")]
    Tool(#[source] ToolError),
    /// The manager refused the job.
    #[error("the manager refused the job: {}", output.in_a_line())]
    Refused {
        /// What its program said.
        output: ToolOutput,
    },
    /// launchd did not take the job.
    #[error(transparent)]
    NotBootstrapped(Box<NotBootstrapped>),
    /// The manager does not answer.
    #[error("the manager does not answer: {}", output.in_a_line())]
    Silent {
        /// What its program said.
        output: ToolOutput,
    },
    /// The worker did not end in time.
    #[error(
        "the worker did not end within {limit_s} s and was stopped ({}); `--channel-timeout-seconds` sets the limit",
        words(account)
    )]
    Expired {
        /// The limit, in seconds.
        limit_s: u64,
        /// What the manager said last.
        account: Box<ManagerAccount>,
    },
    /// Somebody wished to stop.
    #[error("interrupted while the worker ran")]
    Cancelled,
}

/// The manager's words for a job's state, in one line.
pub fn words(account: &ManagerAccount) -> String {
    let word = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "unknown".to_string());
    format!("{} says: state {}, result {}", account.manager, word(&account.state), word(&account.result))
}
