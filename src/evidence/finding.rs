//! Rows worth showing, with what everybody says of them.

use std::borrow::Cow;

use super::decide;
use super::opinions;
use super::outcome::{RowFinding, UndecidedCause};
use super::places::RuleLines;
use super::row_facts::Context;
use super::scenario::Judged;
use crate::record::mismatch::MismatchType;
use crate::record::opinions::{ModelOpinion, SourcePlace};
use crate::record::row::OracleRow;

/// The finding of a judged row. `asked`: its row of the oracle lane.
pub(super) fn of(
    context: &Context<'_>,
    judged: &Judged<'_>,
    mismatch_type: Option<MismatchType>,
    asked: Option<&OracleRow>,
    places: &mut RuleLines,
) -> RowFinding {
    let placed = judged.placed;
    let entry = &placed.probe.entry;
    let errno = judged.verdict.errno();
    let reason = reason(context, judged).into_owned();
    let policy = &placed.profile.policy.path;
    let model = asked.map(|row| ModelOpinion {
        source: row.source.to_string(),
        decision: row.decision,
        rule: row.rule.clone(),
        rule_place: row.rule.as_deref().and_then(|rule| {
            let text = || {
                let document = context.plan.documents.iter().find(|one| one.path == *policy)?;
                String::from_utf8(document.bytes.held()?.to_vec()).ok()
            };
            let (line, column) = places.find(policy, rule, text)?;
            Some(SourcePlace { path: policy.clone(), line, column })
        }),
        reason: row.reason.clone(),
        assumes: row.assumes.clone(),
    });
    let actual = judged.verdict.actual();
    RowFinding {
        profile_id: placed.profile.id.clone(),
        probe_name: placed.name().to_owned(),
        expectation_id: placed.probe.expectation_id.clone(),
        operation: placed.operation().to_owned(),
        target: placed.target().to_owned(),
        expected: entry.expected,
        actual,
        mismatch_type,
        kind: judged.verdict.kind(),
        asked: asked_as_expected(judged),
        errno,
        reason,
        opinions: opinions::of(entry.expected.decision(), entry.why.as_deref().map(str::to_owned), actual, model),
    }
}

/// Why a row that decided nothing did not.
pub(super) fn cause(context: &Context<'_>, judged: &Judged<'_>) -> UndecidedCause {
    let verdict = judged.verdict;
    UndecidedCause::new(verdict.kind(), asked_as_expected(judged), verdict.errno(), &reason(context, judged))
}

fn asked_as_expected(judged: &Judged<'_>) -> bool {
    let expected = judged.placed.probe.entry.expected;
    judged.verdict.kind().is_some_and(|kind| decide::asked_as_expected(judged.row, kind, expected))
}

fn reason<'r>(context: &Context<'_>, judged: &'r Judged<'_>) -> Cow<'r, str> {
    match (&judged.reason, judged.verdict.errno()) {
        (Some(reason), _) => reason.as_str().into(),
        (None, None) => "the operation went through".into(),
        (None, Some(errno)) => {
            let name = context.host_os.errno_name(errno).map_or_else(|| format!("error {errno}"), str::to_owned);
            format!("the operation was refused with {name}").into()
        }
    }
}
