//! From a resolved plan and the facts of a host to the declaration of a run. Pure: the same plan and facts give the same
//! declaration, whoever asks.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::external;
use super::seal::{DeclarationParts, seal};
use crate::base::canon::{self, CanonError};
use crate::base::digest::{Digest, Hasher};
use crate::base::ids::ProfileId;
use crate::base::limits;
use crate::evidence::DECISION_RULE;
use crate::plan::{ResolvedPlan, ResolvedPolicy};
use crate::policy::PolicyValue;
use crate::record::confinement::ConfinementFacts;
use crate::record::fixture::FixtureEntry;
use crate::record::identity::{Declaration, RUN_IDENTITY_SCHEMA, RUN_KIND, Stated};
use crate::record::manifest::HostFacts;
use crate::record::run_identity::{
    ArtifactPart, ConfinementElement, ExpectationsElement, FixtureHistory, FixturesElement, GATE_RULES, HistoryPart,
    LanesElement, LauncherElement, LockElement, PlanElement, PolicyElement, PolicyPart, PreExisting, RunParts,
    RuntimePart, SelectionElement, ToolElement,
};

/// What a declaration holds that no plan says: facts of this program and host, and what the caller chose.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredFacts {
    /// This program.
    pub tool: ToolElement,
    /// Programs beside this one.
    pub commands: BTreeMap<String, Stated<Digest>>,
    /// What the documents of launchers do not hold.
    pub launchers: BTreeMap<ProfileId, LauncherElement>,
    /// What the run runs on.
    pub runtime: RuntimePart,
    /// Whether everything is done but executing.
    pub dry_run: bool,
    /// Whether probes may execute programs that are not this program's own.
    pub host_programs: bool,
    /// How long a worker of a clean channel may take.
    pub channel_limit_ms: Stated<u64>,
    /// What happens when another run has the output root.
    pub lock: LockElement,
    /// The kinds of the plan's fixed paths; see [`fixed_paths`].
    pub pre_existing: PreExisting,
    /// Where the input documents are read from.
    pub inputs: String,
}

/// Declares a run.
///
/// # Errors
/// What of it has no canonical form, by JSON pointer into the declaration.
pub fn declare(plan: &ResolvedPlan, given: DeclaredFacts) -> Result<Declaration, CanonError> {
    let parts = parts(plan, given)?;
    seal(
        RUN_IDENTITY_SCHEMA,
        RUN_KIND,
        DeclarationParts {
            artifact: object(&parts.artifact),
            runtime: object(&parts.runtime),
            policy: object(&parts.policy),
            history: object(&parts.history),
        },
    )
}

/// A part as JSON.
pub(super) fn object(part: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(part).expect("a part is made of JSON values") {
        Value::Object(members) => members,
        other => unreachable!("a part is an object, not {other}"),
    }
}

/// The four parts of a run.
///
/// # Errors
/// As [`declare`].
pub fn parts(plan: &ResolvedPlan, given: DeclaredFacts) -> Result<RunParts, CanonError> {
    let artifact = artifact(plan, given.tool, given.commands, given.launchers)?;
    let policy = PolicyPart {
        lanes: LanesElement { baseline: plan.lanes.baseline, scenario: plan.lanes.scenario, oracle: plan.lanes.oracle },
        controls: plan.plan.controls.clone(),
        expectations: expectations(plan),
        decision_rule: DECISION_RULE.to_owned(),
        gate_rules: GATE_RULES.to_owned(),
        deadline_ms: plan.deadline_ms,
        channel_limit_ms: given.channel_limit_ms,
        limits: declared_limits(),
        lock: given.lock,
        preflight: plan.preflight.is_some() && !given.dry_run,
        selection: SelectionElement {
            only_profiles: plan.selection.only_profiles.clone(),
            only_scenarios: plan.selection.only_scenarios.clone(),
        },
        shard: Stated::absent("the plan is not divided"),
        dry_run: given.dry_run,
        host_programs: given.host_programs,
    };
    let stated = plan.plan.history.clone().unwrap_or_default();
    let history = HistoryPart {
        fixtures: FixtureHistory {
            created: if given.dry_run { "none" } else { "fresh" }.to_owned(),
            pre_existing: given.pre_existing,
        },
        inputs: given.inputs,
        depends_on: stated.depends_on,
        waivers: stated.waivers,
    };
    Ok(RunParts { artifact, runtime: given.runtime, policy, history })
}

fn artifact(
    plan: &ResolvedPlan,
    tool: ToolElement,
    commands: BTreeMap<String, Stated<Digest>>,
    launchers: BTreeMap<ProfileId, LauncherElement>,
) -> Result<ArtifactPart, CanonError> {
    let mut documents: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for document in &plan.documents {
        documents.entry(document.role).or_default().insert(document.path.clone(), document.bytes.digest());
    }
    let mut values = PolicyDigests::default();
    let mut profiles = BTreeMap::new();
    for profile in &plan.profiles {
        let element = values.element(&profile.policy)?;
        profiles.insert(profile.id.clone(), element);
    }
    let preflight_policy = match &plan.preflight {
        Some(policy) => Stated::Is(values.element(policy)?),
        None => Stated::absent("the plan names no `apply_preflight_profile`"),
    };
    Ok(ArtifactPart {
        tool,
        plan: PlanElement {
            plan_id: plan.plan.plan_id.clone(),
            plan_digest: plan.plan_digest,
            registry_id: plan.plan.registry_id.to_string(),
        },
        documents,
        profiles,
        preflight_policy,
        template: Stated::absent("the plan names no template that it was built from"),
        fixtures: fixtures(plan)?,
        commands,
        launchers,
        subject: external::element(plan.subject.as_ref())?,
    })
}

/// Digests of policies' meanings, each value digested once however many profiles share it.
#[derive(Default)]
struct PolicyDigests(BTreeMap<*const PolicyValue, Digest>);

impl PolicyDigests {
    fn element(&mut self, policy: &ResolvedPolicy) -> Result<PolicyElement, CanonError> {
        let key = Arc::as_ptr(&policy.value);
        let value_sha256 = match self.0.get(&key) {
            Some(known) => *known,
            None => {
                let digest = policy.value.digest()?;
                self.0.insert(key, digest);
                digest
            }
        };
        Ok(PolicyElement {
            path: policy.path.clone(),
            mode: policy.value.mode().as_str().to_owned(),
            sha256: policy.digest,
            value_sha256,
        })
    }
}

/// Fixture lists of the profiles and probes that run, by id: SHA-256 over their canonical form.
fn fixtures(plan: &ResolvedPlan) -> Result<FixturesElement, CanonError> {
    let mut profiles: BTreeMap<&str, &[FixtureEntry]> = BTreeMap::new();
    let mut probes: BTreeMap<&str, &[FixtureEntry]> = BTreeMap::new();
    for profile in plan.profiles.iter().filter(|profile| !profile.entry.fixtures.is_empty()) {
        profiles.insert(profile.id.as_str(), &profile.entry.fixtures);
    }
    for (_, probe) in plan.rows().filter(|(_, probe)| !probe.entry.fixtures.is_empty()) {
        probes.insert(probe.entry.probe_id.as_str(), &probe.entry.fixtures);
    }
    let entries = profiles.values().chain(probes.values()).map(|list| list.len() as u64).sum();
    let sha256 = canon::digest_data(&json!({"probes": probes, "profiles": profiles}))
        .map_err(|error| CanonError { pointer: format!("/artifact/fixtures{}", error.pointer), ..error })?;
    Ok(FixturesElement { entries, sha256 })
}

fn expectations(plan: &ResolvedPlan) -> BTreeMap<ProfileId, ExpectationsElement> {
    plan.profiles
        .iter()
        .map(|profile| {
            let mut hasher = std::io::BufWriter::new(Hasher::default());
            for probe in &profile.probes {
                writeln!(hasher, "{}\t{}", probe.expectation_id, probe.entry.expectation())
                    .expect("a digest takes every byte");
            }
            let (sha256, _) = hasher.into_inner().expect("a digest takes every byte").finish();
            (profile.id.clone(), ExpectationsElement { rows: profile.probes.len() as u64, sha256 })
        })
        .collect()
}

fn declared_limits() -> BTreeMap<String, u64> {
    [
        ("input_document_bytes", limits::MAX_INPUT_DOCUMENT_BYTES),
        ("policy_bytes", limits::MAX_POLICY_BYTES),
        ("json_depth", limits::MAX_JSON_DEPTH as u64),
        ("string_bytes", limits::MAX_STRING_BYTES as u64),
        ("rows", limits::MAX_ROWS as u64),
        ("row_bytes", limits::MAX_ROW_BYTES as u64),
        ("report_bytes", limits::MAX_REPORT_BYTES as u64),
    ]
    .into_iter()
    .map(|(name, limit)| (name.to_owned(), limit))
    .collect()
}

/// How many fixed paths are listed one by one, of those that are in Unicode normal form C.
pub const LISTED_PATHS: usize = 1000;

/// The fixed paths that the plan's probes aim at, each once: they lie outside of every fixture root, so what stands there
/// is there before the run.
pub fn fixed_paths(plan: &ResolvedPlan) -> BTreeSet<&str> {
    plan.rows()
        .flat_map(|(_, probe)| [Some(probe.entry.target.as_str()), probe.entry.to.as_deref()])
        .flatten()
        .filter(|path| path.starts_with('/'))
        .collect()
}

/// The element for fixed paths and their kinds, sorted by path.
pub fn pre_existing<'p>(kinds: impl IntoIterator<Item = (&'p str, &'p str)>) -> PreExisting {
    let mut hasher = Hasher::default();
    let mut listed = BTreeMap::new();
    let mut paths = 0;
    for (path, kind) in kinds {
        hasher.update(format!("{path}\t{kind}\n").as_bytes());
        paths += 1;
        // How a path is spelled may be the point of a probe, and a declaration knows one spelling only.
        if listed.len() < LISTED_PATHS && canon::is_normal(path) {
            listed.insert(path.to_owned(), kind.to_owned());
        }
    }
    PreExisting { paths, sha256: hasher.finish().0, kinds: listed }
}

/// The host's facts, each stated. What stands elsewhere in the declaration is left out.
pub fn host_facts(host: &HostFacts) -> BTreeMap<String, Stated<Value>> {
    let facts = object(host);
    facts
        .into_iter()
        .filter(|(name, _)| name != "uid_class" && name != "fixture_fs")
        .map(|(name, value)| {
            let stated = match value {
                Value::Null => Stated::absent(why_unknown(&host.os, &name)),
                known => Stated::Is(known),
            };
            (name, stated)
        })
        .collect()
}

/// The element for what confines a run. `dry`: nothing is executed, so no fixture is made.
pub fn confinement(facts: &ConfinementFacts, os: &str, dry: bool) -> ConfinementElement {
    fn stated<T>(value: Option<T>, of: &str, os: &str) -> Stated<T> {
        let why = if of == os { "it could not be found out" } else { "this system has no such fact" };
        Stated::or_absent(value, why)
    }
    const NO_FIXTURES: &str = "a dry run makes no fixtures";
    ConfinementElement {
        landlock_layers: stated(facts.landlock_layers, "linux", os),
        landlock_refuses_refer: match facts.landlock_refuses_refer {
            None if dry => Stated::absent(NO_FIXTURES),
            known => stated(known, "linux", os),
        },
        seccomp: stated(facts.seccomp, "linux", os),
        seccomp_filters: stated(facts.seccomp_filters, "linux", os),
        no_new_privs: stated(facts.no_new_privs, "linux", os),
        lsm_label: stated(facts.lsm_label.clone(), "linux", os),
        seatbelt: stated(facts.seatbelt, "macos", os),
        rules_over_fixtures: if dry {
            Stated::absent(NO_FIXTURES)
        } else {
            Stated::Is(facts.rules_over_fixtures.clone())
        },
    }
}

/// Why a fact of the host has no value.
fn why_unknown(os: &str, name: &str) -> &'static str {
    let macos = ["product_version", "product_build", "shared_cache_uuid", "sip_config"].contains(&name);
    let linux = ["landlock_abi", "landlock_errata", "lsms"].contains(&name);
    if (macos && os != "macos") || (linux && os != "linux") {
        "this system has no such fact"
    } else {
        "it could not be observed by the declaring process"
    }
}
