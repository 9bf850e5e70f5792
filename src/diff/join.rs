//! Joining the rows of two runs by their keys, in memory that does not grow with the runs.
//!
//! Two runs of one plan have the same rows in the same order, so rows meet at once. Rows that do not are kept until their
//! counterpart comes. Where too many wait, as with two plans in another order, all that wait and all that follow are
//! parted by a hash of their key into temporary files, and joined part by part: every row is written and read once more,
//! and no more.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};

use super::rows::{DiffRow, RowKey};
use crate::record::run_diff::RowVerdict;

/// How many rows may wait in memory for their counterpart.
pub(super) const MAX_WAITING: usize = 64 * 1024;
/// Into how many parts rows are parted; each part is joined in memory.
const PARTS: usize = 32;

/// Which side a row is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowSide {
    A,
    B,
}

/// Rows of both sides that have the same key, or a row that only one side has.
pub(super) type RowPair = (RowKey, Option<RowVerdict>, Option<RowVerdict>);

/// The rows that wait. A key that one side has several times is joined in order.
#[derive(Debug, Default)]
struct WaitingRows {
    a: HashMap<RowKey, VecDeque<RowVerdict>>,
    b: HashMap<RowKey, VecDeque<RowVerdict>>,
    count: usize,
}

impl WaitingRows {
    /// Takes a row in; gives the pair if its counterpart was waiting.
    fn offer(&mut self, from: RowSide, row: DiffRow) -> Option<RowPair> {
        let (own, other) = match from {
            RowSide::A => (&mut self.a, &mut self.b),
            RowSide::B => (&mut self.b, &mut self.a),
        };
        if let Some(queue) = other.get_mut(&row.key) {
            let verdict = queue.pop_front();
            if queue.is_empty() {
                other.remove(&row.key);
            }
            if let Some(verdict) = verdict {
                self.count -= 1;
                return Some(match from {
                    RowSide::A => (row.key, Some(row.verdict), Some(verdict)),
                    RowSide::B => (row.key, Some(verdict), Some(row.verdict)),
                });
            }
        }
        own.entry(row.key).or_default().push_back(row.verdict);
        self.count += 1;
        None
    }

    /// Everything that has no counterpart.
    fn drain(&mut self) -> impl Iterator<Item = (RowSide, DiffRow)> + '_ {
        self.count = 0;
        let spread = |from: RowSide| {
            move |(key, queue): (RowKey, VecDeque<RowVerdict>)| {
                queue.into_iter().map(move |verdict| (from, DiffRow { key: key.clone(), verdict }))
            }
        };
        self.a.drain().flat_map(spread(RowSide::A)).chain(self.b.drain().flat_map(spread(RowSide::B)))
    }
}

/// A join in progress.
pub(super) struct Join<F> {
    waiting: WaitingRows,
    parted: Option<RowPartitions>,
    most_waiting: usize,
    found: F,
}

impl<F: FnMut(RowPair)> Join<F> {
    /// Calls `found` for every pair. At most `most_waiting` rows wait in memory.
    pub(super) fn new(most_waiting: usize, found: F) -> Self {
        Self { waiting: WaitingRows::default(), parted: None, most_waiting, found }
    }

    /// Takes a row of both sides each, as far as they have one.
    pub(super) fn push(&mut self, a: Option<DiffRow>, b: Option<DiffRow>) -> io::Result<()> {
        match (a, b) {
            // What nearly every row is.
            (Some(a), Some(b)) if self.parted.is_none() && self.waiting.count == 0 && a.key == b.key => {
                (self.found)((a.key, Some(a.verdict), Some(b.verdict)));
                Ok(())
            }
            (a, b) => {
                let a = a.map(|row| (RowSide::A, row));
                let b = b.map(|row| (RowSide::B, row));
                a.into_iter().chain(b).try_for_each(|(from, row)| self.offer(from, row))
            }
        }
    }

    fn offer(&mut self, from: RowSide, row: DiffRow) -> io::Result<()> {
        if let Some(parts) = &mut self.parted {
            return parts.put(from, &row);
        }
        if let Some(pair) = self.waiting.offer(from, row) {
            (self.found)(pair);
        }
        if self.waiting.count > self.most_waiting {
            let mut parts = RowPartitions::create()?;
            for (from, row) in self.waiting.drain() {
                parts.put(from, &row)?;
            }
            self.parted = Some(parts);
        }
        Ok(())
    }

    /// Joins what is left, and gives every row that has no counterpart.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if let Some(parts) = self.parted.take() {
            for (mut a, mut b) in parts.into_files()? {
                for (from, file) in [(RowSide::A, &mut a), (RowSide::B, &mut b)] {
                    while let Some(row) = file.next()? {
                        if let Some(pair) = self.waiting.offer(from, row) {
                            (self.found)(pair);
                        }
                    }
                }
                alone(&mut self.waiting, &mut self.found);
            }
        }
        alone(&mut self.waiting, &mut self.found);
        Ok(())
    }
}

fn alone(waiting: &mut WaitingRows, found: &mut impl FnMut(RowPair)) {
    for (from, row) in waiting.drain() {
        found(match from {
            RowSide::A => (row.key, Some(row.verdict), None),
            RowSide::B => (row.key, None, Some(row.verdict)),
        });
    }
}

/// Rows in temporary files without a name, parted by a hash of their key. In each, rows of one key keep their order.
struct RowPartitions {
    a: Vec<BufWriter<File>>,
    b: Vec<BufWriter<File>>,
}

impl RowPartitions {
    fn create() -> io::Result<Self> {
        let files = || (0..PARTS).map(|_| Ok(BufWriter::new(tempfile::tempfile()?))).collect::<io::Result<Vec<_>>>();
        Ok(Self { a: files()?, b: files()? })
    }

    fn put(&mut self, from: RowSide, row: &DiffRow) -> io::Result<()> {
        // The same in every process: nothing of the result depends on it, but a run should be repeatable.
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&row.key);
        let files = match from {
            RowSide::A => &mut self.a,
            RowSide::B => &mut self.b,
        };
        let file = &mut files[usize::try_from(hash % PARTS as u64).unwrap_or_default()];
        serde_json::to_writer(&mut *file, row)?;
        file.write_all(b"\n")
    }

    fn into_files(self) -> io::Result<Vec<(PartFile, PartFile)>> {
        self.a.into_iter().zip(self.b).map(|(a, b)| Ok((PartFile::new(a)?, PartFile::new(b)?))).collect()
    }
}

struct PartFile {
    lines: BufReader<File>,
    line: Vec<u8>,
}

impl PartFile {
    fn new(file: BufWriter<File>) -> io::Result<Self> {
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(Self { lines: BufReader::new(file), line: Vec::new() })
    }

    fn next(&mut self) -> io::Result<Option<DiffRow>> {
        self.line.clear();
        if self.lines.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        Ok(Some(serde_json::from_slice(&self.line)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::run_diff::RowAnswer;

    fn row((id, deny): (u8, bool)) -> DiffRow {
        let actual = if deny { RowAnswer::Deny } else { RowAnswer::Allow };
        let verdict = RowVerdict { profile_id: "p".into(), expected: None, actual, mechanism: None, because: None };
        DiffRow { key: RowKey { id: id.to_string().into(), aspect: "".into() }, verdict }
    }

    type Shown = (String, Option<RowAnswer>, Option<RowAnswer>);

    fn joined(a: &[(u8, bool)], b: &[(u8, bool)], most_waiting: usize) -> Vec<Shown> {
        let mut found: Vec<Shown> = Vec::new();
        let mut join = Join::new(most_waiting, |(key, a, b): RowPair| {
            found.push((key.id.into(), a.map(|one| one.actual), b.map(|one| one.actual)));
        });
        let (mut left, mut right) = (a.iter(), b.iter());
        loop {
            let (a, b) = (left.next().map(|one| row(*one)), right.next().map(|one| row(*one)));
            if a.is_none() && b.is_none() {
                break;
            }
            join.push(a, b).unwrap();
        }
        join.finish().unwrap();
        found.sort();
        found
    }

    /// The same by definition: the n-th row of a key on the one side with the n-th on the other.
    fn by_definition(a: &[(u8, bool)], b: &[(u8, bool)]) -> Vec<Shown> {
        let mut found = Vec::new();
        let answer = |deny: &bool| if *deny { RowAnswer::Deny } else { RowAnswer::Allow };
        for id in 0..=u8::MAX {
            let of = |rows: &[(u8, bool)]| {
                rows.iter().filter(|row| row.0 == id).map(|row| answer(&row.1)).collect::<Vec<_>>()
            };
            let (a, b) = (of(a), of(b));
            for n in 0..a.len().max(b.len()) {
                found.push((id.to_string(), a.get(n).copied(), b.get(n).copied()));
            }
        }
        found.sort();
        found
    }

    proptest! {
        #[test]
        fn however_few_may_wait_the_pairs_are_the_same(
            a in prop::collection::vec((0..12_u8, any::<bool>()), 0..30),
            b in prop::collection::vec((0..12_u8, any::<bool>()), 0..30),
            most_waiting in 0..20_usize,
        ) {
            prop_assert_eq!(joined(&a, &b, most_waiting), by_definition(&a, &b));
        }
    }

    #[test]
    fn rows_in_the_same_order_never_wait() {
        let mut join = Join::new(0, |_| {});
        for n in 0..100 {
            join.push(Some(row((n, true))), Some(row((n, false)))).unwrap();
        }
        assert!(join.parted.is_none() && join.waiting.count == 0);
    }
}
