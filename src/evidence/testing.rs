//! Plans, rows, and a memory sink for the tests of this folder.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::Arc;

use super::{ArtifactSink, DerivationOutcome, DeriveError, ProfileControls, RowSource, derive};
use crate::base::digest::Digest;
use crate::base::ids::{ExpectationId, ProbeId, ProfileId, RunId};
use crate::plan::file::{PlanFile, ProbeEntry, ProfileEntry};
use crate::plan::resolved::Selection;
use crate::plan::{LaneSet, ResolvedPlan, ResolvedPolicy, ResolvedProbe, ResolvedProfile};
use crate::policy::PolicyValue;
use crate::policy::landlock::LandlockPolicy;
use crate::record::action::Action;
use crate::record::driver::Driver;
use crate::record::ending::Ending;
use crate::record::fixture::ListenerKind;
use crate::record::manifest::{ChannelKind, FactCheck, HostFacts, RunManifest, RunStatus, WorldCheck, testing};
use crate::record::outcome::{Decision, Lane};
use crate::record::report::{
    ApplyRecord, Call, CallRole, OpenedFile, OperationReport, Prologue, SelfCheck, TargetIdentity,
};
use crate::record::row::{ListenerRecord, ORACLE_ROW_SCHEMA, OracleRow, ProbeRow};

pub(super) const ALL_LANES: LaneSet = LaneSet { baseline: true, scenario: true, oracle: true };

/// (probe name, operation, driver, target, expected)
pub(super) type ProbeSpec<'a> = (&'a str, &'a str, Driver, &'a str, Decision);

pub(super) fn action(driver: Driver, target: &str) -> Action {
    Action::new(driver, target)
}

pub(super) fn plan(lanes: LaneSet, profiles: &[(&str, &[ProbeSpec<'_>])]) -> ResolvedPlan {
    let plan: PlanFile = serde_json::from_value(serde_json::json!({
        "schema_version": "runtime-tools.plan.v0.1",
        "plan_id": "tiny",
        "registry_id": "tiny",
        "world_id": "linux-test",
        "profiles": profiles.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        "lanes": {"baseline": lanes.baseline, "scenario": lanes.scenario, "oracle": lanes.oracle},
    }))
    .unwrap();
    let profiles = profiles.iter().map(|(id, probes)| profile(id, probes)).collect();
    ResolvedPlan {
        plan,
        plan_digest: Digest::of(b"plan"),
        lanes,
        deadline_ms: 10_000,
        profiles,
        world: None,
        undivided: None,
        subject: None,
        preflight: None,
        documents: Vec::new(),
        selection: Selection::default(),
    }
}

fn policy() -> LandlockPolicy {
    let document = serde_json::from_value(serde_json::json!({
        "schema_version": "sandproof.landlock_policy.v1",
        "abi": 1,
        "handled": {"fs": ["read_file"]},
        "path_beneath": [],
    }))
    .unwrap();
    LandlockPolicy::compile(&document).unwrap()
}

fn profile(id: &str, probes: &[ProbeSpec<'_>]) -> ResolvedProfile {
    let entry: ProfileEntry = serde_json::from_value(serde_json::json!({
        "profile_id": id,
        "profile_path": "registries/tiny/policy.json",
        "mode": "landlock",
        "probe_refs": probes.iter().map(|probe| probe.0).collect::<Vec<_>>(),
        "family": "tiny", "semantic_group": null, "key_specific_rules": [], "notes": null,
    }))
    .unwrap();
    let probes = probes
        .iter()
        .map(|(name, operation, driver, target, expected)| {
            let entry: ProbeEntry = serde_json::from_value(serde_json::json!({
                "probe_id": name, "name": name, "operation": operation, "target": target,
                "expected": expected, "driver": driver,
                "supports_lanes": {"baseline": true, "scenario": true, "oracle": true},
                "expected_primary_ops": [operation], "expected_predicates": [target],
                "capabilities_required": [], "controls_supported": ["baseline"],
            }))
            .unwrap();
            ResolvedProbe {
                entry: Arc::new(entry),
                expectation_id: ExpectationId::new(format!("{id}:{name}")).unwrap(),
                action: Some(action(*driver, target).into()),
                fixtures: Arc::new([]),
            }
        })
        .collect();
    ResolvedProfile {
        id: ProfileId::new(id).unwrap(),
        entry,
        policy: ResolvedPolicy {
            path: "registries/tiny/policy.json".to_owned(),
            digest: Digest::of(b"policy"),
            value: Arc::new(PolicyValue::Landlock(policy())),
        },
        probes,
    }
}

pub(super) fn manifest(plan: &ResolvedPlan) -> RunManifest {
    let world_id = plan.plan.world_id.clone().unwrap();
    let resolved = (plan.plan.plan_id.clone(), plan.plan_digest);
    let run_id = RunId::new("run-1").unwrap();
    let bare = testing::manifest(RunStatus::begun(run_id, world_id, ChannelKind::Direct, resolved, (1, 0.0)));
    let facts = vec![FactCheck { name: "os".into(), expected: "macos".into(), observed: None, ok: false }];
    RunManifest {
        host: HostFacts {
            kernel_release: Some("6.18.0".to_owned()),
            arch: Some("x86_64".to_owned()),
            lsms: Some(vec!["landlock".to_owned()]),
            fixture_fs: Some("tmpfs".to_owned()),
            ..bare.host
        },
        world: WorldCheck { facts, ..bare.world },
        ..bare
    }
}

pub(super) const ROOT: &str = "/dev/shm/sandproof-test/r";

pub(super) fn call(syscall: &str, role: CallRole, errno: i32) -> Call {
    Call { syscall: syscall.into(), role, ret: if errno == 0 { 0 } else { -1 }, errno, code: None }
}

pub(super) fn resolved(text: &str) -> String {
    text.replace("${root}", ROOT).replace("${port.open}", "40123")
}

/// What a probe reports that enforced its Landlock policy.
pub(super) fn landlock_applied() -> ApplyRecord {
    ApplyRecord {
        api: "landlock_restrict_self".into(),
        rc: 0,
        errno: 0,
        failure: None,
        class: None,
        message: None,
        abi: Some(7),
        unsupported: Vec::new(),
    }
}

/// A row that went through, as a probe under an enforced policy (or none, in the baseline) reports it.
pub(super) fn allowed(lane: Lane, seq: u64, profile: &str, probe: &str, declared: &Action) -> ProbeRow {
    let policy = lane != Lane::Baseline;
    let action = declared.map_texts(|text| Ok::<_, ()>(resolved(text))).unwrap();
    let check = |confined| SelfCheck { confined: Some(confined), errno: 0, no_new_privs: policy };
    let target = action.target.starts_with('/').then_some(TargetIdentity {
        errno: 0,
        dev: Some(26),
        ino: Some(100 + seq),
        mode: Some(0o100_644),
        uid: Some(1000),
    });
    let opened = target.is_some().then(|| OpenedFile {
        path: Some(action.target.clone()),
        path_errno: 0,
        nofirmlink: None,
        nofirmlink_errno: None,
        dev: 26,
        ino: 100 + seq,
        mode: 0o100_644,
    });
    let ids = (
        ProfileId::new(profile).unwrap(),
        ProbeId::new(probe).unwrap(),
        ExpectationId::new(format!("{profile}:{probe}")).unwrap(),
    );
    let listener = matches!(action.driver, Driver::TcpConnect | Driver::UdpSend).then(|| ListenerRecord {
        kind: ListenerKind::Tcp,
        address: action.target.clone(),
        accept_count: 1,
    });
    ProbeRow {
        ending: Some(Ending::Exited { code: 0 }),
        duration_us: 500,
        pid: Some(4242),
        prologue: Some(Prologue {
            pid: 4242,
            uid: 1000,
            open_fds: Vec::new(),
            self_check_before: check(false),
            setup_failure: None,
            target,
            apply: policy.then(landlock_applied),
            self_check_after: policy.then(|| check(true)),
            callouts: Vec::new(),
        }),
        operation: Some(OperationReport {
            calls: vec![call(action.driver.info().syscall, CallRole::Operation, 0)],
            opened,
            details: Vec::new(),
        }),
        listener,
        ..ProbeRow::new(lane, seq, ids, action, ROOT.to_owned(), 1_700_000_000.25)
    }
}

/// The same row, refused with `errno`.
pub(super) fn refused(mut row: ProbeRow, errno: i32) -> ProbeRow {
    let operation = row.operation.as_mut().unwrap();
    let last = operation.calls.last_mut().unwrap();
    (last.ret, last.errno) = (-1, errno);
    operation.opened = None;
    if let Some(listener) = &mut row.listener {
        listener.accept_count = 0;
    }
    row
}

/// Rows as files in memory.
#[derive(Default)]
pub(super) struct Files(pub BTreeMap<&'static str, Vec<u8>>);

impl Files {
    pub(super) fn put<T: serde::Serialize>(&mut self, lane: Lane, rows: &[T]) {
        let mut bytes = Vec::new();
        for row in rows {
            serde_json::to_writer(&mut bytes, row).unwrap();
            bytes.push(b'\n');
        }
        self.0.insert(lane.as_str(), bytes);
    }
}

impl RowSource for Files {
    fn open(&self, lane: Lane) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        Ok(self.0.get(lane.as_str()).map(|bytes| Box::new(bytes.as_slice()) as Box<dyn BufRead>))
    }
}

/// Artifacts in memory.
#[derive(Default, Debug, PartialEq)]
pub(super) struct Memory(pub BTreeMap<String, Vec<u8>>);

impl Memory {
    pub(super) fn text(&self, name: &str) -> &str {
        std::str::from_utf8(&self.0[name]).unwrap()
    }

    pub(super) fn json(&self, name: &str) -> serde_json::Value {
        crate::base::json::parse(&self.0[name]).unwrap()
    }
}

impl ArtifactSink for Memory {
    type Out = Vec<u8>;

    fn create(&mut self, name: &str) -> io::Result<Vec<u8>> {
        assert!(!self.0.contains_key(name), "{name} was written twice");
        Ok(Vec::new())
    }

    fn finish(&mut self, name: &str, out: Vec<u8>) -> io::Result<()> {
        self.0.insert(name.to_owned(), out);
        Ok(())
    }
}

pub(super) const NO_CONTROLS: &str = "this test has none";

pub(super) fn no_controls(plan: &ResolvedPlan) -> Vec<ProfileControls> {
    let none = ProfileControls { must_deny: Err(NO_CONTROLS.to_owned()), must_allow: Err(NO_CONTROLS.to_owned()) };
    vec![none; plan.profiles.len()]
}

/// Every lane of `plan`, everything allowed; tests change what they are about.
pub(super) struct Bench {
    pub plan: ResolvedPlan,
    pub manifest: RunManifest,
    pub controls: Vec<ProfileControls>,
    pub baseline: Vec<ProbeRow>,
    pub control: Vec<ProbeRow>,
    pub scenario: Vec<ProbeRow>,
    pub oracle: Vec<OracleRow>,
}

impl Bench {
    pub(super) fn new(plan: ResolvedPlan) -> Self {
        let rows = |lane| {
            plan.rows()
                .enumerate()
                .map(|(seq, (profile, probe))| {
                    let declared = probe.action.as_ref().unwrap();
                    allowed(lane, seq as u64, profile.id.as_str(), probe.entry.probe_id.as_str(), declared)
                })
                .collect::<Vec<_>>()
        };
        let oracle = plan
            .rows()
            .enumerate()
            .map(|(seq, (profile, probe))| OracleRow {
                schema_version: ORACLE_ROW_SCHEMA.into(),
                seq: seq as u64,
                profile_id: profile.id.clone(),
                probe_id: probe.entry.probe_id.clone(),
                expectation_id: probe.expectation_id.clone(),
                source: "landlock_model".into(),
                decision: probe.entry.expected.decision(),
                rule: Some("/path_beneath/0".to_owned()),
                reason: "the rule beneath the root grants it".to_owned(),
                assumes: Vec::new(),
            })
            .collect();
        Self {
            manifest: manifest(&plan),
            controls: no_controls(&plan),
            baseline: rows(Lane::Baseline),
            control: Vec::new(),
            scenario: rows(Lane::Scenario),
            oracle,
            plan,
        }
    }

    /// Gives the profile at `n` both controls, with rows that show what they must.
    pub(super) fn with_controls(mut self, n: usize) -> Self {
        let deny = action(Driver::FileRead, "${root}/control-denied");
        let allow = action(Driver::FileStat, "${root}");
        self.controls[n] = ProfileControls { must_deny: Ok(deny.clone()), must_allow: Ok(allow.clone()) };
        let profile = self.plan.profiles[n].id.clone();
        let seq = self.control.len() as u64;
        let mut denied =
            refused(allowed(Lane::Control, seq, profile.as_str(), "control:must_deny", &deny), libc::EACCES);
        denied.control_expects = Some(Decision::Deny);
        let mut let_through = allowed(Lane::Control, seq + 1, profile.as_str(), "control:must_allow", &allow);
        let_through.control_expects = Some(Decision::Allow);
        self.control.extend([denied, let_through]);
        self
    }

    pub(super) fn files(&self) -> Files {
        let mut files = Files::default();
        let lanes = self.plan.lanes;
        if self.manifest.dry_run {
            return files;
        }
        if lanes.baseline {
            files.put(Lane::Baseline, &self.baseline);
        }
        if lanes.scenario {
            files.put(Lane::Scenario, &self.scenario);
            files.put(Lane::Control, &self.control);
        }
        if lanes.oracle {
            files.put(Lane::Oracle, &self.oracle);
        }
        files
    }

    pub(super) fn derive_from(&self, files: &Files) -> Result<(Memory, DerivationOutcome), DeriveError> {
        let mut memory = Memory::default();
        let outcome = derive(&self.plan, &self.manifest, &self.controls, files, &mut memory)?;
        Ok((memory, outcome))
    }

    pub(super) fn derive(&self) -> (Memory, DerivationOutcome) {
        self.derive_from(&self.files()).unwrap()
    }
}

/// Two profiles: a file probe that must be refused, one that must go through, and a connection.
pub(super) fn tiny_plan() -> ResolvedPlan {
    plan(
        ALL_LANES,
        &[
            (
                "files",
                &[
                    ("read_open", "file-read-data", Driver::FileRead, "${root}/open.txt", Decision::Allow),
                    ("read_secret", "file-read-data", Driver::FileRead, "${root}/secret.txt", Decision::Deny),
                ],
            ),
            (
                "network",
                &[("connect", "network-outbound", Driver::TcpConnect, "127.0.0.1:${port.open}", Decision::Deny)],
            ),
        ],
    )
}
