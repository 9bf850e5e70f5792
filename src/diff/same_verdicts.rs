//! Lanes in which two bundles say the same row by row, as their `verdicts.jsonl` tell.
//!
//! Those say of every row what the long documents say, in a fourteenth of their bytes. Where they say the same of a lane, in one order,
//! nothing else of it has to be read to know that no row differs.

use std::io::{self, BufRead, Read};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::rows::RowsError;
use crate::base::limits::MAX_ROW_BYTES;
use crate::bundle::{Bundle, Verified};
use crate::record::layout;
use crate::record::outcome::Lane;

/// In which lanes no row differs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SameVerdicts {
    rows: u64,
    scenario: bool,
    baseline: bool,
}

impl SameVerdicts {
    /// How many rows a lane has that are the same in both; `None`: they have to be compared.
    pub(super) fn rows_of(self, lane: Lane) -> Option<u64> {
        let same = match lane {
            Lane::Scenario => self.scenario,
            Lane::Baseline => self.baseline,
            Lane::Control | Lane::Oracle => false,
        };
        same.then_some(self.rows)
    }
}

/// What a line says that a comparison goes by.
#[derive(Debug, Deserialize)]
struct ComparedLine<'a> {
    #[serde(borrow)]
    expectation_id: &'a RawValue,
    #[serde(borrow)]
    expected: &'a RawValue,
    #[serde(borrow)]
    actual: &'a RawValue,
    #[serde(borrow)]
    baseline: Option<ComparedOutcome<'a>>,
}

#[derive(Debug, Deserialize)]
struct ComparedOutcome<'a> {
    #[serde(borrow)]
    word: &'a RawValue,
}

/// Compares the verdicts of two bundles. Nothing is the same of a bundle that has none.
pub(super) fn of(a: &Verified<Bundle>, b: &Verified<Bundle>) -> Result<SameVerdicts, RowsError> {
    if [a, b].into_iter().any(|side| side.entry(layout::VERDICTS).is_none()) {
        return Ok(SameVerdicts::default());
    }
    let failed = |bundle, source| RowsError::new(Lane::Scenario, bundle, source);
    let mut of_b = None;
    let same = a.read_artifact(layout::VERDICTS, |left| {
        match b.read_artifact(layout::VERDICTS, |right| compare(left, right)) {
            Ok(same) => Ok(same),
            Err(error) => {
                of_b = Some(error);
                Err(io::Error::other("the other bundle"))
            }
        }
    });
    match (same, of_b) {
        (_, Some(error)) => Err(failed(b, error)),
        (Err(error), None) => Err(failed(a, error)),
        (Ok(same), None) => Ok(same),
    }
}

fn compare(a: &mut dyn BufRead, b: &mut dyn BufRead) -> io::Result<SameVerdicts> {
    let mut same = SameVerdicts { rows: 0, scenario: true, baseline: true };
    let (mut left, mut right) = (Vec::new(), Vec::new());
    while same.scenario || same.baseline {
        let [more_left, more_right] = [next(a, &mut left)?, next(b, &mut right)?];
        if !more_left && !more_right {
            return Ok(same);
        }
        if more_left != more_right {
            break;
        }
        same.rows += 1;
        if left != right {
            let [left, right] = [parsed(&left)?, parsed(&right)?];
            if text(left.expectation_id) != text(right.expectation_id) {
                break;
            }
            same.scenario &= [left.expected, left.actual].map(text) == [right.expected, right.actual].map(text);
            same.baseline &= left.baseline.map(|it| it.word.get()) == right.baseline.map(|it| it.word.get());
        }
    }
    Ok(SameVerdicts::default())
}

fn text(value: &RawValue) -> &str {
    value.get()
}

fn parsed(line: &[u8]) -> io::Result<ComparedLine<'_>> {
    serde_json::from_slice(line).map_err(io::Error::from)
}

/// Reads a line; whether there was one.
fn next(lines: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    Ok(Read::take(lines, MAX_ROW_BYTES as u64 + 1).read_until(b'\n', line)? > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"actual":"deny","baseline":{"errno":null,"kind":null,"word":"allow"},"errno":13,"expectation_id":"e","expected":"deny"}"#;

    fn same(a: &[&str], b: &[&str]) -> (Option<u64>, Option<u64>) {
        let text = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let same = compare(&mut text(a).as_bytes(), &mut text(b).as_bytes()).unwrap();
        assert_eq!((same.rows_of(Lane::Oracle), same.rows_of(Lane::Control)), (None, None));
        (same.rows_of(Lane::Scenario), same.rows_of(Lane::Baseline))
    }

    #[test]
    fn each_lane_is_the_same_only_if_every_row_of_it_is() {
        let but = |from: &str, to: &str| LINE.replace(from, to);
        assert_eq!(same(&[LINE, LINE], &[LINE, LINE]), (Some(2), Some(2)));
        assert_eq!(same(&[], &[]), (Some(0), Some(0)));
        // Another error is no other verdict.
        assert_eq!(same(&[LINE], &[&but("13", "1")]), (Some(1), Some(1)));
        assert_eq!(same(&[LINE, LINE], &[&but(r#""actual":"deny""#, r#""actual":null"#), LINE]), (None, Some(2)));
        assert_eq!(same(&[LINE], &[&but(r#""expected":"deny""#, r#""expected":"any""#)]), (None, Some(1)));
        assert_eq!(same(&[LINE], &[&but(r#""word":"allow""#, r#""word":"deny""#)]), (Some(1), None));
        let without = but(r#"{"errno":null,"kind":null,"word":"allow"}"#, "null");
        assert_eq!(same(&[LINE], &[&without]), (Some(1), None));
        // Other rows, rows in another order, and more of them have to be joined.
        for other in [&[LINE, LINE][..], &[], &[&but(r#""e""#, r#""f""#)]] {
            assert_eq!(same(&[LINE], other), (None, None), "{other:?}");
        }
    }
}
