//! Calls that only macOS has.

use std::ffi::{CString, c_int};
use std::mem::size_of;
use std::ptr;

use crate::record::callout::{CalloutRecord, CheckRequest};
use crate::record::report::OpenFd;
use seatbelt::{Checker, TextFilter};

pub mod calls;
pub mod children;
pub mod frameworks;
pub mod mach;
pub mod native;
pub mod seatbelt;
pub mod symbols;
pub mod xpc;

/// Whether Seatbelt confines this process. `None` if that cannot be asked.
pub fn seatbelt_confined() -> Option<bool> {
    Checker::resolve().ok()?.confined().0
}

/// Puts one question about this process to `sandbox_check`, out of the log.
pub fn ask(checker: Option<&Checker>, request: &CheckRequest) -> CalloutRecord {
    let mut record = CalloutRecord {
        stage: "pre_syscall".to_owned(),
        api: "sandbox_check".to_owned(),
        operation: request.operation.clone(),
        filter_type: request.filter_type,
        check_type: i64::from(request.filter_type),
        varargs_count: 1,
        argument: request.argument.clone(),
        canonicalization: Some("raw".to_owned()),
        canonical_flag_used: false,
        canonical_flag_reason: Some("not_requested".to_owned()),
        no_report: false,
        no_report_reason: Some("function_missing".to_owned()),
        token_status: "pid".to_owned(),
        token_mach_kr: None,
        rc: -2,
        errno: 0,
        error: Some("there is no `sandbox_check` on this system".to_owned()),
    };
    let Some(checker) = checker else { return record };
    record.no_report = true;
    record.no_report_reason = (!checker.no_report_found).then(|| "symbol_missing".to_owned());
    record.check_type = i64::from(checker.flagged(request.filter_type));
    let Some(filter) = TextFilter::of(request.filter_type) else {
        record.error = Some(format!("filter {} is none that is known to take a text", request.filter_type));
        return record;
    };
    let argument = CString::new(request.argument.as_deref().unwrap_or_default());
    match (CString::new(request.operation.as_str()), argument) {
        (Ok(operation), Ok(argument)) => {
            let (rc, errno) = checker.ask(&operation, filter, &argument);
            record.rc = rc;
            // Otherwise it is left over from something else.
            record.errno = if rc == -1 { errno } else { 0 };
            record.error = (!matches!(rc, 0 | 1)).then(|| format!("`sandbox_check` answered {rc}, error {errno}"));
        }
        _ => record.error = Some("the question holds a NUL".to_owned()),
    }
    record
}

/// `PROC_PIDLISTFDS` of bsd/sys/proc_info.h in xnu.
const LIST_FDS: c_int = 1;

/// `struct proc_fdinfo` of the same header.
#[repr(C)]
#[derive(Clone, Copy)]
struct FdInfo {
    fd: i32,
    kind: u32,
}

/// Every open descriptor of this process, as the kernel lists them. `None` if it does not.
pub fn open_fds() -> Option<Vec<OpenFd>> {
    // SAFETY: getpid(2) has no conditions.
    let pid = unsafe { libc::getpid() };
    // SAFETY: without a buffer, the call only tells how large one has to be.
    let needed = unsafe { libc::proc_pidinfo(pid, LIST_FDS, 0, ptr::null_mut(), 0) };
    let room = usize::try_from(needed).ok()? / size_of::<FdInfo>() + 64;
    let mut list = vec![FdInfo { fd: 0, kind: 0 }; room];
    let room_bytes = c_int::try_from(room * size_of::<FdInfo>()).ok()?;
    // SAFETY: the buffer is writable and as large as is said; any bytes are valid numbers.
    let written = unsafe { libc::proc_pidinfo(pid, LIST_FDS, 0, list.as_mut_ptr().cast(), room_bytes) };
    // Zero is the call's way to fail; a full buffer may have lost some.
    if written <= 0 || written >= room_bytes {
        return None;
    }
    list.truncate(usize::try_from(written).ok()? / size_of::<FdInfo>());
    let mut found: Vec<OpenFd> = list.iter().map(|info| OpenFd { fd: info.fd, what: what_is(*info).into() }).collect();
    found.sort_by_key(|open| open.fd);
    Some(found)
}

/// What a descriptor is: a file's path, or the kernel's word for its kind.
fn what_is(info: FdInfo) -> String {
    /// `PROX_FDTYPE_VNODE` of the same header, and so on.
    const VNODE: u32 = 1;
    const SOCKET: u32 = 2;
    const SHARED_MEMORY: u32 = 3;
    const SEMAPHORE: u32 = 4;
    const KQUEUE: u32 = 5;
    const PIPE: u32 = 6;
    const FSEVENTS: u32 = 7;
    const NETWORK_POLICY: u32 = 9;
    match info.kind {
        VNODE => calls::path_of(info.fd, true).ok().unwrap_or_else(|| "vnode".to_string()),
        SOCKET => "socket".to_string(),
        SHARED_MEMORY => "posix shared memory".to_string(),
        SEMAPHORE => "posix semaphore".to_string(),
        KQUEUE => "kqueue".to_string(),
        PIPE => "pipe".to_string(),
        FSEVENTS => "fsevents".to_string(),
        NETWORK_POLICY => "network policy".to_string(),
        kind => format!("kind {kind}"),
    }
}
