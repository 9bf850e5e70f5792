//! Calls on files that differ between systems, or that `nix` does not have.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{Ret, outcome};

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

/// The type of the file system that holds an opened file: the name if it is a usual one, else its number in hex.
#[cfg(target_os = "linux")]
pub fn file_system_of(fd: BorrowedFd<'_>) -> Result<String, i32> {
    use std::mem::MaybeUninit;
    let mut found = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the kernel writes one `struct statfs` to the place that is given.
    outcome(unsafe { libc::fstatfs(fd.as_raw_fd(), found.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so the structure was written.
    let magic = unsafe { found.assume_init() }.f_type as u32;
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
        other => return Ok(format!("{other:#010x}")),
    };
    Ok(name.to_owned())
}

/// The type of the file system that holds an opened file, as the system names it.
#[cfg(not(target_os = "linux"))]
pub fn file_system_of(fd: BorrowedFd<'_>) -> Result<String, i32> {
    nix::sys::statfs::fstatfs(fd).map(|found| found.filesystem_type_name().to_owned()).map_err(|error| error as i32)
}
