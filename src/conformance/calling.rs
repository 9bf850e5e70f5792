//! What an implementation is put to, how it is called, and what it made of a vector.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::tool::{self, ToolCall, ToolEnvironment, ToolError, ToolOutput};

/// How long one call of an implementation may take; with many bundles in one call, for all of them.
const CALL_LIMIT: Duration = Duration::from_secs(600);
/// How much of what an implementation prints is read, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// What an implementation is put to, and how.
pub struct ConformanceRequest<'a> {
    /// The folder of the vectors.
    pub vectors: &'a Path,
    /// An empty folder for forged bundles; what is made in it stays.
    pub scratch: &'a Path,
    /// Called with a bundle behind it, or with all of them (`many`).
    pub implementation: Option<&'a [String]>,
    /// Whether it takes all bundles at once, and answers with a line for each.
    pub many: bool,
    /// Called with a bundle and a packet behind it.
    pub packets: Option<&'a [String]>,
    /// Reads rows, and prints their outcomes.
    pub rows: Option<&'a [String]>,
    /// Reads documents, and prints digests and controls.
    pub values: Option<&'a [String]>,
    /// Whether it answers for what SPEC.md leaves to the program, too (its section 3.1).
    pub reference: bool,
    /// Whether somebody asked to stop.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// An implementation could not be put to the vectors.
#[derive(Debug, thiserror::Error)]
pub enum ConformanceError {
    /// A file of the vectors, or one that they name, cannot be read.
    #[error("the vectors in `{}` cannot be used: {reason}", folder.display())]
    Vectors {
        /// The folder of the vectors.
        folder: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// A vector asks for a change that cannot be made.
    #[error("the vector `{vector}` cannot be made: {reason}")]
    Vector {
        /// Name of the vector.
        vector: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The implementation could not be called.
    #[error(transparent)]
    Tool(#[from] ToolError),
}

/// What an implementation made of one vector.
pub(super) struct VectorAnswer {
    pub(super) name: String,
    /// In what it differs from the vector, if it does.
    pub(super) differs: Option<Differs>,
}

/// What the vector says, and what the implementation says.
pub(super) struct Differs {
    pub(super) expected: String,
    pub(super) found: String,
}

/// Calls a command with more words behind it, in a folder, with a file as its standard input.
pub(super) fn call(
    request: &ConformanceRequest<'_>,
    command: &[String],
    more: Vec<String>,
    folder: &Path,
    input: Option<&std::fs::File>,
) -> Result<ToolOutput, ConformanceError> {
    let (tool, fixed) = command.split_first().expect("a command has a word");
    let arguments: Vec<String> = fixed.iter().cloned().chain(more).collect();
    Ok(tool::call(ToolCall {
        tool: &located(tool),
        arguments: &arguments,
        environment: ToolEnvironment::Own,
        folder,
        input,
        limit: CALL_LIMIT,
        most_bytes: MAX_ANSWER_BYTES,
        stop: request.stop,
    })?)
}

/// A path stays what it is where the command is called from another folder; a bare name is looked up along `PATH`.
fn located(tool: &str) -> PathBuf {
    let path = Path::new(tool);
    if tool.contains('/') { std::path::absolute(path).unwrap_or_else(|_| path.to_owned()) } else { path.to_owned() }
}

/// How a command ended, and the end of what it said beside its answer.
pub(super) fn ended(output: &ToolOutput) -> String {
    let how = match (output.code, output.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    };
    let said = output.stderr.trim();
    let from = said.char_indices().rev().nth(199).map_or(0, |(at, _)| at);
    if said.is_empty() { how } else { format!("{how}: {}", &said[from..]) }
}

/// A path as a word of a command.
pub(super) fn word(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
