//! Threads that can be done without: where the system gives no more of them, the same work is done by whoever asked.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};

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
        let started = if threads { thread::Builder::new().spawn_scoped(scope, work).ok() } else { None };
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
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "launchers are asked on Linux alone"))]
pub fn together<T: Send>(count: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let start = |_| thread::Builder::new().spawn_scoped(scope, &work).ok();
        let others: Vec<_> = (1..count).map_while(start).collect();
        let mut made = vec![work()];
        made.extend(others.into_iter().map(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))));
        made
    })
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
        if thread::Builder::new().spawn_scoped(scope, work).is_ok() {
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
