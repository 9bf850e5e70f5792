//! One policy that somebody asks about: a document by itself, or a profile of a registry.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde_json::Map;

use super::catalogue::list_registries;
use super::diagnostic::{Diagnostics, has_errors, shown};
use super::error::LoadError;
use super::file::{PLAN_SCHEMA, PlanFile};
use super::read::{DocumentReader, refused};
use super::registry::{find_registry, read_registry};
use super::resolve::follow;
use super::resolved::{InputRole, ResolvedPolicy, ResolvedProfile, Selection};
use super::source::{DocumentSource, INDEX_PATH, Workspace};
use super::{policy, resolve};
use crate::base::fsx::{self, FileError};
use crate::base::ids::{PlanId, ProfileId, RegistryId};
use crate::base::shared_bytes::SharedBytes;
use crate::base::suggest::hint_for;
use crate::policy::PolicyMode;

/// A policy with where it comes from.
#[derive(Debug, Clone)]
pub struct FoundPolicy {
    /// The policy, with the profile's parameters and rules.
    pub policy: ResolvedPolicy,
    /// The policy document's bytes.
    pub document: SharedBytes,
    /// The profile of a registry that it belongs to.
    pub profile: Option<FoundProfile>,
}

/// The profile of a registry that was asked about.
#[derive(Debug, Clone)]
pub struct FoundProfile {
    /// Id of the registry.
    pub registry_id: RegistryId,
    /// The document that holds the profile.
    pub profiles_path: String,
    /// That document's bytes.
    pub profiles_document: SharedBytes,
    /// The profile, resolved.
    pub profile: ResolvedProfile,
}

/// How a policy document of this name and beginning is written: Landlock policies are JSON objects.
fn mode_of(path: &Path, bytes: &[u8]) -> PolicyMode {
    let begin = bytes.iter().find(|b| !b.is_ascii_whitespace());
    if begin == Some(&b'{') {
        return PolicyMode::Landlock;
    }
    let is_text = std::str::from_utf8(bytes).is_ok() || path.extension().is_some_and(|end| end == "sb");
    if is_text { PolicyMode::Sbpl } else { PolicyMode::Blob }
}

/// Reads the policy document in the file `path`. A Seatbelt profile gets `parameters`, and its imports are looked for in the
/// folder `import_dir`.
pub fn policy_in_file(
    path: &Path,
    parameters: &BTreeMap<String, String>,
    import_dir: Option<&Path>,
) -> Result<FoundPolicy, LoadError> {
    let unreadable = |source| LoadError::Read {
        what: "policy document",
        file: path.display().to_string(),
        source: FileError { action: "find", path: path.to_owned(), source },
    };
    // Its name need not be text, which the names of documents are.
    let full: PathBuf = path.canonicalize().map_err(unreadable)?;
    let bytes = fsx::read_input(&full, crate::base::limits::MAX_POLICY_BYTES).map_err(|source| LoadError::Read {
        what: "policy document",
        file: path.display().to_string(),
        source,
    })?;
    policy_in_bytes(&full.to_string_lossy(), bytes, parameters, import_dir)
}

/// Reads a policy document that is given by its bytes; messages call it `name`. A Seatbelt profile gets `parameters`.
pub fn policy_in_bytes(
    name: &str,
    bytes: Vec<u8>,
    parameters: &BTreeMap<String, String>,
    import_dir: Option<&Path>,
) -> Result<FoundPolicy, LoadError> {
    let source = OneDocument { name, bytes: bytes.into(), files: Workspace::at("/") };
    read_document(&source, name, Path::new(name), supplied(parameters, import_dir)?)
}

/// What is handed to a policy, with the folder by its real path.
fn supplied(parameters: &BTreeMap<String, String>, import_dir: Option<&Path>) -> Result<policy::Supplied, LoadError> {
    let real = |folder: &Path| {
        let failed = |source: std::io::Error| LoadError::Read {
            what: "folder of imported files",
            file: folder.display().to_string(),
            source: FileError { action: "open", path: folder.to_owned(), source },
        };
        let real = folder.canonicalize().map_err(failed)?;
        if !real.is_dir() {
            return Err(failed(std::io::Error::from(std::io::ErrorKind::NotADirectory)));
        }
        let unspeakable = std::io::Error::other("its path is not UTF-8");
        real.into_os_string().into_string().map_err(|_| failed(unspeakable))
    };
    Ok(policy::Supplied { parameters: parameters.clone(), import_dir: import_dir.map(real).transpose()? })
}

/// One document that is in no file, and the files of this host beside it.
struct OneDocument<'a> {
    name: &'a str,
    bytes: SharedBytes,
    files: Workspace,
}

impl DocumentSource for OneDocument<'_> {
    fn read(&self, role: InputRole, path: &str, cap_bytes: u64) -> Result<SharedBytes, FileError> {
        if path != self.name {
            return self.files.read(role, path, cap_bytes);
        }
        if self.bytes.len() as u64 > cap_bytes {
            let source = std::io::Error::other(format!("it is larger than {cap_bytes} bytes"));
            return Err(FileError { action: "read", path: path.into(), source });
        }
        Ok(self.bytes.clone())
    }

    fn has(&self, role: InputRole, path: &str) -> bool {
        path == self.name || self.files.has(role, path)
    }

    fn text(&self, file: &str) -> Option<SharedBytes> {
        if file == self.name { Some(self.bytes.clone()) } else { self.files.text(file) }
    }
}

fn read_document(
    source: &dyn DocumentSource,
    spelled: &str,
    shown: &Path,
    supplied: policy::Supplied,
) -> Result<FoundPolicy, LoadError> {
    let mut reader = DocumentReader::new(source);
    let mut list = Vec::new();
    let bytes = match reader.bytes(InputRole::Policy, spelled, crate::base::limits::MAX_POLICY_BYTES) {
        Ok(bytes) => bytes,
        Err(source) => {
            return Err(LoadError::Read { what: "policy document", file: shown.display().to_string(), source });
        }
    };
    let mode = mode_of(shown, &bytes);
    let mut notes = Diagnostics { list: &mut list, file: "", subject: "" };
    let known = &mut HashMap::new();
    let policy = policy::read(&mut reader, known, spelled, mode, supplied, "", false, &mut notes);
    match policy {
        Some(policy) if !has_errors(&list) => Ok(FoundPolicy { policy, document: bytes, profile: None }),
        _ => Err(refused(list).located(source)),
    }
}

/// Finds the profile `id` in the registry `registry`, or in whichever registry of the workspace has it.
pub fn policy_of_profile(
    workspace: &Workspace,
    registry: Option<&RegistryId>,
    id: &str,
) -> Result<FoundPolicy, LoadError> {
    let mut known = Vec::new();
    let mut holders = Vec::new();
    let registries = match registry {
        Some(registry) => vec![registry.clone()],
        None => list_registries(workspace)?.registries.into_iter().map(|entry| entry.id).collect(),
    };
    for registry in registries {
        let mut reader = DocumentReader::new(workspace);
        let mut notes = Vec::new();
        let Some(paths) = find_registry(&mut reader, &registry, (INDEX_PATH, "/registries"), &mut notes)? else {
            return Err(refused(notes).located(workspace));
        };
        let read = read_registry(&mut reader, &registry, paths, &mut notes)?;
        if read.profiles.profiles.keys().any(|key| key.as_str() == id) {
            holders.push((registry, reader, read, notes));
        } else {
            known.extend(read.profiles.profiles.into_keys());
        }
    }
    if holders.len() > 1 {
        let names: Vec<&str> = holders.iter().map(|(registry, ..)| registry.as_str()).collect();
        return Err(LoadError::Ambiguous { kind: "profile", id: shown(id), places: names.join(", ") });
    }
    let Some((registry_id, reader, read, notes)) = holders.pop() else {
        let remedy = hint_for(id, known.iter().map(ProfileId::as_str), "see `sandproof list-profiles --registry ID`");
        let place = registry.map_or("any registry".to_owned(), |registry| format!("registry `{registry}`"));
        return Err(LoadError::UnknownId { kind: "profile", id: shown(id), place, remedy });
    };
    let profiles_path = read.profiles_path.clone();
    let plan = PlanFile {
        schema_version: PLAN_SCHEMA.to_owned(),
        plan_id: PlanId::new("asked").expect("the text is an id"),
        registry_id: registry_id.clone(),
        world_id: None,
        profiles: read.profiles.profiles.keys().filter(|key| key.as_str() == id).cloned().collect(),
        lanes: Map::new(),
        controls: Map::new(),
        apply_preflight_profile: None,
        deadline_ms: None,
        notes: None,
        history: Default::default(),
        subject: Default::default(),
    };
    let resolve::Resolution { plan, notes } = follow(reader, plan, "", read, &Selection::default(), true, notes)?;
    let Some(mut plan) = plan else { return Err(refused(notes).located(workspace)) };
    let document = |path: &str| {
        plan.documents
            .iter()
            .find(|document| document.path == path)
            .and_then(|found| found.bytes.held())
            .unwrap_or_default()
    };
    // What stands in the way of one probe is no reason to keep silent about the policy.
    let Some(profile) = plan.profiles.first() else { return Err(refused(notes).located(workspace)) };
    let policy = profile.policy.clone();
    let (text, profiles_document) = (document(&policy.path), document(&profiles_path));
    let profile = plan.profiles.remove(0);
    Ok(FoundPolicy {
        policy,
        document: text,
        profile: Some(FoundProfile { registry_id, profiles_path, profiles_document, profile }),
    })
}
