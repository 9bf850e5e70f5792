//! Runs a lane with any number of workers and hands its rows on in plan order.
//!
//! Workers take places in order and may finish out of order; rows wait in a bounded window until their turn. A worker
//! that would run further ahead than the window waits first, so memory does not grow with the run.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::cancel::Cancel;
use super::listener::SLOTS;
use super::task::Tasks;
use super::worker::{Shared, Worker, WorkerError};
use crate::process::Interrupter;

/// How many rows may be finished or under way beyond the last one handed on.
const WINDOW: usize = SLOTS as usize;

/// How often the wish to stop is looked at while no row arrives.
const CANCEL_POLL: Duration = Duration::from_millis(25);

/// Why a lane ended early.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// Somebody wished it.
    #[error("interrupted by signal {signal}")]
    Cancelled {
        /// The signal.
        signal: i32,
    },
    /// A worker could not go on.
    #[error("a worker could not go on")]
    Worker(#[source] WorkerError),
    /// A row could not be handed on.
    #[error("could not write a row")]
    Sink(#[source] io::Error),
}

/// Which places are given out and handed on.
struct Progress {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    next: usize,
    handed_on: usize,
    stop: bool,
}

impl Progress {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// The next place, if the window has room for it now. `Err(true)`: later; `Err(false)`: there is none.
    fn try_take(&self, len: usize) -> Result<usize, bool> {
        let mut state = self.lock();
        if state.stop || state.next >= len {
            return Err(false);
        }
        if state.next >= state.handed_on + WINDOW {
            return Err(true);
        }
        state.next += 1;
        Ok(state.next - 1)
    }

    /// Waits until the window has room or there is nothing to wait for.
    fn wait_for_room(&self) {
        let mut state = self.lock();
        while !state.stop && state.next >= state.handed_on + WINDOW {
            state = self.moved.wait(state).expect("no holder of this lock panics");
        }
    }

    fn hand_on(&self, count: usize) {
        self.lock().handed_on += count;
        self.moved.notify_all();
    }

    fn stop(&self) {
        self.lock().stop = true;
        self.moved.notify_all();
    }
}

/// Runs every task and calls `emit` with each row's bytes (one JSON line without its newline) in order of place.
///
/// On an error, what was handed on stays handed on: rows 0 to n without a gap.
///
/// # Errors
/// See [`LaneError`]. Workers are left idle but alive, except after a [`WorkerError`].
pub fn run<'r>(
    workers: &mut [Worker<'r>],
    shared: &Shared<'r>,
    tasks: &dyn Tasks,
    cancel: &Cancel,
    emit: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), LaneError> {
    let progress = Progress { state: Mutex::default(), moved: Condvar::new() };
    let (rows, arrivals) = sync_channel::<(usize, Vec<u8>)>(64 * workers.len());
    let interrupters =
        workers.iter().map(Worker::interrupter).collect::<io::Result<Vec<_>>>().map_err(LaneError::Sink)?;
    std::thread::scope(|scope| {
        let handles: Vec<_> = workers
            .iter_mut()
            .map(|worker| {
                let rows = rows.clone();
                let progress = &progress;
                scope.spawn(move || {
                    let outcome = work(worker, shared, tasks, cancel, progress, &rows);
                    if outcome.is_err() {
                        progress.stop();
                    }
                    outcome
                })
            })
            .collect();
        drop(rows);
        let written = deliver(&arrivals, &progress, cancel, emit);
        if cancel.requested().is_some() {
            // A probe may run for its whole deadline; whoever waits for it is told that it is lost.
            progress.stop();
            interrupters.iter().for_each(Interrupter::interrupt);
        }
        // Nobody may wait on a full channel once nobody reads it.
        drop(arrivals);
        let mut worked = Ok(());
        for handle in handles {
            let outcome = handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            worked = worked.and(outcome);
        }
        if let Some(signal) = cancel.requested() {
            return Err(LaneError::Cancelled { signal });
        }
        written.map_err(LaneError::Sink)?;
        worked.map_err(LaneError::Worker)
    })
}

/// One worker's loop: keep two jobs with the zygote, so that it never waits for the harness.
fn work<'r>(
    worker: &mut Worker<'r>,
    shared: &Shared<'r>,
    tasks: &dyn Tasks,
    cancel: &Cancel,
    progress: &Progress,
    rows: &SyncSender<(usize, Vec<u8>)>,
) -> Result<(), WorkerError> {
    loop {
        if cancel.requested().is_some() {
            progress.stop();
            worker.abandon();
            return Ok(());
        }
        let taken = progress.try_take(tasks.len());
        match taken {
            Ok(place) => worker.begin(shared, place, tasks.get(place))?,
            Err(_) if worker.in_flight() > 0 => {}
            Err(true) => {
                progress.wait_for_room();
                continue;
            }
            Err(false) => return Ok(()),
        }
        // Without a new job, or with enough of them under way, take what is finished.
        while worker.in_flight() > 0 && (taken.is_err() || worker.in_flight() >= Worker::DEPTH) {
            let (place, line) = worker.finish(shared, cancel)?;
            if rows.send((place, line)).is_err() {
                progress.stop();
                worker.abandon();
                return Ok(());
            }
            if taken.is_err() {
                break;
            }
        }
    }
}

/// Hands rows on in order, until there are no more or somebody wishes to stop.
fn deliver(
    arrivals: &Receiver<(usize, Vec<u8>)>,
    progress: &Progress,
    cancel: &Cancel,
    emit: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    loop {
        match arrivals.recv_timeout(CANCEL_POLL) {
            Ok((place, line)) => waiting.insert(place, line),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => None,
        };
        if cancel.requested().is_some() {
            return Ok(());
        }
        let before = next;
        while let Some(line) = waiting.remove(&next) {
            if let Err(error) = emit(&line) {
                progress.stop();
                return Err(error);
            }
            next += 1;
        }
        if next > before {
            progress.hand_on(next - before);
        }
    }
}
