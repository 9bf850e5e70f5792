//! System calls of macOS that probes make, each as the library has it: a value, or an error number.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use crate::record::report::{OpenedFile, TargetIdentity};
use crate::sys::Ret;
use crate::sys::ret::outcome;

/// open(2).
pub fn open(path: &CStr, flags: i32, mode: u16) -> Ret {
    // SAFETY: the path is NUL-terminated and only read; the mode is passed as the variadic `int` that the call takes.
    outcome(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, c_int::from(mode)) })
}

/// openat(2).
pub fn openat(folder: i32, path: &CStr, flags: i32) -> Ret {
    // SAFETY: as above.
    outcome(unsafe { libc::openat(folder, path.as_ptr(), flags | libc::O_CLOEXEC) })
}

/// Gives what standard output is another number, the lowest that is free behind the standard ones, which no program that is
/// executed has; and puts the null device in the place of all three standard streams. The number.
pub fn put_output_aside() -> Result<i32, i32> {
    // SAFETY: no memory is involved; the number is passed as the variadic `int` that the command takes.
    let aside = outcome(unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_DUPFD_CLOEXEC, 3) })?;
    let null = open(c"/dev/null", libc::O_RDWR, 0)? as i32;
    for standard in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: no memory is involved. Nobody owns the standard streams, which stay open.
        outcome(unsafe { libc::dup2(null, standard) })?;
    }
    Ok(aside as i32)
}

/// read(2).
pub fn read(fd: i32, buffer: &mut [u8]) -> Ret {
    // SAFETY: the kernel writes at most the buffer's length.
    outcome(unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) } as i64)
}

/// write(2).
pub fn write(fd: i32, bytes: &[u8]) -> Ret {
    // SAFETY: the kernel reads the buffer's length.
    outcome(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) } as i64)
}

/// One path, one call that only reads it.
macro_rules! on_path {
    ($($(#[$doc:meta])* $name:ident($path:ident $(, $argument:ident: $kind:ty)*) = $call:expr;)*) => {
        $($(#[$doc])* pub fn $name($path: &CStr $(, $argument: $kind)*) -> Ret {
            // SAFETY: the path is NUL-terminated and only read; other arguments are plain numbers.
            outcome(unsafe { $call })
        })*
    };
}

on_path! {
    /// access(2).
    access(path, mode: i32) = libc::access(path.as_ptr(), mode);
    /// unlink(2).
    unlink(path) = libc::unlink(path.as_ptr());
    /// mkdir(2).
    mkdir(path) = libc::mkdir(path.as_ptr(), 0o755);
    /// rmdir(2).
    rmdir(path) = libc::rmdir(path.as_ptr());
    /// mkfifo(2).
    mkfifo(path) = libc::mkfifo(path.as_ptr(), 0o644);
    /// truncate(2), to length 0.
    truncate(path) = libc::truncate(path.as_ptr(), 0);
    /// chmod(2).
    chmod(path, mode: u16) = libc::chmod(path.as_ptr(), mode);
    /// chown(2).
    chown(path, uid: u32, gid: u32) = libc::chown(path.as_ptr(), uid, gid);
    /// lchown(2).
    lchown(path, uid: u32, gid: u32) = libc::lchown(path.as_ptr(), uid, gid);
    /// fchownat(2).
    fchownat(path, folder: i32, uid: u32, gid: u32) = libc::fchownat(folder, path.as_ptr(), uid, gid, 0);
    /// utimes(2).
    utimes(path, time: i64) = libc::utimes(path.as_ptr(), times(time).as_ptr());
    /// lutimes(3).
    lutimes(path, time: i64) = libc::lutimes(path.as_ptr(), times(time).as_ptr());
    /// shm_open(2), for a new object.
    shm_create(path) = libc::shm_open(path.as_ptr(), libc::O_CREAT | libc::O_EXCL | libc::O_RDWR, 0o600 as c_int);
    /// shm_unlink(2).
    shm_unlink(path) = libc::shm_unlink(path.as_ptr());
    /// sem_unlink(2).
    sem_unlink(path) = libc::sem_unlink(path.as_ptr());
}

/// Access and modification time, for the calls above.
fn times(seconds: i64) -> [libc::timeval; 2] {
    [libc::timeval { tv_sec: seconds, tv_usec: 0 }; 2]
}

/// Two paths, one call that only reads them.
macro_rules! on_paths {
    ($($(#[$doc:meta])* $name:ident($from:ident, $to:ident) = $call:expr;)*) => {
        $($(#[$doc])* pub fn $name($from: &CStr, $to: &CStr) -> Ret {
            // SAFETY: both paths are NUL-terminated and only read.
            outcome(unsafe { $call })
        })*
    };
}

on_paths! {
    /// rename(2).
    rename(from, to) = libc::rename(from.as_ptr(), to.as_ptr());
    /// link(2).
    link(from, to) = libc::link(from.as_ptr(), to.as_ptr());
    /// symlink(2): `to` gets the text `from`.
    symlink(from, to) = libc::symlink(from.as_ptr(), to.as_ptr());
    /// clonefile(2).
    clonefile(from, to) = libc::clonefile(from.as_ptr(), to.as_ptr(), 0);
}

/// One descriptor and plain numbers.
macro_rules! on_descriptor {
    ($($(#[$doc:meta])* $name:ident($fd:ident $(, $argument:ident: $kind:ty)*) = $call:expr;)*) => {
        $($(#[$doc])* pub fn $name($fd: i32 $(, $argument: $kind)*) -> Ret {
            // SAFETY: nothing but numbers, and times that live during the call.
            outcome(unsafe { $call })
        })*
    };
}

on_descriptor! {
    /// ftruncate(2), to length 0.
    ftruncate(fd) = libc::ftruncate(fd, 0);
    /// fchmod(2).
    fchmod(fd, mode: u16) = libc::fchmod(fd, mode);
    /// fchown(2).
    fchown(fd, uid: u32, gid: u32) = libc::fchown(fd, uid, gid);
    /// futimes(2).
    futimes(fd, time: i64) = libc::futimes(fd, times(time).as_ptr());
    /// listen(2).
    listen(fd) = libc::listen(fd, 4);
    /// accept(2).
    accept(fd) = libc::accept(fd, ptr::null_mut(), ptr::null_mut());
    /// grantpt(3).
    grantpt(fd) = libc::grantpt(fd);
    /// unlockpt(3).
    unlockpt(fd) = libc::unlockpt(fd);
}

/// lstat(2) or stat(2): the permission bits with the file type.
pub fn stat(path: &CStr, follow: bool) -> Result<libc::stat, i32> {
    let mut found = MaybeUninit::<libc::stat>::uninit();
    let call = if follow { libc::stat } else { libc::lstat };
    // SAFETY: the path is NUL-terminated; the kernel fills the structure if it succeeds, and only then it is read.
    unsafe {
        outcome(call(path.as_ptr(), found.as_mut_ptr()))?;
        Ok(found.assume_init())
    }
}

/// fstat(2).
pub fn fstat(fd: i32) -> Result<libc::stat, i32> {
    let mut found = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills the structure if it succeeds, and only then it is read.
    unsafe {
        outcome(libc::fstat(fd, found.as_mut_ptr()))?;
        Ok(found.assume_init())
    }
}

/// What a path is, without following a final link.
pub fn identity(path: &CStr) -> TargetIdentity {
    match stat(path, false) {
        Ok(found) => TargetIdentity {
            errno: 0,
            dev: Some(u64::from(found.st_dev.cast_unsigned())),
            ino: Some(found.st_ino),
            mode: Some(u32::from(found.st_mode)),
            uid: Some(found.st_uid),
        },
        Err(errno) => TargetIdentity { errno, dev: None, ino: None, mode: None, uid: None },
    }
}

/// `MAXPATHLEN` of sys/param.h: the kernel writes no longer path, NUL included.
const MAX_PATH_BYTES: usize = 1024;

/// The path that the kernel knows an open file by: `F_GETPATH` or `F_GETPATH_NOFIRMLINK` of fcntl(2).
pub fn path_of(fd: i32, firmlinks: bool) -> Result<String, i32> {
    let command = if firmlinks { libc::F_GETPATH } else { libc::F_GETPATH_NOFIRMLINK };
    let mut buffer = [0_u8; MAX_PATH_BYTES];
    // SAFETY: the buffer is as large as the kernel takes for granted.
    outcome(unsafe { libc::fcntl(fd, command, buffer.as_mut_ptr()) })?;
    let end = buffer.iter().position(|byte| *byte == 0).unwrap_or(buffer.len());
    Ok(String::from_utf8_lossy(&buffer[..end]).into_owned())
}

/// What an open descriptor is. The paths first: fstat(2) is an operation of its own, which a policy may refuse.
pub fn opened(fd: i32) -> OpenedFile {
    let (with, without) = (path_of(fd, true), path_of(fd, false));
    let found = fstat(fd).ok();
    OpenedFile {
        path_errno: with.as_ref().err().copied().unwrap_or(0),
        path: with.ok(),
        nofirmlink_errno: Some(without.as_ref().err().copied().unwrap_or(0)),
        nofirmlink: without.ok(),
        dev: found.as_ref().map_or(0, |found| u64::from(found.st_dev.cast_unsigned())),
        ino: found.as_ref().map_or(0, |found| found.st_ino),
        mode: found.as_ref().map_or(0, |found| u32::from(found.st_mode)),
    }
}

/// readlink(2).
pub fn readlink(path: &CStr, buffer: &mut [u8]) -> Ret {
    // SAFETY: the kernel writes at most the buffer's length.
    outcome(unsafe { libc::readlink(path.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) } as i64)
}

/// getxattr(2), of the path itself.
pub fn getxattr(path: &CStr, name: &CStr, buffer: &mut [u8]) -> Ret {
    // SAFETY: both texts are NUL-terminated; the kernel writes at most the buffer's length.
    let ret = unsafe {
        let (at, room) = (buffer.as_mut_ptr().cast::<c_void>(), buffer.len());
        libc::getxattr(path.as_ptr(), name.as_ptr(), at, room, 0, libc::XATTR_NOFOLLOW)
    };
    outcome(ret as i64)
}

/// setxattr(2), of the path itself.
pub fn setxattr(path: &CStr, name: &CStr, value: &[u8]) -> Ret {
    // SAFETY: both texts are NUL-terminated; the kernel reads the value's length.
    outcome(unsafe {
        let at = value.as_ptr().cast::<c_void>();
        libc::setxattr(path.as_ptr(), name.as_ptr(), at, value.len(), 0, libc::XATTR_NOFOLLOW)
    })
}

/// listxattr(2), of the path itself.
pub fn listxattr(path: &CStr, buffer: &mut [u8]) -> Ret {
    // SAFETY: the path is NUL-terminated; the kernel writes at most the buffer's length.
    let ret = unsafe { libc::listxattr(path.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len(), libc::XATTR_NOFOLLOW) };
    outcome(ret as i64)
}

/// The attributes that a payload's name stands for: common ones, and those of files. Numbers of sys/attr.h.
fn attributes(payload: &str, setting: bool) -> libc::attrlist {
    const NAME: u32 = 0x1;
    const OBJECT_TYPE: u32 = 0x8;
    const MODIFICATION_TIME: u32 = 0x400;
    const FLAGS: u32 = 0x4_0000;
    const FILE_TOTAL_SIZE: u32 = 0x2;
    let (common, file) = match (payload, setting) {
        ("cmn-name", _) => (NAME, 0),
        ("cmn-times", _) => (MODIFICATION_TIME, 0),
        ("file-size", _) => (0, FILE_TOTAL_SIZE),
        (_, true) => (FLAGS, 0),
        (_, false) => (OBJECT_TYPE, 0),
    };
    libc::attrlist {
        bitmapcount: libc::ATTR_BIT_MAP_COUNT,
        reserved: 0,
        commonattr: common,
        volattr: 0,
        dirattr: 0,
        fileattr: file,
        forkattr: 0,
    }
}

/// `FSOPT_NOFOLLOW` of sys/attr.h.
const NOFOLLOW: u32 = 0x1;

/// getattrlist(2), of the path itself.
pub fn getattrlist(path: &CStr, payload: &str) -> Ret {
    let mut wanted = attributes(payload, false);
    let mut buffer = [0_u8; 2048];
    // SAFETY: the list is read; the kernel writes at most the buffer's length.
    outcome(unsafe {
        let (list, at) = ((&raw mut wanted).cast(), buffer.as_mut_ptr().cast());
        libc::getattrlist(path.as_ptr(), list, at, buffer.len(), NOFOLLOW)
    })
}

/// setattrlist(2), of the path itself: the time `seconds`, no flags, or what cannot be set.
pub fn setattrlist(path: &CStr, payload: &str, seconds: i64) -> Ret {
    let mut wanted = attributes(payload, true);
    let time = libc::timespec { tv_sec: seconds, tv_nsec: 0 };
    let none = [0_u64; 4];
    // SAFETY: the list is read; the kernel reads at most as many bytes as the value has.
    outcome(unsafe {
        let list = (&raw mut wanted).cast();
        match payload {
            "cmn-times" => {
                let at = (&raw const time).cast_mut().cast();
                libc::setattrlist(path.as_ptr(), list, at, size_of::<libc::timespec>(), NOFOLLOW)
            }
            "cmn" => libc::setattrlist(path.as_ptr(), list, none.as_ptr().cast_mut().cast(), 4, NOFOLLOW),
            _ => libc::setattrlist(path.as_ptr(), list, none.as_ptr().cast_mut().cast(), 32, NOFOLLOW),
        }
    })
}

/// `struct fssearchblock` of sys/attr.h, which packs it to four bytes; nothing of it moves by that.
#[repr(C)]
struct SearchBlock {
    wanted: *mut libc::attrlist,
    buffer: *mut c_void,
    room: usize,
    most: libc::c_ulong,
    limit: libc::timeval,
    first: *mut c_void,
    first_size: usize,
    second: *mut c_void,
    second_size: usize,
    search: libc::attrlist,
}

unsafe extern "C" {
    fn searchfs(
        path: *const libc::c_char,
        block: *mut SearchBlock,
        matches: *mut libc::c_ulong,
        script: u32,
        options: u32,
        state: *mut c_void,
    ) -> c_int;
}

/// searchfs(2): looks for a name in the catalogue of the path's volume, for a short time.
pub fn search(volume: &CStr, name: &CStr) -> Ret {
    /// `SRCHFS_START`, `SRCHFS_MATCHDIRS` and `SRCHFS_MATCHFILES` of sys/attr.h.
    const OPTIONS: u32 = 0x1 | 0x4 | 0x8;
    /// How the name is encoded: UTF-8, as searchfs(2) has it in its example.
    const ENCODING: u32 = 0x0800_0103;
    /// The size of `struct searchstate` of sys/attr.h.
    const STATE_BYTES: usize = 556;
    let mut wanted = attributes("cmn-name", false);
    let bytes = name.to_bytes_with_nul();
    // A length, then where the name is (from here on) and how long, then the name.
    let mut first = Vec::with_capacity(12 + bytes.len());
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    first.extend_from_slice(&(12 + length).to_ne_bytes());
    first.extend_from_slice(&8_i32.to_ne_bytes());
    first.extend_from_slice(&length.to_ne_bytes());
    first.extend_from_slice(bytes);
    let mut second = first.clone();
    let (mut found, mut matches) = ([0_u8; 4096], 0);
    let mut state = [0_u64; STATE_BYTES.div_ceil(size_of::<u64>())];
    let mut block = SearchBlock {
        wanted: &raw mut wanted,
        buffer: found.as_mut_ptr().cast(),
        room: found.len(),
        most: 1,
        limit: libc::timeval { tv_sec: 1, tv_usec: 0 },
        first: first.as_mut_ptr().cast(),
        first_size: first.len(),
        second: second.as_mut_ptr().cast(),
        second_size: second.len(),
        search: attributes("cmn-name", false),
    };
    // SAFETY: every buffer lives during the call and is as large as is said, the state as large as the kernel's.
    outcome(unsafe {
        searchfs(volume.as_ptr(), &raw mut block, &raw mut matches, ENCODING, OPTIONS, state.as_mut_ptr().cast())
    })
}

/// mmap(2): one page of a file, readable and executable.
pub fn map_executable(fd: i32) -> Ret {
    const PAGE: usize = 16 * 1024;
    // SAFETY: the kernel chooses an address where nothing is; the pages are neither read nor run, and unmapped again.
    unsafe {
        let at = libc::mmap(ptr::null_mut(), PAGE, libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE, fd, 0);
        if at == libc::MAP_FAILED {
            return Err(nix::errno::Errno::last_raw());
        }
        libc::munmap(at, PAGE);
    }
    Ok(0)
}

/// ioctl(2) `TIOCGWINSZ`.
pub fn window_size(fd: i32) -> Ret {
    let mut size = MaybeUninit::<libc::winsize>::uninit();
    // SAFETY: the kernel writes one `struct winsize`.
    outcome(unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, size.as_mut_ptr()) })
}

/// posix_openpt(3).
pub fn open_terminal() -> Ret {
    // SAFETY: plain numbers.
    outcome(unsafe { libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY) })
}

/// sem_open(2), for a new semaphore of value 0.
pub fn sem_create(name: &CStr) -> Ret {
    // SAFETY: the name is NUL-terminated and only read; mode and value are the variadic arguments that O_CREAT asks for.
    let made = unsafe { libc::sem_open(name.as_ptr(), libc::O_CREAT | libc::O_EXCL, 0o600 as c_int, 0 as c_int) };
    if made == libc::SEM_FAILED { Err(nix::errno::Errno::last_raw()) } else { Ok(0) }
}

/// sysctlbyname(3): how many bytes the value has.
pub fn sysctl(name: &CStr) -> Ret {
    let (mut buffer, mut length) = ([0_u8; 4096], 4096_usize);
    // SAFETY: the name is NUL-terminated; the kernel writes at most `length` bytes and the length itself.
    outcome(unsafe {
        libc::sysctlbyname(name.as_ptr(), buffer.as_mut_ptr().cast(), &raw mut length, ptr::null_mut(), 0)
    })?;
    Ok(i64::try_from(length).unwrap_or(i64::MAX))
}

/// proc_pidinfo `PROC_PIDTBSDINFO` (sys/proc_info.h): how many bytes it gave. Zero is its way to fail.
pub fn process_facts(pid: i32) -> Ret {
    /// `PROC_PIDTBSDINFO`.
    const FACTS: c_int = 3;
    /// The size of `struct proc_bsdinfo`.
    const FACTS_BYTES: c_int = 136;
    let mut buffer = [0_u64; 64];
    nix::errno::Errno::clear();
    // SAFETY: the kernel writes at most the size of that structure; the buffer is larger.
    match unsafe { libc::proc_pidinfo(pid, FACTS, 0, buffer.as_mut_ptr().cast(), FACTS_BYTES) } {
        count if count > 0 => Ok(i64::from(count)),
        _ => Err(nix::errno::Errno::last_raw()),
    }
}

/// _exit(2).
pub fn exit_now(code: i32) -> ! {
    // SAFETY: the call does not return and touches no memory of ours.
    unsafe { libc::_exit(code) }
}

/// Arguments as execve(2) takes them.
#[derive(Debug)]
pub(super) struct Arguments<'a> {
    /// It ends with a null pointer.
    list: Vec<*const c_char>,
    _texts: PhantomData<&'a [CString]>,
}

impl<'a> Arguments<'a> {
    /// The list of these texts.
    pub(super) fn of(texts: &'a [CString]) -> Self {
        Self { list: texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect(), _texts: PhantomData }
    }
}

/// execve(2) with these arguments, the first of which is the program's name for itself, and an empty environment. Returns
/// only on failure, with the error number.
pub(super) fn execute(path: &CStr, arguments: &Arguments<'_>) -> i32 {
    let environment = [ptr::null()];
    // SAFETY: path and texts are NUL-terminated, the lists end with a null pointer, and all are only read.
    unsafe { libc::execve(path.as_ptr(), arguments.list.as_ptr(), environment.as_ptr()) };
    nix::errno::Errno::last_raw()
}

/// pipe(2), closed on exec: reading end and writing end.
pub fn pipe() -> Result<(OwnedFd, OwnedFd), i32> {
    let mut ends = [0; 2];
    // SAFETY: the kernel writes two numbers, and nothing else holds the descriptors.
    let (reading, writing) = unsafe {
        outcome(libc::pipe(ends.as_mut_ptr()))?;
        (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))
    };
    for end in [&reading, &writing] {
        // SAFETY: to set a flag involves no memory.
        outcome(unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
    }
    Ok((reading, writing))
}

/// Whether a signal is blocked for this thread and waits, or blocks it.
pub fn block_signal(signal: i32) -> Ret {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is initialised first; the kernel only reads it.
    outcome(unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut())
    })
}

/// Whether a blocked signal has come.
pub fn is_pending(signal: i32) -> bool {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the kernel fills the set, which is then only read.
    unsafe { libc::sigpending(set.as_mut_ptr()) == 0 && libc::sigismember(set.as_ptr(), signal) == 1 }
}

/// Makes this process fit to be a probe: no core dumps, a plain umask, and an end of its own should nobody be left who
/// would end it.
pub fn settle(seconds: u32) {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel reads one `struct rlimit`; the others take plain numbers.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        libc::umask(0o022);
        libc::alarm(seconds);
    }
}

/// socket(2).
pub fn socket(domain: i32, kind: i32, protocol: i32) -> Ret {
    // SAFETY: plain numbers.
    outcome(unsafe { libc::socket(domain, kind, protocol) })
}
