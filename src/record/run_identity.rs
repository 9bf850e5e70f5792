//! The four parts of a run's declaration, element by element.
//!
//! Collections are objects keyed by id, so that a difference between two declarations has the pointer of the thing that
//! differs. What has no value says why ([`Stated`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::identity::Stated;
use super::manifest::ChannelKind;
use super::sources::InputRole;
use crate::base::digest::Digest;
use crate::base::ids::{ExpectationId, PlanId, ProfileId, WorldId};

/// The rules by which `promote` judges. Declared with the run, so that a packet under other rules can be told apart.
pub const GATE_RULES: &str = "sandproof.gate_rules.v2";

/// What runs: documents, policies and programs, by digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactPart {
    /// This program.
    pub tool: ToolElement,
    /// The plan that is run, and its digest.
    pub plan: PlanElement,
    /// Every document that the run reads: role to path to digest.
    pub documents: BTreeMap<InputRole, BTreeMap<String, Digest>>,
    /// The profiles that run, with their policies.
    pub profiles: BTreeMap<ProfileId, PolicyElement>,
    /// The policy of the apply preflight.
    pub preflight_policy: Stated<PolicyElement>,
    /// The template that the plan and its documents were built from.
    pub template: Stated<String>,
    /// What the harness makes for probes.
    pub fixtures: FixturesElement,
    /// Programs beside this one that the run starts: resolved path to digest.
    pub commands: BTreeMap<String, Stated<Digest>>,
    /// What the documents of launchers do not hold, by profile. Absent: no profile is one of mode `launcher`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub launchers: BTreeMap<ProfileId, LauncherElement>,
    /// The system whose sandbox is being probed, as a declaration of its own.
    pub subject: Stated<SubjectElement>,
}

/// Which launcher it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LauncherElement {
    /// Its programs: resolved path, or the name of one that was not found, to digest.
    pub programs: BTreeMap<String, Stated<Digest>>,
    /// The first line that it says of its version.
    pub version: Stated<String>,
}

/// This program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolElement {
    /// `sandproof`
    pub name: String,
    /// Version of the tool, as `sandproof version` prints it.
    pub version: String,
    /// Digest of the executable file.
    pub sha256: Digest,
    /// The commit that it was built from.
    pub commit: Stated<String>,
    /// The target triple that it was built for.
    pub target: String,
}

/// The plan, as a declaration names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanElement {
    /// Id of the plan.
    pub plan_id: PlanId,
    /// The digest over its material keys.
    pub plan_digest: Digest,
    /// Id of the registry.
    pub registry_id: String,
}

/// A policy: the document, and what it was read as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyElement {
    /// Path of the policy document.
    pub path: String,
    /// How it is written.
    pub mode: String,
    /// Digest of the document.
    pub sha256: Digest,
    /// Digest of its meaning: what is enforced, whatever the document's layout.
    pub value_sha256: Digest,
}

/// What the harness makes for probes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixturesElement {
    /// How many entries the profiles and probes list.
    pub entries: u64,
    /// Digest over all of them: contents, modes, attributes, links.
    pub sha256: Digest,
}

/// The system whose sandbox is being probed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectElement {
    /// Path of the subject's declaration.
    pub path: String,
    /// Digest of the declaration's file.
    pub sha256: Digest,
    /// What it declares itself to be.
    pub kind: String,
    /// Identity of the subject: the digest that its sealed declaration states.
    pub identity: Digest,
}

/// What the run runs on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimePart {
    /// The declared world, and the digest of its document.
    pub world: WorldElement,
    /// The host as observed: fact to value.
    pub host: BTreeMap<String, Stated<Value>>,
    /// What puts policies in force.
    pub enforcer: EnforcerElement,
    /// How the worker is started.
    pub channel: ChannelElement,
    /// Every variable that can influence a run (`identity::environment`), by name: the digest of its value.
    pub environment: BTreeMap<String, Stated<Digest>>,
    /// Who runs it, as a class.
    pub user: UserElement,
    /// Resource limits of the process that starts probes.
    pub rlimits: Stated<BTreeMap<String, LimitElement>>,
    /// File mode creation mask of the process, in octal.
    pub umask: Stated<String>,
    /// The locale that the environment asks for. The program itself uses none.
    pub locale: Stated<String>,
    /// Name of the time zone, such as `Europe/Paris`, as `TZ` or `/etc/localtime` states it.
    pub time_zone: Stated<String>,
    /// The type of the file system that fixtures are made on.
    pub fixture_file_system: Stated<String>,
    /// What confines the process that starts probes, and which rules reach the place of its fixtures.
    pub confinement: Stated<ConfinementElement>,
    /// How many workers run probes.
    pub jobs: u32,
    /// How often each probe is performed; absent: once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
    /// The seed of the order in which probes are taken up; absent: as the plan has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shuffle: Option<u32>,
}

/// The world, as a declaration names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldElement {
    /// The world that the plan declares.
    pub declared: WorldId,
    /// The world that the host is in.
    pub world_id: Stated<WorldId>,
    /// Digest of the declared world's document.
    pub document_sha256: Stated<Digest>,
}

/// What puts policies in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnforcerElement {
    /// `landlock`, `seatbelt`.
    pub name: Stated<String>,
    /// What was measured of it and of the place of the fixtures, by name.
    pub abilities: Stated<BTreeMap<String, Value>>,
}

/// How the worker is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelElement {
    /// How the worker is started: `direct`, `launchd_clean` or `systemd_clean`.
    pub kind: ChannelKind,
    /// What the service manager is told.
    pub job: Stated<JobElement>,
}

/// What a service manager is told of a worker, but for what is random.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobElement {
    /// The environment that the job lists, by name: the digest of the value.
    pub environment: BTreeMap<String, Stated<Digest>>,
    /// Names that the manager may add of its own accord.
    pub manager_environment: Vec<String>,
}

/// Who runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserElement {
    /// `root` or `user`.
    pub uid_class: String,
    /// `root` or `user`.
    pub gid_class: String,
}

/// What confines the process that starts probes before it applies a policy. A run inside a sandbox and one outside of it
/// are different runs, even where they find the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfinementElement {
    /// In how many Landlock domains it is.
    pub landlock_layers: Stated<u32>,
    /// Whether they refuse to move files between folders once a further layer handles file rights.
    pub landlock_refuses_refer: Stated<bool>,
    /// Seccomp mode of the process: 0 off, 1 strict, 2 filter.
    pub seccomp: Stated<u32>,
    /// How many seccomp filters it has.
    pub seccomp_filters: Stated<u32>,
    /// Whether it has given up gaining privileges.
    pub no_new_privs: Stated<bool>,
    /// The label that a security module gave it; empty if none keeps labels.
    pub lsm_label: Stated<String>,
    /// Whether a Seatbelt profile confines it.
    pub seatbelt: Stated<bool>,
    /// The rules that cover the folder in which the fixtures are made, by profile; a rule on `/` is not counted.
    pub rules_over_fixtures: Stated<BTreeMap<ProfileId, Vec<String>>>,
}

/// A resource limit, as texts: a decimal number or `unlimited`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitElement {
    /// The soft limit.
    pub soft: String,
    /// The hard limit.
    pub hard: String,
}

/// How the run is run and judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyPart {
    /// Which lanes are on.
    pub lanes: LanesElement,
    /// The plan's `controls`, as written.
    pub controls: Map<String, Value>,
    /// What is expected, by profile.
    pub expectations: BTreeMap<ProfileId, ExpectationsElement>,
    /// The rule by which observations become decisions.
    pub decision_rule: String,
    /// The rule by which a bundle becomes promotable.
    pub gate_rules: String,
    /// How long one probe may run, in milliseconds.
    pub deadline_ms: u64,
    /// How long a worker of a clean channel may take, in milliseconds.
    pub channel_limit_ms: Stated<u64>,
    /// The sizes and counts past which input is refused.
    pub limits: BTreeMap<String, u64>,
    /// What happens when another run has the output root: `fail`, or `wait` and how long.
    pub lock: LockElement,
    /// Whether the apply preflight is part of the run.
    pub preflight: bool,
    /// What narrows the plan; empty lists narrow nothing.
    pub selection: SelectionElement,
    /// Which share of the plan this is.
    pub shard: Stated<String>,
    /// Whether everything is done but executing.
    pub dry_run: bool,
    /// Whether probes may execute programs that are not this program's own; absent: they may not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub host_programs: bool,
    /// JSON pointers of what no document of a bundle confirms, sorted: it stands as it is declared. Absent in declarations of the
    /// first format, whose reasons for absence are words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconfirmed: Option<Vec<String>>,
}

/// Which lanes are on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanesElement {
    /// Without a policy.
    pub baseline: bool,
    /// Under the policy.
    pub scenario: bool,
    /// Asked, not witnessed.
    pub oracle: bool,
}

/// What is expected of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectationsElement {
    /// How many rows.
    pub rows: u64,
    /// SHA-256 over one line a row, in run order: expectation id, tab, expected decision, newline.
    pub sha256: Digest,
}

/// What happens when another run has the output root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockElement {
    /// `fail` or `wait`.
    pub mode: String,
    /// How long `wait` waits, in milliseconds.
    pub limit_ms: Stated<u64>,
}

/// What narrows the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectionElement {
    /// Profile ids given with `--only-profile`; empty selects all.
    pub only_profiles: Vec<String>,
    /// Expectation ids given with `--only-scenario`; empty selects all.
    pub only_scenarios: Vec<String>,
}

/// The state that the run starts from. Nothing is implicit: an empty list says that there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryPart {
    /// What probes find.
    pub fixtures: FixtureHistory,
    /// Where the input documents are read from: `workspace`, or `staged` for a copy that a clean channel makes.
    pub inputs: String,
    /// Identities of earlier runs whose results the plan builds on.
    pub depends_on: Vec<Digest>,
    /// Deviations that somebody has approved. They change no verdict and no gate.
    pub waivers: Vec<Waiver>,
}

/// What probes find.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixtureHistory {
    /// `fresh`: made for each probe and lane and removed after it. `none` in a dry run.
    pub created: String,
    /// Fixed paths that probes aim at and the run does not make.
    pub pre_existing: PreExisting,
}

/// Fixed paths that probes aim at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreExisting {
    /// How many paths there are.
    pub paths: u64,
    /// SHA-256 over one line each, sorted: path, tab, kind, newline.
    pub sha256: Digest,
    /// The first thousand of those that are in Unicode normal form C, by path: `file`, `dir`, `symlink`, `device`, `fifo`, `socket`, `missing`, or `unknown` where
    /// this user may not look.
    pub kinds: BTreeMap<String, String>,
}

/// A deviation that somebody has approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The expectation that it is about.
    pub expectation_id: ExpectationId,
    /// Why it is accepted.
    pub reason: String,
    /// Who approved it.
    pub approved_by: String,
    /// The last day on which it holds, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// The four parts, read.
#[derive(Debug, Clone, PartialEq)]
pub struct RunParts {
    /// Documents, policies and programs, by digest.
    pub artifact: ArtifactPart,
    /// What it runs on.
    pub runtime: RuntimePart,
    /// How it is run and judged.
    pub policy: PolicyPart,
    /// The state that it starts from.
    pub history: HistoryPart,
}
