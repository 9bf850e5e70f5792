//! A lane whose probes are performed several times.
//!
//! The lane is gone through once for each time, from its first row to its last, so that what changes while a run goes on has
//! changed. What the earlier passes brought waits in temporary files without names; the last pass puts a row together of what all
//! of them have at its place. So rows go to the disk in plan order, and memory does not grow with the run.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};

use super::error::RunStep;
use crate::base::json_out;
use crate::lane::cancel::Cancel;
use crate::lane::executor::{self, EmitRow};
use crate::lane::order::TaskOrder;
use crate::lane::task::Tasks;
use crate::lane::worker::{RunShared, Worker};
use crate::record::outcome::Lane;
use crate::record::row::{ProbeRow, Repetition};

/// The passes over a lane.
pub(super) struct Repetitions {
    times: u32,
    seed: Option<u32>,
    lane: Lane,
}

impl Repetitions {
    /// `times` passes over `lane`, each in an order that `seed` names, if there is one.
    pub(super) fn new(times: u32, seed: Option<u32>, lane: Lane) -> Self {
        Self { times, seed, lane }
    }

    /// Runs every task as often as it is to be, and calls `emit` with each row in plan order.
    pub(super) fn run<'r>(
        &self,
        workers: &mut [Worker<'r>],
        shared: &RunShared<'r>,
        tasks: &dyn Tasks,
        cancel: &Cancel,
        emit: &mut EmitRow<'_>,
    ) -> Result<(), RunStep> {
        let order = |pass| TaskOrder::of_pass(self.seed, self.lane, pass);
        let mut earlier: Vec<BufReader<File>> = Vec::new();
        for pass in 1..self.times {
            let mut kept = BufWriter::new(tempfile::tempfile().map_err(RunStep::Artifact)?);
            let ran = executor::run(workers, shared, tasks, order(pass - 1), cancel, &mut |row| {
                kept.write_all(row)?;
                kept.write_all(b"\n")
            });
            let mut file = kept.into_inner().map_err(|error| RunStep::Artifact(error.into_error()))?;
            file.rewind().map_err(RunStep::Artifact)?;
            earlier.push(BufReader::new(file));
            if let Err(error) = ran {
                // The rows up to the error are evidence: those of the first pass.
                give_out(earlier.remove(0), emit).map_err(RunStep::Artifact)?;
                return Err(RunStep::Lane(error));
            }
        }
        let mut joined = Vec::new();
        let last = executor::run(workers, shared, tasks, order(self.times.saturating_sub(1)), cancel, &mut |row| {
            if earlier.is_empty() {
                return emit(row);
            }
            join(&mut earlier, row, &mut joined)?;
            emit(&joined)
        });
        last.map_err(RunStep::Lane)
    }
}

fn give_out(rows: BufReader<File>, emit: &mut EmitRow<'_>) -> io::Result<()> {
    rows.split(b'\n').try_for_each(|row| emit(&row?))
}

/// Puts the next row of each earlier pass and that of the last together.
fn join(earlier: &mut [BufReader<File>], last: &[u8], joined: &mut Vec<u8>) -> io::Result<()> {
    let mut rows = Vec::with_capacity(earlier.len() + 1);
    let mut line = Vec::new();
    for pass in earlier {
        line.clear();
        pass.read_until(b'\n', &mut line)?;
        rows.push(serde_json::from_slice::<ProbeRow>(&line)?);
    }
    rows.push(serde_json::from_slice(last)?);
    let mut rows = rows.into_iter();
    let Some(mut row) = rows.next() else { return Err(io::Error::other("there is no row to repeat")) };
    for other in rows {
        if (&other.action, &other.root, other.seq) != (&row.action, &row.root, row.seq) {
            return Err(io::Error::other("a repetition performed something else than the row that it repeats"));
        }
        row.repetitions.push(Repetition::from(other));
    }
    joined.clear();
    json_out::append_compact(joined, &row)
}
