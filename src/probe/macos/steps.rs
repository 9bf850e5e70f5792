//! What a driver did, call by call.

use crate::record::detail_name::DetailName;
use crate::record::report::{Call, CallRole, OperationReport};
use crate::sys::Ret;
use crate::sys::darwin::calls;

/// Collects the calls of one operation. A driver stops at the first call that failed.
#[derive(Debug)]
pub struct OperationSteps(OperationReport);

impl OperationSteps {
    /// Nothing done yet. Room is made now, while nothing is confined.
    pub fn new() -> Self {
        Self(OperationReport { calls: Vec::with_capacity(8), opened: None, details: Vec::with_capacity(4) })
    }

    /// Notes a call that only prepares the operation. `None` if it failed.
    pub fn prepare(&mut self, call: &str, ret: Ret) -> Option<i64> {
        self.note(call, CallRole::Prepare, ret)
    }

    /// Notes a call that is the operation, or belongs to it. `None` if it failed.
    pub fn operate(&mut self, call: &str, ret: Ret) -> Option<i64> {
        self.note(call, CallRole::Operation, ret)
    }

    /// Notes a call that answers with a code of its own; 0 is success.
    pub fn operate_code(&mut self, call: &str, code: i32) -> Option<()> {
        let ret = if code == 0 { 0 } else { -1 };
        let noted = Call { syscall: call.into(), role: CallRole::Operation, ret, errno: 0, code: Some(code) };
        self.0.calls.push(noted);
        (code == 0).then_some(())
    }

    fn note(&mut self, call: &str, role: CallRole, ret: Ret) -> Option<i64> {
        let (value, errno) = match ret {
            Ok(value) => (value, 0),
            Err(errno) => (-1, errno),
        };
        self.0.calls.push(Call { syscall: call.into(), role, ret: value, errno, code: None });
        ret.ok()
    }

    /// Notes what the kernel says an opened descriptor is.
    pub fn opened(&mut self, fd: i32) {
        self.0.opened = Some(calls::opened(fd));
    }

    /// Notes a fact that is no return value.
    pub fn detail(&mut self, name: DetailName, value: i64) {
        self.0.details.push((name, value));
    }

    /// The calls so far, as the operation's report.
    pub fn finish(self) -> OperationReport {
        self.0
    }
}

impl Default for OperationSteps {
    fn default() -> Self {
        Self::new()
    }
}
