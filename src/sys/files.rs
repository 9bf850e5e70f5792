//! Calls on files that differ between systems, or that `nix` does not have.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::Ret;
use super::ret::outcome;

/// Sets an extended attribute through a descriptor. See setxattr(2).
pub fn set_xattr(fd: BorrowedFd<'_>, name: &CStr, value: &[u8]) -> Ret {
    let (fd, name, len) = (fd.as_raw_fd(), name.as_ptr(), value.len());
    // SAFETY: `name` is NUL-terminated and `value` is `len` bytes long; the kernel copies both during the call.
    #[cfg(target_os = "macos")]
    let value = unsafe { libc::fsetxattr(fd, name, value.as_ptr().cast(), len, 0, 0) };
    // SAFETY: as above.
    #[cfg(not(target_os = "macos"))]
    let value = unsafe { libc::fsetxattr(fd, name, value.as_ptr().cast(), len, 0) };
    outcome(value)
}

/// What holds an opened file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSystem {
    /// Its type: a name, or on Linux for a less usual one its number in hex.
    pub name: String,
    /// Whether it is mounted so that no program on it can be executed.
    pub noexec: bool,
}

/// The file system that holds an opened file.
#[cfg(target_os = "linux")]
pub fn file_system_of(fd: BorrowedFd<'_>) -> Result<FileSystem, i32> {
    use std::mem::MaybeUninit;
    let mut found = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the kernel writes one `struct statfs` to the place that is given.
    outcome(unsafe { libc::fstatfs(fd.as_raw_fd(), found.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so the structure was written.
    let found = unsafe { found.assume_init() };
    let flags = nix::sys::statvfs::fstatvfs(fd).map_err(|error| error as i32)?.flags();
    let noexec = flags.contains(nix::sys::statvfs::FsFlags::ST_NOEXEC);
    let magic = found.f_type as u32;
    // The numbers are those of <linux/magic.h>.
    let name = match magic {
        0x0102_1994 => "tmpfs",
        0x0000_ef53 => "ext4",
        0x9123_683e => "btrfs",
        0x5846_5342 => "xfs",
        0x794c_7630 => "overlayfs",
        0x8584_58f6 => "ramfs",
        0x2fc1_2fc1 => "zfs",
        0x0000_6969 => "nfs",
        other => return Ok(FileSystem { name: format!("{other:#010x}"), noexec }),
    };
    Ok(FileSystem { name: name.to_owned(), noexec })
}

/// The file system that holds an opened file.
#[cfg(not(target_os = "linux"))]
pub fn file_system_of(fd: BorrowedFd<'_>) -> Result<FileSystem, i32> {
    let found = nix::sys::statfs::fstatfs(fd).map_err(|error| error as i32)?;
    let noexec = found.flags().contains(nix::mount::MntFlags::MNT_NOEXEC);
    Ok(FileSystem { name: found.filesystem_type_name().to_owned(), noexec })
}
