//! Where a watched command stops: at calls that name a file, list a folder or connect.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// The call does not exist, as far as the command can tell: what is done through a ring is done by no call.
const ABSENT: [i64; 3] = [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

/// Calls that are always looked at.
const WATCHED: [i64; 12] = [
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_connect,
    libc::SYS_sendto,
    libc::SYS_open_by_handle_at,
];

/// Older names of such calls.
#[cfg(target_arch = "x86_64")]
const WATCHED_OLDER: [i64; 7] = [
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_getdents,
];
#[cfg(not(target_arch = "x86_64"))]
const WATCHED_OLDER: [i64; 0] = [];

/// The filters, in the order in which they are put in force.
pub(super) fn programs() -> io::Result<Vec<BpfProgram>> {
    let mut watched: BTreeMap<i64, Vec<SeccompRule>> =
        WATCHED.iter().chain(&WATCHED_OLDER).map(|call| (*call, Vec::new())).collect();
    // Of what is open already it asks every time that it reads.
    let empty = libc::AT_EMPTY_PATH as u64;
    let named = SeccompCondition::new(3, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(empty), 0);
    let named = named.and_then(|one| SeccompRule::new(vec![one])).map_err(io::Error::other)?;
    watched.insert(libc::SYS_newfstatat, vec![named]);
    // Most of what is sent goes where the socket is connected to.
    let addressed = SeccompCondition::new(4, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0);
    let addressed = addressed.and_then(|one| SeccompRule::new(vec![one])).map_err(io::Error::other)?;
    watched.insert(libc::SYS_sendto, vec![addressed]);
    let absent = ABSENT.iter().map(|call| (*call, Vec::new())).collect();
    let mut programs = Vec::new();
    for (rules, action) in [(watched, SeccompAction::Trace(0)), (absent, SeccompAction::Errno(libc::ENOSYS as u32))] {
        let arch = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch);
        let program: BpfProgram = filter.and_then(TryInto::try_into).map_err(io::Error::other)?;
        programs.push(program);
    }
    Ok(programs)
}
