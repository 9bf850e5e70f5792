//! A plan folder in memory: every file of it, ready to be linted and then written.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use super::super::carried_worlds;
use super::super::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, shown};
use super::super::error::LoadError;
use super::super::file::{INDEX_SCHEMA, IndexEntry, IndexFile};
use super::super::lint::lint_plan;
use super::super::paths::{OWN_INDEX_PATH, OWN_PROBES_PATH, OWN_PROFILES_PATH, clean_path};
use super::super::resolve::resolve;
use super::super::resolved::{ResolvedPlan, Selection};
use super::super::source::DocumentSource;
use super::FindPolicy;
use super::expand::{Expanded, TypedDocument};
use crate::base::digest::Digest;
use crate::base::fsx::FileError;
use crate::base::shared_bytes::SharedBytes;
use crate::record::build::{BuiltFile, BuiltFrom, HostPolicy};
use crate::record::sources::InputRole;

pub use super::super::paths::PLAN_FILE;
/// The name of the document that says what the folder was made of.
pub const BUILT_FROM_FILE: &str = "built_from.json";

/// The files of a plan folder, by path relative to it.
#[derive(Debug, Clone)]
pub struct FileSet {
    files: BTreeMap<String, Vec<u8>>,
    built: BuiltFrom,
}

/// Puts documents and policies together. What cannot be a file of the folder is noted.
pub(super) fn assemble(
    mut built: BuiltFrom,
    expanded: Expanded,
    find: &FindPolicy<'_>,
    file: &str,
    notes: &mut Vec<Diagnostic>,
) -> FileSet {
    let Expanded { plan, probes, profiles, mut policies, description } = expanded;
    let index = IndexFile {
        schema_version: INDEX_SCHEMA.to_owned(),
        registries: vec![IndexEntry {
            id: plan.value.registry_id.clone(),
            description,
            probes: OWN_PROBES_PATH.to_owned(),
            profiles: OWN_PROFILES_PATH.to_owned(),
        }],
    };
    let named = profiles.value.profiles.values().map(|profile| profile.profile_path.clone());
    let named: Vec<String> = named.chain(plan.value.apply_preflight_profile.clone()).collect();
    built.plan_id = plan.value.plan_id.to_string();
    let rows = plan.value.profiles.iter().filter_map(|id| profiles.value.profiles.get(id));
    built.rows = rows.map(|profile| profile.probe_refs.len()).sum();
    let mut files = BTreeMap::from([
        (PLAN_FILE.to_owned(), plan.bytes),
        (OWN_INDEX_PATH.to_owned(), TypedDocument::of(index).bytes),
        (OWN_PROBES_PATH.to_owned(), probes.bytes),
        (OWN_PROFILES_PATH.to_owned(), profiles.bytes),
    ]);
    let mut at = Diagnostics { list: notes, file, subject: &built.template_id };
    for spelled in named {
        let path = match clean_path(&spelled) {
            Ok(path) => path,
            Err(reason) => {
                let message = format!("`{}` cannot name a policy document: {reason}", shown(&spelled));
                at.error(DiagnosticKind::BadPath, "", message, "write it relative to the plan folder, or absolute");
                continue;
            }
        };
        if path.starts_with('/') {
            if !built.host_policies.iter().any(|known| known.path == path) {
                let sha256 = find(&path).map(|content| Digest::of(&content));
                built.host_policies.push(HostPolicy { path, sha256 });
            }
            continue;
        }
        if reserved(&path) {
            let message = format!("the policy `{}` would take the place of another file of the folder", shown(&path));
            at.error(
                DiagnosticKind::BadPath,
                "",
                message,
                "put policies into a folder of their own, such as `policies/`",
            );
            continue;
        }
        if files.contains_key(&path) || built.missing_policies.contains(&path) {
            continue;
        }
        match policies.remove(&path).or_else(|| find(&path)) {
            Some(content) => drop(files.insert(path, content)),
            None => built.missing_policies.push(path),
        }
    }
    for path in policies.keys().filter(|path| !files.contains_key(*path)) {
        let message = format!("the carried policy `{}` is used by no profile", shown(path));
        at.error(DiagnosticKind::Dangling, "/policies", message, "remove it, or name it in a profile");
    }
    for path in files.keys().filter(|path| is_below_a_file(path, &files)) {
        let message = format!("`{}` would be both a file and a folder", shown(path));
        at.error(DiagnosticKind::BadPath, "", message, "rename one of the policies");
    }
    built.files = files
        .iter()
        .map(|(path, content)| BuiltFile {
            path: path.clone(),
            size: content.len() as u64,
            sha256: Digest::of(content),
        })
        .collect();
    FileSet { files, built }
}

/// Paths that are not a policy's: the documents, what says what they were made of, and the folder for runs.
fn reserved(path: &str) -> bool {
    [PLAN_FILE, BUILT_FROM_FILE].contains(&path)
        || path.split('/').next().is_some_and(|top| top == "registry" || top == "out")
}

fn is_below_a_file(path: &str, files: &BTreeMap<String, Vec<u8>>) -> bool {
    path.match_indices('/').any(|(end, _)| files.contains_key(&path[..end]))
}

impl FileSet {
    /// Its files in the order of their paths, `built_from.json` aside.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, content)| (path.as_str(), content.as_slice()))
    }

    /// What it was made of.
    pub fn built_from(&self) -> &BuiltFrom {
        &self.built
    }

    /// What a lint says of the plan, as it will stand in its folder.
    pub fn lint(&self) -> Vec<Diagnostic> {
        lint_plan(self, PLAN_FILE)
    }

    /// The plan, resolved as it will be in its folder.
    pub fn resolve(&self) -> Result<ResolvedPlan, LoadError> {
        resolve(self, PLAN_FILE, &Selection::default())
    }
}

impl DocumentSource for FileSet {
    fn read(&self, role: InputRole, path: &str, cap_bytes: u64) -> Result<SharedBytes, FileError> {
        let refuse = |kind| FileError { action: "read", path: PathBuf::from(path), source: io::Error::from(kind) };
        let carried =
            || carried_worlds::carried(path).filter(|_| role == InputRole::World).map(|text| text.as_bytes().to_vec());
        let content = self.files.get(path).cloned().or_else(carried).ok_or_else(|| refuse(io::ErrorKind::NotFound))?;
        if content.len() as u64 > cap_bytes { Err(refuse(io::ErrorKind::FileTooLarge)) } else { Ok(content.into()) }
    }

    fn has(&self, role: InputRole, path: &str) -> bool {
        self.files.contains_key(path) || (role == InputRole::World && carried_worlds::carried(path).is_some())
    }

    fn worlds(&self) -> Vec<String> {
        carried_worlds::carried_ids().map(str::to_owned).collect()
    }
}
