//! Exit codes, and the one place where errors are printed.

use std::error::Error;
use std::io::Write;

use serde::Serialize;

use super::color::{BAD, HELPFUL, on_stderr};
use super::table;
use super::ui::{Ui, width_of};
use crate::base::error_chain::{causes, error_chain};
use crate::base::json::JsonError;
use crate::base::line_excerpt::LineExcerpt;
use crate::base::printable::Lines;
use crate::diff::DiffError;
use crate::plan::{Diagnostic, LoadError, spelled_out};

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
    /// 5: the gate refused: not promotable, or not signed by whom was asked for.
    GateRefused,
    /// 6: the output root is locked by another run.
    Locked,
    /// 7: this host cannot do it.
    Unavailable,
    /// 8: done, no mismatch, but some expectation stayed undecided.
    Undecided,
    /// 9: nothing ran.
    NothingRan,
    /// 10: a sealed command ran, and what it read may have changed meanwhile.
    Drifted,
    /// 70: an internal error.
    Fault,
    /// 130: interrupted by SIGINT.
    Interrupted,
    /// 143: ended by SIGTERM.
    Terminated,
}

impl Exit {
    /// Every one, by number.
    pub const ALL: [Self; 14] = [
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
        Self::Drifted,
        Self::Fault,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// What it means, as help and manual pages say it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, and everything as expected",
            Self::Mismatch => "done; something is not as expected, or a lint or a comparison found something",
            Self::Usage => "the arguments make no sense",
            Self::InputRefused => "a plan, registry, template, policy or other input was refused",
            Self::BundleInvalid => "a bundle or packet is invalid, incomplete or not committed",
            Self::GateRefused => "not promotable, or not signed by whom was asked for",
            Self::Locked => "another run has the output root; worth a retry",
            Self::Unavailable => "this host cannot do it",
            Self::Undecided => "done, with something left undecided",
            Self::NothingRan => "nothing ran",
            Self::Drifted => "a sealed command ran, and what it read may have changed meanwhile",
            Self::Fault => "an internal error, or an output that could not be written",
            Self::Interrupted => "interrupted by SIGINT",
            Self::Terminated => "ended by SIGTERM",
        }
    }

    /// The number that the process ends with.
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
            Self::Drifted => 10,
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
        error_chain(self.error.as_ref())
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

/// Why a command has no answer, for programs.
#[derive(Serialize)]
pub(super) struct Refusal {
    exit_code: u8,
    error: String,
    causes: Vec<String>,
    hints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Vec<Diagnostic>>,
}

impl Refusal {
    /// The refusal of arguments: what the parser says of them, its error first.
    pub(super) fn of_usage(said: &str) -> Self {
        let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
        let error = lines.next().unwrap_or("the arguments make no sense").trim_start_matches("error: ").to_owned();
        Self {
            exit_code: Exit::Usage.code(),
            error,
            causes: Vec::new(),
            hints: lines.map(str::to_owned).collect(),
            findings: None,
        }
    }
}

impl Failure {
    /// Writes the refusal as an answer of its own.
    fn answer(&self, ui: &mut Ui) {
        ui.answer(
            "refusal",
            &Refusal {
                exit_code: self.exit.code(),
                error: self.error.to_string(),
                causes: causes(self.error.as_ref()).skip(1).map(|one| one.to_string()).collect(),
                hints: self.hints.clone(),
                findings: load_error(self.error.as_ref()).and_then(LoadError::findings),
            },
        );
    }
}

/// Prints a failure, once, with its chain of causes, and gives the exit code.
pub(super) fn conclude(outcome: Result<Exit, Failure>) -> u8 {
    let failure = match outcome {
        Ok(exit) => return exit.code(),
        Err(failure) => failure,
    };
    let mut lines = Lines::default();
    let error = format!("{} ", on_stderr(BAD, "error:"));
    for (n, one) in causes(failure.error.as_ref()).enumerate() {
        told(&mut lines, if n == 0 { &error } else { "  cause: " }, one);
    }
    for hint in &failure.hints {
        lines.marked(&format!("  {} ", on_stderr(HELPFUL, "hint:")), hint);
    }
    if let Some(width) = width_of(std::io::stderr()) {
        lines = lines.within(width, table::indented);
    }
    let _ = std::io::stderr().lock().write_all(lines.as_str().as_bytes());
    failure.exit.code()
}

/// [`conclude`], after everything was said: where standard output did not take it, whoever asked does not have the answer,
/// which is then the worst that there is to say. What the command did is done all the same.
///
/// Where an answer in JSON was asked for and there is none, the refusal is one.
pub(super) fn conclude_with(outcome: Result<Exit, Failure>, mut ui: Ui, json: bool) -> u8 {
    if let Err(failure) = &outcome
        && json
        && !ui.has_said()
    {
        failure.answer(&mut ui);
    }
    match (outcome, ui.end()) {
        (Ok(exit), Some(failed)) => {
            let verdict =
                format!("everything else is done; had it been written, the exit code would be {}", exit.code());
            conclude(Err(Failure::new(Exit::Fault, failed).hint(verdict)))
        }
        (outcome, _) => conclude(outcome),
    }
}

/// One error, in one line whatever stands in it, and the line of the input that it is about. Only an error that is a list of
/// findings has a line for each.
fn told(lines: &mut Lines, mark: &str, error: &(dyn Error + 'static)) {
    if let Some(LoadError::Refused { notes }) = load_error(error) {
        for (n, (line, place)) in spelled_out(notes).into_iter().enumerate() {
            lines.marked(if n == 0 { mark } else { "" }, line);
            show_place(lines, place.map(|place| &place.excerpt));
        }
        return;
    }
    lines.marked(mark, error.to_string());
    show_place(lines, error.downcast_ref::<JsonError>().and_then(|error| error.excerpt.as_deref()));
}

/// The line that a message is about, with the place marked.
pub(super) fn show_place(lines: &mut Lines, excerpt: Option<&LineExcerpt>) {
    for line in excerpt.into_iter().flat_map(LineExcerpt::lines) {
        lines.kept(line);
    }
}

/// The error of a plan or registry, if this is one.
fn load_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e LoadError> {
    match (error.downcast_ref::<LoadError>(), error.downcast_ref::<DiffError>()) {
        (Some(error), _) => Some(error),
        (None, Some(DiffError::Load(error))) => Some(error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{DiagnosticKind, Severity, TextPlace};

    fn said(error: &(dyn Error + 'static)) -> String {
        let mut lines = Lines::default();
        told(&mut lines, "error: ", error);
        lines.as_str().to_owned()
    }

    #[test]
    fn an_error_that_is_no_list_of_findings_has_one_line() {
        let foreign = std::io::Error::other("one\ntwo");
        assert_eq!(said(&foreign).lines().count(), 1, "{}", said(&foreign));
    }

    #[test]
    fn a_list_of_findings_has_a_line_for_each_and_one_mark() {
        let note = |message: &str| Diagnostic {
            severity: Severity::Error,
            file: "plan.json".into(),
            pointer: "/x".into(),
            subject: String::new(),
            kind: DiagnosticKind::BadValue,
            message: message.into(),
            remedy: String::new(),
            runs_anyway: false,
            place: (message == "two").then(|| TextPlace::of("{\n  \"x\": 1}\n", 2, 8, 1).unwrap()),
        };
        let list = || LoadError::Refused { notes: vec![note("one"), note("two")] };
        let wanted = "error: the input is refused for 2 reasons:\n  `plan.json` at `/x`: one\n  `plan.json` at `/x`: two\n  2 |   \"x\": 1}\n    |        ^\n";
        assert_eq!(said(&list()), wanted);
        let of_diff = DiffError::Load(Box::new(list()));
        assert_eq!(said(&of_diff), wanted);
        let findings = serde_json::to_value(load_error(&of_diff).unwrap().findings().unwrap()).unwrap();
        assert_eq!((&findings[1]["line"], &findings[1]["column"]), (&2.into(), &8.into()));
        assert_eq!(findings[0].get("line"), None);
        assert!(LoadError::NoRoot { plan: "p".into(), shared: None }.findings().is_none());
    }

    /// One meaning, in three places: each word that tells it apart stands in SPEC's table and in README's line, and no code is in
    /// either that the program does not have.
    #[test]
    fn the_published_meanings_are_those_of_the_program() {
        let spec = include_str!("../../SPEC.md");
        let table = spec.split("\n## 5. Exit codes").nth(1).and_then(|rest| rest.split("\n\nAn id").next()).unwrap();
        let readme = include_str!("../../README.md");
        let line = readme.split("Exit codes: ").nth(1).and_then(|rest| rest.split(". `COMMAND").next()).unwrap();
        let line = line.replace('\n', " ");
        // The word that a reader knows the code by.
        let word = |exit: Exit| match exit {
            Exit::Done => "as expected",
            Exit::Mismatch => "finding",
            Exit::Usage => "usage",
            Exit::InputRefused => "refused",
            Exit::BundleInvalid => "invalid",
            Exit::GateRefused => "gate refused",
            Exit::Locked => "locked",
            Exit::Unavailable => "this host",
            Exit::Undecided => "undecided",
            Exit::NothingRan => "nothing ran",
            Exit::Drifted => "may have changed",
            Exit::Fault => "an internal error",
            Exit::Interrupted | Exit::Terminated => "interrupted",
        };
        let mut codes = Vec::new();
        for exit in Exit::ALL {
            let code = exit.code().to_string();
            let row = table.lines().find(|row| {
                let cell = row.strip_prefix("| ").and_then(|row| row.split(" |").next()).unwrap_or_default();
                cell.split(", ").any(|one| one == code)
            });
            let row = row.unwrap_or_else(|| panic!("SPEC has no row for {code}"));
            assert!(row.contains(word(exit)), "SPEC, {code}: {row}");
            // From the code to the next one.
            let parts = line.split(", ").filter(|part| part.split(' ').any(|one| one == code)).collect::<Vec<_>>();
            assert!(parts.iter().any(|part| part.contains(word(exit))), "README, {code}: {parts:?}");
            codes.push(code);
        }
        let rows = table.lines().filter_map(|row| row.strip_prefix("| ")?.split(" |").next());
        for code in rows.flat_map(|cell| cell.split(", ")).filter(|cell| cell.bytes().all(|b| b.is_ascii_digit())) {
            assert!(codes.iter().any(|known| known == code), "SPEC has the code {code}");
        }
    }

    #[test]
    fn a_refusal_of_arguments_has_its_error_first_and_no_empty_hint() {
        let refusal = Refusal::of_usage("error: there is no `--x`\n\n  tip: a similar one exists\n\nUsage: y\n");
        assert_eq!((&*refusal.error, refusal.exit_code), ("there is no `--x`", Exit::Usage.code()));
        assert_eq!(refusal.hints, ["tip: a similar one exists", "Usage: y"]);
    }
}
