//! What a process does to itself, and to what it shows, before a sealed command takes its place.

use std::ffi::{CStr, CString};
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use super::sole::Sole;
use crate::sys::Ret;
use crate::sys::ret::outcome;

/// prctl(2) with plain numbers.
fn prctl(operation: libc::c_int, second: u64, third: u64) -> Ret {
    // SAFETY: every operation that is asked for here takes plain numbers.
    outcome(unsafe { libc::syscall(libc::SYS_prctl, operation, second, third, 0_u64, 0_u64) })
}

/// Lets this process be killed when the one that started it ends; see `PR_SET_PDEATHSIG` in prctl(2). A change of credentials
/// takes it back.
pub fn end_with_parent() -> Ret {
    prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64, 0)
}

/// Processes whose parent ends come to this one, if they come of it; see `PR_SET_CHILD_SUBREAPER` in prctl(2).
pub fn adopt_orphans() -> Ret {
    prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0)
}

/// Hides this process from those of its user: they can neither trace it nor read what `/proc` has of its memory, variables and
/// descriptors. See `PR_SET_DUMPABLE` in prctl(2). To execute another program takes it back.
pub fn hide_from_own_user() -> Ret {
    prctl(libc::PR_SET_DUMPABLE, 0, 0)
}

/// The execution domain of an ordinary program, with addresses laid out at random; see personality(2).
pub fn plain_personality() -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::personality(0) })
}

/// How the scheduler treats this process: `SCHED_OTHER` (0) and so on; see sched_getscheduler(2).
pub fn scheduling_policy() -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::sched_getscheduler(0) })
}

/// How much later than asked for a sleep of this process may end, in nanoseconds; see `PR_GET_TIMERSLACK` in prctl(2).
pub fn timer_slack() -> Ret {
    prctl(libc::PR_GET_TIMERSLACK, 0, 0)
}

/// The priority of this process's input and output: class and level as one number; see ioprio_get(2).
pub fn io_priority() -> Ret {
    /// `IOPRIO_WHO_PROCESS` of <linux/ioprio.h>.
    const PROCESS: libc::c_int = 1;
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::syscall(libc::SYS_ioprio_get, PROCESS, 0) })
}

/// setdomainname(2), in the host name namespace of this process.
pub fn set_domain_name(name: &CStr) -> Ret {
    // SAFETY: the kernel reads as many bytes of the text as it is told.
    outcome(unsafe { libc::setdomainname(name.as_ptr(), name.to_bytes().len()) })
}

impl Sole {
    /// Gives up every capability, for this process and for what it executes: bounding, ambient, inheritable, permitted and
    /// effective set. See capabilities(7). Called after [`set_no_new_privs`](super::process::set_no_new_privs), which holds where the
    /// bounding set cannot be changed.
    ///
    /// # Errors
    /// The error number of the first call that was refused.
    pub fn drop_capabilities(&self) -> Result<(), i32> {
        /// As many as a kernel can have.
        const MOST: u64 = 64;
        /// `_LINUX_CAPABILITY_VERSION_3` of <linux/capability.h>.
        const VERSION: u32 = 0x2008_0522;
        for capability in 0..MOST {
            match prctl(libc::PR_CAPBSET_DROP, capability, 0) {
                Ok(_) => {}
                // There are no more of them; or this process may not change the bounding set, which then bounds nothing: it has to have
                // renounced new privileges, so that an execution gives it none.
                Err(libc::EINVAL | libc::EPERM) => break,
                Err(errno) => return Err(errno),
            }
        }
        prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64, 0)?;
        let header = [VERSION, 0];
        let none = [0_u32; 6];
        // SAFETY: the kernel reads a header of two 32-bit numbers and, for this version, two sets of three.
        outcome(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) }).map(|_| ())
    }

    /// execveat(2) of an opened file, which is closed by it if it says so. It returns only on failure.
    pub fn execute(&self, opened: i32, argv: &[CString], environment: &[CString]) -> Ret {
        let pointers =
            |texts: &[CString]| -> Vec<_> { texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect() };
        let (argv, environment) = (pointers(argv), pointers(environment));
        let nothing = c"".as_ptr();
        let (argv, environment) = (argv.as_ptr(), environment.as_ptr());
        // SAFETY: both arrays end with a null pointer and hold NUL-terminated texts, and outlive the call.
        outcome(unsafe { libc::syscall(libc::SYS_execveat, opened, nothing, argv, environment, libc::AT_EMPTY_PATH) })
    }

    /// execve(2) of the file at a path. It returns only on failure.
    pub fn execute_path(&self, path: &CStr, argv: &[CString], environment: &[CString]) -> Ret {
        let pointers =
            |texts: &[CString]| -> Vec<_> { texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect() };
        let (argv, environment) = (pointers(argv), pointers(environment));
        // SAFETY: as above, and so is the path.
        outcome(unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), environment.as_ptr()) })
    }
}

/// Takes a read lease: as long as it is held, nobody opens the file for writing without breaking it. `EAGAIN`: somebody has
/// it open for writing; `EACCES`: it is another user's. See `F_SETLEASE` in fcntl(2). Whoever breaks it is kept waiting for some
/// time, and this process gets SIGIO, which has to be blocked or heeded.
pub fn take_read_lease(file: BorrowedFd<'_>) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK) })
}

/// Whether a read lease on the file is held and nobody is breaking it.
pub fn has_read_lease(file: BorrowedFd<'_>) -> bool {
    // SAFETY: no memory is involved.
    let found = outcome(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLEASE) });
    found == Ok(i64::from(libc::F_RDLCK))
}

/// Whether fs-verity holds the file: then no byte of it can change. See `STATX_ATTR_VERITY` in statx(2).
pub fn has_verity(file: BorrowedFd<'_>) -> bool {
    /// `STATX_ATTR_VERITY` of <linux/stat.h>.
    const VERITY: u64 = 0x0010_0000;
    let mut found = MaybeUninit::<libc::statx>::zeroed();
    let (fd, nothing) = (file.as_raw_fd(), c"".as_ptr());
    // SAFETY: the kernel reads an empty text and writes one `struct statx` to the place that is given.
    let asked =
        outcome(unsafe { libc::syscall(libc::SYS_statx, fd, nothing, libc::AT_EMPTY_PATH, 0_u32, found.as_mut_ptr()) });
    // SAFETY: the place was zeroed, which is a value of the structure, before the kernel wrote to it.
    let found = unsafe { found.assume_init() };
    asked.is_ok() && found.stx_attributes & found.stx_attributes_mask & VERITY != 0
}

/// mount_setattr(2): nothing of the file system can be changed through what is mounted at `path`, and no program there gains rights;
/// devices there are none, unless it is one that is shown, which can then still be written to. Other properties of the mount stay.
pub fn mount_read_only(path: &CStr, is_device: bool) -> Ret {
    /// `struct mount_attr` of <linux/mount.h>.
    #[repr(C)]
    struct MountAttributes {
        set: u64,
        clear: u64,
        propagation: u64,
        user_namespace: u64,
    }
    /// `MOUNT_ATTR_RDONLY` and `MOUNT_ATTR_NOSUID`.
    const READ_ONLY: u64 = 0x1 | 0x2;
    /// `MOUNT_ATTR_NODEV`.
    const NO_DEVICES: u64 = 0x4;
    let set = if is_device { READ_ONLY } else { READ_ONLY | NO_DEVICES };
    let wanted = MountAttributes { set, clear: 0, propagation: 0, user_namespace: 0 };
    let (at, flags) = (libc::AT_FDCWD, 0_u32);
    // SAFETY: the path is NUL-terminated, and the kernel reads as many bytes of the structure as it is told.
    outcome(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            at,
            path.as_ptr(),
            flags,
            &raw const wanted,
            size_of::<MountAttributes>(),
        )
    })
}
