//! What is made before the policy is applied, or before a launcher starts: which driver needs what.

use super::foreign_process::ForeignProcess;
use super::guard::{self, Guard};
use super::held::{self, OlderThread};
use super::helper::SignalHelper;
use super::ipc::Remover;
use super::{Preparation, Prepared, SyscallTexts, handed_down, ipc, keys, mounts, namespaces, tty};
use crate::record::action::{Action, ActionScope};
use crate::record::driver::Driver;
use crate::record::driver_sets::macos_drivers;
use crate::record::report::SetupFailure;
use crate::sys::linux::path;
use crate::sys::linux::sole::Sole;

/// What a driver needs to have been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beforehand {
    /// Nothing.
    Nothing,
    /// Its target, opened with these flags.
    Target(i32),
    /// The folder that its target is in, opened.
    Folder,
    /// A thread that is in no domain.
    OlderThread,
    /// An environment variable.
    Variable,
    /// A pipe.
    Pipe,
    /// A process that removes what it makes.
    Remover,
    /// Shared memory.
    SharedMemory,
    /// A process outside that it does something to.
    OutsideProcess,
    /// A process outside that tells which signal it got.
    SignalledProcess,
    /// A mount on its target.
    Mount,
    /// A key.
    Key,
    /// A terminal.
    Terminal,
    /// A terminal that controls its process.
    ControllingTerminal,
}

impl Beforehand {
    /// What that driver needs.
    pub fn of(driver: Driver) -> Self {
        use Driver as D;
        match driver {
            D::FileReadInherited | D::FileWriteReopened | D::FileMapExecutable => {
                Self::Target(libc::O_RDONLY | libc::O_NOCTTY)
            }
            D::FileTruncateInherited => Self::Target(libc::O_WRONLY),
            D::FileReadReopened => Self::Target(libc::O_PATH),
            D::FileReadAtInherited => Self::Folder,
            D::FileReadOlderThread => Self::OlderThread,
            D::EnvironmentRead => Self::Variable,
            D::DescriptorRead => Self::Pipe,
            D::PosixShm => Self::Remover,
            D::SysvShm => Self::SharedMemory,
            D::PtraceOutside
            | D::PidfdGetfdOutside
            | D::ProcessVmReadvOutside
            | D::ProcessEnvironOutside
            | D::ProcessMapsOutside
            | D::ProcessMemOutside
            | D::ProcessRootOutside
            | D::ProcessPriorityOutside => Self::OutsideProcess,
            D::SignalOutside => Self::SignalledProcess,
            D::PivotRoot => Self::Mount,
            D::KeyRead => Self::Key,
            D::TtyIoctl => Self::Terminal,
            D::TtyInject => Self::ControllingTerminal,
            D::FileRead
            | D::FileWrite
            | D::FileReadWrite
            | D::FileOpenWrite
            | D::FileOpenPath
            | D::FileReadAt
            | D::FileCreate
            | D::FileUnlink
            | D::FileRename
            | D::FileExchange
            | D::FileLink
            | D::FileTruncate
            | D::FileOpenTruncate
            | D::FileTruncateFd
            | D::SymlinkCreate
            | D::DirCreate
            | D::DirRemove
            | D::DirList
            | D::FifoCreate
            | D::SocketNodeCreate
            | D::CharDeviceCreate
            | D::BlockDeviceCreate
            | D::FileStat
            | D::FileAccess
            | D::FileReadlink
            | D::FileChmod
            | D::FileChown
            | D::FileUtimes
            | D::XattrGet
            | D::XattrSet
            | D::XattrList
            | D::DeviceIoctl
            | D::Exec
            | D::ProcessFork
            | D::TcpConnect
            | D::TcpBind
            | D::TcpListenUnbound
            | D::UdpBind
            | D::UdpSend
            | D::UnixConnect
            | D::UnixBind
            | D::AbstractConnect
            | D::AbstractSend
            | D::SignalInside
            | D::SignalSelf
            // It asks about the zygote.
            | D::ProcessInspectOutside
            | D::MountBind
            | D::FileStatfs
            | D::Chdir
            | D::InotifyWatch
            | D::FileLock
            | D::UnixSend
            | D::MptcpConnect
            | D::MptcpBind
            | D::TcpFastOpen
            | D::UdpConnect
            | D::RawSocket
            | D::PacketSocket
            | D::NetlinkSocket
            | D::VsockSocket
            | D::SysvSem
            | D::SysvMsg
            | D::PosixMq
            | D::KeyAdd
            | D::ExecMemfd
            | D::ExecWritten
            | D::UserNamespace
            | D::UserNamespaceMap
            | D::MountTmpfs
            | D::Chroot
            | D::BpfMap
            | D::PerfEvent
            | D::Userfaultfd
            | D::IoUring
            | D::IoUringRead
            | D::IoUringConnect
            | D::PseudoTty
            | D::ApplyOnly
            | macos_drivers!() => Self::Nothing,
        }
    }
}

fn open_target(texts: &SyscallTexts, flags: i32) -> Result<i32, SetupFailure> {
    path::open(&texts.target, flags, 0).map(|fd| fd as i32).map_err(|errno| SetupFailure::at("open", errno))
}

fn mount_on_target(texts: &SyscallTexts) -> Result<(), SetupFailure> {
    namespaces::make_mount(&texts.target).map_err(|errno| SetupFailure::at("mount_bind", errno))
}

fn make_segment(made: &mut Preparation) -> Result<(), SetupFailure> {
    ipc::make_segment(made).map_err(|errno| SetupFailure::at("shared_memory", errno))
}

fn make_key(made: &mut Preparation) -> Result<(), SetupFailure> {
    keys::make(made).map_err(|errno| SetupFailure::at("key", errno))
}

/// Does what has to happen before the policy is applied, and makes sure that the operation stays within `scope`. `zygote`
/// is the parent process. `sole` is taken where a thread is started.
pub fn prepare<'a>(
    action: &Action,
    texts: &'a SyscallTexts,
    scope: &ActionScope,
    zygote: i32,
    sole: &mut Option<Sole>,
) -> Result<Prepared<'a>, SetupFailure> {
    let Some(alone) = sole.as_ref() else { return Err(SetupFailure::at("thread", libc::EBUSY)) };
    let mut prepared = Prepared::given(texts, Preparation::default(), zygote);
    let private = !action.mounts.is_empty() || action.driver.mounts();
    let new_user_namespace = if private { mounts::private_namespace(alone)? } else { false };
    let mut guard = Guard::of(action, &texts.own, scope)?;
    mounts::make(action, guard.as_mut())?;
    match &guard {
        Some(guard) => guard.check(action, &texts.target, &texts.to)?,
        None => guard::check_reading(action.driver, &texts.target)?,
    }
    let made = &mut prepared.made;
    let failed = |step: &'static str| move |errno| SetupFailure::at(step, errno);
    let beforehand = Beforehand::of(action.driver);
    match beforehand {
        // The last two are for the end.
        Beforehand::Nothing | Beforehand::SignalledProcess | Beforehand::OlderThread => {}
        Beforehand::Target(flags) => made.fd = open_target(texts, flags)?,
        Beforehand::Folder => {
            let (folder, _) = held::split(&texts.target)?;
            made.fd = path::open(&folder, libc::O_RDONLY | libc::O_DIRECTORY, 0).map_err(failed("open"))? as i32;
        }
        Beforehand::Variable => handed_down::make_variable(made, alone, &action.target).map_err(failed("variable"))?,
        Beforehand::Pipe => handed_down::make_descriptor(made).map_err(failed("pipe"))?,
        Beforehand::Remover => prepared.remover = Some(Remover::start(made, alone).map_err(failed("remover"))?),
        Beforehand::SharedMemory => make_segment(made)?,
        Beforehand::OutsideProcess => {
            prepared.victim = Some(ForeignProcess::start(made, alone).map_err(failed("victim"))?)
        }
        Beforehand::Mount => mount_on_target(texts)?,
        Beforehand::Key => make_key(made)?,
        Beforehand::Terminal => tty::make(made).map_err(failed("terminal"))?,
        Beforehand::ControllingTerminal => tty::make_controlling(made).map_err(failed("terminal"))?,
    }
    if new_user_namespace || beforehand == Beforehand::SignalledProcess {
        let helper = SignalHelper::start(alone).map_err(failed("helper"))?;
        if new_user_namespace {
            prepared.reference = helper.pid();
        }
        prepared.helper = Some(helper);
    }
    // After everything that makes a process, which needs there to be one thread.
    if beforehand == Beforehand::OlderThread {
        prepared.made.older = sole.take().map(OlderThread::start).transpose()?;
    }
    Ok(prepared)
}

/// The same inside a launcher, where whoever calls has seen to it that nothing foreign is reached: a guard by paths would ask
/// for folders that have other names there. `given` is what was found of what was made outside. `None`: the objects of this
/// operation can only be made outside, or it works in namespaces of its own.
///
/// # Errors
/// If something that has to be opened beforehand cannot be.
pub fn prepare_inside<'a>(
    action: &Action,
    texts: &'a SyscallTexts,
    mut given: Preparation,
) -> Result<Option<Prepared<'a>>, SetupFailure> {
    if !action.mounts.is_empty() {
        return Ok(None);
    }
    match Beforehand::of(action.driver) {
        Beforehand::Target(flags) => given.fd = open_target(texts, flags)?,
        Beforehand::Mount => mount_on_target(texts)?,
        Beforehand::OlderThread | Beforehand::OutsideProcess => return Ok(None),
        Beforehand::Nothing
        | Beforehand::Folder
        | Beforehand::Variable
        | Beforehand::Pipe
        | Beforehand::Remover
        | Beforehand::SharedMemory
        | Beforehand::SignalledProcess
        | Beforehand::Key
        | Beforehand::Terminal
        | Beforehand::ControllingTerminal => {}
    }
    Ok(Some(Prepared::given(texts, given, 0)))
}

/// Makes, for the processes that this one will start, what an operation inside of them reads in the kernel: `None` for one that
/// needs no such thing. It is there for as long as the value is.
///
/// # Errors
/// If it cannot be made.
pub fn prepare_outside(beforehand: Beforehand) -> Result<Option<Preparation>, SetupFailure> {
    let mut made = Preparation::default();
    match beforehand {
        Beforehand::SharedMemory => make_segment(&mut made)?,
        Beforehand::Key => make_key(&mut made)?,
        Beforehand::Nothing
        | Beforehand::Target(_)
        | Beforehand::Folder
        | Beforehand::OlderThread
        | Beforehand::Variable
        | Beforehand::Pipe
        | Beforehand::Remover
        | Beforehand::OutsideProcess
        | Beforehand::SignalledProcess
        | Beforehand::Mount
        | Beforehand::Terminal
        | Beforehand::ControllingTerminal => return Ok(None),
    }
    Ok(Some(made))
}
