//! From a plan's bytes to a [`ResolvedPlan`]: every reference followed, everything checked, nothing left to choose.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, Severity, pointer_part, shown};
use super::error::LoadError;
use super::expectation::{PlannedProfile, PlannedRow, SharedExpectationIds, base_id};
use super::file::{DEFAULT_DEADLINE_MS, HOME_WORLD, PlanFile, ProbeEntry, ProfileEntry};
use super::fixtures::{self, FixtureSets};
use super::history;
use super::paths::{clean_path, clean_policy_path};
use super::policy;
use super::probe_entry::shared;
use super::probes::linux_action;
use super::questions;
use super::reach;
use super::read::{DocumentReader, refused};
use super::registry::{Registry, find_registry, read_registry_for};
use super::resolved::{LaneSet, ResolvedPlan, ResolvedPolicy, ResolvedProbe, ResolvedProfile, Selection};
use super::schema::DocumentKind;
use super::seatbelt::seatbelt_action;
use super::shard::share_of;
use super::source::{DocumentSource, Workspace};
use super::subject::{self, ResolvedSubject};
use super::worlds;
use crate::base::ids::{ExpectationId, ProbeId, ProfileId, WorldId};
use crate::base::limits::{MAX_POLICY_BYTES, MAX_ROWS};
use crate::policy::PolicyMode;
use crate::policy::launcher::LauncherDocument;
use crate::record::action::Action;
use crate::record::denial_errnos::denial_errnos;
use crate::record::driver::Platform;
use crate::record::shard::ShardRecord;
use crate::record::sources::InputRole;

/// Loads the plan in the file `plan`, from the workspace that it lies in. The second value is the workspace's root.
///
/// The plan may be a questions file, in which `home` is what `~` means.
pub fn load(plan: &Path, home: Option<&Path>, selection: &Selection) -> Result<(ResolvedPlan, PathBuf), LoadError> {
    let (workspace, path) = Workspace::of_plan(plan, home)?;
    let resolved = resolve(&workspace, &path, selection).map_err(|error| match error {
        LoadError::Refused { notes } => LoadError::Refused { notes: workspace.retold(notes) }.located(&workspace),
        error => error,
    })?;
    Ok((resolved, workspace.root().to_owned()))
}

/// Resolves the plan at `plan_path` of `source`. Only what the selection leaves has to have a readable policy; ids of
/// expectations are the same under every selection.
pub fn resolve(source: &dyn DocumentSource, plan_path: &str, selection: &Selection) -> Result<ResolvedPlan, LoadError> {
    let Resolution { plan, notes } = resolve_noting(source, plan_path, selection, false)?;
    match plan {
        Some(plan) if !super::diagnostic::has_errors(&notes) => Ok(plan),
        _ => Err(refused(notes)),
    }
}

/// What came of a resolution.
pub(super) struct Resolution {
    /// The plan, as far as it could be resolved: what has an error may be missing from it.
    pub(super) plan: Option<ResolvedPlan>,
    /// What was found on the way.
    pub(super) notes: Vec<Diagnostic>,
}

/// Resolves, and notes everything on the way. `lint`: a system profile that is not on this host is a warning.
pub(super) fn resolve_noting(
    source: &dyn DocumentSource,
    plan_path: &str,
    selection: &Selection,
    lint: bool,
) -> Result<Resolution, LoadError> {
    if let Some(flaw) = selection.shard.as_ref().and_then(ShardRecord::flaw) {
        return Err(LoadError::Shard { flaw });
    }
    let mut reader = DocumentReader::new(source);
    let mut notes = Vec::new();
    let plan: PlanFile = reader.typed(DocumentKind::Plan, InputRole::Plan, plan_path)?;
    check_plan(&plan, plan_path, &mut notes);
    let questions = match source.questions() {
        Some(path) => {
            let read = reader.bytes(InputRole::Questions, &path, MAX_POLICY_BYTES);
            let bytes =
                read.map_err(|source| LoadError::Read { what: "questions file", file: path.clone(), source })?;
            Some((path, bytes))
        }
        None => None,
    };
    let asked_by = (plan_path, "/registry_id");
    let Some(paths) = find_registry(&mut reader, &plan.registry_id, asked_by, &mut notes)? else {
        return Ok(Resolution { plan: None, notes });
    };
    let registry_id = plan.registry_id.clone();
    let go_on = |reader: &mut DocumentReader<'_>, registry: Registry, notes: &mut Vec<Diagnostic>| {
        let world = plan.world_id.as_ref().map_or(HOME_WORLD, WorldId::as_str);
        if world != registry.probes.world_id.as_str() {
            Diagnostics { list: notes, file: plan_path, subject: plan.plan_id.as_str() }.warning(
                DiagnosticKind::WorldMismatch,
                if plan.world_id.is_some() { "/world_id" } else { "" },
                format!("the plan's world is `{world}`, its registry is written for `{}`", registry.probes.world_id),
                "declare the registry's world, or check its expectations against the other one",
            );
        }
        let mut on_plan = Diagnostics { list: notes, file: plan_path, subject: plan.plan_id.as_str() };
        let world = worlds::read(reader, plan.world_id.as_ref(), &mut on_plan)?;
        let subject = read_subject(reader, &plan, plan_path, notes)?;
        check_sandbox(subject.as_ref(), &plan, plan_path, notes);
        let source = reader.source();
        let reader = std::mem::replace(reader, DocumentReader::new(source));
        if let Some((path, bytes)) = &questions {
            check_questions(path, bytes, &plan, &registry, notes);
        }
        let mut resolution = follow(reader, plan, plan_path, registry, selection, lint, std::mem::take(notes))?;
        if let Some(plan) = &mut resolution.plan {
            plan.world = world;
            plan.subject = subject;
        }
        Ok(resolution)
    };
    read_registry_for(&mut reader, &registry_id, paths, &mut notes, go_on)
}

/// Whether the documents that were made of a questions file ask what it asks.
fn check_questions(path: &str, bytes: &[u8], plan: &PlanFile, registry: &Registry, notes: &mut Vec<Diagnostic>) {
    let asked = plan.profiles.iter().filter_map(|id| {
        let probes = registry.profiles.profiles.get(id)?.probe_refs.iter();
        let expected = probes.filter_map(|id| Some((id.as_str(), registry.probes.probes.get(id)?.expected.as_str())));
        Some((id.as_str(), expected.collect()))
    });
    if !std::str::from_utf8(bytes).is_ok_and(|text| questions::agrees(text, asked)) {
        Diagnostics { list: notes, file: path, subject: plan.plan_id.as_str() }.error(
            DiagnosticKind::Question,
            "",
            "the plan and its registry do not ask what the questions file asks",
            "make them of it again",
        );
    }
}

/// Reads the declaration of the plan's subject, with every file that it names.
fn read_subject(
    reader: &mut DocumentReader<'_>,
    plan: &PlanFile,
    plan_path: &str,
    notes: &mut Vec<Diagnostic>,
) -> Result<Option<ResolvedSubject>, LoadError> {
    let Some(spelled) = plan.subject.as_deref() else { return Ok(None) };
    match clean_path(spelled) {
        Ok(path) => subject::read(reader, &path, notes),
        Err(reason) => {
            let mut notes = Diagnostics { list: notes, file: plan_path, subject: plan.plan_id.as_str() };
            notes.error(DiagnosticKind::BadPath, "/subject", reason.to_string(), "name a file relative to the root");
            Ok(None)
        }
    }
}

/// Whether the profile that the subject says it is confined by is one that the plan probes.
fn check_sandbox(subject: Option<&ResolvedSubject>, plan: &PlanFile, plan_path: &str, notes: &mut Vec<Diagnostic>) {
    let Some(named) = subject.and_then(ResolvedSubject::sandbox_profile) else { return };
    if plan.profiles.iter().any(|profile| profile.as_str() == named) {
        return;
    }
    Diagnostics { list: notes, file: plan_path, subject: plan.plan_id.as_str() }.error(
        DiagnosticKind::Dangling,
        "/subject",
        format!(
            "the subject says that it is confined by the profile `{}`, which this plan does not probe",
            shown(named)
        ),
        "add that profile to `profiles`, or name in `/policy/sandbox` of the subject the one that confines it",
    );
}

/// Follows the references of a plan into its registry.
pub(super) fn follow(
    reader: DocumentReader<'_>,
    plan: PlanFile,
    plan_path: &str,
    registry: Registry,
    selection: &Selection,
    lint: bool,
    notes: Vec<Diagnostic>,
) -> Result<Resolution, LoadError> {
    let mut probes = Vec::with_capacity(registry.probes.probes.len());
    let mut numbers = HashMap::with_capacity(probes.capacity());
    for (number, (id, entry)) in (0_u32..).zip(registry.probes.probes) {
        numbers.insert(id, number);
        probes.push(entry);
    }
    let actions = [vec![None; probes.len()], vec![None; probes.len()]];
    let mut resolver = Resolver {
        plan_path,
        plan: &plan,
        selection,
        lint,
        probes_path: registry.probes_path,
        profiles_path: registry.profiles_path,
        probes,
        numbers,
        reader,
        notes,
        policies: HashMap::new(),
        actions,
        shared_actions: HashSet::new(),
        preflight_mode: None,
    };
    let whole = resolver.profiles(registry.profiles.profiles)?;
    let preflight = resolver.preflight();
    let Resolver { reader, notes, .. } = resolver;
    let lane = |name: &str| plan.lanes.get(name).and_then(serde_json::Value::as_bool).unwrap_or(true);
    let lanes = LaneSet { baseline: lane("baseline"), scenario: lane("scenario"), oracle: lane("oracle") };
    let (profiles, undivided) = match &selection.shard {
        Some(shard) => (share_of(&whole, shard), Some(Arc::from(whole))),
        None => (whole, None),
    };
    let resolved = ResolvedPlan {
        plan_digest: super::digest::plan_digest(&plan),
        lanes,
        deadline_ms: plan.deadline_ms.unwrap_or(DEFAULT_DEADLINE_MS),
        profiles,
        undivided,
        world: None,
        subject: None,
        preflight,
        documents: reader.documents,
        selection: selection.clone(),
        plan,
    };
    Ok(Resolution { plan: Some(resolved), notes })
}

/// What the plan says without its registry.
fn check_plan(plan: &PlanFile, path: &str, notes: &mut Vec<Diagnostic>) {
    let mut notes = Diagnostics { list: notes, file: path, subject: plan.plan_id.as_str() };
    if plan.profiles.is_empty() {
        notes.error(DiagnosticKind::Empty, "/profiles", "the plan lists no profile", "add a profile id");
    }
    let mut seen = HashSet::new();
    for (n, profile) in plan.profiles.iter().enumerate() {
        if !seen.insert(profile) {
            let message = format!("the profile `{profile}` is listed twice");
            notes.error(DiagnosticKind::Duplicate, format!("/profiles/{n}"), message, "remove one");
        }
    }
    match plan.deadline_ms {
        Some(0) => notes.error(
            DiagnosticKind::Deadline,
            "/deadline_ms",
            "no probe can end within 0 milliseconds",
            "give it some time, or remove the key for 10 seconds",
        ),
        Some(ms) if ms > 24 * 3600 * 1000 => notes.error(
            DiagnosticKind::Deadline,
            "/deadline_ms",
            format!("a deadline of {ms} milliseconds is more than a day"),
            "write milliseconds",
        ),
        _ => {}
    }
    history::check(plan, &mut notes);
    let off = |name: &str| plan.lanes.get(name) == Some(&serde_json::Value::Bool(false));
    if off("baseline") && off("scenario") && off("oracle") {
        notes.error(DiagnosticKind::Lane, "/lanes", "every lane is off", "switch one on");
    } else if off("baseline") && !off("scenario") {
        notes.warning(
            DiagnosticKind::Lane,
            "/lanes/baseline",
            "without the baseline lane, no denial can be attributed to a policy",
            "switch it on",
        );
    }
}

/// What rows are made from: the probes by number, and the profiles by the numbers of their probes.
///
/// A plan may have a hundred times as many rows as probes, so a probe's id is looked up once per row and never compared
/// again.
struct Resolver<'a> {
    plan_path: &'a str,
    plan: &'a PlanFile,
    selection: &'a Selection,
    lint: bool,
    probes_path: String,
    profiles_path: String,
    probes: Vec<Arc<ProbeEntry>>,
    numbers: HashMap<ProbeId, u32>,
    reader: DocumentReader<'a>,
    notes: Vec<Diagnostic>,
    policies: policy::PolicyCache,
    /// The actions of probes, as far as they were asked for, by system.
    actions: [Vec<Option<Option<Arc<Action>>>>; Platform::ALL.len()],
    /// Every action once: many probes differ in what is expected of them, or in their ids alone.
    shared_actions: HashSet<Arc<Action>>,
    /// How the profile that has the preflight's document as its policy reads it, if there is one.
    preflight_mode: Option<PolicyMode>,
}

impl Resolver<'_> {
    /// The plan's profiles in order, after selection.
    fn profiles(&mut self, entries: BTreeMap<ProfileId, ProfileEntry>) -> Result<Vec<ResolvedProfile>, LoadError> {
        let planned = self.planned(entries)?;
        if let Some(Ok(path)) = self.plan.apply_preflight_profile.as_deref().map(clean_policy_path) {
            // Before any selection, so that a selection does not change how the document is read.
            let same =
                planned.iter().find(|profile| clean_policy_path(&profile.entry.profile_path).as_ref() == Ok(&path));
            self.preflight_mode = same.map(|profile| profile.entry.mode);
        }
        let mut clashes = Vec::new();
        let ids = SharedExpectationIds::of(&planned, &self.probes, &mut clashes);
        for clash in clashes {
            let mut notes =
                Diagnostics { list: &mut self.notes, file: &self.profiles_path, subject: clash.profile.as_str() };
            notes.error(DiagnosticKind::ExpectationId, clash.pointer, clash.message, clash.remedy);
        }
        let mut notes =
            Diagnostics { list: &mut self.notes, file: self.plan_path, subject: self.plan.plan_id.as_str() };
        history::check_waivers(self.plan, &planned, &ids, &mut notes);
        ids.check_selection(self.plan, self.selection, &planned)?;
        let wanted_profiles: HashSet<&str> = self.selection.only_profiles.iter().map(String::as_str).collect();
        let mut sets = FixtureSets::default();
        let mut resolved = Vec::new();
        for profile in planned {
            let id = &profile.id;
            if !wanted_profiles.is_empty() && !wanted_profiles.contains(id.as_str()) {
                continue;
            }
            let probes = self.rows_of(&profile, &ids, &mut sets);
            if probes.is_empty() {
                continue;
            }
            let base = format!("/profiles/{}", pointer_part(id.as_str()));
            let mut notes = Diagnostics { list: &mut self.notes, file: &self.profiles_path, subject: id.as_str() };
            let (reader, known) = (&mut self.reader, &mut self.policies);
            let policy = policy::read_profile(reader, known, &profile.entry, &base, self.lint, &mut notes);
            if let Some(policy) = policy {
                resolved.push(ResolvedProfile { id: profile.id, entry: profile.entry, policy, probes });
            }
        }
        if resolved.is_empty() && !super::diagnostic::has_errors(&self.notes) && !self.lint {
            return Err(LoadError::NothingSelected { plan_id: self.plan.plan_id.to_string() });
        }
        Ok(resolved)
    }

    /// The profiles that the plan names, with the numbers of their probes.
    fn planned(&mut self, mut entries: BTreeMap<ProfileId, ProfileEntry>) -> Result<Vec<PlannedProfile>, LoadError> {
        let mut named: Vec<(ProfileId, ProfileEntry)> = Vec::new();
        let mut taken: HashSet<&ProfileId> = HashSet::new();
        for (n, id) in self.plan.profiles.iter().enumerate() {
            if !taken.insert(id) {
                continue; // Noted as a duplicate already.
            }
            match entries.remove_entry(id) {
                Some(entry) => named.push(entry),
                None => {
                    let mut notes = Diagnostics { list: &mut self.notes, file: self.plan_path, subject: id.as_str() };
                    let known = entries.keys().chain(named.iter().map(|(known, _)| known)).map(ProfileId::as_str);
                    let remedy = notes.hint(id.as_str(), known, "add it, or correct the id");
                    let message = format!("there is no profile `{id}` in `{}`", self.profiles_path);
                    notes.error(DiagnosticKind::Dangling, format!("/profiles/{n}"), message, remedy);
                }
            }
        }
        drop(entries);
        let rows: usize = named.iter().map(|(_, entry)| entry.probe_refs.len()).sum();
        if rows > MAX_ROWS {
            // Before anything is done for each of them.
            let subject = self.plan.plan_id.as_str();
            Diagnostics { list: &mut self.notes, file: self.plan_path, subject }.error(
                DiagnosticKind::TooManyRows,
                "/profiles",
                format!("the plan has {rows} rows in each lane, {MAX_ROWS} are the most"),
                "split it",
            );
            return Err(refused(std::mem::take(&mut self.notes)));
        }
        Ok(named.into_iter().map(|(id, entry)| self.plan_profile(id, entry)).collect())
    }

    /// Follows a profile's references.
    fn plan_profile(&mut self, id: ProfileId, entry: ProfileEntry) -> PlannedProfile {
        let base = format!("/profiles/{}", pointer_part(id.as_str()));
        let mut notes = Diagnostics { list: &mut self.notes, file: &self.profiles_path, subject: id.as_str() };
        if entry.probe_refs.is_empty() {
            let message = "the profile lists no probe";
            notes.error(DiagnosticKind::Empty, format!("{base}/probe_refs"), message, "add a probe id");
        }
        let mut seen = vec![false; self.probes.len()];
        let mut rows = Vec::with_capacity(entry.probe_refs.len());
        for (n, reference) in entry.probe_refs.iter().enumerate() {
            let Some(&number) = self.numbers.get(reference) else {
                let known = self.probes.iter().map(|probe| probe.probe_id.as_str());
                let remedy = notes.hint(reference.as_str(), known, "add it, or correct the id");
                let message = format!("there is no probe `{reference}` in `{}`", self.probes_path);
                notes.error(DiagnosticKind::Dangling, format!("{base}/probe_refs/{n}"), message, remedy);
                continue;
            };
            if std::mem::replace(&mut seen[number as usize], true) {
                let message = format!("the probe `{reference}` is listed twice");
                notes.error(DiagnosticKind::Duplicate, format!("{base}/probe_refs/{n}"), message, "remove one");
                continue;
            }
            rows.push(PlannedRow { probe: number, place: n as u32 });
        }
        PlannedProfile { id, entry, rows }
    }

    /// Checks a profile with its probes, and gives its rows that the selection leaves.
    fn rows_of(
        &mut self,
        profile: &PlannedProfile,
        ids: &SharedExpectationIds,
        sets: &mut FixtureSets,
    ) -> Vec<ResolvedProbe> {
        let (id, entry) = (&profile.id, &profile.entry);
        let base = format!("/profiles/{}", pointer_part(id.as_str()));
        let mode = entry.mode.info();
        let platform = mode.enforcer.platform().unwrap_or_else(|| self.launcher_system(&entry.profile_path));
        let mut notes = Diagnostics { list: &mut self.notes, file: &self.profiles_path, subject: id.as_str() };
        fixtures::check(&[], &entry.fixtures, platform, &format!("{base}/fixtures"), &mut notes);
        if !mode.takes_supplements && !entry.key_specific_rules.is_empty() {
            // The reference's registries have such, and nothing has ever enforced them.
            let severity =
                if mode.enforcer.info().in_reference_registries { Severity::Warning } else { Severity::Error };
            notes.push(
                severity,
                DiagnosticKind::BadValue,
                format!("{base}/key_specific_rules"),
                format!("a {} profile has no rules beside its policy document, so nothing enforces these", mode.name),
                "move them into the document".to_owned(),
            );
        }
        self.check_names(profile, &base);
        let set = sets.of_profile(&entry.fixtures);
        let everything = self.selection.only_scenarios.is_empty();
        let mut rows = Vec::with_capacity(if everything { profile.rows.len() } else { 0 });
        for row in &profile.rows {
            let probe = Arc::clone(&self.probes[row.probe as usize]);
            let action = self.action_of(row.probe, platform);
            let implied = action
                .as_ref()
                .filter(|_| platform == Platform::Linux)
                .map(|action| reach::implied_folders(action, [&entry.fixtures, &probe.fixtures]));
            let all = sets.of_row(set, row.probe, &probe.fixtures, implied.unwrap_or_default());
            if all.fresh {
                let probe_id = probe.probe_id.as_str();
                let pointer = format!("/probes/{}/fixtures", pointer_part(probe_id));
                let mut notes = Diagnostics { list: &mut self.notes, file: &self.probes_path, subject: probe_id };
                fixtures::check(&entry.fixtures, &probe.fixtures, platform, &pointer, &mut notes);
            }
            if let Some(action) = action.as_ref().filter(|_| platform == Platform::Linux) {
                let probe_id = probe.probe_id.as_str();
                let mut notes = Diagnostics { list: &mut self.notes, file: &self.probes_path, subject: probe_id };
                reach::check(&probe, action, &all.entries, &mut notes);
            }
            if entry.mode != PolicyMode::Launcher && (!probe.mechanism.is_empty() || probe.name_alone) {
                let key = if probe.name_alone { "name_alone" } else { "mechanism" };
                let mut notes = Diagnostics { list: &mut self.notes, file: &self.profiles_path, subject: id.as_str() };
                notes.error(
                    DiagnosticKind::BadValue,
                    format!("{base}/probe_refs/{}", row.place),
                    format!("the probe `{}` demands `{key}`, which only a launcher can meet", probe.probe_id),
                    "refer to a probe without it, or make the profile one of mode `launcher`",
                );
            }
            if let Some(driver) = action.as_ref().map(|action| action.driver).filter(|_| !probe.errno.is_empty()) {
                let can = denial_errnos(driver, mode.enforcer);
                for unknown in probe.errno.iter().filter(|name| !can.contains(name)) {
                    let mut notes =
                        Diagnostics { list: &mut self.notes, file: &self.profiles_path, subject: id.as_str() };
                    notes.error(
                        DiagnosticKind::BadValue,
                        format!("{base}/probe_refs/{}", row.place),
                        format!(
                            "the probe `{}` demands a denial with `{}`, and {} denies `{}` with {}",
                            probe.probe_id,
                            super::diagnostic::shown(unknown),
                            mode.enforcer.info().title,
                            driver.info().name,
                            if can.is_empty() { "no error number".to_owned() } else { can.join(", ") },
                        ),
                        "demand one of these, or none",
                    );
                }
            }
            let full = ids.full(id, &probe, row.probe);
            if !everything && !self.selects(&full, base_id(&probe)) {
                continue;
            }
            match ExpectationId::new(full) {
                Ok(expectation_id) => {
                    rows.push(ResolvedProbe { entry: probe, expectation_id, action, fixtures: all.entries });
                }
                Err(error) => {
                    let mut notes =
                        Diagnostics { list: &mut self.notes, file: &self.profiles_path, subject: id.as_str() };
                    let pointer = format!("{base}/probe_refs/{}", row.place);
                    notes.error(DiagnosticKind::ExpectationId, pointer, error.to_string(), "shorten the ids");
                }
            }
        }
        rows
    }

    /// Whether `--only-scenario` names a row, by its own id or by the one that it shares.
    fn selects(&self, full: &str, base: &str) -> bool {
        self.selection.only_scenarios.iter().any(|wanted| wanted == full || wanted == base)
    }

    /// Names are what readers of the reference's artifacts join rows by.
    fn check_names(&mut self, profile: &PlannedProfile, base: &str) {
        let mut names: HashSet<&str> = HashSet::with_capacity(profile.rows.len());
        for row in &profile.rows {
            let name = self.probes[row.probe as usize].name();
            if names.insert(name) {
                continue;
            }
            let shared = profile.entry.mode.enforcer().info().in_reference_registries;
            let severity = if shared { Severity::Warning } else { Severity::Error };
            let message = format!("two probes of the profile have the name `{}`", super::diagnostic::shown(name));
            let pointer = format!("{base}/probe_refs/{}", row.place);
            let subject = profile.id.as_str();
            Diagnostics { list: &mut self.notes, file: &self.profiles_path, subject }.push(
                severity,
                DiagnosticKind::ProbeName,
                pointer,
                message,
                "rename one".into(),
            );
        }
    }

    /// The probe's action on a system; it is checked once however many profiles run it.
    /// The system that a launcher's document names. A document that cannot be read is complained of where it is read for good.
    fn launcher_system(&self, spelled: &str) -> Platform {
        let bytes = clean_path(spelled)
            .ok()
            .and_then(|path| self.reader.source().read(InputRole::Policy, &path, MAX_POLICY_BYTES).ok());
        bytes.map_or(Platform::Linux, |bytes| LauncherDocument::system_of(&bytes))
    }

    fn action_of(&mut self, number: u32, platform: Platform) -> Option<Arc<Action>> {
        let known = &mut self.actions[platform as usize][number as usize];
        if let Some(known) = known {
            return known.clone();
        }
        let probe = &self.probes[number as usize];
        let id = probe.probe_id.as_str();
        let mut notes = Diagnostics { list: &mut self.notes, file: &self.probes_path, subject: id };
        let resolve = match platform {
            Platform::Linux => linux_action,
            Platform::Macos => seatbelt_action,
        };
        let action = resolve(probe, &format!("/probes/{}", pointer_part(id)), &mut notes);
        let action = action.map(|action| shared(&mut self.shared_actions, action));
        *known = Some(action.clone());
        action
    }

    /// The policy of the apply preflight. Its mode is that of a profile with the same path, or follows from its name.
    fn preflight(&mut self) -> Option<ResolvedPolicy> {
        let spelled = self.plan.apply_preflight_profile.as_deref()?;
        let mode = self.preflight_mode.unwrap_or_else(|| PolicyMode::by_file_name(spelled));
        let mut notes =
            Diagnostics { list: &mut self.notes, file: self.plan_path, subject: self.plan.plan_id.as_str() };
        let (reader, known, pointer) = (&mut self.reader, &mut self.policies, "/apply_preflight_profile");
        policy::read(reader, known, spelled, mode, policy::Supplied::default(), pointer, self.lint, &mut notes)
    }
}
