//! What a call that went through inside a launcher is worth.

use super::cover::{Cover, CoverKind, OperatedObject};
use crate::record::driver::Driver;
use crate::record::launcher::{ContentSeen, LauncherRecord, NameTrial, OperationOutcome, WorkerAnswer};
use crate::record::outcome::FailureKind;

/// What one asking shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskedSuccess {
    /// It was on the host's object, or on one with what the host's holds.
    Allow(Option<OperatedObject>),
    /// It went through, on something else.
    Diverted,
    /// It went through, and brought nothing about.
    Emulated,
    /// It went through, and nobody can say on what.
    Unclear(FailureKind, &'static str),
    /// It did not go through.
    Failed,
}

/// By what the success of an operation shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SuccessEvidence {
    /// By what was read.
    Content,
    /// By which object it was.
    Object,
    /// By what the host sees on its own object.
    Effect,
    /// By what it brings about for the process itself.
    Consequence,
    /// By nothing that is known here.
    Nothing,
}

fn shows(driver: Driver) -> SuccessEvidence {
    use Driver as D;
    match driver {
        D::FileRead
        | D::FileReadAt
        | D::FileReadInherited
        | D::DirList
        | D::FileReadlink
        | D::XattrGet
        | D::FileReadReopened
        | D::IoUringRead => SuccessEvidence::Content,
        _ if reads_token(driver) => SuccessEvidence::Content,
        D::FileStat
        | D::FileAccess
        | D::XattrList
        | D::FileOpenPath
        | D::FileOpenWrite
        | D::FileReadWrite
        | D::FileStatfs
        | D::Chdir
        | D::InotifyWatch
        | D::FileLock
        | D::FileChown
        | D::FileMapExecutable
        | D::DeviceIoctl => SuccessEvidence::Object,
        D::FileWrite
        | D::FileCreate
        | D::FileTruncate
        | D::FileOpenTruncate
        | D::FileTruncateInherited
        | D::FileTruncateFd
        | D::FileUnlink
        | D::FileRename
        | D::FileExchange
        | D::FileLink
        | D::SymlinkCreate
        | D::DirCreate
        | D::DirRemove
        | D::FifoCreate
        | D::SocketNodeCreate
        | D::CharDeviceCreate
        | D::BlockDeviceCreate
        | D::FileChmod
        | D::FileUtimes
        | D::XattrSet
        | D::UnixBind
        | D::TcpConnect
        | D::MptcpConnect
        | D::TcpFastOpen
        | D::IoUringConnect
        | D::UdpConnect
        | D::FileWriteReopened
        | D::TtyIoctl
        | D::TtyInject
        | D::UdpSend
        | D::UnixConnect
        | D::AbstractConnect
        | D::AbstractSend
        | D::UnixSend
        | D::SignalOutside => SuccessEvidence::Effect,
        D::Exec
        | D::ProcessFork
        | D::SignalInside
        | D::SignalSelf
        | D::TcpBind
        | D::TcpListenUnbound
        | D::UdpBind
        | D::RawSocket
        | D::PacketSocket
        | D::NetlinkSocket
        | D::VsockSocket
        | D::UserNamespace
        | D::UserNamespaceMap
        | D::BpfMap
        | D::PerfEvent
        | D::Userfaultfd
        | D::IoUring
        | D::SysvSem
        | D::SysvMsg
        | D::PosixMq
        | D::KeyAdd
        | D::ExecMemfd
        | D::ExecWritten
        | D::MptcpBind
        | D::PosixShm
        | D::MountBind
        | D::MountTmpfs
        | D::Chroot
        | D::PivotRoot
        | D::ProcessMapsOutside
        | D::ProcessRootOutside
        | D::ProcessPriorityOutside
        | D::PseudoTty
        | D::ProcessInspectOutside => SuccessEvidence::Consequence,
        _ => SuccessEvidence::Nothing,
    }
}

/// Whether the operation reads a token that was made for it, which its trace tells.
pub fn reads_token(driver: Driver) -> bool {
    use Driver as D;
    matches!(
        driver,
        D::EnvironmentRead
            | D::DescriptorRead
            | D::SysvShm
            | D::KeyRead
            | D::PtraceOutside
            | D::PidfdGetfdOutside
            | D::ProcessVmReadvOutside
            | D::ProcessEnvironOutside
            | D::ProcessMemOutside
    )
}

/// Whether the operation makes something in a folder.
pub(super) fn creates(driver: Driver) -> bool {
    use Driver as D;
    matches!(
        driver,
        D::FileCreate
            | D::SymlinkCreate
            | D::DirCreate
            | D::FifoCreate
            | D::SocketNodeCreate
            | D::CharDeviceCreate
            | D::BlockDeviceCreate
            | D::UnixBind
            | D::FileLink
    )
}

/// What one asking of a question shows.
pub(super) fn of(driver: Driver, record: &LauncherRecord, asked: &NameTrial) -> AskedSuccess {
    let answer = &asked.answer;
    if answer.outcome != OperationOutcome::Done {
        return AskedSuccess::Failed;
    }
    let covers = Cover::of(driver, &record.around).covers;
    match shows(driver) {
        SuccessEvidence::Content => match answer.content {
            Some(ContentSeen::Nonce) => AskedSuccess::Allow(answer.same_object.map(object)),
            Some(ContentSeen::Other) if host_unchanged(record) => AskedSuccess::Diverted,
            Some(ContentSeen::Other) => AskedSuccess::Unclear(
                FailureKind::Noise,
                "other content was read, and the host's own was not seen to be still there",
            ),
            Some(ContentSeen::Unmarked) | None => by_object(answer, covers),
        },
        SuccessEvidence::Object => by_object(answer, covers),
        SuccessEvidence::Effect => by_effect(driver, asked, covers),
        SuccessEvidence::Consequence => by_consequence(driver, answer, covers),
        SuccessEvidence::Nothing => AskedSuccess::Unclear(
            FailureKind::ProbeInconclusive,
            "the call went through, and nothing is defined that would show what it brought about",
        ),
    }
}

fn object(same: bool) -> OperatedObject {
    if same { OperatedObject::Same } else { OperatedObject::Other }
}

/// Whether the host's object still held what the run had put there, after everything else.
fn host_unchanged(record: &LauncherRecord) -> bool {
    record
        .after
        .as_ref()
        .is_some_and(|after| after.outcome == OperationOutcome::Done && after.content == Some(ContentSeen::Nonce))
}

/// What cannot be told by content is told by which object it was.
fn by_object(answer: &WorkerAnswer, covers: Option<bool>) -> AskedSuccess {
    match (answer.content, answer.same_object, covers) {
        (Some(ContentSeen::Nonce), same, _) => AskedSuccess::Allow(same.map(object)),
        (_, Some(true), _) => AskedSuccess::Allow(Some(OperatedObject::Same)),
        (_, _, Some(true)) => AskedSuccess::Diverted,
        _ => AskedSuccess::Unclear(
            FailureKind::ObjectUnproved,
            "the call went through, and on which object is not known",
        ),
    }
}

/// An effect counts if the host saw it on its own object.
fn by_effect(driver: Driver, asked: &NameTrial, covers: Option<bool>) -> AskedSuccess {
    let Some(effect) = &asked.effect else { return without_witness(driver, &asked.answer, covers) };
    match (effect.when, effect.twin_intact) {
        (Some(_), Some(false)) => AskedSuccess::Unclear(
            FailureKind::Noise,
            "the effect was seen, and also on an object that nobody had asked about",
        ),
        (Some(_), _) => AskedSuccess::Allow(Some(OperatedObject::Same)),
        (None, _) if effect.barrier == Some(false) => AskedSuccess::Unclear(
            FailureKind::EffectNotSeen,
            "the effect was not seen, and neither was the host's own of the same kind",
        ),
        (None, _) if covers == Some(true) => AskedSuccess::Diverted,
        (None, _) => AskedSuccess::Unclear(
            FailureKind::EffectNotSeen,
            "the call went through, its effect was not seen, and nothing covers its object",
        ),
    }
}

/// Where somebody else listens, the host cannot look. A connection stands only if whoever is there has accepted it, and who is
/// there is the host's own if nothing stands between.
fn without_witness(driver: Driver, answer: &WorkerAnswer, covers: Option<bool>) -> AskedSuccess {
    let path = CoverKind::of(driver) == CoverKind::Path;
    match (answer.consequence, covers) {
        (Some(false), _) => AskedSuccess::Emulated,
        (Some(true), Some(false)) => AskedSuccess::Allow(Some(OperatedObject::Same)),
        (Some(true), Some(true)) if path => AskedSuccess::Diverted,
        _ => {
            AskedSuccess::Unclear(FailureKind::EffectNotSeen, "the call went through, and nobody looked for its effect")
        }
    }
}

/// A call without an effect on others counts by what it brings about for its own process.
fn by_consequence(driver: Driver, answer: &WorkerAnswer, covers: Option<bool>) -> AskedSuccess {
    let unproved =
        AskedSuccess::Unclear(FailureKind::ObjectUnproved, "it went through, and on which object is not known");
    match answer.consequence {
        None => AskedSuccess::Unclear(
            FailureKind::EffectNotSeen,
            "it went through, and nobody looked what it brought about",
        ),
        Some(false) => AskedSuccess::Emulated,
        // What has an address or a number may be another one of the same.
        Some(true) => match (CoverKind::of(driver), answer.same_object, covers) {
            (CoverKind::Nothing, _, _) => AskedSuccess::Allow(None),
            (_, Some(true), _) => AskedSuccess::Allow(Some(OperatedObject::Same)),
            (_, _, Some(true)) => AskedSuccess::Diverted,
            (CoverKind::Address, None, Some(false)) => AskedSuccess::Allow(Some(OperatedObject::Same)),
            _ => unproved,
        },
    }
}
