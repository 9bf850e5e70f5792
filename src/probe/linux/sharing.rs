//! Which operations a process may perform that shares the memory of the one that started it.
//!
//! Such a process is one like any other to the kernel's checks of files, names and sockets. What belongs to memory is not its
//! own, though: what it maps, starts or changes there stays with its parent, and what it asks about its own memory is answered
//! about its parent's. So drivers that do one of these, and those that make processes (a fork of it copies its parent's page
//! tables), get memory of their own.

use super::SyscallTexts;
use crate::record::action::Action;
use crate::record::driver::{Driver, TargetKind};
use crate::record::driver_sets::macos_drivers;
use crate::sys::linux::path;

/// `PROC_SUPER_MAGIC` of linux/magic.h.
const PROC: i64 = 0x9fa0;

/// Whether it may, as far as the action alone tells. Where its target lies on proc, it may not
/// ([`SyscallTexts::is_on_proc`]).
pub fn may_share_memory(action: &Action) -> bool {
    // Mounts are made in a user namespace, of which a helper tells.
    if !action.mounts.is_empty() {
        return false;
    }
    match action.driver {
        Driver::FileRead
        | Driver::FileWrite
        | Driver::FileReadWrite
        | Driver::FileOpenWrite
        | Driver::FileOpenPath
        | Driver::FileReadInherited
        | Driver::FileReadAt
        | Driver::FileCreate
        | Driver::FileUnlink
        | Driver::FileRename
        | Driver::FileExchange
        | Driver::FileLink
        | Driver::FileTruncate
        | Driver::FileOpenTruncate
        | Driver::FileTruncateInherited
        | Driver::FileTruncateFd
        | Driver::SymlinkCreate
        | Driver::DirCreate
        | Driver::DirRemove
        | Driver::DirList
        | Driver::FifoCreate
        | Driver::SocketNodeCreate
        | Driver::CharDeviceCreate
        | Driver::BlockDeviceCreate
        | Driver::FileStat
        | Driver::FileAccess
        | Driver::FileReadlink
        | Driver::FileChmod
        | Driver::FileChown
        | Driver::FileUtimes
        | Driver::FileStatfs
        | Driver::FileLock
        | Driver::FileReadReopened
        | Driver::FileWriteReopened
        | Driver::FileReadAtInherited
        | Driver::XattrGet
        | Driver::XattrSet
        | Driver::XattrList
        | Driver::DeviceIoctl
        | Driver::Chdir
        | Driver::InotifyWatch
        | Driver::TcpConnect
        | Driver::TcpBind
        | Driver::TcpListenUnbound
        | Driver::TcpFastOpen
        | Driver::MptcpConnect
        | Driver::MptcpBind
        | Driver::UdpBind
        | Driver::UdpSend
        | Driver::UdpConnect
        | Driver::UnixConnect
        | Driver::UnixBind
        | Driver::UnixSend
        | Driver::AbstractConnect
        | Driver::AbstractSend
        | Driver::RawSocket
        | Driver::PacketSocket
        | Driver::NetlinkSocket
        | Driver::VsockSocket
        | Driver::SignalSelf
        // Whether a process may be inspected is asked of its credentials and its domain, not of its memory.
        | Driver::ProcessInspectOutside
        | Driver::ApplyOnly => true,
        // They make processes, or another program of their own.
        Driver::Exec
        | Driver::ExecMemfd
        | Driver::ExecWritten
        | Driver::ProcessFork
        | Driver::SignalOutside
        | Driver::SignalInside
        | Driver::PtraceOutside
        | Driver::PidfdGetfdOutside
        | Driver::ProcessVmReadvOutside
        | Driver::ProcessEnvironOutside
        | Driver::ProcessMapsOutside
        | Driver::ProcessMemOutside
        | Driver::ProcessRootOutside
        | Driver::ProcessPriorityOutside
        | Driver::PosixShm
        // They map memory, write to what is mapped, or start a thread.
        | Driver::FileMapExecutable
        | Driver::SysvShm
        | Driver::EnvironmentRead
        | Driver::FileReadOlderThread
        | Driver::BpfMap
        | Driver::PerfEvent
        | Driver::Userfaultfd
        | Driver::IoUring
        | Driver::IoUringRead
        | Driver::IoUringConnect
        // They enter namespaces or another root, or leave their session.
        | Driver::UserNamespace
        | Driver::UserNamespaceMap
        | Driver::MountBind
        | Driver::MountTmpfs
        | Driver::Chroot
        | Driver::PivotRoot
        | Driver::PseudoTty
        | Driver::TtyIoctl
        | Driver::TtyInject
        // They are about what a process was handed down, and nobody has looked closer.
        | Driver::DescriptorRead
        | Driver::SysvSem
        | Driver::SysvMsg
        | Driver::PosixMq
        | Driver::KeyRead
        | Driver::KeyAdd => false,
        macos_drivers!() => false,
    }
}

impl SyscallTexts {
    /// Whether the target is a path that leads to a file of proc. The kernel is asked, because links lead there too.
    pub fn is_on_proc(&self, action: &Action) -> bool {
        action.driver.info().target == TargetKind::Path
            && path::statfs(&self.target).is_ok_and(|found| found.is_some_and(|(kind, _)| kind == PROC))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::action::{ActionScope, BindMount};

    #[test]
    fn what_is_mounted_for_needs_memory_of_its_own() {
        let mut action = Action::new(Driver::FileRead, "/a");
        assert!(may_share_memory(&action));
        action.mounts.push(BindMount { from: "/a".into(), at: "/b".into() });
        assert!(!may_share_memory(&action));
    }

    #[test]
    fn links_to_proc_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/proc/self/environ", &link).unwrap();
        for (target, on_proc) in
            [("/proc/self/mem", true), (link.to_str().unwrap(), true), ("/", false), ("/absent", false)]
        {
            let action = Action::new(Driver::FileRead, target);
            let texts = SyscallTexts::of(&action, &ActionScope::default()).unwrap();
            assert_eq!(texts.is_on_proc(&action), on_proc, "{target}");
        }
        let action = Action::new(Driver::SignalSelf, "/proc/self/mem");
        assert!(!SyscallTexts::of(&action, &ActionScope::default()).unwrap().is_on_proc(&action), "no path");
    }
}
