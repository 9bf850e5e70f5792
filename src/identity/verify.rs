//! Whether a declaration is what the documents beside it give.
//!
//! Three questions, each answered by JSON pointer into the declaration: does it agree with itself, with the plan resolved
//! from the bundle's (or a workspace's) documents, and with what the manifest says of program and host?

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::compare::{Difference, differences};
use super::compose::{self, DeclaredFacts, LISTED_PATHS, object};
use super::seal::{self, Flaw};
use crate::base::ids::ProfileId;
use crate::plan::ResolvedPlan;
use crate::policy::PolicyMode;
use crate::record::identity::{Declaration, DeclarationPart, RUN_IDENTITY_SCHEMA, RUN_KIND, Stated};
use crate::record::manifest::{ChannelKind, RunManifest};
use crate::record::run_identity::{LauncherElement, PreExisting, RunParts};

/// One thing in which a declaration is not what it should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Discrepancy {
    /// It says one thing, and another was found.
    Differs(Difference),
    /// It cannot be understood.
    Malformed {
        /// JSON pointer of the place.
        pointer: String,
        /// The reason, as text for people.
        problem: String,
    },
}

impl Discrepancy {
    /// JSON pointer into the declaration.
    pub fn pointer(&self) -> &str {
        match self {
            Self::Differs(difference) => &difference.pointer,
            Self::Malformed { pointer, .. } => pointer,
        }
    }

    /// What is the matter there, in words.
    pub fn words(&self) -> String {
        let shown = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), Value::to_string);
        match self {
            Self::Differs(difference) => {
                format!("declared {}, found {}", shown(&difference.declared), shown(&difference.found))
            }
            Self::Malformed { problem, .. } => problem.clone(),
        }
    }
}

fn differs(at: &str, declared: &Value, found: &Value, all: &mut Vec<Discrepancy>) {
    all.extend(differences(at, declared, found).into_iter().map(Discrepancy::Differs));
}

fn value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).expect("a document shape is a JSON value")
}

/// What a declaration says of itself that its own parts do not give.
pub fn verify_against_itself(declaration: &Declaration) -> Vec<Discrepancy> {
    let flaw = |flaw: Flaw| {
        let pointer = flaw.pointer();
        match flaw {
            Flaw::NotCanonical(error) => Discrepancy::Malformed { pointer, problem: error.problem.to_string() },
            Flaw::Digest { declared, computed, .. } | Flaw::Identity { declared, computed } => {
                Discrepancy::Differs(Difference {
                    pointer,
                    found_at: None,
                    declared: Some(value(&declared)),
                    found: Some(value(&computed)),
                })
            }
        }
    };
    seal::check(declaration).into_iter().map(flaw).collect()
}

/// The parts of a run's declaration.
///
/// # Errors
/// What of it does not have the shape of a run's declaration.
pub fn parts_of(declaration: &Declaration) -> Result<RunParts, Vec<Discrepancy>> {
    let mut wrong = Vec::new();
    differs("/schema_version", &value(&declaration.schema_version), &value(&RUN_IDENTITY_SCHEMA), &mut wrong);
    differs("/kind", &value(&declaration.kind), &value(&RUN_KIND), &mut wrong);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    fn part<T: DeserializeOwned>(
        part: DeclarationPart,
        members: &Map<String, Value>,
        wrong: &mut Vec<Discrepancy>,
    ) -> Option<T> {
        match serde_json::from_value(Value::Object(members.clone())) {
            Ok(read) => Some(read),
            Err(error) => {
                let pointer = format!("/{}", part.as_str());
                wrong.push(Discrepancy::Malformed { pointer, problem: error.to_string() });
                None
            }
        }
    }
    let artifact = part(DeclarationPart::Artifact, &declaration.artifact, &mut wrong);
    let runtime = part(DeclarationPart::Runtime, &declaration.runtime, &mut wrong);
    let policy = part(DeclarationPart::Policy, &declaration.policy, &mut wrong);
    let history = part(DeclarationPart::History, &declaration.history, &mut wrong);
    match (artifact, runtime, policy, history) {
        (Some(artifact), Some(runtime), Some(policy), Some(history)) => {
            Ok(RunParts { artifact, runtime, policy, history })
        }
        _ => Err(wrong),
    }
}

/// One element for each profile that has a launcher: what was declared of it, if anything was.
fn expected_launchers(
    plan: &ResolvedPlan,
    mut declared: BTreeMap<ProfileId, LauncherElement>,
) -> BTreeMap<ProfileId, LauncherElement> {
    let none = || LauncherElement { programs: BTreeMap::new(), version: Stated::absent("it was not declared") };
    let launchers = plan.profiles.iter().filter(|profile| profile.entry.mode == PolicyMode::Launcher);
    launchers.map(|profile| (profile.id.clone(), declared.remove(&profile.id).unwrap_or_else(none))).collect()
}

/// Where a declaration is not what `plan` gives. Facts that no plan says are taken from the declaration itself.
pub fn verify_against_plan(plan: &ResolvedPlan, declaration: &Declaration) -> Vec<Discrepancy> {
    let parts = match parts_of(declaration) {
        Ok(parts) => parts,
        Err(wrong) => return wrong,
    };
    let pre_existing = expected_paths(plan, &parts.history.fixtures.pre_existing);
    let mut runtime = parts.runtime.clone();
    runtime.world.declared = crate::world::declared(plan.plan.world_id.as_ref());
    runtime.world.document_sha256 = world_document(plan);
    let given = DeclaredFacts {
        tool: parts.artifact.tool,
        commands: parts.artifact.commands,
        launchers: expected_launchers(plan, parts.artifact.launchers),
        runtime,
        dry_run: parts.policy.dry_run,
        host_programs: parts.policy.host_programs,
        channel_limit_ms: parts.policy.channel_limit_ms,
        lock: parts.policy.lock,
        pre_existing,
        inputs: parts.history.inputs,
    };
    let mut wrong = Vec::new();
    match compose::parts(plan, given) {
        Ok(found) => {
            let found =
                [object(&found.artifact), object(&found.runtime), object(&found.policy), object(&found.history)];
            for (part, found) in DeclarationPart::ALL.into_iter().zip(found) {
                let declared = Value::Object(declaration.part(part).clone());
                differs(&format!("/{}", part.as_str()), &declared, &Value::Object(found), &mut wrong);
            }
        }
        Err(error) => {
            wrong.push(Discrepancy::Malformed { pointer: error.pointer, problem: error.problem.to_string() });
        }
    }
    wrong
}

/// Where the sealed declaration of another system is not what its document gives, sealed just now.
pub fn verify_against_document(found: &Declaration, declaration: &Declaration) -> Vec<Discrepancy> {
    let mut wrong = verify_against_itself(declaration);
    differs("/schema_version", &value(&declaration.schema_version), &value(&found.schema_version), &mut wrong);
    differs("/kind", &value(&declaration.kind), &value(&found.kind), &mut wrong);
    for part in DeclarationPart::ALL {
        let [declared, found] = [declaration, found].map(|one| Value::Object(one.part(part).clone()));
        differs(&format!("/{}", part.as_str()), &declared, &found, &mut wrong);
    }
    wrong
}

/// The digest of the declared world's document, stated.
pub fn world_document(plan: &ResolvedPlan) -> Stated<crate::base::digest::Digest> {
    Stated::or_absent(plan.world.as_ref().map(|world| world.digest), "nothing is known of that world")
}

/// The element for the plan's fixed paths, with the kinds that the declaration gives. Past the listed ones, kinds are
/// known by digest alone, and that is taken as it is.
fn expected_paths(plan: &ResolvedPlan, declared: &PreExisting) -> PreExisting {
    let paths = compose::fixed_paths(plan);
    let unlisted = "unknown";
    let kinds = paths.iter().map(|path| (*path, declared.kinds.get(*path).map_or(unlisted, String::as_str)));
    let mut found = compose::pre_existing(kinds);
    if paths.len() > declared.kinds.len().min(LISTED_PATHS) {
        found.sha256 = declared.sha256;
    }
    found
}

/// Where a declaration is not what the manifest says of program, host and settings.
pub fn verify_against_manifest(manifest: &RunManifest, declaration: &Declaration) -> Vec<Discrepancy> {
    let parts = match parts_of(declaration) {
        Ok(parts) => parts,
        Err(wrong) => return wrong,
    };
    let mut wrong = Vec::new();
    let mut same = |at: &str, declared: Value, found: Value| differs(at, &declared, &found, &mut wrong);
    let tool = &parts.artifact.tool;
    same("/artifact/tool/name", value(&tool.name), value(&manifest.tool.name));
    same("/artifact/tool/version", value(&tool.version), value(&manifest.tool.version));
    same("/artifact/tool/sha256", value(&tool.sha256), value(&manifest.tool.sha256));
    let runtime = &parts.runtime;
    let direct = runtime.channel.kind == ChannelKind::Direct;
    same("/runtime/channel/kind", value(&runtime.channel.kind), value(&manifest.channel));
    same("/runtime/jobs", value(&runtime.jobs), value(&manifest.jobs));
    same("/runtime/user/uid_class", value(&runtime.user.uid_class), value(&manifest.host.uid_class));
    same("/runtime/world/declared", value(&runtime.world.declared), value(&manifest.world.declared));
    // What a parent could not see from where it was, the worker of a clean channel may see.
    if direct || runtime.world.world_id.value().is_some() {
        same("/runtime/world/world_id", value(&runtime.world.world_id), value(&manifest.world_id));
    }
    let fs = Stated::or_absent(manifest.host.fixture_fs.clone(), "");
    if runtime.fixture_file_system.value() != fs.value() && (direct || runtime.fixture_file_system.value().is_some()) {
        same("/runtime/fixture_file_system", value(&runtime.fixture_file_system), value(&fs));
    }
    // The worker of a clean channel finds out itself what confines it.
    if direct {
        let found = manifest
            .confinement
            .as_ref()
            .map_or(Value::Null, |facts| value(&compose::confinement(facts, &manifest.host.os, manifest.dry_run)));
        same("/runtime/confinement", value(&runtime.confinement), found);
    }
    let observed = compose::host_facts(&manifest.host);
    for (name, found) in &observed {
        let declared = runtime.host.get(name);
        if direct || declared.is_none_or(|declared| declared.value().is_some()) {
            same(&format!("/runtime/host/{name}"), declared.map_or(Value::Null, value), value(found));
        }
    }
    for name in runtime.host.keys().filter(|name| !observed.contains_key(*name)) {
        same(&format!("/runtime/host/{name}"), value(&runtime.host[name]), Value::Null);
    }
    let policy = &parts.policy;
    same("/policy/dry_run", value(&policy.dry_run), value(&manifest.dry_run));
    same("/policy/host_programs", value(&policy.host_programs), value(&manifest.host_programs));
    same("/policy/deadline_ms", value(&policy.deadline_ms), value(&manifest.deadline_ms));
    same(
        "/policy/selection/only_profiles",
        value(&policy.selection.only_profiles),
        value(&manifest.selection.only_profiles),
    );
    same(
        "/policy/selection/only_scenarios",
        value(&policy.selection.only_scenarios),
        value(&manifest.selection.only_scenarios),
    );
    wrong
}
