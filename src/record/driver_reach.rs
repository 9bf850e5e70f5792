//! What of its surroundings a driver touches: what of a path it changes, what it holds, where it works.

use super::driver::{ChangeReach, Driver};

impl Driver {
    /// What of its path, or of both its paths, a driver changes.
    pub fn reach(self) -> &'static [ChangeReach] {
        match self {
            Self::FileWrite
            | Self::FileTruncate
            | Self::FileOpenTruncate
            | Self::FileTruncateInherited
            | Self::FileTruncateFd
            | Self::FileChmod
            | Self::FileUtimes
            | Self::XattrSet
            | Self::MountBind
            | Self::FileFchmod
            | Self::FileChown
            | Self::FileFchown
            | Self::FileFchownat
            | Self::FileFutimes
            | Self::FileWriteAt
            | Self::FileWriteRootrel
            | Self::FileLock
            | Self::MountTmpfs
            | Self::PivotRoot
            | Self::FileWriteReopened => &[ChangeReach::Object],
            Self::FileCreate
            | Self::FileUnlink
            | Self::FileRename
            | Self::FileExchange
            | Self::FileLink
            | Self::SymlinkCreate
            | Self::DirCreate
            | Self::DirRemove
            | Self::FifoCreate
            | Self::SocketNodeCreate
            | Self::CharDeviceCreate
            | Self::BlockDeviceCreate
            | Self::ExecWritten
            | Self::UnixBind => &[ChangeReach::Entry],
            // Which of the two is not known, or nothing is changed at all; whoever asks all the same guards both.
            Self::FileSetattrlist
            | Self::FileLchown
            | Self::FileLutimes
            | Self::FileClone
            | Self::FileRead
            | Self::FileReadWrite
            | Self::FileOpenWrite
            | Self::FileOpenPath
            | Self::FileReadInherited
            | Self::FileReadAt
            | Self::DirList
            | Self::FileStat
            | Self::FileAccess
            | Self::FileReadlink
            | Self::XattrGet
            | Self::XattrList
            | Self::DeviceIoctl
            | Self::Exec
            | Self::ProcessFork
            | Self::TcpConnect
            | Self::TcpBind
            | Self::TcpListenUnbound
            | Self::UdpBind
            | Self::UdpSend
            | Self::UnixConnect
            | Self::AbstractConnect
            | Self::AbstractSend
            | Self::SignalOutside
            | Self::SignalInside
            | Self::SignalSelf
            | Self::ProcessInspectOutside
            | Self::FileLstat
            | Self::FileFstat
            | Self::FileGetattrlist
            | Self::FileReadRootrel
            | Self::FileSearch
            | Self::FileMapExecutable
            | Self::FileIoctl
            | Self::MachLookup
            | Self::MachLookupLocal
            | Self::MachRegister
            | Self::XpcLookup
            | Self::IokitOpenService
            | Self::IokitOpenUserClient
            | Self::SysctlRead
            | Self::DarwinNotificationPost
            | Self::DistributedNotificationPost
            | Self::ProcessInfo
            | Self::SignalSameSandbox
            | Self::TcpAccept
            | Self::PosixShm
            | Self::PosixSem
            | Self::PseudoTty
            | Self::SystemSocket
            | Self::PreferenceRead
            | Self::PolicyQuery
            | Self::FileStatfs
            | Self::Chdir
            | Self::InotifyWatch
            | Self::FileReadReopened
            | Self::FileReadAtInherited
            | Self::FileReadOlderThread
            | Self::UnixSend
            | Self::MptcpConnect
            | Self::MptcpBind
            | Self::TcpFastOpen
            | Self::UdpConnect
            | Self::RawSocket
            | Self::PacketSocket
            | Self::NetlinkSocket
            | Self::VsockSocket
            | Self::EnvironmentRead
            | Self::DescriptorRead
            | Self::SysvShm
            | Self::SysvSem
            | Self::SysvMsg
            | Self::PosixMq
            | Self::KeyRead
            | Self::KeyAdd
            | Self::TtyIoctl
            | Self::TtyInject
            | Self::ExecMemfd
            | Self::PtraceOutside
            | Self::PidfdGetfdOutside
            | Self::ProcessVmReadvOutside
            | Self::ProcessEnvironOutside
            | Self::ProcessMapsOutside
            | Self::ProcessMemOutside
            | Self::ProcessRootOutside
            | Self::ProcessPriorityOutside
            | Self::UserNamespace
            | Self::UserNamespaceMap
            | Self::Chroot
            | Self::BpfMap
            | Self::PerfEvent
            | Self::Userfaultfd
            | Self::IoUring
            | Self::IoUringRead
            | Self::IoUringConnect
            | Self::ApplyOnly => &[ChangeReach::Object, ChangeReach::Entry],
        }
    }

    /// Whether its process holds, when the policy is applied, a descriptor of what its operation is about.
    pub fn holds_before(self) -> bool {
        matches!(
            self,
            Self::FileReadInherited
                | Self::FileTruncateInherited
                | Self::FileReadAtInherited
                | Self::FileReadReopened
                | Self::FileWriteReopened
                | Self::FileMapExecutable
                | Self::TtyIoctl
                | Self::TtyInject
        )
    }

    /// Whether it opens its target for reading, before the policy is applied or under it.
    pub fn opens_for_reading(self) -> bool {
        matches!(
            self,
            Self::FileRead
                | Self::FileReadAt
                | Self::FileReadInherited
                | Self::DeviceIoctl
                | Self::DirList
                | Self::FileReadReopened
                | Self::FileReadAtInherited
                | Self::FileReadOlderThread
                | Self::IoUringRead
                | Self::FileMapExecutable
        )
    }

    /// Whether its operation is a signal that its process sees arrive.
    pub fn sees_signal(self) -> bool {
        matches!(self, Self::SignalOutside | Self::SignalInside | Self::SignalSelf | Self::SignalSameSandbox)
    }

    /// Whether it leaves its process another one than it was.
    pub fn changes_its_process(self) -> bool {
        self.mounts()
            || matches!(
                self,
                Self::Exec
                    | Self::ExecMemfd
                    | Self::ExecWritten
                    | Self::Chdir
                    | Self::UserNamespace
                    | Self::UserNamespaceMap
            )
    }

    /// Whether it works in a mount namespace of its own.
    pub fn mounts(self) -> bool {
        matches!(self, Self::MountBind | Self::MountTmpfs | Self::Chroot | Self::PivotRoot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::driver::{Effect, TargetKind};

    /// So that a new one that opens what it looks at is not forgotten: a device may start something when it is opened.
    #[test]
    fn a_driver_of_linux_that_only_looks_at_a_path_opens_it_or_is_named_here() {
        let opens_nothing = [
            Driver::FileOpenPath,
            Driver::FileStat,
            Driver::FileAccess,
            Driver::FileReadlink,
            Driver::XattrGet,
            Driver::XattrList,
            Driver::FileStatfs,
            Driver::Chdir,
            Driver::Chroot,
            Driver::InotifyWatch,
            // What is executed is looked at by a rule of its own, and a socket is connected to.
            Driver::Exec,
            Driver::UnixConnect,
            Driver::UnixSend,
        ];
        for driver in Driver::ALL.iter().filter(|driver| driver.info().platforms.linux()) {
            let info = driver.info();
            let looks = info.target == TargetKind::Path && info.effect == Effect::Reads;
            assert_eq!(driver.opens_for_reading(), looks && !opens_nothing.contains(driver), "{}", info.name);
        }
    }
}
