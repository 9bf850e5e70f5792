//! Where threads come from. Most can be done without: where the system gives no more of them, the same work is done by
//! whoever asked.

use std::io;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};

/// What is known of the threads of this process.
static OF_THIS_PROCESS: ThreadCensus = ThreadCensus(AtomicU8::new(ThreadCensus::NONE_STARTED));

/// Whether threads were started, and whether any may be.
struct ThreadCensus(AtomicU8);

impl ThreadCensus {
    /// This program has started none.
    const NONE_STARTED: u8 = 0;
    /// It has started some, which may have ended.
    const SOME_STARTED: u8 = 1;
    /// It starts none: the process was found to have one, and somebody relies on that.
    const FORBIDDEN: u8 = 2;

    /// Notes that one is about to be started. False: it must not.
    fn note(&self) -> bool {
        let noted = self.0.compare_exchange(Self::NONE_STARTED, Self::SOME_STARTED, Ordering::SeqCst, Ordering::SeqCst);
        noted != Err(Self::FORBIDDEN)
    }

    fn none_was_started(&self) -> bool {
        self.0.load(Ordering::SeqCst) == Self::NONE_STARTED
    }

    fn forbid(&self) -> bool {
        self.0.swap(Self::FORBIDDEN, Ordering::SeqCst) != Self::FORBIDDEN
    }

    fn allow(&self) {
        self.0.store(Self::SOME_STARTED, Ordering::SeqCst);
    }
}

/// What every thread of this program is started with.
///
/// # Errors
/// In a process that relies on having one.
#[expect(clippy::disallowed_methods, reason = "the home of threads, which notes that there are some")]
pub fn builder() -> io::Result<thread::Builder> {
    if OF_THIS_PROCESS.note() {
        Ok(thread::Builder::new())
    } else {
        Err(io::Error::other("this process relies on having one thread"))
    }
}

/// How many workers there are where nobody says: one per processor, and no more than anybody may ask for.
pub fn usual_workers() -> u32 {
    thread::available_parallelism().map_or(1, |n| n.get().min(256) as u32)
}

/// Whether this program has started no thread in this process.
pub fn none_was_started() -> bool {
    OF_THIS_PROCESS.none_was_started()
}

/// From here on no thread is started; called by the only one that there is. False: that was so before.
pub fn forbid() -> bool {
    OF_THIS_PROCESS.forbid()
}

/// Threads may be started again: nobody relies on there being one.
pub fn allow() {
    OF_THIS_PROCESS.allow();
}

/// Work that is done once: by a thread, or by whoever could not start it. (A thread that cannot be started drops what it
/// was given.)
struct OnceWork<F>(Arc<Mutex<Option<F>>>);

impl<F> OnceWork<F> {
    fn new(work: F) -> Self {
        Self(Arc::new(Mutex::new(Some(work))))
    }

    fn shared(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    fn take(self) -> Option<F> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Does both, `other` on a thread of its own meanwhile; after `here` where there can be no further thread.
///
/// # Panics
/// If one of them does.
pub fn both<A: Send, B>(other: impl FnOnce() -> A + Send, here: impl FnOnce() -> B) -> (A, B) {
    both_with(true, other, here)
}

fn both_with<A: Send, B>(threads: bool, other: impl FnOnce() -> A + Send, here: impl FnOnce() -> B) -> (A, B) {
    let mut answer = None;
    let other = OnceWork::new(|| answer = Some(other()));
    let made = thread::scope(|scope| {
        let elsewhere = other.shared();
        let work = move || {
            if let Some(work) = elsewhere.take() {
                work();
            }
        };
        let started = if threads { builder().and_then(|new| new.spawn_scoped(scope, work)).ok() } else { None };
        let made = here();
        match started {
            Some(handle) => handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            None => {
                if let Some(work) = other.take() {
                    work();
                }
            }
        }
        made
    });
    (answer.expect("the other work was done"), made)
}

/// Does the same work on so many threads at once, of which the caller's is one; on fewer where there can be no more. Gives what
/// each made.
///
/// # Panics
/// If one of them does.
pub fn together<T: Send>(count: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let start = |_| builder().and_then(|new| new.spawn_scoped(scope, &work)).ok();
        let others: Vec<_> = (1..count).map_while(start).collect();
        let mut made = vec![work()];
        made.extend(others.into_iter().map(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))));
        made
    })
}

/// Makes something of each place below `count`, on as many threads as usual; gives all in order.
///
/// # Panics
/// If one of them does.
pub fn each<T: Send>(count: usize, make: impl Fn(usize) -> T + Sync) -> Vec<T> {
    each_by(usual_workers() as usize, count, make)
}

/// The same on so many threads at most, as where each waits for somebody else.
///
/// # Panics
/// If one of them does.
pub fn each_by<T: Send>(workers: usize, count: usize, make: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let made = together(workers.min(count).max(1), || {
        let mut made = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= count {
                return made;
            }
            made.push((place, make(place)));
        }
    });
    let mut made: Vec<(usize, T)> = made.into_iter().flatten().collect();
    made.sort_unstable_by_key(|(place, _)| *place);
    made.into_iter().map(|(_, made)| made).collect()
}

/// Where values are sent that are made ahead of their use.
#[derive(Debug)]
pub enum ValueFeed<T> {
    /// From a thread of its own, which waits when it is far ahead.
    Ahead(SyncSender<T>),
    /// From the thread that will use them, which cannot wait for itself: all are made first.
    First(Sender<T>),
}

impl<T> ValueFeed<T> {
    /// Hands a value over. False: nobody wants more.
    pub fn send(&self, value: T) -> bool {
        match self {
            Self::Ahead(to) => to.send(value).is_ok(),
            Self::First(to) => to.send(value).is_ok(),
        }
    }
}

/// Calls `make` on a thread of its own, which is at most `ahead` values ahead of their use. Where there can be no further
/// thread, everything is made now, and held in memory until it is used.
pub fn feed<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    ahead: usize,
    make: impl FnOnce(ValueFeed<T>) + Send + 'scope,
) -> Receiver<T> {
    feed_with(true, scope, ahead, make)
}

fn feed_with<'scope, T: Send + 'scope>(
    threads: bool,
    scope: &'scope Scope<'scope, '_>,
    ahead: usize,
    make: impl FnOnce(ValueFeed<T>) + Send + 'scope,
) -> Receiver<T> {
    let make = OnceWork::new(make);
    if threads {
        let (to, from) = sync_channel(ahead);
        let elsewhere = make.shared();
        let work = move || {
            if let Some(make) = elsewhere.take() {
                make(ValueFeed::Ahead(to));
            }
        };
        if builder().and_then(|new| new.spawn_scoped(scope, work)).is_ok() {
            return from;
        }
    }
    let (to, from) = channel();
    if let Some(make) = make.take() {
        make(ValueFeed::First(to));
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_thread_is_started_while_somebody_relies_on_there_being_one() {
        let census = ThreadCensus(AtomicU8::new(ThreadCensus::NONE_STARTED));
        assert!(census.none_was_started());
        assert!(census.note() && !census.none_was_started());
        assert!(census.forbid());
        assert!(!census.forbid(), "one relies on it already");
        assert!(!census.note() && !census.none_was_started());
        census.allow();
        assert!(census.note() && !census.none_was_started(), "there was one that could have gone on");
    }

    #[test]
    fn both_are_done_once_with_and_without_a_thread() {
        for threads in [true, false] {
            let (mut one, mut two) = (0, 0);
            let made = both_with(threads, || std::mem::replace(&mut one, 7), || std::mem::replace(&mut two, 8));
            assert_eq!((made, one, two), ((0, 0), 7, 8));
        }
    }

    #[test]
    fn work_that_is_shared_is_done_to_the_last_piece() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        for count in [0, 1, 4] {
            let next = AtomicUsize::new(0);
            let work = || {
                let mut done = Vec::new();
                while let Some(piece) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|piece| *piece < 100) {
                    done.push(piece);
                }
                done
            };
            let mut done: Vec<usize> = together(count, work).into_iter().flatten().collect();
            done.sort_unstable();
            assert_eq!(done, (0..100).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_made_of_each_place_is_given_in_order() {
        assert_eq!(each(0, |place| place), Vec::<usize>::new());
        assert_eq!(each(100, |place| place * 2), (0..200).step_by(2).collect::<Vec<_>>());
    }

    #[test]
    fn everything_that_is_fed_arrives_in_order_with_and_without_a_thread() {
        for threads in [true, false] {
            let sum = thread::scope(|scope| {
                let from = feed_with(threads, scope, 2, |to: ValueFeed<u32>| {
                    for n in 0..1000 {
                        assert!(to.send(n));
                    }
                });
                from.iter().enumerate().map(|(at, n)| u64::from(at as u32 == n)).sum::<u64>()
            });
            assert_eq!(sum, 1000);
        }
    }
}
