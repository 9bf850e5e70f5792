//! What macOS says of itself: its version and build, its shared cache, System Integrity Protection.
//!
//! Everything is asked of sysctl(3) or of a symbol that is looked up at run time, so that a release without it gives no
//! answer instead of no program.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

/// The longest answer that is taken, in bytes.
const MAX_TEXT_BYTES: usize = 256;

/// A text that sysctl knows under `name`.
pub fn sysctl_text(name: &CStr) -> Option<String> {
    let mut buffer = [0_u8; MAX_TEXT_BYTES];
    let mut length = buffer.len();
    // SAFETY: name ends in a zero byte; the kernel writes at most length bytes to buffer, and how many to length.
    let rc = unsafe {
        libc::sysctlbyname(name.as_ptr(), buffer.as_mut_ptr().cast::<c_void>(), &raw mut length, ptr::null_mut(), 0)
    };
    let text = CStr::from_bytes_until_nul(buffer.get(..length)?).ok()?.to_str().ok()?;
    (rc == 0 && !text.is_empty()).then(|| text.to_owned())
}

/// A number that sysctl knows under `name` as a C int.
pub fn sysctl_int(name: &CStr) -> Option<c_int> {
    let mut value: c_int = 0;
    let mut length = size_of::<c_int>();
    // SAFETY: name ends in a zero byte; the kernel writes at most length bytes, the size of value.
    let rc = unsafe {
        libc::sysctlbyname(name.as_ptr(), (&raw mut value).cast::<c_void>(), &raw mut length, ptr::null_mut(), 0)
    };
    (rc == 0 && length == size_of::<c_int>()).then_some(value)
}

/// The address of a function of libSystem, if this release has it.
fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: name ends in a zero byte, and looking a symbol up has no other precondition.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!address.is_null()).then_some(address)
}

/// The UUID of the dyld shared cache that this process runs on.
pub fn shared_cache_uuid() -> Option<[u8; 16]> {
    let address = symbol(c"_dyld_get_shared_cache_uuid")?;
    // SAFETY: this is the function's type in dyld's mach-o/dyld_priv.h: bool _dyld_get_shared_cache_uuid(uuid_t).
    let ask: extern "C" fn(*mut u8) -> bool = unsafe { std::mem::transmute(address) };
    let mut uuid = [0_u8; 16];
    ask(uuid.as_mut_ptr()).then_some(uuid)
}

/// What System Integrity Protection has relaxed; 0 is fully enabled.
pub fn sip_config() -> Option<u32> {
    let address = symbol(c"csr_get_active_config")?;
    // SAFETY: this is the function's type in XNU's bsd/sys/csr.h: int csr_get_active_config(csr_config_t *), with
    // csr_config_t a uint32_t.
    let ask: extern "C" fn(*mut u32) -> c_int = unsafe { std::mem::transmute(address) };
    let mut bits = 0;
    (ask(&raw mut bits) == 0).then_some(bits)
}
