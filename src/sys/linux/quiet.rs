//! System calls that leave the C library's error number alone.
//!
//! A process that shares its parent's memory (`shared_child`) shares the error number too: it belongs to the thread's memory,
//! of which there is one. What the parent calls while such a child runs would overwrite the number that the child is about to
//! read, and a probe would report another error than it got. So the parent makes its calls by the processor's own instruction,
//! which answers with the negated error number in a register.

use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

use super::process::Watched;
use crate::sys::Ret;
use crate::sys::posix::polled;

/// A system call by number. Its answer is the kernel's: negative from -4095 on for an error.
///
/// # Safety
/// As of the call that the number stands for.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn raw(number: libc::c_long, arguments: [u64; 5]) -> i64 {
    let [first, second, third, fourth, fifth] = arguments;
    let answer: i64;
    // SAFETY: the instruction takes its arguments from these registers, answers in the first and overwrites two more; see
    // syscall(2), "Architecture calling conventions". The caller vouches for the call.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number => answer,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            in("r10") fourth,
            in("r8") fifth,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    answer
}

/// The same on AArch64.
///
/// # Safety
/// As of the call that the number stands for.
#[cfg(target_arch = "aarch64")]
#[inline]
unsafe fn raw(number: libc::c_long, arguments: [u64; 5]) -> i64 {
    let [first, second, third, fourth, fifth] = arguments;
    let answer: i64;
    // SAFETY: as above: number in x8, arguments from x0 on, answer in x0.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") first => answer,
            in("x1") second,
            in("x2") third,
            in("x3") fourth,
            in("x4") fifth,
            options(nostack),
        );
    }
    answer
}

fn outcome(answer: i64) -> Ret {
    if (-4095..0).contains(&answer) { Err((-answer) as i32) } else { Ok(answer) }
}

/// Numbers of processes and signals as registers hold them.
fn register(number: i32) -> u64 {
    i64::from(number).cast_unsigned()
}

/// read(2) into `buffer`.
pub fn read(fd: i32, buffer: &mut [u8]) -> Ret {
    let arguments = [register(fd), buffer.as_mut_ptr() as u64, buffer.len() as u64, 0, 0];
    // SAFETY: the kernel writes at most `buffer.len()` bytes to the buffer.
    outcome(unsafe { raw(libc::SYS_read, arguments) })
}

/// kill(2).
pub fn kill(pid: i32, signal: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { raw(libc::SYS_kill, [register(pid), register(signal), 0, 0, 0]) })
}

/// setpgid(2).
pub fn set_process_group(pid: i32, group: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { raw(libc::SYS_setpgid, [register(pid), register(group), 0, 0, 0]) })
}

/// pidfd_open(2).
pub fn pidfd_open(pid: i32) -> Result<OwnedFd, i32> {
    // SAFETY: no memory is involved.
    let fd = outcome(unsafe { raw(libc::SYS_pidfd_open, [register(pid), 0, 0, 0, 0]) })?;
    // SAFETY: it was made just now, and nothing else holds it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// wait4(2) for `pid` (-1: any child): its id and status. `None`: with `WNOHANG`, nothing to report yet.
pub fn wait(pid: i32, flags: i32) -> Result<Option<(i32, i32)>, i32> {
    let mut status = 0_i32;
    loop {
        let arguments = [register(pid), &raw mut status as u64, register(flags), 0, 0];
        // SAFETY: the kernel writes one `int` to `status`, and nothing where resource use would go, which is null.
        match outcome(unsafe { raw(libc::SYS_wait4, arguments) }) {
            Ok(0) => return Ok(None),
            Ok(found) => return Ok(Some((found as i32, status))),
            Err(libc::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// ppoll(2) with a timeout in milliseconds and the signal mask as it is. An interruption counts as no event.
pub fn poll<const N: usize>(watched: &mut [Watched; N], timeout_ms: u32) -> Ret {
    let mut time =
        libc::timespec { tv_sec: i64::from(timeout_ms / 1000), tv_nsec: i64::from(timeout_ms % 1000) * 1_000_000 };
    polled(watched, |entries| {
        let no_mask = ptr::null::<libc::sigset_t>() as u64;
        let arguments = [entries.as_mut_ptr() as u64, N as u64, &raw mut time as u64, no_mask, 0];
        // SAFETY: the kernel reads and writes `N` entries of the array and the time that is left; it takes no mask.
        outcome(unsafe { raw(libc::SYS_ppoll, arguments) })
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::sys::linux::process::report_pipe;

    #[test]
    fn what_fails_is_told_and_the_librarys_number_stays() {
        nix::errno::Errno::set_raw(libc::ENOTTY);
        let (reading, _writing) = report_pipe().unwrap();
        let mut byte = [0];
        assert_eq!(read(reading.as_raw_fd(), &mut byte), Err(libc::EAGAIN));
        assert_eq!(read(-1, &mut byte), Err(libc::EBADF));
        assert_eq!(kill(i32::MAX, 0), Err(libc::ESRCH));
        assert_eq!(set_process_group(i32::MAX, 0), Err(libc::ESRCH));
        assert_eq!(pidfd_open(i32::MAX).unwrap_err(), libc::ESRCH);
        // A process that is not this one's child.
        assert_eq!(wait(std::process::id() as i32, libc::WNOHANG), Err(libc::ECHILD));
        let mut watched = [Watched::new(reading.as_raw_fd(), libc::POLLIN), Watched::new(-1, libc::POLLIN)];
        assert_eq!(poll(&mut watched, 1), Ok(0));
        assert_eq!(nix::errno::Errno::last_raw(), libc::ENOTTY);
    }

    #[test]
    fn what_succeeds_does_what_it_says() {
        let (reading, writing) = report_pipe().unwrap();
        crate::sys::linux::path::write(writing.as_raw_fd(), b"ab").unwrap();
        let mut watched = [Watched::new(reading.as_raw_fd(), libc::POLLIN)];
        assert_eq!(poll(&mut watched, 1_000), Ok(1));
        assert_eq!(watched[0].came & libc::POLLIN, libc::POLLIN);
        let mut bytes = [0; 4];
        assert_eq!(read(reading.as_raw_fd(), &mut bytes), Ok(2));
        assert_eq!(&bytes, b"ab\0\0");
        assert_eq!(kill(std::process::id() as i32, 0), Ok(0));
        assert!(pidfd_open(std::process::id() as i32).is_ok());
    }
}
