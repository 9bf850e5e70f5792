//! Processes, signals, namespaces and descriptors.

use std::ffi::{CStr, CString};
use std::mem::{MaybeUninit, size_of};
use std::ptr;

use crate::sys::Ret;
use crate::sys::ret::outcome;

/// Which side of a fork this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forked {
    /// The parent, with the child's id.
    Parent(i32),
    /// This is the child.
    Child,
}

/// fork(2) by the bare clone(2), without the C library's handlers. The caller has to be single-threaded: the child goes
/// on to allocate.
///
/// The handlers write to four pages of the library's own data, each of which the kernel then has to copy for the child.
/// They are there for other threads and for the thread id that the library remembers. Nothing here asks the library for
/// that id; only its `abort` does, which ends the process by another signal if the id is not its own.
pub fn fork() -> Result<Forked, i32> {
    // SAFETY: the zygote and its children never start a thread, so no lock can be held by a thread that the child does
    // not have, and the allocator is consistent at every call. On the two architectures that are admitted below, the flags
    // are the first argument and the stack is the second; the rest are null here. See clone(2), "C library/kernel
    // differences".
    match outcome(unsafe {
        libc::syscall(libc::SYS_clone, libc::SIGCHLD as libc::c_ulong, 0_u64, 0_u64, 0_u64, 0_u64)
    })? {
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent(pid as i32)),
    }
}

// Elsewhere the order may be another one (s390x takes the stack first, so SIGCHLD would be one), and nothing else here was
// tried there either.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("sandproof's system calls were written for x86-64 and AArch64; check `fork` and `huge_text` for others");

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

/// wait4(2) for `pid` (-1: any child). `None`: with `WNOHANG`, nothing to report yet.
pub fn wait(pid: i32, flags: i32) -> Result<Option<(i32, i32)>, i32> {
    let mut status = 0;
    loop {
        // SAFETY: the kernel writes one `int` to `status`.
        match outcome(unsafe { libc::waitpid(pid, &raw mut status, flags) }) {
            Ok(0) => return Ok(None),
            Ok(found) => return Ok(Some((found as i32, status))),
            Err(libc::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// kill(2).
pub fn kill(pid: i32, signal: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::kill(pid, signal) })
}

/// setpgid(2).
pub fn set_process_group(pid: i32, group: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::setpgid(pid, group) })
}

/// Asks for SIGKILL when the parent thread ends. (By the generic call, here and below: a probe process then runs no more of
/// the C library's text than it has to.) See `PR_SET_PDEATHSIG` in prctl(2).
pub fn die_with_parent() -> Ret {
    // SAFETY: the operation takes a plain number.
    outcome(unsafe { libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL) })
}

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

/// The process ids of this process and its parent, from the kernel.
pub fn ids() -> (i32, i32) {
    // SAFETY: neither call takes memory, neither can fail.
    unsafe { (libc::getpid(), libc::getppid()) }
}

/// The effective user and group ids.
pub fn effective_ids() -> (u32, u32) {
    // SAFETY: neither call takes memory, neither can fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
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

/// Puts a variable into the environment of this process. The caller has to be single-threaded, as probe processes are; a
/// name that cannot be one is refused with `EINVAL`.
pub fn set_environment(name: &str, value: &str) -> Result<(), i32> {
    if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
        return Err(libc::EINVAL);
    }
    // SAFETY: no other thread reads or writes the environment meanwhile, because there is none.
    unsafe { std::env::set_var(name, value) };
    Ok(())
}

/// Writes over the value of a variable where it stands in memory, which is where `/proc/PID/environ` shows it. `ENOENT`: this
/// process was started without it; `ERANGE`: the text has another length. The caller has to be single-threaded.
pub fn overwrite_environment(name: &str, text: &[u8]) -> Result<(), i32> {
    let name = CString::new(name).map_err(|_| libc::EINVAL)?;
    // SAFETY: `name` is NUL-terminated, and no other thread changes the environment meanwhile, because there is none.
    let place = unsafe { libc::getenv(name.as_ptr()) };
    if place.is_null() {
        return Err(libc::ENOENT);
    }
    // SAFETY: the value is NUL-terminated.
    let found = unsafe { CStr::from_ptr(place) }.to_bytes().len();
    if found != text.len() {
        return Err(libc::ERANGE);
    }
    for (n, byte) in text.iter().enumerate() {
        // SAFETY: the place has as many bytes before its end, and belongs to this process, which may write to it.
        unsafe { place.add(n).write(*byte as libc::c_char) };
    }
    Ok(())
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

/// dup3(2) with `O_CLOEXEC`, or dup2(2) without. `from` and `to` differ.
pub fn duplicate(from: i32, to: i32, cloexec: bool) -> Ret {
    // SAFETY: no memory is involved; callers own both numbers.
    outcome(unsafe { libc::dup3(from, to, if cloexec { libc::O_CLOEXEC } else { 0 }) })
}

/// close_range(2): closes every descriptor from `first` up to `last`.
pub fn close_range(first: u32, last: u32) -> Ret {
    // SAFETY: no memory is involved. Callers are processes that own every descriptor in the range and use none of
    // them afterwards.
    outcome(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0_u32) })
}

/// Whether the number is that of an open descriptor, of whatever kind; see `F_GETFD` in fcntl(2).
pub fn is_open(fd: i32) -> bool {
    // SAFETY: no memory is involved; the command takes no argument.
    outcome(unsafe { libc::fcntl(fd, libc::F_GETFD) }).is_ok()
}

/// pipe2(2) with `O_CLOEXEC`; the reading end also with `O_NONBLOCK`.
pub fn report_pipe() -> Result<(i32, i32), i32> {
    let mut ends = [0; 2];
    // SAFETY: the kernel writes two `int`s to the array.
    outcome(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::fcntl(ends[0], libc::F_SETFL, libc::O_NONBLOCK) })?;
    Ok((ends[0], ends[1]))
}

/// A plain pipe with `O_CLOEXEC`: reading end, writing end.
pub fn pipe() -> Result<(i32, i32), i32> {
    let mut ends = [0; 2];
    // SAFETY: the kernel writes two `int`s to the array.
    outcome(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    Ok((ends[0], ends[1]))
}

/// pidfd_open(2).
pub fn pidfd_open(pid: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0_u32) })
}

/// One entry of [`poll`]: the descriptor, the events waited for, and those that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    /// The descriptor; a negative one is skipped.
    pub fd: i32,
    /// The events that are waited for. Hang-ups and errors are always reported.
    pub events: i16,
    /// The events that came.
    pub came: i16,
}

impl Watched {
    /// Waits for `events` on `fd`.
    pub fn new(fd: i32, events: i16) -> Self {
        Self { fd, events, came: 0 }
    }
}

/// poll(2) with a timeout in milliseconds (-1: none). An interruption counts as no event.
pub fn poll<const N: usize>(watched: &mut [Watched; N], timeout_ms: i32) -> Ret {
    let mut entries = watched.map(|one| libc::pollfd { fd: one.fd, events: one.events, revents: 0 });
    // SAFETY: the kernel reads and writes `N` entries of the array.
    let ret = outcome(unsafe { libc::poll(entries.as_mut_ptr(), N as libc::nfds_t, timeout_ms) });
    for (one, entry) in watched.iter_mut().zip(entries) {
        one.came = entry.revents;
    }
    match ret {
        Err(libc::EINTR) => {
            watched.iter_mut().for_each(|one| one.came = 0);
            Ok(0)
        }
        other => other,
    }
}

/// Every signal back to its default action, and none blocked.
pub fn reset_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: the default action runs no code of ours. The C library's own numbers, SIGKILL and SIGSTOP are
        // refused with EINVAL, which is as it should be.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set; the kernel only reads it.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
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
pub fn signal_fd(signal: i32) -> Ret {
    let set = set_of(signal);
    // SAFETY: the kernel reads the set.
    outcome(unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC) })
}

/// unshare(2).
pub fn unshare(flags: i32) -> Ret {
    // SAFETY: callers pass namespace flags only, which change nothing that the C library keeps.
    outcome(unsafe { libc::unshare(flags) })
}

/// mount(2) without a type and without data.
pub fn mount(from: &CStr, at: &CStr, flags: u64) -> Ret {
    // SAFETY: both paths are NUL-terminated and only read during the call; type and data may be null for binds and
    // changes of propagation.
    outcome(unsafe { libc::mount(from.as_ptr(), at.as_ptr(), ptr::null(), flags as libc::c_ulong, ptr::null()) })
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

/// A system call with arguments that name nothing: `first`, `second`, and zeros.
///
/// Only for calls that refuse such arguments before they act.
pub fn empty_call(number: i64, first: i64, second: i64) -> Ret {
    // SAFETY: pointers among the arguments are null, which the calls that are asked for refuse without using them.
    outcome(unsafe { libc::syscall(number, first, second, 0_i64, 0_i64, 0_i64, 0_i64) })
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

/// Leaves a signal unheeded.
pub fn ignore_signal(signal: i32) {
    // SAFETY: no code of ours runs for a signal that is ignored.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Goes to an open folder.
pub fn fchdir(fd: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::fchdir(fd) })
}
