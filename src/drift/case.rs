//! Random policies, fixture trees and operations on which the model and a kernel are compared.
//!
//! Everything stays below ABI 8 and under `${root}`, needs no privilege but for bind mounts, and is small, so that paths and rules
//! meet.

use super::dice::Dice;
use crate::policy::landlock::rights::{NetRight, Right, Scope};
use crate::policy::landlock::table::PathBeneathRule;
use crate::policy::landlock::{FsRight, LandlockPolicy, Layer, RightSet};
use crate::record::action::{Action, BindMount};
use crate::record::driver::{Driver, Param};
use crate::record::fixture::{FixtureEntry, FixtureKind};

/// The latest ABI whose rights cases have.
pub const LATEST_ABI: i32 = 7;

/// The drivers whose operations stay inside the fixture root.
const FILE_DRIVERS: &[Driver] = &[
    Driver::FileRead,
    Driver::FileWrite,
    Driver::FileReadWrite,
    Driver::FileOpenPath,
    Driver::FileReadInherited,
    Driver::FileReadAt,
    Driver::FileCreate,
    Driver::FileUnlink,
    Driver::FileRename,
    Driver::FileExchange,
    Driver::FileLink,
    Driver::FileTruncate,
    Driver::FileOpenTruncate,
    Driver::FileTruncateInherited,
    Driver::FileTruncateFd,
    Driver::SymlinkCreate,
    Driver::DirCreate,
    Driver::DirRemove,
    Driver::DirList,
    Driver::FifoCreate,
    Driver::SocketNodeCreate,
    Driver::CharDeviceCreate,
    Driver::FileStat,
    Driver::FileReadlink,
    Driver::Exec,
];

/// Further drivers of files, which reach them in other ways or do something else with them.
const OTHER_FILE_DRIVERS: &[Driver] = &[
    Driver::FileReadReopened,
    Driver::FileWriteReopened,
    Driver::FileReadAtInherited,
    Driver::FileReadOlderThread,
    Driver::FileLock,
    Driver::FileChown,
    Driver::FileStatfs,
    Driver::Chdir,
    Driver::InotifyWatch,
    Driver::ExecWritten,
    Driver::IoUringRead,
    Driver::FileMapExecutable,
];

/// What goes from one place to another.
const MOVES: &[Driver] = &[Driver::FileRename, Driver::FileExchange, Driver::FileLink];

/// One case: everything that the model and a kernel are asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct DriftCase {
    /// The policy, with placeholders.
    pub policy: LandlockPolicy,
    /// The tree under `${root}`.
    pub fixtures: Vec<FixtureEntry>,
    /// The operation, with placeholders.
    pub action: Action,
}

/// A family of cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseKind {
    /// One layer, operations on files.
    Files,
    /// One layer, other ways to files.
    OtherWays,
    /// Several layers; most of these cases are about what goes from one folder to another.
    Layers,
    /// One layer among bind mounts, which need `CAP_SYS_ADMIN`.
    Mounts,
    /// Moves of several layers among bind mounts.
    LayersAmongMounts,
}

impl CaseKind {
    /// Those that need no privilege.
    pub const UNPRIVILEGED: &'static [Self] = &[Self::Files, Self::OtherWays, Self::Layers];
    /// Every one.
    pub const ALL: &'static [Self] =
        &[Self::Files, Self::OtherWays, Self::Layers, Self::Mounts, Self::LayersAmongMounts];

    /// A case of this family, with the rights of `abi`.
    pub fn roll(self, dice: &mut Dice, abi: i32) -> DriftCase {
        let mut roll = CaseRoll { dice, abi: abi.min(LATEST_ABI) };
        let (policy, drivers, mounts) = match self {
            Self::Files => (roll.single(), FILE_DRIVERS, Vec::new()),
            Self::OtherWays => (roll.single(), OTHER_FILE_DRIVERS, Vec::new()),
            Self::Layers => match roll.dice.below(3) {
                0 => (roll.stack(), FILE_DRIVERS, Vec::new()),
                1 => (roll.stack(), MOVES, Vec::new()),
                _ => (roll.generous(), MOVES, Vec::new()),
            },
            Self::Mounts => {
                let mounts = roll.mounts();
                (roll.single(), FILE_DRIVERS, mounts)
            }
            Self::LayersAmongMounts => {
                let mounts = roll.mounts_in_place();
                (if roll.dice.chance(1, 4) { roll.stack() } else { roll.generous() }, MOVES, mounts)
            }
        };
        let fixtures = roll.fixtures();
        let action = roll.action(drivers, mounts);
        DriftCase { policy, fixtures, action }
    }
}

/// A case in the making.
struct CaseRoll<'d> {
    dice: &'d mut Dice,
    abi: i32,
}

impl CaseRoll<'_> {
    fn known(&self) -> Vec<FsRight> {
        FsRight::ALL.iter().copied().filter(|right| right.since_abi() <= self.abi).collect()
    }

    fn subset(&mut self, list: &[FsRight], least: usize, most: usize) -> RightSet<FsRight> {
        let count = self.dice.between(least, most);
        RightSet::of(&self.dice.some(list, count))
    }

    /// Few rights, or nearly all of them: both ends are where policies live.
    fn rights(&mut self) -> RightSet<FsRight> {
        let known = self.known();
        match self.dice.below(6) {
            0 | 1 => self.subset(&known, 1, 5),
            2 => self.subset(&known, 1, known.len()),
            _ => RightSet::of(&known).minus(self.subset(&known, 0, 3)),
        }
    }

    fn policy(&self, layers: Vec<Layer>) -> LandlockPolicy {
        LandlockPolicy { abi: self.abi, tsync: false, layers }
    }

    fn single(&mut self) -> LandlockPolicy {
        let layer = self.layer();
        self.policy(vec![layer])
    }

    /// Two to four layers. Some handle no file right.
    fn stack(&mut self) -> LandlockPolicy {
        let count = self.dice.between(2, 4);
        let layers = (0..count).map(|_| match self.dice.below(18) {
            0 if self.abi >= 6 => Layer { scoped: RightSet::of(&[Scope::Signal]), ..Layer::default() },
            1 if self.abi >= 4 => Layer { handled_net: RightSet::of(&[NetRight::BindTcp]), ..Layer::default() },
            _ => self.layer(),
        });
        let layers = layers.collect();
        self.policy(layers)
    }

    /// Two or three layers that grant nearly everything nearly everywhere, so that what moves is compared from folder to folder
    /// rather than refused at once.
    fn generous(&mut self) -> LandlockPolicy {
        const FEW: &[FsRight] = &[FsRight::ReadFile, FsRight::WriteFile, FsRight::Execute, FsRight::ReadDir];
        const PLACES: &[&str] = &["/", "${root}", "${root}/a", "${root}/b", "${root}/a/d", "${root}/b/d"];
        let all = RightSet::of(&self.known());
        let needed = RightSet::of(&[
            FsRight::Refer,
            FsRight::MakeReg,
            FsRight::MakeDir,
            FsRight::MakeSym,
            FsRight::RemoveFile,
            FsRight::RemoveDir,
        ]);
        let count = self.dice.between(2, 3);
        let mut layers = Vec::new();
        for _ in 0..count {
            let left_out = self.subset(FEW, 0, 2);
            let base = if self.dice.chance(1, 2) { all.minus(left_out) } else { needed.intersection(all) };
            let mut rules = vec![PathBeneathRule { path: "/".into(), allow: base }];
            for _ in 0..self.dice.between(1, 3) {
                let (path, allow) = (self.dice.pick(PLACES), self.subset(FEW, 0, 2));
                if !allow.is_empty() {
                    rules.push(PathBeneathRule { path: path.into(), allow });
                }
            }
            layers.push(Layer { handled_fs: all, path_beneath: rules, ..Layer::default() });
        }
        self.policy(layers)
    }

    /// A layer of up to four rules. Nearly always the kernel takes it: only folders are granted rights of folders.
    fn layer(&mut self) -> Layer {
        const FOLDERS: &[&str] =
            &["${root}", "${root}/a", "${root}/b", "${root}/a", "${root}/b", "${root}/a/d", "${root}/b/d", "/", "/usr"];
        const FILES: &[&str] = &["${root}/a/f", "${root}/b/f", "${root}/b/h"];
        const DOUBTFUL: &[&str] = &["${root}/l0", "${root}/a/f"];
        let of_files = RightSet::of(&[FsRight::Execute, FsRight::WriteFile, FsRight::ReadFile, FsRight::Truncate]);
        let handled_fs = self.rights();
        let mut path_beneath = Vec::new();
        for _ in 0..self.dice.between(0, 4) {
            let (path, allow) = match self.dice.below(11) {
                0..=7 => (self.dice.pick(FOLDERS), self.rights()),
                8 | 9 => (self.dice.pick(FILES), self.rights().intersection(of_files)),
                _ => (self.dice.pick(DOUBTFUL), self.rights()),
            };
            let allow = allow.intersection(handled_fs);
            if !allow.is_empty() {
                path_beneath.push(PathBeneathRule { path: path.into(), allow });
            }
        }
        Layer { handled_fs, path_beneath, ..Layer::default() }
    }

    fn mounts(&mut self) -> Vec<BindMount> {
        const FOLDERS: &[&str] = &["${root}/a", "${root}/b", "${root}/a/d", "${root}/b/d", "${root}"];
        let count = self.dice.between(1, 2);
        let pick = |dice: &mut Dice| dice.pick(FOLDERS).to_owned();
        (0..count).map(|_| BindMount { from: pick(self.dice), at: pick(self.dice) }).collect()
    }

    fn mounts_in_place(&mut self) -> Vec<BindMount> {
        const FOLDERS: &[&str] = &["${root}/a", "${root}/b", "${root}/a/d", "${root}"];
        let count = self.dice.between(1, 2);
        (0..count)
            .map(|_| {
                let folder = self.dice.pick(FOLDERS).to_owned();
                BindMount { from: folder.clone(), at: folder }
            })
            .collect()
    }

    /// A fixed skeleton with random links in it.
    fn fixtures(&mut self) -> Vec<FixtureEntry> {
        use FixtureKind::{Dir, Fifo, File, Hardlink, Program, Symlink};
        const TEXTS: &[&str] =
            &["a", "b", "a/f", "b/f", "../b/f", "${root}/a", "${root}/a/d/f", "l0", "l1", "a/d/..", ".", "nowhere"];
        let hard = self.dice.pick(&["a/f", "b/f", "a/d/f"]);
        let mut text = || Some(self.dice.pick(TEXTS));
        vec![
            entry("a/f", File, None),
            entry("b/f", File, None),
            entry("a/d/f", File, None),
            entry("b/d/f", File, None),
            entry("b/e", Dir, None),
            entry("a/e", Dir, None),
            entry("a/p", Program, None),
            entry("b/p", Program, None),
            entry("b/q", Fifo, None),
            entry("b/h", Hardlink, Some(hard)),
            entry("l0", Symlink, text()),
            entry("l1", Symlink, text()),
            entry("a/l", Symlink, text()),
            entry("b/l", Symlink, text()),
        ]
    }

    fn head(&mut self) -> &'static str {
        if self.dice.chance(1, 4) { "/proc/self/root${root}" } else { "${root}" }
    }

    /// Any path under `${root}`, with detours.
    fn detour(&mut self) -> String {
        // No FIFO is among them: opening one waits.
        const PARTS: &[&str] =
            &["a", "a", "b", "b", "d", "f", "f", "e", "p", "h", "l", "l0", "l1", "new", "..", ".", ""];
        let mut path = self.head().to_owned();
        for _ in 0..self.dice.between(0, 4) {
            path.push('/');
            path.push_str(self.dice.pick(PARTS));
        }
        if self.dice.chance(1, 4) { path + "/" } else { path }
    }

    /// Mostly one of `fitting`, now and then any path at all.
    fn path(&mut self, fitting: &[&str]) -> String {
        if self.dice.chance(1, 6) { self.detour() } else { format!("{}/{}", self.head(), self.dice.pick(fitting)) }
    }

    /// An operation with paths that mostly suit it.
    fn action(&mut self, drivers: &[Driver], mounts: Vec<BindMount>) -> Action {
        let driver = self.dice.pick(drivers);
        let target = match driver {
            Driver::FileCreate
            | Driver::ExecWritten
            | Driver::SymlinkCreate
            | Driver::DirCreate
            | Driver::FifoCreate
            | Driver::SocketNodeCreate
            | Driver::CharDeviceCreate => FRESH,
            Driver::FileUnlink | Driver::FileRename | Driver::FileExchange | Driver::FileLink => ENTRIES,
            Driver::FileStat | Driver::FileOpenPath => ENTRIES,
            Driver::DirRemove => EMPTY,
            Driver::DirList | Driver::Chdir => FOLDERS,
            Driver::Exec => PROGRAMS,
            Driver::FileReadlink => LINKS,
            _ => FILES,
        };
        let target = self.path(target);
        let to = match driver {
            _ if !driver.info().params.contains(&Param::To) => None,
            Driver::FileExchange => Some(self.path(ENTRIES)),
            _ if self.dice.chance(1, 4) => Some(self.path(ENTRIES)),
            _ => Some(self.path(FRESH)),
        };
        Action { to, mounts, ..Action::new(driver, target) }
    }
}

const FILES: &[&str] =
    &["a/f", "b/f", "a/d/f", "b/d/f", "b/h", "a/l", "b/l", "l0", "l1", "l0/f", "l1/f", "a/l/f", "b/d/../f", "a/../b/f"];
const PROGRAMS: &[&str] = &["a/p", "b/p", "a/d/../p", "l0/p", "l1/p", "b/l/p"];
const ENTRIES: &[&str] =
    &["a/f", "b/f", "a/d/f", "b/d/f", "b/h", "a/l", "b/l", "l0", "a/e", "b/e", "a/p", "b/q", "a/d", "b/d", "l0/f"];
const EMPTY: &[&str] = &["a/e", "b/e", "l0/e", "l1/e/", "a/d/../e"];
const FOLDERS: &[&str] = &["a", "b", "a/d", "b/d/", "l0", "l1", "a/l", "b/e", "a/d/.."];
const FRESH: &[&str] =
    &["a/new", "b/new", "a/d/new", "b/d/new", "new", "l0/new", "l1/new", "l1/../new", "a/l/new", "a/e/new", "b/./new"];
const LINKS: &[&str] = &["l0", "l1", "a/l", "b/l", "l0/l"];

fn entry(path: &str, kind: FixtureKind, to: Option<&str>) -> FixtureEntry {
    FixtureEntry { to: to.map(Into::into), ..FixtureEntry::new(path, kind) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_hold_only_what_an_abi_knows_and_every_driver_comes_up() {
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..3_000 {
            for kind in CaseKind::ALL {
                let case = kind.roll(&mut Dice::new(7, number), 3);
                seen.insert(case.action.driver);
                assert_eq!(case.policy.abi, 3);
                assert!(case.policy.layers.iter().all(|layer| layer.needs_abi() <= 3), "{case:?}");
                let mounted = matches!(kind, CaseKind::Mounts | CaseKind::LayersAmongMounts);
                assert_eq!(!case.action.mounts.is_empty(), mounted);
            }
        }
        assert_eq!(seen.len(), FILE_DRIVERS.len() + OTHER_FILE_DRIVERS.len());
    }
}
