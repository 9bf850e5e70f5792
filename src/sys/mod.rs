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
mod ret;

pub use ret::Ret;

/// Whether Seatbelt confines this process. `None` where there is no Seatbelt, or it cannot be asked.
pub fn seatbelt_confined() -> Option<bool> {
    #[cfg(target_os = "macos")]
    return darwin::seatbelt_confined();
    #[cfg(not(target_os = "macos"))]
    None
}
