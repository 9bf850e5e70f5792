//! Reads the policy documents that profiles name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::diagnostic::{DiagnosticKind, Diagnostics, pointer_part, shown};
use super::file::ProfileEntry;
use super::paths::{clean_path, clean_policy_path};
use super::read::{DocumentReader, typed};
use super::resolved::ResolvedPolicy;
use super::schema::DocumentKind;
use super::text_place::TextPlace;
use crate::base::json;
use crate::base::limits::MAX_POLICY_BYTES;
use crate::base::placeholder;
use crate::policy::landlock::{LandlockPolicy, PolicyDocument};
use crate::policy::launcher::LauncherDocument;
use crate::policy::sbpl::{self, Imports, SbplError, SbplPolicy};
use crate::policy::{PolicyMode, PolicyValue};
use crate::record::driver::Platform;
use crate::record::sources::InputRole;

/// Policies that were read already, by path, mode and what they were supplied with; `None` for one that was refused, so that it is
/// refused once.
pub(super) type PolicyCache = HashMap<(String, PolicyMode, Supplied), Option<ResolvedPolicy>>;

/// What a Seatbelt text is supplied with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Supplied {
    /// Values of its parameters.
    pub(super) parameters: BTreeMap<String, String>,
    /// The folder that its imports are looked for in.
    pub(super) import_dir: Option<String>,
}

/// Reads the policy of a profile whose entry stands at `base` of the document that `notes` is about: its document, with
/// the profile's own parameters and rules.
pub(super) fn read_profile(
    reader: &mut DocumentReader<'_>,
    known: &mut PolicyCache,
    entry: &ProfileEntry,
    base: &str,
    tolerate_absent: bool,
    notes: &mut Diagnostics<'_>,
) -> Option<ResolvedPolicy> {
    let before = notes.list.len();
    for (key, text) in &entry.parameters {
        let pointer = format!("{base}/parameters/{}", pointer_part(key));
        if !entry.mode.info().takes_supplements {
            let message = format!("a {} policy takes no parameters", entry.mode.as_str());
            notes.error(DiagnosticKind::Parameter, pointer, message, "remove it, or make the profile's mode `sbpl`");
        } else {
            check_placeholders(text, pointer, notes);
        }
    }
    let import_dir = match entry.import_dir.as_deref().map(clean_path).transpose() {
        Ok(_) if entry.import_dir.is_some() && !entry.mode.info().takes_supplements => {
            let message = format!("a {} policy imports nothing", entry.mode.as_str());
            notes.error(DiagnosticKind::Parameter, format!("{base}/import_dir"), message, "remove it");
            None
        }
        Ok(folder) => folder,
        Err(reason) => {
            let message = format!("`import_dir` cannot name a folder: {reason}");
            let remedy = "write it relative to the root, or absolute";
            notes.error(DiagnosticKind::BadPath, format!("{base}/import_dir"), message, remedy);
            None
        }
    };
    if notes.list.len() > before {
        return None;
    }
    let pointer = format!("{base}/profile_path");
    let spelled = &entry.profile_path;
    let supplied = Supplied { parameters: entry.parameters.clone(), import_dir };
    let folder = supplied.import_dir.clone();
    let policy = read(reader, known, spelled, entry.mode, supplied, &pointer, tolerate_absent, notes)?;
    let PolicyValue::Sbpl(profile) = policy.value.as_ref() else { return Some(policy) };
    if entry.key_specific_rules.is_empty() {
        return Some(policy);
    }
    let rules = entry.key_specific_rules.join("\n");
    // A fault of the rules is found below, with its place in them.
    let imports = match (folder.as_deref(), sbpl::parse(&rules)) {
        (Some(folder), Ok(program)) => gathered(reader, folder, &program, &format!("{base}/import_dir"), notes)?,
        _ => Imports::default(),
    };
    match profile.with_rules_and(&entry.key_specific_rules, imports) {
        Ok(whole) => Some(ResolvedPolicy { value: Arc::new(PolicyValue::Sbpl(whole)), ..policy }),
        Err(refused) => {
            let pointer = match refused.rule {
                Some(n) => format!("{base}/key_specific_rules/{n}"),
                None => format!("{base}/key_specific_rules"),
            };
            let message = format!("at {} of the rule, {}", refused.error.place, told(&refused.error));
            notes.error(DiagnosticKind::PolicyRefused, pointer, message, refused.error.fault.remedy());
            None
        }
    }
}

/// A fault and the line that it stands in.
fn told(error: &SbplError) -> String {
    format!("{}, in `{}`", error.fault, error.line.trim())
}

/// Reads the policy `spelled`, which stands at `pointer` of the document that `notes` is about.
///
/// `tolerate_absent` makes a system profile that is not on this host a warning: a lint on Linux reads plans for macOS.
#[allow(clippy::too_many_arguments, reason = "one call site reads a profile's policy, one the preflight's")]
pub(super) fn read(
    reader: &mut DocumentReader<'_>,
    known: &mut PolicyCache,
    spelled: &str,
    mode: PolicyMode,
    supplied: Supplied,
    pointer: &str,
    tolerate_absent: bool,
    notes: &mut Diagnostics<'_>,
) -> Option<ResolvedPolicy> {
    let path = match clean_policy_path(spelled) {
        Ok(path) => path,
        Err(reason) => {
            let message = format!("`{}` cannot name a policy document: {reason}", shown(spelled));
            notes.error(DiagnosticKind::BadPath, pointer, message, "write it relative to the root, or absolute");
            return None;
        }
    };
    let key = (path, mode, supplied);
    if let Some(policy) = known.get(&key) {
        return policy.clone();
    }
    let path = key.0.as_str();
    let policy = if reader.source().has(InputRole::Policy, path) {
        read_present(reader, path, mode, &key.2, pointer, notes)
    } else {
        let message = format!("the policy document `{path}` does not exist");
        if tolerate_absent && mode.enforcer().platform() == Some(Platform::Macos) && path.starts_with('/') {
            let remedy = "check it on a host that has this system profile";
            notes.warning(DiagnosticKind::PolicyMissing, pointer, message, remedy);
        } else {
            notes.error(DiagnosticKind::PolicyMissing, pointer, message, "create it, or correct the path");
        }
        None
    };
    known.insert(key, policy.clone());
    policy
}

fn read_present(
    reader: &mut DocumentReader<'_>,
    path: &str,
    mode: PolicyMode,
    supplied: &Supplied,
    pointer: &str,
    notes: &mut Diagnostics<'_>,
) -> Option<ResolvedPolicy> {
    let bytes = match reader.bytes(InputRole::Policy, path, MAX_POLICY_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("the policy document `{path}` cannot be read: {}", error.source);
            notes.error(
                DiagnosticKind::Unreadable,
                pointer,
                message,
                "make it a readable regular file within the size limit",
            );
            return None;
        }
    };
    let value = match mode {
        PolicyMode::Blob if bytes.is_empty() => {
            notes.error(
                DiagnosticKind::PolicyRefused,
                pointer,
                format!("the compiled policy `{path}` is empty"),
                "compile it",
            );
            return None;
        }
        PolicyMode::Blob => PolicyValue::Blob(bytes.to_vec()),
        PolicyMode::Sbpl => match std::str::from_utf8(&bytes) {
            Ok(text) => match seatbelt(reader, text, supplied, pointer, notes)? {
                Ok(policy) => PolicyValue::Sbpl(policy),
                Err(error) => {
                    let mut inside = Diagnostics { list: notes.list, file: path, subject: notes.subject };
                    let place = error.place.to_string();
                    inside.error(DiagnosticKind::PolicyRefused, place, error.fault.to_string(), error.fault.remedy());
                    return None;
                }
            },
            Err(_) => {
                let message = format!("the policy text `{path}` is not UTF-8");
                let remedy = "correct it, or make the profile's mode `blob` if it is compiled";
                notes.error(DiagnosticKind::PolicyRefused, pointer, message, remedy);
                return None;
            }
        },
        PolicyMode::Launcher => {
            let mut inside = Diagnostics { list: notes.list, file: path, subject: notes.subject };
            PolicyValue::Launcher(launcher(&bytes, path, &mut inside)?)
        }
        PolicyMode::Landlock => {
            let mut inside = Diagnostics { list: notes.list, file: path, subject: notes.subject };
            PolicyValue::Landlock(landlock(&bytes, path, &mut inside)?)
        }
    };
    Some(ResolvedPolicy { path: path.to_owned(), digest: bytes.digest(), value: Arc::new(value) })
}

/// Reads a Seatbelt text with the files that it imports. An error is one of the text; `None`: of an imported file, which was
/// noted.
fn seatbelt(
    reader: &mut DocumentReader<'_>,
    text: &str,
    supplied: &Supplied,
    pointer: &str,
    notes: &mut Diagnostics<'_>,
) -> Option<Result<SbplPolicy, SbplError>> {
    let Some(folder) = supplied.import_dir.as_deref() else {
        return Some(SbplPolicy::new(text, supplied.parameters.clone()));
    };
    let program = match sbpl::parse(text) {
        Ok(program) => program,
        Err(error) => return Some(Err(error)),
    };
    let imports = gathered(reader, folder, &program, pointer, notes)?;
    Some(SbplPolicy::with_imports(text, supplied.parameters.clone(), imports))
}

/// What a program imports out of `folder`; `None` if that was refused and noted.
fn gathered(
    reader: &mut DocumentReader<'_>,
    folder: &str,
    program: &sbpl::syntax::SbplText,
    pointer: &str,
    notes: &mut Diagnostics<'_>,
) -> Option<Imports> {
    let imports = Imports::gather(program, &mut |name| {
        let path = format!("{folder}/{name}");
        if !reader.source().has(InputRole::Policy, &path) {
            return Ok(None);
        }
        let bytes =
            reader.bytes(InputRole::Policy, &path, MAX_POLICY_BYTES).map_err(|error| error.source.to_string())?;
        String::from_utf8(bytes.to_vec()).map(Some).map_err(|_| "it is not UTF-8".to_owned())
    });
    imports
        .map_err(|error| {
            let remedy = "correct the file, or the folder that imports are looked for in";
            notes.error(DiagnosticKind::PolicyRefused, pointer, error.to_string(), remedy);
        })
        .ok()
}

/// Reads a policy document of JSON in its typed shape.
fn document<T: DeserializeOwned>(
    kind: DocumentKind,
    bytes: &[u8],
    path: &str,
    notes: &mut Diagnostics<'_>,
) -> Option<T> {
    let value = match json::parse(bytes) {
        Ok(value) => value,
        Err(error) => {
            let before = notes.list.len();
            notes.error(DiagnosticKind::Json, "", format!("not acceptable JSON: {error}"), "correct the text");
            if let Some(note) = notes.list.get_mut(before) {
                note.place = TextPlace::of_json(&error);
            }
            return None;
        }
    };
    if !kind.check(&value, notes) {
        return None;
    }
    typed(value, path, "").map_err(|error| notes.list.extend(error.into_notes())).ok()
}

/// Notes the first placeholder in the text at `pointer` that stands for nothing.
fn check_placeholders(text: &str, pointer: String, notes: &mut Diagnostics<'_>) {
    if let Some(unknown) = placeholder::unknown(text) {
        let message = format!("the placeholder `{}` does not exist", shown(unknown));
        let remedy = "known are `${root}`, `${port.NAME}`, `${name.NAME}`";
        notes.error(DiagnosticKind::Placeholder, pointer, message, remedy);
    }
}

/// Reads a Landlock policy document.
fn landlock(bytes: &[u8], path: &str, notes: &mut Diagnostics<'_>) -> Option<LandlockPolicy> {
    let document: PolicyDocument = document(DocumentKind::LandlockPolicy, bytes, path, notes)?;
    let texts = document.layers.iter().enumerate().flat_map(|(n, layer)| {
        let at = document.layer_pointer(n);
        let (here, there) = (at.clone(), at);
        let paths = layer.path_beneath.iter().enumerate();
        let ports = layer.net_port.iter().enumerate();
        let paths = paths.map(move |(n, rule)| (format!("{here}/path_beneath/{n}/path"), &rule.path));
        paths.chain(ports.map(move |(n, rule)| (format!("{there}/net_port/{n}/port"), &rule.port)))
    });
    let before = notes.list.len();
    for (pointer, text) in texts {
        check_placeholders(text, pointer, notes);
    }
    match LandlockPolicy::compile(&document) {
        Ok(policy) if notes.list.len() == before => Some(policy),
        Ok(_) => None,
        Err(errors) => {
            for error in errors {
                notes.error(DiagnosticKind::PolicyRefused, error.pointer, error.message, "");
            }
            None
        }
    }
}

/// Reads a launcher's document.
fn launcher(bytes: &[u8], path: &str, notes: &mut Diagnostics<'_>) -> Option<LauncherDocument> {
    let document: LauncherDocument = document(DocumentKind::Launcher, bytes, path, notes)?;
    let faults = document.faults();
    for fault in &faults {
        notes.error(DiagnosticKind::PolicyRefused, &fault.pointer, &fault.message, &fault.remedy);
    }
    faults.is_empty().then_some(document)
}
