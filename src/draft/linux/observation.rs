//! What was seen of a command.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::record::system_ending::CommandEnd;

/// What was done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PathUse {
    /// It was opened for reading, or executed.
    pub read: bool,
    /// It was opened for writing.
    pub written: bool,
    /// It was named from the root.
    pub from_root: bool,
    /// It was named from the working directory, or from an opened folder.
    pub relative: bool,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Observation {
    /// Paths that were there when they were opened, looked at or executed: from the root, as they were named otherwise.
    pub paths: BTreeMap<PathBuf, PathUse>,
    /// Programs that took a process's place, and what loads them, without links.
    pub executed: BTreeSet<PathBuf>,
    /// Folders whose entries were listed, without links.
    pub listed: BTreeSet<PathBuf>,
    /// Paths at which nothing was.
    pub missing: BTreeSet<PathBuf>,
    /// What was connected to: a host's address and port, or a socket's path.
    pub connections: BTreeSet<String>,
    /// What it tried to connect to in vain.
    pub refused: BTreeSet<String>,
    /// How many calls could not be looked at.
    pub unseen: u64,
    /// The time that the kernel stamped on files when the command was started: seconds, nanoseconds.
    pub began: (i64, i64),
    /// How the command ended.
    pub exit: CommandEnd,
}
