//! Calls that take a path or an open file. Paths are NUL-terminated, and the kernel only reads them during the call.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{IntoRawFd, OwnedFd};

use crate::sys::Ret;
use crate::sys::ret::{made, outcome};

const CWD: i32 = libc::AT_FDCWD;

/// openat(2), with `O_CLOEXEC` added.
pub fn openat(dir: i32, path: &CStr, flags: i32, mode: u32) -> Ret {
    // SAFETY: `path` is NUL-terminated and only read during the call.
    outcome(unsafe { libc::openat(dir, path.as_ptr(), flags | libc::O_CLOEXEC, mode) })
}

/// [`openat`] for a path that stands by itself. Nobody owns the number: it stays open until the process ends, or until whoever
/// arranges the numbers ([`Sole`](super::sole::Sole)) closes it.
pub fn open(path: &CStr, flags: i32, mode: u32) -> Ret {
    openat(CWD, path, flags, mode)
}

/// [`open`], closed when it is dropped.
pub fn open_owned(path: &CStr, flags: i32, mode: u32) -> Result<OwnedFd, i32> {
    // SAFETY: the descriptor was opened just now, and nobody else has its number.
    unsafe { made(open(path, flags, mode)) }
}

/// A bare handle (`O_PATH`) of what `path` names, closed when it is dropped.
pub fn open_handle(path: &CStr) -> Result<OwnedFd, i32> {
    open_owned(path, libc::O_PATH, 0)
}

/// close(2), for whoever wants its answer.
pub fn close(fd: OwnedFd) -> Ret {
    // SAFETY: no memory is involved, and whoever owned the descriptor has given it here.
    outcome(unsafe { libc::close(fd.into_raw_fd()) })
}

/// read(2) into `buffer`.
pub fn read(fd: i32, buffer: &mut [u8]) -> Ret {
    // SAFETY: the kernel writes at most `buffer.len()` bytes to the buffer.
    outcome(unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) } as i64)
}

/// write(2) of `bytes`.
pub fn write(fd: i32, bytes: &[u8]) -> Ret {
    // SAFETY: the kernel reads `bytes.len()` bytes from the buffer.
    outcome(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) } as i64)
}

/// getdents64(2) into `buffer`.
pub fn getdents64(fd: i32, buffer: &mut [u8]) -> Ret {
    // SAFETY: the kernel writes at most `buffer.len()` bytes to the buffer.
    outcome(unsafe { libc::syscall(libc::SYS_getdents64, fd, buffer.as_mut_ptr(), buffer.len()) })
}

/// unlinkat(2).
pub fn unlink(path: &CStr, flags: i32) -> Ret {
    // SAFETY: `path` is NUL-terminated and only read during the call.
    outcome(unsafe { libc::unlinkat(CWD, path.as_ptr(), flags) })
}

/// renameat2(2).
pub fn rename(from: &CStr, to: &CStr, flags: u32) -> Ret {
    // SAFETY: both paths are NUL-terminated and only read during the call.
    outcome(unsafe { libc::syscall(libc::SYS_renameat2, CWD, from.as_ptr(), CWD, to.as_ptr(), flags) })
}

/// linkat(2), without following a final link.
pub fn link(from: &CStr, to: &CStr) -> Ret {
    // SAFETY: both paths are NUL-terminated and only read during the call.
    outcome(unsafe { libc::linkat(CWD, from.as_ptr(), CWD, to.as_ptr(), 0) })
}

/// symlinkat(2): makes `path` a link that holds `text`.
pub fn symlink(text: &CStr, path: &CStr) -> Ret {
    // SAFETY: both texts are NUL-terminated and only read during the call.
    outcome(unsafe { libc::symlinkat(text.as_ptr(), CWD, path.as_ptr()) })
}

/// mkdirat(2).
pub fn mkdir(path: &CStr, mode: u32) -> Ret {
    // SAFETY: `path` is NUL-terminated and only read during the call.
    outcome(unsafe { libc::mkdirat(CWD, path.as_ptr(), mode) })
}

/// mknodat(2). `mode` holds the type; the device number is 0:0.
pub fn mknod(path: &CStr, mode: u32) -> Ret {
    // SAFETY: `path` is NUL-terminated and only read during the call.
    outcome(unsafe { libc::mknodat(CWD, path.as_ptr(), mode, 0) })
}

/// truncate(2) to nothing.
pub fn truncate(path: &CStr) -> Ret {
    // SAFETY: `path` is NUL-terminated and only read during the call.
    outcome(unsafe { libc::truncate(path.as_ptr(), 0) })
}

/// ftruncate(2) to nothing.
pub fn ftruncate(fd: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::ftruncate(fd, 0) })
}

/// What stat(2) tells, as far as reports need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Type and permission bits.
    pub mode: u32,
    /// User id of the owner.
    pub uid: u32,
    /// Group id of the owner.
    pub gid: u32,
    /// Size in bytes.
    pub size: i64,
    /// When anything of the inode changed last: seconds since 1970, and nanoseconds.
    pub changed: (i64, i64),
    /// For a device node: which device, as (major, minor).
    pub device: (u32, u32),
}

fn stat_with(call: impl FnOnce(*mut libc::stat) -> libc::c_int) -> Result<Stat, i32> {
    let mut found = MaybeUninit::<libc::stat>::uninit();
    outcome(call(found.as_mut_ptr()))?;
    // SAFETY: the call succeeded, so the kernel wrote the structure.
    let found = unsafe { found.assume_init() };
    let device = (libc::major(found.st_rdev), libc::minor(found.st_rdev));
    Ok(Stat {
        dev: found.st_dev,
        ino: found.st_ino,
        mode: found.st_mode,
        uid: found.st_uid,
        gid: found.st_gid,
        size: found.st_size,
        changed: (found.st_ctime, found.st_ctime_nsec),
        device,
    })
}

/// newfstatat(2); `flags` decides about a final link.
pub fn stat(path: &CStr, flags: i32) -> Result<Stat, i32> {
    // SAFETY: `path` is NUL-terminated; the kernel writes one `struct stat` to the place that is given.
    stat_with(|place| unsafe { libc::fstatat(CWD, path.as_ptr(), place, flags) })
}

/// fstat(2).
pub fn fstat(fd: i32) -> Result<Stat, i32> {
    // SAFETY: the kernel writes one `struct stat` to the place that is given.
    stat_with(|place| unsafe { libc::fstat(fd, place) })
}

/// The first members of `struct statx` (<linux/stat.h>), and the one that tells the mount.
#[repr(C)]
struct Statx {
    mask: u32,
    _before: [u32; 35],
    mount: u64,
    _after: [u64; 13],
}

/// `STATX_MNT_ID` of <linux/stat.h>, since Linux 5.8.
const STATX_MNT_ID: u32 = 0x1000;

/// The id of the mount through which a descriptor was opened (statx(2)). `ENOSYS`: this kernel does not tell.
pub fn mount_id(fd: i32) -> Result<u64, i32> {
    const { assert!(size_of::<Statx>() == 256 && std::mem::offset_of!(Statx, mount) == 0x90) };
    let mut found = MaybeUninit::<Statx>::zeroed();
    let (flags, empty) = (libc::AT_EMPTY_PATH, c"".as_ptr());
    // SAFETY: the path is an empty C string; the kernel writes one `struct statx`, 256 bytes, to the place that is given.
    outcome(unsafe { libc::syscall(libc::SYS_statx, fd, empty, flags, STATX_MNT_ID, found.as_mut_ptr()) })?;
    // SAFETY: every member is a number, for which all bit patterns are values, and the memory was zeroed before.
    let found = unsafe { found.assume_init() };
    if found.mask & STATX_MNT_ID == 0 { Err(libc::ENOSYS) } else { Ok(found.mount) }
}

/// faccessat(2) with `F_OK`, following links.
pub fn access(path: &CStr) -> Ret {
    // SAFETY: `path` is NUL-terminated and only read during the call.
    outcome(unsafe { libc::faccessat(CWD, path.as_ptr(), libc::F_OK, 0) })
}

/// readlinkat(2) relative to `dir`. The text is not terminated; the value is its length.
pub fn readlinkat(dir: i32, path: &CStr, buffer: &mut [u8]) -> Ret {
    // SAFETY: `path` is NUL-terminated; the kernel writes at most `buffer.len()` bytes to the buffer.
    outcome(unsafe { libc::readlinkat(dir, path.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) } as i64)
}

/// [`readlinkat`] for a path that stands by itself.
pub fn readlink(path: &CStr, buffer: &mut [u8]) -> Ret {
    readlinkat(CWD, path, buffer)
}

/// fchmodat(2), following links.
pub fn chmod(path: &CStr, mode: u32) -> Ret {
    // SAFETY: `path` is NUL-terminated and only read during the call.
    outcome(unsafe { libc::fchmodat(CWD, path.as_ptr(), mode, 0) })
}

/// fchownat(2), following links.
pub fn chown(path: &CStr, uid: u32, gid: u32) -> Ret {
    // SAFETY: `path` is NUL-terminated and only read during the call.
    outcome(unsafe { libc::fchownat(CWD, path.as_ptr(), uid, gid, 0) })
}

/// statfs(2): the type of the file system and the size of its blocks, on success. `None`: the call said that it succeeded
/// and told nothing.
pub fn statfs(path: &CStr) -> Result<Option<(i64, i64)>, i32> {
    let mut found = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: `path` is NUL-terminated; the kernel writes one `struct statfs` to the place that is given.
    outcome(unsafe { libc::statfs(path.as_ptr(), found.as_mut_ptr()) })?;
    // SAFETY: every member is a number, for which all bit patterns are values, and the memory was zeroed before.
    let found = unsafe { found.assume_init() };
    // No file system has blocks of no size.
    Ok((found.f_bsize > 0).then_some((found.f_type, found.f_bsize)))
}

/// flock(2).
pub fn flock(fd: i32, operation: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::flock(fd, operation) })
}

/// inotify_init1(2), with `IN_CLOEXEC` and `IN_NONBLOCK`.
pub fn inotify() -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) })
}

/// inotify_add_watch(2): the number of the watch.
pub fn inotify_watch(fd: i32, path: &CStr, events: u32) -> Ret {
    // SAFETY: `path` is NUL-terminated and only read during the call.
    outcome(unsafe { libc::inotify_add_watch(fd, path.as_ptr(), events) })
}

/// inotify_rm_watch(2).
pub fn inotify_unwatch(fd: i32, watch: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::inotify_rm_watch(fd, watch) })
}

/// utimensat(2): both times to `seconds` after 1970, following links.
pub fn utimes(path: &CStr, seconds: i64) -> Ret {
    let time = libc::timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = [time, time];
    // SAFETY: `path` is NUL-terminated, `times` holds the two values that the call reads.
    outcome(unsafe { libc::utimensat(CWD, path.as_ptr(), times.as_ptr(), 0) })
}

/// getxattr(2).
pub fn getxattr(path: &CStr, name: &CStr, buffer: &mut [u8]) -> Ret {
    // SAFETY: both texts are NUL-terminated; the kernel writes at most `buffer.len()` bytes to the buffer.
    outcome(unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) } as i64)
}

/// setxattr(2), creating or replacing.
pub fn setxattr(path: &CStr, name: &CStr, value: &[u8]) -> Ret {
    // SAFETY: both texts are NUL-terminated; the kernel reads `value.len()` bytes from `value`.
    outcome(unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) })
}

/// listxattr(2).
pub fn listxattr(path: &CStr, buffer: &mut [u8]) -> Ret {
    // SAFETY: `path` is NUL-terminated; the kernel writes at most `buffer.len()` bytes to the buffer.
    outcome(unsafe { libc::listxattr(path.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) } as i64)
}

/// `RNDGETENTCNT` of <linux/random.h>, `_IOR('R', 0x00, int)`. See random(4).
const RNDGETENTCNT: u32 = 0x8004_5200;

/// ioctl(2) `RNDGETENTCNT`: the entropy count of a random device, on success.
pub fn random_entropy_count(fd: i32) -> Result<(i64, i32), i32> {
    let mut count: libc::c_int = 0;
    // SAFETY: on a random device the request writes one `int` to the place that is given; any other file refuses it
    // (ENOTTY) or, for a driver that uses the same number, honours the size of 4 bytes that the number encodes.
    let ret = outcome(unsafe { libc::ioctl(fd, RNDGETENTCNT as libc::Ioctl, &raw mut count) })?;
    Ok((ret, count))
}
