//! Namespaces, mounts and root folders. Everything happens in namespaces of the probe's own, so nothing of the host changes.

use std::ffi::CStr;

use super::objects::is_same;
use super::trace::Trace;
use crate::sys::linux::path;
use crate::sys::linux::process::{chdir, chroot as change_root, effective_ids, mount_bind, mount_tmpfs, pivot_root};
use crate::sys::linux::sole::{NewNamespaces, Sole};

/// The inode of the user namespace that this process is in.
fn user_namespace() -> Option<u64> {
    path::stat(c"/proc/self/ns/user", 0).ok().map(|found| found.ino)
}

/// Enters a new user namespace.
pub fn new_user(trace: &mut Trace, sole: &Sole) -> Option<()> {
    let before = user_namespace();
    trace.operate("unshare", sole.enter(NewNamespaces::User))?;
    trace.confirm(before.is_some() && user_namespace().is_some_and(|after| Some(after) != before))
}

/// Enters a new user namespace, which only prepares, and becomes root in it.
pub fn map_user(trace: &mut Trace, sole: &Sole) -> Option<()> {
    let (uid, _) = effective_ids();
    trace.prepare("unshare", sole.enter(NewNamespaces::User))?;
    let unmapped = effective_ids().0;
    let fd = trace.operate("openat", path::open(c"/proc/self/uid_map", libc::O_WRONLY, 0))? as i32;
    trace.operate("write", path::write(fd, format!("0 {uid} 1").as_bytes()))?;
    trace.confirm(unmapped != 0 && effective_ids().0 == 0)
}

/// Mounts a small tmpfs on a folder.
pub fn tmpfs(trace: &mut Trace, target: &CStr) -> Option<()> {
    let before = path::stat(target, 0);
    trace.operate("mount", mount_tmpfs(target))?;
    let after = path::stat(target, 0);
    trace.confirm(matches!((before, after), (Ok(before), Ok(after)) if before.dev != after.dev))
}

/// Whether `/` has become what the folder was, and was not before.
fn is_root_now(folder: Result<path::Stat, i32>, before: Result<path::Stat, i32>) -> bool {
    is_same(path::stat(c"/", 0), folder) && !is_same(before, folder)
}

/// Makes a folder the root of this process.
pub fn chroot(trace: &mut Trace, target: &CStr) -> Option<()> {
    let (folder, before) = (path::stat(target, 0), path::stat(c"/", 0));
    trace.operate("chroot", change_root(target))?;
    trace.confirm(is_root_now(folder, before))
}

/// Makes a folder a mount of its own, which pivot_root(2) wants.
pub fn make_mount(target: &CStr) -> Result<(), i32> {
    mount_bind(target, target).map(|_| ())
}

/// Makes that mount the root of this mount namespace, with the old one below it.
pub fn pivot(trace: &mut Trace, target: &CStr) -> Option<()> {
    let before = path::stat(c"/", 0);
    trace.prepare("chdir", chdir(target))?;
    let folder = path::stat(c".", 0);
    trace.operate("pivot_root", pivot_root(c".", c"."))?;
    // The old root lies on top of the new one; a walk from `/` begins below it.
    trace.confirm(chdir(c"/").is_ok() && is_root_now(folder, before))
}
