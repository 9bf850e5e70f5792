//! Device control.

use std::ffi::CStr;

use super::trace::Trace;
use crate::record::detail_name::DetailName;
use crate::sys::linux::path;

/// Opens a random device, which only prepares, and asks for its entropy count.
pub fn entropy_count(trace: &mut Trace, target: &CStr) -> Option<()> {
    let fd = trace.prepare("openat", path::open(target, libc::O_RDONLY | libc::O_NOCTTY, 0))? as i32;
    trace.opened(fd);
    let asked = path::random_entropy_count(fd);
    trace.operate("ioctl", asked.map(|(ret, _)| ret))?;
    trace.detail(DetailName::EntropyBits, i64::from(asked.ok()?.1));
    Some(())
}
