//! The rows that a run lists for people: what is not as expected, what decided nothing, what surprised.

use anstyle::Style;

use super::color;
use crate::base::errno::errno_name;
use crate::base::grouping;
use crate::base::placeholder::without_own_folder;
use crate::base::printable::Lines;
use crate::evidence::{CauseCounts, RowFinding, UndecidedCause};
use crate::evidence::{opinions, remedies};
use crate::record::outcome::FailureKind;

/// How many rows of a sort the answer for people lists.
pub(super) const SHOWN: usize = 20;
/// How many rows are listed of those that decided nothing for one and the same cause.
const SHOWN_OF_ONE_CAUSE: usize = 8;

/// Lists the first rows of a sort under its title. `total`: how many there are of the sort, with those that are not in `rows`.
pub(super) fn text<'r>(
    out: &mut Lines,
    (style, title): (Style, &str),
    rows: impl IntoIterator<Item = &'r RowFinding>,
    total: u64,
    causes: &CauseCounts,
) {
    let groups = by_cause(rows.into_iter().collect());
    if groups.is_empty() {
        return;
    }
    out.marked(&color::on_stdout(style, &format!("{title}:")), "");
    let (mut lines_left, mut told) = (SHOWN, 0);
    for (cause, rows) in groups {
        if lines_left == 0 {
            break;
        }
        let alike = cause.map_or(0, |cause| causes.of(&cause)).max(rows.len() as u64);
        if alike == 1 {
            out.line(named(rows[0]));
            opinions_text(out, rows[0]);
            lines_left -= 1;
        } else {
            out.line(format!("  {alike} rows, one cause: {}", why(rows[0]).unwrap_or_default()));
            out.line(format!("    {}", without_own_folder(&rows[0].reason)));
            advice(rows[0]).into_iter().for_each(|text| out.line(format!("    {text}")));
            let shown = rows.len().min(lines_left).min(SHOWN_OF_ONE_CAUSE);
            for row in &rows[..shown] {
                out.line(format!("  {}, expected {}", named(row), row.expected.as_str()));
            }
            let more = alike - shown as u64;
            if more > 0 {
                out.line(format!("    … and {more} more of them"));
            }
            lines_left -= shown;
        }
        told += alike;
    }
    let rest = total.saturating_sub(told);
    if rest > 0 {
        out.line(format!("  … and {rest} more of {total}; `runtime_results.json` in the bundle has all"));
    }
    out.blank();
}

/// What the three say of a row, and what follows.
fn opinions_text(out: &mut Lines, row: &RowFinding) {
    let stopped = why(row).filter(|_| row.actual.is_none());
    for (name, text) in opinions::lines(&row.opinions, stopped.as_deref(), &row.reason, advice(row)) {
        out.line(format!("    {name:<9} {text}"));
    }
}

/// Rows that decided nothing for one and the same cause stand together; any other row stands by itself.
fn by_cause(rows: Vec<&RowFinding>) -> Vec<(Option<UndecidedCause>, Vec<&RowFinding>)> {
    let rows = rows.into_iter().enumerate().map(|(n, row)| (n, row.cause(), row));
    // A row that decided something is alone with its number.
    let groups = grouping::by_key(rows, |(n, cause, _)| (cause.is_none().then_some(*n), cause.clone()));
    groups.into_iter().map(|((_, cause), rows)| (cause, rows.into_iter().map(|(.., row)| row).collect())).collect()
}

fn named(row: &RowFinding) -> String {
    format!("  {}  {} {}", row.expectation_id, row.operation, row.target)
}

/// What can be done about it, if it decided nothing.
fn advice(row: &RowFinding) -> Option<&'static str> {
    let kind = row.kind.filter(|_| row.actual.is_none())?;
    remedies::advice(kind.as_str(), row.errno.and_then(errno_name).as_deref())
}

/// Where it stopped, and by what.
fn why(row: &RowFinding) -> Option<String> {
    let stopped = row.kind.map(|kind: FailureKind| format!("stage {}, {}", kind.stage().as_str(), kind.as_str()));
    let why: Vec<String> = stopped.into_iter().chain(row.errno.and_then(errno_name)).collect();
    (!why.is_empty()).then(|| why.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{ExpectationId, ProfileId};
    use crate::record::mismatch::MismatchType;
    use crate::record::outcome::{Decision, Expectation};

    fn counted(rows: &[RowFinding]) -> CauseCounts {
        let mut causes = CauseCounts::default();
        rows.iter().filter_map(RowFinding::cause).for_each(|cause| causes.count_listed(cause));
        causes
    }

    #[test]
    fn rows_that_decided_nothing_for_one_cause_are_one_paragraph() {
        let row = |id: &str, actual: Option<Decision>, reason: &str| RowFinding {
            profile_id: ProfileId::new("p").unwrap(),
            probe_name: id.to_owned(),
            expectation_id: ExpectationId::new(id).unwrap(),
            operation: "file-read-data".to_owned(),
            target: format!("/{id}"),
            expected: Expectation::Deny,
            actual,
            mismatch_type: Some(MismatchType::ApplyGate),
            kind: actual.is_none().then_some(FailureKind::LauncherNotStarted),
            asked: false,
            errno: None,
            reason: reason.to_owned(),
            opinions: crate::evidence::opinions::of(Some(Decision::Deny), Some("so be it".into()), actual, None),
        };
        let rows = [
            row("a", None, "it did not start"),
            row("x", None, "something else"),
            row("b", None, "it did not start"),
            row("c", Some(Decision::Allow), "it did not start"),
            row("d", Some(Decision::Allow), "it did not start"),
        ];
        let mut out = Lines::default();
        text(&mut out, (color::DOUBTFUL, "undecided"), &rows, 7, &counted(&rows));
        let expected = "undecided:\n\
            \u{20} 2 rows, one cause: stage apply, launcher_not_started\n\
            \u{20}   it did not start\n\
            \u{20}   a  file-read-data /a, expected deny\n\
            \u{20}   b  file-read-data /b, expected deny\n\
            \u{20} x  file-read-data /x\n\
            \u{20}   expected  deny: so be it\n\
            \u{20}   kernel    undecided (stage apply, launcher_not_started): something else\n\
            \u{20}   so        nothing was decided\n\
            \u{20} c  file-read-data /c\n\
            \u{20}   expected  deny: so be it\n\
            \u{20}   kernel    allow: it did not start\n\
            \u{20}   so        the sandbox lets through what it should not, or the expectation is wrong; the model was not asked, because the oracle lane is off\n\
            \u{20} d  file-read-data /d\n\
            \u{20}   expected  deny: so be it\n\
            \u{20}   kernel    allow: it did not start\n\
            \u{20}   so        the sandbox lets through what it should not, or the expectation is wrong; the model was not asked, because the oracle lane is off\n\
            \u{20} … and 2 more of 7; `runtime_results.json` in the bundle has all\n\n";
        let told = anstream::adapter::strip_str(out.as_str()).to_string();
        assert_eq!(told, expected);
        // Many of them take few lines, and are counted all the same, listed or not.
        let many: Vec<RowFinding> = (0..49).map(|n| row(&format!("r{n}"), None, "it did not start")).collect();
        let mut causes = counted(&many);
        let cause = many[0].cause().unwrap();
        (0..1_380).for_each(|_| causes.count_unlisted(&cause));
        let mut out = Lines::default();
        text(&mut out, (color::DOUBTFUL, "undecided"), &many, 1_440, &causes);
        let told = anstream::adapter::strip_str(out.as_str()).to_string();
        assert!(told.starts_with("undecided:\n  1429 rows, one cause: "), "{told}");
        assert!(told.contains("/r7, expected deny\n    … and 1421 more of them\n  … and 11 more of 1440; "), "{told}");
    }
}
