//! Questions, answers and columns in words.

use crate::record::launcher_matrix::{MatrixCell, MatrixColumn, MatrixQuestion};
use crate::record::outcome::{Decision, Expectation};

/// A question as it stands at the beginning of a line.
pub(super) fn question(question: &MatrixQuestion) -> String {
    if question.target.is_empty() {
        format!("{}  {}", question.probe_id, question.operation)
    } else {
        format!("{}  {} {}", question.probe_id, question.operation, question.target)
    }
}

/// The answer in one word: `allow`, how it was denied, or `?`.
pub(super) fn word(cell: &MatrixCell) -> &'static str {
    match (cell.actual, cell.mechanism) {
        (Some(Decision::Allow), _) => "allow",
        (Some(Decision::Deny), Some(mechanism)) => mechanism.as_str(),
        (Some(Decision::Deny), None) => "deny",
        (None, _) => "?",
    }
}

/// Whether it is not what was expected.
pub(super) fn is_wrong(cell: &MatrixCell) -> bool {
    cell.matched == Some(false)
}

/// Whether it is not what is documented.
pub(super) fn is_against_claim(cell: &MatrixCell) -> bool {
    cell.claim.as_ref().is_some_and(|claim| claim.borne_out == Some(false))
}

/// Whether nothing was decided.
pub(super) fn is_open(cell: &MatrixCell) -> bool {
    cell.actual.is_none()
}

/// How the answer came about, in words; empty if there is nothing to say.
pub(super) fn cause(cell: &MatrixCell) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(cell.undecided.clone());
    parts.extend(cell.errno.clone());
    parts.extend(cell.via.as_ref().map(|via| format!("via {via}")));
    parts.extend(cell.covered_by.as_ref().map(|by| format!("covered by {by}")));
    if let Some(kind) = cell.name {
        let alone = cell.by_name.map(|by| format!("; {} under the one that is spelled", by.as_str()));
        parts.push(format!("under another name ({}){}", kind.as_str(), alone.unwrap_or_default()));
    }
    parts.extend(cell.object.as_ref().filter(|object| *object == "other").map(|_| "on another object".to_owned()));
    parts.extend(cell.notes.clone().filter(|_| cell.undecided.is_some() || is_wrong(cell)));
    parts.join(", ")
}

/// The whole answer in one sentence.
pub(super) fn sentence(cell: &MatrixCell) -> String {
    let mut text = match cell.expected {
        Some(Expectation::Any) | None => String::new(),
        Some(expected) => format!("expected {}, ", expected.as_str()),
    };
    text.push_str(if is_open(cell) { "undecided" } else { word(cell) });
    let cause = cause(cell);
    if !cause.is_empty() {
        text.push_str(&format!(" ({cause})"));
    }
    if let Some(claim) = &cell.claim {
        let held = match claim.borne_out {
            Some(true) => "as documented",
            Some(false) => "not as documented",
            None => "documented, and not known",
        };
        text.push_str(&format!("; {held}: {} ({})", claim.is.as_str(), claim.source));
    }
    text
}

/// What a column is, in short phrases.
pub(super) fn described(column: &MatrixColumn) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(column.version.clone());
    parts.push(format!("{} {}", column.mode.as_str(), column.policy));
    let starts: Vec<&str> = column.starts.iter().map(|start| start.as_str()).collect();
    if !starts.is_empty() {
        parts.push(format!("reached {}", starts.join(", ")));
    } else if column.launcher_id.is_some() {
        parts.push("never reached".to_owned());
    }
    if !column.residue.is_empty() {
        parts.push(format!("left in the workspace: {}", column.residue.join(", ")));
    }
    parts.push(format!("run {}", column.run_id));
    parts
}
