//! What the first process tells the supervisor, one JSON document a line.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use crate::base::digest::Digest;
use crate::record::sealed_folders::ListedFolder;
use crate::record::system_ending::{CommandEnd, DriftedItem, HeldBy, OutputFolder};

/// A line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FirstReport {
    /// The root stands; the command waits for the declaration.
    Ready {
        /// What was found, in the order of the items.
        items: Vec<PlacedItem>,
        /// SHA-256 of what `/proc/cpuinfo` and `/proc/stat` hold inside. `None`: they are the host's.
        seen: Option<Box<(Digest, Digest)>>,
        /// Digest of the command's file, and its path inside.
        executable: Digest,
        executable_path: String,
    },
    /// Something could not be done. Nothing was executed.
    Failed {
        /// What was tried, as an infinitive.
        step: String,
        about: String,
        why: String,
        kind: FailedStep,
    },
    /// The command has ended, and nothing of it is left.
    Ended {
        end: CommandEnd,
        drift: Vec<DriftedItem>,
        /// Which items were opened, in their order. `None`: it was not observed.
        opened: Option<Vec<bool>>,
        out: Option<Box<OutputFolder>>,
    },
}

/// Which kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum FailedStep {
    /// The kernel refuses namespaces, mounts or a filter.
    Confinement,
    /// The root could not be filled.
    Root,
    /// The command's file is not there, or cannot be executed.
    Command,
}

/// What an item was found to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PlacedItem {
    pub digest: Digest,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Of a file: whether it may be executed.
    pub executable: bool,
    pub bytes: u64,
    pub held: HeldBy,
    /// Of a folder: what is in it. Its pointer is empty.
    pub listed: Option<ListedFolder>,
}

/// Sends one.
pub(super) fn send(to: &mut impl Write, report: &FirstReport) -> io::Result<()> {
    let mut line = serde_json::to_vec(report).map_err(io::Error::other)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// Reads one. `None`: there is none any more.
pub(super) fn receive(from: &mut impl BufRead) -> io::Result<Option<FirstReport>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    serde_json::from_str(&line).map(Some).map_err(io::Error::other)
}
