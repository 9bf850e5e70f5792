//! Lint: everything that can be said about a plan or a registry before anything runs, all of it at once.
//!
//! A plan that lints without an error loads; what lint merely warns about is what makes results say less than their
//! author thinks.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::Map;

use super::contradiction;
use super::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, Severity, pointer_part, tidy};
use super::error::LoadError;
use super::expectation::base_id;
use super::file::{IndexFile, PLAN_SCHEMA, PlanFile, ProbeEntry};
use super::history;
use super::lint_sbpl;
use super::locate::locate;
use super::reach::{host_program, missing};
use super::read::DocumentReader;
use super::registry::{entry_paths, find_registry, read_registry};
use super::resolve::{follow, resolve_noting};
use super::resolved::{ResolvedPlan, ResolvedProbe, ResolvedProfile, Selection};
use super::schema::DocumentKind;
use super::source::{DocumentSource, Workspace, index_path};
use crate::base::clock;
use crate::base::ids::{PlanId, ProbeId, RegistryId};
use crate::base::suggest::hint_for;
use crate::policy::PolicyValue;
use crate::policy::landlock::model;
use crate::record::driver::{Driver, Platform};
use crate::record::fixture::ListenerKind;
use crate::record::sources::InputRole;

/// Lints the plan in the file `plan`, within the workspace that it lies in. An error is returned only if there is
/// nothing to lint: no such file, or no workspace around it.
pub fn lint_plan_file(plan: &Path, home: Option<&Path>) -> Result<Vec<Diagnostic>, LoadError> {
    let (workspace, path) = match Workspace::of_plan(plan, home) {
        Err(LoadError::Refused { notes }) => return Ok(notes),
        found => found?,
    };
    let mut notes = workspace.retold(lint_plan(&workspace, &path));
    locate(&mut notes, |file| workspace.text(file));
    Ok(notes)
}

/// Lints the plan at `plan_path` of `source`. The findings are sorted, errors first.
pub fn lint_plan(source: &dyn DocumentSource, plan_path: &str) -> Vec<Diagnostic> {
    let resolution = match resolve_noting(source, plan_path, &Selection::default(), true) {
        Ok(resolution) => resolution,
        Err(error) => return error.into_notes(),
    };
    let mut notes = resolution.notes;
    if let Some(plan) = &resolution.plan {
        check_lanes(plan, &mut notes);
        check_profiles(plan, &mut notes);
        check_shared_ids(plan, &mut notes);
        let mut at = Diagnostics { list: &mut notes, file: plan_path, subject: plan.plan.plan_id.as_str() };
        history::check_expired(&plan.plan, &clock::today(), &mut at);
    }
    tidy(&mut notes);
    notes
}

/// Lints the registry `only`, or every registry of the workspace's index.
pub fn lint_registries(workspace: &Workspace, only: Option<&RegistryId>) -> Vec<Diagnostic> {
    let mut notes = Vec::new();
    let path = index_path(workspace);
    let index: IndexFile =
        match DocumentReader::new(workspace).typed(DocumentKind::RegistryIndex, InputRole::Index, path) {
            Ok(index) => index,
            Err(error) => return error.into_notes(),
        };
    let mut seen = BTreeSet::new();
    for (n, entry) in index.registries.iter().enumerate() {
        let mut at = Diagnostics { list: &mut notes, file: path, subject: entry.id.as_str() };
        if !seen.insert(&entry.id) {
            let message = format!("the registry `{}` is listed twice in the index", entry.id);
            at.error(DiagnosticKind::Registry, format!("/registries/{n}/id"), message, "remove one");
        }
        entry_paths(entry, n, &mut at);
    }
    match only {
        Some(id) if !seen.contains(id) => {
            let known = seen.iter().map(|known| known.as_str());
            let remedy = hint_for(id.as_str(), known, "see `sandproof list-registries`");
            let message = format!("there is no registry `{id}` in `{path}`");
            let mut at = Diagnostics { list: &mut notes, file: path, subject: id.as_str() };
            at.error(DiagnosticKind::Registry, "/registries", message, remedy);
        }
        Some(id) => lint_registry(workspace, id, &mut notes),
        None => seen.into_iter().for_each(|id| lint_registry(workspace, id, &mut notes)),
    }
    tidy(&mut notes);
    locate(&mut notes, |file| workspace.text(file));
    notes
}

/// One registry: as if a plan ran every profile of it.
fn lint_registry(workspace: &Workspace, id: &RegistryId, notes: &mut Vec<Diagnostic>) {
    match resolve_registry(workspace, id, notes) {
        Ok(Some(plan)) => check_profiles(&plan, notes),
        Ok(None) => {}
        Err(error) => notes.extend(error.into_notes()),
    }
}

fn resolve_registry(
    workspace: &Workspace,
    id: &RegistryId,
    notes: &mut Vec<Diagnostic>,
) -> Result<Option<ResolvedPlan>, LoadError> {
    let mut reader = DocumentReader::new(workspace);
    let Some(paths) = find_registry(&mut reader, id, (index_path(workspace), "/registries"), notes)? else {
        return Ok(None);
    };
    let registry = read_registry(&mut reader, id, paths, notes)?;
    check_lane_names(&registry.probes_path, &registry.probes.probes, notes);
    let plan = PlanFile {
        schema_version: PLAN_SCHEMA.to_owned(),
        plan_id: PlanId::new("registry-lint").expect("the text is an id"),
        registry_id: id.clone(),
        world_id: None,
        profiles: registry.profiles.profiles.keys().cloned().collect(),
        lanes: Map::new(),
        controls: Map::new(),
        apply_preflight_profile: None,
        deadline_ms: None,
        subject: None,
        history: None,
        notes: None,
    };
    let resolution = follow(reader, plan, "", registry, &Selection::default(), true, Vec::new())?;
    // The plan is none that anybody wrote: what concerns it alone (its row count) is no finding.
    notes.extend(resolution.notes.into_iter().filter(|note| !note.file.is_empty()));
    Ok(resolution.plan)
}

fn path_of(plan: &ResolvedPlan, role: InputRole) -> &str {
    plan.documents.iter().find(|document| document.role == role).map_or("", |document| document.path.as_str())
}

/// Lanes that a probe names and nobody knows.
fn check_lane_names(path: &str, probes: &BTreeMap<ProbeId, Arc<ProbeEntry>>, notes: &mut Vec<Diagnostic>) {
    for (id, probe) in probes {
        for lane in probe.supports_lanes.keys().filter(|lane| !LANES.contains(&lane.as_str())) {
            let pointer = format!("/probes/{}/supports_lanes/{}", pointer_part(id.as_str()), pointer_part(lane));
            let message = format!("`{}` is not a lane", super::diagnostic::shown(lane));
            let remedy = hint_for(lane, LANES, "use baseline, scenario, oracle");
            Diagnostics { list: notes, file: path, subject: id.as_str() }.warning(
                DiagnosticKind::Lane,
                pointer,
                message,
                remedy,
            );
        }
    }
}

const LANES: [&str; 3] = ["baseline", "scenario", "oracle"];

/// Lanes that the plan runs and a probe is not made for.
fn check_lanes(plan: &ResolvedPlan, notes: &mut Vec<Diagnostic>) {
    let path = path_of(plan, InputRole::Probes);
    let on = [plan.lanes.baseline, plan.lanes.scenario, plan.lanes.oracle];
    let mut seen = BTreeSet::new();
    for (_, probe) in plan.rows() {
        let entry = &probe.entry;
        if entry.supports_lanes.values().all(|supported| *supported) || !seen.insert(&entry.probe_id) {
            continue;
        }
        for (lane, on) in LANES.into_iter().zip(on) {
            if on && entry.supports_lanes.get(lane) == Some(&false) {
                Diagnostics { list: notes, file: path, subject: entry.probe_id.as_str() }.warning(
                    DiagnosticKind::Lane,
                    format!("/probes/{}/supports_lanes/{lane}", pointer_part(entry.probe_id.as_str())),
                    format!(
                        "the plan runs the {lane} lane, which this probe is not made for, so it decides nothing there"
                    ),
                    "switch the lane off in the plan, or make the probe support it",
                );
            }
        }
    }
}

/// What resolution has no reason to refuse.
fn check_profiles(plan: &ResolvedPlan, notes: &mut Vec<Diagnostic>) {
    let (profiles_path, probes_path) = (path_of(plan, InputRole::Profiles), path_of(plan, InputRole::Probes));
    let mut seen = HashSet::new();
    for profile in &plan.profiles {
        check_profile(profile, &mut seen, notes, probes_path);
        lint_sbpl::check(profile, notes, profiles_path, probes_path);
    }
}

fn check_profile(
    profile: &ResolvedProfile,
    seen: &mut HashSet<(*const ProbeEntry, Platform)>,
    notes: &mut Vec<Diagnostic>,
    probes_path: &str,
) {
    let platform = profile.platform();
    let linux = platform == Platform::Linux;
    check_applies(profile, notes);
    for probe in &profile.probes {
        contradiction::check(profile, probe, probes_path, notes);
        // A probe that several profiles share is looked at once per system.
        if !seen.insert((std::sync::Arc::as_ptr(&probe.entry), platform)) {
            continue;
        }
        let entry = &probe.entry;
        let base = format!("/probes/{}", pointer_part(entry.probe_id.as_str()));
        let mut at = Diagnostics { list: notes, file: probes_path, subject: entry.probe_id.as_str() };
        if !entry.expected_primary_ops().contains(&entry.operation) {
            at.warning(
                DiagnosticKind::ExpectedOps,
                format!("{base}/expected_primary_ops"),
                format!("`{}` is not among the operations that the probe is expected to exercise", entry.operation),
                "add it",
            );
        }
        if let Some(what) = host_program(probe) {
            at.warning(
                DiagnosticKind::HostProgram,
                format!("{base}/target"),
                format!("the probe executes {what}"),
                "read what it does, and give `run` the option `--allow-host-programs`; or make a fixture of kind `program`",
            );
        }
        if let Some(what) =
            probe.action.as_deref().and_then(|action| missing(action, &probe.fixtures)).filter(|_| linux)
        {
            at.warning(
                DiagnosticKind::Target,
                format!("{base}/target"),
                format!("no fixture makes {what}, so the operation fails with or without the policy"),
                "add a fixture",
            );
        }
        if linux {
            check_needs(probe, &base, &mut at);
        }
    }
}

/// A Landlock policy that the kernel refuses over what some probe finds: none of those probes would decide anything.
fn check_applies(profile: &ResolvedProfile, notes: &mut Vec<Diagnostic>) {
    let PolicyValue::Landlock(policy) = profile.policy.value.as_ref() else { return };
    let mut looked_at = HashSet::new();
    for probe in &profile.probes {
        let mounts = probe.action.as_deref().map_or(&[][..], |action| &action.mounts);
        if mounts.is_empty() && !looked_at.insert(probe.fixtures.as_ptr()) {
            continue;
        }
        let Some(refusal) = model::refusal(policy, &probe.fixtures, mounts) else { continue };
        // The socket of a listener stands there before the policy is applied.
        let listens = probe.entry.listener.as_ref().is_some_and(|listener| listener.kind == ListenerKind::Unix);
        if refusal.missing && listens {
            continue;
        }
        let remedy = if refusal.missing {
            "make it a fixture of the profile, or name another path"
        } else {
            "grant only what its object can carry (read_file, write_file, execute, truncate, ioctl_dev, resolve_unix on \
             what is no folder)"
        };
        Diagnostics { list: notes, file: &profile.policy.path, subject: profile.id.as_str() }.error(
            DiagnosticKind::PolicyRefused,
            refusal.pointer,
            format!("the policy cannot be applied: {}", refusal.reason),
            remedy,
        );
    }
}

/// Capabilities that a probe of Linux needs and does not name.
fn check_needs(probe: &ResolvedProbe, base: &str, at: &mut Diagnostics<'_>) {
    let Some(action) = &probe.action else { return };
    let entry = &probe.entry;
    let mut needed = Vec::new();
    if action.driver.info().operations.iter().any(|operation| operation.ends_with("-xattr")) {
        needed.push(("user_xattr", "works on extended attributes"));
    }
    if action.driver == Driver::BlockDeviceCreate {
        needed.push(("cap_mknod", "makes a device node"));
    }
    if action.target.starts_with("[::1]:") {
        needed.push(("ipv6_loopback", "uses the IPv6 loopback address"));
    }
    for (capability, why) in needed {
        let named = entry.capabilities_required.iter().any(|text| text == capability || text == "root");
        if !named {
            at.warning(
                DiagnosticKind::Capability,
                format!("{base}/capabilities_required"),
                format!("the probe {why}, and does not say that it needs that"),
                format!("add `{capability}`"),
            );
        }
    }
}

/// Documents of the reference count on a probe's own expectation id; here it names one row.
fn check_shared_ids(plan: &ResolvedPlan, notes: &mut Vec<Diagnostic>) {
    let path = path_of(plan, InputRole::Probes);
    let mut seen = BTreeSet::new();
    for (profile, probe) in plan.rows() {
        let base = base_id(&probe.entry);
        let shared = probe.expectation_id.as_str() != base;
        if shared && profile.entry.mode.enforcer().info().in_reference_registries && seen.insert(base) {
            Diagnostics { list: notes, file: path, subject: probe.entry.probe_id.as_str() }.push(
                Severity::Warning,
                DiagnosticKind::ExpectationId,
                format!("/probes/{}", pointer_part(probe.entry.probe_id.as_str())),
                format!("several profiles of the plan share the expectation id `{base}`"),
                format!("refer to its rows as `PROFILE::ID`, such as `{}`", probe.expectation_id),
            );
        }
    }
}
