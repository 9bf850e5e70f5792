//! Random policies, fixture trees and actions, for comparing the model with a kernel.
//!
//! Everything stays below ABI 7 and under `${root}`, needs no privilege, and is small, so that paths and rules meet.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use sandproof::test_support::policy::landlock::rights::Right;
use sandproof::test_support::policy::landlock::{
    FsRight, LandlockPolicy, Layer, NetRight, PathBeneathRule, RightSet, Scope,
};
use sandproof::test_support::record::action::{Action, BindMount};
use sandproof::test_support::record::driver::Driver;
use sandproof::test_support::record::fixture::{FixtureEntry, FixtureKind};

/// The drivers whose operations stay inside the fixture root.
pub const FILE_DRIVERS: &[Driver] = &[
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
pub const OTHER_FILE_DRIVERS: &[Driver] = &[
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

/// One case: everything that the model and a kernel are asked about.
#[derive(Debug, Clone)]
pub struct Case {
    /// The policy, with placeholders.
    pub policy: LandlockPolicy,
    /// The tree under `${root}`.
    pub fixtures: Vec<FixtureEntry>,
    /// The operation, with placeholders.
    pub action: Action,
}

/// Cases without bind mounts, which need no privilege.
pub fn case() -> impl Strategy<Value = Case> {
    case_of(FILE_DRIVERS)
}

/// The same for some drivers.
pub fn case_of(drivers: &'static [Driver]) -> impl Strategy<Value = Case> {
    (policy(), fixtures(), action(drivers, Vec::new())).prop_map(|(policy, fixtures, action)| Case {
        policy,
        fixtures,
        action,
    })
}

/// Cases with up to two bind mounts, which need `CAP_SYS_ADMIN`.
pub fn case_with_mounts() -> impl Strategy<Value = Case> {
    let folder = || select(vec!["${root}/a", "${root}/b", "${root}/a/d", "${root}/b/d", "${root}"]);
    let mount = (folder(), folder()).prop_map(|(from, at)| BindMount { from: from.into(), at: at.into() });
    (policy(), fixtures(), proptest::collection::vec(mount, 1..=2).prop_flat_map(|mounts| action(FILE_DRIVERS, mounts)))
        .prop_map(|(policy, fixtures, action)| Case { policy, fixtures, action })
}

fn set(list: Vec<FsRight>) -> RightSet<FsRight> {
    list.into_iter().fold(RightSet::EMPTY, RightSet::with)
}

/// Few rights, or nearly all of them: both ends are where policies live.
fn rights() -> impl Strategy<Value = RightSet<FsRight>> {
    let known: Vec<FsRight> = FsRight::ALL.iter().copied().filter(|right| right.since_abi() <= 7).collect();
    let all = set(known.clone());
    prop_oneof![
        2 => subsequence(known.clone(), 1..=5).prop_map(set),
        1 => subsequence(known.clone(), 1..=known.len()).prop_map(set),
        3 => subsequence(known, 0..=3).prop_map(move |few| all.minus(set(few))),
    ]
}

/// A policy of one layer.
pub fn policy() -> impl Strategy<Value = LandlockPolicy> {
    layer().prop_map(|layer| LandlockPolicy::single(7, layer))
}

/// A policy of two to four layers. Some handle no file right.
fn stack() -> impl Strategy<Value = LandlockPolicy> {
    let scope = Layer { scoped: RightSet::of(&[Scope::Signal]), ..Layer::default() };
    let net = Layer { handled_net: RightSet::of(&[NetRight::BindTcp]), ..Layer::default() };
    let one = prop_oneof![8 => layer().boxed(), 1 => select(vec![scope, net]).boxed()];
    proptest::collection::vec(one, 2..=4).prop_map(|layers| LandlockPolicy { abi: 7, tsync: false, layers })
}

/// Two or three layers that grant nearly everything nearly everywhere, so that what moves is compared from folder to folder
/// rather than refused at once.
fn generous() -> impl Strategy<Value = LandlockPolicy> {
    let known: Vec<FsRight> = FsRight::ALL.iter().copied().filter(|right| right.since_abi() <= 7).collect();
    let all = set(known);
    let few =
        move || subsequence(vec![FsRight::ReadFile, FsRight::WriteFile, FsRight::Execute, FsRight::ReadDir], 0..=2);
    let place = || select(vec!["/", "${root}", "${root}/a", "${root}/b", "${root}/a/d", "${root}/b/d"]);
    let needed = set(vec![
        FsRight::Refer,
        FsRight::MakeReg,
        FsRight::MakeDir,
        FsRight::MakeSym,
        FsRight::RemoveFile,
        FsRight::RemoveDir,
    ]);
    let layer = (few(), proptest::collection::vec((place(), few()), 1..=3), any::<bool>()).prop_map(
        move |(left_out, more, everywhere)| {
            let base = if everywhere { all.minus(set(left_out)) } else { needed };
            let mut rules = vec![PathBeneathRule { path: "/".into(), allow: base }];
            rules.extend(
                more.into_iter()
                    .map(|(path, rights)| (path, set(rights)))
                    .filter(|(_, set)| !set.is_empty())
                    .map(|(path, allow)| PathBeneathRule { path: path.into(), allow }),
            );
            Layer { handled_fs: all, path_beneath: rules, ..Layer::default() }
        },
    );
    proptest::collection::vec(layer, 2..=3).prop_map(|layers| LandlockPolicy { abi: 7, tsync: false, layers })
}

/// Cases of several layers, half of them about what goes from one folder to another.
pub fn case_of_layers() -> impl Strategy<Value = Case> {
    const MOVES: &[Driver] = &[Driver::FileRename, Driver::FileExchange, Driver::FileLink];
    let any = (stack(), fixtures(), action(FILE_DRIVERS, Vec::new()));
    let moves = (prop_oneof![stack().boxed(), generous().boxed()], fixtures(), action(MOVES, Vec::new()));
    prop_oneof![1 => any.boxed(), 2 => moves.boxed()].prop_map(|(policy, fixtures, action)| Case {
        policy,
        fixtures,
        action,
    })
}

/// Moves of several layers among up to two bind mounts.
pub fn case_of_layers_with_mounts() -> impl Strategy<Value = Case> {
    const MOVES: &[Driver] = &[Driver::FileRename, Driver::FileExchange, Driver::FileLink];
    let folder = || select(vec!["${root}/a", "${root}/b", "${root}/a/d", "${root}"]);
    let mount = folder().prop_map(|from| BindMount { from: from.into(), at: from.into() });
    let policy = prop_oneof![1 => stack().boxed(), 3 => generous().boxed()];
    (policy, fixtures(), proptest::collection::vec(mount, 1..=2).prop_flat_map(|mounts| action(MOVES, mounts)))
        .prop_map(|(policy, fixtures, action)| Case { policy, fixtures, action })
}

/// Two layers. Below a mount of its own, the comparison of what moves to `m/b` ends only at `/`.
pub fn together() -> [Layer; 2] {
    let needed = [FsRight::Refer, FsRight::MakeReg, FsRight::RemoveFile];
    let with = |right: FsRight| RightSet::of(&needed).with(right);
    let on = |path: &str, allow: RightSet<FsRight>| PathBeneathRule { path: path.into(), allow };
    let [slash, b] = ["/", "${root}/m/b"];
    [
        Layer {
            handled_fs: with(FsRight::Execute),
            path_beneath: vec![on(slash, RightSet::of(&needed))],
            ..Layer::default()
        },
        Layer {
            handled_fs: with(FsRight::ReadFile),
            path_beneath: vec![on(slash, with(FsRight::ReadFile)), on(b, RightSet::of(&[FsRight::ReadFile]))],
            ..Layer::default()
        },
    ]
}

/// A file goes from `m/a` to `m/b`, where `m` is a mount.
pub fn moved_below_a_mount(layers: Vec<Layer>) -> Case {
    let mut action = Action::new(Driver::FileRename, "${root}/m/a/f");
    action.to = Some("${root}/m/b/f".into());
    action.mounts = vec![BindMount { from: "${root}/m".into(), at: "${root}/m".into() }];
    let fixtures = vec![entry("m/a/f", FixtureKind::File, None), entry("m/b", FixtureKind::Dir, None)];
    Case { policy: LandlockPolicy { abi: 7, tsync: false, layers }, fixtures, action }
}

/// A layer of up to four rules. Nearly always the kernel takes it: only folders are granted rights of folders.
fn layer() -> impl Strategy<Value = Layer> {
    let file: RightSet<FsRight> = set(vec![FsRight::Execute, FsRight::WriteFile, FsRight::ReadFile, FsRight::Truncate]);
    let folder = select(vec![
        "${root}",
        "${root}/a",
        "${root}/b",
        "${root}/a",
        "${root}/b",
        "${root}/a/d",
        "${root}/b/d",
        "/",
        "/usr",
    ]);
    let other = select(vec!["${root}/a/f", "${root}/b/f", "${root}/b/h"]);
    let rule = prop_oneof![
        8 => (folder, rights()).prop_map(|(path, allow)| (path, allow)),
        2 => (other, rights()).prop_map(move |(path, allow)| (path, allow.intersection(file))),
        1 => (select(vec!["${root}/l0", "${root}/a/f"]), rights()),
    ];
    (rights(), proptest::collection::vec(rule, 0..=4)).prop_map(|(handled, rules)| Layer {
        handled_fs: handled,
        path_beneath: rules
            .into_iter()
            .map(|(path, allow)| (path, allow.intersection(handled)))
            .filter(|(_, allow)| !allow.is_empty())
            .map(|(path, allow)| PathBeneathRule { path: path.into(), allow })
            .collect(),
        ..Layer::default()
    })
}

fn entry(path: &str, kind: FixtureKind, to: Option<&str>) -> FixtureEntry {
    FixtureEntry { path: path.into(), kind, text: None, to: to.map(Into::into), mode: None, xattrs: Default::default() }
}

/// A fixed skeleton with random links in it.
pub fn fixtures() -> impl Strategy<Value = Vec<FixtureEntry>> {
    let text = || {
        select(vec![
            "a",
            "b",
            "a/f",
            "b/f",
            "../b/f",
            "${root}/a",
            "${root}/a/d/f",
            "l0",
            "l1",
            "a/d/..",
            ".",
            "nowhere",
        ])
    };
    let hard = select(vec!["a/f", "b/f", "a/d/f"]);
    (text(), text(), text(), text(), hard).prop_map(|(l0, l1, al, bl, hard)| {
        use FixtureKind::{Dir, Fifo, File, Hardlink, Program, Symlink};
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
            entry("l0", Symlink, Some(l0)),
            entry("l1", Symlink, Some(l1)),
            entry("a/l", Symlink, Some(al)),
            entry("b/l", Symlink, Some(bl)),
        ]
    })
}

fn head() -> impl Strategy<Value = &'static str> {
    select(vec!["${root}", "${root}", "${root}", "/proc/self/root${root}"])
}

/// Any path under `${root}`, with detours.
fn detour() -> impl Strategy<Value = String> {
    // No FIFO is among them: opening one waits.
    let part = select(vec!["a", "a", "b", "b", "d", "f", "f", "e", "p", "h", "l", "l0", "l1", "new", "..", ".", ""]);
    (head(), proptest::collection::vec(part, 0..=4), select(vec!["", "", "", "/"])).prop_map(|(head, parts, tail)| {
        let mut path = head.to_owned();
        for part in parts {
            path.push('/');
            path.push_str(part);
        }
        path + tail
    })
}

/// Mostly one of `fitting`, now and then any path at all.
fn path(fitting: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![5 => (head(), select(fitting)).prop_map(|(head, path)| format!("{head}/{path}")), 1 => detour()]
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

/// An operation with paths that mostly suit it.
fn action(drivers: &'static [Driver], mounts: Vec<BindMount>) -> impl Strategy<Value = Action> {
    select(drivers).prop_flat_map(move |driver| {
        let mounts = mounts.clone();
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
        let to = if driver == Driver::FileExchange {
            path(ENTRIES).boxed()
        } else {
            prop_oneof![3 => path(FRESH), 1 => path(ENTRIES)].boxed()
        };
        (path(target), to).prop_map(move |(target, to)| Action {
            to: Some(to),
            mounts: mounts.clone(),
            ..Action::new(driver, target)
        })
    })
}
