//! One answer, as a matrix has it.

use super::super::row::{Agreement, ReportRow};
use super::row_facts::MatrixRowFacts;
use crate::evidence::launcher as rule;
use crate::policy::launcher::LauncherDocument;
use crate::record::launcher::{NameKind, Names};
use crate::record::launcher_matrix::{MatrixCell, MatrixClaim, MatrixQuestion};
use crate::record::outcome::Decision;

/// The cell of a row.
pub(super) fn of(
    row: &ReportRow,
    raw: &MatrixRowFacts,
    names: Names,
    launcher: Option<&LauncherDocument>,
    question: &MatrixQuestion,
) -> MatrixCell {
    let event = &row.event;
    let actual = event.actual;
    let record = raw.launcher.as_deref();
    let verdict = record.map(|record| rule::verdict(raw.driver(), record, names));
    let denied = verdict.as_ref().filter(|_| actual == Some(Decision::Deny));
    let decided = verdict.as_ref().filter(|_| actual.is_some());
    let name = record.zip(verdict.as_ref().and_then(|verdict| verdict.name)).and_then(|(record, name)| {
        let asked = record.asked.iter().find(|asked| asked.name == name)?;
        (asked.kind != NameKind::Spelled).then_some(asked.kind)
    });
    // As documents name the run's folders for the model.
    let target = ["workspace", "outside", "home", "state"].iter().fold(question.target.clone(), |text, part| {
        text.replace(&format!("${{{part}}}"), &format!("${{root}}/{part}"))
    });
    let claim = launcher.and_then(|launcher| launcher.claim(&question.operation, &target));
    MatrixCell {
        profile_id: event.profile_id.clone(),
        expectation_id: row.id().to_owned(),
        expected: event.expected,
        actual,
        matched: event.matched,
        undecided: matches!(row.agreement, Agreement::Undecided | Agreement::Asked).then(|| row.kind().to_owned()),
        notes: event.notes.clone(),
        errno: event.errno_name.clone(),
        mechanism: denied.and_then(|verdict| verdict.mechanism),
        via: denied.and_then(|verdict| verdict.via.clone()),
        covered_by: denied.and_then(|verdict| verdict.covered_by.clone()),
        object: decided.and_then(|verdict| verdict.object).map(str::to_owned),
        by_name: decided.and_then(|verdict| verdict.by_name),
        name,
        start: verdict.as_ref().and_then(|verdict| verdict.start),
        claim: claim.map(|(_, claim)| MatrixClaim {
            is: claim.is,
            source: claim.source.clone(),
            borne_out: actual.map(|actual| actual == claim.is),
        }),
    }
}
