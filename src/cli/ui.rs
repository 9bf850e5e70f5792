//! The terminal: results go to standard output, remarks to standard error.
//!
//! Printing never ends a command. A verdict is worked out, then said, and the exit code is the verdict's even if nobody was
//! there to hear it: a reader that went away (`| head`) is no failure, and one that could not be served is one at the very
//! end, when everything else is done (`Ui::end`).

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::base::json_out;
use crate::base::printable::{Lines, json_for_streams};

/// Standard output does not take what is written to it.
#[derive(Debug, thiserror::Error)]
#[error("could not write to standard output")]
pub(super) struct StdoutFailed(#[source] io::Error);

/// Where results and remarks go.
#[derive(Debug)]
pub struct Ui {
    progress: bool,
    /// Why nothing is written to standard output any more.
    lost: Option<io::Error>,
}

impl Ui {
    /// The process's own streams.
    pub fn standard() -> Self {
        Self { progress: io::stderr().is_terminal(), lost: None }
    }

    /// Whether progress may be drawn: standard error is a terminal.
    pub fn draws_progress(&self) -> bool {
        self.progress
    }

    /// How many columns standard output's terminal has; `None` if it is none, or does not say.
    pub fn width(&self) -> Option<usize> {
        terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0)
    }

    /// Whether nobody reads what is written to standard output, so that it need not be made.
    pub fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Writes result lines.
    pub fn out(&mut self, lines: &Lines) {
        self.bytes(lines.as_str().as_bytes());
    }

    /// Writes one result line.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.out(&Lines::from_iter([text]));
    }

    /// Writes a document as it is: making untrusted text in it harmless is up to the caller.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if self.lost.is_none() {
            let mut out = io::stdout().lock();
            self.lost = out.write_all(bytes).and_then(|()| out.flush()).err();
        }
    }

    /// Writes a result as a JSON document.
    pub fn json<T: ?Sized + Serialize>(&mut self, value: &T) {
        let mut bytes = json_for_streams(json_out::to_pretty(value));
        bytes.push(b'\n');
        self.bytes(&bytes);
    }

    /// Writes a remark for people to standard error, as one line.
    pub fn remark(&mut self, text: impl AsRef<str>) {
        self.remarks(&Lines::from_iter([text]));
    }

    /// Writes remarks for people to standard error.
    pub fn remarks(&mut self, lines: &Lines) {
        let _ = io::stderr().lock().write_all(lines.as_str().as_bytes());
    }

    /// What went wrong with standard output, if it was worse than that its reader is gone.
    pub(super) fn end(self) -> Option<StdoutFailed> {
        self.lost.filter(|error| error.kind() != io::ErrorKind::BrokenPipe).map(StdoutFailed)
    }
}
