//! What a driver did, call by call.

use super::descriptor_link::{LinkText, link_of_descriptor};
use crate::base::report_line::ReportLine;
use crate::record::detail_name::DetailName;
use crate::record::report::CallRole;
use crate::record::report::{Call, OpenedFile, OperationReport};
use crate::sys::Ret;

/// Collects the calls of one operation. A driver stops at the first call that failed.
///
/// Names are constants of the drivers and stay what they are until the record is written: a probe process allocates as
/// little as it can, because each page that it writes to has to be copied for it.
#[derive(Debug, Default)]
pub struct Trace {
    calls: [Option<TracedCall>; MAX_CALLS],
    opened: Option<OpenedDescriptor>,
    details: [Option<(DetailName, i64)>; MAX_DETAILS],
}

/// One call, with its name.
#[derive(Debug, Clone, Copy)]
struct TracedCall {
    syscall: &'static str,
    role: CallRole,
    ret: i64,
    errno: i32,
}

/// What an opened descriptor is.
#[derive(Debug)]
struct OpenedDescriptor {
    path: Result<LinkText, i32>,
    dev: u64,
    ino: u64,
    mode: u32,
}

/// More calls than any driver makes.
const MAX_CALLS: usize = 12;
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
        keep(&mut self.calls, TracedCall { syscall, role, ret: value, errno });
        ret.ok()
    }

    /// Notes a fact that is no return value.
    pub fn detail(&mut self, name: DetailName, value: i64) {
        keep(&mut self.details, (name, value));
    }

    /// Notes whether what the operation should have caused is really there. A call that says that it succeeded is not
    /// believed without (a filter can answer for the kernel).
    pub fn confirm(&mut self, there: bool) -> Option<()> {
        self.detail(DetailName::Confirmed, i64::from(there));
        Some(())
    }

    /// Notes what the kernel says an opened descriptor is.
    pub fn opened(&mut self, fd: i32) {
        let path = link_of_descriptor(fd);
        if let Ok(found) = crate::sys::linux::path::fstat(fd) {
            self.opened = Some(OpenedDescriptor { path, dev: found.dev, ino: found.ino, mode: found.mode });
        }
    }

    /// The record that [`Self::write`] writes.
    pub fn finish(self) -> OperationReport {
        let call = |noted: TracedCall| Call {
            syscall: noted.syscall.into(),
            role: noted.role,
            ret: noted.ret,
            errno: noted.errno,
            code: None,
        };
        let file = |opened: OpenedDescriptor| OpenedFile {
            path: opened.path.as_ref().ok().map(LinkText::to_text),
            path_errno: opened.path.err().unwrap_or(0),
            nofirmlink: None,
            nofirmlink_errno: None,
            dev: opened.dev,
            ino: opened.ino,
            mode: opened.mode,
        };
        OperationReport {
            calls: self.calls.into_iter().flatten().map(call).collect(),
            opened: self.opened.map(file),
            details: self.details.into_iter().flatten().collect(),
        }
    }

    /// Writes the record as one line of the report, with its line break: an `OperationReport` as JSON.
    pub fn write(&self, line: &mut Vec<u8>) {
        let mut line = ReportLine::begin(line);
        line.list("calls", self.calls.iter().flatten(), |item, call| {
            item.text("syscall", call.syscall);
            item.text("role", call.role.as_str());
            item.signed("ret", call.ret);
            item.signed("errno", call.errno.into());
        });
        if let Some(opened) = &self.opened {
            line.object("opened", |item| {
                match &opened.path {
                    Ok(path) => {
                        item.bytes("path", path.as_bytes());
                        item.signed("path_errno", 0);
                    }
                    Err(errno) => item.signed("path_errno", (*errno).into()),
                }
                item.unsigned("dev", opened.dev);
                item.unsigned("ino", opened.ino);
                item.unsigned("mode", opened.mode.into());
            });
        }
        if self.details[0].is_some() {
            let details = self.details.iter().flatten();
            line.pairs("details", details.map(|(name, value)| (name.as_str(), *value)));
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn what_is_written_reads_as_the_record() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["plain", "quote\" back\\ tab\t ümlaut", &format!("{0}/{0}", "x".repeat(LinkText::SHORT / 2))] {
            std::fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            let mut trace = Trace::new();
            assert_eq!(trace.prepare("openat", Ok(7)), Some(7));
            assert_eq!(trace.operate("read", Err(libc::EACCES)), None);
            trace.opened(file.as_raw_fd());
            trace.detail(DetailName::BytesRead, -1);
            let mut line = Vec::new();
            trace.write(&mut line);
            let record = trace.finish();
            assert!(record.opened.as_ref().unwrap().path.as_ref().unwrap().ends_with(name));
            assert_eq!(serde_json::from_slice::<OperationReport>(&line).unwrap(), record);
        }
        let mut line = Vec::new();
        Trace::new().write(&mut line);
        assert_eq!(serde_json::from_slice::<OperationReport>(&line).unwrap(), Trace::new().finish());
    }
}
