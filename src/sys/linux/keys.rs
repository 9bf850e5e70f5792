//! Keys and keyrings; see keyrings(7).

use std::ffi::CStr;

use crate::sys::Ret;
use crate::sys::ret::outcome;

/// `KEYCTL_JOIN_SESSION_KEYRING` of <linux/keyctl.h>.
const JOIN_SESSION_KEYRING: i64 = 1;
/// `KEYCTL_SEARCH`.
const SEARCH: i64 = 10;
/// `KEYCTL_READ`.
const READ: i64 = 11;

/// Gives this process a new session keyring without a name; see keyctl_join_session_keyring(3). The number of the keyring.
pub fn new_session_keyring() -> Ret {
    // SAFETY: a null name asks for an anonymous keyring.
    outcome(unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, 0_u64) })
}

/// add_key(2): a key of the kind `user` in that keyring. The number of the key.
pub fn add(description: &CStr, content: &[u8], keyring: i32) -> Ret {
    let (kind, text) = (c"user".as_ptr(), content.as_ptr());
    // SAFETY: both texts are NUL-terminated; the kernel reads `content.len()` bytes.
    outcome(unsafe { libc::syscall(libc::SYS_add_key, kind, description.as_ptr(), text, content.len(), keyring) })
}

/// keyctl_search(3) for a key of the kind `user`. The number of the key.
pub fn search(keyring: i32, description: &CStr) -> Ret {
    let kind = c"user".as_ptr();
    // SAFETY: both texts are NUL-terminated and only read during the call.
    outcome(unsafe { libc::syscall(libc::SYS_keyctl, SEARCH, keyring, kind, description.as_ptr(), 0) })
}

/// keyctl_read(3) of at most eight bytes: how many the key has, and the first of them.
pub fn read(key: i32) -> Result<(i64, [u8; 8]), i32> {
    let mut bytes = [0; 8];
    // SAFETY: the kernel writes at most eight bytes to the array.
    let length = outcome(unsafe { libc::syscall(libc::SYS_keyctl, READ, key, bytes.as_mut_ptr(), 8_u64) })?;
    Ok((length, bytes))
}
