//! The drivers of Linux: which driver is which code, and what a probe process holds between its preparation and its
//! operation.

mod descriptor_link;
mod device;
mod exec;
mod file;
mod foreign_process;
mod guard;
mod handed_down;
mod held;
mod helper;
mod ipc;
mod keys;
mod made;
mod metadata;
mod mounts;
mod names;
mod namespaces;
mod net;
mod objects;
mod preparing;
mod process;
mod sharing;
mod sockets;
mod surface;
mod trace;
mod tty;
mod unix;

use std::ffi::{CStr, CString};

pub use descriptor_link::link_of_descriptor;
use foreign_process::ForeignProcess;
use guard::GuardPaths;
pub use guard::check_entry;
use helper::SignalHelper;
use ipc::Remover;
pub use made::Preparation;
pub use mounts::private_namespace;
pub use preparing::{Beforehand, prepare, prepare_inside, prepare_outside};
pub use process::is_hidden;
pub use sharing::may_share_memory;
pub use trace::Trace;
pub use tty::{drawn_size, drawn_word};

use crate::record::action::{Action, ActionScope};
use crate::record::driver::{Driver, TargetKind};
use crate::record::driver_sets::macos_drivers;
use crate::record::report::SetupFailure;
use crate::sys::linux::sole::Sole;

/// An action's texts as system calls take them. They are made by the process that probes are forked from.
#[derive(Debug)]
pub struct SyscallTexts {
    /// The target as a path; empty if the driver has none.
    target: CString,
    /// The second path, or a link's text; empty if the driver has none.
    to: CString,
    /// The extended attribute's name; empty if the driver has none.
    name: CString,
    /// What an executed program is given; empty for other drivers.
    argv: Vec<CString>,
    /// What the guard needs.
    own: GuardPaths,
}

impl SyscallTexts {
    /// The texts of `action`, which has to stay within `scope`.
    ///
    /// # Errors
    /// If one of them holds a NUL.
    pub fn of(action: &Action, scope: &ActionScope) -> Result<Self, SetupFailure> {
        let text = |step: &str, text: Option<&str>| {
            CString::new(text.unwrap_or_default()).map_err(|_| SetupFailure::at(step, libc::EINVAL))
        };
        Ok(Self {
            target: text("target", Some(&action.target))?,
            to: text("to", action.to.as_deref())?,
            name: text("name", action.name.as_deref())?,
            argv: match action.argv.as_slice() {
                _ if action.driver != Driver::Exec => Vec::new(),
                [] => vec![text("argv", Some(&action.target))?],
                argv => argv.iter().map(|one| text("argv", Some(one))).collect::<Result<_, _>>()?,
            },
            own: GuardPaths::of(action, scope)?,
        })
    }
}

/// What was made ready before the policy was applied.
#[derive(Debug)]
pub struct Prepared<'a> {
    texts: &'a SyscallTexts,
    /// What the operation is about, where that had to be made.
    made: Preparation,
    /// A process outside the coming domain that is acted upon, if the driver needs one.
    victim: Option<ForeignProcess>,
    /// A process that removes what the driver makes, if it makes something that stays.
    remover: Option<Remover>,
    /// A process outside the coming domain, if the driver or a new user namespace needs one.
    helper: Option<SignalHelper>,
    /// A process outside the coming domain whose executable link is readable without a policy: the zygote, or a
    /// helper in the new user namespace, from which the zygote cannot be inspected in any case.
    reference: i32,
}

impl<'a> Prepared<'a> {
    /// For an operation whose objects somebody else has made, in a process that `reference` may be asked about.
    pub fn given(texts: &'a SyscallTexts, made: Preparation, reference: i32) -> Self {
        Self { texts, made, victim: None, remover: None, helper: None, reference }
    }
}

impl Prepared<'_> {
    /// The process that self-checks and the inspecting driver ask about.
    pub fn reference(&self) -> i32 {
        self.reference
    }

    /// The path of what the operation makes beside the run's folders, if it does.
    pub fn new_name(&self) -> Option<&CStr> {
        (!self.made.name.is_empty()).then_some(self.made.name.as_c_str())
    }

    /// The target as a path, if the driver has one.
    pub fn target_path(&self, action: &Action) -> Option<&CStr> {
        (action.driver.info().target == TargetKind::Path).then_some(self.texts.target.as_c_str())
    }

    /// Ends the helper, if there is one, so that no process is left.
    pub fn finish(&mut self) {
        if let Some(helper) = self.helper.take() {
            helper.end();
        }
        if let Some(victim) = self.victim.take() {
            victim.end();
        }
        if let Some(remover) = self.remover.take() {
            remover.end();
        }
    }
}

/// Performs the operation. `None` from a driver says that it stopped at a failed call; the trace has it. Without `sole`, those
/// that make a process or enter a namespace only say so.
pub fn operate(action: &Action, prepared: &mut Prepared<'_>, trace: &mut Trace, sole: Option<&Sole>) {
    let SyscallTexts { target, to, name, argv, own: _ } = prepared.texts;
    let made = &prepared.made;
    // How far a driver came is in the trace; whether it came to its end tells nothing more.
    let _ended: Option<()> = match action.driver {
        Driver::FileRead => file::read(trace, target),
        Driver::FileWrite => file::write(trace, target),
        // Neither waits for anybody, whatever it is that is opened.
        Driver::FileReadWrite => file::open(trace, target, libc::O_RDWR | libc::O_NONBLOCK, 0),
        Driver::FileOpenWrite => file::open(trace, target, libc::O_WRONLY | libc::O_NONBLOCK, 0),
        Driver::FileOpenPath => file::open(trace, target, libc::O_PATH, 0),
        Driver::FileReadInherited => file::read_from(trace, made.fd),
        Driver::FileReadAt => file::read_at(trace, target),
        Driver::FileCreate => file::open(trace, target, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL, 0o644),
        Driver::FileTruncate => file::truncate(trace, target),
        Driver::FileOpenTruncate => file::open(trace, target, libc::O_WRONLY | libc::O_TRUNC, 0),
        Driver::FileTruncateInherited => file::truncate_descriptor(trace, made.fd),
        Driver::FileTruncateFd => file::open_and_truncate(trace, target),
        Driver::DirList => file::list(trace, target),
        Driver::FileUnlink => names::unlink(trace, target, 0),
        Driver::FileRename => names::rename(trace, target, to, 0),
        Driver::FileExchange => names::rename(trace, target, to, libc::RENAME_EXCHANGE),
        Driver::FileLink => names::link(trace, target, to),
        Driver::SymlinkCreate => names::symlink(trace, to, target),
        Driver::DirCreate => names::mkdir(trace, target),
        Driver::DirRemove => names::unlink(trace, target, libc::AT_REMOVEDIR),
        Driver::FifoCreate => names::mknod(trace, target, libc::S_IFIFO),
        Driver::SocketNodeCreate => names::mknod(trace, target, libc::S_IFSOCK),
        Driver::CharDeviceCreate => names::mknod(trace, target, libc::S_IFCHR),
        Driver::BlockDeviceCreate => names::mknod(trace, target, libc::S_IFBLK),
        Driver::FileStat => metadata::stat(trace, target),
        Driver::FileAccess => metadata::access(trace, target),
        Driver::FileReadlink => metadata::readlink(trace, target),
        Driver::FileChmod => metadata::chmod(trace, target),
        Driver::FileUtimes => metadata::utimes(trace, target),
        Driver::XattrGet => metadata::getxattr(trace, target, name),
        Driver::XattrSet => metadata::setxattr(trace, target, name),
        Driver::XattrList => metadata::listxattr(trace, target),
        Driver::DeviceIoctl => device::entropy_count(trace, target),
        Driver::Exec => process::exec(trace, target, argv),
        Driver::ProcessFork => alone(trace, sole, process::fork_and_wait),
        Driver::TcpConnect => net::tcp_connect(trace, &action.target),
        Driver::TcpBind => net::bind(trace, &action.target, libc::SOCK_STREAM),
        Driver::TcpListenUnbound => net::listen_unbound(trace),
        Driver::UdpBind => net::bind(trace, &action.target, libc::SOCK_DGRAM),
        Driver::UdpSend => net::udp_send(trace, &action.target),
        Driver::UnixConnect => unix::connect_path(trace, &action.target),
        Driver::UnixBind => unix::bind_path(trace, &action.target),
        Driver::AbstractConnect => unix::connect_abstract(trace, &action.target),
        Driver::AbstractSend => unix::send_abstract(trace, &action.target),
        Driver::SignalOutside => process::signal_outside(trace, prepared.helper.take()),
        Driver::SignalInside => alone(trace, sole, process::signal_inside),
        Driver::SignalSelf => process::signal_self(trace),
        Driver::ProcessInspectOutside => process::inspect(trace, prepared.reference),
        Driver::MountBind => mounts::bind(trace, target, to),
        Driver::UserNamespace => alone(trace, sole, namespaces::new_user),
        Driver::UserNamespaceMap => alone(trace, sole, namespaces::map_user),
        Driver::MountTmpfs => namespaces::tmpfs(trace, target),
        Driver::Chroot => namespaces::chroot(trace, target),
        Driver::PivotRoot => namespaces::pivot(trace, target),
        Driver::BpfMap => surface::bpf(trace),
        Driver::PerfEvent => surface::perf(trace),
        Driver::Userfaultfd => surface::userfaultfd(trace),
        Driver::IoUring => surface::uring(trace),
        Driver::IoUringRead => surface::uring_read(trace, target),
        Driver::IoUringConnect => surface::uring_connect(trace, &action.target),
        Driver::ExecMemfd => alone(trace, sole, exec::from_memory),
        Driver::ExecWritten => alone(trace, sole, |trace, sole| exec::written(trace, sole, target)),
        Driver::PtraceOutside => foreign_process::debug(trace, made),
        Driver::PidfdGetfdOutside => foreign_process::take_descriptor(trace, made),
        Driver::ProcessVmReadvOutside => foreign_process::read_memory(trace, made),
        Driver::ProcessEnvironOutside => foreign_process::environment(trace, made),
        Driver::ProcessMapsOutside => foreign_process::maps(trace, made),
        Driver::ProcessMemOutside => foreign_process::memory_file(trace, made),
        Driver::ProcessRootOutside => foreign_process::root(trace, made),
        Driver::ProcessPriorityOutside => foreign_process::lower_priority(trace, made),
        Driver::EnvironmentRead => handed_down::variable(trace, made, &action.target),
        Driver::DescriptorRead => handed_down::descriptor(trace, made),
        Driver::SysvShm => ipc::attach(trace, made),
        Driver::PosixShm => ipc::shared_memory(trace, made),
        Driver::FileMapExecutable => held::map_executable(trace, made.fd),
        Driver::SysvSem => ipc::semaphore(trace),
        Driver::SysvMsg => ipc::queue(trace),
        Driver::PosixMq => ipc::posix_queue(trace),
        Driver::KeyRead => keys::read(trace, made),
        Driver::KeyAdd => keys::add(trace),
        Driver::PseudoTty => tty::pair(trace),
        Driver::TtyIoctl => tty::resize(trace, made),
        Driver::TtyInject => tty::inject(trace, made),
        Driver::UnixSend => unix::send_path(trace, &action.target),
        Driver::MptcpConnect => sockets::mptcp_connect(trace, &action.target),
        Driver::MptcpBind => sockets::mptcp_bind(trace, &action.target),
        Driver::TcpFastOpen => sockets::fast_open(trace, &action.target),
        Driver::UdpConnect => sockets::udp_connect(trace, &action.target),
        Driver::RawSocket => sockets::make(trace, libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
        Driver::PacketSocket => sockets::make(trace, libc::AF_PACKET, libc::SOCK_DGRAM, 0),
        Driver::NetlinkSocket => sockets::make(trace, libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE),
        Driver::VsockSocket => sockets::make(trace, libc::AF_VSOCK, libc::SOCK_STREAM, 0),
        Driver::FileStatfs => objects::statfs(trace, target),
        Driver::Chdir => objects::enter(trace, target),
        Driver::InotifyWatch => objects::watch(trace, target),
        Driver::FileLock => objects::lock(trace, target),
        Driver::FileChown => objects::chown(trace, target),
        Driver::FileReadReopened => held::read_again(trace, made.fd),
        Driver::FileWriteReopened => held::write_again(trace, made.fd),
        Driver::FileReadAtInherited => held::read_beneath(trace, made.fd, target),
        Driver::FileReadOlderThread => held::read_by_older_thread(trace, made.older.as_ref(), target),
        Driver::ApplyOnly => Some(()),
        // Plans that use them here are refused; should one arrive, it says nothing.
        other @ (macos_drivers!()) => {
            trace.prepare(other.info().darwin_call, Err(libc::ENOSYS));
            None
        }
    };
}

/// Performs what only a process of one thread may do.
fn alone(trace: &mut Trace, sole: Option<&Sole>, driver: impl FnOnce(&mut Trace, &Sole) -> Option<()>) -> Option<()> {
    match sole {
        Some(sole) => driver(trace, sole),
        None => trace.prepare("thread", Err(libc::EBUSY)).map(|_| ()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::report::CallRole;

    #[test]
    fn a_driver_of_another_system_makes_no_call() {
        for driver in Driver::ALL.iter().filter(|driver| !driver.info().platforms.linux()) {
            let action = Action::new(*driver, "x");
            let texts = SyscallTexts::of(&action, &ActionScope::default()).unwrap();
            let mut prepared = Prepared::given(&texts, Preparation::default(), 0);
            let mut trace = Trace::new();
            operate(&action, &mut prepared, &mut trace, None);
            let mut line = Vec::new();
            trace.write(&mut line);
            let operation: crate::record::report::OperationReport = serde_json::from_slice(&line).unwrap();
            let calls: Vec<_> = operation.calls.iter().map(|call| (call.role, call.errno)).collect();
            assert_eq!(calls, [(CallRole::Prepare, libc::ENOSYS)], "{}", driver.info().name);
        }
    }
}
