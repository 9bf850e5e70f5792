//! The gates over small whole bundles, and the packet.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::gates::{Documents, evaluate_committed, is_of_one_worker};
use super::{Reason, evaluate, evaluate_unverified, packet};
use crate::base::digest::Digest;
use crate::base::ids::RunId;
use crate::base::json_out;
use crate::bundle::open_unverified;
use crate::bundle::repair::repair;
use crate::bundle::tests::fixture::{
    RUN, build, declaration, derived, edit_index, lock, manifest, path, raw, raw_as, rewrite, verify,
};
use crate::bundle::writer::RunEnd;
use crate::evidence::channel_checks;
use crate::evidence::contradiction::Times;
use crate::record::channel_witness::{CHANNEL_WITNESS_SCHEMA, ChannelWitness};
use crate::record::confinement::ConfinementFacts;
use crate::record::index::{ArtifactEntry, ArtifactIndex};
use crate::record::layout;
use crate::record::manifest::{ChannelKind, PreflightRef, RunManifest};
use crate::record::packet::PromotionPacket;
use crate::record::report::OpenFd;
use crate::record::shard::ShardRecord;

fn names(reasons: &[Reason]) -> Vec<&'static str> {
    reasons.iter().map(|reason| reason.as_str()).collect()
}

/// The reasons against a bundle with that manifest.
fn reasons(edit: impl FnOnce(&mut RunManifest)) -> Vec<&'static str> {
    let out = tempfile::tempdir().unwrap();
    let lock = lock(out.path(), RUN);
    let mut manifest = manifest(RUN);
    edit(&mut manifest);
    let committed = derived(raw_as(&lock, &manifest)).commit(RunEnd::Complete { dry: false }).unwrap();
    let bundle = verify(&committed.folder).unwrap();
    names(evaluate(&bundle).reasons())
}

fn preflight(apply_ok: bool, sandboxed: Value) -> Option<PreflightRef> {
    let record = json!({"apply_ok": apply_ok, "sandbox_check_self": {"sandboxed": sandboxed}});
    Some(PreflightRef { path: layout::APPLY_PREFLIGHT.into(), record })
}

#[test]
fn each_condition_gives_its_reason_and_no_other() {
    let good = |manifest: &mut RunManifest| manifest.apply_preflight = preflight(true, json!(false));
    assert_eq!(reasons(good), ["not_clean_channel"]);
    assert_eq!(reasons(|_| ()), ["apply_preflight_missing", "not_clean_channel"]);
    assert_eq!(reasons(|m| m.apply_preflight = preflight(false, json!(false))), ["apply_failed", "not_clean_channel"]);
    assert_eq!(
        reasons(|m| m.apply_preflight = preflight(true, json!(true))),
        ["already_sandboxed", "not_clean_channel"]
    );
    assert_eq!(
        reasons(|m| m.apply_preflight = preflight(true, Value::Null)),
        ["not_clean_channel", "self_check_unknown"]
    );
    let with = |edit: fn(&mut RunManifest)| {
        reasons(|manifest| {
            good(manifest);
            edit(manifest);
        })
    };
    assert_eq!(with(|m| m.channel = ChannelKind::SystemdClean), ["channel_unwitnessed"]);
    assert_eq!(with(|m| m.dry_run = true), ["dry_run", "not_clean_channel"]);
    assert_eq!(with(|m| m.selection.only_profiles.push("p".into())), ["not_clean_channel", "selection_filtered"]);
    // Also where it is the only share.
    assert_eq!(
        with(|m| m.selection.shard = ShardRecord::declared("hash:1/1")),
        ["coverage_partial", "not_clean_channel"]
    );
    assert_eq!(with(|m| m.selection.only_scenarios.push("s".into())), ["not_clean_channel", "selection_filtered"]);
    assert_eq!(with(|m| m.world.matches = false), ["not_clean_channel", "world_mismatch"]);
    // A world that calls `direct` clean is not believed, and a clean channel of another world is not clean here.
    assert_eq!(with(|m| m.world.clean_channels = vec![ChannelKind::Direct]), ["not_clean_channel"]);
    let other = |m: &mut RunManifest| m.channel = ChannelKind::LaunchdClean;
    assert_eq!(with(other), ["channel_unwitnessed", "not_clean_channel"]);
    assert_eq!(with(|m| m.declared_inputs.clear()), ["identity_missing", "not_clean_channel"]);
}

/// A witness whose every question has a good answer.
fn witness() -> ChannelWitness {
    let digest = Digest::of(b"x").to_string();
    let unit = format!("sandproof-{RUN}.service");
    let group = format!("/system.slice/{unit}");
    let namespaces: Vec<Value> = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"]
        .map(|name| json!({"name": name, "own": format!("{name}:[1]"), "parent": format!("{name}:[1]")}))
        .to_vec();
    let mut witness: ChannelWitness = serde_json::from_value(json!({
        "schema_version": CHANNEL_WITNESS_SCHEMA, "run_id": RUN, "channel": "systemd_clean",
        "worker": {
            "schema_version": "sandproof.worker_witness.v1", "pid": 42, "ppid": 1, "parent_name": "systemd",
            "session": 42, "unit": unit, "invocation_id": "abc", "nonce_sha256": digest, "control_group": group,
            "environment": [{"name": "PATH", "value_sha256": digest}], "open_fds": [{"fd": 0, "what": "/dev/null"}],
            "rlimits": [], "umask": 18, "ids": [0, 0, 0, 0], "namespaces": namespaces, "no_new_privs": false,
            "seccomp": 0, "capability_bounding_set": "ff", "parent_capability_bounding_set": "ff",
            "effective_capabilities": "ff", "ambient_capabilities": "00",
            "root_directory": {"own": "mount 1", "parent": "mount 1"},
            "preload": {"named": [], "libraries": []}, "lsm_label": "", "landlock_layers": 0, "seatbelt_confined": null
        },
        "manager": {
            "manager": "systemd", "domain": "system", "unit": unit, "main_pid": 42, "invocation_id": "abc",
            "control_group": group, "state": "exited", "result": "success", "exit_code": 0, "signal": null,
            "raw": [
                ["DevicePolicy", "auto"], ["runs", "1"], ["LoadState", "loaded"], ["SubState", "exited"],
                ["Result", "success"], ["ExecMainPID", "42"], ["ExecMainCode", "1"], ["ExecMainStatus", "0"],
                ["InvocationID", "abc"], ["FragmentPath", format!("/run/systemd/transient/{unit}")],
                ["DropInPaths", ""], ["Type", "exec"], ["RemainAfterExit", "yes"], ["Restart", "no"],
                ["RootDirectory", ""], ["RootImage", ""], ["User", ""], ["Group", ""], ["PAMName", ""],
            ]
        },
        "job": {"unit": unit, "nonce_sha256": digest, "environment": ["PATH"], "manager_environment": []},
        "checks": [], "clean": true
    }))
    .unwrap();
    settle(&mut witness);
    witness
}

/// Makes the answers those that the facts give.
fn settle(witness: &mut ChannelWitness) {
    witness.checks = channel_checks::checks(channel_checks::WitnessSides {
        channel: witness.channel,
        run_id: &witness.run_id,
        declared: channel_checks::DeclaredWorker::of(&declaration()).as_ref(),
        worker: witness.worker.as_ref(),
        manager: witness.manager.as_ref(),
        job: witness.job.as_ref(),
    });
    witness.clean = channel_checks::is_clean(&witness.checks);
}

/// What the gates read of a bundle's files before it is verified.
fn documents_of(folder: &Path) -> Documents {
    let read = |name: &str| fs::read(folder.join(name)).ok();
    Documents {
        channel_witness: read(layout::CHANNEL_WITNESS),
        run_identity: read(layout::RUN_IDENTITY),
        controls: read(layout::CONTROLS),
        summary: read(layout::SUMMARY),
        run_status: read(layout::RUN_STATUS),
        times: Times::default(),
    }
}

/// Of a run of the channel `systemd_clean` whose preflight went well.
fn clean_manifest() -> RunManifest {
    RunManifest { apply_preflight: preflight(true, json!(false)), channel: ChannelKind::SystemdClean, ..manifest(RUN) }
}

/// The reasons against an otherwise good bundle of the channel `systemd_clean` with that witness and that drift.
fn reasons_of(witness: &ChannelWitness, drift: Option<Vec<String>>) -> Vec<&'static str> {
    let out = tempfile::tempdir().unwrap();
    let lock = lock(out.path(), RUN);
    let manifest = clean_manifest();
    let mut writer = derived(raw_as(&lock, &manifest));
    writer.put(&path(layout::CHANNEL_WITNESS), &json_out::to_pretty(witness)).unwrap();
    if let Some(drift) = drift {
        writer.note_drift(drift);
    }
    let committed = writer.commit(RunEnd::Complete { dry: false }).unwrap();
    let bundle = verify(&committed.folder).unwrap();
    let report = evaluate(&bundle);
    let early = evaluate_committed(&manifest, &committed.index, &documents_of(&committed.folder));
    assert_eq!(early, report, "the early answer is the same");
    names(report.reasons())
}

#[test]
fn nothing_speaks_against_a_witnessed_bundle() {
    assert_eq!(reasons_of(&witness(), None), Vec::<&str>::new());
}

#[test]
fn a_witness_of_another_worker_than_the_manifest_convinces_nobody() {
    let facts = || ConfinementFacts {
        landlock_layers: Some(0),
        landlock_refuses_refer: Some(false),
        seccomp: Some(0),
        seccomp_filters: Some(0),
        no_new_privs: Some(false),
        lsm_label: Some(String::new()),
        seatbelt: None,
        rules_over_fixtures: Default::default(),
    };
    let mut manifest = manifest(RUN);
    manifest.stage_root = Some("/var/tmp/sandproof-stage-a".into());
    manifest.confinement = Some(facts());
    let mut good = witness();
    let worker = good.worker.as_mut().unwrap();
    (worker.landlock_layers, worker.seccomp, worker.no_new_privs) = (Some(0), Some(0), Some(false));
    worker.lsm_label = Some(String::new());
    // What is above the copy may be a link, so that its path reads otherwise.
    let output = |fd, what: &str| OpenFd { fd, what: what.into() };
    let opened = worker.open_fds.as_mut().unwrap();
    opened.extend([1, 2].map(|fd| output(fd, "/data/tmp/sandproof-stage-a/stdout.txt")));
    assert!(is_of_one_worker(&manifest, &good));
    type Spoil = fn(&mut ConfinementFacts);
    let others: [Spoil; 4] = [
        |own| own.landlock_layers = Some(1),
        |own| own.seccomp = Some(2),
        |own| own.no_new_privs = Some(true),
        |own| own.lsm_label = Some("docker-default".into()),
    ];
    for (n, spoil) in others.into_iter().enumerate() {
        let mut own = facts();
        spoil(&mut own);
        let other = RunManifest { confinement: Some(own), ..manifest.clone() };
        assert!(!is_of_one_worker(&other, &good), "fact {n}");
    }
    for what in ["/var/tmp/sandproof-stage-b/stdout.txt", "/etc/shadow", "socket:[1]"] {
        let mut other = good.clone();
        other.worker.as_mut().unwrap().open_fds.as_mut().unwrap()[1] = output(1, what);
        assert!(!is_of_one_worker(&manifest, &other), "{what}");
    }
    let nobody = ChannelWitness { worker: None, ..good };
    assert!(!is_of_one_worker(&manifest, &nobody));
}

#[test]
fn a_witness_convinces_only_as_a_whole() {
    type Spoil = fn(&mut ChannelWitness);
    let spoilt: [(&str, Spoil); 9] = [
        ("output that led elsewhere", |w| {
            let opened = w.worker.as_mut().unwrap().open_fds.as_mut().unwrap();
            opened.push(OpenFd { fd: 1, what: "/etc/shadow".into() });
            settle(w);
            assert!(w.clean, "by itself it would do: {:?}", w.checks);
        }),
        ("a bad answer", |w| {
            w.worker.as_mut().unwrap().no_new_privs = Some(true);
            settle(w);
        }),
        ("an unanswered question", |w| {
            w.manager = None;
            settle(w);
        }),
        ("answers that its facts do not give", |w| w.worker.as_mut().unwrap().seccomp = Some(2)),
        ("fewer questions", |w| w.checks.truncate(1)),
        ("no questions", |w| w.checks.clear()),
        ("it says itself that it is not clean", |w| w.clean = false),
        ("it says that it is clean, and its answers say otherwise", |w| {
            w.worker.as_mut().unwrap().no_new_privs = Some(true);
            settle(w);
            w.clean = true;
        }),
        ("another channel", |w| {
            w.channel = ChannelKind::LaunchdClean;
            let label = format!("sandproof.runtime.{RUN}");
            let worker = w.worker.as_mut().unwrap();
            (worker.seatbelt_confined, worker.unit) = (Some(false), Some(label.clone()));
            let manager = w.manager.as_mut().unwrap();
            (manager.manager, manager.unit) = ("launchd".into(), label.clone());
            w.job.as_mut().unwrap().unit = label;
            settle(w);
            assert!(w.clean, "for that channel it would do: {:?}", w.checks);
        }),
    ];
    // In other words, the same answers.
    let mut reworded = witness();
    reworded.checks.iter_mut().for_each(|check| check.found = "told otherwise".into());
    assert_eq!(reasons_of(&reworded, None), Vec::<&str>::new());
    for (what, spoil) in spoilt {
        let mut witness = witness();
        spoil(&mut witness);
        assert_eq!(reasons_of(&witness, None), ["channel_unwitnessed"], "{what}");
    }
    // Another run's witness does not even verify.
    let out = tempfile::tempdir().unwrap();
    let lock = lock(out.path(), RUN);
    let mut writer = derived(raw(&lock, RUN));
    let foreign = ChannelWitness { run_id: RunId::new("other").unwrap(), ..witness() };
    writer.put(&path(layout::CHANNEL_WITNESS), &json_out::to_pretty(&foreign)).unwrap();
    let folder = writer.commit(RunEnd::Complete { dry: false }).unwrap().folder;
    let refused = verify(&folder).unwrap_err();
    assert!(refused.to_string().contains(layout::CHANNEL_WITNESS), "{refused}");
}

/// What the early gates read of a bundle whose promotion nothing blocks.
struct Early {
    manifest: RunManifest,
    index: ArtifactIndex,
    documents: Documents,
}

impl Early {
    fn good() -> Self {
        let out = tempfile::tempdir().unwrap();
        let lock = lock(out.path(), RUN);
        let manifest = clean_manifest();
        let mut writer = derived(raw_as(&lock, &manifest));
        writer.put(&path(layout::CHANNEL_WITNESS), &json_out::to_pretty(&witness())).unwrap();
        let committed = writer.commit(RunEnd::Complete { dry: false }).unwrap();
        Self { manifest, index: committed.index, documents: documents_of(&committed.folder) }
    }

    /// The reasons after a change.
    fn but(change: impl FnOnce(&mut Self)) -> Vec<&'static str> {
        let mut early = Self::good();
        change(&mut early);
        names(evaluate_committed(&early.manifest, &early.index, &early.documents).reasons())
    }

    /// The index's entry of that artifact.
    fn entry(&mut self, name: &str) -> &mut ArtifactEntry {
        let wanted = format!("/{name}");
        self.index.artifacts.iter_mut().find(|entry| entry.path.ends_with(&wanted)).unwrap()
    }
}

#[test]
fn each_document_that_gates_read_is_held_to_the_others() {
    assert_eq!(Early::but(|_| ()), Vec::<&str>::new());
    let foreign = ChannelWitness { run_id: RunId::new("other").unwrap(), ..witness() };
    let another_runs = |early: &mut Early| early.documents.channel_witness = Some(json_out::to_pretty(&foreign));
    assert_eq!(Early::but(another_runs), ["channel_unwitnessed"]);
    // The name alone, in whatever folder, is not the artifact.
    let elsewhere = |name: &'static str| {
        Early::but(|early| {
            let path = early.entry(name).path.replace(name, &format!("copies/{name}"));
            early.entry(name).path = path;
        })
    };
    assert_eq!(elsewhere(layout::RUNTIME_RESULTS), ["decision_stage_artifacts_missing"]);
    assert_eq!(elsewhere(layout::INPUT_SOURCES), ["identity_missing"]);
    assert_eq!(elsewhere(layout::CHANNEL_WITNESS), ["channel_unwitnessed"]);
    let silent = json!({"sandbox_check_self": {"sandboxed": false}});
    let unanswered = |early: &mut Early| early.manifest.apply_preflight.as_mut().unwrap().record = silent;
    assert_eq!(Early::but(unanswered), ["apply_failed"]);
    let redefined = |early: &mut Early| {
        early.manifest.world.declared = "sonoma-14.4.1-23E224-arm64-dyld-2c0602c5".parse().unwrap();
        early.manifest.world.document_sha256 = Some(Digest::of(b"of somebody else"));
    };
    assert_eq!(Early::but(redefined), ["world_redefined"]);
}

#[test]
fn times_that_cannot_all_be_right_speak_against_a_bundle() {
    let with = |times: Times| Early::but(|early| early.documents.times = times);
    let begun = Early::good().manifest.started_at_unix_s;
    let within = Times { span: Some((begun, begun)), ..Times::default() };
    assert_eq!(with(within), Vec::<&str>::new());
    for wrong in [
        Times { span: Some((begun - 60.0, begun)), ..Times::default() },
        Times { span: Some((begun, f64::MAX)), ..Times::default() },
        Times { overran: true, ..within },
        Times { out_of_order: true, ..within },
    ] {
        assert_eq!(with(wrong), ["times_disagree"], "{wrong:?}");
    }
}

#[test]
fn drift_speaks_against_a_bundle_and_so_does_not_having_looked() {
    assert_eq!(reasons_of(&witness(), Some(vec!["plan `p`".into()])), ["identity_drift"]);
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    let with_drift = |edit: fn(&mut Value)| {
        rewrite(&folder, layout::RUN_STATUS, |text| {
            let mut status: Value = serde_json::from_str(&text).unwrap();
            edit(&mut status);
            String::from_utf8(json_out::to_pretty(&status)).unwrap()
        });
        let bundle = verify(&folder).unwrap();
        names(evaluate(&bundle).reasons())
    };
    assert!(!with_drift(|_| ()).contains(&"identity_missing"));
    let unlooked = with_drift(|status| drop(status.as_object_mut().unwrap().remove("drift")));
    assert!(unlooked.contains(&"identity_missing"), "{unlooked:?}");
}

#[test]
fn a_repaired_bundle_and_one_without_its_mark_are_not_promotable() {
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    let has = |folder: &Path| {
        let bundle = verify(folder).unwrap();
        evaluate(&bundle).reasons().contains(&Reason::BundleRepaired)
    };
    assert!(!has(&folder));
    fs::write(folder.join("extra"), "x").unwrap();
    repair(&folder).unwrap();
    fs::remove_file(folder.join("extra")).unwrap();
    // Whoever makes it verify again by hand.
    edit_index(&folder, |index| {
        index["status"] = json!("ok");
        index["artifacts"].as_array_mut().unwrap().retain(|entry| entry["path"] != format!("out/{RUN}/extra"));
    });
    assert!(has(&folder));
    edit_index(&folder, |index| assert!(index.as_object_mut().unwrap().remove("repaired").is_some()));
    assert!(has(&folder), "the log speaks by itself");
}

#[test]
fn what_does_not_verify_is_never_promotable() {
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    // Even an untouched bundle: nothing was verified.
    let untouched = evaluate_unverified(&open_unverified(&folder).unwrap());
    assert!(untouched.reasons().contains(&Reason::BundleIntegrityUnverified) && !untouched.is_promotable());
    rewrite(&folder, layout::RUN_STATUS, |text| text.replace("complete", "in_progress"));
    fs::remove_file(folder.join(layout::RUN_MANIFEST)).unwrap();
    let report = evaluate_unverified(&open_unverified(&folder).unwrap());
    assert_eq!(
        names(report.reasons()),
        [
            "apply_preflight_missing",
            "bundle_in_progress",
            "bundle_incomplete",
            "bundle_integrity_unverified",
            "identity_missing",
            "manifest_missing",
            "not_clean_channel",
        ]
    );
    let root = tempfile::tempdir().unwrap();
    let lock = lock(root.path(), RUN);
    let end = RunEnd::Failed { error: "e".into(), stage: "lane".into() };
    let failed = raw(&lock, RUN).commit(end).unwrap().folder;
    let report = evaluate_unverified(&open_unverified(&failed).unwrap());
    let has = |reason| report.reasons().contains(&reason);
    assert!(has(Reason::BundleFailed) && has(Reason::BundleIncomplete) && has(Reason::DecisionStageArtifactsMissing));
    let empty = tempfile::tempdir().unwrap();
    let report = evaluate_unverified(&open_unverified(empty.path()).unwrap());
    assert!(report.reasons().contains(&Reason::RunStatusMissing));
}

#[test]
fn the_packet_is_bound_to_its_bundle() {
    let out = tempfile::tempdir().unwrap();
    let committed = build(out.path(), RUN);
    let bundle = verify(&committed.folder).unwrap();
    let report = evaluate(&bundle);
    let made = packet::make(&bundle, &report);
    assert_eq!(made.index_sha256, Digest::of(&fs::read(committed.folder.join(layout::ARTIFACT_INDEX)).unwrap()));
    assert_eq!(made.artifact_digests.len(), 11);
    for (pointer, digest) in &made.artifact_digests {
        let name = pointer.strip_prefix("out/run-1/").unwrap();
        assert_eq!(*digest, Digest::of(&fs::read(committed.folder.join(name)).unwrap()), "{name}");
    }
    assert_eq!(made.runtime_events, "out/run-1/runtime_events.normalized.json");
    assert!(!made.promotability.promotable_decision_stage);
    assert_eq!(made.promotability.reasons, names(report.reasons()));

    let at = out.path().join("packet.json");
    packet::write(&made, &bundle, &at).unwrap();
    let read: PromotionPacket = serde_json::from_slice(&fs::read(&at).unwrap()).unwrap();
    assert_eq!(read, made);
    for inside in ["packet.json", "rows/packet.json", "rows/../packet.json"] {
        let refused = packet::write(&made, &bundle, &committed.folder.join(inside));
        assert!(matches!(refused, Err(packet::PacketError::InsideBundle { .. })), "{inside}");
    }
    verify(&committed.folder).unwrap();
}

/// The reasons of a bundle whose gates read those documents, all else being good.
fn reasons_with(documents: &Documents) -> Vec<&'static str> {
    let out = tempfile::tempdir().unwrap();
    let committed = build(out.path(), RUN);
    let mut manifest = manifest(RUN);
    manifest.apply_preflight = preflight(true, json!(false));
    let status = fs::read(committed.folder.join(layout::RUN_STATUS)).unwrap();
    names(
        evaluate_committed(&manifest, &committed.index, &Documents { run_status: Some(status), ..documents.clone() })
            .reasons(),
    )
}

fn summary_with(undecided: u64, by_design: u64, without_refusal: u64) -> Option<Vec<u8>> {
    let list = |count: u64, kind: &str| json!({"count": count, "kinds": {kind: count}, "rows": [], "left_out": count});
    let counts = json!({"planned": 9, "matched": 1, "mismatched": 1, "undecided": undecided + by_design});
    let summary = json!({
        "counts": counts,
        "undecided_rows": list(undecided, "probe_errno"), "by_design_rows": list(by_design, "oracle_only"),
        "profiles_without_refusal": {"count": without_refusal, "profiles": [], "left_out": without_refusal},
    });
    Some(summary.to_string().into_bytes())
}

fn controls_with(deny: &str, allow: &str) -> Option<Vec<u8>> {
    let status = if [deny, allow].contains(&"wrong") { "wrong" } else { "ok" };
    let profile = json!({
        "profile_id": "p", "status": status, "must_deny": {"status": deny}, "must_allow": {"status": allow},
    });
    Some(json!({"profiles": [profile]}).to_string().into_bytes())
}

#[test]
fn an_undecided_row_stands_against_promotion_unless_its_driver_only_asks() {
    let with =
        |summary| reasons_with(&Documents { summary, controls: controls_with("ok", "ok"), ..Documents::default() });
    assert_eq!(with(summary_with(0, 0, 0)), ["not_clean_channel"]);
    assert_eq!(with(summary_with(1, 0, 0)), ["not_clean_channel", "rows_undecided"]);
    assert_eq!(with(summary_with(0, 3, 0)), ["not_clean_channel"]);
    // What cannot be told is not taken for good.
    for unknown in [None, Some(b"{}".to_vec()), Some(b"".to_vec())] {
        assert_eq!(with(unknown), ["controls_not_derivable", "not_clean_channel", "rows_undecided"]);
    }
}

#[test]
fn a_profile_under_which_nothing_was_refused_stands_against_promotion() {
    let with = |without_refusal, controls| {
        reasons_with(&Documents { summary: summary_with(0, 0, without_refusal), controls, ..Documents::default() })
    };
    assert_eq!(with(0, controls_with("not_derivable", "not_derivable")), ["not_clean_channel"]);
    assert_eq!(with(1, controls_with("not_derivable", "ok")), ["controls_not_derivable", "not_clean_channel"]);
    assert_eq!(with(0, controls_with("wrong", "ok")), ["controls_failed", "not_clean_channel"]);
    assert_eq!(with(0, Some(b"{}".to_vec())), ["controls_failed", "not_clean_channel"]);
    // Without a scenario lane no control ran, so none went wrong.
    assert_eq!(with(0, None), ["not_clean_channel"]);
}
