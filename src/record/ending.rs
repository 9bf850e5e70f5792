//! How a probe process ended, as the harness saw it. Every variant is evidence, never a harness error.

use serde::{Deserialize, Serialize};

/// How a process ended. Exit code and signal stay apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case", deny_unknown_fields)]
pub enum Ending {
    /// It exited by itself.
    Exited {
        /// The exit code, 0 to 255.
        code: i32,
    },
    /// A signal ended it.
    Signaled {
        /// The signal's number.
        signal: i32,
        /// Whether the kernel wrote a core dump.
        core_dumped: bool,
    },
    /// It was still running at its deadline and was ended by the harness.
    Expired {
        /// The deadline, in milliseconds from the start.
        deadline_ms: u64,
        /// Each signal that was sent, in order.
        sent: Vec<SentSignal>,
        /// The signal that `wait(2)` finally reported, if it was one.
        signal: Option<i32>,
    },
    /// It could not be started.
    NotStarted {
        /// The error number of the failed start.
        errno: i32,
    },
    /// The process that runs probes was gone, so nothing is known.
    Lost {
        /// What the harness saw.
        reason: String,
    },
}

/// One rung of the termination ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentSignal {
    /// The signal's number.
    pub signal: i32,
    /// When it was sent, in milliseconds from the start of the process.
    pub at_ms: u64,
}
