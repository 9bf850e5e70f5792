//! What can be done with a file or folder beside opening, reading and writing it. No right of Landlock covers any of this.

use std::ffi::CStr;

use super::trace::Trace;
use crate::record::detail_name::DetailName;
use crate::sys::linux::path::{self, Stat};
use crate::sys::linux::process::{chdir, effective_ids, file_time, pause_ms};

/// Gives the file to the user and group of this process. What shows it is the time of the inode's last change, so the
/// call is made when that time would be another one.
pub fn chown(trace: &mut Trace, target: &CStr) -> Option<()> {
    let before = path::stat(target, 0);
    for _ in 0..50 {
        match (before, file_time()) {
            (Ok(found), Ok(now)) if now <= found.changed => pause_ms(1),
            _ => break,
        }
    }
    let (uid, gid) = effective_ids();
    trace.operate("fchownat", path::chown(target, uid, gid))?;
    let after = path::stat(target, 0);
    let changed = |before: Stat, after: Stat| {
        before.ino == after.ino && (after.uid, after.gid) == (uid, gid) && after.changed > before.changed
    };
    trace.confirm(matches!((before, after), (Ok(before), Ok(after)) if changed(before, after)))
}

/// Asks for the facts of a file system. One without a block size was not told.
pub fn statfs(trace: &mut Trace, target: &CStr) -> Option<()> {
    let found = path::statfs(target);
    trace.operate("statfs", found.map(|_| 0))?;
    let found = found.ok()?;
    if let Some((kind, _)) = found {
        trace.detail(DetailName::FileSystem, kind);
    }
    trace.confirm(found.is_some())
}

/// Whether both are the same object.
pub(super) fn is_same(one: Result<Stat, i32>, other: Result<Stat, i32>) -> bool {
    matches!((one, other), (Ok(one), Ok(other)) if (one.dev, one.ino) == (other.dev, other.ino))
}

/// Makes a folder the working folder. Where it is that already, another one is first.
pub fn enter(trace: &mut Trace, target: &CStr) -> Option<()> {
    let here = || path::stat(c".", 0);
    for elsewhere in [c"/", c"/proc"] {
        if is_same(here(), path::stat(target, 0)) {
            trace.prepare("chdir", chdir(elsewhere))?;
        }
    }
    let before = here();
    trace.operate("chdir", chdir(target))?;
    trace.confirm(is_same(here(), path::stat(target, 0)) && !is_same(here(), before))
}

/// Watches the target, and ends the watch: the kernel says so itself, with the number of the watch.
#[inline(never)]
pub fn watch(trace: &mut Trace, target: &CStr) -> Option<()> {
    let fd = trace.prepare("inotify_init1", path::inotify())? as i32;
    let watch = trace.operate("inotify_add_watch", path::inotify_watch(fd, target, libc::IN_ATTRIB))? as i32;
    let ended = path::inotify_unwatch(fd, watch).is_ok();
    let mut events = [0_u8; 1024];
    let length = path::read(fd, &mut events).unwrap_or(0) as usize;
    // `struct inotify_event` of inotify(7): the watch, the events, a cookie, the length of the name, the name.
    let mut rest = &events[..length.min(events.len())];
    let mut told = false;
    while let Some((event, more)) = rest.split_first_chunk::<16>() {
        let word = |n: usize| u32::from_ne_bytes([event[n], event[n + 1], event[n + 2], event[n + 3]]);
        told |= word(0) as i32 == watch && word(4) & libc::IN_IGNORED != 0;
        rest = more.get(word(12) as usize..).unwrap_or(&[]);
    }
    trace.confirm(ended && told)
}

/// Takes the exclusive lock of a file that was opened for reading. Whoever opened it another time cannot have it then.
pub fn lock(trace: &mut Trace, target: &CStr) -> Option<()> {
    let open = || path::open(target, libc::O_RDONLY | libc::O_NOCTTY, 0);
    let fd = trace.prepare("openat", open())? as i32;
    trace.opened(fd);
    let other = trace.prepare("openat", open())? as i32;
    trace.operate("flock", path::flock(fd, libc::LOCK_EX | libc::LOCK_NB))?;
    trace.confirm(path::flock(other, libc::LOCK_EX | libc::LOCK_NB) == Err(libc::EWOULDBLOCK))
}
