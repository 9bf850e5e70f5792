//! Files, folders and their metadata.

use std::ffi::{CStr, CString};

use super::OperationSteps;
use crate::record::detail_name::DetailName;
use crate::record::driver::Driver;
use crate::sys::Ret;
use crate::sys::darwin::calls;
use crate::sys::darwin::native::process::effective_ids;

/// The time that drivers set: 2001-09-09T01:46:40Z, easily told from a fresh file's.
pub(super) const SOME_TIME: i64 = 1_000_000_000;
/// The permission bits that drivers set.
const SOME_MODE: u16 = 0o640;

/// What a descriptor is opened for.
#[derive(Debug, Clone, Copy)]
pub(super) enum OpenPurpose {
    Read,
    Write,
}

impl OpenPurpose {
    fn flags(self) -> i32 {
        match self {
            Self::Read => libc::O_RDONLY,
            Self::Write => libc::O_WRONLY | libc::O_APPEND,
        }
    }

    /// One byte, in that direction.
    fn exercise(self, steps: &mut OperationSteps, fd: i32) -> Option<()> {
        match self {
            Self::Read => read_from(steps, fd),
            Self::Write => {
                let count = steps.operate("write", calls::write(fd, b"x"))?;
                steps.detail(DetailName::BytesWritten, count);
                Some(())
            }
        }
    }
}

/// Opens for the operation, and notes what was opened.
fn open_for(steps: &mut OperationSteps, call: &str, ret: Ret) -> Option<i32> {
    let fd = steps.operate(call, ret)? as i32;
    steps.opened(fd);
    Some(fd)
}

/// Opens, and nothing more.
pub(super) fn open(steps: &mut OperationSteps, target: &CStr, flags: i32, mode: u16) -> Option<()> {
    open_for(steps, "open", calls::open(target, flags | libc::O_NOCTTY, mode)).map(|_| ())
}

/// Reads one byte from a descriptor.
pub(super) fn read_from(steps: &mut OperationSteps, fd: i32) -> Option<()> {
    let count = steps.operate("read", calls::read(fd, &mut [0]))?;
    steps.detail(DetailName::BytesRead, count);
    Some(())
}

/// Opens for reading and reads one byte.
pub(super) fn read(steps: &mut OperationSteps, target: &CStr) -> Option<()> {
    let fd = open_for(steps, "open", calls::open(target, OpenPurpose::Read.flags() | libc::O_NOCTTY, 0))?;
    OpenPurpose::Read.exercise(steps, fd)
}

/// Truncates through a descriptor of its own. To open it for writing asks for the same right, so that is the operation too: what
/// refuses the one refuses it at the other already.
pub(super) fn open_and_truncate(steps: &mut OperationSteps, target: &CStr) -> Option<()> {
    let fd = open_for(steps, "open", calls::open(target, libc::O_WRONLY | libc::O_NOCTTY, 0))?;
    steps.operate("ftruncate", calls::ftruncate(fd)).map(|_| ())
}

/// Opens for writing at the end and writes one byte.
pub(super) fn write(steps: &mut OperationSteps, target: &CStr) -> Option<()> {
    let fd = open_for(steps, "open", calls::open(target, OpenPurpose::Write.flags() | libc::O_NOCTTY, 0))?;
    OpenPurpose::Write.exercise(steps, fd)
}

/// The folder of a path, and the last part.
fn split(target: &CStr) -> Option<(CString, CString)> {
    let bytes = target.to_bytes();
    let (parent, name) = match bytes.iter().rposition(|byte| *byte == b'/') {
        Some(0) => (&b"/"[..], &bytes[1..]),
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (&b"."[..], bytes),
    };
    // Parts of a C string hold no NUL.
    Some((CString::new(parent).ok()?, CString::new(name).ok()?))
}

/// Opens the parent folder under the policy, which only prepares, then the file relative to it.
pub(super) fn at_parent(steps: &mut OperationSteps, target: &CStr, usage: OpenPurpose) -> Option<()> {
    let (parent, name) = split(target)?;
    let folder = steps.prepare("open", calls::open(&parent, libc::O_RDONLY | libc::O_DIRECTORY, 0))? as i32;
    let fd = open_for(steps, "openat", calls::openat(folder, &name, usage.flags() | libc::O_NOCTTY))?;
    usage.exercise(steps, fd)
}

/// Opens the file relative to an open `/`.
pub(super) fn at_root(steps: &mut OperationSteps, root: i32, target: &CStr, usage: OpenPurpose) -> Option<()> {
    let bytes = target.to_bytes();
    let start = bytes.iter().position(|byte| *byte != b'/').unwrap_or(bytes.len());
    let relative = CString::new(&bytes[start..]).ok()?;
    let fd = open_for(steps, "openat", calls::openat(root, &relative, usage.flags() | libc::O_NOCTTY))?;
    usage.exercise(steps, fd)
}

/// Opens a folder and lists it.
pub(super) fn list(steps: &mut OperationSteps, target: &CStr) -> Option<()> {
    use nix::dir::Dir;
    use nix::fcntl::OFlag;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut folder = match Dir::open(target, flags, nix::sys::stat::Mode::empty()) {
        Ok(folder) => folder,
        Err(errno) => return steps.operate("open", Err(errno as i32)).map(|_| ()),
    };
    steps.operate("open", Ok(0))?;
    let mut count = 0;
    for entry in folder.iter() {
        match entry {
            Ok(_) => count += 1,
            Err(errno) => return steps.operate("getdirentries", Err(errno as i32)).map(|_| ()),
        }
    }
    steps.operate("getdirentries", Ok(count))?;
    steps.detail(DetailName::Entries, count);
    Some(())
}

/// Opens under the policy, which only prepares, and does one call through the descriptor.
pub(super) fn through(
    steps: &mut OperationSteps,
    target: &CStr,
    flags: i32,
    name: &str,
    call: impl FnOnce(i32) -> Ret,
) -> Option<()> {
    let fd = steps.prepare("open", calls::open(target, flags | libc::O_NOCTTY, 0))? as i32;
    steps.opened(fd);
    steps.operate(name, call(fd)).map(|_| ())
}

/// Asks for metadata by path.
pub(super) fn stat(steps: &mut OperationSteps, target: &CStr, call: &str, follow: bool) -> Option<()> {
    let found = calls::stat(target, follow);
    steps.operate(call, found.as_ref().map(|_| 0).map_err(|errno| *errno))?;
    steps.detail(DetailName::Mode, i64::from(found.ok()?.st_mode));
    Some(())
}

/// Opens under the policy, which only prepares, and asks for metadata through the descriptor.
pub(super) fn fstat(steps: &mut OperationSteps, target: &CStr) -> Option<()> {
    let fd = steps.prepare("open", calls::open(target, libc::O_RDONLY | libc::O_NOCTTY, 0))? as i32;
    // The paths only after the operation: the record of an opened file asks for metadata as well.
    steps.operate("fstat", calls::fstat(fd).map(|_| 0))?;
    steps.opened(fd);
    Some(())
}

/// Changes mode, owner or times. The owner stays who it is: giving a file away needs a privilege.
pub(super) fn change(steps: &mut OperationSteps, driver: Driver, target: &CStr) -> Option<()> {
    let (uid, gid) = effective_ids();
    let reading = libc::O_RDONLY;
    match driver {
        Driver::FileChmod => steps.operate("chmod", calls::chmod(target, SOME_MODE)).map(|_| ()),
        Driver::FileFchmod => through(steps, target, reading, "fchmod", |fd| calls::fchmod(fd, SOME_MODE)),
        Driver::FileChown => steps.operate("chown", calls::chown(target, uid, gid)).map(|_| ()),
        Driver::FileLchown => steps.operate("lchown", calls::lchown(target, uid, gid)).map(|_| ()),
        Driver::FileFchown => through(steps, target, reading, "fchown", |fd| calls::fchown(fd, uid, gid)),
        Driver::FileFchownat => {
            let (parent, name) = split(target)?;
            let folder = steps.prepare("open", calls::open(&parent, reading | libc::O_DIRECTORY, 0))? as i32;
            steps.operate("fchownat", calls::fchownat(&name, folder, uid, gid)).map(|_| ())
        }
        Driver::FileUtimes => steps.operate("utimes", calls::utimes(target, SOME_TIME)).map(|_| ()),
        Driver::FileFutimes => through(steps, target, reading, "futimes", |fd| calls::futimes(fd, SOME_TIME)),
        Driver::FileLutimes => steps.operate("lutimes", calls::lutimes(target, SOME_TIME)).map(|_| ()),
        other => steps.prepare(other.info().darwin_call, Err(libc::ENOSYS)).map(|_| ()),
    }
}

/// Searches the target's volume for its last part.
pub(super) fn search(steps: &mut OperationSteps, target: &CStr) -> Option<()> {
    let (parent, name) = split(target)?;
    steps.operate("searchfs", calls::search(&parent, &name)).map(|_| ())
}
