//! Rows, read and parsed ahead of their use, each lane on a thread of its own.
//!
//! Parsing takes about as long as what is derived from it, and neither needs the other's memory. What is ahead is bounded,
//! so that a long run stays small; only where there can be no further thread all of it is parsed first.

use std::io::BufRead;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;

use serde::de::DeserializeOwned;

use super::RowSource;
use super::error::DeriveError;
use super::oracle_model::{self, OtherAnswer};
use crate::base::limits::MAX_ROW_BYTES;
use crate::base::threads::{self, ValueFeed};
use crate::base::{json, json_out};
use crate::plan::ResolvedPlan;
use crate::policy::answer::Answerer;
use crate::record::outcome::Lane;
use crate::record::row::{OracleRow, ProbeRow};

/// How many rows are handed over at a time, at most.
const BATCH_ROWS: usize = 128;
/// How many bytes of rows, after which a batch is closed: rows of an untrusted bundle may be large.
const BATCH_BYTES: usize = 256 * 1024;
/// How many batches of a lane may wait. More would only push each other out of the processor's caches.
const WAITING_BATCHES: usize = 4;

/// Some rows of a lane, in order, and what comes after them.
pub(super) struct RowBatch<T> {
    pub(super) rows: Vec<T>,
    pub(super) then: AfterBatch,
}

/// What comes after the rows of a batch.
pub(super) enum AfterBatch {
    /// Another batch.
    More,
    /// Nothing: the lane ends here.
    End,
    /// Nothing: the lane has no file.
    Absent,
    /// Nothing that is a row.
    Failed(DeriveError),
}

/// A lane, batch by batch.
pub(super) struct RowBatches<T> {
    filled: Receiver<RowBatch<T>>,
    spent: Sender<Vec<T>>,
}

impl<T> RowBatches<T> {
    /// The next batch, in exchange for the rows of the last, which the thread that made them frees: memory that goes
    /// back where it came from is cheaper. `None`: that thread has ended without a last batch.
    pub(super) fn next(&self, last: Vec<T>) -> Option<RowBatch<T>> {
        // Whether it still listens makes no difference.
        let _ = self.spent.send(last);
        self.filled.recv().ok()
    }
}

/// The other end of a lane.
struct BatchSender<T> {
    filled: ValueFeed<RowBatch<T>>,
    spent: Receiver<Vec<T>>,
}

impl<T> BatchSender<T> {
    fn empty(&self) -> Vec<T> {
        let mut rows = self.spent.try_recv().unwrap_or_default();
        rows.clear();
        rows.reserve(BATCH_ROWS);
        rows
    }
}

/// A lane whose batches `fill` makes.
fn batches<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    fill: impl FnOnce(&BatchSender<T>) + Send + 'scope,
) -> RowBatches<T> {
    let (returned, spent) = channel();
    let filled = threads::feed(scope, WAITING_BATCHES, move |filled| fill(&BatchSender { filled, spent }));
    RowBatches { filled, spent: returned }
}

/// The rows of the lanes whose probes were executed. Their parsing goes on from here, whether or not they are asked for; it
/// ends early where this is dropped.
pub struct RowPrefetch<'s> {
    pub(super) source: &'s dyn RowSource,
    pub(super) baseline: RowBatches<ProbeRow>,
    pub(super) control: RowBatches<ProbeRow>,
    pub(super) scenario: RowBatches<ProbeRow>,
}

impl<'s> RowPrefetch<'s> {
    /// Starts to read.
    pub fn start<'scope>(scope: &'scope Scope<'scope, 's>, source: &'s dyn RowSource) -> Self {
        let lane = |lane| parsed(scope, source, lane);
        Self { source, baseline: lane(Lane::Baseline), control: lane(Lane::Control), scenario: lane(Lane::Scenario) }
    }
}

/// The oracle lane as it is recorded.
pub(super) fn oracle_as_recorded<'scope, 'e>(
    scope: &'scope Scope<'scope, 'e>,
    source: &'e dyn RowSource,
) -> RowBatches<OracleRow> {
    parsed(scope, source, Lane::Oracle)
}

/// The oracle lane, whose every row is compared, byte for byte, with what the model answers now. The first that is another
/// goes to `other`. What was found equal need not be parsed.
pub(super) fn oracle_asked_again<'scope, 'e>(
    scope: &'scope Scope<'scope, 'e>,
    source: &'e dyn RowSource,
    plan: &'e ResolvedPlan,
    other: &'e Mutex<Option<OtherAnswer>>,
) -> RowBatches<OracleRow> {
    batches(scope, move |out| {
        let mut planned = plan.rows();
        let mut answerer = Answerer::default();
        let mut wanted = Vec::with_capacity(1024);
        hand_over(source, Lane::Oracle, out, |number, line| {
            let Some((profile, probe)) = planned.next() else { return decode(Lane::Oracle, number, line) };
            let row = oracle_model::ask(&mut answerer, number - 1, profile, probe);
            wanted.clear();
            if json_out::append_compact(&mut wanted, &row).is_ok() && wanted == line {
                return Ok(row);
            }
            if let Ok(mut other) = other.lock()
                && other.is_none()
            {
                *other = Some(OtherAnswer { line: number, expectation_id: probe.expectation_id.clone() });
            }
            decode(Lane::Oracle, number, line)
        });
    })
}

/// A lane whose every line is parsed.
fn parsed<'scope, 'e, T: DeserializeOwned + Send + 'static>(
    scope: &'scope Scope<'scope, 'e>,
    source: &'e dyn RowSource,
    lane: Lane,
) -> RowBatches<T> {
    batches(scope, move |out| hand_over(source, lane, out, |number, line| decode(lane, number, line)))
}

fn decode<T: DeserializeOwned>(lane: Lane, line: u64, bytes: &[u8]) -> Result<T, DeriveError> {
    json::typed(bytes).map_err(|source| DeriveError::Decode { lane, line, source })
}

/// Makes a row of each line, with its number from 1, until the lane ends, a row cannot be made, or nobody wants more.
fn hand_over<T>(
    source: &dyn RowSource,
    lane: Lane,
    out: &BatchSender<T>,
    mut row: impl FnMut(u64, &[u8]) -> Result<T, DeriveError>,
) {
    let opened = source.open(lane).map_err(|source| DeriveError::Open { lane, source });
    let mut input = match opened {
        Ok(Some(input)) => input,
        // Whether anybody still listens makes no difference at the end.
        Ok(None) => {
            out.filled.send(RowBatch { rows: Vec::new(), then: AfterBatch::Absent });
            return;
        }
        Err(error) => {
            out.filled.send(RowBatch { rows: Vec::new(), then: AfterBatch::Failed(error) });
            return;
        }
    };
    let mut line = Vec::with_capacity(4096);
    let mut number = 0;
    loop {
        let mut rows = out.empty();
        let mut bytes = 0;
        let then = loop {
            if rows.len() == BATCH_ROWS || bytes >= BATCH_BYTES {
                break AfterBatch::More;
            }
            number += 1;
            match read_line(&mut *input, lane, number, &mut line)
                .and_then(|found| found.then(|| row(number, &line)).transpose())
            {
                Ok(Some(row)) => {
                    rows.push(row);
                    bytes += line.len();
                }
                Ok(None) => break AfterBatch::End,
                Err(error) => break AfterBatch::Failed(error),
            }
        };
        let goes_on = matches!(then, AfterBatch::More);
        if !out.filled.send(RowBatch { rows, then }) || !goes_on {
            return;
        }
    }
}

/// Reads the next line, without its newline. False: there is none.
fn read_line(input: &mut dyn BufRead, lane: Lane, number: u64, line: &mut Vec<u8>) -> Result<bool, DeriveError> {
    line.clear();
    let limit = MAX_ROW_BYTES + 1;
    let length = std::io::Read::take(input, limit as u64)
        .read_until(b'\n', line)
        .map_err(|source| DeriveError::Read { lane, line: number, source })?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(true);
    }
    match length {
        0 => Ok(false),
        length if length < limit => Err(DeriveError::CutOff { lane, line: number }),
        _ => Err(DeriveError::TooLong { lane, line: number }),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    struct Lines(Vec<u8>);

    impl RowSource for Lines {
        fn open(&self, lane: Lane) -> io::Result<Option<Box<dyn BufRead + '_>>> {
            Ok((lane == Lane::Baseline).then(|| Box::new(&self.0[..]) as Box<dyn BufRead>))
        }
    }

    /// How many rows each batch of a lane has, all rows, and what came last.
    fn read(source: &Lines, lane: Lane) -> (Vec<usize>, Vec<serde_json::Value>, AfterBatch) {
        std::thread::scope(|scope| {
            let batches = parsed(scope, source, lane);
            let (mut lengths, mut all, mut last) = (Vec::new(), Vec::new(), Vec::new());
            loop {
                let batch = batches.next(last).unwrap();
                lengths.push(batch.rows.len());
                all.extend(batch.rows.iter().cloned());
                last = batch.rows;
                if !matches!(batch.then, AfterBatch::More) {
                    return (lengths, all, batch.then);
                }
            }
        })
    }

    fn lines(rows: impl Iterator<Item = String>) -> Lines {
        Lines(rows.flat_map(|row| (row + "\n").into_bytes()).collect())
    }

    #[test]
    fn rows_arrive_in_order_and_in_bounded_batches() {
        let many = 10 * WAITING_BATCHES * BATCH_ROWS + 1;
        let (lengths, all, then) = read(&lines((0..many).map(|n| n.to_string())), Lane::Baseline);
        assert!(all.iter().enumerate().all(|(n, row)| *row == n) && all.len() == many);
        assert!(lengths.iter().all(|length| *length <= BATCH_ROWS) && lengths.last() == Some(&1));
        assert!(matches!(then, AfterBatch::End));

        let large = format!("\"{}\"", "x".repeat(BATCH_BYTES / 2));
        let (lengths, ..) = read(&lines((0..5).map(|_| large.clone())), Lane::Baseline);
        assert_eq!(lengths, [2, 2, 1]);
    }

    #[test]
    fn what_ends_a_lane_is_said_after_the_rows_before_it() {
        let decode = |error: AfterBatch| matches!(error, AfterBatch::Failed(DeriveError::Decode { line: 3, .. }));
        let (lengths, _, then) = read(&lines(["1", "2", "x", "4"].map(str::to_owned).into_iter()), Lane::Baseline);
        assert!(lengths == [2] && decode(then));
        let (lengths, _, then) = read(&Lines(b"1\n2".to_vec()), Lane::Baseline);
        assert!(lengths == [1] && matches!(then, AfterBatch::Failed(DeriveError::CutOff { line: 2, .. })));
        let (lengths, _, then) = read(&Lines(vec![b'1'; MAX_ROW_BYTES + 2]), Lane::Baseline);
        assert!(lengths == [0] && matches!(then, AfterBatch::Failed(DeriveError::TooLong { line: 1, .. })));
        assert!(matches!(read(&lines(std::iter::empty()), Lane::Baseline).2, AfterBatch::End));
        assert!(matches!(read(&lines(std::iter::empty()), Lane::Scenario).2, AfterBatch::Absent));
    }

    #[test]
    fn nobody_has_to_take_everything() {
        let source = lines((0..10 * WAITING_BATCHES * BATCH_ROWS).map(|n| n.to_string()));
        std::thread::scope(|scope| drop(RowPrefetch::start(scope, &source)));
    }
}
