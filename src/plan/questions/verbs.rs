//! The verbs, as far as they are only words.

use crate::record::driver::Driver;

/// What `ask --help` says of the verbs.
pub const VERBS_HELP: &str = "\
Verbs:
  read FILE          open it and read          list DIR      list a folder
  write FILE         open it for writing; a fixture is written to.
                     In a folder: make a new file, which is removed again
  create PATH        make a file               mkdir PATH    make a folder
  delete PATH        remove a file             rmdir PATH    remove a folder
  rename A B         rename                    link A B      make a hard link B
  symlink PATH TEXT  make a symbolic link      chmod PATH    change permissions
  stat PATH          ask for its metadata      readlink PATH read a link's text
  exec FILE [ARG…]   execute a program         fork          make a process
  connect HOST:PORT  connect a TCP socket      udp HOST:PORT send a datagram
  bind HOST:PORT     bind a TCP socket         unix PATH     connect to it
  abstract NAME      connect a UNIX socket to an abstract name (`${name}`: one
                     that `ask` keeps)
  signal             signal a process outside
  inspect            read the executable link of a process outside
  env NAME           read a variable (a stand-in for its value is set outside)
  userns             make a user namespace     memfd         execute from memory
  io_uring           set up an io_uring        bpf           make a BPF map
  perf               open a performance event  userfaultfd   make one
  raw, packet, netlink, vsock                  make a socket of that kind
  mptcp HOST:PORT, fastopen HOST:PORT          connect by MPTCP, or by sending
  fd                 read a descriptor that was open at the command's start
  dirfd FILE         read it through its folder, which was open at that time
  key, keyadd        read a key of the session keyring; add one to the keyring
                     of the process
  shm                read System V shared memory of the outside
  sem, msg, mq, pty  make a semaphore, a message queue, a POSIX one, a pseudo
                     terminal
  ptrace, mem, procmem, environ, maps, root, getfd
                     attach to a process outside; read its memory by a call, or
                     by its file; its environment, mappings; go through the link
                     to its root; take its descriptor
  priority           lower the priority of a process outside
  tty, tiocsti       change the size of the terminal that controls the command
                     (one that `ask` makes); type into it
  mount DIR, chroot DIR, pivot DIR
                     mount a tmpfs on a folder, or make it the root: in a mount
                     namespace of its own
  chdir DIR, statfs PATH, watch PATH, lock FILE, chown FILE, mmap FILE
                     go there; ask for its file system; watch, lock, give to
                     oneself, map for execution

`deny(hidden)` demands how a denial comes about: refused, hidden, diverted, killed, dropped, or several of them with commas; \
`deny(EROFS)` demands the error number, by name (alone or beside the former); `deny(by-name)` and `allow(by-name)` mean the name \
as it is spelled alone, whatever other names its object has inside.

Paths may begin with `~`, or be relative to this folder. `${workspace}/NAME` and `${outside}/NAME` are fixtures that `ask` makes: the \
workspace is the folder that the command is started in, and that its arguments can name; the other one lies beside it. \
`127.0.0.1:${port}` is a listener that `ask` keeps. What exists is only read, never changed; what is changed is a fixture.

A question without `allow` or `deny` is as expected whatever its answer is.";

/// Every verb.
pub(super) const VERBS: [&str; 63] = [
    "read",
    "list",
    "stat",
    "readlink",
    "write",
    "create",
    "mkdir",
    "delete",
    "rmdir",
    "chmod",
    "rename",
    "link",
    "symlink",
    "exec",
    "chdir",
    "statfs",
    "watch",
    "mmap",
    "lock",
    "chown",
    "mount",
    "pivot",
    "chroot",
    "mptcp",
    "fastopen",
    "fork",
    "signal",
    "inspect",
    "userns",
    "bpf",
    "io_uring",
    "memfd",
    "raw",
    "env",
    "connect",
    "udp",
    "bind",
    "unix",
    "abstract",
    "perf",
    "userfaultfd",
    "packet",
    "netlink",
    "vsock",
    "fd",
    "dirfd",
    "key",
    "shm",
    "sem",
    "msg",
    "mq",
    "pty",
    "ptrace",
    "mem",
    "environ",
    "maps",
    "root",
    "getfd",
    "priority",
    "tty",
    "tiocsti",
    "keyadd",
    "procmem",
];

/// Whether a word is a verb.
pub(super) fn is_verb(word: &str) -> bool {
    VERBS.contains(&word)
}

/// Verbs that need nothing behind them.
pub(super) const NOTHING: [(&str, Driver); 31] = [
    ("fork", Driver::ProcessFork),
    ("signal", Driver::SignalOutside),
    ("inspect", Driver::ProcessInspectOutside),
    ("userns", Driver::UserNamespace),
    ("bpf", Driver::BpfMap),
    ("io_uring", Driver::IoUring),
    ("memfd", Driver::ExecMemfd),
    ("raw", Driver::RawSocket),
    ("perf", Driver::PerfEvent),
    ("userfaultfd", Driver::Userfaultfd),
    ("packet", Driver::PacketSocket),
    ("netlink", Driver::NetlinkSocket),
    ("vsock", Driver::VsockSocket),
    ("fd", Driver::DescriptorRead),
    ("key", Driver::KeyRead),
    ("shm", Driver::SysvShm),
    ("sem", Driver::SysvSem),
    ("msg", Driver::SysvMsg),
    ("mq", Driver::PosixMq),
    ("pty", Driver::PseudoTty),
    ("ptrace", Driver::PtraceOutside),
    ("mem", Driver::ProcessVmReadvOutside),
    ("environ", Driver::ProcessEnvironOutside),
    ("maps", Driver::ProcessMapsOutside),
    ("root", Driver::ProcessRootOutside),
    ("getfd", Driver::PidfdGetfdOutside),
    ("priority", Driver::ProcessPriorityOutside),
    ("tty", Driver::TtyIoctl),
    ("tiocsti", Driver::TtyInject),
    ("keyadd", Driver::KeyAdd),
    ("procmem", Driver::ProcessMemOutside),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_has_every_verb_and_its_table_fits_into_a_terminal() {
        let (table, _) = VERBS_HELP.split_once("\n\n").unwrap();
        let words: Vec<&str> = table.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        for verb in VERBS {
            assert!(words.contains(&verb), "`{verb}` is a verb that nobody is told of");
        }
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    }
}
