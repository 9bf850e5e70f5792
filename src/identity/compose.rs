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
use crate::record::absence::Absence;
use crate::record::confinement::ConfinementFacts;
use crate::record::fixture::FixtureEntry;
use crate::record::identity::{Declaration, RUN_IDENTITY_SCHEMA, RUN_KIND, Stated};
use crate::record::manifest::{ChannelKind, HostFacts};
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
        shard: Stated::or_absent(plan.selection.shard.as_ref().map(ToString::to_string), Absence::NotDivided),
        dry_run: given.dry_run,
        host_programs: given.host_programs,
        unconfirmed: Some(unconfirmed(artifact.launchers.keys(), given.runtime.channel.kind)),
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

/// What of a declaration no document of a bundle confirms, by JSON pointer.
fn unconfirmed<'p>(launchers: impl Iterator<Item = &'p ProfileId>, channel: ChannelKind) -> Vec<String> {
    let mut found: Vec<String> = UNCONFIRMED.map(str::to_owned).into();
    if channel != ChannelKind::Direct {
        // The manifest has what the worker found out itself.
        found.push("/runtime/confinement".to_owned());
    }
    for profile in launchers {
        let at = format!("/artifact/launchers/{}", canon::pointer_part(profile.as_str()));
        found.extend([format!("{at}/programs"), format!("{at}/version")]);
    }
    found.sort_unstable();
    found
}

/// What no bundle confirms of any declaration.
const UNCONFIRMED: [&str; 14] = [
    "/artifact/commands",
    "/artifact/tool/commit",
    "/artifact/tool/target",
    "/history/inputs",
    "/policy/channel_limit_ms",
    "/policy/lock",
    "/runtime/channel/job",
    "/runtime/enforcer",
    "/runtime/environment",
    "/runtime/locale",
    "/runtime/rlimits",
    "/runtime/time_zone",
    "/runtime/umask",
    "/runtime/user/gid_class",
];

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
    for profile in plan.declared_profiles() {
        let element = values.element(&profile.policy)?;
        profiles.insert(profile.id.clone(), element);
    }
    let preflight_policy = match &plan.preflight {
        Some(policy) => Stated::Is(values.element(policy)?),
        None => Stated::absent(Absence::NoPreflight),
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
        template: Stated::absent(Absence::NoTemplate),
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
    for profile in plan.declared_profiles().iter().filter(|profile| !profile.entry.fixtures.is_empty()) {
        profiles.insert(profile.id.as_str(), &profile.entry.fixtures);
    }
    for (_, probe) in plan.declared_rows().filter(|(_, probe)| !probe.entry.fixtures.is_empty()) {
        probes.insert(probe.entry.probe_id.as_str(), &probe.entry.fixtures);
    }
    let entries = profiles.values().chain(probes.values()).map(|list| list.len() as u64).sum();
    let sha256 = canon::digest_data(&json!({"probes": probes, "profiles": profiles}))
        .map_err(|error| CanonError { pointer: format!("/artifact/fixtures{}", error.pointer), ..error })?;
    Ok(FixturesElement { entries, sha256 })
}

fn expectations(plan: &ResolvedPlan) -> BTreeMap<ProfileId, ExpectationsElement> {
    plan.declared_profiles()
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
    plan.declared_rows()
        .flat_map(|(_, probe)| [Some(&*probe.entry.target), probe.entry.to.as_deref()])
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
        let why = if of == os { Absence::NotFoundOut } else { Absence::NoSuchFact };
        Stated::or_absent(value, why)
    }
    ConfinementElement {
        landlock_layers: stated(facts.landlock_layers, "linux", os),
        landlock_refuses_refer: match facts.landlock_refuses_refer {
            None if dry => Stated::absent(Absence::DryRunNoFixtures),
            known => stated(known, "linux", os),
        },
        seccomp: stated(facts.seccomp, "linux", os),
        seccomp_filters: stated(facts.seccomp_filters, "linux", os),
        no_new_privs: stated(facts.no_new_privs, "linux", os),
        lsm_label: stated(facts.lsm_label.clone(), "linux", os),
        seatbelt: stated(facts.seatbelt, "macos", os),
        rules_over_fixtures: if dry {
            Stated::absent(Absence::DryRunNoFixtures)
        } else {
            Stated::Is(facts.rules_over_fixtures.clone())
        },
    }
}

/// Why a fact of the host has no value.
fn why_unknown(os: &str, name: &str) -> Absence {
    let macos = ["product_version", "product_build", "shared_cache_uuid", "sip_config"].contains(&name);
    let linux = ["landlock_abi", "landlock_errata", "lsms"].contains(&name);
    if (macos && os != "macos") || (linux && os != "linux") { Absence::NoSuchFact } else { Absence::NotObserved }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::{given, quickstart};
    use crate::record::fixture::FixtureKind;

    fn absent<T>(stated: &Stated<T>) -> &str {
        match stated {
            Stated::Absent(why) => &why.absent,
            Stated::Is(_) => "",
        }
    }

    #[test]
    fn a_dry_run_makes_no_fixtures() {
        let plan = quickstart();
        let created = |dry_run| {
            let given = DeclaredFacts { dry_run, ..given(&plan, &[], 1) };
            parts(&plan, given).unwrap().history.fixtures.created
        };
        assert_eq!((&*created(true), &*created(false)), ("none", "fresh"));
    }

    #[test]
    fn fixtures_are_those_of_the_profiles_and_probes_that_have_some() {
        let mut plan = quickstart();
        let one = |path: &str| FixtureEntry::new(path, FixtureKind::Dir);
        for profile in &mut plan.profiles {
            profile.entry.fixtures.clear();
            for probe in &mut profile.probes {
                Arc::make_mut(&mut probe.entry).fixtures.clear();
            }
        }
        let digest = |probes: Value, profiles: Value| {
            canon::digest_data(&json!({"probes": probes, "profiles": profiles})).unwrap()
        };
        let none = fixtures(&plan).unwrap();
        assert_eq!((none.entries, none.sha256), (0, digest(json!({}), json!({}))));
        plan.profiles[0].entry.fixtures = vec![one("a"), one("b")];
        Arc::make_mut(&mut plan.profiles[1].probes[0].entry).fixtures = vec![one("c")];
        let (profile, probe) = (plan.profiles[0].id.to_string(), plan.profiles[1].probes[0].entry.probe_id.to_string());
        let some = fixtures(&plan).unwrap();
        assert_eq!(some.entries, 3);
        assert_eq!(some.sha256, digest(json!({probe: [one("c")]}), json!({profile: [one("a"), one("b")]})));
    }

    #[test]
    fn fixed_paths_are_the_absolute_ones_that_probes_aim_at() {
        let mut plan = quickstart();
        plan.profiles.truncate(1);
        plan.profiles[0].probes.truncate(3);
        let targets = [("/etc/hosts", Some("/tmp/to")), ("${root}/f", Some("${root}/g")), ("127.0.0.1:1", None)];
        for (probe, (target, to)) in plan.profiles[0].probes.iter_mut().zip(targets) {
            let entry = Arc::make_mut(&mut probe.entry);
            entry.target = target.into();
            entry.to = to.map(str::to_owned);
        }
        assert_eq!(fixed_paths(&plan).into_iter().collect::<Vec<_>>(), ["/etc/hosts", "/tmp/to"]);
    }

    #[test]
    fn paths_are_listed_in_one_spelling_and_up_to_a_number_and_all_are_counted() {
        let spelled = pre_existing([("/e\u{301}", "file"), ("/plain", "dir")]);
        assert_eq!((spelled.paths, spelled.kinds), (2, BTreeMap::from([("/plain".to_owned(), "dir".to_owned())])));
        assert_eq!(spelled.sha256, Digest::of("/e\u{301}\tfile\n/plain\tdir\n".as_bytes()));
        let many: Vec<String> = (0..LISTED_PATHS + 2).map(|n| format!("/{n}")).collect();
        let found = pre_existing(many.iter().map(|path| (path.as_str(), "file")));
        assert_eq!((found.paths, found.kinds.len()), (LISTED_PATHS as u64 + 2, LISTED_PATHS));
        assert!(found.kinds.contains_key(&many[LISTED_PATHS - 1]) && !found.kinds.contains_key(&many[LISTED_PATHS]));
    }

    #[test]
    fn each_fact_of_the_host_is_stated_once_with_why_it_is_not_known() {
        const OTHER: &str = "no_such_fact";
        const UNSEEN: &str = "not_observed";
        for (os, landlock, product) in [("linux", UNSEEN, OTHER), ("macos", OTHER, UNSEEN)] {
            let host = HostFacts { os: os.into(), uid_class: "user".into(), ..HostFacts::default() };
            let host = HostFacts { fixture_fs: Some("tmpfs".into()), arch: Some("x86_64".into()), ..host };
            let facts = host_facts(&host);
            // They stand elsewhere in the declaration.
            assert!(!facts.contains_key("uid_class") && !facts.contains_key("fixture_fs"), "{facts:?}");
            assert_eq!(facts["arch"], Stated::Is(json!("x86_64")));
            assert_eq!(absent(&facts["landlock_abi"]), landlock, "{os}");
            assert_eq!(absent(&facts["product_version"]), product, "{os}");
            assert_eq!(absent(&facts["kernel_release"]), UNSEEN, "{os}");
        }
    }

    #[test]
    fn what_confines_a_run_is_stated_as_far_as_the_system_and_a_dry_run_let_it_be_known() {
        const UNSEEN: &str = "not_found_out";
        const OTHER: &str = "no_such_fact";
        const DRY: &str = "dry_run_no_fixtures";
        let unknown = ConfinementFacts::default();
        let found = confinement(&unknown, "linux", false);
        assert_eq!((absent(&found.landlock_layers), absent(&found.seatbelt)), (UNSEEN, OTHER));
        assert_eq!(absent(&found.landlock_refuses_refer), UNSEEN);
        assert_eq!(found.rules_over_fixtures, Stated::Is(BTreeMap::new()));
        let found = confinement(&unknown, "macos", false);
        assert_eq!((absent(&found.landlock_layers), absent(&found.seatbelt)), (OTHER, UNSEEN));
        let found = confinement(&unknown, "linux", true);
        assert_eq!((absent(&found.landlock_refuses_refer), absent(&found.rules_over_fixtures)), (DRY, DRY));
        let known = ConfinementFacts { landlock_refuses_refer: Some(true), ..unknown };
        assert_eq!(confinement(&known, "linux", true).landlock_refuses_refer, Stated::Is(true));
    }
}
