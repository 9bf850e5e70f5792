//! The document of the world that a plan declares: from the workspace, or one of those that this program carries.

use super::carried_worlds::carried_worlds;
use super::diagnostic::{DiagnosticKind, Diagnostics, has_errors};
use super::error::LoadError;
use super::read::{DocumentReader, refused};
use super::resolved::ResolvedWorld;
use super::schema::DocumentKind;
use super::source::{DocumentSource, Workspace};
use crate::base::ids::WorldId;
use crate::base::suggest::hint_for;
use crate::record::layout::WORLDS_FOLDER;
use crate::record::sources::InputRole;
use crate::record::world::{HOME_WORLD, WorldFile};

/// Whether an id has the form of those that `document` derives from a host's facts.
pub fn has_derived_form(document: &WorldFile, id: &str) -> bool {
    let id = id.to_ascii_lowercase();
    let Some(os) = document.match_facts.get("os").filter(|_| !document.derive_id.is_empty()) else { return false };
    let named = id.strip_prefix(os.as_str()).is_some_and(|rest| rest.starts_with('-'));
    let landlock = !document.derive_id.iter().any(|name| name == "landlock_abi") || id.contains("-landlock-");
    let digits = |end: &str| end.len() == 8 && end.bytes().all(|byte| byte.is_ascii_hexdigit());
    named && landlock && id.rsplit('-').next().is_some_and(digits)
}

/// In what a workspace's own document of the world `id` says what this program says otherwise; nothing if in nothing.
/// The gates ask the same of the finished run (`world_redefined`).
fn redefines(id: &str, document: &WorldFile, bytes: &[u8]) -> Option<String> {
    carried_worlds().find_map(|(carried, text)| {
        if carried == id {
            return (text.as_bytes() != bytes)
                .then(|| format!("the document differs from the one that sandproof carries for the world `{id}`"));
        }
        if carried.eq_ignore_ascii_case(id) {
            return Some(format!("the id `{id}` differs from that of the carried world `{carried}` in case alone"));
        }
        let deriving: WorldFile = serde_json::from_str(text).ok()?;
        (document.derive_id.is_empty() && has_derived_form(&deriving, id)).then(|| {
            format!("the id `{id}` has the form of those that the carried world `{carried}` derives from a host")
        })
    })
}

/// Where the document of a world lies, relative to the root; `None` for an id that cannot be a file's name.
pub(super) fn path_of(id: &str) -> Option<String> {
    /// Longest name of a file on the usual file systems, less the ending.
    const MAX_NAME_BYTES: usize = 250;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
    let named = id.len() <= MAX_NAME_BYTES && !id.starts_with(['.', '-']) && id.chars().all(plain);
    named.then(|| format!("{WORLDS_FOLDER}/{id}.json"))
}

/// Reads the document of the declared world. That there is none is a warning: the run is labelled and not promotable.
pub(super) fn read(
    reader: &mut DocumentReader<'_>,
    declared: Option<&WorldId>,
    notes: &mut Diagnostics<'_>,
) -> Result<Option<ResolvedWorld>, LoadError> {
    let id = declared.map_or(HOME_WORLD, WorldId::as_str);
    let source = reader.source();
    let Some(path) = path_of(id).filter(|path| source.has(InputRole::World, path)) else {
        let known = source.worlds();
        let otherwise = format!("describe it in `{WORLDS_FOLDER}/`, or declare one of {}", known.join(", "));
        notes.warning(
            DiagnosticKind::WorldUnknown,
            "/world_id",
            format!("the world `{}` is unknown, so no run of the plan can be promoted", super::diagnostic::shown(id)),
            hint_for(id, known.iter().map(String::as_str), &otherwise),
        );
        return Ok(None);
    };
    let value: WorldFile = reader.typed(DocumentKind::World, InputRole::World, &path)?;
    if value.world_id.as_str() != id {
        Diagnostics { list: notes.list, file: &path, subject: id }.error(
            DiagnosticKind::IdMismatch,
            "/world_id",
            format!("the document says that it is world `{}`, and is named after `{id}`", value.world_id),
            "make the name of the file and the id agree",
        );
    }
    let bytes = reader.bytes(InputRole::World, &path, crate::base::limits::MAX_INPUT_DOCUMENT_BYTES);
    let bytes = bytes.map_err(|source| LoadError::Read { what: "world", file: path.clone(), source })?;
    if let Some(how) = redefines(id, &value, &bytes) {
        Diagnostics { list: notes.list, file: &path, subject: id }.warning(
            DiagnosticKind::WorldRedefined,
            "/world_id",
            format!("{how}, so a run of the plan may not be promoted (`world_redefined`)"),
            "give the world an id of its own, or remove the document",
        );
    }
    Ok(Some(ResolvedWorld { digest: bytes.digest(), value }))
}

/// Every world that a workspace describes or that this program carries, by id. One that cannot be read is an error.
pub fn known(workspace: &Workspace) -> Result<Vec<ResolvedWorld>, LoadError> {
    let mut known = Vec::new();
    for id in workspace.worlds() {
        let mut notes = Vec::new();
        let Ok(id) = WorldId::new(id) else { continue };
        let mut on_folder = Diagnostics { list: &mut notes, file: WORLDS_FOLDER, subject: id.as_str() };
        known.extend(read(&mut DocumentReader::new(workspace), Some(&id), &mut on_folder)?);
        if has_errors(&notes) {
            return Err(refused(notes).located(workspace));
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::super::carried_worlds::{carried, carried_ids};
    use super::*;
    use crate::base::json;

    #[test]
    fn the_carried_worlds_are_what_they_say() {
        assert!(carried_ids().is_sorted());
        for (id, text) in carried_worlds() {
            let value = json::parse(text.as_bytes()).unwrap();
            assert!(DocumentKind::World.accepts(&value), "{id}");
            let file: WorldFile = serde_json::from_value(value).unwrap();
            assert_eq!(file.world_id.as_str(), id);
            assert_eq!(carried(&path_of(id).unwrap()), Some(text));
        }
        assert!(carried_ids().any(|id| id == HOME_WORLD));
    }

    #[test]
    fn the_two_labels_of_the_home_host_have_the_same_rules() {
        let file = |id: &str| -> WorldFile { serde_json::from_str(carried(&path_of(id).unwrap()).unwrap()).unwrap() };
        let (one, two) = (file(HOME_WORLD), file("sonoma-14.4.1-23E224-arm64-dyld-a3a840f9"));
        assert_eq!((one.match_facts, one.clean_channels), (two.match_facts, two.clean_channels));
    }

    #[test]
    fn an_id_that_cannot_name_a_file_has_no_document() {
        for id in ["../x", "a/b", ".hidden", "-x", "a b", "\u{e9}", &"x".repeat(300)] {
            assert_eq!(path_of(id), None, "{id}");
        }
        assert_eq!(path_of("a..b").as_deref(), Some("registries/worlds/a..b.json"));
        assert_eq!(carried("registries/worlds/none.json"), None);
    }
}
