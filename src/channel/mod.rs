//! How a worker process is started.
//!
//! - `direct`: by this process itself, in whatever context it has. Never clean.
//! - [`systemd`]: as a transient unit of systemd.
//! - [`launchd`]: as a one-shot job of launchd.
//! - [`manager`]: one interface for both.
//! - [`stage`]: what a worker is given, checked by digest on both sides.
//! - [`witness`]: what a worker says of the context that it was started in.

pub mod launchd;
pub mod manager;
pub mod stage;
pub mod systemd;
pub mod witness;

use crate::process::tool::{ToolError, ToolOutput};
use crate::record::channel_witness::ManagerAccount;
use crate::record::manifest::ChannelKind;

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
    #[error("the manager refused the job: {}", said(output))]
    Refused {
        /// What its program said.
        output: ToolOutput,
    },
    /// launchd did not take the job.
    #[error(transparent)]
    NotBootstrapped(Box<launchd::NotBootstrapped>),
    /// The manager does not answer.
    #[error("the manager does not answer: {}", said(output))]
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

/// What a program said, in one line.
fn said(output: &ToolOutput) -> String {
    let text = if output.stderr.trim().is_empty() { output.stdout.trim() } else { output.stderr.trim() };
    let how = match (output.code, output.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit code".to_string(),
    };
    format!("{} ({how})", text.replace('\n', "; "))
}

/// Whether a channel can be used here.
///
/// # Errors
/// The reason, if it cannot.
pub fn check(channel: ChannelKind) -> Result<(), ChannelUnavailable> {
    match channel {
        ChannelKind::Direct => Ok(()),
        clean => manager::of_channel(clean).map(|_| ()),
    }
}
