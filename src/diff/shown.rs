//! A comparison as a report of the second run shows it.

use super::phrases;
use crate::record::run_diff::{ChangedRow, ComparisonShown, RunDiff};

/// How many rows a report shows.
const MOST_SHOWN: usize = 200;

/// What changed from the first side to the second, in words.
pub fn shown(diff: &RunDiff) -> ComparisonShown {
    let flips = &diff.verdicts.flips;
    let rows = flips.iter().take(MOST_SHOWN).map(|flip| ChangedRow {
        name: phrases::row(flip),
        lane: flip.lane.as_str(),
        before: phrases::verdict(flip.a.as_ref()),
        now: phrases::verdict(flip.b.as_ref()),
        explanation: phrases::explanation(flip, &diff.changes),
    });
    ComparisonShown {
        against: diff.a.given.clone(),
        headline: phrases::headline(diff),
        changes: diff.changes.iter().map(|change| change.what.clone()).collect(),
        rows: rows.collect(),
        more: diff.verdicts.unlisted + flips.len().saturating_sub(MOST_SHOWN) as u64,
    }
}
