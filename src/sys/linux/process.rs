//! Processes, signals, namespaces and descriptors.

use std::ffi::{CStr, CString};
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use crate::sys::Ret;
pub use crate::sys::posix::{
    Watched, effective_ids, fchdir, ids, ignore_signal, is_open, kill, poll, set_process_group, wait,
};
use crate::sys::ret::{made, outcome};

/// A set of processors.
#[derive(Clone, Copy)]
pub struct Cpus(libc::cpu_set_t);

impl Cpus {
    /// Those that this thread may run on; see sched_getaffinity(2). `None` if there are more processors in this machine
    /// than the C library's type holds.
    pub fn allowed() -> Option<Self> {
        // SAFETY: all zeros are a set without members.
        let mut set = unsafe { MaybeUninit::<libc::cpu_set_t>::zeroed().assume_init() };
        // SAFETY: the kernel writes at most as many bytes as it is told.
        let ret = outcome(unsafe {
            libc::syscall(libc::SYS_sched_getaffinity, 0, size_of::<libc::cpu_set_t>(), &raw mut set)
        });
        ret.ok().map(|_| Self(set))
    }

    /// The one that this thread runs on at the moment; see getcpu(2).
    pub fn here() -> Option<Self> {
        // SAFETY: the call takes nothing.
        let cpu = usize::try_from(unsafe { libc::sched_getcpu() }).ok()?;
        if cpu >= libc::CPU_SETSIZE as usize {
            return None;
        }
        // SAFETY: all zeros are a set without members, and the number was checked to be within the set.
        unsafe {
            let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed().assume_init();
            libc::CPU_SET(cpu, &mut set);
            Some(Self(set))
        }
    }

    /// Lets this thread run on these alone; see sched_setaffinity(2).
    pub fn run_on(&self) -> Ret {
        // SAFETY: the kernel reads as many bytes as it is told, which is all of the set.
        outcome(unsafe {
            libc::syscall(libc::SYS_sched_setaffinity, 0, size_of::<libc::cpu_set_t>(), &raw const self.0)
        })
    }
}

/// _exit(2): ends the process without running exit handlers, which belong to the parent.
#[inline]
pub fn exit_now(code: i32) -> ! {
    // SAFETY: the call does not return and touches no memory of ours.
    unsafe { libc::_exit(code) }
}

/// Asks for SIGKILL when the parent thread ends. (By the generic call, here and below: a probe process then runs no more of
/// the C library's text than it has to.) See `PR_SET_PDEATHSIG` in prctl(2).
pub fn die_with_parent() -> Ret {
    // SAFETY: the operation takes a plain number.
    outcome(unsafe { libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL) })
}

/// Orphans among the descendants of a process come to it, if it wishes.
pub const ADOPTS_ORPHANS: bool = true;

/// Makes this process the parent of orphaned descendants, or no longer. See `PR_SET_CHILD_SUBREAPER` in prctl(2).
pub fn adopt_orphans(adopt: bool) -> Ret {
    // SAFETY: the operation takes a plain number.
    outcome(unsafe { libc::syscall(libc::SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, u64::from(adopt)) })
}

/// `PR_SET_NO_NEW_PRIVS`.
pub fn set_no_new_privs() -> Ret {
    // SAFETY: the operation takes plain numbers.
    outcome(unsafe { libc::syscall(libc::SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1_u64, 0_u64, 0_u64, 0_u64) })
}

/// `PR_GET_NO_NEW_PRIVS`.
pub fn no_new_privs() -> bool {
    // SAFETY: the operation takes plain numbers.
    outcome(unsafe { libc::syscall(libc::SYS_prctl, libc::PR_GET_NO_NEW_PRIVS, 0_u64, 0_u64, 0_u64, 0_u64) }) == Ok(1)
}

/// Whether seccomp filters the system calls of this process; also if a filter hides that. See `PR_GET_SECCOMP` in prctl(2).
pub fn has_seccomp_filter() -> bool {
    // SAFETY: the operation takes plain numbers.
    outcome(unsafe { libc::syscall(libc::SYS_prctl, libc::PR_GET_SECCOMP, 0_u64, 0_u64, 0_u64, 0_u64) }) != Ok(0)
}

/// Writes no core dump. See `RLIMIT_CORE` in setrlimit(2).
pub fn forbid_core_dumps() -> Ret {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel reads one `struct rlimit`.
    outcome(unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) })
}

/// umask(2).
pub fn set_umask(mask: u32) {
    // SAFETY: no memory is involved; the call cannot fail.
    unsafe { libc::umask(mask) };
}

/// chdir(2).
pub fn chdir(path: &CStr) -> Ret {
    // SAFETY: `path` is NUL-terminated and only read during the call.
    outcome(unsafe { libc::chdir(path.as_ptr()) })
}

/// The time that the kernel stamps on files: seconds since 1970, and nanoseconds. See `CLOCK_REALTIME_COARSE` in
/// clock_gettime(2).
pub fn file_time() -> Result<(i64, i64), i32> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `struct timespec` to the place that is given.
    outcome(unsafe { libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, &raw mut time) })?;
    Ok((time.tv_sec, time.tv_nsec))
}

/// nanosleep(2) for some milliseconds, less if a signal comes.
pub fn pause_ms(ms: i64) {
    let time = libc::timespec { tv_sec: ms / 1000, tv_nsec: ms % 1000 * 1_000_000 };
    // SAFETY: the kernel reads one `struct timespec`; the place for the rest may be null.
    let _ = unsafe { libc::nanosleep(&raw const time, ptr::null_mut()) };
}

/// getpriority(2) of a process: its nice value. (The system call itself gives 20 less that value.)
pub fn nice(pid: i32) -> Result<i32, i32> {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::syscall(libc::SYS_getpriority, libc::PRIO_PROCESS, pid) }).map(|found| 20 - found as i32)
}

/// setpriority(2) of a process.
pub fn set_nice(pid: i32, nice: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, pid, nice) })
}

/// pidfd_getfd(2).
pub fn pidfd_getfd(pidfd: i32, fd: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd, fd, 0_u32) })
}

/// memfd_create(2) of a file that may be executed. `MFD_EXEC` is asked for where the kernel knows it (Linux 6.3).
pub fn memfd(name: &CStr) -> Ret {
    const MFD_EXEC: u32 = 0x10;
    let make = |flags: u32| {
        // SAFETY: `name` is NUL-terminated and only read during the call.
        outcome(unsafe { libc::syscall(libc::SYS_memfd_create, name.as_ptr(), flags | libc::MFD_CLOEXEC) })
    };
    match make(MFD_EXEC) {
        Err(libc::EINVAL) => make(0),
        other => other,
    }
}

/// chroot(2).
pub fn chroot(path: &CStr) -> Ret {
    // SAFETY: `path` is NUL-terminated and only read during the call.
    outcome(unsafe { libc::chroot(path.as_ptr()) })
}

/// pivot_root(2).
pub fn pivot_root(new: &CStr, old: &CStr) -> Ret {
    // SAFETY: both paths are NUL-terminated and only read during the call.
    outcome(unsafe { libc::syscall(libc::SYS_pivot_root, new.as_ptr(), old.as_ptr()) })
}

/// mount(2) of a small tmpfs.
pub fn mount_tmpfs(at: &CStr) -> Ret {
    let (kind, options) = (c"tmpfs".as_ptr(), c"size=64k,nr_inodes=8".as_ptr());
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // SAFETY: all texts are NUL-terminated and only read during the call.
    outcome(unsafe { libc::mount(kind, at.as_ptr(), kind, flags, options.cast()) })
}

/// Reading end and writing end of a pipe.
pub type PipeEnds = (OwnedFd, OwnedFd);

/// pipe2(2) with `O_CLOEXEC`; the reading end also with `O_NONBLOCK`.
pub fn report_pipe() -> Result<PipeEnds, i32> {
    let (reading, writing) = pipe()?;
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::fcntl(reading.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) })?;
    Ok((reading, writing))
}

/// A plain pipe with `O_CLOEXEC`.
pub fn pipe() -> Result<PipeEnds, i32> {
    let mut ends = [0; 2];
    // SAFETY: the kernel writes two `int`s to the array.
    outcome(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: both were made just now, and nothing else holds them.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// fcntl(2), `F_DUPFD`: another number for what is open, at least that one, which programs that are executed inherit.
pub fn duplicate_for_others(fd: BorrowedFd<'_>, least: i32) -> Result<OwnedFd, i32> {
    // SAFETY: no memory is involved, and the new descriptor is nobody else's.
    unsafe { made(outcome(libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD, least))) }
}

/// pidfd_open(2).
pub fn pidfd_open(pid: i32) -> Result<OwnedFd, i32> {
    // SAFETY: no memory is involved, and the new descriptor is nobody else's.
    unsafe { made(outcome(libc::syscall(libc::SYS_pidfd_open, pid, 0_u32))) }
}

/// A number of a process that no later one gets: the inode of its pidfd.
pub fn lasting_number(pid: i32) -> Result<u64, i32> {
    super::path::fstat(pidfd_open(pid)?.as_raw_fd()).map(|found| found.ino)
}

/// Which of `N` numbers from `first` on are descriptors that can be read or written: of `O_PATH` ones nothing is said. One call of
/// poll(2), which tells numbers that are none.
pub fn open_from<const N: usize>(first: i32) -> Vec<i32> {
    let mut watched: [Watched; N] = std::array::from_fn(|place| Watched::new(first + place as i32, 0));
    match poll(&mut watched, 0) {
        Ok(_) => watched.iter().filter(|one| one.came & libc::POLLNVAL == 0).map(|one| one.fd).collect(),
        // More than there may be descriptors are refused.
        Err(_) => watched.iter().map(|one| one.fd).filter(|fd| is_open(*fd)).collect(),
    }
}

fn set_of(signal: i32) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set before `sigaddset` changes it and it is taken.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        set.assume_init()
    }
}

/// Blocks one signal in this thread, so that it stays pending.
pub fn block_signal(signal: i32) -> Ret {
    let set = set_of(signal);
    // SAFETY: the kernel reads the set.
    outcome(unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) })
}

/// Whether a blocked signal is pending for this process.
pub fn is_pending(signal: i32) -> bool {
    let mut pending = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the kernel writes the set, which is only looked at if the call succeeded.
    unsafe { libc::sigpending(pending.as_mut_ptr()) == 0 && libc::sigismember(pending.as_ptr(), signal) == 1 }
}

/// signalfd(2) for one blocked signal.
pub fn signal_fd(signal: i32) -> Result<OwnedFd, i32> {
    let set = set_of(signal);
    // SAFETY: the kernel reads the set, and the new descriptor is nobody else's.
    unsafe { made(outcome(libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC))) }
}

/// mount(2) without a type and without data.
fn mount(from: &CStr, at: &CStr, flags: libc::c_ulong) -> Ret {
    // SAFETY: both paths are NUL-terminated and only read during the call; type and data may be null for binds and
    // changes of propagation.
    outcome(unsafe { libc::mount(from.as_ptr(), at.as_ptr(), ptr::null(), flags, ptr::null()) })
}

/// Shows a folder or file at another place, too; see `MS_BIND` in mount(2).
pub fn mount_bind(from: &CStr, at: &CStr) -> Ret {
    mount(from, at, libc::MS_BIND)
}

/// What is mounted from now on in this mount namespace, no other shows; see `MS_PRIVATE` in mount(2).
pub fn make_mounts_private() -> Ret {
    mount(c"none", c"/", libc::MS_REC | libc::MS_PRIVATE)
}

/// execveat(2) with these arguments and an empty environment. It returns only on failure.
pub fn execveat(dir: i32, path: &CStr, argv: &[CString], flags: i32) -> Ret {
    let arguments: Vec<_> = argv.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect();
    let environment = [ptr::null::<libc::c_char>()];
    let (path, argv, envp) = (path.as_ptr(), arguments.as_ptr(), environment.as_ptr());
    // SAFETY: both arrays end with a null pointer and hold NUL-terminated texts, and outlive the call.
    outcome(unsafe { libc::syscall(libc::SYS_execveat, dir, path, argv, envp, flags) })
}

/// execve(2) with these arguments, the first of which is the program's name for itself, and an empty environment. It returns
/// only on failure.
pub fn execve(path: &CStr, argv: &[CString]) -> Ret {
    let arguments: Vec<_> = argv.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect();
    let environment = [ptr::null()];
    // SAFETY: both arrays end with a null pointer and hold NUL-terminated texts, and outlive the call.
    outcome(unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) })
}

/// A number that differs from process to process of the same program: the kernel gives each 16 random bytes at its start.
/// No system call is made for it.
pub fn start_random() -> u64 {
    // SAFETY: `getauxval` reads what the kernel left on this process's stack.
    let place = unsafe { libc::getauxval(libc::AT_RANDOM) };
    if place == 0 {
        return u64::from(std::process::id());
    }
    // SAFETY: the kernel promises 16 bytes at the place, which stay there as long as the process.
    unsafe { ptr::read_unaligned(place as *const u64) }
}

/// Sends a signal with a number that its receiver can read.
pub fn signal_with(pid: i32, signal: i32, number: i32) -> Ret {
    let value = libc::sigval { sival_ptr: number as isize as *mut libc::c_void };
    // SAFETY: the number travels in the place of a pointer, and nobody follows it.
    outcome(unsafe { libc::sigqueue(pid, signal, value) })
}
