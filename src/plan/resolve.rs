//! From a plan's bytes to a [`ResolvedPlan`]: every reference followed, everything checked, nothing left to choose.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::LoadError;
use super::file::{
    DEFAULT_DEADLINE_MS, IndexEntry, IndexFile, PlanFile, ProbeEntry, ProbesFile, ProfileEntry, ProfilesFile,
};
use super::fixtures;
use super::near::{close_to, hint_for};
use super::note::{Note, NoteKind, Notes, Severity, pointer_part};
use super::policy;
use super::probes::landlock_action;
use super::read::{Reader, refused};
use super::resolved::{LaneSet, ResolvedPlan, ResolvedPolicy, ResolvedProbe, ResolvedProfile, Selection};
use super::schema::DocumentKind;
use super::source::{INDEX_PATH, OWN_PROBES_PATH, OWN_PROFILES_PATH, Source, Workspace, clean_path};
use super::worlds;
use crate::base::ids::{ExpectationId, ProbeId, ProfileId, RegistryId};
use crate::base::limits::MAX_ROWS;
use crate::policy::PolicyMode;
use crate::record::action::Action;
use crate::record::driver::Effect;
use crate::record::fixture::FixtureEntry;
use crate::record::sources::InputRole;

/// Loads the plan in the file `plan`, from the workspace that it lies in. The second value is the workspace's root.
pub fn load(plan: &Path, selection: &Selection) -> Result<(ResolvedPlan, PathBuf), LoadError> {
    let (workspace, path) = Workspace::of_plan(plan)?;
    let resolved = resolve(&workspace, &path, selection)?;
    Ok((resolved, workspace.root().to_owned()))
}

/// Resolves the plan at `plan_path` of `source`. Only what the selection leaves has to have a readable policy; ids of
/// expectations are the same under every selection.
pub fn resolve(source: &dyn Source, plan_path: &str, selection: &Selection) -> Result<ResolvedPlan, LoadError> {
    let Resolution { plan, notes } = resolve_noting(source, plan_path, selection, false)?;
    match plan {
        Some(plan) if !super::note::has_errors(&notes) => Ok(plan),
        _ => Err(refused(notes)),
    }
}

/// What came of a resolution.
pub(super) struct Resolution {
    /// The plan, as far as it could be resolved: what has an error may be missing from it.
    pub(super) plan: Option<ResolvedPlan>,
    /// What was found on the way.
    pub(super) notes: Vec<Note>,
}

/// The two documents of a registry.
pub(super) struct Registry {
    pub(super) probes_path: String,
    pub(super) profiles_path: String,
    pub(super) probes: ProbesFile,
    pub(super) profiles: ProfilesFile,
}

/// Where the documents of a registry lie: by the index, or beside a plan that is its own root.
pub(super) fn find_registry(
    reader: &mut Reader<'_>,
    id: &RegistryId,
    asked_by: (&str, &str),
    notes: &mut Vec<Note>,
) -> Result<Option<(String, String)>, LoadError> {
    if !reader.source().has(InputRole::Index, INDEX_PATH) && reader.source().has(InputRole::Probes, OWN_PROBES_PATH) {
        return Ok(Some((OWN_PROBES_PATH.to_owned(), OWN_PROFILES_PATH.to_owned())));
    }
    let index: IndexFile = reader.typed(DocumentKind::RegistryIndex, InputRole::Index, INDEX_PATH)?;
    let mut matching = index.registries.iter().filter(|entry| entry.id == *id);
    let Some(entry) = matching.next() else {
        let (file, pointer) = asked_by;
        let known = index.registries.iter().map(|entry| entry.id.as_str());
        Notes { list: notes, file, subject: id.as_str() }.error(
            NoteKind::Registry,
            pointer,
            format!("there is no registry `{id}` in `{INDEX_PATH}`"),
            hint_for(id.as_str(), known, "add it to the index, or correct the id"),
        );
        return Ok(None);
    };
    let mut notes = Notes { list: notes, file: INDEX_PATH, subject: id.as_str() };
    if matching.next().is_some() {
        let message = format!("the registry `{id}` stands in the index twice");
        notes.error(NoteKind::Registry, "/registries", message, "remove one");
    }
    let place = index.registries.iter().position(|other| std::ptr::eq(other, entry)).unwrap_or_default();
    Ok(entry_paths(entry, place, &mut notes))
}

/// The clean paths of an index entry's two documents.
pub(super) fn entry_paths(entry: &IndexEntry, place: usize, notes: &mut Notes<'_>) -> Option<(String, String)> {
    let mut clean = |key: &str, text: &str| match clean_path(text) {
        Ok(path) => Some(path),
        Err(reason) => {
            let message = format!("`{}` cannot name a document: {reason}", super::note::shown(text));
            let remedy = "write it relative to the root";
            notes.error(NoteKind::BadPath, format!("/registries/{place}/{key}"), message, remedy);
            None
        }
    };
    let (probes, profiles) = (clean("probes", &entry.probes), clean("profiles", &entry.profiles));
    Some((probes?, profiles?))
}

/// Reads a registry and checks what its documents say about themselves.
pub(super) fn read_registry(
    reader: &mut Reader<'_>,
    id: &RegistryId,
    (probes_path, profiles_path): (String, String),
    notes: &mut Vec<Note>,
) -> Result<Registry, LoadError> {
    let probes: ProbesFile = reader.typed(DocumentKind::ProbeRegistry, InputRole::Probes, &probes_path)?;
    let profiles: ProfilesFile = reader.typed(DocumentKind::ProfileRegistry, InputRole::Profiles, &profiles_path)?;
    for (file, found) in [(&probes_path, &probes.registry_id), (&profiles_path, &profiles.registry_id)] {
        if found != id {
            Notes { list: notes, file, subject: id.as_str() }.error(
                NoteKind::IdMismatch,
                "/registry_id",
                format!("the document says that it is registry `{found}`, and is used as `{id}`"),
                "correct the id, or the index",
            );
        }
    }
    for (key, entry) in probes.probes.iter().filter(|(key, entry)| **key != entry.probe_id) {
        let message = format!("the probe says that it is `{}`, and stands under `{key}`", entry.probe_id);
        let pointer = format!("/probes/{}/probe_id", pointer_part(key.as_str()));
        let mut notes = Notes { list: notes, file: &probes_path, subject: key.as_str() };
        notes.error(NoteKind::IdMismatch, pointer, message, "make them equal");
    }
    for (key, entry) in profiles.profiles.iter().filter(|(key, entry)| **key != entry.profile_id) {
        let message = format!("the profile says that it is `{}`, and stands under `{key}`", entry.profile_id);
        let pointer = format!("/profiles/{}/profile_id", pointer_part(key.as_str()));
        let mut notes = Notes { list: notes, file: &profiles_path, subject: key.as_str() };
        notes.error(NoteKind::IdMismatch, pointer, message, "make them equal");
    }
    if probes.world_id != profiles.world_id {
        Notes { list: notes, file: &profiles_path, subject: id.as_str() }.warning(
            NoteKind::WorldMismatch,
            "/world_id",
            format!("the profiles are written for world `{}`, the probes for `{}`", profiles.world_id, probes.world_id),
            "make them agree",
        );
    }
    Ok(Registry { probes_path, profiles_path, probes, profiles })
}

/// Resolves, and notes everything on the way. `lint`: a system profile that is not on this host is a warning.
pub(super) fn resolve_noting(
    source: &dyn Source,
    plan_path: &str,
    selection: &Selection,
    lint: bool,
) -> Result<Resolution, LoadError> {
    let mut reader = Reader::new(source);
    let mut notes = Vec::new();
    let plan: PlanFile = reader.typed(DocumentKind::Plan, InputRole::Plan, plan_path)?;
    check_plan(&plan, plan_path, &mut notes);
    let asked_by = (plan_path, "/registry_id");
    let Some(paths) = find_registry(&mut reader, &plan.registry_id, asked_by, &mut notes)? else {
        return Ok(Resolution { plan: None, notes });
    };
    let registry = read_registry(&mut reader, &plan.registry_id, paths, &mut notes)?;
    if let Some(world) = plan.world_id.as_ref().filter(|world| **world != registry.probes.world_id) {
        Notes { list: &mut notes, file: plan_path, subject: plan.plan_id.as_str() }.warning(
            NoteKind::WorldMismatch,
            "/world_id",
            format!("the plan declares world `{world}`, its registry is written for `{}`", registry.probes.world_id),
            "declare the registry's world, or check its expectations against the other one",
        );
    }
    let mut on_plan = Notes { list: &mut notes, file: plan_path, subject: plan.plan_id.as_str() };
    let world = worlds::read(&mut reader, plan.world_id.as_ref(), &mut on_plan)?;
    let mut resolution = follow(reader, plan, plan_path, registry, selection, lint, notes)?;
    if let Some(plan) = &mut resolution.plan {
        plan.world = world;
    }
    Ok(resolution)
}

/// Follows the references of a plan into its registry.
pub(super) fn follow(
    reader: Reader<'_>,
    plan: PlanFile,
    plan_path: &str,
    registry: Registry,
    selection: &Selection,
    lint: bool,
    notes: Vec<Note>,
) -> Result<Resolution, LoadError> {
    let mut resolver = Resolver {
        plan_path,
        plan: &plan,
        selection,
        lint,
        probes_path: registry.probes_path,
        profiles_path: registry.profiles_path,
        probes: registry.probes.probes.into_iter().map(|(id, entry)| (id, Arc::new(entry))).collect(),
        reader,
        notes,
        policies: HashMap::new(),
        checked: HashMap::new(),
    };
    let profiles = resolver.profiles(registry.profiles.profiles)?;
    let preflight = resolver.preflight(&profiles);
    let Resolver { reader, notes, .. } = resolver;
    let lane = |name: &str| plan.lanes.get(name).and_then(serde_json::Value::as_bool).unwrap_or(true);
    let lanes = LaneSet { baseline: lane("baseline"), scenario: lane("scenario"), oracle: lane("oracle") };
    let resolved = ResolvedPlan {
        plan_digest: super::digest::plan_digest(&plan),
        lanes,
        deadline_ms: plan.deadline_ms.unwrap_or(DEFAULT_DEADLINE_MS),
        profiles,
        world: None,
        preflight,
        documents: reader.documents,
        selection: selection.clone(),
        plan,
    };
    Ok(Resolution { plan: Some(resolved), notes })
}

/// What the plan says without its registry.
fn check_plan(plan: &PlanFile, path: &str, notes: &mut Vec<Note>) {
    let mut notes = Notes { list: notes, file: path, subject: plan.plan_id.as_str() };
    if plan.profiles.is_empty() {
        notes.error(NoteKind::Empty, "/profiles", "the plan lists no profile", "add a profile id");
    }
    let mut seen = HashSet::new();
    for (n, profile) in plan.profiles.iter().enumerate() {
        if !seen.insert(profile) {
            let message = format!("the profile `{profile}` is listed twice");
            notes.error(NoteKind::Duplicate, format!("/profiles/{n}"), message, "remove one");
        }
    }
    match plan.deadline_ms {
        Some(0) => notes.error(
            NoteKind::Deadline,
            "/deadline_ms",
            "no probe can end within 0 milliseconds",
            "give it some time, or remove the key for 10 seconds",
        ),
        Some(ms) if ms > 24 * 3600 * 1000 => notes.error(
            NoteKind::Deadline,
            "/deadline_ms",
            format!("a deadline of {ms} milliseconds is more than a day"),
            "write milliseconds",
        ),
        _ => {}
    }
    let off = |name: &str| plan.lanes.get(name) == Some(&serde_json::Value::Bool(false));
    if off("baseline") && off("scenario") && off("oracle") {
        notes.error(NoteKind::Lane, "/lanes", "every lane is off", "switch one on");
    } else if off("baseline") && !off("scenario") {
        notes.warning(
            NoteKind::Lane,
            "/lanes/baseline",
            "without the baseline lane, no denial can be attributed to a policy",
            "switch it on",
        );
    }
}

/// A probe that was checked for Landlock profiles.
#[derive(Clone)]
struct Checked {
    action: Option<Arc<Action>>,
}

struct Resolver<'a> {
    plan_path: &'a str,
    plan: &'a PlanFile,
    selection: &'a Selection,
    lint: bool,
    probes_path: String,
    profiles_path: String,
    probes: BTreeMap<ProbeId, Arc<ProbeEntry>>,
    reader: Reader<'a>,
    notes: Vec<Note>,
    policies: policy::Known,
    checked: HashMap<ProbeId, Checked>,
}

impl Resolver<'_> {
    /// The plan's profiles in order, after selection.
    fn profiles(&mut self, mut entries: BTreeMap<ProfileId, ProfileEntry>) -> Result<Vec<ResolvedProfile>, LoadError> {
        let mut planned: Vec<(ProfileId, ProfileEntry)> = Vec::new();
        let mut taken: HashSet<&ProfileId> = HashSet::new();
        for (n, id) in self.plan.profiles.iter().enumerate() {
            if !taken.insert(id) {
                continue; // Noted as a duplicate already.
            }
            match entries.remove_entry(id) {
                Some(entry) => planned.push(entry),
                None => Notes { list: &mut self.notes, file: self.plan_path, subject: id.as_str() }.error(
                    NoteKind::Dangling,
                    format!("/profiles/{n}"),
                    format!("there is no profile `{id}` in `{}`", self.profiles_path),
                    hint_for(id.as_str(), entries.keys().map(ProfileId::as_str), "add it, or correct the id"),
                ),
            }
        }
        drop(entries);
        self.check_row_count(&planned)?;
        let ids = self.expectation_ids(&planned);
        self.check_selection(&planned, &ids)?;
        let wanted_profiles: HashSet<&str> = self.selection.only_profiles.iter().map(String::as_str).collect();
        let wanted_rows: HashSet<&str> = self.selection.only_scenarios.iter().map(String::as_str).collect();
        let mut sets = FixtureSets::default();
        let mut resolved = Vec::new();
        for (id, mut entry) in planned {
            if !wanted_profiles.is_empty() && !wanted_profiles.contains(id.as_str()) {
                continue;
            }
            let probes = self.rows_of(&id, &entry, &ids, &wanted_rows, &mut sets);
            if probes.is_empty() {
                continue;
            }
            let pointer = format!("/profiles/{}/profile_path", pointer_part(id.as_str()));
            let mut notes = Notes { list: &mut self.notes, file: &self.profiles_path, subject: id.as_str() };
            let policy = policy::read(
                &mut self.reader,
                &mut self.policies,
                &entry.profile_path,
                entry.mode,
                &pointer,
                self.lint,
                &mut notes,
            );
            entry.probe_refs.shrink_to_fit();
            if let Some(policy) = policy {
                resolved.push(ResolvedProfile { id, entry, policy, probes });
            }
        }
        if resolved.is_empty() && !super::note::has_errors(&self.notes) && !self.lint {
            return Err(LoadError::NothingSelected { plan_id: self.plan.plan_id.to_string() });
        }
        Ok(resolved)
    }

    /// Checks a profile's references, and gives its rows that the selection leaves.
    fn rows_of(
        &mut self,
        id: &ProfileId,
        entry: &ProfileEntry,
        ids: &ExpectationIds,
        wanted: &HashSet<&str>,
        sets: &mut FixtureSets,
    ) -> Vec<ResolvedProbe> {
        let base = format!("/profiles/{}", pointer_part(id.as_str()));
        let landlock = entry.mode == PolicyMode::Landlock;
        let mut notes = Notes { list: &mut self.notes, file: &self.profiles_path, subject: id.as_str() };
        if entry.probe_refs.is_empty() {
            let message = "the profile lists no probe";
            notes.error(NoteKind::Empty, format!("{base}/probe_refs"), message, "add a probe id");
        }
        fixtures::check(&[], &entry.fixtures, &format!("{base}/fixtures"), &mut notes);
        let set = sets.of_profile(&entry.fixtures);
        let mut seen: HashSet<&ProbeId> = HashSet::with_capacity(entry.probe_refs.len());
        let mut names: HashSet<&str> = HashSet::with_capacity(entry.probe_refs.len());
        let mut rows = Vec::new();
        let probes = std::mem::take(&mut self.probes);
        for (n, reference) in entry.probe_refs.iter().enumerate() {
            let pointer = || format!("{base}/probe_refs/{n}");
            let mut notes = Notes { list: &mut self.notes, file: &self.profiles_path, subject: id.as_str() };
            let Some((probe_id, probe)) = probes.get_key_value(reference) else {
                let remedy =
                    hint_for(reference.as_str(), probes.keys().map(ProbeId::as_str), "add it, or correct the id");
                let message = format!("there is no probe `{reference}` in `{}`", self.probes_path);
                notes.error(NoteKind::Dangling, pointer(), message, remedy);
                continue;
            };
            if !seen.insert(reference) {
                let message = format!("the probe `{reference}` is listed twice");
                notes.error(NoteKind::Duplicate, pointer(), message, "remove one");
                continue;
            }
            if !names.insert(probe.name.as_str()) {
                let severity = if landlock { Severity::Error } else { Severity::Warning };
                let message = format!("two probes of the profile have the name `{}`", super::note::shown(&probe.name));
                notes.push(severity, NoteKind::ProbeName, pointer(), message, "rename one".into());
            }
            let action = if landlock { self.action_of(probe_id, probe) } else { None };
            let all = sets.of_row(set, &entry.fixtures, probe_id, probe);
            if all.fresh && !probe.fixtures.is_empty() {
                let pointer = format!("/probes/{}/fixtures", pointer_part(probe_id.as_str()));
                let mut notes = Notes { list: &mut self.notes, file: &self.probes_path, subject: probe_id.as_str() };
                fixtures::check(&entry.fixtures, &probe.fixtures, &pointer, &mut notes);
            }
            if let Some(action) = &action {
                self.check_links(probe_id, action, &all.entries);
            }
            let base_id = base_id(probe);
            let full = ids.full(id, base_id);
            if !wanted.is_empty() && !wanted.contains(full.as_str()) && !wanted.contains(base_id) {
                continue;
            }
            match ExpectationId::new(full) {
                Ok(expectation_id) => {
                    rows.push(ResolvedProbe { entry: Arc::clone(probe), expectation_id, action, fixtures: all.entries })
                }
                Err(error) => {
                    let mut notes = Notes { list: &mut self.notes, file: &self.profiles_path, subject: id.as_str() };
                    notes.error(NoteKind::ExpectationId, pointer(), error.to_string(), "shorten the ids");
                }
            }
        }
        self.probes = probes;
        rows
    }

    /// The probe's action under Landlock; it is checked once however many profiles run it.
    fn action_of(&mut self, id: &ProbeId, probe: &Arc<ProbeEntry>) -> Option<Arc<Action>> {
        if let Some(known) = self.checked.get(id) {
            return known.action.clone();
        }
        let base = format!("/probes/{}", pointer_part(id.as_str()));
        let mut notes = Notes { list: &mut self.notes, file: &self.probes_path, subject: id.as_str() };
        let action = landlock_action(probe, &base, &mut notes).map(Arc::new);
        self.checked.insert(id.clone(), Checked { action: action.clone() });
        action
    }

    /// A probe must not change a file of the host through a link of its own fixtures.
    fn check_links(&mut self, id: &ProbeId, action: &Action, fixtures: &[FixtureEntry]) {
        if action.driver.info().effect != Effect::Changes {
            return;
        }
        for path in [Some(action.target.as_str()), action.to.as_deref()].into_iter().flatten() {
            if let Some(link) = fixtures::foreign_link(path, fixtures) {
                Notes { list: &mut self.notes, file: &self.probes_path, subject: id.as_str() }.error(
                    NoteKind::ForeignTarget,
                    format!("/probes/{}/target", pointer_part(id.as_str())),
                    format!("the fixture link `{link}` leads this change out of the run's own folder"),
                    "let the link lead to another fixture",
                );
            }
        }
    }

    /// The policy of the apply preflight. Its mode is that of a profile with the same path, or follows from its name.
    fn preflight(&mut self, profiles: &[ResolvedProfile]) -> Option<ResolvedPolicy> {
        let spelled = self.plan.apply_preflight_profile.as_deref()?;
        let same = profiles.iter().find(|profile| clean_path(spelled).as_deref() == Ok(profile.policy.path.as_str()));
        let mode = match same {
            Some(profile) => profile.entry.mode,
            None if spelled.ends_with(".json") => PolicyMode::Landlock,
            None if spelled.ends_with(".bin") => PolicyMode::Blob,
            None => PolicyMode::Sbpl,
        };
        let mut notes = Notes { list: &mut self.notes, file: self.plan_path, subject: self.plan.plan_id.as_str() };
        let pointer = "/apply_preflight_profile";
        policy::read(&mut self.reader, &mut self.policies, spelled, mode, pointer, self.lint, &mut notes)
    }

    /// Too many rows are refused before anything is done for each of them.
    fn check_row_count(&mut self, planned: &[(ProfileId, ProfileEntry)]) -> Result<(), LoadError> {
        let rows: usize = planned.iter().map(|(_, entry)| entry.probe_refs.len()).sum();
        if rows > MAX_ROWS {
            let subject = self.plan.plan_id.as_str();
            Notes { list: &mut self.notes, file: self.plan_path, subject }.error(
                NoteKind::TooManyRows,
                "/profiles",
                format!("the plan has {rows} rows in each lane, {MAX_ROWS} are the most"),
                "split it",
            );
            return Err(refused(std::mem::take(&mut self.notes)));
        }
        Ok(())
    }

    /// Which expectation ids several profiles of the plan share. Counted before selection, so that a row has one id.
    fn expectation_ids(&mut self, planned: &[(ProfileId, ProfileEntry)]) -> ExpectationIds {
        let mut first: HashMap<&str, usize> = HashMap::new();
        let mut shared: HashSet<String> = HashSet::new();
        for (place, (id, entry)) in planned.iter().enumerate() {
            let mut here: HashMap<&str, &ProbeId> = HashMap::new();
            for (n, reference) in entry.probe_refs.iter().enumerate() {
                let Some(probe) = self.probes.get(reference) else { continue };
                let base = base_id(probe);
                match here.insert(base, reference) {
                    Some(other) if other != reference => {
                        Notes { list: &mut self.notes, file: &self.profiles_path, subject: id.as_str() }.error(
                            NoteKind::ExpectationId,
                            format!("/profiles/{}/probe_refs/{n}", pointer_part(id.as_str())),
                            format!("the probes `{other}` and `{reference}` have the same expectation id `{base}`"),
                            "give one of them another `expectation_id`",
                        );
                        continue;
                    }
                    Some(_) => continue, // The same probe twice is noted as such.
                    None => {}
                }
                if *first.entry(base).or_insert(place) != place && !shared.contains(base) {
                    shared.insert(base.to_owned());
                }
            }
        }
        // `PROFILE::ID` could be spelled by another pair, or by a probe outright.
        let mut clashes = Vec::new();
        if !shared.is_empty() {
            let suspicious = planned.iter().any(|(id, _)| id.as_str().contains("::"))
                || first.keys().any(|base| base.contains("::"));
            if suspicious {
                let ids = ExpectationIds { shared: std::mem::take(&mut shared) };
                let mut all: HashSet<String> = HashSet::new();
                for (id, entry) in planned {
                    for probe in entry.probe_refs.iter().filter_map(|reference| self.probes.get(reference)) {
                        let full = ids.full(id, base_id(probe));
                        if let Some(full) = all.replace(full) {
                            clashes.push((id.clone(), full));
                        }
                    }
                }
                shared = ids.shared;
            }
        }
        for (id, full) in clashes {
            Notes { list: &mut self.notes, file: &self.profiles_path, subject: id.as_str() }.error(
                NoteKind::ExpectationId,
                format!("/profiles/{}", pointer_part(id.as_str())),
                format!("two rows of the plan have the expectation id `{full}`"),
                "rename the profile or the probe, without `::`",
            );
        }
        ExpectationIds { shared }
    }

    /// Every id of the selection has to exist in the plan.
    fn check_selection(&self, planned: &[(ProfileId, ProfileEntry)], ids: &ExpectationIds) -> Result<(), LoadError> {
        let unknown = |kind: &'static str, id: &str, close: Vec<&str>| {
            let remedy = if close.is_empty() {
                "`sandproof describe-plan` lists what there is".to_owned()
            } else {
                let close: Vec<String> = close.into_iter().map(|name| format!("`{name}`")).collect();
                format!("did you mean {}?", close.join(" or "))
            };
            let place = format!("plan `{}`", self.plan.plan_id);
            Err(LoadError::UnknownId { kind, id: super::note::shown(id), place, remedy })
        };
        for id in &self.selection.only_profiles {
            if !planned.iter().any(|(known, _)| known.as_str() == id) {
                return unknown("profile", id, close_to(id, planned.iter().map(|(known, _)| known.as_str())));
            }
        }
        if self.selection.only_scenarios.is_empty() {
            return Ok(());
        }
        let mut missing: HashSet<&str> = self.selection.only_scenarios.iter().map(String::as_str).collect();
        let mut known: HashSet<String> = HashSet::new();
        for (id, entry) in planned {
            for probe in entry.probe_refs.iter().filter_map(|reference| self.probes.get(reference)) {
                let base = base_id(probe);
                let full = ids.full(id, base);
                missing.remove(base);
                missing.remove(full.as_str());
                known.insert(full);
            }
        }
        match self.selection.only_scenarios.iter().find(|id| missing.contains(id.as_str())) {
            Some(id) => {
                let mut sorted: Vec<&str> = known.iter().map(String::as_str).collect();
                sorted.sort_unstable();
                unknown("scenario", id, close_to(id, sorted))
            }
            None => Ok(()),
        }
    }
}

/// The expectation id that a probe has by itself.
pub(super) fn base_id(probe: &ProbeEntry) -> &str {
    probe.expectation_id.as_ref().map_or(probe.probe_id.as_str(), ExpectationId::as_str)
}

/// Which base ids are shared by several profiles of a plan.
struct ExpectationIds {
    shared: HashSet<String>,
}

impl ExpectationIds {
    /// The id of one row: the base id, or `PROFILE::BASE` if several profiles of the plan share it.
    fn full(&self, profile: &ProfileId, base: &str) -> String {
        if self.shared.contains(base) { format!("{profile}::{base}") } else { base.to_owned() }
    }
}

/// Fixture lists, each kept once: profiles with equal fixtures share theirs, and rows share by profile set and probe.
#[derive(Default)]
struct FixtureSets {
    sets: Vec<Arc<[FixtureEntry]>>,
    rows: HashMap<(usize, ProbeId), Arc<[FixtureEntry]>>,
}

/// A row's fixtures; `fresh` if this combination was not met before.
struct RowFixtures {
    entries: Arc<[FixtureEntry]>,
    fresh: bool,
}

impl FixtureSets {
    fn of_profile(&mut self, fixtures: &[FixtureEntry]) -> usize {
        if let Some(place) = self.sets.iter().position(|known| known[..] == *fixtures) {
            return place;
        }
        self.sets.push(fixtures.into());
        self.sets.len() - 1
    }

    fn of_row(&mut self, set: usize, profile: &[FixtureEntry], id: &ProbeId, probe: &ProbeEntry) -> RowFixtures {
        if probe.fixtures.is_empty() {
            return RowFixtures { entries: Arc::clone(&self.sets[set]), fresh: false };
        }
        if let Some(known) = self.rows.get(&(set, id.clone())) {
            return RowFixtures { entries: Arc::clone(known), fresh: false };
        }
        let entries: Arc<[FixtureEntry]> = profile.iter().chain(&probe.fixtures).cloned().collect();
        self.rows.insert((set, id.clone()), Arc::clone(&entries));
        RowFixtures { entries, fresh: true }
    }
}
