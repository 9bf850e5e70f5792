//! The terminal: results go to standard output, remarks to standard error.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::exit::{Exit, Failure};
use crate::base::json_out;

/// Standard output was closed by its reader.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed")]
pub(super) struct StdoutClosed;

/// Standard output does not take what is written to it.
#[derive(Debug, thiserror::Error)]
#[error("could not write to standard output")]
struct StdoutFailed(#[source] io::Error);

/// Where results and remarks go.
#[derive(Debug)]
pub struct Ui {
    progress: bool,
}

impl Ui {
    /// The process's own streams.
    pub fn standard() -> Self {
        Self { progress: io::stderr().is_terminal() }
    }

    /// Whether progress may be drawn: standard error is a terminal.
    pub fn draws_progress(&self) -> bool {
        self.progress
    }

    /// Writes a result text as it is.
    pub fn out(&mut self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())
    }

    /// Writes a result that is text already.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(stdout_failure)
    }

    /// Writes one result line.
    pub fn line(&mut self, text: impl AsRef<str>) -> Result<(), Failure> {
        self.out(&format!("{}\n", text.as_ref()))
    }

    /// Writes a result as a JSON document.
    pub fn json<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Failure> {
        let mut bytes = json_out::to_pretty(value);
        bytes.push(b'\n');
        let mut out = io::stdout().lock();
        out.write_all(&bytes).and_then(|()| out.flush()).map_err(stdout_failure)
    }

    /// Writes a remark for people to standard error.
    pub fn remark(&mut self, text: impl AsRef<str>) {
        let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
    }
}

fn stdout_failure(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::new(Exit::Done, StdoutClosed);
    }
    Failure::new(Exit::Unavailable, StdoutFailed(error))
}
