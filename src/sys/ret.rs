//! What system calls return.

/// What a system call returned: its value, or its error number.
pub type Ret = Result<i64, i32>;

/// Splits a return value in the C manner, where -1 means that the thread's error number says why.
pub(super) fn outcome(value: impl Into<i64>) -> Ret {
    match value.into() {
        -1 => Err(nix::errno::Errno::last_raw()),
        value => Ok(value),
    }
}
