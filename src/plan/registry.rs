//! Finds a registry and reads its two documents.

use super::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, pointer_part};
use super::error::LoadError;
use super::file::{IndexEntry, IndexFile, ProbesFile, ProfilesFile};
use super::paths::{OWN_PROBES_PATH, OWN_PROFILES_PATH, clean_path};
use super::read::DocumentReader;
use super::schema::DocumentKind;
use super::source::index_path;
use crate::base::ids::RegistryId;
use crate::base::suggest::hint_for;
use crate::record::sources::InputRole;

/// The two documents of a registry.
pub(super) struct Registry {
    pub(super) probes_path: String,
    pub(super) profiles_path: String,
    pub(super) probes: ProbesFile,
    pub(super) profiles: ProfilesFile,
}

/// Where the documents of a registry lie: by the index, or beside the plan that asks for it. `asked_by` is the document
/// and the place in it that name the registry.
pub(super) fn find_registry(
    reader: &mut DocumentReader<'_>,
    id: &RegistryId,
    asked_by: (&str, &str),
    notes: &mut Vec<Diagnostic>,
) -> Result<Option<(String, String)>, LoadError> {
    let (file, pointer) = asked_by;
    let index_path = index_path(reader.source());
    let beside = beside(reader, file);
    if !reader.source().has(InputRole::Index, index_path)
        && let Some(beside) = beside
    {
        return Ok(Some(beside));
    }
    let index: IndexFile = reader.typed(DocumentKind::RegistryIndex, InputRole::Index, index_path)?;
    let mut matching = index.registries.iter().filter(|entry| entry.id == *id);
    let Some(entry) = matching.next() else {
        if beside.is_some() {
            return Ok(beside);
        }
        let known = index.registries.iter().map(|entry| entry.id.as_str());
        Diagnostics { list: notes, file, subject: id.as_str() }.error(
            DiagnosticKind::Registry,
            pointer,
            format!("there is no registry `{id}` in `{index_path}`"),
            hint_for(id.as_str(), known, "add it to the index, or correct the id"),
        );
        return Ok(None);
    };
    let mut notes = Diagnostics { list: notes, file: index_path, subject: id.as_str() };
    if matching.next().is_some() {
        let message = format!("the registry `{id}` is listed twice in the index");
        notes.error(DiagnosticKind::Registry, "/registries", message, "remove one");
    }
    let place = index.registries.iter().position(|other| std::ptr::eq(other, entry)).unwrap_or_default();
    Ok(entry_paths(entry, place, &mut notes))
}

/// The registry in the folder `registry/` beside the document `file`, if there is one.
fn beside(reader: &DocumentReader<'_>, file: &str) -> Option<(String, String)> {
    let folder = file.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let (probes, profiles) = (format!("{folder}{OWN_PROBES_PATH}"), format!("{folder}{OWN_PROFILES_PATH}"));
    reader.source().has(InputRole::Probes, &probes).then_some((probes, profiles))
}

/// The clean paths of an index entry's two documents.
pub(super) fn entry_paths(entry: &IndexEntry, place: usize, notes: &mut Diagnostics<'_>) -> Option<(String, String)> {
    let mut clean = |key: &str, text: &str| match clean_path(text) {
        Ok(path) => Some(path),
        Err(reason) => {
            let message = format!("`{}` cannot name a document: {reason}", super::diagnostic::shown(text));
            let remedy = "write it relative to the root";
            notes.error(DiagnosticKind::BadPath, format!("/registries/{place}/{key}"), message, remedy);
            None
        }
    };
    let (probes, profiles) = (clean("probes", &entry.probes), clean("profiles", &entry.profiles));
    Some((probes?, profiles?))
}

/// Reads a registry and checks what its documents say about themselves.
pub(super) fn read_registry(
    reader: &mut DocumentReader<'_>,
    id: &RegistryId,
    paths: (String, String),
    notes: &mut Vec<Diagnostic>,
) -> Result<Registry, LoadError> {
    read_registry_for(reader, id, paths, notes, |_, registry, _| Ok(registry))
}

/// What `go_on` makes of a registry; see [`DocumentReader::typed_for`].
pub(super) fn read_registry_for<M>(
    reader: &mut DocumentReader<'_>,
    id: &RegistryId,
    (probes_path, profiles_path): (String, String),
    notes: &mut Vec<Diagnostic>,
    go_on: impl FnOnce(&mut DocumentReader<'_>, Registry, &mut Vec<Diagnostic>) -> Result<M, LoadError>,
) -> Result<M, LoadError> {
    let path = probes_path.clone();
    reader.typed_for(DocumentKind::ProbeRegistry, InputRole::Probes, &path, "probes", |reader, probes: ProbesFile| {
        let profiles: ProfilesFile =
            reader.typed(DocumentKind::ProfileRegistry, InputRole::Profiles, &profiles_path)?;
        let registry = Registry { probes_path, profiles_path, probes, profiles };
        check_registry(id, &registry, notes);
        go_on(reader, registry, notes)
    })
}

fn check_registry(id: &RegistryId, registry: &Registry, notes: &mut Vec<Diagnostic>) {
    let Registry { probes_path, profiles_path, probes, profiles } = registry;
    for (file, found) in [(probes_path, &probes.registry_id), (profiles_path, &profiles.registry_id)] {
        if found != id {
            Diagnostics { list: notes, file, subject: id.as_str() }.error(
                DiagnosticKind::IdMismatch,
                "/registry_id",
                format!("the document is of the registry `{found}`, but is used as `{id}`"),
                "correct the id: here, in the plan or in the index",
            );
        }
    }
    for (key, entry) in probes.probes.iter().filter(|(key, entry)| **key != entry.probe_id) {
        let message = format!("the probe has the id `{}`, but stands under the key `{key}`", entry.probe_id);
        let pointer = format!("/probes/{}/probe_id", pointer_part(key.as_str()));
        let mut notes = Diagnostics { list: notes, file: probes_path, subject: key.as_str() };
        notes.error(DiagnosticKind::IdMismatch, pointer, message, "make them equal");
    }
    for (key, entry) in profiles.profiles.iter().filter(|(key, entry)| **key != entry.profile_id) {
        let message = format!("the profile has the id `{}`, but stands under the key `{key}`", entry.profile_id);
        let pointer = format!("/profiles/{}/profile_id", pointer_part(key.as_str()));
        let mut notes = Diagnostics { list: notes, file: profiles_path, subject: key.as_str() };
        notes.error(DiagnosticKind::IdMismatch, pointer, message, "make them equal");
    }
    if probes.world_id != profiles.world_id {
        Diagnostics { list: notes, file: profiles_path, subject: id.as_str() }.warning(
            DiagnosticKind::WorldMismatch,
            "/world_id",
            format!("the profiles are written for world `{}`, the probes for `{}`", profiles.world_id, probes.world_id),
            "make them agree",
        );
    }
}
