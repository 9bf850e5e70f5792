//! What the table of drivers says of each: where it exists, what it takes, what it changes, and which answers of its call are a
//! denial.

use super::enforcer::Enforcer;
use super::platform::Platform;

/// What a driver's target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetKind {
    /// A path.
    Path,
    /// `HOST:PORT`, with a numeric IPv4 address or a bracketed IPv6 one.
    Endpoint,
    /// The name of an abstract UNIX socket, without the leading NUL.
    AbstractName,
    /// A name in some space of the system's own: a Mach service, a registry class, a notification, a preference domain.
    Name,
    /// `self`, `outside` (a process that was started before the policy was applied) or a process id.
    Process,
    /// The name of an environment variable.
    Variable,
    /// What a process has from the one that started it: a descriptor, a key, a terminal. The field is informative.
    HandedDown,
    /// System V shared memory that the run makes. The field is informative.
    SharedMemory,
    /// A process outside, which the run starts or is itself. The field is informative.
    OutsideProcess,
    /// No target; the field is informative.
    None,
}

impl TargetKind {
    /// Whether a probe's target only tells people what is meant.
    pub fn is_informative(self) -> bool {
        match self {
            Self::HandedDown | Self::SharedMemory | Self::OutsideProcess | Self::None => true,
            Self::Path | Self::Endpoint | Self::AbstractName | Self::Name | Self::Process | Self::Variable => false,
        }
    }
}

/// Whether a driver changes its target (then the target has to be the run's own).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It only looks.
    Reads,
    /// It opens the target for writing, and writes nothing. A file stays as it is, so it may be anybody's; what an opening
    /// alone may set in motion (most devices, the other end of a FIFO) may not.
    OpensForWriting,
    /// It changes, makes or removes something.
    Changes,
}

/// What of a path a changing driver changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeReach {
    /// The object that the path leads to, a final link followed.
    Object,
    /// The entry of that name in its folder; a final link is not followed.
    Entry,
}

/// A parameter that a driver takes beside its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Param {
    /// `to`: the second path of a rename, an exchange or a link; the text of a symbolic link.
    To,
    /// `name`: the name of an extended attribute, or the key of a preference.
    Name,
    /// `payload`: which attributes an attribute list names, see [`PAYLOADS`]. Without it, the first of them.
    Payload,
}

/// The attribute lists that `file_getattrlist` and `file_setattrlist` know.
pub const PAYLOADS: [&str; 4] = ["cmn", "cmn-name", "cmn-times", "file-size"];

/// On which systems a driver exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Platforms {
    /// Linux, under Landlock.
    Linux,
    /// macOS, under Seatbelt.
    Macos,
    /// On Linux and on macOS.
    Both,
}

impl Platforms {
    /// Whether the driver exists on that one.
    pub fn has(self, platform: Platform) -> bool {
        match platform {
            Platform::Linux => self.linux(),
            Platform::Macos => self.macos(),
        }
    }

    /// Whether the driver exists on Linux.
    pub fn linux(self) -> bool {
        self != Self::Macos
    }

    /// Whether the driver exists on macOS.
    pub fn macos(self) -> bool {
        self != Self::Linux
    }
}

/// What answers of an operation mean under Seatbelt. Numbers are those of macOS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeatbeltAnswers {
    /// Error numbers that mean "refused".
    pub errnos: &'static [i32],
    /// Codes that mean "refused", in the call's own space (Mach, IOKit, notify, XPC); see `report::Call::code`.
    pub codes: &'static [i32],
    /// Error numbers that only something behind the policy gives: the operation was let through.
    pub reached: &'static [i32],
    /// Whether a success says nothing about the policy, because whoever decides does not answer.
    pub silent: bool,
}

/// The answers of one operation that mean "refused" by one enforcer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denials {
    /// Error numbers.
    pub errnos: &'static [i32],
    /// Codes of a call's own space; see [`SeatbeltAnswers::codes`].
    pub codes: &'static [i32],
}

/// What is known about a driver.
#[derive(Debug, Clone, Copy)]
pub struct DriverInfo {
    /// The name in documents.
    pub name: &'static str,
    /// The Seatbelt names of the operations that it may stand for; the first is the usual one.
    pub operations: &'static [&'static str],
    /// The systems on which it exists.
    pub platforms: Platforms,
    /// The system call that is the operation: on Linux, where it exists there.
    pub syscall: &'static str,
    /// The call that is the operation on macOS; empty if it does not exist there.
    pub darwin_call: &'static str,
    /// What the target is.
    pub target: TargetKind,
    /// The parameters that it needs.
    pub params: &'static [Param],
    /// Whether it changes its target.
    pub effect: Effect,
    /// Error numbers that mean "refused by Landlock" for this operation.
    pub landlock_denials: &'static [i32],
    /// What answers mean under Seatbelt.
    pub seatbelt: SeatbeltAnswers,
    /// Error numbers that mean "refused by the platform" in the baseline lane.
    pub platform_denials: &'static [i32],
}

impl DriverInfo {
    /// What means "refused" by an enforcer; without one, by the platform itself, as in the baseline lane.
    pub fn denials(&self, by: Option<Enforcer>) -> Denials {
        match by {
            None => Denials { errnos: self.platform_denials, codes: self.seatbelt.codes },
            Some(Enforcer::Landlock) => Denials { errnos: self.landlock_denials, codes: &[] },
            // Judged by a rule of its own (`evidence::launcher`).
            Some(Enforcer::Launcher) => Denials { errnos: &[], codes: &[] },
            Some(Enforcer::Seatbelt) => Denials { errnos: self.seatbelt.errnos, codes: self.seatbelt.codes },
        }
    }
}
