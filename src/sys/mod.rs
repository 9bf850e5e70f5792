//! System calls without a safe wrapper elsewhere. The only folder with `unsafe`.
#![allow(unsafe_code, reason = "each block states why it is sound")]

#[cfg(target_os = "macos")]
pub mod darwin;
pub mod durability;
pub mod ending;
pub mod files;
#[cfg(target_os = "linux")]
pub mod linux;
#[cfg(target_os = "macos")]
pub mod product;

/// Whether Seatbelt confines this process. `None` where there is no Seatbelt, or it cannot be asked.
pub fn seatbelt_confined() -> Option<bool> {
    #[cfg(target_os = "macos")]
    return darwin::seatbelt_confined();
    #[cfg(not(target_os = "macos"))]
    None
}

/// What a system call returned: its value, or its error number.
pub type Ret = Result<i64, i32>;

/// Splits a return value in the C manner, where -1 means that the thread's error number says why.
fn outcome(value: impl Into<i64>) -> Ret {
    match value.into() {
        -1 => Err(nix::errno::Errno::last_raw()),
        value => Ok(value),
    }
}
