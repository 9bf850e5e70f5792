//! Which verdicts of two verified bundles differ.

use std::collections::BTreeMap;

use super::join::{Join, MAX_WAITING, RowPair};
use super::rows::{self, RowKey, Rows};
use super::{DiffError, same_verdicts};
use crate::base::threads;
use crate::bundle::{Bundle, Verified};
use crate::record::outcome::Lane;
use crate::record::run_diff::{FlipKind, LaneDiff, RowVerdict};

/// How many batches of rows may lie between a reader and the join.
const BATCHES_AHEAD: usize = 4;

/// The lanes in the order in which a report has them.
pub(super) const LANES: [Lane; 4] = [Lane::Scenario, Lane::Baseline, Lane::Control, Lane::Oracle];

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DifferingRow {
    pub(super) lane: Lane,
    pub(super) key: RowKey,
    pub(super) kind: FlipKind,
    pub(super) a: Option<RowVerdict>,
    pub(super) b: Option<RowVerdict>,
    pub(super) baseline_differs: bool,
}

/// All lanes compared.
#[derive(Debug, Default)]
pub(super) struct ComparedLanes {
    pub(super) lanes: Vec<LaneDiff>,
    /// How many rows differ.
    pub(super) differing: u64,
    /// The first of them.
    pub(super) listed: Vec<DifferingRow>,
}

/// Where a row stands in the list; the last is for rows that have all else in common.
type RowOrder = (usize, RowKey, u32);

/// The first rows by their place, however many come and in whatever order.
#[derive(Debug)]
struct ListedRows {
    rows: BTreeMap<RowOrder, DifferingRow>,
    most: usize,
}

impl ListedRows {
    fn add(&mut self, order: usize, row: DifferingRow) {
        let mut place = (order, row.key.clone(), 0);
        while self.rows.contains_key(&place) {
            place.2 += 1;
        }
        self.rows.insert(place, row);
        if self.rows.len() > self.most {
            self.rows.pop_last();
        }
    }
}

/// Compares all lanes. At most `most_listed` rows are listed; all are counted.
pub(super) fn compare(
    a: &Verified<Bundle>,
    b: &Verified<Bundle>,
    most_listed: usize,
) -> Result<ComparedLanes, DiffError> {
    let mut compared = ComparedLanes::default();
    let mut listed = ListedRows { rows: BTreeMap::new(), most: most_listed };
    let same = same_verdicts::of(a, b)?;
    // The baseline comes last, because it says something of rows that are listed already.
    for lane in [Lane::Scenario, Lane::Control, Lane::Oracle, Lane::Baseline] {
        let has = [rows::has(a, lane), rows::has(b, lane)];
        if has == [false, false] {
            continue;
        }
        let mut diff = LaneDiff {
            lane,
            a_rows: has[0].then_some(0),
            b_rows: has[1].then_some(0),
            same: 0,
            kinds: BTreeMap::new(),
            transitions: BTreeMap::new(),
        };
        // In both: what only one side ran is counted row by row.
        if let Some(rows) = same.rows_of(lane).filter(|_| has == [true, true]) {
            compared.lanes.push(LaneDiff { a_rows: Some(rows), b_rows: Some(rows), same: rows, ..diff });
            continue;
        }
        let order = LANES.iter().position(|one| *one == lane).unwrap_or(LANES.len());
        join(a, b, lane, |pair| {
            let Some(row) = note(&mut diff, pair) else { return };
            if lane == Lane::Baseline {
                let place = (0, RowKey { id: row.key.id.clone(), aspect: "".into() }, 0);
                if let Some(scenario) = listed.rows.get_mut(&place) {
                    scenario.baseline_differs = true;
                }
            }
            // A lane that only one side ran says nothing row by row.
            if has == [true, true] {
                compared.differing += 1;
                listed.add(order, row);
            }
        })?;
        compared.lanes.push(diff);
    }
    compared.lanes.sort_by_key(|diff| LANES.iter().position(|lane| *lane == diff.lane));
    compared.listed = listed.rows.into_values().collect();
    Ok(compared)
}

/// Counts a pair; gives the row if it differs.
fn note(diff: &mut LaneDiff, (key, a, b): RowPair) -> Option<DifferingRow> {
    let count = |side: &mut Option<u64>, verdict: &Option<RowVerdict>| {
        if let (Some(count), Some(_)) = (side, verdict) {
            *count += 1;
        }
    };
    count(&mut diff.a_rows, &a);
    count(&mut diff.b_rows, &b);
    let kind = match (&a, &b) {
        (Some(a), Some(b)) if a.actual != b.actual => FlipKind::Flipped,
        (Some(a), Some(b)) if a.expected != b.expected => FlipKind::ExpectedOtherwise,
        (Some(_), Some(_)) | (None, None) => {
            diff.same += 1;
            return None;
        }
        (None, Some(_)) => FlipKind::Appeared,
        (Some(_), None) => FlipKind::Vanished,
    };
    *diff.kinds.entry(kind).or_default() += 1;
    if let (FlipKind::Flipped, Some(a), Some(b)) = (kind, &a, &b) {
        *diff.transitions.entry(format!("{} -> {}", a.actual.as_str(), b.actual.as_str())).or_default() += 1;
    }
    Some(DifferingRow { lane: diff.lane, key, kind, a, b, baseline_differs: false })
}

/// Calls `found` for every pair of rows of a lane. Both sides are parsed on threads of their own.
pub(super) fn join(
    a: &Verified<Bundle>,
    b: &Verified<Bundle>,
    lane: Lane,
    found: impl FnMut(RowPair),
) -> Result<(), DiffError> {
    std::thread::scope(|scope| {
        let [mut a, mut b] =
            [a, b].map(|side| Rows::from(threads::feed(scope, BATCHES_AHEAD, move |to| rows::feed(side, lane, &to))));
        let mut join = Join::new(MAX_WAITING, found);
        let spill = |source| DiffError::Spill { source };
        loop {
            let pair = (a.next()?, b.next()?);
            if let (None, None) = pair {
                break;
            }
            join.push(pair.0, pair.1).map_err(spill)?;
        }
        join.finish().map_err(spill)
    })
}
