//! What a driver did, call by call.

use crate::base::json_line::Line;
#[cfg(doc)]
use crate::record::report::Operation;
use crate::record::report::{CallRole, OpenedFile};
use crate::sys::Ret;

/// Collects the calls of one operation. A driver stops at the first call that failed.
///
/// Names are constants of the drivers and stay what they are until the record is written: a probe process allocates as
/// little as it can, because each page that it writes to has to be copied for it.
#[derive(Debug, Default)]
pub struct Trace {
    calls: [Option<Noted>; MAX_CALLS],
    opened: Option<OpenedFile>,
    details: [Option<(&'static str, i64)>; MAX_DETAILS],
}

/// One call, with its name.
#[derive(Debug, Clone, Copy)]
struct Noted {
    syscall: &'static str,
    role: CallRole,
    ret: i64,
    errno: i32,
}

/// More calls than any driver makes.
const MAX_CALLS: usize = 8;
/// More facts than any driver notes.
const MAX_DETAILS: usize = 4;

impl Trace {
    /// Nothing done yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a call that only prepares the operation. `None` if it failed.
    pub fn prepare(&mut self, syscall: &'static str, ret: Ret) -> Option<i64> {
        self.note(syscall, CallRole::Prepare, ret)
    }

    /// Notes a call that is the operation, or belongs to it. `None` if it failed.
    pub fn operate(&mut self, syscall: &'static str, ret: Ret) -> Option<i64> {
        self.note(syscall, CallRole::Operation, ret)
    }

    fn note(&mut self, syscall: &'static str, role: CallRole, ret: Ret) -> Option<i64> {
        let (value, errno) = match ret {
            Ok(value) => (value, 0),
            Err(errno) => (-1, errno),
        };
        keep(&mut self.calls, Noted { syscall, role, ret: value, errno });
        ret.ok()
    }

    /// Notes a fact that is no return value.
    pub fn detail(&mut self, name: &'static str, value: i64) {
        keep(&mut self.details, (name, value));
    }

    /// Notes what the kernel says an opened descriptor is.
    #[cfg(target_os = "linux")]
    pub fn opened(&mut self, fd: i32) {
        use crate::sys::linux::path::fstat;
        let (path, path_errno) = match super::linux::link_of_descriptor(fd) {
            Ok(path) => (Some(path), 0),
            Err(errno) => (None, errno),
        };
        if let Ok(found) = fstat(fd) {
            self.opened = Some(OpenedFile { path, path_errno, dev: found.dev, ino: found.ino, mode: found.mode });
        }
    }

    /// Writes the record as one line of the report, with its line break: the JSON of an [`Operation`].
    pub fn write(&self, line: &mut Vec<u8>) {
        let mut line = Line::begin(line);
        line.list("calls", self.calls.iter().flatten(), |item, call| {
            item.text("syscall", call.syscall);
            item.text("role", call.role.as_str());
            item.signed("ret", call.ret);
            item.signed("errno", call.errno.into());
        });
        if let Some(opened) = &self.opened {
            line.object("opened", |item| {
                if let Some(path) = &opened.path {
                    item.text("path", path);
                }
                item.signed("path_errno", opened.path_errno.into());
                item.unsigned("dev", opened.dev);
                item.unsigned("ino", opened.ino);
                item.unsigned("mode", opened.mode.into());
            });
        }
        if self.details[0].is_some() {
            line.pairs("details", self.details.iter().flatten().copied());
        }
        line.end();
    }
}

/// Puts a value into the first empty place. That there always is one is a property of the drivers; losing a fact without
/// a word would be worse than the probe's end.
fn keep<T, const N: usize>(places: &mut [Option<T>; N], value: T) {
    match places.iter_mut().find(|place| place.is_none()) {
        Some(place) => *place = Some(value),
        None => panic!("a driver noted more than {N} facts of one kind"),
    }
}
