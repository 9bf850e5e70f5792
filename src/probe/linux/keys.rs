//! Keys of the kernel. Only keyrings of the probe's own are changed.

use super::made::Preparation;
use super::trace::Trace;
use crate::sys::linux::keys;
use crate::sys::linux::memory::random;

/// What the key is called. Its keyring has no other.
const DESCRIPTION: &std::ffi::CStr = c"sandproof";
/// `KEY_SPEC_PROCESS_KEYRING` of <linux/keyctl.h>: made when it is first used, and gone with the process.
const OF_PROCESS: i32 = -2;
/// `KEY_SPEC_SESSION_KEYRING`.
const OF_SESSION: i32 = -3;

/// Gives this process a session keyring of its own with a key in it that holds the token.
pub fn make(made: &mut Preparation) -> Result<(), i32> {
    let token = made.draw()?;
    keys::new_session_keyring()?;
    keys::add(DESCRIPTION, &token.to_ne_bytes(), OF_SESSION).map(|_| ())
}

/// Finds the key in the session keyring, and reads it.
pub fn read(trace: &mut Trace, made: &Preparation) -> Option<()> {
    let key = trace.operate("keyctl", keys::search(OF_SESSION, DESCRIPTION))? as i32;
    let read = keys::read(key);
    trace.operate("keyctl", read.map(|(length, _)| length))?;
    let (length, bytes) = read.ok()?;
    made.compare(trace, (length == 8).then(|| u64::from_ne_bytes(bytes)))
}

/// Adds a key to the keyring of this process, and reads it back.
pub fn add(trace: &mut Trace) -> Option<()> {
    let content = random().ok()?.to_ne_bytes();
    let key = trace.operate("add_key", keys::add(DESCRIPTION, &content, OF_PROCESS))? as i32;
    trace.confirm(keys::read(key) == Ok((8, content)))
}
