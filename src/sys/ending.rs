//! How this process ends where it does not end by itself.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// What is said when the process ends itself.
const ABORTED: &[u8] = b"error: aborted: out of memory (RLIMIT_AS, a memory cgroup), or an internal error\n";
/// The exit code then: an internal error.
const FAULT: i32 = 70;

/// Lets a write beyond the limit on the size of files (RLIMIT_FSIZE) fail with EFBIG, which can be said, instead of ending
/// the process by SIGXFSZ. See setrlimit(2).
pub fn report_file_size_limit() {
    // SAFETY: no handler of ours runs.
    let _ = unsafe { nix::sys::signal::signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
}

/// Lets abort(3) end the process with a word and an exit code. Rust's runtime calls it where an allocation fails, and no
/// other place is told of that.
pub fn report_abort() {
    let action = SigAction::new(SigHandler::Handler(aborted), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler makes two system calls, both of which signal-safety(7) permits, and does not return.
    let _ = unsafe { sigaction(Signal::SIGABRT, &action) };
}

extern "C" fn aborted(_signal: libc::c_int) {
    // SAFETY: the kernel reads as many bytes as there are; the second call does not return.
    unsafe {
        libc::write(libc::STDERR_FILENO, ABORTED.as_ptr().cast(), ABORTED.len());
        libc::_exit(FAULT)
    }
}

/// _exit(2): ends the process with all its threads, without running exit handlers.
pub fn exit_at_once(code: u8) -> ! {
    // SAFETY: the call does not return and touches no memory of ours.
    unsafe { libc::_exit(code.into()) }
}
