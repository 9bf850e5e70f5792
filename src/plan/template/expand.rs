//! What builders that expand a template share: the shape of what they make, and the entries that they fill it with.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::super::diagnostic::{DiagnosticKind, Diagnostics, pointer_part, shown};
use super::super::file::{
    EVERY_CONTROL, PLAN_SCHEMA, PROBES_SCHEMA, PROFILES_SCHEMA, PlanFile, ProbeEntry, ProbesFile, ProfileEntry,
    ProfilesFile,
};
use super::super::written_probe::WrittenProbe;
use super::document::{BuilderContext, Ordered, body, id};
use super::policies::{CarriedKeys, carried};
use crate::base::ids::{ProbeId, ProfileId};
use crate::base::json_out;
use crate::policy::PolicyMode;
use crate::record::fixture::FixtureEntry;
use crate::record::outcome::{Decision, Expectation};

/// What a template becomes, before its policies are looked for.
#[derive(Debug)]
pub(super) struct Expanded {
    pub(super) plan: TypedDocument<PlanFile>,
    pub(super) probes: TypedDocument<ProbesFile>,
    pub(super) profiles: TypedDocument<ProfilesFile>,
    /// Policies that the template carries: path to content.
    pub(super) policies: BTreeMap<String, Vec<u8>>,
    pub(super) description: Option<String>,
}

/// A document in its typed shape, and the bytes that are written.
#[derive(Debug)]
pub(super) struct TypedDocument<T> {
    pub(super) value: T,
    pub(super) bytes: Vec<u8>,
}

impl<T: serde::Serialize> TypedDocument<T> {
    /// One that has no text of its own yet.
    pub(super) fn of(value: T) -> Self {
        let mut bytes = json_out::to_pretty(&value);
        bytes.push(b'\n');
        Self { value, bytes }
    }
}

/// The plan and registries of an expanding builder, as they grow.
pub(super) struct ExpandedDocuments<'a> {
    head: &'a BuilderContext,
    lanes: Map<String, Value>,
    order: Vec<ProfileId>,
    probes: BTreeMap<ProbeId, Arc<ProbeEntry>>,
    profiles: BTreeMap<ProfileId, ProfileEntry>,
    policies: BTreeMap<String, Vec<u8>>,
}

/// What a profile says about itself, in any expanding template.
pub(super) struct ProfileFields {
    pub(super) path: String,
    pub(super) mode: PolicyMode,
    pub(super) family: Option<String>,
    pub(super) semantic_group: Option<String>,
    pub(super) key_specific_rules: Vec<String>,
    pub(super) notes: Option<String>,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) fixtures: Vec<FixtureEntry>,
}

/// What a profile of a template of the reference says about itself.
#[derive(Deserialize)]
pub(super) struct ProfileTexts {
    sbpl: String,
    family: Option<String>,
    semantic_group: Option<String>,
    #[serde(default)]
    key_specific_rules: Vec<String>,
    notes: Option<String>,
    parameters: Option<BTreeMap<String, String>>,
}

impl ProfileTexts {
    /// The same for the registry, with what the template carries for all of its profiles.
    pub(super) fn fields(&self, mode: PolicyMode, own: &CarriedKeys) -> ProfileFields {
        ProfileFields {
            path: self.sbpl.clone(),
            mode,
            family: self.family.clone(),
            semantic_group: self.semantic_group.clone(),
            key_specific_rules: self.key_specific_rules.clone(),
            notes: self.notes.clone(),
            parameters: self.parameters.clone().unwrap_or_else(|| own.parameters.clone()),
            fixtures: own.fixtures.clone(),
        }
    }
}

/// What tells one probe from the next.
#[derive(Default)]
pub(super) struct ProbeFields<'a> {
    pub(super) name: String,
    pub(super) operation: &'a str,
    pub(super) target: &'a str,
    pub(super) driver: Option<&'a str>,
    pub(super) syscall: Option<&'a str>,
    pub(super) attr_payload: Option<&'a str>,
    pub(super) to: Option<&'a str>,
    pub(super) attribute: Option<&'a str>,
    pub(super) capabilities: Vec<String>,
    pub(super) why: Option<String>,
}

impl<'a> ExpandedDocuments<'a> {
    /// Nothing yet. `default_lanes`: baseline, scenario, oracle.
    fn new(head: &'a BuilderContext, default_lanes: [bool; 3]) -> Self {
        let lanes = head.lanes.clone().unwrap_or_else(|| {
            let named = ["baseline", "scenario", "oracle"].into_iter().zip(default_lanes);
            named.map(|(name, on)| (name.to_owned(), Value::Bool(on))).collect()
        });
        Self {
            head,
            lanes,
            order: Vec::new(),
            probes: BTreeMap::new(),
            profiles: BTreeMap::new(),
            policies: BTreeMap::new(),
        }
    }

    /// Adds a profile, to be filled with probes.
    fn profile(&mut self, name: &str, fields: ProfileFields, notes: &mut Diagnostics<'_>) -> Option<ProfileId> {
        let pointer = format!("/profiles/{}", pointer_part(name));
        let profile_id = id(ProfileId::new(name), &pointer, notes)?;
        let entry = ProfileEntry {
            profile_id: profile_id.clone(),
            profile_path: fields.path,
            mode: fields.mode,
            probe_refs: Vec::new(),
            family: fields.family.or_else(|| self.head.family.clone()),
            semantic_group: fields.semantic_group.or_else(|| self.head.semantic_group.clone()),
            key_specific_rules: fields.key_specific_rules,
            notes: fields.notes,
            parameters: fields.parameters,
            import_dir: None,
            fixtures: fields.fixtures,
        };
        self.order.push(profile_id.clone());
        self.profiles.insert(profile_id.clone(), entry);
        Some(profile_id)
    }

    /// Adds a policy that the template carries.
    pub(super) fn policy(&mut self, path: &str, content: Vec<u8>) {
        self.policies.insert(path.to_owned(), content);
    }

    /// Adds a probe to a profile. The same probe twice is one; twice with different expectations is a finding.
    pub(super) fn probe(
        &mut self,
        profile: &ProfileId,
        fields: ProbeFields<'_>,
        expected: Decision,
        notes: &mut Diagnostics<'_>,
    ) {
        let pointer = format!("/profiles/{}", pointer_part(profile.as_str()));
        let Some(probe_id) = id(ProbeId::new(format!("{profile}:{}", fields.name)), &pointer, notes) else { return };
        if let Some(known) = self.probes.get(&probe_id) {
            if known.expected != Expectation::from(expected) {
                notes.error(
                    DiagnosticKind::Duplicate,
                    pointer,
                    format!("the probe `{}` is expected to be both allowed and denied", shown(probe_id.as_str())),
                    "list its path once, or make the lists agree",
                );
            }
            return;
        }
        let text = |text: Option<&str>| text.map(str::to_owned);
        let entry = WrittenProbe {
            probe_id: probe_id.clone(),
            name: Some(fields.name.into()),
            operation: fields.operation.to_owned(),
            target: fields.target.to_owned(),
            expected: expected.into(),
            supports_lanes: self.lanes.iter().map(|(lane, on)| (lane.clone(), on.as_bool().unwrap_or(true))).collect(),
            expected_primary_ops: Some(vec![fields.operation.to_owned()]),
            expected_predicates: Some(vec![fields.target.to_owned()]),
            capabilities_required: fields.capabilities,
            controls_supported: Some(EVERY_CONTROL.map(str::to_owned).into()),
            expectation_id: None,
            mode: None,
            driver: text(fields.driver),
            syscall: text(fields.syscall),
            attr_payload: text(fields.attr_payload),
            anchor_ctx_id: None,
            filter_name: None,
            filter_type: None,
            to: text(fields.to),
            attribute: text(fields.attribute),
            argv: Vec::new(),
            exit_code: None,
            mechanism: Vec::new(),
            errno: Vec::new(),
            name_alone: false,
            fixtures: Vec::new(),
            mounts: Vec::new(),
            listener: None,
            why: fields.why.map(Into::into),
        };
        let refs = self.profiles.get_mut(profile).expect("the profile was added");
        refs.probe_refs.push(probe_id.clone());
        self.probes.insert(probe_id, Arc::new(entry.into()));
    }

    /// The finished documents.
    fn finish(self) -> Expanded {
        let head = self.head;
        let plan = PlanFile {
            schema_version: PLAN_SCHEMA.to_owned(),
            plan_id: head.plan_id.clone(),
            registry_id: head.registry_id.clone(),
            world_id: Some(head.world_id.clone()),
            profiles: self.order,
            lanes: self.lanes,
            controls: head.controls.clone().unwrap_or_else(|| {
                json!({"baseline": true}).as_object().cloned().expect("it was written as an object")
            }),
            apply_preflight_profile: head.apply_preflight_profile.clone(),
            deadline_ms: None,
            subject: None,
            history: None,
            notes: head.notes.clone().or_else(|| head.description.clone()),
        };
        let probes = ProbesFile {
            schema_version: PROBES_SCHEMA.to_owned(),
            registry_id: head.registry_id.clone(),
            world_id: head.world_id.clone(),
            probes: self.probes,
        };
        let profiles = ProfilesFile {
            schema_version: PROFILES_SCHEMA.to_owned(),
            registry_id: head.registry_id.clone(),
            world_id: head.world_id.clone(),
            profiles: self.profiles,
        };
        Expanded {
            plan: TypedDocument::of(plan),
            probes: TypedDocument::of(probes),
            profiles: TypedDocument::of(profiles),
            policies: self.policies,
            description: head.description.clone(),
        }
    }
}

/// A kind of template whose profiles are expanded into probes, as its own part of the document.
pub(super) trait ExpandingTemplate: DeserializeOwned {
    /// What it says of a profile.
    type Profile;
    /// Which lanes are on in a document that names none: baseline, scenario, oracle.
    const LANES: [bool; 3] = [true; 3];

    /// Notes keys within it that nobody reads, and those that are missing.
    fn check_keys(value: &Value, notes: &mut Diagnostics<'_>);

    /// Notes where its parts name each other wrongly.
    fn check_names(&self, _notes: &mut Diagnostics<'_>) {}

    /// Its profiles, and the order of the plan if it says one.
    fn profiles(&self) -> (&Ordered<Self::Profile>, Option<&[String]>);

    /// What a profile says about itself. A policy that it carries goes into `documents`.
    fn profile_fields(
        &self,
        name: &str,
        profile: &Self::Profile,
        own: &CarriedKeys,
        documents: &mut ExpandedDocuments<'_>,
        notes: &mut Diagnostics<'_>,
    ) -> ProfileFields;

    /// Adds a profile's probes.
    fn add_probes(
        &self,
        name: &str,
        profile: &Self::Profile,
        id: &ProfileId,
        documents: &mut ExpandedDocuments<'_>,
        notes: &mut Diagnostics<'_>,
    );
}

/// Builds a template of that kind. `None`: what was found is noted.
pub(super) fn expand<T: ExpandingTemplate>(
    head: &BuilderContext,
    value: &Value,
    text: &str,
    notes: &mut Diagnostics<'_>,
) -> Option<Expanded> {
    T::check_keys(value, notes);
    let (body, own): (T, CarriedKeys) = (body(text, notes)?, body(text, notes)?);
    body.check_names(notes);
    let mut documents = ExpandedDocuments::new(head, T::LANES);
    for (path, content) in carried(&own.policies, notes) {
        documents.policy(&path, content);
    }
    let (profiles, order) = body.profiles();
    for (name, profile) in in_order(profiles, order, notes) {
        let fields = body.profile_fields(name, profile, &own, &mut documents, notes);
        let Some(id) = documents.profile(name, fields, notes) else { continue };
        body.add_probes(name, profile, &id, &mut documents, notes);
    }
    Some(documents.finish())
}

/// The profiles in the order of the plan: as listed, else as they stand.
fn in_order<'t, T>(
    profiles: &'t Ordered<T>,
    order: Option<&[String]>,
    notes: &mut Diagnostics<'_>,
) -> Vec<(&'t str, &'t T)> {
    let Some(order) = order else { return profiles.0.iter().map(|(name, entry)| (name.as_str(), entry)).collect() };
    let mut listed = Vec::new();
    for (n, name) in order.iter().enumerate() {
        match profiles.0.iter().find(|(known, _)| known == name) {
            Some((name, entry)) if !listed.iter().any(|(other, _)| other == name) => {
                listed.push((name.as_str(), entry))
            }
            Some(_) => {
                let message = format!("the profile `{}` is listed twice", shown(name));
                notes.error(DiagnosticKind::Duplicate, format!("/profile_order/{n}"), message, "remove one");
            }
            None => {
                let remedy = notes.hint(name, profiles.keys(), "add it, or correct the id");
                let message = format!("there is no profile `{}`", shown(name));
                notes.error(DiagnosticKind::Dangling, format!("/profile_order/{n}"), message, remedy);
            }
        }
    }
    listed
}
