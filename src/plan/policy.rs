//! Reads the policy documents that profiles name.

use std::collections::HashMap;
use std::sync::Arc;

use super::note::{NoteKind, Notes};
use super::read::{Reader, typed};
use super::resolved::ResolvedPolicy;
use super::schema::DocumentKind;
use super::source::clean_path;
use super::text::unknown_placeholder;
use crate::base::json;
use crate::base::limits::MAX_POLICY_BYTES;
use crate::policy::landlock::{LandlockPolicy, PolicyDocument};
use crate::policy::{PolicyMode, PolicyValue};
use crate::record::sources::InputRole;

/// Policies that were read already, by path and mode; `None` for one that was refused, so that it is refused once.
pub(super) type Known = HashMap<(String, PolicyMode), Option<ResolvedPolicy>>;

/// Reads the policy `spelled`, which stands at `pointer` of the document that `notes` is about.
///
/// `tolerate_absent` makes a system profile that is not on this host a warning: a lint on Linux reads plans for macOS.
pub(super) fn read(
    reader: &mut Reader<'_>,
    known: &mut Known,
    spelled: &str,
    mode: PolicyMode,
    pointer: &str,
    tolerate_absent: bool,
    notes: &mut Notes<'_>,
) -> Option<ResolvedPolicy> {
    let path = match clean_path(spelled) {
        Ok(path) => path,
        Err(reason) => {
            let message = format!("`{}` cannot name a policy document: {reason}", super::note::shown(spelled));
            notes.error(NoteKind::BadPath, pointer, message, "write it relative to the root, or absolute");
            return None;
        }
    };
    let key = (path, mode);
    if let Some(policy) = known.get(&key) {
        return policy.clone();
    }
    let path = key.0.as_str();
    let policy = if reader.source().has(InputRole::Policy, path) {
        read_present(reader, path, mode, pointer, notes)
    } else {
        let message = format!("the policy document `{path}` does not exist");
        if tolerate_absent && mode != PolicyMode::Landlock && path.starts_with('/') {
            let remedy = "check it on a host that has this system profile";
            notes.warning(NoteKind::PolicyMissing, pointer, message, remedy);
        } else {
            notes.error(NoteKind::PolicyMissing, pointer, message, "create it, or correct the path");
        }
        None
    };
    known.insert(key, policy.clone());
    policy
}

fn read_present(
    reader: &mut Reader<'_>,
    path: &str,
    mode: PolicyMode,
    pointer: &str,
    notes: &mut Notes<'_>,
) -> Option<ResolvedPolicy> {
    let (bytes, digest) = match reader.bytes(InputRole::Policy, path, MAX_POLICY_BYTES) {
        Ok(read) => read,
        Err(error) => {
            let message = format!("the policy document `{path}` cannot be read: {}", error.source);
            notes.error(
                NoteKind::Unreadable,
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
                NoteKind::PolicyRefused,
                pointer,
                format!("the compiled policy `{path}` is empty"),
                "compile it",
            );
            return None;
        }
        PolicyMode::Blob => PolicyValue::Blob(bytes.to_vec()),
        PolicyMode::Sbpl => match std::str::from_utf8(&bytes) {
            Ok(text) => PolicyValue::Sbpl(text.to_owned()),
            Err(_) => {
                let message = format!("the policy text `{path}` is not UTF-8");
                let remedy = "correct it, or make the profile's mode `blob` if it is compiled";
                notes.error(NoteKind::PolicyRefused, pointer, message, remedy);
                return None;
            }
        },
        PolicyMode::Landlock => {
            let mut inside = Notes { list: notes.list, file: path, subject: notes.subject };
            PolicyValue::Landlock(landlock(&bytes, path, &mut inside)?)
        }
    };
    Some(ResolvedPolicy { path: path.to_owned(), digest, value: Arc::new(value) })
}

/// Reads a Landlock policy document.
fn landlock(bytes: &[u8], path: &str, notes: &mut Notes<'_>) -> Option<LandlockPolicy> {
    let value = match json::parse(bytes) {
        Ok(value) => value,
        Err(error) => {
            notes.error(NoteKind::Json, "", format!("not acceptable JSON: {error}"), "correct the text");
            return None;
        }
    };
    if !DocumentKind::LandlockPolicy.check(&value, notes) {
        return None;
    }
    let document: PolicyDocument = match typed(value, path, "") {
        Ok(document) => document,
        Err(error) => {
            notes.list.extend(error.into_notes());
            return None;
        }
    };
    let texts = document
        .path_beneath
        .iter()
        .enumerate()
        .map(|(n, rule)| (format!("/path_beneath/{n}/path"), &rule.path))
        .chain(document.net_port.iter().enumerate().map(|(n, rule)| (format!("/net_port/{n}/port"), &rule.port)));
    let before = notes.list.len();
    for (pointer, text) in texts {
        if let Some(unknown) = unknown_placeholder(text) {
            let message = format!("the placeholder `{}` does not exist", super::note::shown(&unknown));
            notes.error(NoteKind::Placeholder, pointer, message, "known are `${root}`, `${port.NAME}`, `${name.NAME}`");
        }
    }
    match LandlockPolicy::compile(&document) {
        Ok(policy) if notes.list.len() == before => Some(policy),
        Ok(_) => None,
        Err(errors) => {
            for error in errors {
                notes.error(NoteKind::PolicyRefused, error.pointer, error.message, "");
            }
            None
        }
    }
}
