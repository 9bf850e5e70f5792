//! The bare Landlock calls that the `landlock` crate does not expose.

use std::ptr;

use crate::sys::Ret;
use crate::sys::ret::outcome;

/// `LANDLOCK_CREATE_RULESET_VERSION` of <linux/landlock.h>.
const CREATE_RULESET_VERSION: u32 = 1;
/// `LANDLOCK_CREATE_RULESET_ERRATA` of <linux/landlock.h>, since Linux 6.15.
const CREATE_RULESET_ERRATA: u32 = 1 << 1;
/// `LANDLOCK_RESTRICT_SELF_TSYNC` of <linux/landlock.h>, since ABI 8.
const RESTRICT_SELF_TSYNC: u32 = 1 << 3;
/// `LANDLOCK_ACCESS_FS_MAKE_BLOCK`, a right of the first ABI that hardly anything uses.
const MAKE_BLOCK: u64 = 1 << 11;

/// The Landlock ABI of the running kernel. `ENOSYS`: built without; `EOPNOTSUPP`: switched off at boot.
pub fn abi() -> Ret {
    // SAFETY: with the version flag the kernel takes a null attribute of size 0 and reads no memory.
    outcome(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<u64>(), 0_usize, CREATE_RULESET_VERSION)
    })
}

/// The Landlock errata that the running kernel has fixed, as bits: erratum N is bit N - 1. `EINVAL`: a kernel that
/// cannot say.
pub fn errata() -> Ret {
    // SAFETY: as above; the errata flag is answered in the same way.
    outcome(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<u64>(), 0_usize, CREATE_RULESET_ERRATA)
    })
}

/// A ruleset that handles one unusual right and grants nothing. The value is its descriptor.
pub fn minimal_ruleset() -> Ret {
    let handled_access_fs = MAKE_BLOCK;
    // SAFETY: the attribute is one 64-bit number, the form of the first ABI, which every later one takes; the kernel
    // copies it during the call.
    outcome(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled_access_fs, size_of::<u64>(), 0_u32)
    })
}

/// landlock_add_rule(2) without a ruleset and without a rule, which the kernel always refuses.
pub fn add_no_rule() -> Ret {
    // SAFETY: the descriptor is none and the attribute is null, so the kernel refuses before it reads memory.
    outcome(unsafe { libc::syscall(libc::SYS_landlock_add_rule, -1_i32, 1_i32, ptr::null::<u64>(), 0_u32) })
}

/// landlock_restrict_self(2) for every thread of the process, since ABI 8. `EINVAL`: an older kernel.
pub fn restrict_all_threads(ruleset: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset, RESTRICT_SELF_TSYNC) })
}

/// landlock_restrict_self(2) with a ruleset's descriptor.
pub fn restrict_self(ruleset: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset, 0_u32) })
}
