//! The drivers: each performs one operation, and says which errors are a denial of it.
//!
//! A driver's name stands in a probe's `driver` field. The table here is data for loading, lint, the model and the
//! reader; the code that makes the system calls is in `probe`.

use serde::{Deserialize, Serialize};

/// What a driver's target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetKind {
    /// A path.
    Path,
    /// `HOST:PORT`, with a numeric IPv4 address or a bracketed IPv6 one.
    Endpoint,
    /// The name of an abstract UNIX socket, without the leading NUL.
    AbstractName,
    /// No target; the field is informative.
    None,
}

/// Whether a driver changes its target (then the target has to be the run's own).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It only looks.
    Reads,
    /// It changes, makes or removes something.
    Changes,
}

/// A parameter that a driver takes beside its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Param {
    /// `to`: the second path of a rename, an exchange or a link; the text of a symbolic link.
    To,
    /// `name`: the name of an extended attribute.
    Name,
}

/// What is known about a driver.
#[derive(Debug, Clone, Copy)]
pub struct DriverInfo {
    /// The name in documents.
    pub name: &'static str,
    /// The Seatbelt names of the operations that it may stand for; the first is the usual one.
    pub operations: &'static [&'static str],
    /// The system call that is the operation.
    pub syscall: &'static str,
    /// What the target is.
    pub target: TargetKind,
    /// The parameters that it needs.
    pub params: &'static [Param],
    /// Whether it changes its target.
    pub effect: Effect,
    /// Error numbers that mean "refused by Landlock" for this operation.
    pub landlock_denials: &'static [i32],
    /// Error numbers that mean "refused by the platform" in the baseline lane.
    pub platform_denials: &'static [i32],
}

const ACCES: &[i32] = &[libc::EACCES];
/// Renames and links that would gain rights, or cross folders without the right to, fail with EXDEV
/// (Documentation/userspace-api/landlock.rst, "Filesystem flags", LANDLOCK_ACCESS_FS_REFER).
const ACCES_XDEV: &[i32] = &[libc::EACCES, libc::EXDEV];
/// Scopes and topology changes answer EPERM (security/landlock/task.c, fs.c).
const PERM: &[i32] = &[libc::EPERM];
/// ptrace-style access across domains: EPERM, which procfs turns into EACCES for its links.
const ACCES_PERM: &[i32] = &[libc::EACCES, libc::EPERM];
/// What ordinary permissions, mount options and other security modules answer.
const PLATFORM: &[i32] = &[libc::EACCES, libc::EPERM, libc::EROFS];
/// No ABI up to 10 refuses these operations (landlock.rst, "Current limitations"). Should a kernel do so after all, it
/// would answer as the other hooks do; that is a finding, and to name no error here would hide it as undecided.
const NEVER: &[i32] = ACCES_PERM;

macro_rules! drivers {
    ($($(#[$doc:meta])* $variant:ident $name:literal {
        $operations:expr, $syscall:literal, $target:ident, $params:expr, $effect:ident, $denials:expr
    })*) => {
        /// A driver, by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Driver {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Driver {
            /// Every driver.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// What is known about it.
            pub fn info(self) -> DriverInfo {
                match self {
                    $(Self::$variant => DriverInfo {
                        name: $name,
                        operations: $operations,
                        syscall: $syscall,
                        target: TargetKind::$target,
                        params: $params,
                        effect: Effect::$effect,
                        landlock_denials: $denials,
                        platform_denials: PLATFORM,
                    },)*
                }
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
    FileRead "file_read" { &["file-read-data", "file-read*"], "openat", Path, &[], Reads, ACCES }
    /// Opens for writing without creating or truncating, and writes one byte at the end.
    FileWrite "file_write" { &["file-write-data", "file-write*"], "openat", Path, &[], Changes, ACCES }
    /// Opens for reading and writing.
    FileReadWrite "file_read_write" { &["file-write-data", "file-write*"], "openat", Path, &[], Changes, ACCES }
    /// Opens with `O_PATH`: a handle that can neither read nor write.
    FileOpenPath "file_open_path" { &["file-read-metadata"], "openat", Path, &[], Reads, NEVER }
    /// Reads through a descriptor that was opened before the policy was applied.
    FileReadInherited "file_read_inherited" { &["file-read-data"], "read", Path, &[], Reads, NEVER }
    /// Opens the parent folder under the policy, then the file relative to it.
    FileReadAt "file_read_at" { &["file-read-data"], "openat", Path, &[], Reads, ACCES }
    /// Creates a missing regular file for writing, exclusively.
    FileCreate "file_create" { &["file-write-create", "file-write*"], "openat", Path, &[], Changes, ACCES }
    /// Removes a file.
    FileUnlink "file_unlink" { &["file-write-unlink", "file-write*"], "unlinkat", Path, &[], Changes, ACCES }
    /// Renames the target to `to`.
    FileRename "file_rename" { &["file-write-unlink", "file-write*"], "renameat2", Path, &[Param::To], Changes, ACCES_XDEV }
    /// Exchanges the target and `to`.
    FileExchange "file_exchange" { &["file-write-unlink", "file-write*"], "renameat2", Path, &[Param::To], Changes, ACCES_XDEV }
    /// Makes `to` a hard link to the target.
    FileLink "file_link" { &["file-link", "file-write*"], "linkat", Path, &[Param::To], Changes, ACCES_XDEV }
    /// Truncates by path.
    FileTruncate "file_truncate" { &["file-write-data", "file-write*"], "truncate", Path, &[], Changes, ACCES }
    /// Opens for writing with `O_TRUNC`.
    FileOpenTruncate "file_open_truncate" { &["file-write-data", "file-write*"], "openat", Path, &[], Changes, ACCES }
    /// Truncates through a descriptor that was opened before the policy was applied.
    FileTruncateInherited "file_truncate_inherited" { &["file-write-data"], "ftruncate", Path, &[], Changes, NEVER }
    /// Truncates through a descriptor opened for writing under the policy.
    FileTruncateFd "file_truncate_fd" { &["file-write-data"], "ftruncate", Path, &[], Changes, ACCES }
    /// Makes the target a symbolic link that holds the text `to`.
    SymlinkCreate "symlink_create" { &["file-write-create", "file-write*"], "symlinkat", Path, &[Param::To], Changes, ACCES }
    /// Makes a folder.
    DirCreate "dir_create" { &["file-write-create", "file-write*"], "mkdirat", Path, &[], Changes, ACCES }
    /// Removes an empty folder.
    DirRemove "dir_remove" { &["file-write-unlink", "file-write*"], "unlinkat", Path, &[], Changes, ACCES }
    /// Opens a folder and lists it.
    DirList "dir_list" { &["file-read-data", "file-read*"], "openat", Path, &[], Reads, ACCES }
    /// Makes a FIFO.
    FifoCreate "fifo_create" { &["file-write-create", "file-write*"], "mknodat", Path, &[], Changes, ACCES }
    /// Makes a socket node without binding a socket.
    SocketNodeCreate "socket_node_create" { &["file-write-create", "file-write*"], "mknodat", Path, &[], Changes, ACCES }
    /// Makes a character device node of number 0:0 (a whiteout, which needs no privilege since Linux 5.8).
    CharDeviceCreate "char_device_create" { &["file-mknod", "file-write*"], "mknodat", Path, &[], Changes, ACCES }
    /// Makes a block device node.
    BlockDeviceCreate "block_device_create" { &["file-mknod", "file-write*"], "mknodat", Path, &[], Changes, ACCES }
    /// Asks for a file's metadata, following links.
    FileStat "file_stat" { &["file-read-metadata", "file-read*"], "newfstatat", Path, &[], Reads, NEVER }
    /// Asks whether a file exists.
    FileAccess "file_access" { &["file-test-existence", "file-read-metadata"], "faccessat", Path, &[], Reads, NEVER }
    /// Reads the text of a symbolic link.
    FileReadlink "file_readlink" { &["file-read-metadata", "file-read*"], "readlinkat", Path, &[], Reads, NEVER }
    /// Changes the permission bits.
    FileChmod "file_chmod" { &["file-write-mode", "file-write*"], "fchmodat", Path, &[], Changes, NEVER }
    /// Changes the times.
    FileUtimes "file_utimes" { &["file-write-times", "file-write*"], "utimensat", Path, &[], Changes, NEVER }
    /// Reads the extended attribute `name`.
    XattrGet "xattr_get" { &["file-read-xattr", "file-read*"], "getxattr", Path, &[Param::Name], Reads, NEVER }
    /// Sets the extended attribute `name`.
    XattrSet "xattr_set" { &["file-write-xattr", "file-write*"], "setxattr", Path, &[Param::Name], Changes, NEVER }
    /// Lists the extended attributes.
    XattrList "xattr_list" { &["file-read-xattr", "file-read*"], "listxattr", Path, &[], Reads, NEVER }
    /// Opens the random device and asks for its entropy count (`RNDGETENTCNT`), which any user may.
    DeviceIoctl "device_ioctl" { &["file-ioctl"], "ioctl", Path, &[], Reads, ACCES }
    /// Executes the target, which has to be a program made by the `program` fixture.
    Exec "exec" { &["process-exec*"], "execve", Path, &[], Reads, ACCES }
    /// Makes a child process and waits for it.
    ProcessFork "process_fork" { &["process-fork"], "clone", None, &[], Reads, NEVER }
    /// Connects a TCP socket.
    TcpConnect "tcp_connect" { &["network-outbound"], "connect", Endpoint, &[], Reads, ACCES }
    /// Binds a TCP socket.
    TcpBind "tcp_bind" { &["network-bind"], "bind", Endpoint, &[], Reads, ACCES }
    /// Listens on a TCP socket that was never bound: the kernel picks a port.
    TcpListenUnbound "tcp_listen_unbound" { &["network-inbound"], "listen", None, &[], Reads, ACCES }
    /// Binds a UDP socket.
    UdpBind "udp_bind" { &["network-bind"], "bind", Endpoint, &[], Reads, ACCES }
    /// Sends a datagram without connecting.
    UdpSend "udp_send" { &["network-outbound"], "sendto", Endpoint, &[], Reads, ACCES }
    /// Connects a UNIX stream socket to a path.
    UnixConnect "unix_connect" { &["network-outbound"], "connect", Path, &[], Reads, ACCES }
    /// Binds a UNIX stream socket to a path, which makes a socket node.
    UnixBind "unix_bind" { &["network-bind", "file-write-create"], "bind", Path, &[], Changes, ACCES }
    /// Connects a UNIX stream socket to an abstract name.
    AbstractConnect "abstract_connect" { &["network-outbound"], "connect", AbstractName, &[], Reads, PERM }
    /// Sends a datagram to an abstract UNIX socket.
    AbstractSend "abstract_send" { &["network-outbound"], "sendto", AbstractName, &[], Reads, PERM }
    /// Signals a process that was started before the policy was applied, outside its domain.
    SignalOutside "signal_outside" { &["signal"], "kill", None, &[], Reads, PERM }
    /// Signals a process that was started after the policy was applied, inside its domain.
    SignalInside "signal_inside" { &["signal"], "kill", None, &[], Reads, PERM }
    /// Signals the probe process itself.
    SignalSelf "signal_self" { &["signal"], "kill", None, &[], Reads, PERM }
    /// Reads the executable link of the process outside the domain, which asks for ptrace-style access.
    ProcessInspectOutside "process_inspect_outside" { &["process-info-pidinfo"], "readlinkat", None, &[], Reads, ACCES_PERM }
    /// Binds a folder over another, in a mount namespace of the probe's own.
    MountBind "mount_bind" { &["file-mount"], "mount", Path, &[Param::To], Changes, PERM }
    /// Does nothing after the policy was applied. For apply checks; it says nothing about any operation.
    ApplyOnly "apply_only" { &["default"], "none", None, &[], Reads, NEVER }
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
        }
        assert_eq!(Driver::by_name("cat"), None);
    }
}
