//! What a workspace holds, and where else in it sandboxes are spoken of.
//!
//! Files are read by this program itself; no search tool is needed, and nothing is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::base::VERSION;
use crate::base::error_chain::error_chain;
use crate::base::fsx;
use crate::base::ids::WorldId;
use crate::plan::catalogue::{PlanListing, RegistryContent, list_plans, list_registries};
use crate::plan::file::HOME_WORLD;
use crate::plan::{DocumentSource as _, LoadError, Workspace};
use crate::record::inventory::{Category, Component, ComponentStatus, INVENTORY_SCHEMA, Inventory, KeywordHit};
use crate::record::layout::{ARTIFACT_INDEX, RUN_STATUS, WORLDS_FOLDER};

/// What is looked for if nothing else is asked for.
pub const KEYWORDS: [&str; 7] =
    ["landlock", "launchctl", "mach-lookup", "sandbox_check", "sandbox_init", "seatbelt", "systemd-run"];

/// Largest file that is searched, in bytes.
const MAX_SEARCHED_BYTES: u64 = 1024 * 1024;
/// How many files are searched at most.
const MAX_FILES: usize = 100_000;
/// Folders that hold results and builds, not sources.
const SKIPPED: [&str; 3] = ["out", "target", "node_modules"];

/// Takes the inventory of a workspace. Without `keywords`, [`KEYWORDS`] are looked for.
pub fn build(workspace: &Workspace, keywords: &[String]) -> Result<Inventory, LoadError> {
    let keywords: Vec<String> =
        if keywords.is_empty() { KEYWORDS.map(str::to_owned).to_vec() } else { keywords.to_vec() };
    let mut parts = plans(workspace);
    parts.extend(registries(workspace)?);
    parts.extend(worlds(workspace));
    parts.sort_by(|a, b| a.id.cmp(&b.id));

    let mut search = InventorySearch { keywords: &keywords, hits: BTreeMap::new(), not_searched: Vec::new(), files: 0 };
    search.folder(workspace.root(), "");
    let mut owned = BTreeSet::new();
    for part in &mut parts {
        for path in &part.paths {
            if let Some(found) = search.hits.get(path) {
                part.files.push(KeywordHit { path: path.clone(), keywords: found.clone() });
                owned.insert(path.clone());
            }
        }
    }
    let unclassified = search.hits.into_iter().filter(|(path, _)| !owned.contains(path));
    search.not_searched.sort();
    Ok(Inventory {
        schema_version: INVENTORY_SCHEMA.into(),
        world_id: WorldId::new(HOME_WORLD).expect("the home world has a name"),
        generated_by: format!("sandproof {VERSION}"),
        keywords: keywords.clone(),
        in_repo: parts,
        unclassified_hits: unclassified.map(|(path, keywords)| KeywordHit { path, keywords }).collect(),
        external: Vec::new(),
        not_searched: search.not_searched,
    })
}

fn part(category: Category, id: &str, paths: Vec<String>, description: String, status: ComponentStatus) -> Component {
    Component {
        id: format!("{}:{id}", category.as_str()),
        paths,
        category,
        description,
        privileges: Vec::new(),
        evidence_tier: "declared".into(),
        status,
        files: Vec::new(),
    }
}

fn plans(workspace: &Workspace) -> Vec<Component> {
    let listed = list_plans(workspace).into_iter();
    listed
        .map(|plan| match plan {
            PlanListing::Plan { plan_id, registry_id, profiles, path } => {
                let what = format!("{profiles} profiles of registry {registry_id}");
                part(Category::Plan, plan_id.as_str(), vec![path], what, ComponentStatus::Ok)
            }
            PlanListing::Broken { path, error } => {
                part(Category::Plan, &path.clone(), vec![path], error, ComponentStatus::Broken)
            }
        })
        .collect()
}

fn registries(workspace: &Workspace) -> Result<Vec<Component>, LoadError> {
    let index = list_registries(workspace)?;
    let parts = index.registries.into_iter().map(|entry| {
        let mut paths = vec![entry.probes, entry.profiles];
        let id = entry.id.as_str();
        match RegistryContent::read(workspace, id) {
            Err(error) => part(Category::Registry, id, paths, error_chain(&error), ComponentStatus::Broken),
            Ok(content) => {
                let policies: BTreeSet<String> =
                    content.profiles.iter().map(|profile| profile.profile_path.clone()).collect();
                paths.extend(policies);
                let needs: BTreeSet<String> =
                    content.probes.iter().flat_map(|probe| probe.capabilities_required.iter().cloned()).collect();
                let description = entry.description.unwrap_or_default();
                let mut made = part(Category::Registry, id, paths, description, ComponentStatus::Ok);
                made.privileges = needs.into_iter().collect();
                made
            }
        }
    });
    Ok(parts.collect())
}

fn worlds(workspace: &Workspace) -> Vec<Component> {
    let ids = workspace.worlds().into_iter();
    ids.map(|id| {
        let path = format!("{WORLDS_FOLDER}/{id}.json");
        let own = workspace.root().join(&path).is_file();
        let (paths, from) = if own { (vec![path], "the workspace") } else { (Vec::new(), "the program") };
        part(Category::World, &id, paths, format!("described by {from}"), ComponentStatus::Ok)
    })
    .collect()
}

/// A search in progress.
struct InventorySearch<'a> {
    keywords: &'a [String],
    hits: BTreeMap<String, Vec<String>>,
    not_searched: Vec<String>,
    files: usize,
}

impl InventorySearch<'_> {
    /// Searches a folder and those below it. Links are not followed; hidden folders are left out, and bundles wherever they lie,
    /// which are results too.
    fn folder(&mut self, folder: &Path, prefix: &str) {
        if [ARTIFACT_INDEX, RUN_STATUS].iter().any(|name| folder.join(name).is_file()) {
            return;
        }
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) => {
                    self.folder(&entry.path(), &path);
                }
                Ok(kind) if kind.is_file() => self.file(&entry.path(), path),
                _ => {}
            }
        }
    }

    fn file(&mut self, file: &Path, path: String) {
        self.files += 1;
        let bytes = if self.files > MAX_FILES { None } else { fsx::read_regular(file, MAX_SEARCHED_BYTES).ok() };
        let Some(mut bytes) = bytes else {
            self.not_searched.push(path);
            return;
        };
        if bytes.contains(&0) {
            // Not a text.
            return;
        }
        bytes.make_ascii_lowercase();
        let text = String::from_utf8_lossy(&bytes);
        let found: Vec<String> =
            self.keywords.iter().filter(|keyword| text.contains(&keyword.to_ascii_lowercase())).cloned().collect();
        if !found.is_empty() {
            self.hits.insert(path, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use serde_json::json;

    use super::*;

    #[test]
    fn known_parts_are_told_from_other_mentions() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["registries/r", "plans/p", "plans/q", "notes", "out", ".git", "results/a/run"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        let write = |name: &str, text: &str| fs::write(at(name), text).unwrap();
        let index = json!({"schema_version": "runtime-tools.registry_index.v0.1", "registries": [
            {"id": "r", "description": "d", "probes": "registries/r/probes.json", "profiles": "registries/r/profiles.json"}]});
        write("registries/index.json", &index.to_string());
        let probes = json!({"schema_version": "runtime-tools.probe_registry.v0.2", "registry_id": "r", "world_id": "w",
            "probes": {"a": {"probe_id": "a", "name": "n", "operation": "signal", "target": "Seatbelt", "expected": "deny",
                "supports_lanes": {"baseline": true, "scenario": true, "oracle": true}, "expected_primary_ops": [],
                "expected_predicates": [], "capabilities_required": ["root"], "controls_supported": []}}});
        write("registries/r/probes.json", &probes.to_string());
        let profiles = json!({"schema_version": "runtime-tools.profile_registry.v0.2", "registry_id": "r", "world_id": "w",
            "profiles": {}});
        write("registries/r/profiles.json", &profiles.to_string());
        let plan =
            json!({"schema_version": "runtime-tools.plan.v0.1", "plan_id": "p", "registry_id": "r", "profiles": []});
        write("plans/p/plan.json", &plan.to_string());
        write("plans/q/plan.json", "{");
        write("notes/a.md", "LANDLOCK and launchctl");
        write("notes/binary", "landlock\0");
        write("notes/plain.md", "nothing");
        write("out/b.md", "landlock");
        write("results/a/run/artifact_index.json", "{}");
        write("results/a/run/summary.md", "landlock");
        write(".git/c.md", "landlock");
        write("notes/large.md", &"landlock ".repeat(200_000));
        symlink(at("notes/a.md"), at("notes/link.md")).unwrap();

        let found = build(&Workspace::at(folder.path()), &[]).unwrap();
        let by_id = |id: &str| found.in_repo.iter().find(|part| part.id == id).unwrap();
        assert_eq!(by_id("registry:r").privileges, ["root"]);
        assert_eq!(by_id("registry:r").files.len(), 1);
        assert_eq!(by_id("registry:r").files[0].keywords, ["seatbelt"]);
        assert_eq!(by_id("plan:p").status, ComponentStatus::Ok);
        assert_eq!(by_id("plan:plans/q/plan.json").status, ComponentStatus::Broken);
        assert!(found.in_repo.iter().any(|part| part.category == Category::World));
        let elsewhere: Vec<&str> = found.unclassified_hits.iter().map(|hit| hit.path.as_str()).collect();
        assert_eq!(elsewhere, ["notes/a.md"]);
        assert_eq!(found.unclassified_hits[0].keywords, ["landlock", "launchctl"]);
        assert_eq!(found.not_searched, ["notes/large.md"]);
        assert_eq!(build(&Workspace::at(folder.path()), &["NOTHING".into()]).unwrap().unclassified_hits.len(), 1);
    }
}
