//! The gates over small whole bundles, and the packet.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Reason, evaluate, evaluate_unverified, packet};
use crate::base::digest::Digest;
use crate::base::ids::WorldId;
use crate::bundle::repair::repair;
use crate::bundle::tests::fixture::{Counting, RUN, build, derived, lock, manifest, raw, raw_as, rewrite};
use crate::bundle::{RunEnd, open_unverified, verify};
use crate::plan::file::HOME_WORLD;
use crate::record::layout;
use crate::record::manifest::{ChannelKind, PreflightRef, RunManifest};
use crate::record::packet::PromotionPacket;

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
    let bundle = verify(&committed.folder, &Counting).unwrap();
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
    assert_eq!(reasons(|_| ()), ["apply_failed", "apply_preflight_missing", "not_clean_channel"]);
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
    assert_eq!(with(|m| m.selection.only_scenarios.push("s".into())), ["not_clean_channel", "selection_filtered"]);
    assert_eq!(with(|m| m.world_id = WorldId::new(HOME_WORLD).unwrap()), ["not_clean_channel", "world_mismatch"]);
}

#[test]
fn a_repaired_bundle_and_one_without_its_mark_are_not_promotable() {
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    repair(&folder).unwrap();
    let has = |folder: &Path| {
        let bundle = verify(folder, &Counting).unwrap();
        evaluate(&bundle).reasons().contains(&Reason::BundleRepaired)
    };
    assert!(has(&folder));
    let at = folder.join(layout::ARTIFACT_INDEX);
    let text = fs::read_to_string(&at).unwrap();
    fs::write(&at, text.replace(",\n  \"repaired\": true", "")).unwrap();
    assert!(!fs::read_to_string(&at).unwrap().contains("repaired\": true"));
    assert!(has(&folder));
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
            "apply_failed",
            "apply_preflight_missing",
            "bundle_in_progress",
            "bundle_incomplete",
            "bundle_integrity_unverified",
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
    let bundle = verify(&committed.folder, &Counting).unwrap();
    let report = evaluate(&bundle);
    let made = packet::make(&bundle, &report);
    assert_eq!(made.index_sha256, Digest::of(&fs::read(committed.folder.join(layout::ARTIFACT_INDEX)).unwrap()));
    assert_eq!(made.artifact_digests.len(), 10);
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
    verify(&committed.folder, &Counting).unwrap();
}
