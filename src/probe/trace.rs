//! What a driver did, call by call.

use crate::record::report::{Call, CallRole, Operation};
use crate::sys::Ret;

/// Collects the calls of one operation. A driver stops at the first call that failed.
#[derive(Debug)]
pub struct Trace {
    operation: Operation,
}

impl Trace {
    /// Nothing done yet.
    pub fn new() -> Self {
        // Four calls are the most that a driver makes.
        Self { operation: Operation { calls: Vec::with_capacity(4), opened: None, details: Vec::new() } }
    }

    /// Notes a call that only prepares the operation. `None` if it failed.
    pub fn prepare(&mut self, syscall: &str, ret: Ret) -> Option<i64> {
        self.note(syscall, CallRole::Prepare, ret)
    }

    /// Notes a call that is the operation, or belongs to it. `None` if it failed.
    pub fn operate(&mut self, syscall: &str, ret: Ret) -> Option<i64> {
        self.note(syscall, CallRole::Operation, ret)
    }

    fn note(&mut self, syscall: &str, role: CallRole, ret: Ret) -> Option<i64> {
        let (value, errno) = match ret {
            Ok(value) => (value, 0),
            Err(errno) => (-1, errno),
        };
        self.operation.calls.push(Call { syscall: syscall.to_owned(), role, ret: value, errno, code: None });
        ret.ok()
    }

    /// Notes a fact that is no return value.
    pub fn detail(&mut self, name: &str, value: i64) {
        self.operation.details.push((name.to_owned(), value));
    }

    /// Notes what the kernel says an opened descriptor is.
    #[cfg(target_os = "linux")]
    pub fn opened(&mut self, fd: i32) {
        use crate::record::report::OpenedFile;
        use crate::sys::linux::path::fstat;
        let (path, path_errno) = match super::linux::link_of_descriptor(fd) {
            Ok(path) => (Some(path), 0),
            Err(errno) => (None, errno),
        };
        if let Ok(found) = fstat(fd) {
            self.operation.opened = Some(OpenedFile {
                path,
                path_errno,
                nofirmlink: None,
                nofirmlink_errno: None,
                dev: found.dev,
                ino: found.ino,
                mode: found.mode,
            });
        }
    }

    /// The record.
    pub fn finish(self) -> Operation {
        self.operation
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}
