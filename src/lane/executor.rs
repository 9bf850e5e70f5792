//! Runs a lane with any number of workers and hands its rows on in plan order.
//!
//! Workers take places in order and may finish out of order; rows wait in a bounded window until their turn. A worker
//! that would run further ahead than the window waits first, so memory does not grow with the run. Whoever finishes the row
//! whose turn it is forwards it, and those that waited for it: no thread is woken for that.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;

use super::cancel::Cancel;
use super::order::{BLOCK, TaskOrder};
use super::ports::SLOTS;
use super::task::Tasks;
use super::worker::{LaneWorkerError, RunShared, SpawnZygote, Worker};
use crate::base::threads;
use crate::process::{SpawnError, Zygote};

/// How many rows may be finished or under way beyond the last one forwarded.
const WINDOW: usize = SLOTS as usize;

/// What held a row is used for another one up to this size; rows have some 1,500 bytes.
const KEPT_LINE_BYTES: usize = 16 * 1024;

/// A worker's wish for another zygote, and where it waits for it.
type ReplacementRequest = SyncSender<Result<Zygote, SpawnError>>;

/// Takes a row's bytes: one JSON line without its newline.
pub type EmitRow<'e> = dyn FnMut(&[u8]) -> io::Result<()> + Send + 'e;

/// Why a lane ended early.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// Somebody wished it.
    #[error("interrupted by signal {signal}")]
    Cancelled {
        /// Number of the signal that asked to stop.
        signal: i32,
    },
    /// A worker could not go on.
    #[error("a worker could not go on")]
    Worker(#[source] LaneWorkerError),
    /// A row could not be forwarded.
    #[error("could not write a row")]
    Sink(#[source] io::Error),
}

/// Which places are assigned and forwarded.
struct LaneProgress<'e> {
    state: Mutex<ExecutorState<'e>>,
    moved: Condvar,
}

struct ExecutorState<'e> {
    /// How many places were given out.
    next: usize,
    /// In which order they are.
    order: TaskOrder,
    /// The places of the block that [`Self::next`] stands in.
    block: Vec<usize>,
    /// The next place to forward.
    handed_on: usize,
    /// Rows that wait for their turn.
    waiting: BTreeMap<usize, Vec<u8>>,
    /// What held rows that were forwarded, to be filled again.
    spent: Vec<Vec<u8>>,
    /// How many workers wait for room in the window.
    blocked: usize,
    stop: bool,
    emit: &'e mut EmitRow<'e>,
    failed: Option<io::Error>,
}

/// What a worker gets when it asks for a place.
enum TakenPlace {
    /// This one.
    Place(usize),
    /// None yet: the window is full.
    Later,
    /// None any more.
    Done,
}

impl ExecutorState<'_> {
    /// The place that is given out next, of a lane with `len` tasks.
    fn next_place(&mut self, len: usize) -> usize {
        let within = self.next % BLOCK;
        if within == 0 {
            self.block = self.order.block(self.next, len);
        }
        self.block[within]
    }
}

impl<'e> LaneProgress<'e> {
    fn new(emit: &'e mut EmitRow<'e>, order: TaskOrder) -> Self {
        let state = ExecutorState {
            next: 0,
            order,
            block: Vec::new(),
            handed_on: 0,
            waiting: BTreeMap::new(),
            spent: Vec::new(),
            blocked: 0,
            stop: false,
            emit,
            failed: None,
        };
        Self { state: Mutex::new(state), moved: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, ExecutorState<'e>> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// The next place, if the window has room for it now.
    fn try_take(&self, len: usize) -> TakenPlace {
        let mut state = self.lock();
        if state.stop || state.next >= len {
            return TakenPlace::Done;
        }
        let place = state.next_place(len);
        if place >= state.handed_on + WINDOW {
            return TakenPlace::Later;
        }
        state.next += 1;
        TakenPlace::Place(place)
    }

    /// Waits until the window has room or there is nothing to wait for.
    fn wait_for_room(&self, len: usize) {
        let mut state = self.lock();
        while !state.stop && state.next < len && state.next_place(len) >= state.handed_on + WINDOW {
            state.blocked += 1;
            state = self.moved.wait(state).expect("no holder of this lock panics");
            state.blocked -= 1;
        }
    }

    /// Hands a finished row on, now or when its turn comes, and leaves an empty line in its place. False: nobody wants
    /// more.
    ///
    /// A row is too long for the caches that the allocator keeps for each thread: to allocate it makes the allocator put its
    /// free pieces together first, each time. So lines are used again.
    fn deliver(&self, place: usize, line: &mut Vec<u8>) -> bool {
        let mut guard = self.lock();
        let state = &mut *guard;
        if state.stop {
            return false;
        }
        let line = std::mem::replace(line, state.spent.pop().unwrap_or_default());
        if place != state.handed_on {
            state.waiting.insert(place, line);
            return true;
        }
        let mut turn = Some(line);
        while let Some(mut line) = turn {
            if let Err(error) = (state.emit)(&line) {
                state.failed = Some(error);
                drop(guard);
                self.stop();
                return false;
            }
            if line.capacity() <= KEPT_LINE_BYTES {
                line.clear();
                state.spent.push(line);
            }
            state.handed_on += 1;
            turn = state.waiting.remove(&state.handed_on);
        }
        if state.blocked > 0 {
            self.moved.notify_all();
        }
        true
    }

    fn stop(&self) {
        self.lock().stop = true;
        self.moved.notify_all();
    }
}

/// Takes up every task in the order `order`, and calls `emit` with each row's bytes in order of place.
///
/// Each worker has a thread. Where there can be no more of them, fewer workers work, and without any it is done here.
/// Zygotes that replace lost ones are started by the calling thread, with which they end, and not by a worker's, which
/// ends with the lane.
///
/// On an error, what was forwarded stays forwarded: rows 0 to n without a gap.
///
/// # Errors
/// See [`LaneError`]. Workers are left idle but alive, except after a [`LaneWorkerError`].
pub fn run<'r>(
    workers: &mut [Worker<'r>],
    shared: &RunShared<'r>,
    tasks: &dyn Tasks,
    order: TaskOrder,
    cancel: &Cancel,
    emit: &mut EmitRow<'_>,
) -> Result<(), LaneError> {
    let progress = LaneProgress::new(emit, order);
    let lane = LaneWork { shared, tasks, cancel, progress: &progress };
    // A thread that could not be started would have taken its worker with it.
    let workers: Vec<Mutex<&mut Worker<'r>>> = workers.iter_mut().map(Mutex::new).collect();
    let worked = thread::scope(|scope| {
        let (wanted, wishes) = channel::<ReplacementRequest>();
        let mut handles = Vec::with_capacity(workers.len());
        for worker in &workers {
            let wanted = wanted.clone();
            let all = move || lane.share(worker, &|| ask_for_zygote(shared, &wanted));
            let started = threads::builder().and_then(|new| new.name("lane-worker".into()).spawn_scoped(scope, all));
            match started {
                Ok(handle) => handles.push(handle),
                Err(_) => break,
            }
        }
        // It is closed when the last worker has ended.
        drop(wanted);
        if let ([], Some(worker)) = (handles.as_slice(), workers.first()) {
            return lane.share(worker, &|| Zygote::spawn(shared.exe));
        }
        for wish in wishes {
            // A worker that waits for it no longer drops it, which ends it.
            let _ = wish.send(Zygote::spawn(shared.exe));
        }
        let mut worked = Ok(());
        for handle in handles {
            let outcome = handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            worked = worked.and(outcome);
        }
        worked
    });
    if let Some(signal) = cancel.requested() {
        return Err(LaneError::Cancelled { signal });
    }
    match progress.state.into_inner().expect("no holder of this lock panics").failed {
        Some(error) => Err(LaneError::Sink(error)),
        None => worked.map_err(LaneError::Worker),
    }
}

/// Asks the thread that runs the lane for a zygote.
fn ask_for_zygote(shared: &RunShared<'_>, wanted: &Sender<ReplacementRequest>) -> Result<Zygote, SpawnError> {
    let ending =
        || SpawnError { executable: shared.exe.to_owned(), source: io::Error::other("the lane is ending already") };
    let (wish, answer) = sync_channel(1);
    wanted.send(wish).map_err(|_| ending())?;
    answer.recv().map_err(|_| ending())?
}

/// What the workers of a lane work on together.
#[derive(Clone, Copy)]
struct LaneWork<'a, 'r, 'p> {
    shared: &'a RunShared<'r>,
    tasks: &'a dyn Tasks,
    cancel: &'a Cancel,
    progress: &'a LaneProgress<'p>,
}

impl<'r> LaneWork<'_, 'r, '_> {
    /// One worker's work; whoever fails stops the others.
    fn share(&self, worker: &Mutex<&mut Worker<'r>>, spawn: &SpawnZygote<'_>) -> Result<(), LaneWorkerError> {
        let mut worker = worker.lock().expect("no holder of this lock panics");
        let outcome = self.work_on(&mut worker, spawn);
        if outcome.is_err() {
            self.progress.stop();
        }
        outcome
    }

    /// One worker's loop: keep two jobs with the zygote, so that it never waits for the harness.
    fn work_on(&self, worker: &mut Worker<'r>, spawn: &SpawnZygote<'_>) -> Result<(), LaneWorkerError> {
        let Self { shared, tasks, cancel, progress } = *self;
        let mut line = Vec::new();
        loop {
            let taken = progress.try_take(tasks.len());
            let begun = matches!(taken, TakenPlace::Place(_));
            match taken {
                TakenPlace::Place(place) => worker.begin(shared, place, tasks.get(place))?,
                TakenPlace::Later | TakenPlace::Done if worker.in_flight() > 0 => {}
                TakenPlace::Later => {
                    progress.wait_for_room(tasks.len());
                    continue;
                }
                TakenPlace::Done => return Ok(()),
            }
            // Without a new job, or with enough of them under way, take what is finished.
            if !begun || worker.in_flight() >= Worker::DEPTH {
                let place = worker.finish(shared, spawn, cancel, &mut line)?;
                // What a probe that nobody waited for would have done is not known, so it gets no row.
                if cancel.requested().is_some() {
                    progress.stop();
                }
                if !progress.deliver(place, &mut line) {
                    worker.abandon();
                    return Ok(());
                }
            }
        }
    }
}
