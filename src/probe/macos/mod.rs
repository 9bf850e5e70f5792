//! The drivers of macOS, in action.
//!
//! None of this was run where it was written; it is checked, linted and linked for macOS. So each driver is as plain as
//! can be: everything that could be settled elsewhere is.

mod files;
mod functions;
mod guard;
mod net;
mod processes;
mod services;
mod steps;

use std::ffi::{CStr, CString};

pub use guard::check_entry;
pub use steps::OperationSteps;

use crate::record::action::{Action, ActionScope};
use crate::record::driver::{Driver, Platforms, TargetKind};
use crate::record::driver_sets::linux_drivers;
use crate::record::driver_witness::SuccessWitness;
use crate::record::report::SetupFailure;
use crate::sys::darwin::calls;
use crate::sys::darwin::frameworks::{CoreFoundation, IoKit};
use crate::sys::darwin::mach::{Bootstrap, Notifier, fresh_port};
use crate::sys::darwin::symbols::Missing;
use crate::sys::darwin::xpc::Xpc;
use functions::RuntimeFunctions;

/// What was made ready before the policy was applied.
#[derive(Debug)]
pub struct Prepared {
    target: CString,
    to: CString,
    name: CString,
    argv: Vec<CString>,
    payload: String,
    /// A descriptor that was opened before: of the target, of `/`, or of a listener.
    descriptor: i32,
    /// The functions that the driver calls.
    tools: RuntimeFunctions,
    /// A process outside the sandbox.
    helper: Option<processes::WaitingChild>,
    /// What the variable in question was given.
    token: Option<u64>,
}

fn missing(Missing(what): Missing) -> SetupFailure {
    SetupFailure { step: "resolve".into(), errno: 0, missing: Some(what), leads_to: None }
}

/// Does what has to happen before the policy is applied, and makes sure that the operation stays within `scope`.
///
/// # Errors
/// The step that failed.
pub fn prepare(action: &Action, scope: &ActionScope) -> Result<Prepared, SetupFailure> {
    guard::check(action, scope)?;
    ready(action)
}

/// The same inside a launcher, where whoever calls has seen to it that nothing foreign is reached, and everything is confined
/// already, also what is opened beforehand. `None`: no worker performs it.
///
/// # Errors
/// The step that failed.
pub fn prepare_inside(action: &Action) -> Result<Option<Prepared>, SetupFailure> {
    let info = action.driver.info();
    // What its success is worth is defined for no other; and frameworks, which some call, do not survive a fork.
    if info.platforms != Platforms::Both || action.driver.witness() == SuccessWitness::Nothing {
        return Ok(None);
    }
    // A variable is the one that the launcher let through.
    if action.driver == Driver::EnvironmentRead { blank(action).map(Some) } else { ready(action).map(Some) }
}

/// What every operation has, and nothing made for it yet.
fn blank(action: &Action) -> Result<Prepared, SetupFailure> {
    let text = |step: &str, text: Option<&str>| {
        CString::new(text.unwrap_or_default()).map_err(|_| SetupFailure::at(step, libc::EINVAL))
    };
    Ok(Prepared {
        target: text("target", Some(&action.target))?,
        to: text("to", action.to.as_deref())?,
        name: text("name", action.name.as_deref())?,
        argv: match action.argv.as_slice() {
            [] => vec![text("argv", Some(&action.target))?],
            argv => argv.iter().map(|one| text("argv", Some(one))).collect::<Result<_, _>>()?,
        },
        payload: action.payload.clone().unwrap_or_default(),
        descriptor: -1,
        tools: RuntimeFunctions::None,
        helper: None,
        token: None,
    })
}

fn ready(action: &Action) -> Result<Prepared, SetupFailure> {
    let mut prepared = blank(action)?;
    let open = |path: &CStr, flags| {
        calls::open(path, flags | libc::O_NOCTTY, 0)
            .map(|fd| fd as i32)
            .map_err(|errno| SetupFailure::at("open", errno))
    };
    match action.driver {
        Driver::FileReadInherited | Driver::FileMapExecutable | Driver::FileIoctl => {
            prepared.descriptor = open(&prepared.target, libc::O_RDONLY)?;
        }
        Driver::FileTruncateInherited => prepared.descriptor = open(&prepared.target, libc::O_WRONLY)?,
        Driver::FileReadRootrel | Driver::FileWriteRootrel => {
            prepared.descriptor = open(c"/", libc::O_RDONLY | libc::O_DIRECTORY)?;
        }
        Driver::TcpAccept => {
            prepared.descriptor =
                net::connected_listener(&action.target).map_err(|errno| SetupFailure::at("listener", errno))?;
        }
        Driver::MachLookup | Driver::MachLookupLocal => {
            prepared.tools = RuntimeFunctions::Bootstrap(Bootstrap::resolve().map_err(missing)?);
        }
        Driver::MachRegister => {
            let bootstrap = Bootstrap::resolve().map_err(missing)?;
            let port = fresh_port().map_err(missing)?.map_err(|code| SetupFailure::at("mach_port_allocate", code))?;
            prepared.tools = RuntimeFunctions::Register(bootstrap, port);
        }
        Driver::XpcLookup => prepared.tools = RuntimeFunctions::Xpc(Xpc::resolve().map_err(missing)?),
        Driver::IokitOpenService | Driver::IokitOpenUserClient => {
            let io_kit = IoKit::resolve().map_err(missing)?;
            // A class that is not there is no answer to anything.
            let service =
                io_kit.service(&prepared.target).ok_or_else(|| SetupFailure::at("find the service", libc::ENOENT))?;
            prepared.tools = RuntimeFunctions::Service(io_kit, service);
        }
        Driver::DarwinNotificationPost => {
            prepared.tools = RuntimeFunctions::Notifier(Notifier::resolve().map_err(missing)?);
        }
        Driver::DistributedNotificationPost | Driver::PreferenceRead => {
            prepared.tools = RuntimeFunctions::CoreFoundation(CoreFoundation::resolve().map_err(missing)?);
        }
        Driver::EnvironmentRead => prepared.token = Some(processes::make_variable(&action.target)?),
        Driver::FileRead
        | Driver::FileWrite
        | Driver::FileReadWrite
        | Driver::FileReadAt
        | Driver::FileCreate
        | Driver::FileUnlink
        | Driver::FileRename
        | Driver::FileLink
        | Driver::FileTruncate
        | Driver::FileOpenTruncate
        | Driver::FileTruncateFd
        | Driver::SymlinkCreate
        | Driver::DirCreate
        | Driver::DirRemove
        | Driver::DirList
        | Driver::FifoCreate
        | Driver::FileStat
        | Driver::FileAccess
        | Driver::FileReadlink
        | Driver::FileChmod
        | Driver::FileUtimes
        | Driver::XattrGet
        | Driver::XattrSet
        | Driver::XattrList
        | Driver::Exec
        | Driver::ProcessFork
        | Driver::TcpConnect
        | Driver::TcpBind
        | Driver::TcpListenUnbound
        | Driver::UdpBind
        | Driver::UdpSend
        | Driver::UnixConnect
        | Driver::UnixBind
        | Driver::SignalOutside
        | Driver::SignalSelf
        | Driver::FileLstat
        | Driver::FileFstat
        | Driver::FileGetattrlist
        | Driver::FileSetattrlist
        | Driver::FileFchmod
        | Driver::FileChown
        | Driver::FileLchown
        | Driver::FileFchown
        | Driver::FileFchownat
        | Driver::FileFutimes
        | Driver::FileLutimes
        | Driver::FileWriteAt
        | Driver::FileSearch
        | Driver::FileClone
        | Driver::SysctlRead
        | Driver::ProcessInfo
        | Driver::SignalSameSandbox
        | Driver::PosixShm
        | Driver::PosixSem
        | Driver::PseudoTty
        | Driver::SystemSocket
        | Driver::PolicyQuery
        | Driver::ApplyOnly
        | linux_drivers!() => {}
    }
    let outside = action.driver == Driver::ProcessInfo && action.target == "outside";
    if outside || action.driver == Driver::SignalOutside {
        prepared.helper = Some(processes::WaitingChild::start().map_err(|errno| SetupFailure::at("helper", errno))?);
    }
    Ok(prepared)
}

impl Prepared {
    /// The target as a path, if the driver has one.
    pub fn target_path(&self, action: &Action) -> Option<&CStr> {
        (action.driver.info().target == TargetKind::Path).then_some(self.target.as_c_str())
    }

    /// Ends the helper, if there is one, so that no process is left.
    pub fn finish(&mut self) {
        if let Some(helper) = self.helper.take() {
            helper.end();
        }
    }
}

/// Performs the operation. `None` from a driver says that it stopped at a failed call; the steps have it.
pub fn operate(action: &Action, prepared: &mut Prepared, steps: &mut OperationSteps) {
    let helper = prepared.helper.take();
    let (target, to, fd) = (prepared.target.as_c_str(), prepared.to.as_c_str(), prepared.descriptor);
    let (name, payload) = (prepared.name.as_c_str(), prepared.payload.as_str());
    // How far a driver came is in the steps; whether it came to its end tells nothing more.
    let _ended: Option<()> = match action.driver {
        Driver::FileRead => files::read(steps, target),
        Driver::FileWrite => files::write(steps, target),
        // Neither waits for anybody, whatever it is that is opened.
        Driver::FileReadWrite => files::open(steps, target, libc::O_RDWR | libc::O_NONBLOCK, 0),
        Driver::FileReadInherited => files::read_from(steps, fd),
        Driver::FileReadAt => files::at_parent(steps, target, files::OpenPurpose::Read),
        Driver::FileWriteAt => files::at_parent(steps, target, files::OpenPurpose::Write),
        Driver::FileReadRootrel => files::at_root(steps, fd, target, files::OpenPurpose::Read),
        Driver::FileWriteRootrel => files::at_root(steps, fd, target, files::OpenPurpose::Write),
        Driver::FileCreate => files::open(steps, target, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL, 0o644),
        Driver::FileOpenTruncate => files::open(steps, target, libc::O_WRONLY | libc::O_TRUNC, 0),
        Driver::FileTruncate => steps.operate("truncate", calls::truncate(target)).map(|_| ()),
        Driver::FileTruncateInherited => steps.operate("ftruncate", calls::ftruncate(fd)).map(|_| ()),
        Driver::FileTruncateFd => files::open_and_truncate(steps, target),
        Driver::DirList => files::list(steps, target),
        Driver::FileUnlink => steps.operate("unlink", calls::unlink(target)).map(|_| ()),
        Driver::FileRename => steps.operate("rename", calls::rename(target, to)).map(|_| ()),
        Driver::FileLink => steps.operate("link", calls::link(target, to)).map(|_| ()),
        Driver::FileClone => steps.operate("clonefile", calls::clonefile(target, to)).map(|_| ()),
        Driver::SymlinkCreate => steps.operate("symlink", calls::symlink(to, target)).map(|_| ()),
        Driver::DirCreate => steps.operate("mkdir", calls::mkdir(target)).map(|_| ()),
        Driver::DirRemove => steps.operate("rmdir", calls::rmdir(target)).map(|_| ()),
        Driver::FifoCreate => steps.operate("mkfifo", calls::mkfifo(target)).map(|_| ()),
        Driver::FileSearch => files::search(steps, target),
        Driver::FileMapExecutable => steps.operate("mmap", calls::map_executable(fd)).map(|_| ()),
        Driver::FileIoctl => steps.operate("ioctl", calls::window_size(fd)).map(|_| ()),
        Driver::FileStat => files::stat(steps, target, "stat", true),
        Driver::FileLstat => files::stat(steps, target, "lstat", false),
        Driver::FileFstat => files::fstat(steps, target),
        Driver::FileAccess => steps.operate("access", calls::access(target, libc::F_OK)).map(|_| ()),
        Driver::FileReadlink => steps.operate("readlink", calls::readlink(target, &mut [0; 1024])).map(|_| ()),
        Driver::FileGetattrlist => steps.operate("getattrlist", calls::getattrlist(target, payload)).map(|_| ()),
        Driver::FileSetattrlist => {
            steps.operate("setattrlist", calls::setattrlist(target, payload, files::SOME_TIME)).map(|_| ())
        }
        Driver::FileChmod
        | Driver::FileFchmod
        | Driver::FileChown
        | Driver::FileLchown
        | Driver::FileFchown
        | Driver::FileFchownat
        | Driver::FileUtimes
        | Driver::FileFutimes
        | Driver::FileLutimes => files::change(steps, action.driver, target),
        Driver::XattrGet => steps.operate("getxattr", calls::getxattr(target, name, &mut [0; 1024])).map(|_| ()),
        Driver::XattrSet => steps.operate("setxattr", calls::setxattr(target, name, b"1")).map(|_| ()),
        Driver::XattrList => steps.operate("listxattr", calls::listxattr(target, &mut [0; 1024])).map(|_| ()),
        Driver::Exec => processes::execute(steps, target, &prepared.argv),
        Driver::ProcessFork => processes::fork_and_wait(steps),
        Driver::SignalSelf => processes::signal_self(steps),
        Driver::SignalOutside => processes::signal_outside(steps, helper),
        Driver::SignalSameSandbox => processes::signal_child(steps),
        Driver::EnvironmentRead => processes::variable(steps, &action.target, prepared.token),
        Driver::ProcessInfo => processes::facts(steps, &action.target, helper),
        Driver::TcpConnect => net::tcp_connect(steps, &action.target),
        Driver::TcpBind => net::bind(steps, &action.target, libc::SOCK_STREAM),
        Driver::UdpBind => net::bind(steps, &action.target, libc::SOCK_DGRAM),
        Driver::UdpSend => net::udp_send(steps, &action.target),
        Driver::TcpListenUnbound => net::listen_unbound(steps),
        Driver::TcpAccept => steps.operate("accept", calls::accept(fd)).map(|_| ()),
        Driver::UnixConnect => net::unix_connect(steps, &action.target),
        Driver::UnixBind => net::unix_bind(steps, &action.target),
        Driver::SystemSocket => {
            let made = calls::socket(libc::PF_SYSTEM, libc::SOCK_DGRAM, libc::SYSPROTO_CONTROL);
            steps.operate("socket", made).map(|_| ())
        }
        Driver::SysctlRead => steps.operate("sysctlbyname", calls::sysctl(target)).map(|_| ()),
        Driver::PosixShm => services::shared_memory(steps, target),
        Driver::PosixSem => services::semaphore(steps, target),
        Driver::PseudoTty => services::terminal(steps),
        Driver::MachLookup
        | Driver::MachLookupLocal
        | Driver::MachRegister
        | Driver::XpcLookup
        | Driver::IokitOpenService
        | Driver::IokitOpenUserClient
        | Driver::DarwinNotificationPost
        | Driver::DistributedNotificationPost
        | Driver::PreferenceRead => services::call(steps, &prepared.tools, target, name),
        Driver::ApplyOnly | Driver::PolicyQuery => Some(()),
        // Plans that use them here are refused; should one arrive, it says nothing.
        linux @ (linux_drivers!()) => steps.prepare(linux.info().syscall, Err(libc::ENOSYS)).map(|_| ()),
    };
}
