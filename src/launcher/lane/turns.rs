//! How many starts of launchers work at the same time.
//!
//! Most of the time of a lane is spent waiting for what may still come; others may work meanwhile.

use std::sync::{Condvar, Mutex, PoisonError};

/// So many may work at a time.
#[derive(Debug)]
pub struct Turns {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Turns {
    /// `most`: at least one.
    pub fn new(most: usize) -> Self {
        Self { free: Mutex::new(most.max(1)), freed: Condvar::new() }
    }

    /// Waits for a turn.
    pub(super) fn take(&self) -> Turn<'_> {
        self.wait();
        Turn(self)
    }

    fn wait(&self) {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
    }

    fn give(&self) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.freed.notify_one();
    }
}

/// Somebody's turn.
pub(super) struct Turn<'t>(&'t Turns);

impl Turn<'_> {
    /// Lets others work for the time that `wait` takes.
    pub(super) fn rest(&self, wait: impl FnOnce()) {
        self.0.give();
        wait();
        self.0.wait();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.give();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn who_rests_lets_others_work() {
        let turns = Turns::new(1);
        let (answer, answers) = channel();
        std::thread::scope(|scope| {
            let mine = turns.take();
            let turns = &turns;
            scope.spawn(move || {
                let _other = turns.take();
                answer.send(()).unwrap();
            });
            // Without the rest nobody would ever answer.
            mine.rest(|| answers.recv().unwrap());
        });
        assert_eq!(*turns.free.lock().unwrap(), 1);
    }
}
