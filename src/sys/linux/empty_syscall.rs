//! System calls with arguments that name nothing: the kernel refuses them, or does nothing. What answers otherwise is not the
//! kernel.

use crate::sys::Ret;
use crate::sys::ret::outcome;

/// A call with two arguments that name nothing, and zeros for the rest.
#[derive(Debug, Clone, Copy)]
pub struct EmptySyscall {
    number: libc::c_long,
    first: libc::c_long,
    second: libc::c_long,
}

impl EmptySyscall {
    /// The call of that name: with a descriptor or process that cannot be, or no path. `family` is what sockets are made of.
    /// `None`: none is known that is sure to do nothing.
    pub fn of(call: &str, family: i32) -> Option<Self> {
        let (number, first, second) = match call {
            "openat" => (libc::SYS_openat, -1, 0),
            "unlinkat" => (libc::SYS_unlinkat, -1, 0),
            "renameat2" => (libc::SYS_renameat2, -1, 0),
            "linkat" => (libc::SYS_linkat, -1, 0),
            "symlinkat" => (libc::SYS_symlinkat, 0, -1),
            "mkdirat" => (libc::SYS_mkdirat, -1, 0),
            "mknodat" => (libc::SYS_mknodat, -1, 0),
            "newfstatat" => (libc::SYS_newfstatat, -1, 0),
            "faccessat" => (libc::SYS_faccessat, -1, 0),
            "readlinkat" => (libc::SYS_readlinkat, -1, 0),
            "fchmodat" => (libc::SYS_fchmodat, -1, 0),
            "utimensat" => (libc::SYS_utimensat, -1, 0),
            "truncate" => (libc::SYS_truncate, 0, 0),
            "ftruncate" => (libc::SYS_ftruncate, -1, 0),
            "getxattr" => (libc::SYS_getxattr, 0, 0),
            "setxattr" => (libc::SYS_setxattr, 0, 0),
            "listxattr" => (libc::SYS_listxattr, 0, 0),
            "execve" => (libc::SYS_execve, 0, 0),
            "ioctl" => (libc::SYS_ioctl, -1, 0),
            "read" => (libc::SYS_read, -1, 0),
            "write" => (libc::SYS_write, -1, 0),
            "getdents64" => (libc::SYS_getdents64, -1, 0),
            "mount" => (libc::SYS_mount, 0, 0),
            "chroot" => (libc::SYS_chroot, 0, 0),
            "pivot_root" => (libc::SYS_pivot_root, 0, 0),
            "statfs" => (libc::SYS_statfs, 0, 0),
            "chdir" => (libc::SYS_chdir, 0, 0),
            "flock" => (libc::SYS_flock, -1, 0),
            "inotify_add_watch" => (libc::SYS_inotify_add_watch, -1, 0),
            "fchownat" => (libc::SYS_fchownat, -1, 0),
            // No flag, command or request has these numbers, and no process and no object either.
            "unshare" => (libc::SYS_unshare, 1, 0),
            "bpf" => (libc::SYS_bpf, 0xffff, 0),
            "userfaultfd" => (libc::SYS_userfaultfd, 0x7f00_0000, 0),
            "io_uring_setup" => (libc::SYS_io_uring_setup, 0, 0),
            "perf_event_open" => (libc::SYS_perf_event_open, 0, 0),
            "ptrace" => (libc::SYS_ptrace, 0xffff, libc::c_long::from(i32::MAX)),
            "pidfd_open" => (libc::SYS_pidfd_open, libc::c_long::from(i32::MAX), 0),
            "pidfd_getfd" => (libc::SYS_pidfd_getfd, -1, -1),
            "process_vm_readv" => (libc::SYS_process_vm_readv, libc::c_long::from(i32::MAX), 0),
            "setpriority" => (libc::SYS_setpriority, 99, 0),
            "keyctl" => (libc::SYS_keyctl, 0xffff, 0),
            "add_key" => (libc::SYS_add_key, 0, 0),
            "shmat" => (libc::SYS_shmat, -1, 0),
            "mq_open" => (libc::SYS_mq_open, 0, 0),
            "connect" => (libc::SYS_connect, -1, 0),
            "bind" => (libc::SYS_bind, -1, 0),
            "listen" => (libc::SYS_listen, -1, 0),
            "sendto" => (libc::SYS_sendto, -1, 0),
            // No process has this number, and no signal either.
            "kill" => (libc::SYS_kill, libc::c_long::from(i32::MAX), 999),
            // No socket has this type.
            "socket" => (libc::SYS_socket, libc::c_long::from(family), 99),
            _ => return None,
        };
        Some(Self { number, first, second })
    }

    /// Makes the call.
    pub fn make(self) -> Ret {
        // SAFETY: pointers among the arguments are null or the number of no memory, and each call of the table refuses its
        // arguments before it acts, or is asked for no bytes.
        outcome(unsafe { libc::syscall(self.number, self.first, self.second, 0_i64, 0_i64, 0_i64, 0_i64) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_of_the_table_does_anything() {
        let source = include_str!("empty_syscall.rs");
        let table = source.split_once("match call {").unwrap().1.split_once("_ => return None").unwrap().0;
        let names: Vec<&str> =
            table.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next()).collect();
        assert!(names.len() > 40, "only {} names were found", names.len());
        for name in names {
            let answer = EmptySyscall::of(name, libc::AF_INET).unwrap().make();
            // Of no memory, no bytes are read.
            let reads_nothing = name == "process_vm_readv" && answer == Ok(0);
            assert!(answer.is_err() || reads_nothing, "{name}: {answer:?}");
        }
        assert!(EmptySyscall::of("exit", 0).is_none() && EmptySyscall::of("", 0).is_none());
    }
}
