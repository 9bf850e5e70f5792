//! The drivers: each performs one operation, and says which errors are a denial of it.
//!
//! A driver's name stands in a probe's `driver` field. The table here is data for loading, lint, the model and the
//! reader; the code that makes the system calls is in `probe`. It is the same on every system, because a bundle is read
//! on other systems than the one that it was made on: error numbers of macOS are written as numbers for that reason.

use serde::{Deserialize, Serialize};

pub use super::driver_info::{
    ChangeReach, Denials, DriverInfo, Effect, PAYLOADS, Param, Platforms, SeatbeltAnswers, TargetKind,
};
pub use super::platform::Platform;

const ACCES: &[i32] = &[libc::EACCES];
/// Renames and links that would gain rights, or cross folders without the right to, fail with EXDEV
/// (Documentation/userspace-api/landlock.rst, "Filesystem flags", LANDLOCK_ACCESS_FS_REFER).
const ACCES_XDEV: &[i32] = &[libc::EACCES, libc::EXDEV];
/// Scopes and topology changes answer EPERM (security/landlock/task.c, fs.c).
const PERM: &[i32] = &[libc::EPERM];
/// ptrace-style access across domains: EPERM, which procfs turns into EACCES for its links.
const ACCES_PERM: &[i32] = &[libc::EACCES, libc::EPERM];
/// Also ENOENT: where `/proc` hides what its reader may not inspect (`hidepid=` of proc(5)). The process that is asked about
/// is there for certain.
const INSPECT: &[i32] = &[libc::EACCES, libc::EPERM, libc::ENOENT];
/// What ordinary permissions, mount options and other security modules answer.
const PLATFORM: &[i32] = &[libc::EACCES, libc::EPERM, libc::EROFS];
/// No ABI up to 10 refuses these operations (landlock.rst, "Current limitations"). Should a kernel do so after all, it
/// would answer as the other hooks do; that is a finding, and to name no error here would hide it as undecided.
const NEVER: &[i32] = ACCES_PERM;

/// A Seatbelt denial of a system call is EPERM; EACCES comes from ordinary permissions. (xnu, security/mac_*.c: hooks of
/// the policy answer EPERM; where several policies fail, `mac_error_select` prefers EACCES to it.)
const SB_PERM: SeatbeltAnswers = SeatbeltAnswers { errnos: PERM, codes: &[], reached: &[], silent: false };
/// ENOTTY (25) and ENODEV (19, that of the null device) come from the device's own driver, which the policy let be asked.
const SB_IOCTL: SeatbeltAnswers = SeatbeltAnswers { reached: &[25, 19], ..SB_PERM };
/// searchfs(2): EAGAIN (35) says that there is more, EBUSY (16) that the catalogue changed meanwhile.
const SB_SEARCH: SeatbeltAnswers = SeatbeltAnswers { reached: &[35, 16], ..SB_PERM };
/// `BOOTSTRAP_NOT_PRIVILEGED` of servers/bootstrap.h. `BOOTSTRAP_UNKNOWN_SERVICE` (1102) says that the service is absent.
const SB_MACH: SeatbeltAnswers = SeatbeltAnswers { errnos: &[], codes: &[1100], reached: &[], silent: false };
/// `kIOReturnNotPermitted` of IOKit/IOReturn.h, 0xe00002e2.
const SB_IOKIT: SeatbeltAnswers = SeatbeltAnswers { errnos: &[], codes: &[-536_870_174], reached: &[], silent: false };
/// The XPC answer that a connection is invalid (`XPC_INVALID` of `probe`). A service that does not exist gives it too;
/// the baseline tells the two apart.
const SB_XPC: SeatbeltAnswers = SeatbeltAnswers { errnos: &[], codes: &[XPC_INVALID], reached: &[], silent: false };
/// `NOTIFY_STATUS_NOT_AUTHORIZED` of notify.h. A status of 0 says nothing: the post is a one-way message, and its
/// receiver asks the policy for filtered clients alone (Libnotify 317, notifyd).
const SB_NOTIFY: SeatbeltAnswers = SeatbeltAnswers { errnos: &[], codes: &[7], reached: &[], silent: true };
/// Whoever decides does so in another process and does not answer.
const SB_SILENT: SeatbeltAnswers = SeatbeltAnswers { errnos: &[], codes: &[], reached: &[], silent: true };
/// Nothing that the call answers is a denial. Also for drivers of Linux alone.
const SB_NONE: SeatbeltAnswers = SeatbeltAnswers { errnos: &[], codes: &[], reached: &[], silent: false };

/// The code of `XPC_ERROR_CONNECTION_INVALID` in a report; XPC's errors are objects without numbers.
pub const XPC_INVALID: i32 = 1;
/// The code of `XPC_ERROR_CONNECTION_INTERRUPTED` in a report.
#[cfg(target_os = "macos")]
pub const XPC_INTERRUPTED: i32 = 2;
/// The code of `XPC_ERROR_TERMINATION_IMMINENT` in a report.
#[cfg(target_os = "macos")]
pub const XPC_TERMINATION: i32 = 3;
/// The code of any other XPC error in a report.
#[cfg(target_os = "macos")]
pub const XPC_OTHER: i32 = 4;

/// One row of the table.
macro_rules! info {
    ($name:literal, $operations:expr, $syscall:literal, $target:ident, $params:expr, $effect:ident, $denials:expr) => {
        info!(@ $name, $operations, $syscall, "", $target, $params, $effect, $denials, SB_NONE, Linux)
    };
    ($name:literal, $operations:expr, $syscall:literal, $target:ident, $params:expr, $effect:ident, $denials:expr;
        macos $call:literal) => {
        info!(@ $name, $operations, $syscall, $call, $target, $params, $effect, $denials, SB_PERM, Both)
    };
    ($name:literal, macos: $operations:expr, $call:literal, $target:ident, $params:expr, $effect:ident,
        $answers:expr) => {
        info!(@ $name, $operations, "", $call, $target, $params, $effect, &[], $answers, Macos)
    };
    (@ $name:literal, $operations:expr, $syscall:literal, $call:literal, $target:ident, $params:expr, $effect:ident,
        $denials:expr, $answers:expr, $platforms:ident) => {
        DriverInfo {
            name: $name,
            operations: $operations,
            platforms: Platforms::$platforms,
            syscall: $syscall,
            darwin_call: $call,
            target: TargetKind::$target,
            params: $params,
            effect: Effect::$effect,
            landlock_denials: $denials,
            seatbelt: $answers,
            platform_denials: PLATFORM,
        }
    };
}

macro_rules! drivers {
    ($($(#[doc = $doc:literal])* $variant:ident $name:literal { $($row:tt)* })*) => {
        /// A driver, by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Driver {
            $($(#[doc = $doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Driver {
            /// Every driver.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// What is known about it.
            pub fn info(self) -> DriverInfo {
                match self {
                    $(Self::$variant => info!($name, $($row)*),)*
                }
            }

            /// What it does, in a sentence or two: its documentation here.
            pub fn description(self) -> String {
                let lines: &[&str] = match self {
                    $(Self::$variant => &[$($doc),*],)*
                };
                lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
            }

            /// Whether it may stand for that operation. A policy query may for any.
            pub fn performs(self, operation: &str) -> bool {
                self == Self::PolicyQuery || self.info().operations.contains(&operation)
            }

            /// The driver of that name.
            pub fn by_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|driver| driver.info().name == name)
            }
        }
    };
}

drivers! {
    /// Opens for reading and reads one byte.
    FileRead "file_read" { &["file-read-data", "file-read*"], "openat", Path, &[], Reads, ACCES; macos "open" }
    /// Opens for writing without creating or truncating, and writes one byte at the end.
    FileWrite "file_write" { &["file-write-data", "file-write*"], "openat", Path, &[], Changes, ACCES; macos "open" }
    /// Opens for reading and writing, and does neither.
    FileReadWrite "file_read_write" { &["file-write-data", "file-write*"], "openat", Path, &[], OpensForWriting, ACCES; macos "open" }
    /// Opens for writing without creating or truncating, and writes nothing.
    FileOpenWrite "file_open_write" { &["file-write-data", "file-write*"], "openat", Path, &[], OpensForWriting, ACCES }
    /// Opens with `O_PATH`: a handle that can neither read nor write.
    FileOpenPath "file_open_path" { &["file-read-metadata"], "openat", Path, &[], Reads, NEVER }
    /// Reads through a descriptor that was opened before the policy was applied.
    FileReadInherited "file_read_inherited" { &["file-read-data"], "read", Path, &[], Reads, NEVER; macos "read" }
    /// Opens the parent folder under the policy, then the file relative to it.
    FileReadAt "file_read_at" { &["file-read-data"], "openat", Path, &[], Reads, ACCES; macos "openat" }
    /// Creates a missing regular file for writing, exclusively.
    FileCreate "file_create" { &["file-write-create", "file-write*"], "openat", Path, &[], Changes, ACCES; macos "open" }
    /// Removes a file.
    FileUnlink "file_unlink" { &["file-write-unlink", "file-write*"], "unlinkat", Path, &[], Changes, ACCES; macos "unlink" }
    /// Renames the target to `to`.
    FileRename "file_rename" { &["file-write-unlink", "file-write*"], "renameat2", Path, &[Param::To], Changes, ACCES_XDEV; macos "rename" }
    /// Exchanges the target and `to`.
    FileExchange "file_exchange" { &["file-write-unlink", "file-write*"], "renameat2", Path, &[Param::To], Changes, ACCES_XDEV }
    /// Makes `to` a hard link to the target.
    FileLink "file_link" { &["file-link", "file-write*"], "linkat", Path, &[Param::To], Changes, ACCES_XDEV; macos "link" }
    /// Truncates by path.
    FileTruncate "file_truncate" { &["file-write-data", "file-write*"], "truncate", Path, &[], Changes, ACCES; macos "truncate" }
    /// Opens for writing with `O_TRUNC`.
    FileOpenTruncate "file_open_truncate" { &["file-write-data", "file-write*"], "openat", Path, &[], Changes, ACCES; macos "open" }
    /// Truncates through a descriptor that was opened before the policy was applied.
    FileTruncateInherited "file_truncate_inherited" { &["file-write-data"], "ftruncate", Path, &[], Changes, NEVER; macos "ftruncate" }
    /// Truncates through a descriptor opened for writing under the policy.
    FileTruncateFd "file_truncate_fd" { &["file-write-data"], "ftruncate", Path, &[], Changes, ACCES; macos "ftruncate" }
    /// Makes the target a symbolic link that holds the text `to`.
    SymlinkCreate "symlink_create" { &["file-write-create", "file-write*"], "symlinkat", Path, &[Param::To], Changes, ACCES; macos "symlink" }
    /// Makes a folder.
    DirCreate "dir_create" { &["file-write-create", "file-write*"], "mkdirat", Path, &[], Changes, ACCES; macos "mkdir" }
    /// Removes an empty folder.
    DirRemove "dir_remove" { &["file-write-unlink", "file-write*"], "unlinkat", Path, &[], Changes, ACCES; macos "rmdir" }
    /// Opens a folder and lists it.
    DirList "dir_list" { &["file-read-data", "file-read*"], "openat", Path, &[], Reads, ACCES; macos "open" }
    /// Makes a FIFO.
    FifoCreate "fifo_create" { &["file-write-create", "file-write*"], "mknodat", Path, &[], Changes, ACCES; macos "mkfifo" }
    /// Makes a socket node without binding a socket.
    SocketNodeCreate "socket_node_create" { &["file-write-create", "file-write*"], "mknodat", Path, &[], Changes, ACCES }
    /// Makes a character device node of number 0:0 (a whiteout, which needs no privilege since Linux 5.8).
    CharDeviceCreate "char_device_create" { &["file-mknod", "file-write*"], "mknodat", Path, &[], Changes, ACCES }
    /// Makes a block device node.
    BlockDeviceCreate "block_device_create" { &["file-mknod", "file-write*"], "mknodat", Path, &[], Changes, ACCES }
    /// Asks for a file's metadata, following links.
    FileStat "file_stat" { &["file-read-metadata", "file-read*"], "newfstatat", Path, &[], Reads, NEVER; macos "stat" }
    /// Asks whether a file exists.
    FileAccess "file_access" { &["file-test-existence", "file-read-metadata"], "faccessat", Path, &[], Reads, NEVER; macos "access" }
    /// Reads the text of a symbolic link.
    FileReadlink "file_readlink" { &["file-read-metadata", "file-read*"], "readlinkat", Path, &[], Reads, NEVER; macos "readlink" }
    /// Changes the permission bits.
    FileChmod "file_chmod" { &["file-write-mode", "file-write*"], "fchmodat", Path, &[], Changes, NEVER; macos "chmod" }
    /// Changes the times.
    FileUtimes "file_utimes" { &["file-write-times", "file-write*"], "utimensat", Path, &[], Changes, NEVER; macos "utimes" }
    /// Reads the extended attribute `name`.
    XattrGet "xattr_get" { &["file-read-xattr", "file-read*"], "getxattr", Path, &[Param::Name], Reads, NEVER; macos "getxattr" }
    /// Sets the extended attribute `name`.
    XattrSet "xattr_set" { &["file-write-xattr", "file-write*"], "setxattr", Path, &[Param::Name], Changes, NEVER; macos "setxattr" }
    /// Lists the extended attributes.
    XattrList "xattr_list" { &["file-read-xattr", "file-read*"], "listxattr", Path, &[], Reads, NEVER; macos "listxattr" }
    /// Opens the random device and asks for its entropy count (`RNDGETENTCNT`), which any user may.
    DeviceIoctl "device_ioctl" { &["file-ioctl"], "ioctl", Path, &[], Reads, ACCES }
    /// Executes the target. That the program was reached decides, and its exit code where the probe has `exit_code`.
    Exec "exec" { &["process-exec*"], "execve", Path, &[], Reads, ACCES; macos "execve" }
    /// Makes a child process and waits for it.
    ProcessFork "process_fork" { &["process-fork"], "clone", None, &[], Reads, NEVER; macos "fork" }
    /// Connects a TCP socket.
    TcpConnect "tcp_connect" { &["network-outbound"], "connect", Endpoint, &[], Reads, ACCES; macos "connect" }
    /// Binds a TCP socket.
    TcpBind "tcp_bind" { &["network-bind"], "bind", Endpoint, &[], Reads, ACCES; macos "bind" }
    /// Listens on a TCP socket that was never bound: the kernel picks a port.
    TcpListenUnbound "tcp_listen_unbound" { &["network-inbound"], "listen", None, &[], Reads, ACCES; macos "listen" }
    /// Binds a UDP socket.
    UdpBind "udp_bind" { &["network-bind"], "bind", Endpoint, &[], Reads, ACCES; macos "bind" }
    /// Sends a datagram without connecting.
    UdpSend "udp_send" { &["network-outbound"], "sendto", Endpoint, &[], Reads, ACCES; macos "sendto" }
    /// Connects a UNIX stream socket to a path.
    UnixConnect "unix_connect" { &["network-outbound"], "connect", Path, &[], Reads, ACCES; macos "connect" }
    /// Binds a UNIX stream socket to a path, which makes a socket node.
    UnixBind "unix_bind" { &["network-bind", "file-write-create"], "bind", Path, &[], Changes, ACCES; macos "bind" }
    /// Connects a UNIX stream socket to an abstract name.
    AbstractConnect "abstract_connect" { &["network-outbound"], "connect", AbstractName, &[], Reads, PERM }
    /// Sends a datagram to an abstract UNIX socket.
    AbstractSend "abstract_send" { &["network-outbound"], "sendto", AbstractName, &[], Reads, PERM }
    /// Signals a process that was started before the policy was applied, outside its domain.
    SignalOutside "signal_outside" { &["signal"], "kill", OutsideProcess, &[], Reads, PERM; macos "kill" }
    /// Signals a process that was started after the policy was applied, inside its domain.
    SignalInside "signal_inside" { &["signal"], "kill", None, &[], Reads, PERM }
    /// Signals the probe process itself.
    SignalSelf "signal_self" { &["signal"], "kill", None, &[], Reads, PERM; macos "kill" }
    /// Reads the executable link of the process outside the domain, which asks for ptrace-style access.
    ProcessInspectOutside "process_inspect_outside" { &["process-info-pidinfo"], "readlinkat", OutsideProcess, &[], Reads, INSPECT }
    /// Binds a folder over another, in a mount namespace of the probe's own.
    MountBind "mount_bind" { &["file-mount"], "mount", Path, &[Param::To], Changes, PERM }
    /// Asks for the facts of the file system that the target lies on.
    FileStatfs "file_statfs" { &["file-read-metadata", "file-read*"], "statfs", Path, &[], Reads, NEVER }
    /// Makes the target, a folder, the process's working folder.
    Chdir "chdir" { &["file-read-metadata"], "chdir", Path, &[], Reads, NEVER }
    /// Watches the target with inotify(7), and ends the watch.
    InotifyWatch "inotify_watch" { &["file-read-metadata"], "inotify_add_watch", Path, &[], Reads, NEVER }
    /// Opens for reading under the policy, which only prepares, and takes the exclusive lock of flock(2).
    FileLock "file_lock" { &["file-lock"], "flock", Path, &[], Changes, NEVER }
    /// Opens a bare handle (`O_PATH`), from before the policy was applied, again for reading, through `/proc/self/fd`.
    FileReadReopened "file_read_reopened" { &["file-read-data"], "openat", Path, &[], Reads, ACCES }
    /// Opens a descriptor for reading, from before the policy was applied, again for writing, through `/proc/self/fd`, and
    /// writes one byte at the end.
    FileWriteReopened "file_write_reopened" { &["file-write-data", "file-write*"], "openat", Path, &[], Changes, ACCES }
    /// Opens the target for reading relative to its folder, which was opened before the policy was applied.
    FileReadAtInherited "file_read_at_inherited" { &["file-read-data"], "openat", Path, &[], Reads, ACCES }
    /// Lets a thread that was started before the policy was applied open the target for reading and read one byte.
    FileReadOlderThread "file_read_older_thread" { &["file-read-data"], "openat", Path, &[], Reads, ACCES }
    /// Sends a datagram to a UNIX socket by its path.
    UnixSend "unix_send" { &["network-outbound"], "sendto", Path, &[], Reads, ACCES }
    /// Connects a socket of multipath TCP.
    MptcpConnect "mptcp_connect" { &["network-outbound"], "connect", Endpoint, &[], Reads, ACCES }
    /// Binds a socket of multipath TCP.
    MptcpBind "mptcp_bind" { &["network-bind"], "bind", Endpoint, &[], Reads, ACCES }
    /// Connects a TCP socket by sending on it (`MSG_FASTOPEN`), without connect(2).
    TcpFastOpen "tcp_fast_open" { &["network-outbound"], "sendto", Endpoint, &[], Reads, ACCES }
    /// Connects a UDP socket and sends one byte.
    UdpConnect "udp_connect" { &["network-outbound"], "connect", Endpoint, &[], Reads, ACCES }
    /// Makes a raw socket of IPv4 (ICMP).
    RawSocket "raw_socket" { &["system-socket"], "socket", None, &[], Reads, NEVER }
    /// Makes a packet socket, which could see whole frames; it is bound to nothing.
    PacketSocket "packet_socket" { &["system-socket"], "socket", None, &[], Reads, NEVER }
    /// Makes a netlink socket for routing.
    NetlinkSocket "netlink_socket" { &["system-socket"], "socket", None, &[], Reads, NEVER }
    /// Makes a socket towards a hypervisor or virtual machine (`AF_VSOCK`).
    VsockSocket "vsock_socket" { &["system-socket"], "socket", None, &[], Reads, NEVER }
    /// Looks for the variable that the target names in the environment of its process.
    EnvironmentRead "environment_read" { &["process-info-pidinfo"], "getenv", Variable, &[], Reads, NEVER; macos "getenv" }
    /// Reads from a descriptor, no file's, that was open before the policy was applied.
    DescriptorRead "descriptor_read" { &["file-read-data"], "read", HandedDown, &[], Reads, NEVER }
    /// Attaches System V shared memory that was made before the policy was applied, and reads it.
    SysvShm "sysv_shm" { &["ipc-sysv-shm"], "shmat", SharedMemory, &[], Reads, NEVER }
    /// Makes a System V semaphore, and removes it.
    SysvSem "sysv_sem" { &["ipc-sysv-sem"], "semget", None, &[], Reads, NEVER }
    /// Makes a System V message queue, and removes it.
    SysvMsg "sysv_msg" { &["ipc-sysv-msg"], "msgget", None, &[], Reads, NEVER }
    /// Makes a POSIX message queue, and removes it.
    PosixMq "posix_mq" { &["ipc-posix*"], "mq_open", None, &[], Reads, ACCES }
    /// Reads a key of its process's session keyring that was added before the policy was applied.
    KeyRead "key_read" { &["syscall-unix"], "keyctl", HandedDown, &[], Reads, NEVER }
    /// Adds a key to a keyring of its process's own.
    KeyAdd "key_add" { &["syscall-unix"], "add_key", None, &[], Reads, NEVER }
    /// Changes the window size of a terminal that was open before the policy was applied (`TIOCSWINSZ`).
    TtyIoctl "tty_ioctl" { &["file-ioctl"], "ioctl", HandedDown, &[], Reads, NEVER }
    /// Types into its process's controlling terminal, which was open before the policy was applied (`TIOCSTI`).
    TtyInject "tty_inject" { &["file-ioctl"], "ioctl", HandedDown, &[], Reads, NEVER }
    /// Executes this program's own small one from memory without a path (memfd_create(2)), in a child.
    ExecMemfd "exec_memfd" { &["process-exec*"], "execveat", None, &[], Reads, NEVER }
    /// Writes this program's own small one to a new file under the policy, which only prepares, and executes it, in a child.
    ExecWritten "exec_written" { &["process-exec*"], "execve", Path, &[], Changes, ACCES }
    /// Attaches to a process outside the domain as a debugger, and reads its memory.
    PtraceOutside "ptrace_outside" { &["process-info*"], "ptrace", OutsideProcess, &[], Reads, PERM }
    /// Takes a descriptor of a process outside the domain, and reads from it.
    PidfdGetfdOutside "pidfd_getfd_outside" { &["process-info*"], "pidfd_getfd", OutsideProcess, &[], Reads, PERM }
    /// Reads the memory of a process outside the domain.
    ProcessVmReadvOutside "process_vm_readv_outside" {
        &["process-info*"], "process_vm_readv", OutsideProcess, &[], Reads, PERM
    }
    /// Reads `/proc/PID/environ` of a process outside the domain.
    ProcessEnvironOutside "process_environ_outside" { &["process-info-pidinfo"], "openat", OutsideProcess, &[], Reads, INSPECT }
    /// Reads `/proc/PID/maps` of a process outside the domain.
    ProcessMapsOutside "process_maps_outside" { &["process-info-pidinfo"], "openat", OutsideProcess, &[], Reads, INSPECT }
    /// Reads `/proc/PID/mem` of a process outside the domain.
    ProcessMemOutside "process_mem_outside" { &["process-info-pidinfo"], "openat", OutsideProcess, &[], Reads, INSPECT }
    /// Goes through `/proc/PID/root` of a process outside the domain.
    ProcessRootOutside "process_root_outside" { &["process-info-pidinfo"], "openat", OutsideProcess, &[], Reads, INSPECT }
    /// Lowers the priority of a process outside the domain.
    ProcessPriorityOutside "process_priority_outside" {
        &["process-info-setcontrol"], "setpriority", OutsideProcess, &[], Reads, NEVER
    }
    /// Enters a new user namespace.
    UserNamespace "user_namespace" { &["system-privilege"], "unshare", None, &[], Reads, NEVER }
    /// Enters a new user namespace, which only prepares, and becomes root in it by writing `/proc/self/uid_map`.
    UserNamespaceMap "user_namespace_map" { &["system-privilege"], "openat", None, &[], Reads, ACCES }
    /// Mounts a small tmpfs on the target, in a mount namespace of the probe's own.
    MountTmpfs "mount_tmpfs" { &["file-mount"], "mount", Path, &[], Changes, PERM }
    /// Makes the target, a folder, the root of the probe process.
    Chroot "chroot" { &["file-chroot"], "chroot", Path, &[], Reads, NEVER }
    /// Makes the target, a folder, the root of a mount namespace of the probe's own.
    PivotRoot "pivot_root" { &["file-mount"], "pivot_root", Path, &[], Changes, PERM }
    /// Makes a map of bpf(2), and lets it keep a number.
    BpfMap "bpf_map" { &["syscall-unix"], "bpf", None, &[], Reads, NEVER }
    /// Counts how long its process runs.
    PerfEvent "perf_event" { &["syscall-unix"], "perf_event_open", None, &[], Reads, NEVER }
    /// Makes a descriptor for page faults of its process.
    Userfaultfd "userfaultfd" { &["syscall-unix"], "userfaultfd", None, &[], Reads, NEVER }
    /// Makes an io_uring, and lets it complete a request that does nothing.
    IoUring "io_uring" { &["syscall-unix"], "io_uring_setup", None, &[], Reads, NEVER }
    /// Opens for reading through an io_uring, which only prepares, and reads one byte.
    IoUringRead "io_uring_read" { &["file-read-data"], "io_uring_enter", Path, &[], Reads, ACCES }
    /// Connects a TCP socket through an io_uring, which only prepares.
    IoUringConnect "io_uring_connect" { &["network-outbound"], "io_uring_enter", Endpoint, &[], Reads, ACCES }
    // macOS alone, but for what says otherwise. Each row: operations, call, target, parameters, effect, what answers mean.
    /// Asks for a file's metadata without following a final link.
    FileLstat "file_lstat" { macos: &["file-read-metadata", "file-read*"], "lstat", Path, &[], Reads, SB_PERM }
    /// Opens for reading under the policy, which only prepares, and asks for the descriptor's metadata.
    FileFstat "file_fstat" { macos: &["file-read-metadata", "file-read*"], "fstat", Path, &[], Reads, SB_PERM }
    /// Asks for attributes by list, without following a final link.
    FileGetattrlist "file_getattrlist" {
        macos: &["file-read-metadata", "file-read*"], "getattrlist", Path, &[Param::Payload], Reads, SB_PERM
    }
    /// Sets attributes by list. Only `cmn` (flags) and `cmn-times` can be set; the others fail with EINVAL anywhere.
    FileSetattrlist "file_setattrlist" {
        macos: &["file-write-times", "file-write-flags", "file-write*", "file-read-metadata"], "setattrlist", Path,
        &[Param::Payload], Changes, SB_PERM
    }
    /// Opens for reading under the policy, which only prepares, and changes the permission bits.
    FileFchmod "file_fchmod" { macos: &["file-write-mode", "file-write*"], "fchmod", Path, &[], Changes, SB_PERM }
    /// Gives the file to its own user and group, following links.
    FileChown "file_chown" { &["file-write-owner", "file-write*"], "fchownat", Path, &[], Changes, NEVER; macos "chown" }
    /// The same without following a final link.
    FileLchown "file_lchown" { macos: &["file-write-owner", "file-write*"], "lchown", Path, &[], Changes, SB_PERM }
    /// The same through a descriptor opened for reading under the policy, which only prepares.
    FileFchown "file_fchown" { macos: &["file-write-owner", "file-write*"], "fchown", Path, &[], Changes, SB_PERM }
    /// The same relative to the parent folder, which is opened under the policy and only prepares.
    FileFchownat "file_fchownat" { macos: &["file-write-owner", "file-write*"], "fchownat", Path, &[], Changes, SB_PERM }
    /// Changes the times through a descriptor opened for reading under the policy, which only prepares.
    FileFutimes "file_futimes" { macos: &["file-write-times", "file-write*"], "futimes", Path, &[], Changes, SB_PERM }
    /// Changes the times without following a final link.
    FileLutimes "file_lutimes" { macos: &["file-write-times", "file-write*"], "lutimes", Path, &[], Changes, SB_PERM }
    /// Opens the parent folder under the policy, which only prepares, then the file relative to it for writing.
    FileWriteAt "file_write_at" { macos: &["file-write-data", "file-write*"], "openat", Path, &[], Changes, SB_PERM }
    /// Opens the file for reading, relative to a `/` that was opened before the policy was applied.
    FileReadRootrel "file_read_rootrel" { macos: &["file-read-data", "file-read*"], "openat", Path, &[], Reads, SB_PERM }
    /// Opens the file for writing, relative to a `/` that was opened before the policy was applied.
    FileWriteRootrel "file_write_rootrel" {
        macos: &["file-write-data", "file-write*"], "openat", Path, &[], Changes, SB_PERM
    }
    /// Searches the catalogue of the target's volume for the target's last part.
    FileSearch "file_search" { macos: &["file-search"], "searchfs", Path, &[], Reads, SB_SEARCH }
    /// Clones the target to `to`.
    FileClone "file_clone" { macos: &["file-clone", "file-write*"], "clonefile", Path, &[Param::To], Changes, SB_PERM }
    /// Maps the target, opened before the policy was applied, for execution.
    FileMapExecutable "file_map_executable" { &["file-map-executable"], "mmap", Path, &[], Reads, NEVER; macos "mmap" }
    /// Asks the target, a device opened before the policy was applied, for its window size (`TIOCGWINSZ`).
    FileIoctl "file_ioctl" { macos: &["file-ioctl"], "ioctl", Path, &[], Reads, SB_IOCTL }
    /// Looks up a Mach service; the policy query asks for the `global-name`.
    MachLookup "mach_lookup" { macos: &["mach-lookup"], "bootstrap_look_up", Name, &[], Reads, SB_MACH }
    /// Looks up a Mach service; the policy query asks for the `local-name`.
    MachLookupLocal "mach_lookup_local" { macos: &["mach-lookup"], "bootstrap_look_up", Name, &[], Reads, SB_MACH }
    /// Registers a Mach service.
    MachRegister "mach_register" { macos: &["mach-register"], "bootstrap_register", Name, &[], Reads, SB_MACH }
    /// Connects to an XPC service and waits for its answer to an empty message.
    XpcLookup "xpc_lookup" {
        macos: &["mach-lookup"], "xpc_connection_send_message_with_reply_sync", Name, &[], Reads, SB_XPC
    }
    /// Opens the first service of a registry class. The call is checked as `iokit-open-user-client` too.
    IokitOpenService "iokit_open_service" {
        macos: &["iokit-open-service", "iokit-open*"], "IOServiceOpen", Name, &[], Reads, SB_IOKIT
    }
    /// The same call, where the user client is what the policy is about. It is checked as `iokit-open-service` too.
    IokitOpenUserClient "iokit_open_user_client" {
        macos: &["iokit-open-user-client", "iokit-open*"], "IOServiceOpen", Name, &[], Reads, SB_IOKIT
    }
    /// Reads a kernel variable by name.
    SysctlRead "sysctl_read" { macos: &["sysctl-read"], "sysctlbyname", Name, &[], Reads, SB_PERM }
    /// Posts a Darwin notification. Its success proves nothing, so only a refusal decides.
    DarwinNotificationPost "darwin_notification_post" {
        macos: &["darwin-notification-post"], "notify_post", Name, &[], Reads, SB_NOTIFY
    }
    /// Posts a distributed notification. The call answers nothing, so it never decides.
    DistributedNotificationPost "distributed_notification_post" {
        macos: &["distributed-notification-post"], "CFNotificationCenterPostNotification", Name, &[], Reads, SB_SILENT
    }
    /// Asks for the basic facts of a process.
    ProcessInfo "process_info" { macos: &["process-info-pidinfo"], "proc_pidinfo", Process, &[], Reads, SB_PERM }
    /// Signals a child that was started under the policy and so is in the same sandbox.
    SignalSameSandbox "signal_same_sandbox" { macos: &["signal"], "kill", None, &[], Reads, SB_PERM }
    /// Accepts a connection that was made to a loopback listener before the policy was applied.
    TcpAccept "tcp_accept" { macos: &["network-inbound"], "accept", Endpoint, &[], Reads, SB_PERM }
    /// Makes a shared memory object of a name that nobody has, and removes it. On Linux, where it is a file of `/dev/shm`, the
    /// name is drawn and the target says nothing.
    PosixShm "posix_shm" {
        &["ipc-posix-shm-write-create", "ipc-posix-shm*"], "openat", Name, &[], Reads, ACCES; macos "shm_open"
    }
    /// Makes a semaphore of a name that nobody has, and removes it.
    PosixSem "posix_sem" { macos: &["ipc-posix-sem-create", "ipc-posix-sem*"], "sem_open", Name, &[], Reads, SB_PERM }
    /// Makes a pseudo terminal.
    PseudoTty "pseudo_tty" { &["pseudo-tty"], "openat", None, &[], Reads, ACCES; macos "grantpt" }
    /// Makes a kernel control socket (`AF_SYSTEM`).
    SystemSocket "system_socket" { macos: &["system-socket"], "socket", None, &[], Reads, SB_PERM }
    /// Reads the preference `name` of the domain. A value decides; without one nothing is known.
    PreferenceRead "preference_read" {
        macos: &["user-preference-read"], "CFPreferencesCopyValue", Name, &[Param::Name], Reads, SB_NONE
    }
    /// Attempts nothing: only the policy query is asked, for any operation. Never counted as more than an oracle.
    PolicyQuery "policy_query" { macos: &["default"], "none", Name, &[], Reads, SB_SILENT }
    /// Does nothing after the policy was applied. For apply checks; it says nothing about any operation.
    ApplyOnly "apply_only" { &["default"], "none", None, &[], Reads, NEVER; macos "none" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_again() {
        for driver in Driver::ALL {
            let info = driver.info();
            assert_eq!(Driver::by_name(info.name), Some(*driver));
            assert_eq!(serde_json::to_value(driver).unwrap(), info.name);
            assert!(!info.operations.is_empty());
            assert_eq!(info.syscall.is_empty(), !info.platforms.linux(), "{}", info.name);
            assert_eq!(info.darwin_call.is_empty(), !info.platforms.macos(), "{}", info.name);
        }
        assert_eq!(Driver::by_name("cat"), None);
    }

    /// SPEC.md, section 2.2, against the table here: every driver, its call, whether it changes, and what refuses it.
    #[test]
    fn the_published_table_says_what_the_drivers_are() {
        let spec = include_str!("../../SPEC.md");
        let (_, table) = spec.split_once("<!-- drivers -->\n").unwrap();
        let (table, _) = table.split_once("<!-- /drivers -->").unwrap();
        let mut rows = table.lines().skip(2);
        for info in Driver::ALL.iter().map(|driver| driver.info()).filter(|info| info.platforms.linux()) {
            let row = rows.next().unwrap_or_else(|| panic!("`{}` is missing", info.name));
            let cells: Vec<&str> = row.split(" | ").map(str::trim).collect();
            let [name, what, call, _, effect, denials] = cells[..] else { panic!("six cells: {row}") };
            assert_eq!(name, format!("| `{}`", info.name));
            assert!(what.ends_with('.'), "{row}");
            assert_eq!(call, format!("`{}`", info.syscall));
            let changes = match info.effect {
                Effect::Reads => "",
                Effect::OpensForWriting => "opens",
                Effect::Changes => "changes",
            };
            assert_eq!(effect, changes, "{row}");
            let names: Vec<_> =
                info.landlock_denials.iter().filter_map(|n| crate::base::errno::errno_name(*n)).collect();
            let denials = denials.trim_end_matches(['|', ' ']).trim_matches(['(', ')']);
            assert_eq!(denials, names.join(", "), "{row}");
        }
        assert_eq!(rows.next(), None);
    }
}
