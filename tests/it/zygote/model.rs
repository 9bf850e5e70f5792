//! The model against the kernel: two judges of the same random cases, who have to agree. `sandproof drift` asks them more.

use std::path::{Path, PathBuf};

use sandproof::test_support::base::ids::RunId;
use sandproof::test_support::drift::case::{CaseKind, DriftCase, LATEST_ABI};
use sandproof::test_support::drift::dice::Dice;
use sandproof::test_support::drift::judge::Judge;
use sandproof::test_support::lane::fixture::{RulePlaces, choose_base};
use sandproof::test_support::policy::landlock::{FsRight, LandlockPolicy, Layer, PathBeneathRule, RightSet};
use sandproof::test_support::record::action::{Action, BindMount};
use sandproof::test_support::record::driver::Driver;
use sandproof::test_support::record::fixture::{FixtureEntry, FixtureKind};
use sandproof::test_support::record::outcome::Decision;

use super::harness::is_root;

fn with_judge<T>(folder: &Path, work: impl FnOnce(&mut Judge<'_>) -> T) -> T {
    let base = choose_base(&[PathBuf::from(folder)], &RunId::fresh(), &RulePlaces::default()).unwrap();
    let mut judge = Judge::new(Path::new(env!("CARGO_BIN_EXE_sandproof")), &base, "case").unwrap();
    work(&mut judge)
}

/// Compares `cases` cases, the same in every run, and gives how many were allowed and denied.
fn compare(cases: u64, kind: CaseKind, folder: &Path) -> (usize, usize) {
    let (mut allowed, mut denied) = (0, 0);
    with_judge(folder, |judge| {
        for number in 0..cases {
            let case = kind.roll(&mut Dice::new(1, number), LATEST_ABI);
            let judged = judge.judge(&case).unwrap();
            assert!(judged.agree, "{kind:?} {number}: {case:#?}: {judged:#?}");
            match judged.model.decision {
                Some(Decision::Allow) => allowed += 1,
                Some(Decision::Deny) => denied += 1,
                None => {}
            }
        }
    });
    (allowed, denied)
}

/// Whether this kernel knows every right that the cases use.
fn able() -> bool {
    sandproof::test_support::enforce::landlock_abi().is_some_and(|abi| abi >= LATEST_ABI)
}

#[test]
fn model_and_kernel_agree() {
    if !able() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (allowed, denied) = compare(300, CaseKind::Files, folder.path());
    assert!(allowed > 80 && denied > 40, "too few cases were decided: {allowed} allowed, {denied} denied");
}

#[test]
fn model_and_kernel_agree_about_other_ways_to_files() {
    if !able() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (allowed, denied) = compare(300, CaseKind::OtherWays, folder.path());
    assert!(allowed > 80 && denied > 12, "too few cases were decided: {allowed} allowed, {denied} denied");
}

#[test]
fn model_and_kernel_agree_on_another_mount_than_the_root() {
    let shm = Path::new("/dev/shm");
    if !able() || !shm.is_dir() {
        return;
    }
    let folder = tempfile::tempdir_in(shm).unwrap();
    let (allowed, denied) = compare(120, CaseKind::Files, folder.path());
    assert!(allowed > 25 && denied > 15, "too few cases were decided: {allowed} allowed, {denied} denied");
}

#[test]
fn model_and_kernel_agree_about_bind_mounts() {
    if !able() || !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (allowed, denied) = compare(150, CaseKind::Mounts, folder.path());
    assert!(allowed > 15 && denied > 8, "too few cases were decided: {allowed} allowed, {denied} denied");
}

#[test]
fn model_and_kernel_agree_about_several_layers() {
    if !able() {
        return;
    }
    // Once where the run's own folder is on the mount of `/`, perhaps, and once where it is not.
    for folder in [tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap()] {
        let (allowed, denied) = compare(400, CaseKind::Layers, folder.path());
        assert!(allowed > 30 && denied > 60, "too few cases were decided: {allowed} allowed, {denied} denied");
    }
}

#[test]
fn model_and_kernel_agree_about_layers_among_bind_mounts() {
    if !able() || !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (allowed, denied) = compare(200, CaseKind::LayersAmongMounts, folder.path());
    assert!(allowed > 3 && denied > 8, "too few cases were decided: {allowed} allowed, {denied} denied");
}

/// Two layers. Below a mount of its own, the comparison of what moves to `m/b` ends only at `/`.
fn together() -> [Layer; 2] {
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
fn moved_below_a_mount(layers: Vec<Layer>) -> DriftCase {
    let mut action = Action::new(Driver::FileRename, "${root}/m/a/f");
    action.to = Some("${root}/m/b/f".into());
    action.mounts = vec![BindMount { from: "${root}/m".into(), at: "${root}/m".into() }];
    let fixtures = vec![FixtureEntry::new("m/a/f", FixtureKind::File), FixtureEntry::new("m/b", FixtureKind::Dir)];
    DriftCase { policy: LandlockPolicy { abi: 7, tsync: false, layers }, fixtures, action }
}

/// Each layer by itself lets the move through, and both together refuse it; see the model's own test of that.
#[test]
fn a_kernel_compares_what_moves_over_all_layers_at_once() {
    if !able() || !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = together();
    with_judge(folder.path(), |judge| {
        for (layers, decision) in [
            (vec![first.clone()], Decision::Allow),
            (vec![second.clone()], Decision::Allow),
            (vec![first.clone(), second.clone()], Decision::Deny),
            (vec![second, first], Decision::Deny),
        ] {
            let judged = judge.judge(&moved_below_a_mount(layers)).unwrap();
            assert!(judged.agree, "{judged:#?}");
            assert_eq!(judged.model.decision, Some(decision));
        }
    });
}
