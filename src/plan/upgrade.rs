//! Bringing a registry's documents to the format that is read.
//!
//! Version 0.1 let authors leave out what version 0.2 demands. An upgrade fills that in, and nothing else: an entry that
//! version 0.2 would refuse for another reason refuses the whole upgrade, with everything that is wrong in both documents.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, has_errors};
use super::error::LoadError;
use super::file::{EVERY_CONTROL, PROBES_SCHEMA, PROFILES_SCHEMA, ProbeEntry, ProbesFile};
use super::read::{DocumentReader, refused, typed};
use super::registry::{find_registry, read_registry};
use super::schema::{DocumentKind, found};
use super::source::{DocumentSource, INDEX_PATH, Workspace};
use super::written_probe::shorten;
use crate::base::format::{self, FormatStanding};
use crate::base::fsx::{FileError, IoContext, Staged, sync_dir};
use crate::base::ids::RegistryId;
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::base::shared_bytes::SharedBytes;
use crate::base::{json, json_out};
use crate::record::sources::InputRole;

/// The older format of a probe registry.
pub const OLD_PROBES_SCHEMA: &str = "runtime-tools.probe_registry.v0.1";
/// The older format of a profile registry.
pub const OLD_PROFILES_SCHEMA: &str = "runtime-tools.profile_registry.v0.1";

/// A registry's two documents in the present format. Made only of documents that load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradedRegistry {
    /// Where the probe registry was read, relative to the root.
    pub probes_path: String,
    /// Where the profile registry was read, relative to the root.
    pub profiles_path: String,
    /// The new probe registry: keys sorted, a newline at the end.
    pub probes: Vec<u8>,
    /// The new profile registry, likewise.
    pub profiles: Vec<u8>,
}

/// Upgraded documents could not be written.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// There is something already.
    #[error("`{}` exists already", path.display())]
    Exists {
        /// Path of the file that is there already.
        path: PathBuf,
    },
    /// Both documents have the same name, so they cannot go into one folder.
    #[error("both documents are called `{name}`, so they cannot go into one folder")]
    SameName {
        /// The name, as written.
        name: String,
    },
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Reads a registry of either version, and gives its documents in the present one.
pub fn upgrade_registry(workspace: &Workspace, id: &RegistryId) -> Result<UpgradedRegistry, LoadError> {
    super::catalogue::require_registry(workspace, id)?;
    let mut reader = DocumentReader::new(workspace);
    let mut notes = Vec::new();
    let paths = find_registry(&mut reader, id, (INDEX_PATH, "/registries"), &mut notes)?;
    let Some((probes_path, profiles_path)) = paths else { return Err(refused(notes).located(workspace)) };

    let probes = upgraded(&mut reader, &PROBES, &probes_path, &mut notes);
    let profiles = upgraded(&mut reader, &PROFILES, &profiles_path, &mut notes);
    let (Some(probes), Some(profiles)) = (probes, profiles) else { return Err(refused(notes).located(workspace)) };
    if has_errors(&notes) {
        return Err(refused(notes).located(workspace));
    }
    let made = UpgradedRegistry { probes_path, profiles_path, probes, profiles };
    // The last word has the code that will read them.
    let upgraded = UpgradedWorkspace { workspace, made: &made };
    let paths = (made.probes_path.clone(), made.profiles_path.clone());
    read_registry(&mut DocumentReader::new(&upgraded), id, paths, &mut notes)?;
    if has_errors(&notes) { Err(refused(notes).located(workspace)) } else { Ok(made) }
}

impl UpgradedRegistry {
    /// The same with everything left out of the probes that equals its default. What is left says the same of every probe,
    /// so every plan resolves to what it did.
    ///
    /// # Errors
    /// The shortened document cannot be read, or says something else.
    pub fn shortened(self) -> Result<Self, LoadError> {
        let file = &self.probes_path;
        let json_error = |source| LoadError::Json { what: "probe registry", file: file.clone(), source };
        let whole = json::parse(&self.probes).map_err(json_error)?;
        let mut short = whole.clone();
        let entries = short.get_mut("probes").and_then(Value::as_object_mut);
        for (id, probe) in entries.into_iter().flatten() {
            if let Some(probe) = probe.as_object_mut() {
                shorten(id, probe);
            }
        }
        let said = |value: Value| -> Result<Vec<ProbeEntry>, LoadError> {
            let probes: ProbesFile = typed(value, file, "")?;
            Ok(probes.probes.values().map(|probe| probe.written_out()).collect())
        };
        if said(whole)? != said(short.clone())? {
            let mut notes = Vec::new();
            Diagnostics { list: &mut notes, file, subject: "" }.error(
                DiagnosticKind::BadValue,
                "/probes",
                "the shortened registry would say something else",
                "leave it as it is",
            );
            return Err(refused(notes));
        }
        let mut probes = json_out::to_pretty(&short);
        probes.push(b'\n');
        Ok(Self { probes, ..self })
    }
}

/// What there is to know of one of the two documents.
struct DocumentForm {
    kind: DocumentKind,
    role: InputRole,
    old: &'static str,
    new: &'static str,
    /// The key that holds the entries.
    entries: &'static str,
    /// Fills in what an entry may lack.
    fill: fn(&mut Map<String, Value>),
    /// Keys whose null means the same as their absence.
    optional: &'static [&'static str],
}

const PROBES: DocumentForm = DocumentForm {
    kind: DocumentKind::ProbeRegistry,
    role: InputRole::Probes,
    old: OLD_PROBES_SCHEMA,
    new: PROBES_SCHEMA,
    entries: "probes",
    fill: fill_probe,
    optional: &[
        "expectation_id",
        "mode",
        "driver",
        "syscall",
        "attr_payload",
        "anchor_ctx_id",
        "filter_name",
        "filter_type",
    ],
};

const PROFILES: DocumentForm = DocumentForm {
    kind: DocumentKind::ProfileRegistry,
    role: InputRole::Profiles,
    old: OLD_PROFILES_SCHEMA,
    new: PROFILES_SCHEMA,
    entries: "profiles",
    fill: fill_profile,
    optional: &[],
};

fn fill_probe(probe: &mut Map<String, Value>) {
    let listed =
        |value: Option<&Value>| Value::Array(value.filter(|value| value.is_string()).cloned().into_iter().collect());
    let (operation, target) = (listed(probe.get("operation")), listed(probe.get("target")));
    let lanes = probe.entry("supports_lanes").or_insert_with(|| json!({}));
    if let Some(lanes) = lanes.as_object_mut() {
        for lane in ["baseline", "oracle", "scenario"] {
            lanes.entry(lane).or_insert(Value::Bool(true));
        }
    }
    probe.entry("expected_primary_ops").or_insert(operation);
    probe.entry("expected_predicates").or_insert(target);
    probe.entry("capabilities_required").or_insert_with(|| json!([]));
    probe.entry("controls_supported").or_insert_with(|| json!(EVERY_CONTROL));
}

fn fill_profile(profile: &mut Map<String, Value>) {
    for tag in ["family", "semantic_group", "notes"] {
        profile.entry(tag).or_insert(Value::Null);
    }
    profile.entry("key_specific_rules").or_insert_with(|| json!([]));
}

/// One document in the new format; `None`, with notes, if it cannot be had.
fn upgraded(
    reader: &mut DocumentReader<'_>,
    form: &DocumentForm,
    path: &str,
    notes: &mut Vec<Diagnostic>,
) -> Option<Vec<u8>> {
    let what = form.kind.what();
    let parsed = reader
        .bytes(form.role, path, MAX_INPUT_DOCUMENT_BYTES)
        .map_err(|source| LoadError::Read { what, file: path.to_owned(), source })
        .and_then(|bytes| {
            json::parse(&bytes).map_err(|source| LoadError::Json { what, file: path.to_owned(), source })
        });
    let mut value = match parsed {
        Ok(value) => value,
        Err(error) => {
            notes.extend(error.into_notes());
            return None;
        }
    };
    if let Some(document) = value.as_object_mut() {
        match document.get("schema_version") {
            Some(Value::String(version)) if version == form.old || version == form.new => {
                document.insert("schema_version".into(), form.new.into());
            }
            Some(other) => {
                let message = format!("found {}, where a format that can be upgraded is needed", found(other));
                let version = other.as_str().unwrap_or_default();
                let remedy = match format::standing(version, form.new) {
                    FormatStanding::Newer => format::remedy(version, form.new),
                    _ => format!("write `{}` or `{}`, if the document has that format", form.old, form.new),
                };
                Diagnostics { list: notes, file: path, subject: "" }.error(
                    DiagnosticKind::Format,
                    "/schema_version",
                    message,
                    remedy,
                );
                return None;
            }
            None => {}
        }
        let entries = document.get_mut(form.entries).and_then(Value::as_object_mut);
        for entry in entries.into_iter().flat_map(|entries| entries.values_mut()).filter_map(Value::as_object_mut) {
            entry.retain(|key, value| !(value.is_null() && form.optional.contains(&key.as_str())));
            (form.fill)(entry);
        }
    }
    if !form.kind.check(&value, &mut Diagnostics { list: notes, file: path, subject: "" }) {
        return None;
    }
    let mut bytes = json_out::to_pretty(&value);
    bytes.push(b'\n');
    Some(bytes)
}

/// The workspace as it would be with the upgraded documents in it.
struct UpgradedWorkspace<'a> {
    workspace: &'a Workspace,
    made: &'a UpgradedRegistry,
}

impl DocumentSource for UpgradedWorkspace<'_> {
    fn read(&self, role: InputRole, path: &str, cap_bytes: u64) -> Result<SharedBytes, FileError> {
        match role {
            InputRole::Probes => Ok(self.made.probes.clone().into()),
            InputRole::Profiles => Ok(self.made.profiles.clone().into()),
            _ => self.workspace.read(role, path, cap_bytes),
        }
    }

    fn has(&self, role: InputRole, path: &str) -> bool {
        self.workspace.has(role, path)
    }
}

impl UpgradedRegistry {
    /// Writes both documents under the names that they have, into `folder` (which is made if it is missing). Without
    /// `overwrite`, nothing that exists is touched, and either both files are there afterwards or none. With it each
    /// file is replaced as a whole; a crash between the two leaves one of them as it was.
    pub fn write(&self, folder: &Path, overwrite: bool) -> Result<[PathBuf; 2], UpgradeError> {
        let name_of = |path: &str| Path::new(path).file_name().map(|name| folder.join(name)).unwrap_or_default();
        let targets = [name_of(&self.probes_path), name_of(&self.profiles_path)];
        if targets[0] == targets[1] {
            let name = targets[0].file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(UpgradeError::SameName { name });
        }
        if let Some(path) = targets.iter().find(|path| !overwrite && path.symlink_metadata().is_ok()) {
            return Err(UpgradeError::Exists { path: path.clone() });
        }
        // A device, a FIFO or a socket of that name is no document, and not replaced by one.
        for path in &targets {
            if path.symlink_metadata().is_ok_and(|found| !found.is_file() && !found.is_symlink()) {
                let source = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
                return Err(FileError { action: "replace", path: path.clone(), source }.into());
            }
        }
        fs::create_dir_all(folder).at("create the folder", folder)?;
        let mut pending = Vec::new();
        for (target, bytes) in targets.iter().zip([&self.probes, &self.profiles]) {
            let mut staged = Staged::create(target)?;
            staged.write_all(bytes).at("write", target)?;
            staged.sync()?;
            pending.push(staged.close()?);
        }
        let mut placed: Vec<PathBuf> = Vec::new();
        for file in pending {
            let target = file.target().to_owned();
            if overwrite {
                file.rename()?;
                continue;
            }
            // A link, unlike a rename, replaces nothing that came up meanwhile. Its temporary name goes with `file`.
            if let Err(source) = fs::hard_link(file.temporary(), &target) {
                for mine in &placed {
                    let _ = fs::remove_file(mine);
                }
                return Err(match source.kind() {
                    io::ErrorKind::AlreadyExists => UpgradeError::Exists { path: target },
                    _ => FileError { action: "create", path: target, source }.into(),
                });
            }
            placed.push(target);
        }
        sync_dir(folder)?;
        Ok(targets)
    }

    /// The folder of the probe registry, where the documents go if nothing else is asked for.
    pub fn own_folder(&self, workspace: &Workspace) -> PathBuf {
        let file = workspace.root().join(&self.probes_path);
        file.parent().map_or_else(|| workspace.root().to_owned(), Path::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(probes: &Value, profiles: &Value) -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().unwrap();
        let index = json!({"schema_version": "runtime-tools.registry_index.v0.1", "registries": [
            {"id": "old", "probes": "registries/old/probes.json", "profiles": "registries/old/profiles.json"}]});
        fs::create_dir_all(folder.path().join("registries/old")).unwrap();
        fs::write(folder.path().join("registries/index.json"), index.to_string()).unwrap();
        fs::write(folder.path().join("registries/old/probes.json"), probes.to_string()).unwrap();
        fs::write(folder.path().join("registries/old/profiles.json"), profiles.to_string()).unwrap();
        let workspace = Workspace::at(folder.path());
        (folder, workspace)
    }

    fn old_probes() -> Value {
        json!({"schema_version": OLD_PROBES_SCHEMA, "registry_id": "old", "world_id": "w", "probes": {
            "b": {"probe_id": "b", "name": "read", "operation": "file-read*", "target": "/etc/hosts", "expected": "allow",
                "driver": null, "filter_name": "path"},
            "a": {"probe_id": "a", "name": "lookup", "operation": "mach-lookup", "target": "com.apple.x", "expected": "deny",
                "supports_lanes": {"oracle": false}}}})
    }

    fn old_profiles() -> Value {
        json!({"schema_version": OLD_PROFILES_SCHEMA, "registry_id": "old", "world_id": "w", "profiles": {
            "p": {"profile_id": "p", "profile_path": "p.sb", "mode": "sbpl", "probe_refs": ["a", "b"], "family": "f"}}})
    }

    fn id() -> RegistryId {
        RegistryId::new("old").unwrap()
    }

    #[test]
    fn what_is_missing_is_filled_in_and_nothing_else() {
        let (folder, workspace) = workspace(&old_probes(), &old_profiles());
        let made = upgrade_registry(&workspace, &id()).unwrap();
        let probes: Value = json::parse(&made.probes).unwrap();
        assert_eq!(probes["schema_version"], PROBES_SCHEMA);
        assert_eq!(
            probes["probes"]["b"],
            json!({"probe_id": "b", "name": "read", "operation": "file-read*", "target": "/etc/hosts", "expected": "allow",
                "filter_name": "path", "supports_lanes": {"baseline": true, "oracle": true, "scenario": true},
                "expected_primary_ops": ["file-read*"], "expected_predicates": ["/etc/hosts"],
                "capabilities_required": [], "controls_supported": ["baseline", "allow_default", "deny_default"]})
        );
        assert_eq!(
            probes["probes"]["a"]["supports_lanes"],
            json!({"baseline": true, "oracle": false, "scenario": true})
        );
        let profiles: Value = json::parse(&made.profiles).unwrap();
        assert_eq!(
            profiles["profiles"]["p"],
            json!({"profile_id": "p", "profile_path": "p.sb", "mode": "sbpl", "probe_refs": ["a", "b"], "family": "f",
                "semantic_group": null, "notes": null, "key_specific_rules": []})
        );
        assert!(made.probes.ends_with(b"}\n"));

        // An upgrade of what is upgraded changes no byte.
        made.write(&made.own_folder(&workspace), true).unwrap();
        assert_eq!(upgrade_registry(&workspace, &id()).unwrap(), made);
        assert_eq!(fs::read_dir(folder.path().join("registries/old")).unwrap().count(), 2, "a temporary file was left");
    }

    #[test]
    fn a_shortened_registry_says_the_same_in_less() {
        let (_folder, workspace) = workspace(&old_probes(), &old_profiles());
        let made = upgrade_registry(&workspace, &id()).unwrap();
        let short = made.clone().shortened().unwrap();
        let probes: Value = json::parse(&short.probes).unwrap();
        assert_eq!(
            probes["probes"]["b"],
            json!({"name": "read", "operation": "file-read*", "target": "/etc/hosts", "expected": "allow", "filter_name": "path"})
        );
        assert_eq!(probes["probes"]["a"]["supports_lanes"], json!({"oracle": false}));
        let said = |bytes: &[u8]| -> Vec<ProbeEntry> {
            let file: ProbesFile = serde_json::from_slice(bytes).unwrap();
            file.probes.values().map(|probe| probe.written_out()).collect()
        };
        assert_eq!(said(&short.probes), said(&made.probes));
        assert_eq!(short.clone().shortened().unwrap(), short);
        // What an upgrade of it writes out again is what it was.
        short.write(&short.own_folder(&workspace), true).unwrap();
        let again: Value = json::parse(&upgrade_registry(&workspace, &id()).unwrap().probes).unwrap();
        assert_eq!(again["probes"]["a"]["expected_predicates"], json!(["com.apple.x"]));
    }

    #[test]
    fn everything_wrong_in_both_documents_is_said_at_once() {
        let mut probes = old_probes();
        probes["probes"]["a"]["expected"] = json!("maybe");
        probes["probes"]["b"].as_object_mut().unwrap().remove("target");
        let mut profiles = old_profiles();
        profiles["profiles"]["p"]["colour"] = json!(1);
        let (_folder, workspace) = workspace(&probes, &profiles);
        let text = upgrade_registry(&workspace, &id()).unwrap_err().to_string();
        for wanted in ["/probes/a/expected", "`target` is missing", "`colour` is unknown"] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
    }

    #[test]
    fn other_formats_and_wrong_ids_are_refused() {
        for (key, value, wanted) in [
            ("schema_version", json!("runtime-tools.probe_registry.v0.3"), "can be upgraded"),
            ("schema_version", json!(2), "can be upgraded"),
            ("registry_id", json!("other"), "is used as `old`"),
            ("registry_id", json!(7), "where the type is string"),
            ("world_id", Value::Null, "where the type is string"),
            ("probes", json!([]), "where the type is object"),
        ] {
            let mut probes = old_probes();
            probes[key] = value;
            let (_folder, workspace) = workspace(&probes, &old_profiles());
            let text = upgrade_registry(&workspace, &id()).unwrap_err().to_string();
            assert!(text.contains(wanted), "{key}: {text}");
        }
    }

    #[test]
    fn nothing_that_exists_is_touched_unasked() {
        let (folder, workspace) = workspace(&old_probes(), &old_profiles());
        let made = upgrade_registry(&workspace, &id()).unwrap();
        let own = made.own_folder(&workspace);
        let before = fs::read(own.join("probes.json")).unwrap();
        assert!(matches!(made.write(&own, false), Err(UpgradeError::Exists { .. })));
        assert_eq!(fs::read(own.join("probes.json")).unwrap(), before);

        let other = folder.path().join("new");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("profiles.json"), "mine").unwrap();
        assert!(matches!(made.write(&other, false), Err(UpgradeError::Exists { .. })));
        assert_eq!(fs::read_dir(&other).unwrap().count(), 1);
        assert_eq!(fs::read(other.join("profiles.json")).unwrap(), b"mine");

        fs::remove_file(other.join("profiles.json")).unwrap();
        made.write(&other, false).unwrap();
        assert_eq!(fs::read(other.join("probes.json")).unwrap(), made.probes);
        assert_eq!(fs::read(other.join("profiles.json")).unwrap(), made.profiles);
        assert_eq!(fs::read_dir(&other).unwrap().count(), 2, "a temporary file was left");
    }
}
