//! Processes, signals and descriptors.

use crate::sys::Ret;
pub use crate::sys::darwin::calls::pipe;
pub use crate::sys::posix::{
    Watched, effective_ids, fchdir, ids, ignore_signal, is_open, kill, poll, set_process_group, wait,
};

/// Which of `N` numbers from `first` on are open descriptors. (poll(2) knows no devices here.)
pub fn open_from<const N: usize>(first: i32) -> Vec<i32> {
    (first..).take(N).filter(|fd| is_open(*fd)).collect()
}

/// A number that differs from process to process of the same program.
pub fn start_random() -> u64 {
    uuid::Uuid::new_v4().as_u128() as u64
}

/// Takes a blocked signal that has come, or waits for it; see sigwait(2).
pub fn take_signal(signal: i32) -> Ret {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    let mut came = 0;
    // SAFETY: the set is initialised first; the kernel reads it and writes one `int`.
    let failure = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        libc::sigwait(set.as_ptr(), &raw mut came)
    };
    if failure == 0 { Ok(i64::from(came)) } else { Err(failure) }
}

/// Orphans among the descendants of a process go to launchd, whatever anybody wishes.
pub const ADOPTS_ORPHANS: bool = false;

/// A number of a process that no other one has while it is there: its own.
pub fn lasting_number(pid: i32) -> Result<u64, i32> {
    u64::try_from(pid).map_err(|_| libc::ESRCH)
}
