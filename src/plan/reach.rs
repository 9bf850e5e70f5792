//! What probes would reach beyond what the run makes, as far as fixtures and mounts tell beforehand. The probe process asks
//! the kernel again, right before its operation.

use super::diagnostic::{DiagnosticKind, Diagnostics, pointer_part, shown};
use super::file::ProbeEntry;
use super::resolved::{ResolvedPlan, ResolvedProbe};
use super::text::own_elsewhere;
use crate::policy::landlock::model::{Landing, Landings};
use crate::record::action::Action;
use crate::record::driver::{ChangeReach, Driver, Effect, Platform, TargetKind};
use crate::record::fixture::{FixtureEntry, FixtureKind, ListenerKind, OutsideFixture};

/// The folders of the row's own in shared ones (`/tmp/${name.NAME}`) that a changing probe's paths lie in and no fixture makes:
/// they are made for it all the same.
pub(super) fn implied_folders(action: &Action, fixtures: [&[FixtureEntry]; 2]) -> Vec<FixtureEntry> {
    if action.driver.info().effect != Effect::Changes {
        return Vec::new();
    }
    let second = action.to.as_deref().filter(|_| action.driver != Driver::SymlinkCreate);
    let mut implied: Vec<FixtureEntry> = Vec::new();
    for path in [Some(action.target.as_str()), second].into_iter().flatten() {
        let Some(path) = own_elsewhere(path, Platform::Linux) else { continue };
        let Some(wanted) = OutsideFixture::read(&path) else { continue };
        let same = |entry: &FixtureEntry| {
            OutsideFixture::read(&entry.path).is_some_and(|it| (it.parent, it.folder) == (wanted.parent, wanted.folder))
        };
        if !fixtures.into_iter().flatten().chain(&implied).any(same) {
            implied.push(FixtureEntry::new(format!("{}/{}", wanted.parent, wanted.folder), FixtureKind::Dir));
        }
    }
    implied
}

/// A probe under a Landlock profile must not change anything of the host through links or mounts of its own.
pub(super) fn check(entry: &ProbeEntry, action: &Action, fixtures: &[FixtureEntry], notes: &mut Diagnostics<'_>) {
    let pointer = |key: &str| format!("/probes/{}/{key}", pointer_part(entry.probe_id.as_str()));
    let links = fixtures.iter().any(|entry| matches!(entry.kind, FixtureKind::Symlink | FixtureKind::Hardlink));
    if let Some(listener) = entry.listener.as_ref().filter(|listener| links && listener.kind == ListenerKind::Unix)
        && let Ok(mut landings) = Landings::of(fixtures, &[])
        && let Landing::Outside(place) = landings.entry(&listener.address)
    {
        notes.error(
            DiagnosticKind::ForeignTarget,
            pointer("listener/address"),
            format!("the listener's socket would be made out of the run's own folder: {}", shown(&place)),
            "let its links lead to other fixtures",
        );
    }
    if action.driver.info().effect != Effect::Changes {
        return;
    }
    // What `to` is to a symbolic link is text.
    let second = action.to.as_deref().filter(|_| action.driver != Driver::SymlinkCreate);
    let paths = [("target", Some(action.target.as_str())), ("to", second)];
    if action.mounts.is_empty() && !links {
        // Where nothing leads elsewhere, the path as it is spelled says it all, and was looked at.
        return;
    }
    let mut refuse = |key: &str, path: &str, landing: Landing| {
        let Landing::Outside(place) = landing else { return };
        notes.error(
            DiagnosticKind::ForeignTarget,
            pointer(key),
            format!(
                "the driver `{}` changes its target, and `{}` leads out of the run's own folder: {}",
                action.driver.info().name,
                shown(path),
                shown(&place)
            ),
            "let its links and mounts lead to other fixtures",
        );
    };
    for (n, mount) in action.mounts.iter().enumerate() {
        // Each mount is made in what those before it left.
        let Ok(mut landings) = Landings::of(fixtures, &action.mounts[..n]) else { return };
        refuse(&format!("mounts/{n}/from"), &mount.from, landings.object(&mount.from));
        refuse(&format!("mounts/{n}/at"), &mount.at, landings.object(&mount.at));
    }
    let Ok(mut landings) = Landings::of(fixtures, &action.mounts) else { return };
    for (key, path) in paths {
        let Some(path) = path else { continue };
        for reach in action.driver.reach() {
            let landing = match reach {
                ChangeReach::Object => landings.object(path),
                ChangeReach::Entry => landings.entry(path),
            };
            refuse(key, path, landing);
        }
    }
}

/// What a changing probe needs among the fixtures and will not find, so that it fails whatever the policy says: in words.
pub(super) fn missing(action: &Action, fixtures: &[FixtureEntry]) -> Option<String> {
    let info = action.driver.info();
    if info.effect != Effect::Changes || info.target != TargetKind::Path || action.driver == Driver::MountBind {
        return None;
    }
    let mut landings = Landings::of(fixtures, &action.mounts).ok()?;
    let second = action.to.as_deref().filter(|_| action.driver != Driver::SymlinkCreate);
    [Some(action.target.as_str()), second].into_iter().flatten().find_map(|path| {
        action.driver.reach().iter().find_map(|reach| match reach {
            ChangeReach::Object => (landings.object(path) == Landing::Nothing).then(|| format!("`{}`", shown(path))),
            ChangeReach::Entry => {
                let nowhere = landings.entry(path) == Landing::Nothing;
                nowhere.then(|| format!("the folder that `{}` lies in", shown(path)))
            }
        })
    })
}

/// What a probe would execute that is not this program's own, in words; `None` if nothing.
///
/// Where only the host knows whether there is such a program, the answer is yes.
pub fn host_program(probe: &ResolvedProbe) -> Option<String> {
    let action = probe.action.as_deref().filter(|action| action.driver == Driver::Exec)?;
    let executable = |entry: &FixtureEntry| {
        let bits = entry.mode.as_deref().and_then(|mode| u32::from_str_radix(mode, 8).ok());
        entry.kind == FixtureKind::File && bits.is_some_and(|bits| bits & 0o111 != 0)
    };
    let scripts = || probe.fixtures.iter().filter(|entry| executable(entry));
    let host = || Some(format!("the program `{}` of the host", shown(&action.target)));
    match Landings::of(&probe.fixtures, &action.mounts).map(|mut landings| landings.object(&action.target)) {
        // Which of several names a file has is not followed up: any that could be executed counts.
        Ok(Landing::Own(FixtureKind::File, _)) => {
            scripts().next().map(|entry| format!("the fixture `{}`, which is a file that may be executed", entry.path))
        }
        Ok(Landing::Own(..) | Landing::Nothing) => None,
        Ok(Landing::Outside(_)) => host(),
        Err(_) if !action.mounts.is_empty() || scripts().next().is_some() => host(),
        Err(_) => None,
    }
}

/// The first few probes of a plan that would execute what is not this program's own, and how many there are.
pub fn host_programs(plan: &ResolvedPlan) -> (Vec<String>, usize) {
    const SHOWN: usize = 5;
    let mut seen = std::collections::HashSet::new();
    let mut first = Vec::new();
    let mut count = 0;
    for (_, probe) in plan.rows() {
        let exec = probe.action.as_deref().is_some_and(|action| action.driver == Driver::Exec);
        if !exec || seen.contains(&probe.entry.probe_id) {
            continue;
        }
        if let Some(what) = host_program(probe) {
            seen.insert(&probe.entry.probe_id);
            count += 1;
            if first.len() < SHOWN {
                first.push(format!("`{}` ({what})", probe.entry.probe_id));
            }
        }
    }
    (first, count)
}
