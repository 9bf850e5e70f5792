//! Shares that were each run through the clean channel, put together.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::host::{Host, folder, json as document};
use crate::support::{copy_folder, expect_code, output, sandproof, shaped, validate};
use crate::systemd_host;

const SHARES: u32 = 3;

/// A share of the first plan through the clean channel, and what speaks against its promotion.
fn clean_share(host: &Host, index: u32, run_id: &str, out: &Path) -> (PathBuf, Value) {
    let mut run = host.clean_run("plans/quickstart/plan.json", run_id, out);
    let ended = output(run.args(["--json", "--shard", &format!("hash:{index}/{SHARES}")]));
    expect_code(&ended, 0);
    let report = shaped("run_report", &ended.stdout);
    (out.join(run_id), report["promotability"]["reasons"].clone())
}

#[track_caller]
fn merge(bundles: &[&Path], out: &Path, code: i32) -> Value {
    let ended = output(sandproof().args(["merge", "--json", "--run-id", "merged", "--out"]).arg(out).args(bundles));
    expect_code(&ended, code);
    shaped("merge_report", &ended.stdout)
}

/// What `emit-promotion --require-promotable` ends with, and the packet.
fn promoted(bundle: &Path) -> (Option<i32>, Value) {
    let to = bundle.parent().unwrap().join("packet.json");
    let ended = output(
        sandproof().args(["emit-promotion", "--require-promotable", "--bundle"]).arg(bundle).arg("--out").arg(&to),
    );
    let packet = if to.exists() { document(&to) } else { Value::Null };
    (ended.status.code(), packet)
}

#[test]
fn clean_shares_may_be_promoted_together_and_not_alone() {
    let host = systemd_host!();
    let dir = folder();
    let mut shares = Vec::new();
    for index in 1..=SHARES {
        let (share, reasons) = clean_share(host, index, &format!("share-{index}"), &dir.path().join("shares"));
        assert_eq!(reasons, json!(["coverage_partial"]), "share {index}");
        assert_eq!(promoted(&share).0, Some(5), "share {index}");
        shares.push(share);
    }
    let all: Vec<&Path> = shares.iter().map(PathBuf::as_path).collect();
    let said = merge(&all, &dir.path().join("all"), 0);
    assert_eq!((&said["gaps"], &said["promotability"]["reasons"]), (&json!([]), &json!([])), "{said:#}");

    // Carried elsewhere, with nothing of where it came from, it is promoted like the undivided run.
    let elsewhere = tempfile::tempdir().unwrap();
    let bundle = elsewhere.path().join("merged");
    copy_folder(&dir.path().join("all/merged"), &bundle);
    expect_code(&validate(&bundle), 0);
    let (code, packet) = promoted(&bundle);
    assert_eq!((code, &packet["promotability"]["promotable_decision_stage"]), (Some(0), &json!(true)), "{packet:#}");
    let whole = dir.path().join("whole");
    let run = output(&mut host.clean_run("plans/quickstart/plan.json", "undivided", &whole));
    expect_code(&run, 0);
    let (code, undivided) = promoted(&whole.join("undivided"));
    assert_eq!((code, &undivided["promotability"]), (Some(0), &packet["promotability"]));
    // Nothing that is declared differs, and no verdict.
    let difference = output(sandproof().args(["diff-runs", "--json"]).arg(whole.join("undivided")).arg(&bundle));
    let difference: Value = serde_json::from_slice(&difference.stdout).unwrap();
    assert_eq!(difference["changes"], json!([]), "{difference:#}");

    // One less, and it may not be.
    let less = merge(&all[..2], &dir.path().join("less"), 8);
    assert_eq!((&less["gaps"], &less["promotability"]["reasons"]), (&json!([3]), &json!(["coverage_partial"])));
    assert_eq!(promoted(&dir.path().join("less/merged")).0, Some(5));
}

#[test]
fn a_share_of_another_channel_is_no_part_of_clean_ones() {
    let host = systemd_host!();
    let dir = folder();
    let (first, _) = clean_share(host, 1, "first", &dir.path().join("shares"));
    let (second, _) = clean_share(host, 2, "second", &dir.path().join("shares"));
    let out = dir.path().join("shares");
    let mut direct = host.sandproof();
    direct.args(["run", "--plan", "plans/quickstart", "--shard", "hash:3/3", "--run-id", "direct", "--out"]).arg(&out);
    expect_code(&output(&mut direct), 0);
    let said = merge(&[&first, &second, &out.join("direct")], &dir.path().join("all"), 4);
    let last = &said["inputs"][2];
    assert_eq!(last["standing"], "foreign", "{said:#}");
    assert!(last["why"].as_str().unwrap().contains("channel"), "{last}");
    assert!(!dir.path().join("all").exists());
}
