//! What a question put to a worker inside a launcher's sandbox showed: observations alone. `evidence::launcher` judges them.

pub use super::named_executable::NamedExecutable;
use serde::{Deserialize, Serialize};

use super::platform::Platform;
use crate::base::json::present;

/// How a denial under a launcher came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mechanism {
    /// The call was answered with an error that means "no".
    Refused,
    /// What was asked about is not there: something covers it.
    Hidden,
    /// The call went through, on something else than the object in question.
    Diverted,
    /// The process was ended for the call.
    Killed,
    /// Nothing came back at all, and nothing arrived.
    Dropped,
}

impl Mechanism {
    /// Every one.
    pub const ALL: &'static [Self] = &[Self::Refused, Self::Hidden, Self::Diverted, Self::Killed, Self::Dropped];

    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Hidden => "hidden",
            Self::Diverted => "diverted",
            Self::Killed => "killed",
            Self::Dropped => "dropped",
        }
    }
}

/// How requests reach a worker and its answers come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartMode {
    /// Request by request over its standard input.
    Live,
    /// All requests at once, and then the end of its standard input.
    Batch,
    /// Requests in a file of the workspace.
    Mailbox,
    /// All requests among its arguments.
    Argv,
    /// Answers in a file of the workspace.
    ReportFile,
}

impl StartMode {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Batch => "batch",
            Self::Mailbox => "mailbox",
            Self::Argv => "argv",
            Self::ReportFile => "report_file",
        }
    }
}

/// What shows that the worker works on this machine's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// It read what was planted in the run's folders after it had started.
    Read,
    /// The worker's process was found among this machine's own.
    Process,
    /// It read what was planted before it started, and nothing that came later: it has a copy.
    Copy,
}

/// Why a question has no answer of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LauncherFault {
    /// No worker said that it lives, by any way of reaching it.
    NotStarted,
    /// Several workers answered at the same time.
    Many,
    /// Another worker went on in the place of the first.
    Restarted,
    /// The worker is not on this machine, or cannot see the run's folders.
    Elsewhere,
    /// The launcher ends whatever it started after some time.
    TimeLimit,
    /// The answer was lost, and nothing shows why.
    AnswerLost,
    /// What the operation would have changed inside is not the run's own.
    ForeignTarget,
    /// The worker has no way of performing the operation.
    CannotAsk,
}

/// One row's evidence under a launcher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LauncherRecord {
    /// The system whose error numbers stand here. Absent: Linux.
    #[serde(default = "Platform::linux", skip_serializing_if = "Platform::is_linux")]
    pub system: Platform,
    /// The start that it was asked in.
    pub start: LauncherStart,
    /// Why there is no answer. Absent where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultRecord>,
    /// What was asked, the name as spelled first, then the object's other names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<NameTrial>,
    /// The same question outside of the launcher, before. Absent for an operation that can be done only once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<WorkerAnswer>,
    /// The same question outside of the launcher, after everything else. Absent if nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<WorkerAnswer>,
    /// What is around the process, inside and outside.
    pub around: WorkerSurroundings,
    /// Whether what should always be there for this kind of question is there. Absent if it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neighbour: Option<bool>,
    /// The same system call with arguments that name nothing. Absent if it was not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_call: Option<EmptyCall>,
    /// Whether mounts, namespaces or the host's name inside had changed since the worker said hello.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub world_changed: bool,
}

impl LauncherRecord {
    /// A record that says nothing yet, of a question in the start of that number.
    pub fn empty(start: u32) -> Self {
        Self {
            system: Platform::here().unwrap_or(Platform::Linux),
            start: LauncherStart::new(start),
            fault: None,
            asked: Vec::new(),
            before: None,
            after: None,
            around: WorkerSurroundings::default(),
            neighbour: None,
            empty_call: None,
            world_changed: false,
        }
    }
}

/// How a worker was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LauncherStart {
    /// Which start of the lane, from 1.
    pub number: u32,
    /// How it was reached. Absent if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<StartMode>,
    /// As what the worker's executable was named to the launcher.
    pub executable: NamedExecutable,
    /// Whether operations are performed in the worker itself, because it cannot make processes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_process: bool,
    /// What shows that it works on this machine's objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    /// Each way of reaching it that failed, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<String>,
    /// The launcher's own programs. Empty: none was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<LauncherProgram>,
    /// What it said of its version: the first line. Absent: it was not asked, or did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What the launcher left in the workspace that the run did not put there, by path in it; at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub residue: Vec<String>,
}

impl LauncherStart {
    /// The start of that number, of which nothing is known yet.
    pub fn new(number: u32) -> Self {
        Self {
            number,
            mode: None,
            executable: NamedExecutable::Itself,
            in_process: false,
            link: None,
            attempts: Vec::new(),
            programs: Vec::new(),
            version: None,
            residue: Vec::new(),
        }
    }
}

/// A program that is a part of a launcher's identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LauncherProgram {
    /// Path of the program's file.
    pub path: String,
    /// The digest of its file.
    pub sha256: crate::base::digest::Digest,
}

/// Why there is no answer, in a word and in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRecord {
    /// What went wrong, as one of the known kinds.
    pub kind: LauncherFault,
    /// What was seen.
    pub detail: String,
}

/// A name of the object in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameKind {
    /// As the question spells it.
    Spelled,
    /// What the launcher's document says that it is called inside.
    Mapped,
    /// The object's path without symbolic links.
    Canonical,
    /// Another mount of the same file system that shows it.
    Mount,
    /// A descriptor that the launcher left open.
    Descriptor,
    /// The default gateway of the network inside, or its neighbour, in the address's place.
    Gateway,
    /// By way of an HTTP or SOCKS proxy that the environment inside names.
    Proxy,
}

/// Which names of an object an expectation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Names {
    /// Every one that is known.
    All,
    /// The one that the question spells.
    Spelled,
}

impl Names {
    /// Whether what came of a name counts.
    pub fn count(self, kind: NameKind) -> bool {
        self == Self::All || kind == NameKind::Spelled
    }
}

impl NameKind {
    /// Its name in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spelled => "spelled",
            Self::Mapped => "mapped",
            Self::Canonical => "canonical",
            Self::Mount => "mount",
            Self::Descriptor => "descriptor",
            Self::Gateway => "gateway",
            Self::Proxy => "proxy",
        }
    }
}

/// One asking of a question, under one name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameTrial {
    /// What kind of name it is.
    pub kind: NameKind,
    /// The name, as written.
    pub name: String,
    /// What came back.
    pub answer: WorkerAnswer,
    /// What the host saw of the effect. Absent for an operation without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<EffectSeen>,
    /// The same asked again at the end of the lane, where that was necessary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<OperationOutcome>,
}

/// What a worker said of one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerAnswer {
    /// How it ended.
    pub outcome: OperationOutcome,
    /// What its content was compared with what the run had put there. Absent for an operation without content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentSeen>,
    /// Whether it was on the object that the host has under that name, by device and inode. Absent if nobody could tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_object: Option<bool>,
    /// Whether what the operation brings about by itself was there afterwards. Absent where nothing is defined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consequence: Option<bool>,
    /// How long it took, in microseconds.
    pub duration_us: u64,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", try_from = "OutcomeMembers")]
pub enum OperationOutcome {
    /// Every call went through.
    Done,
    /// A call failed.
    Failed {
        /// Name of the call that failed.
        call: String,
        /// Error number (errno) of that call.
        errno: i32,
        /// Whether it only prepared the operation.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        prepares: bool,
    },
    /// Nothing came back within the operation's own limit.
    NoAnswer,
    /// It was not performed: a FIFO stands there, and to open one waits for whoever has its other end, or wakes him.
    Withheld,
    /// The process that performed it was ended.
    Died {
        /// By this signal; 0 if it is not known.
        signal: i32,
        /// Whether it was so twice.
        twice: bool,
        /// Whether a process that does nothing lived, before and after.
        nop_lives: bool,
        /// Whether the worker itself, and with it everything in the sandbox, was ended. Then whether an idle worker of the
        /// same age lived.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        box_control_lives: Option<bool>,
    },
}

/// An outcome as it is read: all members that any has. (A tagged enum that is derived would take a list for an object.)
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutcomeMembers {
    is: OutcomeKind,
    #[serde(default, deserialize_with = "present")]
    call: Option<String>,
    #[serde(default, deserialize_with = "present")]
    errno: Option<i32>,
    #[serde(default, deserialize_with = "present")]
    prepares: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    signal: Option<i32>,
    #[serde(default, deserialize_with = "present")]
    twice: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    nop_lives: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    box_control_lives: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeKind {
    Done,
    Failed,
    NoAnswer,
    Withheld,
    Died,
}

impl TryFrom<OutcomeMembers> for OperationOutcome {
    type Error = &'static str;

    fn try_from(read: OutcomeMembers) -> Result<Self, Self::Error> {
        let failed = (read.call, read.errno, read.prepares);
        let died = (read.signal, read.twice, read.nop_lives, read.box_control_lives);
        match (read.is, failed, died) {
            (OutcomeKind::Done, (None, None, None), (None, None, None, None)) => Ok(Self::Done),
            (OutcomeKind::NoAnswer, (None, None, None), (None, None, None, None)) => Ok(Self::NoAnswer),
            (OutcomeKind::Withheld, (None, None, None), (None, None, None, None)) => Ok(Self::Withheld),
            (OutcomeKind::Failed, (Some(call), Some(errno), prepares), (None, None, None, None)) => {
                Ok(Self::Failed { call, errno, prepares: prepares.unwrap_or_default() })
            }
            (
                OutcomeKind::Died,
                (None, None, None),
                (Some(signal), Some(twice), Some(nop_lives), box_control_lives),
            ) => Ok(Self::Died { signal, twice, nop_lives, box_control_lives }),
            _ => Err("an outcome has other members than its `is` calls for"),
        }
    }
}

impl OperationOutcome {
    /// The error number, if a call failed.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Failed { errno, .. } => Some(*errno),
            _ => None,
        }
    }
}

/// What came of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentSeen {
    /// What the run had put there, at least 8 bytes of it.
    Nonce,
    /// Something else.
    Other,
    /// The run had put nothing there that could be told from other content.
    Unmarked,
}

/// What the host saw of an effect on its own object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectSeen {
    /// When it was there. Absent if it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<EffectTime>,
    /// Whether an object of the same kind that nobody asked about stayed as it was. Absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twin_intact: Option<bool>,
    /// Whether the host's own effect of the same kind, made afterwards, was seen. Absent where the host made none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barrier: Option<bool>,
    /// Of an effect on files that was there: whether nobody else can have had it. It appeared between a look right before the
    /// question and one right after its answer, or the file is the very one that the operation was on, or has the time that
    /// the operation gave it. Absent for effects that carry a word of the run's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<bool>,
}

/// When the host looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectTime {
    /// After the answer.
    AtOnce,
    /// At the end of the lane.
    EndOfLane,
    /// After the launcher had ended.
    AfterEnd,
}

/// What is around a process. Each pair: outside, inside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerSurroundings {
    /// Where the mounts and namespaces of the inside were read. Absent: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_from: Option<ReadFrom>,
    /// What the path's longest mount shows it as, on the host. Absent for a question that is not about a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_outside: Option<MountSource>,
    /// The same inside. Absent if the mounts inside could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_inside: Option<MountSource>,
    /// Network namespaces, as their cookies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<[String; 2]>,
    /// Process id namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<[String; 2]>,
    /// Namespaces of System V IPC and POSIX message queues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipc: Option<[String; 2]>,
    /// Control groups, as the kernel spells them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<[String; 2]>,
    /// Whether a process inside is traced and one outside is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub traced: bool,
    /// `Seccomp:` of `/proc/PID/status`, or what prctl(2) says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seccomp_mode: Option<[u32; 2]>,
    /// Whether Seatbelt confines it, outside and inside. Absent where there is no Seatbelt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seatbelt: Option<[bool; 2]>,
    /// `Seccomp_filters:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seccomp_filters: Option<[u32; 2]>,
    /// Whether something of the target's name came after the run had made what it makes, and before the question: somebody else
    /// has made it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub appeared: bool,
    /// Whether user ids and capabilities are the same inside and outside.
    pub same_credentials: bool,
    /// A resource limit that is lower inside and that the error number speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_limit: Option<String>,
    /// Inodes of the pidfd of the process in question: outside, and what stands behind its number inside. Absent if it is no
    /// question about a process, or the kernel gives no such numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessIdentity>,
    /// The object itself, without the name that leads to it (a program without its interpreter): whether it is visible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visible: Option<bool>,
}

/// Where something was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadFrom {
    /// By the host, of the worker's process.
    Outside,
    /// By the worker, of itself.
    Inside,
}

/// What a mount shows a path as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MountSource {
    /// `MAJOR:MINOR` of the file system.
    pub device: String,
    /// The path within that file system.
    pub path: String,
    /// Where it is mounted.
    pub mount_point: String,
    /// Type of the file system, as in mountinfo: `ext4`, `tmpfs`, `overlay`, …
    pub fs_type: String,
    /// Whether it is read-only there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
}

impl MountSource {
    /// Whether both are the same object.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.device, &self.path) == (&other.device, &other.path)
    }
}

/// What stands behind a process number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessIdentity {
    /// Outside.
    pub outside: u64,
    /// Inside. Absent: no process has the number there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<u64>,
}

/// A system call with arguments that name nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmptyCall {
    /// Name of the system call.
    pub call: String,
    /// Error number (errno) inside the launcher; 0 if the call succeeded.
    pub inside: i32,
    /// The same outside.
    pub outside: i32,
}

/// What was judged of a question under a launcher, as `runtime_results.json` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LauncherJudgement<'a> {
    /// How it was denied; null for anything else.
    pub mechanism: Option<Mechanism>,
    /// What made the refusal, as far as it is known.
    pub via: Option<String>,
    /// What covers the object.
    pub covered_by: Option<String>,
    /// What the operation was on: `same`, `other` or `absent`; null if nobody knows.
    pub object: Option<&'static str>,
    /// The name under which it was allowed; null for anything else.
    pub name: Option<&'a str>,
    /// How the spelled name by itself was denied, where another name was allowed.
    pub by_name: Option<Mechanism>,
    /// Every name that was tried.
    pub tried: Vec<&'a str>,
    /// How the worker was reached; null if it was not.
    pub start: Option<StartMode>,
    /// What the launcher left in the workspace.
    pub residue: &'a [String],
}
