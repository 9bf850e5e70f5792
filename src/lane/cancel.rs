//! Cancellation of a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Set once by a signal, read by everybody.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicUsize>);

impl Cancel {
    /// The cell that a signal handler writes the signal's number to.
    pub fn cell(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.0)
    }

    /// Asks to stop because of `signal`. The first wish stands.
    pub fn request(&self, signal: i32) {
        let _ = self.0.compare_exchange(0, signal as usize, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// The signal that asked to stop.
    pub fn requested(&self) -> Option<i32> {
        match self.0.load(Ordering::SeqCst) {
            0 => None,
            signal => i32::try_from(signal).ok(),
        }
    }
}
