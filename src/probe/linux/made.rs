//! What an operation is about that has to be there before it.

use std::ffi::CString;

use super::held::OlderThread;
use super::trace::Trace;
use crate::record::detail_name::DetailName;
use crate::sys::linux::ipc::Attached;
use crate::sys::linux::memory::random;

/// What was made before the policy was applied: by `prepare` in the probe process, or by whoever started it where the probe
/// runs inside of something else. What a driver does not use stays empty.
#[derive(Debug)]
pub struct Preparation {
    /// A descriptor: what is to be read from or opened again, a terminal; -1 without.
    pub fd: i32,
    /// The other end of that terminal, which has to stay open; -1 without.
    pub other: i32,
    /// A process that is outside; -1 without. What else is said of it: `fd` is the number of one of its own descriptors, and
    /// at `address` its memory holds the token.
    pub pid: i32,
    /// The address at which its memory holds the token; 0 without a process.
    pub address: u64,
    /// The number of a System V object; -1 without.
    pub id: i32,
    /// What the object holds: eight random bytes. `None`: only its maker knows, and compares the detail `content`.
    pub token: Option<u64>,
    /// The path of a POSIX shared memory object that is to be made, and that its maker removes in any case; empty without.
    pub name: CString,
    /// Shared memory that has to stay attached.
    pub segment: Option<Attached>,
    /// A thread.
    pub older: Option<OlderThread>,
}

impl Default for Preparation {
    fn default() -> Self {
        Self {
            fd: -1,
            other: -1,
            pid: -1,
            address: 0,
            id: -1,
            token: None,
            name: CString::default(),
            segment: None,
            older: None,
        }
    }
}

impl Preparation {
    /// Draws the token.
    pub fn draw(&mut self) -> Result<u64, i32> {
        let token = random()?;
        self.token = Some(token);
        Ok(token)
    }

    /// Notes what an operation read, and compares it with the token if that is known here.
    pub fn compare(&self, trace: &mut Trace, found: Option<u64>) -> Option<()> {
        if let Some(found) = found {
            trace.detail(DetailName::Content, found as i64);
        }
        match self.token {
            Some(token) => trace.confirm(found == Some(token)),
            None => Some(()),
        }
    }
}
