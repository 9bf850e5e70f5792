//! What a workspace holds: its plans, its registries, and what is in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::diagnostic::has_errors;
use super::error::LoadError;
use super::file::{IndexFile, PlanFile, ProbeEntry, ProfileEntry};
use super::paths::OWN_INDEX_PATH;
use super::read::{DocumentReader, refused};
use super::registry::{find_registry, read_registry};
use super::schema::DocumentKind;
use super::source::{REFERENCE_INDEX_PATH, Workspace, holds, index_path};
use crate::base::digest::Digest;
use crate::base::ids::{PlanId, RegistryId};
use crate::base::suggest::hint_for;
use crate::record::layout;
use crate::record::sources::InputRole;

/// A plan of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum PlanListing {
    /// One that reads.
    Plan {
        /// Id of the plan.
        plan_id: PlanId,
        /// Id of the registry that the plan refers to.
        registry_id: RegistryId,
        /// How many profiles it lists.
        profiles: usize,
        /// Path of the plan's file, relative to the root.
        path: String,
    },
    /// One that does not.
    Broken {
        /// Path of the plan's file, relative to the root.
        path: String,
        /// The reason, as text for people.
        error: String,
    },
}

/// Where a checkout of the reference runtime has its plans: anywhere below this folder.
const REFERENCE_PLANS: &str = "book/experiments";
/// How many entries of folders are looked at there.
const MOST_ENTRIES: usize = 50_000;
/// How many folders below it that goes.
const DEEPEST: usize = 12;

/// The plans at `plans/*/plan.json`, by path; of a plan folder that is its own root, its one plan; of a checkout of the
/// reference runtime, those below `book/experiments`.
pub fn list_plans(workspace: &Workspace) -> Vec<PlanListing> {
    let mut paths: Vec<String> = fs::read_dir(workspace.root().join("plans"))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("plan.json").is_file())
        .map(|entry| format!("plans/{}/plan.json", entry.file_name().to_string_lossy()))
        .collect();
    if holds(workspace.root(), OWN_INDEX_PATH) && workspace.root().join("plan.json").is_file() {
        paths.push("plan.json".to_owned());
    }
    let mut unseen = None;
    if holds(workspace.root(), REFERENCE_INDEX_PATH) {
        let mut left = MOST_ENTRIES;
        plans_below(&workspace.root().join(REFERENCE_PLANS), REFERENCE_PLANS, DEEPEST, &mut left, &mut paths);
        unseen = (left == 0).then(|| PlanListing::Broken {
            path: REFERENCE_PLANS.to_owned(),
            error: format!("it has more than {MOST_ENTRIES} files and folders; not all of them were looked at"),
        });
    }
    paths.sort();
    let listed = paths.into_iter().map(|path| match read_plan(workspace, &path) {
        Ok(plan) => PlanListing::Plan {
            plan_id: plan.plan_id,
            registry_id: plan.registry_id,
            profiles: plan.profiles.len(),
            path,
        },
        Err(error) => {
            let cause = std::error::Error::source(&error).map_or(String::new(), |cause| format!(": {cause}"));
            PlanListing::Broken { path, error: format!("{error}{cause}") }
        }
    });
    listed.chain(unseen).collect()
}

/// Adds every `plan.json` below `folder`. Links are not followed; hidden folders and bundles are left out.
fn plans_below(folder: &Path, path: &str, deeper: usize, left: &mut usize, plans: &mut Vec<String>) {
    let bundle = [layout::RUN_STATUS, layout::ARTIFACT_INDEX].iter().any(|name| folder.join(name).exists());
    if bundle || deeper == 0 {
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if *left == 0 {
            return;
        }
        *left -= 1;
        let Ok(name) = entry.file_name().into_string() else { continue };
        match entry.file_type() {
            Ok(kind) if kind.is_file() && name == "plan.json" => plans.push(format!("{path}/{name}")),
            Ok(kind) if kind.is_dir() && !name.starts_with('.') => {
                plans_below(&entry.path(), &format!("{path}/{name}"), deeper - 1, left, plans);
            }
            _ => {}
        }
    }
}

fn read_plan(workspace: &Workspace, path: &str) -> Result<PlanFile, LoadError> {
    DocumentReader::new(workspace).typed(DocumentKind::Plan, InputRole::Plan, path)
}

/// A plan by itself: what `describe-plan` answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanDescription {
    /// The plan as written.
    pub plan: PlanFile,
    /// Path of the plan's file, relative to the root.
    pub path: String,
    /// SHA-256 over the plan's material keys.
    pub plan_digest: Digest,
}

/// Describes the plan in a file, without following its references.
pub fn describe_plan(plan: &Path, home: Option<&Path>) -> Result<(PlanDescription, PathBuf), LoadError> {
    let (workspace, path) = Workspace::of_plan(plan, home)?;
    let plan = read_plan(&workspace, &path)?;
    let plan_digest = super::digest::plan_digest(&plan);
    let path = workspace.expanded().map_or(path, |questions| questions.name().to_owned());
    Ok((PlanDescription { plan, path, plan_digest }, workspace.root().to_owned()))
}

/// The registries in the index, as written.
pub fn list_registries(workspace: &Workspace) -> Result<IndexFile, LoadError> {
    DocumentReader::new(workspace).typed(DocumentKind::RegistryIndex, InputRole::Index, index_path(workspace))
}

/// Checks that the index has a registry of that id.
pub fn require_registry(workspace: &Workspace, id: &RegistryId) -> Result<(), LoadError> {
    let index = list_registries(workspace)?;
    if index.registries.iter().any(|entry| entry.id == *id) {
        return Ok(());
    }
    let known = index.registries.iter().map(|entry| entry.id.as_str());
    Err(LoadError::UnknownId {
        kind: "registry",
        id: super::diagnostic::shown(id.as_str()),
        place: format!("`{}`", index_path(workspace)),
        remedy: hint_for(id.as_str(), known, "see `sandproof list-registries`"),
    })
}

/// A registry's probes and profiles, by id.
#[derive(Debug, Clone)]
pub struct RegistryContent {
    /// Id of the registry.
    pub id: RegistryId,
    /// Every probe of the registry, sorted by probe id.
    pub probes: Vec<ProbeEntry>,
    /// Every profile of the registry, sorted by profile id.
    pub profiles: Vec<ProfileEntry>,
}

impl RegistryContent {
    /// Reads a registry of the workspace.
    pub fn read(workspace: &Workspace, id: &str) -> Result<Self, LoadError> {
        let id = RegistryId::new(id).map_err(|error| LoadError::UnknownId {
            kind: "registry",
            id: super::diagnostic::shown(id),
            place: format!("`{}`", index_path(workspace)),
            remedy: error.to_string(),
        })?;
        require_registry(workspace, &id)?;
        let mut reader = DocumentReader::new(workspace);
        let mut notes = Vec::new();
        let Some(paths) = find_registry(&mut reader, &id, (index_path(workspace), "/registries"), &mut notes)? else {
            return Err(refused(notes).located(workspace));
        };
        let registry = read_registry(&mut reader, &id, paths, &mut notes)?;
        if has_errors(&notes) {
            return Err(refused(notes).located(workspace));
        }
        Ok(Self {
            id,
            probes: registry.probes.probes.into_values().map(Arc::unwrap_or_clone).collect(),
            profiles: registry.profiles.profiles.into_values().collect(),
        })
    }

    /// The probe of that id.
    pub fn probe(&self, id: &str) -> Result<&ProbeEntry, LoadError> {
        self.probes.iter().find(|probe| probe.probe_id.as_str() == id).ok_or_else(|| {
            let known = self.probes.iter().map(|probe| probe.probe_id.as_str());
            self.unknown("probe", id, hint_for(id, known, "see `sandproof list-probes`"))
        })
    }

    /// The profile of that id.
    pub fn profile(&self, id: &str) -> Result<&ProfileEntry, LoadError> {
        self.profiles.iter().find(|profile| profile.profile_id.as_str() == id).ok_or_else(|| {
            let known = self.profiles.iter().map(|profile| profile.profile_id.as_str());
            self.unknown("profile", id, hint_for(id, known, "see `sandproof list-profiles`"))
        })
    }

    fn unknown(&self, kind: &'static str, id: &str, remedy: String) -> LoadError {
        LoadError::UnknownId {
            kind,
            id: super::diagnostic::shown(id),
            place: format!("registry `{}`", self.id),
            remedy,
        }
    }
}
