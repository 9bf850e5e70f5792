//! Exit codes, and the one place where errors are printed.

use std::error::Error;
use std::io::Write;

use super::color::{BAD, HELPFUL, on_stderr};
use super::ui::Ui;
use crate::base::printable::Lines;
use crate::diff::DiffError;
use crate::plan::LoadError;

/// How the program ends. The numbers are an interface: `SPEC.md` publishes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, and everything as expected.
    Done,
    /// 1: done, with mismatches, or with findings of a lint or diff.
    Mismatch,
    /// 2: the arguments make no sense.
    Usage,
    /// 3: a plan, registry, template or policy was refused.
    InputRefused,
    /// 4: a bundle or packet is invalid, incomplete or not committed.
    BundleInvalid,
    /// 5: the gate refused.
    GateRefused,
    /// 6: the output root is locked by another run.
    Locked,
    /// 7: this host cannot do it.
    Unavailable,
    /// 8: done, no mismatch, but some expectation stayed undecided.
    Undecided,
    /// 9: nothing ran.
    NothingRan,
    /// 70: an internal error.
    Fault,
    /// 130: interrupted by SIGINT.
    Interrupted,
    /// 143: ended by SIGTERM.
    Terminated,
}

impl Exit {
    /// Every one, by number.
    #[cfg(any(test, feature = "test-support"))]
    pub const ALL: [Self; 13] = [
        Self::Done,
        Self::Mismatch,
        Self::Usage,
        Self::InputRefused,
        Self::BundleInvalid,
        Self::GateRefused,
        Self::Locked,
        Self::Unavailable,
        Self::Undecided,
        Self::NothingRan,
        Self::Fault,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Mismatch => 1,
            Self::Usage => 2,
            Self::InputRefused => 3,
            Self::BundleInvalid => 4,
            Self::GateRefused => 5,
            Self::Locked => 6,
            Self::Unavailable => 7,
            Self::Undecided => 8,
            Self::NothingRan => 9,
            Self::Fault => 70,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

/// A command that could not do what it was asked: the class, the error with its causes, and what to try next.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    error: Box<dyn Error + Send + Sync>,
    hints: Vec<String>,
}

impl Failure {
    /// A failure of class `exit`.
    pub fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit, error: error.into(), hints: Vec::new() }
    }

    /// What went wrong, with its causes, on one line.
    pub(super) fn told(&self) -> String {
        let mut text = self.error.to_string();
        let mut cause = self.error.source();
        while let Some(inner) = cause {
            text.push_str(&format!(": {inner}"));
            cause = inner.source();
        }
        text
    }

    /// Adds a line about what to try next.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }
}

/// Classifies an error type at the edge.
pub trait OrFail<T> {
    /// Makes the error a failure of class `exit`.
    fn or_fail(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OrFail<T> for Result<T, E> {
    fn or_fail(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(exit, error))
    }
}

/// Prints a failure, once, with its chain of causes, and gives the exit code.
pub(super) fn conclude(outcome: Result<Exit, Failure>) -> u8 {
    let failure = match outcome {
        Ok(exit) => return exit.code(),
        Err(failure) => failure,
    };
    let mut lines = Lines::default();
    told(&mut lines, &format!("{} ", on_stderr(BAD, "error:")), failure.error.as_ref());
    let mut cause = failure.error.source();
    while let Some(inner) = cause {
        told(&mut lines, "  cause: ", inner);
        cause = inner.source();
    }
    for hint in &failure.hints {
        lines.marked(&format!("  {} ", on_stderr(HELPFUL, "hint:")), hint);
    }
    let _ = std::io::stderr().lock().write_all(lines.as_str().as_bytes());
    failure.exit.code()
}

/// [`conclude`], after everything was said: where standard output did not take it, whoever asked does not have the answer,
/// which is then the worst that there is to say. What the command did is done all the same.
pub(super) fn conclude_with(outcome: Result<Exit, Failure>, ui: Ui) -> u8 {
    match (outcome, ui.end()) {
        (Ok(exit), Some(failed)) => {
            let verdict =
                format!("everything else is done; had it been written, the exit code would be {}", exit.code());
            conclude(Err(Failure::new(Exit::Fault, failed).hint(verdict)))
        }
        (outcome, _) => conclude(outcome),
    }
}

/// One error, in one line whatever stands in it. Only an error that is a list of findings has a line for each; these are
/// printable already, so that every line break in it is its own.
fn told(lines: &mut Lines, mark: &str, error: &(dyn Error + 'static)) {
    let text = error.to_string();
    if !is_list(error) {
        return lines.marked(mark, text);
    }
    for (n, line) in text.split('\n').enumerate() {
        lines.marked(if n == 0 { mark } else { "" }, line);
    }
}

fn is_list(error: &(dyn Error + 'static)) -> bool {
    let of_plan = match (error.downcast_ref::<LoadError>(), error.downcast_ref::<DiffError>()) {
        (Some(error), _) => error,
        (None, Some(DiffError::Load(error))) => error,
        _ => return false,
    };
    matches!(of_plan, LoadError::Refused { .. })
}
