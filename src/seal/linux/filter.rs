//! Which system calls a sealed command may not make. Everything else is allowed: what it reaches is governed by its root.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// The call does not exist, as far as the command can tell, so that it takes another: of these the arguments lie in memory, or
/// they open a way past this filter.
const ABSENT: [i64; 4] =
    [libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

/// Calls that are refused whatever their arguments.
const REFUSED: [i64; 48] = [
    // Namespaces, mounts and roots.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_quotactl,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // What the kernel keeps for a user, whoever asks.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Programs and pages within the kernel.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_fanotify_init,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    // The host as a whole.
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_vhangup,
    libc::SYS_nfsservctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_migrate_pages,
];

/// Without a root of its own, the command shares more with the host, and these are refused too: what changes metadata of files
/// that it may only read, watches files, or reaches what other processes have left in memory.
const REFUSED_WITHOUT_ROOT: [i64; 18] = [
    libc::SYS_socket,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_inotify_add_watch,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_semget,
    libc::SYS_msgget,
    libc::SYS_mq_open,
];

/// Older names of such calls.
#[cfg(target_arch = "x86_64")]
const REFUSED_WITHOUT_ROOT_OLDER: [i64; 6] =
    [libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_WITHOUT_ROOT_OLDER: [i64; 0] = [];

/// fchmodat2(2), which has this number on every machine.
const FCHMODAT2: i64 = 452;

/// The flags of clone(2) that make a namespace.
const NAMESPACES: [i32; 8] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    // CLONE_NEWTIME, which shares its bit with the signal that clone(2) takes: only clone3(2) and unshare(2) can ask for it.
    libc::CLONE_NEWNS,
];

/// Numbers from here on are those of x32, whose calls this filter does not name.
#[cfg(target_arch = "x86_64")]
const X32_BIT: u32 = 0x4000_0000;

/// A socket that is handed over belongs to the host's network: it could be taken to another address, listen there, or be asked
/// about the host. That is refused, and with it the same of the command's own sockets.
const REFUSED_WITH_CONNECTIONS: [i64; 3] = [libc::SYS_connect, libc::SYS_bind, libc::SYS_listen];
/// Calls that can begin a connection with their first data (`MSG_FASTOPEN`), and which of their arguments are the flags.
const SENDING: [(i64, u8); 3] = [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)];
/// The requests of ioctl(2) that are about networks have this in their second byte.
const NETWORK_REQUESTS: u64 = 0x8900;

/// The filters, in the order in which they are put in force. A process that calls the kernel in another architecture's way is
/// killed. `has_root`: the command has a root and namespaces of its own. `is_connected`: it is handed connections.
pub(super) fn programs(has_root: bool, is_connected: bool) -> io::Result<Vec<BpfProgram>> {
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let condition = |argument, length, operation, value| {
        SeccompCondition::new(argument, length, operation, value).and_then(|one| SeccompRule::new(vec![one]))
    };
    let rule =
        |argument, length, operation, value| condition(argument, length, operation, value).map_err(io::Error::other);
    // Sockets of this host's own kind lead no further than the command's namespaces; all others are refused.
    for call in [libc::SYS_socket, libc::SYS_socketpair] {
        let other = rule(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, libc::AF_UNIX as u64)?;
        refused.insert(call, vec![other]);
    }
    let flag =
        |flag: i32| rule(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag as u32 as u64), flag as u32 as u64);
    refused.insert(libc::SYS_clone, NAMESPACES.map(flag).into_iter().collect::<Result<_, _>>()?);
    // To ask for the execution domain is harmless, to change it is not.
    let change = rule(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, 0xffff_ffff)?;
    refused.insert(libc::SYS_personality, vec![change]);
    if is_connected {
        refused.extend(REFUSED_WITH_CONNECTIONS.map(|call| (call, Vec::new())));
        let with_data = libc::MSG_FASTOPEN as u64;
        for (call, flags) in SENDING {
            refused.insert(
                call,
                vec![rule(flags, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(with_data), with_data)?],
            );
        }
        let of_network = rule(1, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(0xff00), NETWORK_REQUESTS)?;
        refused.insert(libc::SYS_ioctl, vec![of_network]);
    }
    if !has_root {
        let more = REFUSED_WITHOUT_ROOT.iter().chain(&REFUSED_WITHOUT_ROOT_OLDER).chain(&[FCHMODAT2]);
        refused.extend(more.map(|call| (*call, Vec::new())));
    }
    let absent = ABSENT.iter().map(|call| (*call, Vec::new())).collect();
    let mut programs = Vec::new();
    for (rules, errno) in [(refused, libc::EPERM), (absent, libc::ENOSYS)] {
        let arch = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno as u32), arch);
        let program: BpfProgram = filter.and_then(TryInto::try_into).map_err(io::Error::other)?;
        programs.push(program);
    }
    #[cfg(target_arch = "x86_64")]
    programs.push(without_x32());
    Ok(programs)
}

/// Refuses every number that stands for a call of x32.
#[cfg(target_arch = "x86_64")]
fn without_x32() -> BpfProgram {
    use seccompiler::sock_filter;

    // The number is the first field of `struct seccomp_data`.
    let load = sock_filter { code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, jt: 0, jf: 0, k: 0 };
    let jump = sock_filter { code: (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16, jt: 0, jf: 1, k: X32_BIT };
    let answer = |k| sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k };
    vec![load, jump, answer(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32), answer(libc::SECCOMP_RET_ALLOW)]
}

/// Puts them in force, for this process and all that come of it.
///
/// # Errors
/// What the kernel refuses.
pub(super) fn apply(programs: &[BpfProgram]) -> io::Result<()> {
    programs.iter().try_for_each(|program| seccompiler::apply_filter(program)).map_err(io::Error::other)
}
