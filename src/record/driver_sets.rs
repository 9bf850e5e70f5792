//! The drivers of one system alone, as patterns: so a `match` on a driver names those that it has nothing to say about in one
//! word, and the compiler still asks about a new one. The table in `driver.rs` has the last word, and a test compares.

/// The drivers of Linux alone.
macro_rules! linux_drivers {
    () => {
        $crate::record::driver::Driver::FileOpenWrite
            | $crate::record::driver::Driver::FileOpenPath
            | $crate::record::driver::Driver::FileExchange
            | $crate::record::driver::Driver::SocketNodeCreate
            | $crate::record::driver::Driver::CharDeviceCreate
            | $crate::record::driver::Driver::BlockDeviceCreate
            | $crate::record::driver::Driver::DeviceIoctl
            | $crate::record::driver::Driver::AbstractConnect
            | $crate::record::driver::Driver::AbstractSend
            | $crate::record::driver::Driver::SignalInside
            | $crate::record::driver::Driver::ProcessInspectOutside
            | $crate::record::driver::Driver::MountBind
            | $crate::record::driver::Driver::FileStatfs
            | $crate::record::driver::Driver::Chdir
            | $crate::record::driver::Driver::InotifyWatch
            | $crate::record::driver::Driver::FileLock
            | $crate::record::driver::Driver::FileReadReopened
            | $crate::record::driver::Driver::FileWriteReopened
            | $crate::record::driver::Driver::FileReadAtInherited
            | $crate::record::driver::Driver::FileReadOlderThread
            | $crate::record::driver::Driver::UnixSend
            | $crate::record::driver::Driver::MptcpConnect
            | $crate::record::driver::Driver::MptcpBind
            | $crate::record::driver::Driver::TcpFastOpen
            | $crate::record::driver::Driver::UdpConnect
            | $crate::record::driver::Driver::RawSocket
            | $crate::record::driver::Driver::PacketSocket
            | $crate::record::driver::Driver::NetlinkSocket
            | $crate::record::driver::Driver::VsockSocket
            | $crate::record::driver::Driver::DescriptorRead
            | $crate::record::driver::Driver::SysvShm
            | $crate::record::driver::Driver::SysvSem
            | $crate::record::driver::Driver::SysvMsg
            | $crate::record::driver::Driver::PosixMq
            | $crate::record::driver::Driver::KeyRead
            | $crate::record::driver::Driver::KeyAdd
            | $crate::record::driver::Driver::TtyIoctl
            | $crate::record::driver::Driver::TtyInject
            | $crate::record::driver::Driver::ExecMemfd
            | $crate::record::driver::Driver::ExecWritten
            | $crate::record::driver::Driver::PtraceOutside
            | $crate::record::driver::Driver::PidfdGetfdOutside
            | $crate::record::driver::Driver::ProcessVmReadvOutside
            | $crate::record::driver::Driver::ProcessEnvironOutside
            | $crate::record::driver::Driver::ProcessMapsOutside
            | $crate::record::driver::Driver::ProcessMemOutside
            | $crate::record::driver::Driver::ProcessRootOutside
            | $crate::record::driver::Driver::ProcessPriorityOutside
            | $crate::record::driver::Driver::UserNamespace
            | $crate::record::driver::Driver::UserNamespaceMap
            | $crate::record::driver::Driver::MountTmpfs
            | $crate::record::driver::Driver::Chroot
            | $crate::record::driver::Driver::PivotRoot
            | $crate::record::driver::Driver::BpfMap
            | $crate::record::driver::Driver::PerfEvent
            | $crate::record::driver::Driver::Userfaultfd
            | $crate::record::driver::Driver::IoUring
            | $crate::record::driver::Driver::IoUringRead
            | $crate::record::driver::Driver::IoUringConnect
    };
}
pub(crate) use linux_drivers;

/// The drivers of macOS alone.
macro_rules! macos_drivers {
    () => {
        $crate::record::driver::Driver::FileLstat
            | $crate::record::driver::Driver::FileFstat
            | $crate::record::driver::Driver::FileGetattrlist
            | $crate::record::driver::Driver::FileSetattrlist
            | $crate::record::driver::Driver::FileFchmod
            | $crate::record::driver::Driver::FileLchown
            | $crate::record::driver::Driver::FileFchown
            | $crate::record::driver::Driver::FileFchownat
            | $crate::record::driver::Driver::FileFutimes
            | $crate::record::driver::Driver::FileLutimes
            | $crate::record::driver::Driver::FileWriteAt
            | $crate::record::driver::Driver::FileReadRootrel
            | $crate::record::driver::Driver::FileWriteRootrel
            | $crate::record::driver::Driver::FileSearch
            | $crate::record::driver::Driver::FileClone
            | $crate::record::driver::Driver::FileIoctl
            | $crate::record::driver::Driver::MachLookup
            | $crate::record::driver::Driver::MachLookupLocal
            | $crate::record::driver::Driver::MachRegister
            | $crate::record::driver::Driver::XpcLookup
            | $crate::record::driver::Driver::IokitOpenService
            | $crate::record::driver::Driver::IokitOpenUserClient
            | $crate::record::driver::Driver::SysctlRead
            | $crate::record::driver::Driver::DarwinNotificationPost
            | $crate::record::driver::Driver::DistributedNotificationPost
            | $crate::record::driver::Driver::ProcessInfo
            | $crate::record::driver::Driver::SignalSameSandbox
            | $crate::record::driver::Driver::TcpAccept
            | $crate::record::driver::Driver::PosixSem
            | $crate::record::driver::Driver::SystemSocket
            | $crate::record::driver::Driver::PreferenceRead
            | $crate::record::driver::Driver::PolicyQuery
    };
}
pub(crate) use macos_drivers;

#[cfg(test)]
mod tests {
    use crate::record::driver::{Driver, Platforms};

    #[test]
    fn the_patterns_are_what_the_table_says() {
        for driver in Driver::ALL {
            let platforms = match driver {
                linux_drivers!() => Platforms::Linux,
                macos_drivers!() => Platforms::Macos,
                _ => Platforms::Both,
            };
            assert_eq!(platforms, driver.info().platforms, "{driver:?}");
        }
    }
}
