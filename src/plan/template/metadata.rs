//! The metadata builder: metadata calls on the two spellings of some paths.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::diagnostic::{DiagnosticKind, Diagnostics, pointer_part, shown};
use super::document::{Ordered, check_keys};
use super::expand::{ExpandedDocuments, ExpandingTemplate, ProbeFields, ProfileFields, ProfileTexts};
use super::policies::CarriedKeys;
use crate::base::ids::ProfileId;
use crate::policy::PolicyMode;
use crate::record::outcome::Decision;

const READ: &str = "file-read-metadata";
const WRITE: &str = "file-write*";
const PROFILE_KEYS: &[&str] =
    &["sbpl", "allowed_sets", "mode", "family", "semantic_group", "key_specific_rules", "notes", "parameters"];

/// Its own part of a template.
#[derive(Deserialize)]
pub(super) struct MetadataBody {
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

/// A profile of one.
#[derive(Deserialize)]
pub(super) struct MetadataProfile {
    #[serde(flatten)]
    texts: ProfileTexts,
    #[serde(default)]
    allowed_sets: Vec<String>,
    mode: Option<PolicyMode>,
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

impl ExpandingTemplate for MetadataBody {
    type Profile = MetadataProfile;
    const LANES: [bool; 3] = [true, true, false];

    fn check_keys(value: &Value, notes: &mut Diagnostics<'_>) {
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
    }

    fn profiles(&self) -> (&Ordered<MetadataProfile>, Option<&[String]>) {
        (&self.profiles, self.profile_order.as_deref())
    }

    fn profile_fields(
        &self,
        name: &str,
        profile: &MetadataProfile,
        own: &CarriedKeys,
        _documents: &mut ExpandedDocuments<'_>,
        notes: &mut Diagnostics<'_>,
    ) -> ProfileFields {
        for (n, set) in profile.allowed_sets.iter().enumerate().filter(|(_, set)| !SETS.contains(&set.as_str())) {
            let remedy = notes.hint(set, SETS, &format!("known are {}", SETS.join(", ")));
            let pointer = format!("/profiles/{}/allowed_sets/{n}", pointer_part(name));
            notes.error(DiagnosticKind::BadValue, pointer, format!("there is no path set `{}`", shown(set)), remedy);
        }
        profile.texts.fields(profile.mode.unwrap_or(PolicyMode::Sbpl), own)
    }

    fn add_probes(
        &self,
        _name: &str,
        profile: &MetadataProfile,
        id: &ProfileId,
        documents: &mut ExpandedDocuments<'_>,
        notes: &mut Diagnostics<'_>,
    ) {
        let paths: Vec<(&str, bool)> = self
            .path_pairs
            .iter()
            .flat_map(|(alias, canonical)| [(alias.as_str(), true), (canonical.as_str(), false)])
            .collect();
        for (operation, prefix) in [(READ, "readmeta"), (WRITE, "writemeta")] {
            let Some(calls) = self.ops.get(operation) else { continue };
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
                    documents.probe(id, fields, expected, notes);
                }
            }
        }
    }
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
