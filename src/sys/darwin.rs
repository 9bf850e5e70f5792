//! Calls that only macOS has.

use std::ffi::{c_char, c_int, c_void};
use std::mem::size_of;
use std::ptr;

use crate::record::report::OpenFd;

/// `int sandbox_check(pid_t, const char *operation, int type, ...)`, private but used by browsers and by dyld. It is
/// declared variadic because arm64 passes such arguments on the stack.
type SandboxCheck = unsafe extern "C" fn(libc::pid_t, *const c_char, c_int, ...) -> c_int;

/// Whether Seatbelt confines this process. `None` if that cannot be asked.
pub fn seatbelt_confined() -> Option<bool> {
    // SAFETY: the name is NUL-terminated and only read during the call. See dlsym(3).
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"sandbox_check".as_ptr()) };
    if symbol.is_null() {
        return None;
    }
    // SAFETY: a symbol of this name in libSystem is that function, and function pointers have the size of others here.
    let check = unsafe { std::mem::transmute::<*mut c_void, SandboxCheck>(symbol) };
    // SAFETY: without an operation and with the filter type 0 (none), it asks for no more arguments and keeps none.
    match unsafe { check(libc::getpid(), ptr::null(), 0) } {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
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
    let mut found: Vec<OpenFd> = list.iter().map(|info| OpenFd { fd: info.fd, what: what_is(*info) }).collect();
    found.sort_by_key(|open| open.fd);
    Some(found)
}

/// What a descriptor is: a file's path, or the kernel's word for its kind (`PROX_FDTYPE_…`).
fn what_is(info: FdInfo) -> String {
    match info.kind {
        1 => path_of(info.fd).unwrap_or_else(|| "vnode".to_string()),
        2 => "socket".to_string(),
        3 => "posix shared memory".to_string(),
        4 => "posix semaphore".to_string(),
        5 => "kqueue".to_string(),
        6 => "pipe".to_string(),
        7 => "fsevents".to_string(),
        9 => "network policy".to_string(),
        kind => format!("kind {kind}"),
    }
}

/// The path that the kernel knows an open file by; see `F_GETPATH` in fcntl(2).
fn path_of(fd: i32) -> Option<String> {
    let mut buffer = [0_u8; libc::PATH_MAX as usize];
    // SAFETY: the kernel writes at most PATH_MAX bytes, NUL included, and the buffer is that large.
    if unsafe { libc::fcntl(fd, libc::F_GETPATH, buffer.as_mut_ptr()) } == -1 {
        return None;
    }
    let end = buffer.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&buffer[..end]).into_owned())
}
