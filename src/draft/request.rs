//! What is watched, and what comes of it.

use std::ffi::OsString;
use std::path::PathBuf;

use super::document::DeclarationDraft;
use crate::record::system_ending::CommandEnd;

/// A command to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchRequest {
    /// The folder of the document, in which the command is started: what is below it are inputs.
    pub folder: PathBuf,
    /// The variables of this process.
    pub environment: Vec<(String, OsString)>,
    /// The command and its arguments.
    pub command: Vec<OsString>,
}

/// A draft, and how the command ended from which it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchedDraft {
    /// The document, and what does not stand in it.
    pub draft: DeclarationDraft,
    /// How the command ended.
    pub exit: CommandEnd,
}
