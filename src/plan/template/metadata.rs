//! The metadata builder: metadata calls on the two spellings of some paths.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::diagnostic::{DiagnosticKind, Diagnostics, pointer_part, shown};
use super::document::{BuilderContext, Ordered, body, check_keys};
use super::expand::{Expanded, ExpandedDocuments, ProbeFields, ProfileFields, in_order};
use super::policies::{CarriedKeys, carried};
use crate::policy::PolicyMode;
use crate::record::outcome::Decision;

const READ: &str = "file-read-metadata";
const WRITE: &str = "file-write*";
const PROFILE_KEYS: &[&str] =
    &["sbpl", "allowed_sets", "mode", "family", "semantic_group", "key_specific_rules", "notes", "parameters"];

#[derive(Deserialize)]
struct MetadataBody {
    path_pairs: Vec<(String, String)>,
    ops: BTreeMap<String, MetadataCalls>,
    profiles: Ordered<MetadataProfile>,
    profile_order: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
struct MetadataCalls {
    #[serde(default)]
    syscalls: Vec<String>,
    #[serde(default)]
    attr_payloads: Vec<String>,
    #[serde(default)]
    attr_payload_syscalls: Vec<String>,
}

#[derive(Deserialize)]
struct MetadataProfile {
    sbpl: String,
    #[serde(default)]
    allowed_sets: Vec<String>,
    mode: Option<PolicyMode>,
    family: Option<String>,
    semantic_group: Option<String>,
    #[serde(default)]
    key_specific_rules: Vec<String>,
    notes: Option<String>,
    parameters: Option<BTreeMap<String, String>>,
}

/// The sets that `allowed_sets` knows.
pub(super) const SETS: [&str; 5] = ["alias", "alias_tmp", "alias_var", "canonical", "all"];

/// Whether a path, the alias or the canonical one of its pair, is in a set.
fn is_in(set: &str, path: &str, alias: bool) -> bool {
    match set {
        "alias" => alias,
        "alias_tmp" => alias && path.starts_with("/tmp/"),
        "alias_var" => alias && path.starts_with("/var/tmp"),
        "canonical" => !alias,
        _ => true,
    }
}

/// Builds one.
pub(super) fn expand(
    head: &BuilderContext,
    text: &str,
    value: &Value,
    notes: &mut Diagnostics<'_>,
) -> Option<Expanded> {
    for (name, profile) in value.get("profiles").and_then(Value::as_object).into_iter().flatten() {
        check_keys(profile, &format!("/profiles/{}", pointer_part(name)), PROFILE_KEYS, notes);
    }
    if let Some(ops) = value.get("ops") {
        check_keys(ops, "/ops", &[READ, WRITE], notes);
        for (key, known) in
            [(READ, &["syscalls", "attr_payloads", "attr_payload_syscalls"][..]), (WRITE, &["syscalls"][..])]
        {
            if let Some(calls) = ops.get(key) {
                check_keys(calls, &format!("/ops/{key}"), known, notes);
            } else {
                notes.error(
                    DiagnosticKind::MissingKey,
                    "/ops",
                    format!("the key `{key}` is missing"),
                    format!("add `{key}`"),
                );
            }
        }
    }
    let (body, own): (MetadataBody, CarriedKeys) = (body(text, notes)?, body(text, notes)?);
    let mut growing = ExpandedDocuments::new(head, [true, true, false]);
    for (path, content) in carried(&own.policies, notes) {
        growing.policy(&path, content);
    }
    let paths: Vec<(&str, bool)> = body
        .path_pairs
        .iter()
        .flat_map(|(alias, canonical)| [(alias.as_str(), true), (canonical.as_str(), false)])
        .collect();
    for (name, profile) in in_order(&body.profiles, body.profile_order.as_deref(), notes) {
        for (n, set) in profile.allowed_sets.iter().enumerate().filter(|(_, set)| !SETS.contains(&set.as_str())) {
            let remedy = notes.hint(set, SETS, &format!("known are {}", SETS.join(", ")));
            let pointer = format!("/profiles/{}/allowed_sets/{n}", pointer_part(name));
            notes.error(DiagnosticKind::BadValue, pointer, format!("there is no path set `{}`", shown(set)), remedy);
        }
        let fields = ProfileFields {
            path: profile.sbpl.clone(),
            mode: profile.mode.unwrap_or(PolicyMode::Sbpl),
            family: profile.family.clone(),
            semantic_group: profile.semantic_group.clone(),
            key_specific_rules: profile.key_specific_rules.clone(),
            notes: profile.notes.clone(),
            parameters: profile.parameters.clone().unwrap_or_else(|| own.parameters.clone()),
            fixtures: own.fixtures.clone(),
        };
        let Some(id) = growing.profile(name, fields, notes) else { continue };
        for (operation, prefix) in [(READ, "readmeta"), (WRITE, "writemeta")] {
            let Some(calls) = body.ops.get(operation) else { continue };
            for (path, alias) in &paths {
                let allowed = profile.allowed_sets.iter().any(|set| is_in(set, path, *alias));
                let expected = if allowed { Decision::Allow } else { Decision::Deny };
                for (syscall, payload) in calls.each() {
                    let with = payload.map_or(String::new(), |payload| format!("_{payload}"));
                    let fields = ProbeFields {
                        name: format!("{prefix}_{syscall}{with}_{path}"),
                        operation,
                        target: path,
                        driver: Some("metadata_runner"),
                        syscall: Some(syscall),
                        attr_payload: payload,
                        ..ProbeFields::default()
                    };
                    growing.probe(&id, fields, expected, notes);
                }
            }
        }
    }
    Some(growing.finish())
}

impl MetadataCalls {
    /// Every call: by itself, or once with each payload.
    fn each(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.syscalls.iter().flat_map(|syscall| {
            let with_payloads = self.attr_payload_syscalls.contains(syscall) && !self.attr_payloads.is_empty();
            let payloads: Vec<Option<&str>> = if with_payloads {
                self.attr_payloads.iter().map(|one| Some(one.as_str())).collect()
            } else {
                vec![None]
            };
            payloads.into_iter().map(move |payload| (syscall.as_str(), payload))
        })
    }
}
