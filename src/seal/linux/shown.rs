//! Files of the host that are shown in the sealed root instead of copied.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::mount::{MsFlags, mount};

use crate::sys::linux::sealing::mount_read_only;

/// Shows what is at `from` also at `target`, where neither its bytes nor its mode, owner or times can be changed. A device is
/// written to all the same: that changes nothing of the file.
///
/// # Errors
/// What the kernel refuses.
pub(super) fn show(from: &Path, target: &Path, is_device: bool) -> io::Result<()> {
    mount(Some(from), target, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    let text = CString::new(target.as_os_str().as_bytes())?;
    mount_read_only(&text, is_device).map_err(io::Error::from_raw_os_error)?;
    Ok(())
}
