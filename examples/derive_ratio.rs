//! Measures what deriving every artifact costs, against a bare loop that only parses the same rows.
//!
//! `cargo run --release --example derive_ratio [PROBES]` prints both times and their ratio.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::time::Instant;

use sandproof::base::digest::Digest;
use sandproof::base::ids::{ExpectationId, ProfileId};
use sandproof::evidence::{ArtifactSink, ProfileControls, RowSource, derive};
use sandproof::plan::resolved::Selection;
use sandproof::plan::{LaneSet, ResolvedPlan, ResolvedPolicy, ResolvedProbe, ResolvedProfile};
use sandproof::policy::PolicyValue;
use sandproof::record::manifest::RunManifest;
use sandproof::record::outcome::Lane;
use sandproof::record::row::{OracleRow, ProbeRow};
use serde_json::json;

struct Rows(BTreeMap<&'static str, Vec<u8>>);

impl RowSource for Rows {
    fn open(&self, lane: Lane) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        Ok(self.0.get(lane.as_str()).map(|bytes| Box::new(io::BufReader::new(&bytes[..])) as Box<dyn BufRead>))
    }
}

#[derive(Default)]
struct Discard(u64);

impl Write for Discard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Sink(u64);

impl ArtifactSink for Sink {
    type Out = Discard;
    fn create(&mut self, _: &str) -> io::Result<Discard> {
        Ok(Discard::default())
    }
    fn finish(&mut self, _: &str, out: Discard) -> io::Result<()> {
        self.0 += out.0;
        Ok(())
    }
}

fn row(seq: usize, lane: &str) -> serde_json::Value {
    let policy = lane == "scenario";
    let denied = policy && seq.is_multiple_of(2);
    let root = format!("/dev/shm/sandproof-0123/{}/r", seq % 4);
    let mut row = json!({
        "schema_version": "sandproof.probe_row.v1", "seq": seq, "lane": lane, "profile_id": "files",
        "probe_id": format!("files:probe_{seq}"), "expectation_id": format!("files:probe_{seq}"),
        "action": {"driver": "file_read", "target": format!("{root}/allowed/file.txt")},
        "root": root, "ending": {"how": "exited", "code": 0}, "started_at_unix_s": 1_763_692_000.123_456,
        "duration_us": 187, "pid": 12345,
        "prologue": {
            "pid": 12345, "uid": 1000,
            "open_fds": [{"fd": 3, "what": "pipe:[123456]"}],
            "self_check_before": {"confined": false, "errno": 0, "no_new_privs": false},
            "target": {"errno": 0, "dev": 26, "ino": 123_456, "mode": 0o100_644, "uid": 1000},
        },
        "operation": {"calls": [{"syscall": "openat", "role": "operation", "ret": 4, "errno": 0}]},
    });
    if policy {
        row["prologue"]["apply"] = json!({"api": "landlock_restrict_self", "rc": 0, "errno": 0, "abi": 7});
        row["prologue"]["self_check_after"] = json!({"confined": true, "errno": 13, "no_new_privs": true});
    }
    if denied {
        row["operation"]["calls"][0]["ret"] = json!(-1);
        row["operation"]["calls"][0]["errno"] = json!(13);
    } else {
        row["operation"]["calls"]
            .as_array_mut()
            .unwrap()
            .push(json!({"syscall": "read", "role": "operation", "ret": 1, "errno": 0}));
        row["operation"]["opened"] =
            json!({"path": row["action"]["target"], "path_errno": 0, "dev": 26, "ino": 123_456, "mode": 0o100_644});
        row["operation"]["details"] = json!([["bytes", 1]]);
    }
    row
}

fn main() {
    let probes: usize = std::env::args().nth(1).map_or(66_667, |text| text.parse().expect("a number of probes"));
    let lanes = LaneSet { baseline: true, scenario: true, oracle: true };
    let resolved = (0..probes)
        .map(|seq| {
            let id = format!("files:probe_{seq}");
            let entry = serde_json::from_value(json!({
                "probe_id": id, "name": format!("probe_{seq}"), "operation": "file-read-data",
                "target": "${root}/allowed/file.txt", "driver": "file_read",
                "expected": if seq.is_multiple_of(2) { "deny" } else { "allow" },
            }))
            .unwrap();
            ResolvedProbe {
                entry: Arc::new(entry),
                expectation_id: ExpectationId::new(id).unwrap(),
                action: Some(
                    serde_json::from_value(json!({"driver": "file_read", "target": "${root}/allowed/file.txt"}))
                        .unwrap(),
                ),
                fixtures: Arc::new([]),
            }
        })
        .collect();
    let profile = ResolvedProfile {
        id: ProfileId::new("files").unwrap(),
        entry: serde_json::from_value(
            json!({"profile_id": "files", "profile_path": "p.json", "mode": "landlock", "probe_refs": []}),
        )
        .unwrap(),
        policy: ResolvedPolicy {
            path: "p.json".into(),
            digest: Digest::of(b""),
            value: Arc::new(PolicyValue::Blob(Vec::new())),
        },
        probes: resolved,
    };
    let plan = ResolvedPlan {
        plan: serde_json::from_value(json!({"schema_version": "runtime-tools.plan.v0.1", "plan_id": "p", "registry_id": "r", "profiles": ["files"]})).unwrap(),
        plan_digest: Digest::of(b""),
        lanes,
        deadline_ms: 10_000,
        profiles: vec![profile],
        preflight: None,
        documents: Vec::new(),
        selection: Selection::default(),
    };
    let manifest: RunManifest = serde_json::from_value(json!({
        "schema_version": "runtime-tools.run_manifest.v0.1", "run_id": "r", "world_id": "w", "channel": "direct", "plan_id": "p",
        "plan_digest": Digest::of(b""), "dry_run": false, "stage_used": false, "stage_root": null, "repo_root_context": ".",
        "staged_output_root": null, "output_root": "out/r", "apply_preflight": null,
        "tool": {"name": "sandproof", "version": "0", "sha256": Digest::of(b"")},
        "host": {"os": "linux", "kernel_release": null, "kernel_version": null, "arch": null, "product_version": null,
            "product_build": null, "landlock_abi": 7, "lsms": null, "uid_class": "user", "fixture_fs": null},
        "selection": {"only_profiles": [], "only_scenarios": []}, "deadline_ms": 1, "jobs": 1, "fixture_base": "/dev/shm",
        "started_at_unix_s": 0.0,
    }))
    .unwrap();
    let controls = [ProfileControls { must_deny: Err("none".into()), must_allow: Err("none".into()) }];
    let mut files = BTreeMap::new();
    for lane in ["baseline", "scenario", "oracle"] {
        let mut bytes = Vec::new();
        for seq in 0..probes {
            if lane == "oracle" {
                let row = json!({"schema_version": "sandproof.oracle_row.v1", "seq": seq, "profile_id": "files",
                    "probe_id": format!("files:probe_{seq}"), "expectation_id": format!("files:probe_{seq}"),
                    "source": "landlock_model", "decision": if seq.is_multiple_of(2) { "deny" } else { "allow" },
                    "rule": "/path_beneath/0", "reason": "the rule beneath ${root}/allowed grants read_file"});
                // As a run writes it: members in the order of the shape.
                serde_json::to_writer(&mut bytes, &serde_json::from_value::<OracleRow>(row).unwrap()).unwrap();
            } else {
                serde_json::to_writer(&mut bytes, &serde_json::from_value::<ProbeRow>(row(seq, lane)).unwrap())
                    .unwrap();
            }
            bytes.push(b'\n');
        }
        files.insert(lane, bytes);
    }
    let rows = Rows(files);
    let size: usize = rows.0.values().map(Vec::len).sum();
    for _ in 0..5 {
        let start = Instant::now();
        for (lane, bytes) in &rows.0 {
            let mut reader = io::BufReader::new(&bytes[..]);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).unwrap() > 0 {
                if *lane == "oracle" {
                    std::hint::black_box(serde_json::from_slice::<OracleRow>(&line).unwrap());
                } else {
                    std::hint::black_box(serde_json::from_slice::<ProbeRow>(&line).unwrap());
                }
                line.clear();
            }
        }
        let bare = start.elapsed();
        let mut sink = Sink::default();
        let start = Instant::now();
        let outcome = derive(&plan, &manifest, &controls, &rows, &mut sink).unwrap();
        let whole = start.elapsed();
        assert_eq!(outcome.total.rows.matched, probes as u64);
        writeln!(
            io::stdout(),
            "{} rows of {} bytes: bare parse {bare:.3?}, derive {whole:.3?} ({} MB out), ratio {:.2}",
            3 * probes,
            size / (3 * probes),
            sink.0 / 1_000_000,
            whole.as_secs_f64() / bare.as_secs_f64()
        )
        .unwrap();
    }
}
