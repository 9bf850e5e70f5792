//! Why there is no draft.

use std::path::PathBuf;

use crate::base::fsx::FileError;

/// A draft that was not made.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The host does not let a command be watched.
    #[error("this host does not let the command be watched: {step}")]
    Unavailable {
        /// What was tried, and what the operating system said.
        step: String,
    },
    /// The command could not be started.
    #[error("the command `{command}` could not be started in `{}`: {why}", folder.display())]
    Command {
        /// The first word of its command line, as it was given.
        command: String,
        /// Where it was started.
        folder: PathBuf,
        /// What the operating system said.
        why: String,
    },
    /// A file that is no record of a kind that is read.
    #[error(
        "`{}` cannot be drafted from: {found}; known are chat-completions and messages requests, logs of inspect_ai (JSON), results of \
         lm-evaluation-harness, model-signing signatures or their statements, and dvc.lock",
        path.display()
    )]
    Evidence {
        /// As it was named.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// A folder or file that could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another system.
    #[cfg(not(target_os = "linux"))]
    #[error("commands are watched on Linux alone; --from drafts from what another tool has recorded")]
    OtherSystem,
}
