//! The linux builder: path cases, operations and policies (of Landlock, or launchers), each written once.
//!
//! A profile lists the cases that each operation may reach under its policy; every other combination is expected to be
//! refused. The lists are the author's word: lint compares them with the model, a run with the kernel.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::diagnostic::{DiagnosticKind, Diagnostics, pointer_part, shown};
use super::document::{Ordered, check_keys};
use super::expand::{ExpandedDocuments, ExpandingTemplate, ProbeFields, ProfileFields};
use super::policies::{CarriedKeys, document_bytes};
use crate::base::ids::ProfileId;
use crate::policy::PolicyMode;
use crate::policy::launcher::LAUNCHER_SCHEMA;
use crate::record::driver::Driver;
use crate::record::fixture::FixtureEntry;
use crate::record::outcome::Decision;

const OPERATION_KEYS: &[&str] = &["driver", "operation", "to", "attribute", "paths", "capabilities_required"];
const PROFILE_KEYS: &[&str] = &["policy", "operations", "allowed", "family", "semantic_group", "notes", "fixtures"];

/// Its own part of a template.
#[derive(Deserialize)]
pub(super) struct LinuxBody {
    paths: Ordered<String>,
    operations: Ordered<TemplateOperation>,
    profiles: Ordered<LinuxProfile>,
    profile_order: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct TemplateOperation {
    driver: String,
    operation: Option<String>,
    to: Option<String>,
    attribute: Option<String>,
    paths: Option<Vec<String>>,
    #[serde(default)]
    capabilities_required: Vec<String>,
}

/// A profile of one.
#[derive(Deserialize)]
pub(super) struct LinuxProfile {
    policy: Map<String, Value>,
    operations: Option<Vec<String>>,
    #[serde(default)]
    allowed: BTreeMap<String, Vec<String>>,
    family: Option<String>,
    semantic_group: Option<String>,
    notes: Option<String>,
    #[serde(default)]
    fixtures: Vec<FixtureEntry>,
}

impl ExpandingTemplate for LinuxBody {
    type Profile = LinuxProfile;

    fn check_keys(value: &Value, notes: &mut Diagnostics<'_>) {
        for (part, known) in [("operations", OPERATION_KEYS), ("profiles", PROFILE_KEYS)] {
            for (name, entry) in value.get(part).and_then(Value::as_object).into_iter().flatten() {
                check_keys(entry, &format!("/{part}/{}", pointer_part(name)), known, notes);
            }
        }
    }

    fn check_names(&self, notes: &mut Diagnostics<'_>) {
        for (name, operation) in &self.operations.0 {
            let pointer = format!("/operations/{}/paths", pointer_part(name));
            known_names(operation.paths.iter().flatten(), &self.paths, "path case", &pointer, notes);
        }
    }

    fn profiles(&self) -> (&Ordered<LinuxProfile>, Option<&[String]>) {
        (&self.profiles, self.profile_order.as_deref())
    }

    fn profile_fields(
        &self,
        name: &str,
        profile: &LinuxProfile,
        own: &CarriedKeys,
        documents: &mut ExpandedDocuments<'_>,
        notes: &mut Diagnostics<'_>,
    ) -> ProfileFields {
        let pointer = format!("/profiles/{}", pointer_part(name));
        known_names(
            profile.operations.iter().flatten(),
            &self.operations,
            "operation",
            &format!("{pointer}/operations"),
            notes,
        );
        known_names(profile.allowed.keys(), &self.operations, "operation", &format!("{pointer}/allowed"), notes);
        let path = format!("policies/{}.json", file_name(name));
        documents.policy(&path, document_bytes(&profile.policy));
        ProfileFields {
            path,
            mode: mode_of(&profile.policy),
            family: profile.family.clone(),
            semantic_group: profile.semantic_group.clone(),
            key_specific_rules: Vec::new(),
            notes: profile.notes.clone(),
            parameters: own.parameters.clone(),
            fixtures: own.fixtures.iter().chain(&profile.fixtures).cloned().collect(),
        }
    }

    fn add_probes(
        &self,
        name: &str,
        profile: &LinuxProfile,
        id: &ProfileId,
        documents: &mut ExpandedDocuments<'_>,
        notes: &mut Diagnostics<'_>,
    ) {
        let pointer = format!("/profiles/{}", pointer_part(name));
        for (verb, operation) in &self.operations.0 {
            if profile.operations.as_ref().is_some_and(|chosen| !chosen.contains(verb)) {
                continue;
            }
            let Some(seatbelt_name) = operation.name(verb, notes) else { continue };
            let allowed = profile.allowed.get(verb).map(Vec::as_slice).unwrap_or_default();
            let asked = |case: &str| operation.paths.as_ref().is_none_or(|paths| paths.iter().any(|one| one == case));
            for (n, case) in
                allowed.iter().enumerate().filter(|(_, case)| !asked(case) || self.paths.get(case).is_none())
            {
                let pointer = format!("{pointer}/allowed/{}/{n}", pointer_part(verb));
                let remedy = notes.hint(case, self.paths.keys(), "remove it, or ask for it");
                let message = format!("`{}` does not ask for the path case `{}`", shown(verb), shown(case));
                notes.error(DiagnosticKind::Dangling, pointer, message, remedy);
            }
            for (case, target) in self.paths.0.iter().filter(|(case, _)| asked(case)) {
                let expected = if allowed.contains(case) { Decision::Allow } else { Decision::Deny };
                let fields = ProbeFields {
                    name: format!("{verb}_{case}"),
                    operation: &seatbelt_name,
                    target,
                    driver: Some(&operation.driver),
                    to: operation.to.as_deref(),
                    attribute: operation.attribute.as_deref(),
                    capabilities: operation.capabilities_required.clone(),
                    why: Some(why(verb, case, expected)),
                    ..ProbeFields::default()
                };
                documents.probe(id, fields, expected, notes);
            }
        }
    }
}

impl TemplateOperation {
    /// Seatbelt's name of the operation: as written, else the usual one of the driver.
    fn name(&self, verb: &str, notes: &mut Diagnostics<'_>) -> Option<String> {
        if let Some(name) = &self.operation {
            return Some(name.clone());
        }
        match Driver::by_name(&self.driver) {
            Some(driver) => driver.info().operations.first().map(|name| (*name).to_owned()),
            None => {
                let known = Driver::ALL.iter().map(|driver| driver.info().name);
                let remedy = notes.hint(&self.driver, known, "`sandproof list-drivers` lists them");
                let pointer = format!("/operations/{}/driver", pointer_part(verb));
                let message = format!("there is no driver `{}`", shown(&self.driver));
                notes.error(DiagnosticKind::Driver, pointer, message, remedy);
                None
            }
        }
    }
}

fn why(verb: &str, case: &str, expected: Decision) -> String {
    match expected {
        Decision::Allow => {
            format!("The template lists `{case}` among the paths that `{verb}` may reach under this policy.")
        }
        Decision::Deny => {
            format!("The template does not list `{case}` among the paths that `{verb}` may reach under this policy.")
        }
    }
}

/// Reports the names that `known` does not have.
fn known_names<'n, T>(
    names: impl Iterator<Item = &'n String>,
    known: &Ordered<T>,
    what: &str,
    pointer: &str,
    notes: &mut Diagnostics<'_>,
) {
    for name in names.filter(|name| known.get(name).is_none()) {
        let remedy = notes.hint(name, known.keys(), "define it, or correct the name");
        notes.error(DiagnosticKind::Dangling, pointer, format!("there is no {what} `{}`", shown(name)), remedy);
    }
}

/// What puts a profile's document in force, which its format says.
fn mode_of(policy: &Map<String, Value>) -> PolicyMode {
    match policy.get("schema_version").and_then(Value::as_str) {
        Some(LAUNCHER_SCHEMA) => PolicyMode::Launcher,
        _ => PolicyMode::Landlock,
    }
}

/// A profile's id as a file's name.
fn file_name(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}
