//! How lint commands answer.

use serde::Serialize;

use super::color;
use super::exit::{Exit, Failure};
use super::ui::Ui;
use crate::plan::{Note, Severity};

/// A lint's answer, as JSON.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    ok: bool,
    errors: usize,
    warnings: usize,
    notes: &'a [Note],
}

/// Prints the findings on `what`. Errors are findings (exit 1); warnings alone are not.
pub(super) fn report(what: &str, notes: &[Note], json: bool, ui: &mut Ui) -> Result<Exit, Failure> {
    let errors = notes.iter().filter(|note| note.severity == Severity::Error).count();
    let warnings = notes.len() - errors;
    if json {
        ui.json(&Answer { ok: errors == 0, errors, warnings, notes })?;
    } else {
        let mut text = String::new();
        for note in notes {
            let style = if note.severity == Severity::Error { color::BAD } else { color::DOUBTFUL };
            let word = color::on_stdout(style, note.severity.as_str());
            text.push_str(&format!("{word}[{}] {note}\n", note.kind.as_str()));
        }
        text.push_str(&match (errors, warnings) {
            (0, 0) => format!("{what} ok\n"),
            (0, _) => format!("{what} ok, {}\n", counted(warnings, "warning")),
            (_, 0) => format!("{what} refused: {}\n", counted(errors, "error")),
            _ => format!("{what} refused: {}, {}\n", counted(errors, "error"), counted(warnings, "warning")),
        });
        ui.out(&text)?;
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Mismatch })
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
