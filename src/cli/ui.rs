//! The terminal: results go to standard output, remarks to standard error.
//!
//! Printing never ends a command. A verdict is worked out, then said, and the exit code is the verdict's even if nobody was
//! there to hear it: a reader that went away (`| head`) is no failure, and one that could not be served is one at the very
//! end, when everything else is done (`Ui::end`).

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use serde::Serialize;

use super::table;
use crate::base::json_out;
use crate::base::printable::{Lines, json_for_streams};

/// Standard output does not take what is written to it.
#[derive(Debug, thiserror::Error)]
#[error("could not write to standard output")]
pub(super) struct StdoutFailed(#[source] io::Error);

/// An answer and its format.
#[derive(Serialize)]
struct Answer<'v, T> {
    schema_version: String,
    #[serde(flatten)]
    answer: &'v T,
}

/// A result as the JSON document that is written for it.
pub(super) fn json_text<T: ?Sized + Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = json_for_streams(json_out::to_pretty(value));
    bytes.push(b'\n');
    bytes
}

/// How many columns a stream's terminal has; `None` if it is none, or does not say.
pub(super) fn width_of(stream: impl AsFd) -> Option<usize> {
    terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0)
}

/// Where results and remarks go.
#[derive(Debug)]
pub struct Ui {
    progress: bool,
    /// Whether remarks are said.
    remarks: bool,
    /// Why nothing is written to standard output any more.
    lost: Option<io::Error>,
    /// Whether there is a result on standard output, in part or whole.
    said: bool,
}

impl Ui {
    /// The process's own streams.
    pub fn standard() -> Self {
        Self { progress: io::stderr().is_terminal(), remarks: true, lost: None, said: false }
    }

    /// Leaves out remarks and progress (`quiet`), or progress alone.
    pub fn hush(&mut self, quiet: bool, no_progress: bool) {
        self.remarks = !quiet;
        self.progress &= !quiet && !no_progress;
    }

    /// Whether progress may be drawn: standard error is a terminal, and nobody forbade it.
    pub fn draws_progress(&self) -> bool {
        self.progress
    }

    /// How many columns standard output's terminal has; `None` if it is none, or does not say.
    pub fn width(&self) -> Option<usize> {
        width_of(io::stdout())
    }

    /// Whether there is a result on standard output already.
    pub(super) fn has_said(&self) -> bool {
        self.said
    }

    /// Whether nobody reads what is written to standard output, so that it need not be made.
    pub fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Writes result lines.
    pub fn out(&mut self, lines: &Lines) {
        self.bytes(lines.as_str().as_bytes());
    }

    /// Writes result lines, broken between words where the terminal is narrower than they are.
    pub fn within_width(&mut self, lines: &Lines) {
        self.broken(lines, table::hanging);
    }

    /// The same of messages.
    pub fn messages(&mut self, lines: &Lines) {
        self.broken(lines, table::indented);
    }

    fn broken(&mut self, lines: &Lines, how: fn(&str, usize) -> Vec<String>) {
        match self.width() {
            Some(width) => self.out(&lines.within(width, how)),
            None => self.out(lines),
        }
    }

    /// Writes one result line.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.out(&Lines::from_iter([text]));
    }

    /// Writes a document as it is: making untrusted text in it harmless is up to the caller.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.said |= !bytes.is_empty();
        if self.lost.is_none() {
            let mut out = io::stdout().lock();
            self.lost = out.write_all(bytes).and_then(|()| out.flush()).err();
        }
    }

    /// Writes an answer as a JSON document: the members of `value`, behind the format `sandproof.NAME.v1`, whose schema is
    /// published under that name.
    pub fn answer<T: Serialize>(&mut self, name: &str, value: &T) {
        self.json(&Answer { schema_version: format!("sandproof.{name}.v1"), answer: value });
    }

    /// [`Self::answer`] with one member: `key`, and a list of things or a thing that has a shape of its own.
    pub fn answer_with<T: ?Sized + Serialize>(&mut self, name: &str, key: &'static str, value: &T) {
        self.answer(name, &BTreeMap::from([(key, value)]));
    }

    /// Writes a result as a JSON document.
    pub fn json<T: ?Sized + Serialize>(&mut self, value: &T) {
        self.bytes(&json_text(value));
    }

    /// Writes a remark for people to standard error, as one line.
    pub fn remark(&mut self, text: impl AsRef<str>) {
        self.remarks(&Lines::from_iter([text]));
    }

    /// Writes remarks for people to standard error.
    pub fn remarks(&mut self, lines: &Lines) {
        if !self.remarks {
            return;
        }
        let _ = io::stderr().lock().write_all(lines.as_str().as_bytes());
    }

    /// What went wrong with standard output, if it was worse than that its reader is gone.
    pub(super) fn end(self) -> Option<StdoutFailed> {
        self.lost.filter(|error| error.kind() != io::ErrorKind::BrokenPipe).map(StdoutFailed)
    }
}
