//! What a run asks its worker inside a launcher, and what the worker says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::action::Action;
use crate::record::report::OperationReport;

/// The hidden subcommand that is the worker.
pub const SUBCOMMAND: &str = "__inside";
/// The exit code of a worker that cannot work.
pub const UNFIT: u8 = 64;
/// The variable in which a process outside has the token that others are asked to read.
pub const TOKEN_VARIABLE: &str = "SANDPROOF_HELD";
/// How many tokens a pipe holds: each reading takes one.
#[cfg(target_os = "linux")]
pub const TOKENS: usize = 400;
/// The question number of what a worker says unasked.
pub const UNASKED: u64 = 0;
/// The question number of a worker's last word.
pub const LAST: u64 = u64::MAX;

/// What the run asks of a worker inside a launcher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerRequest {
    /// Say that you read me.
    Ping,
    /// Make a process that does nothing.
    Nop,
    /// Perform an operation.
    Do(Box<PerformRequest>),
    /// Make the system call of that name with arguments that name nothing.
    Empty {
        /// Name of the system call.
        call: String,
        /// The address family, for `socket`.
        family: i32,
    },
    /// Say what a path is.
    Look {
        /// Path to look at, as it is named inside.
        path: String,
    },
}

/// An operation to perform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PerformRequest {
    /// The operation, resolved.
    pub action: Action,
    /// Whether the content that was read is to be reported.
    pub content: bool,
    /// What is written into a connection once it stands; for listeners of the run's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greeting: Option<String>,
    /// The process in question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub victim: Option<OutsideProcess>,
    /// The folder to go to first, as an inherited descriptor: paths are relative to it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder_fd: Option<i32>,
    /// The descriptor that is itself the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fd: Option<i32>,
    /// The variable inside that names the proxy by which the target is to be reached. Absent: directly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Device and inode of what was handed down to the worker, if the launcher passes it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_down: Option<(u64, u64)>,
    /// The number of a System V object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipc_id: Option<i32>,
    /// What stands for the size that a terminal is given, or for the word that is typed into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn: Option<u64>,
    /// What may be changed.
    pub pledge: ChangeBounds,
    /// How long the operation may take, in milliseconds.
    pub limit_ms: u64,
}

impl PerformRequest {
    /// Asks for `action` with what it always needs: nothing handed down, nothing that may be changed.
    pub fn new(action: Action, limit_ms: u64) -> Self {
        Self {
            action,
            content: false,
            greeting: None,
            victim: None,
            folder_fd: None,
            fd: None,
            proxy: None,
            handed_down: None,
            ipc_id: None,
            drawn: None,
            pledge: ChangeBounds::default(),
            limit_ms,
        }
    }
}

/// A process outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideProcess {
    /// Process id in the host's own process id namespace.
    pub pid: i32,
    /// What no other process has had: on Linux the inode of its pidfd, on macOS its number.
    pub inode: u64,
    /// What is sent along with the signal; 0 where nothing can be.
    pub nonce: i32,
    /// The number of one of its own descriptors, from which a token can be read; -1 if it has none.
    pub fd: i32,
    /// Where in its memory the token lies.
    pub address: u64,
}

/// What may be changed: nothing foreign, wherever the launcher has put it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeBounds {
    /// Device and inode of the folders in which entries may change, and of objects that may.
    pub own: Vec<(u64, u64)>,
    /// The name of a file that the run put into each of its folders, and that no other folder has.
    pub mark: String,
}

/// What a worker says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerMessage {
    /// The worker has started; the first message of each.
    Alive,
    /// What it is about to try.
    Step(String),
    /// What it found around itself.
    Hello(Box<Hello>),
    /// It read the ping, or made a process that did nothing.
    Pong,
    /// What came of an operation.
    Done(Box<WorkerReport>),
    /// The error number of an empty call; 0 if it went through.
    Empty(i32),
    /// What a path is, or the error number of the question.
    Looked(Result<PathIdentity, i32>),
    /// The worker is about to end; the last message of each.
    Bye,
}

/// What a worker found around itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Process id of the worker in its own process id namespace.
    pub pid: i32,
    /// Real, effective and saved user ids, as `/proc/self/status` has them, or the effective one alone.
    pub uids: String,
    /// The same of groups.
    pub gids: String,
    /// Effective capabilities, as `/proc/self/status` has them.
    pub capabilities: String,
    /// `PR_GET_NO_NEW_PRIVS`.
    pub no_new_privs: bool,
    /// Whether a filter of system calls is on it: 0, 1 or 2. `None`: this system has none.
    pub seccomp_mode: Option<u32>,
    /// Whether Seatbelt confines it. `None`: there is no Seatbelt, or it cannot be asked.
    #[serde(default)]
    pub seatbelt: Option<bool>,
    /// How many filters. `None`: not known.
    pub seccomp_filters: Option<u32>,
    /// Who traces it; 0: nobody, or a process that it cannot see. `None`: not known.
    pub tracer: Option<i32>,
    /// Text of `/proc/self/cgroup`; empty if it cannot be read.
    pub cgroup: String,
    /// Namespaces by name.
    pub namespaces: BTreeMap<String, String>,
    /// The cookie of its network namespace.
    pub net_cookie: Option<u64>,
    /// `/proc/self/mountinfo`.
    pub mountinfo: String,
    /// `/proc/self/net/route`.
    pub routes: String,
    /// Inherited descriptors above 2.
    pub descriptors: Vec<(i32, PathIdentity)>,
    /// Soft limits, by name.
    pub limits: BTreeMap<String, u64>,
    /// Absolute path of the working directory; empty if it has none.
    pub cwd: String,
    /// Whether its standard input is a terminal.
    pub tty: bool,
    /// Names of its environment.
    pub environment: Vec<String>,
    /// Whether operations are performed in the worker itself.
    pub in_process: bool,
    /// Whether `/` can be looked at.
    pub sees_root: bool,
    /// Whether a socket can be made.
    pub makes_sockets: bool,
    /// A digest over mounts, namespaces and the host's name.
    pub world: u64,
}

/// What a path or descriptor is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathIdentity {
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Type and permission bits.
    pub mode: u32,
    /// Length in bytes.
    pub size: i64,
    /// Time of the last change of its content, in seconds and nanoseconds.
    pub mtime: (i64, i64),
    /// When it was made, in seconds and nanoseconds (`stx_btime` of statx(2)), which tells it from another that was given the
    /// number of a removed one; absent where nothing keeps that.
    #[serde(default)]
    pub born: Option<(i64, i64)>,
}

/// `S_IFMT` of sys/stat.h and the types below it, which are the same numbers on every system and of another integer type on each.
const TYPE: u32 = 0o170_000;

impl PathIdentity {
    /// When a file was made, as [`Self::born`] has it.
    pub fn born_of(found: &std::fs::Metadata) -> Option<(i64, i64)> {
        let since = found.created().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some((i64::try_from(since.as_secs()).ok()?, i64::from(since.subsec_nanos())))
    }

    /// Whether it is a folder.
    pub fn is_dir(&self) -> bool {
        self.mode & TYPE == 0o040_000
    }

    /// Whether it is a FIFO.
    pub fn is_fifo(&self) -> bool {
        self.mode & TYPE == 0o010_000
    }

    /// Whether it is a socket.
    pub fn is_socket(&self) -> bool {
        self.mode & TYPE == 0o140_000
    }
}

/// What came of an operation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerReport {
    /// The calls. Absent if the process ended without saying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationReport>,
    /// A preparing step that failed, with its error number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<(String, i32)>,
    /// What would have been changed and is not the run's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign: Option<String>,
    /// Whether a FIFO stands there, which to open would wait for somebody else or wake him.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withheld: bool,
    /// Whether the worker has no way of performing it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cannot: bool,
    /// Up to 4,096 bytes of what was read, in base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// What the operation was on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<PathIdentity>,
    /// Of an operation on files: the file that it made or changed, afterwards, or the one that it removed, before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touched: Option<PathIdentity>,
    /// The inode of the pidfd of the number in question. Absent: none, or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<u64>,
    /// Whether what the operation brings about for its own process was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consequence: Option<bool>,
    /// The signal that ended the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// The code with which the process ended, if it said nothing of the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// Whether its time ran out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expired: bool,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// The digest of the world afterwards.
    pub world: u64,
}
