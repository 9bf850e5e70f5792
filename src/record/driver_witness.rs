//! What shows that an operation that went through did what it is about.
//!
//! Inside a launcher a success alone decides nothing: the call may have been on another object, or on none. Elsewhere it is
//! asked who listens.

use super::driver::Driver;
use super::driver_sets::macos_drivers;
use super::fixture::ListenerKind;

/// What shows what a success was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuccessWitness {
    /// What was read.
    Content(ContentSource),
    /// A number that was made for it, which it read and its trace tells.
    Token,
    /// Which object it was, or one of the same length and time: it looks at nothing else.
    Metadata,
    /// Which object it was.
    Object,
    /// What the host sees on its own files.
    File(FileEffect),
    /// Whoever listens, and the connection that stands.
    Connection(ListenerKind),
    /// Whoever receives.
    Datagram(ListenerKind),
    /// What the host sees at the other end of a terminal.
    Terminal,
    /// The process outside that gets a signal.
    Signal,
    /// What it brings about for its own process.
    Consequence,
    /// Nothing that is known.
    Nothing,
}

/// Where what an operation read can be read once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentSource {
    /// In the file that it left open.
    OpenFile,
    /// In the folder, as names.
    Names,
    /// In the symbolic link, as its text.
    Link,
    /// In the extended attribute.
    Xattr,
}

/// What an operation does to files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileEffect {
    /// One of that kind is made.
    Made(MadeFile),
    /// It is one byte longer.
    Grown,
    /// It is empty.
    Emptied,
    /// Its permission bits are others.
    Mode,
    /// Its times are others.
    Times,
    /// It has that extended attribute.
    Xattr,
    /// It is gone.
    Removed,
    /// It has its second name, and no longer its first.
    Renamed,
    /// Both names have each other's file.
    Exchanged,
    /// It has a second name.
    Linked,
}

/// The kinds of file that drivers make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeFile {
    /// A regular file.
    Regular,
    /// A symbolic link that holds the text `to`.
    Symlink,
    /// A folder.
    Dir,
    /// A FIFO.
    Fifo,
    /// A socket node.
    Socket,
    /// A character device node.
    CharDevice,
    /// A block device node.
    BlockDevice,
}

impl FileEffect {
    /// Whether a new entry is in a folder afterwards, and none less.
    pub fn makes(self) -> bool {
        matches!(self, Self::Made(_) | Self::Linked)
    }

    /// Whether something has another name afterwards.
    pub fn moves(self) -> bool {
        matches!(self, Self::Renamed | Self::Exchanged | Self::Linked)
    }

    /// Whether a name leads elsewhere afterwards, or nowhere.
    pub fn removes(self) -> bool {
        matches!(self, Self::Removed | Self::Renamed | Self::Exchanged)
    }
}

impl Driver {
    /// What shows what its success is worth.
    pub fn witness(self) -> SuccessWitness {
        use SuccessWitness as W;
        match self {
            Self::FileRead
            | Self::FileReadAt
            | Self::FileReadInherited
            | Self::FileReadReopened
            | Self::FileReadAtInherited
            | Self::IoUringRead => W::Content(ContentSource::OpenFile),
            Self::DirList => W::Content(ContentSource::Names),
            Self::FileReadlink => W::Content(ContentSource::Link),
            Self::XattrGet => W::Content(ContentSource::Xattr),
            Self::EnvironmentRead
            | Self::DescriptorRead
            | Self::SysvShm
            | Self::KeyRead
            | Self::PtraceOutside
            | Self::PidfdGetfdOutside
            | Self::ProcessVmReadvOutside
            | Self::ProcessEnvironOutside
            | Self::ProcessMemOutside => W::Token,
            Self::FileStat | Self::FileAccess | Self::XattrList | Self::FileOpenPath => W::Metadata,
            Self::FileOpenWrite
            | Self::FileReadWrite
            | Self::FileStatfs
            | Self::Chdir
            | Self::InotifyWatch
            | Self::FileLock
            | Self::FileChown
            | Self::FileMapExecutable
            | Self::DeviceIoctl => W::Object,
            Self::FileCreate => W::File(FileEffect::Made(MadeFile::Regular)),
            Self::SymlinkCreate => W::File(FileEffect::Made(MadeFile::Symlink)),
            Self::DirCreate => W::File(FileEffect::Made(MadeFile::Dir)),
            Self::FifoCreate => W::File(FileEffect::Made(MadeFile::Fifo)),
            Self::SocketNodeCreate | Self::UnixBind => W::File(FileEffect::Made(MadeFile::Socket)),
            Self::CharDeviceCreate => W::File(FileEffect::Made(MadeFile::CharDevice)),
            Self::BlockDeviceCreate => W::File(FileEffect::Made(MadeFile::BlockDevice)),
            Self::FileWrite | Self::FileWriteReopened => W::File(FileEffect::Grown),
            Self::FileTruncate | Self::FileOpenTruncate | Self::FileTruncateInherited | Self::FileTruncateFd => {
                W::File(FileEffect::Emptied)
            }
            Self::FileChmod => W::File(FileEffect::Mode),
            Self::FileUtimes => W::File(FileEffect::Times),
            Self::XattrSet => W::File(FileEffect::Xattr),
            Self::FileUnlink | Self::DirRemove => W::File(FileEffect::Removed),
            Self::FileRename => W::File(FileEffect::Renamed),
            Self::FileExchange => W::File(FileEffect::Exchanged),
            Self::FileLink => W::File(FileEffect::Linked),
            Self::TcpConnect | Self::MptcpConnect | Self::TcpFastOpen | Self::IoUringConnect => {
                W::Connection(ListenerKind::Tcp)
            }
            Self::UnixConnect => W::Connection(ListenerKind::Unix),
            Self::AbstractConnect => W::Connection(ListenerKind::Abstract),
            Self::UdpSend | Self::UdpConnect => W::Datagram(ListenerKind::Udp),
            Self::UnixSend => W::Datagram(ListenerKind::UnixDgram),
            Self::AbstractSend => W::Datagram(ListenerKind::AbstractDgram),
            Self::TtyIoctl | Self::TtyInject => W::Terminal,
            Self::SignalOutside => W::Signal,
            Self::Exec
            | Self::ProcessFork
            | Self::SignalInside
            | Self::SignalSelf
            | Self::TcpBind
            | Self::TcpListenUnbound
            | Self::UdpBind
            | Self::RawSocket
            | Self::PacketSocket
            | Self::NetlinkSocket
            | Self::VsockSocket
            | Self::UserNamespace
            | Self::UserNamespaceMap
            | Self::BpfMap
            | Self::PerfEvent
            | Self::Userfaultfd
            | Self::IoUring
            | Self::SysvSem
            | Self::SysvMsg
            | Self::PosixMq
            | Self::KeyAdd
            | Self::ExecMemfd
            | Self::ExecWritten
            | Self::MptcpBind
            | Self::PosixShm
            | Self::MountBind
            | Self::MountTmpfs
            | Self::Chroot
            | Self::PivotRoot
            | Self::ProcessMapsOutside
            | Self::ProcessRootOutside
            | Self::ProcessPriorityOutside
            | Self::PseudoTty
            | Self::ProcessInspectOutside => W::Consequence,
            // A worker inside a launcher performs none of these.
            Self::FileReadOlderThread | Self::ApplyOnly | macos_drivers!() => W::Nothing,
        }
    }

    /// What it does to files, if that is what shows its success.
    pub fn file_effect(self) -> Option<FileEffect> {
        match self.witness() {
            SuccessWitness::File(effect) => Some(effect),
            _ => None,
        }
    }

    /// Who has to listen where it goes, if anybody has to.
    pub fn listener(self) -> Option<ListenerKind> {
        match self.witness() {
            SuccessWitness::Connection(kind) | SuccessWitness::Datagram(kind) => Some(kind),
            _ => None,
        }
    }

    /// Whether it waits for somebody who accepts.
    pub fn connects(self) -> bool {
        matches!(self.witness(), SuccessWitness::Connection(_))
    }

    /// Whether it fails where nobody listens. A datagram over UDP goes off all the same.
    pub fn needs_listener(self) -> bool {
        self.listener().is_some_and(|kind| kind != ListenerKind::Udp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::driver::{ChangeReach, Effect};

    #[test]
    fn what_shows_on_files_changes_them_and_what_only_looks_shows_nothing_there() {
        for driver in Driver::ALL {
            let info = driver.info();
            match driver.witness() {
                SuccessWitness::File(_) => assert_eq!(info.effect, Effect::Changes, "{}", info.name),
                SuccessWitness::Content(_) | SuccessWitness::Token => {
                    assert_eq!(info.effect, Effect::Reads, "{}", info.name);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn what_makes_or_removes_changes_the_entry_and_the_rest_the_object() {
        for driver in Driver::ALL {
            let Some(effect) = driver.file_effect() else { continue };
            let entry = effect.makes() || effect.moves() || effect.removes();
            let reach = if entry { ChangeReach::Entry } else { ChangeReach::Object };
            assert_eq!(driver.reach(), [reach], "{}", driver.info().name);
        }
    }
}
