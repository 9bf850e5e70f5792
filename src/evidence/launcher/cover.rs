//! Whether something stands between a worker and the host's object.

use crate::record::driver::{Driver, TargetKind};
use crate::record::launcher::{MountSource, WorkerSurroundings};

/// What kind of object an operation is about, as far as sandboxes tell kinds apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum CoverKind {
    /// Something with a path.
    Path,
    /// A network address, or an abstract name, which a network namespace has to itself.
    Address,
    /// A process.
    Process,
    /// A System V object.
    Ipc,
    /// What a process has from the one that started it.
    HandedDown,
    /// Nothing that could be covered.
    Nothing,
}

impl CoverKind {
    pub(super) fn of(driver: Driver) -> Self {
        match driver.info().target {
            // Its folder is handed down, whatever its path leads to.
            TargetKind::Path if driver == Driver::FileReadAtInherited => Self::HandedDown,
            // Where something may be mounted is the process's own affair.
            TargetKind::Path if driver.mounts() => Self::Nothing,
            TargetKind::Path => Self::Path,
            TargetKind::Endpoint | TargetKind::AbstractName => Self::Address,
            TargetKind::OutsideProcess => Self::Process,
            TargetKind::SharedMemory => Self::Ipc,
            TargetKind::HandedDown | TargetKind::Variable => Self::HandedDown,
            TargetKind::Name | TargetKind::Process | TargetKind::None => Self::Nothing,
        }
    }
}

/// What an operation was on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperatedObject {
    /// The host's own.
    Same,
    /// Another one with what the host's holds.
    Other,
    /// Nothing of that name.
    Absent,
}

impl OperatedObject {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Other => "other",
            Self::Absent => "absent",
        }
    }
}

/// Whether the object is covered, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cover {
    /// `None`: nobody knows.
    pub(super) covers: Option<bool>,
    /// By what, in words, if it is.
    pub(super) words: Option<String>,
}

impl Cover {
    /// A namespace's id alone covers no path: the mounts on it have to show another object there.
    pub(super) fn of(driver: Driver, around: &WorkerSurroundings) -> Self {
        match CoverKind::of(driver) {
            CoverKind::Path => by_mount(around),
            CoverKind::Address => pair(&around.net, "another network namespace"),
            CoverKind::Process => match &around.process {
                Some(process) if process.inside == Some(process.outside) => Self::nothing(),
                Some(process) if process.inside.is_some() => {
                    Self::by("another process of that number, in another process id namespace".into())
                }
                _ => pair(&around.pid, "another process id namespace"),
            },
            CoverKind::Ipc => pair(&around.ipc, "another IPC namespace"),
            // Each program that starts another decides what it hands down.
            CoverKind::HandedDown => Self::by("a program that does not hand it down".into()),
            CoverKind::Nothing => Self { covers: None, words: None },
        }
    }

    fn by(words: String) -> Self {
        Self { covers: Some(true), words: Some(words) }
    }

    fn nothing() -> Self {
        Self { covers: Some(false), words: None }
    }
}

fn pair(pair: &Option<[String; 2]>, words: &str) -> Cover {
    match pair {
        Some([outside, inside]) if outside != inside => Cover::by(words.into()),
        Some(_) => Cover::nothing(),
        None => Cover { covers: None, words: None },
    }
}

fn by_mount(around: &WorkerSurroundings) -> Cover {
    if around.traced {
        return Cover::by("a process that traces it".into());
    }
    match (&around.source_outside, &around.source_inside) {
        (Some(outside), Some(inside)) if outside.is_same(inside) => Cover::nothing(),
        (Some(_), Some(inside)) => Cover::by(words(inside)),
        _ => Cover { covers: None, words: None },
    }
}

fn words(source: &MountSource) -> String {
    format!("{} on {} ({} {})", source.fs_type, source.mount_point, source.device, source.path)
}
