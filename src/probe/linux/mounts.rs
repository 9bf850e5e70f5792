//! A mount namespace of the probe's own.

use std::ffi::{CStr, CString};
use std::os::fd::AsRawFd;

use super::guard::Guard;
use super::trace::Trace;
use crate::record::action::Action;
use crate::record::report::SetupFailure;
use crate::sys::linux::path;
use crate::sys::linux::process::{effective_ids, make_mounts_private, mount_bind};
use crate::sys::linux::sole::{NewNamespaces, Sole};

fn write_all(path: &CStr, text: &str) -> Result<(), i32> {
    let file = path::open_owned(path, libc::O_WRONLY, 0)?;
    let written = path::write(file.as_raw_fd(), text.as_bytes());
    path::close(file)?;
    written.map(|_| ())
}

/// Enters a private mount namespace. Whether a new user namespace was needed: a user without the privilege to mount gets it
/// in one where he is still himself (user_namespaces(7)).
pub fn private_namespace(sole: &Sole) -> Result<bool, SetupFailure> {
    let (uid, gid) = effective_ids();
    let new_user_namespace = match sole.enter(NewNamespaces::Mounts) {
        Ok(_) => false,
        Err(libc::EPERM) => {
            sole.enter(NewNamespaces::UserAndMounts).map_err(|errno| SetupFailure::at("unshare", errno))?;
            // Without this the group map is refused (user_namespaces(7), "deny").
            write_all(c"/proc/self/setgroups", "deny").map_err(|errno| SetupFailure::at("setgroups", errno))?;
            write_all(c"/proc/self/uid_map", &format!("{uid} {uid} 1"))
                .map_err(|errno| SetupFailure::at("uid_map", errno))?;
            write_all(c"/proc/self/gid_map", &format!("{gid} {gid} 1"))
                .map_err(|errno| SetupFailure::at("gid_map", errno))?;
            true
        }
        Err(errno) => return Err(SetupFailure::at("unshare", errno)),
    };
    // Nothing that is mounted here may show up on the host.
    make_mounts_private().map_err(|errno| SetupFailure::at("mount_private", errno))?;
    Ok(new_user_namespace)
}

/// Binds the action's folders, in a namespace that was made for that. `guard` learns which of them are the run's own.
pub fn make(action: &Action, mut guard: Option<&mut Guard<'_>>) -> Result<(), SetupFailure> {
    for one in &action.mounts {
        let text = |text: &str| CString::new(text).map_err(|_| SetupFailure::at("mount_bind", libc::EINVAL));
        let (from, at) = (text(&one.from)?, text(&one.at)?);
        let own = guard.as_deref_mut().map_or(Ok(false), |guard| guard.before_mount(action.driver, &from, &at))?;
        mount_bind(&from, &at).map_err(|errno| SetupFailure::at("mount_bind", errno))?;
        if let Some(guard) = guard.as_deref_mut().filter(|_| own) {
            guard.after_mount(&at)?;
        }
    }
    Ok(())
}

/// Binds a folder over another.
pub fn bind(trace: &mut Trace, from: &CStr, at: &CStr) -> Option<()> {
    trace.operate("mount", mount_bind(from, at)).map(|_| ())
}
