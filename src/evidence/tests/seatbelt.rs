//! Rows of a Seatbelt run, made by hand: what the documents say of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::evidence::testing::{ALL_LANES, Bench, Memory, plan, refused};
use crate::evidence::testing_schemas::{self as schemas, accept, check};
use crate::policy::PolicyValue;
use crate::policy::sbpl::policy::SbplPolicy;
use crate::record::callout::{CalloutRecord, CheckRequest};
use crate::record::driver::Driver;
use crate::record::ending::Ending;
use crate::record::layout;
use crate::record::outcome::Decision::{Allow, Deny};
use crate::record::outcome::FailureKind;
use crate::record::report::ApplyRecord;
use crate::record::row::ProbeRow;

const SERVICE: &str = "com.apple.cfprefsd.agent";
const ABSENT: &str = "org.example.absent";
const NOT_PRIVILEGED: i32 = 1100;
const UNKNOWN_SERVICE: i32 = 1102;

fn callout(operation: &str, filter_type: i32, argument: &str, rc: i32) -> CalloutRecord {
    CalloutRecord {
        stage: "pre_syscall".into(),
        api: "sandbox_check".into(),
        operation: operation.into(),
        filter_type,
        check_type: i64::from(filter_type) | 0x4000_0000,
        varargs_count: 1,
        argument: Some(argument.into()),
        canonicalization: None,
        canonical_flag_used: false,
        canonical_flag_reason: Some("not_requested".into()),
        no_report: true,
        no_report_reason: None,
        token_status: "pid".into(),
        token_mach_kr: None,
        rc,
        errno: 0,
        error: None,
    }
}

/// A row as the Seatbelt enforcer leaves it.
fn seatbelt(row: &mut ProbeRow) {
    let path = row.action.target.starts_with('/');
    let said = row.prologue.as_mut().unwrap();
    if let Some(apply) = &mut said.apply {
        (apply.api, apply.abi) = ("sandbox_init".into(), None);
        let (operation, filter, name) =
            if path { ("file-read-data", 1, "path") } else { ("mach-lookup", 2, "global-name") };
        let mut answers = vec![callout(operation, filter, &row.action.target, 0)];
        if path {
            answers[0].canonicalization = Some("raw".into());
            let mut canonical = answers[0].clone();
            canonical.canonicalization = Some("canonical".into());
            canonical.canonical_flag_used = true;
            canonical.canonical_flag_reason = None;
            answers.insert(0, canonical);
        }
        said.callouts = answers;
        row.check_request = Some(CheckRequest {
            operation: operation.into(),
            filter_type: filter,
            filter_name: Some(name.into()),
            argument: Some(row.action.target.clone()),
            canonicalization: path.then(|| "both".into()),
        });
    }
    let operation = row.operation.as_mut().unwrap();
    if path {
        operation.calls[0].syscall = "open".into();
        if let Some(opened) = &mut operation.opened {
            opened.path = Some(format!("/private{}", row.action.target));
            opened.nofirmlink = Some(format!("/System/Volumes/Data/private{}", row.action.target));
            opened.nofirmlink_errno = Some(0);
        }
    } else {
        operation.calls[0].syscall = "bootstrap_look_up".into();
        operation.calls[0].code = Some(0);
    }
}

fn answer(row: &mut ProbeRow, code: i32) {
    let call = &mut row.operation.as_mut().unwrap().calls[0];
    (call.ret, call.errno, call.code) = (if code == 0 { 0 } else { -1 }, 0, Some(code));
}

fn say(row: &mut ProbeRow, rc: i32) {
    for answer in &mut row.prologue.as_mut().unwrap().callouts {
        answer.rc = rc;
    }
}

fn expire(row: &mut ProbeRow) {
    row.ending = Some(Ending::Expired { deadline_ms: 10_000, sent: Vec::new(), signal: Some(9) });
    row.operation = None;
}

fn bench() -> Bench {
    let mach = Driver::MachLookup;
    let mut bench = Bench::new(plan(
        ALL_LANES,
        &[
            (
                "files",
                &[
                    ("read_open", "file-read*", Driver::FileRead, "/tmp/foo", Allow),
                    ("read_secret", "file-read*", Driver::FileRead, "/tmp/bar", Deny),
                    ("read_private", "file-read*", Driver::FileRead, "/Users/x/Documents/a", Allow),
                    ("read_other", "file-read*", Driver::FileRead, "/tmp/baz", Allow),
                ],
            ),
            (
                "names",
                &[("present", "mach-lookup", mach, SERVICE, Deny), ("absent", "mach-lookup", mach, ABSENT, Deny)],
            ),
            ("nested", &[("read", "file-read*", Driver::FileRead, "/tmp/qux", Allow)]),
        ],
    ));
    bench.manifest.host.os = "macos".into();
    bench.manifest.host.landlock_abi = None;
    let text = "(version 1)(allow default)(allow iokit-open* (apply-message-filter (deny iokit-external-method)))";
    let gated = SbplPolicy::new(text, BTreeMap::new()).unwrap();
    bench.plan.profiles[2].policy.value = Arc::new(PolicyValue::Sbpl(gated));
    bench.plan.profiles[1].policy.value = Arc::new(PolicyValue::Blob(Vec::new()));
    for row in bench.baseline.iter_mut().chain(&mut bench.scenario) {
        seatbelt(row);
    }
    let rows = &mut bench.scenario;
    for (n, rc) in [(1, 1), (3, 0)] {
        rows[n] = refused(rows[n].clone(), libc::EPERM);
        say(&mut rows[n], rc);
    }
    expire(&mut rows[2]);
    answer(&mut rows[4], NOT_PRIVILEGED);
    say(&mut rows[4], 1);
    answer(&mut rows[5], UNKNOWN_SERVICE);
    answer(&mut bench.baseline[5], UNKNOWN_SERVICE);
    let said = rows[6].prologue.as_mut().unwrap();
    said.apply = Some(ApplyRecord {
        api: "sandbox_init".into(),
        rc: -1,
        errno: libc::EPERM,
        failure: Some(FailureKind::ApplyAlreadySandboxed),
        class: None,
        message: Some("process is Already in a SandBox".into()),
        abi: None,
        unsupported: Vec::new(),
    });
    said.callouts.clear();
    rows[6].operation = None;
    bench
}

fn documents() -> Memory {
    let bench = bench();
    for row in bench.baseline.iter().chain(&bench.scenario) {
        accept(&schemas::PROBE_ROW, "row", &serde_json::to_value(row).unwrap());
    }
    let (memory, _) = bench.derive();
    check(&memory);
    memory
}

fn event(memory: &Memory, n: usize) -> Value {
    memory.json(layout::RUNTIME_EVENTS)[n].clone()
}

#[test]
fn a_read_that_went_through() {
    let memory = documents();
    let open = event(&memory, 0);
    assert_eq!(open["actual"], "allow");
    assert_eq!(open["apply_report"]["api"], "sandbox_init");
    assert_eq!(open["observed_path"], "/private/tmp/foo");
    assert_eq!(open["normalized_path"], "/private/tmp/foo");
    assert_eq!(open["observed_path_source"], "fd_path");
    let callouts = open["seatbelt_callouts"].as_array().unwrap();
    assert_eq!(callouts.len(), 2);
    assert_eq!(callouts[0]["tool"], "seatbelt-callout");
    assert_eq!(callouts[0]["filter_type_name"], "path");
    assert_eq!(open["sandbox_check_prepass"]["primary"]["canonicalization"], "raw");
    assert_eq!(open["sandbox_check_prepass"]["variants"].as_array().unwrap().len(), 2);
    assert!(open.get("tcc_confounder").is_none());

    let results = memory.json(layout::RUNTIME_RESULTS);
    let row = &results["files"]["probes"][0];
    assert_eq!(row["sandbox_check_request"]["canonicalization"], "both");
    assert_eq!(row["runtime_result"]["sandbox_check_request"], row["sandbox_check_request"]);
    assert_eq!(row["runtime_result"]["seatbelt_callouts"], open["seatbelt_callouts"]);
    assert_eq!(row["path_observation"]["observed_path_nofirmlink"], "/System/Volumes/Data/private/tmp/foo");

    let witnesses = memory.json(layout::PATH_WITNESSES);
    let (baseline, scenario) = (&witnesses["records"][0], &witnesses["records"][1]);
    assert_eq!(baseline["observed_path_source"], "unsandboxed_fd_path");
    assert_eq!(baseline["observed_path_nofirmlink_source"], "unsandboxed_fd_path");
    assert_eq!(scenario["observed_path_source"], "probe_fgetpath:present");
    assert_eq!(scenario["observed_path_nofirmlink_source"], "probe_fgetpath_nofirmlink:present");
    assert_eq!(scenario["canonicalization"], json!({"alias_pair": true, "nofirmlink_differs": true}));
}

#[test]
fn a_read_that_was_refused() {
    let memory = documents();
    let secret = event(&memory, 1);
    assert_eq!((&secret["actual"], &secret["match"]), (&json!("deny"), &json!(true)));
    assert_eq!((&secret["errno_name"], &secret["violation_summary"]), (&json!("EPERM"), &json!("EPERM")));
    assert_eq!(secret["policy_layers"]["attribution"], "process_policy");
    assert_eq!(secret["file_confounder"]["attribution"], "app_sandbox");
    // Nothing was opened, so nothing was observed; the alias is the platform's.
    assert!(secret.get("observed_path").is_none());
    assert_eq!(
        (&secret["normalized_path"], &secret["normalized_path_source"]),
        (&json!("/private/tmp/bar"), &json!("alias_map"))
    );
    let witnesses = memory.json(layout::PATH_WITNESSES);
    let witness = &witnesses["records"][3];
    assert_eq!(witness["observed_path_source"], "probe_fgetpath:missing");
    assert_eq!(
        (&witness["normalized_path"], &witness["normalized_path_source"]),
        (&json!("/tmp/bar"), &json!("requested_path"))
    );
}

#[test]
fn services_and_privacy() {
    let memory = documents();
    let private = event(&memory, 2);
    assert_eq!(private["failure_kind"], "probe_timeout");
    assert_eq!(
        private["tcc_confounder"],
        json!({"attribution": "sandbox_or_other", "baseline_status": "allow", "scenario_status": "prompt_or_timeout", "sensitive": true})
    );
    let present = event(&memory, 4);
    assert_eq!(present["actual"], "deny");
    assert!(present.get("errno").is_none(), "a Mach code is no error number");
    assert_eq!(
        (&present["probe_details"]["kr"], present["probe_details"].get("service_present")),
        (&json!(1100), None)
    );
    assert_eq!(present["sandbox_check_prepass"]["decision"], "deny");
    assert!(present.get("service_confounder").is_none());
    let absent = event(&memory, 5);
    assert!(absent.get("actual").is_none(), "an absent service is no denial");
    assert_eq!(absent["service_confounder"]["status"], "missing_service");
    assert_eq!(absent["probe_details"]["service_present"], false);
}

#[test]
fn a_policy_that_was_not_applied() {
    let memory = documents();
    let nested = event(&memory, 6);
    assert_eq!(
        (&nested["failure_stage"], &nested["failure_kind"]),
        (&json!("apply"), &json!("apply_already_sandboxed"))
    );
    assert_eq!(nested["apply_report"]["err_class"], "already_sandboxed");
    assert_eq!(nested["apply_report"]["err_class_source"], "errbuf_regex");
    assert_eq!(nested["resource_hygiene"]["preexisting_sandbox_suspected"], true);
    assert!(nested.get("seatbelt_callouts").is_none());
    let results = memory.json(layout::RUNTIME_RESULTS);
    assert_eq!(results["nested"]["status"], "blocked");
    assert_eq!(results["nested"]["probes"][0]["sandbox_check_request"]["operation"], "file-read-data");
}

#[test]
fn answers_are_oracle_results_and_may_disagree() {
    let memory = documents();
    let oracle = memory.json(layout::ORACLE_RESULTS);
    let rows: Vec<_> =
        oracle["results"].as_array().unwrap().iter().filter(|row| row["expectation_id"] == "files:read_open").collect();
    let stages: Vec<_> = rows.iter().map(|row| row["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["pre_syscall", "pre_syscall", "model"]);
    assert_eq!((&rows[0]["check_type"], &rows[0]["rc"]), (&json!(0x4000_0001), &json!(0)));
    let packets: Vec<Value> =
        memory.text(layout::MISMATCH_PACKETS).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let other = packets.iter().find(|packet| packet["expectation_id"] == "files:read_other").unwrap();
    assert_eq!(other["oracle_check"]["decision"], "allow");
    assert_eq!(other["decision_event"]["filter_type_name"], "path");
    // The baseline's witness leads through the platform's alias, which comes first.
    assert_eq!(other["mismatch_reason"], "canonicalization_boundary");
    let present = packets.iter().find(|packet| packet["expectation_id"] == "names:absent").unwrap();
    assert_eq!(present["mismatch_reason"], "op_not_witnessed");
}

#[test]
#[allow(clippy::print_stderr, reason = "a skip has to be seen")]
fn consumers_of_the_reference_accept_it() {
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "CI has python3");
        eprintln!("SKIPPED: there is no python3");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let packet = as_bundle(dir.path());
    let vocabulary = dir.path().join("vocabulary.json");
    std::fs::write(&vocabulary, serde_json::to_vec(&crate::policy::operations::OPERATIONS[..]).unwrap()).unwrap();
    let read = std::process::Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/read-as-consumer"))
        .arg(&packet)
        .arg("--root")
        .arg(dir.path())
        .arg("--vocabulary")
        .arg(&vocabulary)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&read.stdout);
    assert!(read.status.success(), "{said}\n{}", String::from_utf8_lossy(&read.stderr));
    let said: Value = serde_json::from_str(&said).unwrap();
    // The blocked row is left out; the four file events are about a group that no callout names.
    let classes = json!({"callout_allow_syscall_errno": 1, "callout_deny_syscall_errno": 1, "no_callout": 4});
    assert_eq!(said["callouts"], classes);
}

/// Writes the documents as a bundle below `root`, with a packet beside it; the packet's path.
fn as_bundle(root: &std::path::Path) -> std::path::PathBuf {
    use crate::base::digest::Digest;
    use crate::base::json_out::to_pretty;
    let bench = bench();
    let (memory, _) = bench.derive();
    let manifest = &bench.manifest;
    let mut files = memory.0;
    files.insert(layout::RUN_MANIFEST.into(), to_pretty(manifest));
    let status = json!({
        "schema_version": "runtime-tools.run_status.v0.1", "run_id": manifest.run_id, "world_id": manifest.world_id,
        "channel": manifest.channel, "plan_id": manifest.plan_id, "plan_digest": manifest.plan_digest,
        "state": "complete", "writer_pid": 1, "updated_at_unix": 1.5, "error": null, "failure_stage": null,
    });
    files.insert(layout::RUN_STATUS.into(), to_pretty(&status));
    let folder = root.join(&manifest.output_root);
    std::fs::create_dir_all(&folder).unwrap();
    let place = |name: &str| format!("{}/{name}", manifest.output_root);
    let mut entries = Vec::new();
    for (name, bytes) in &files {
        std::fs::write(folder.join(name), bytes).unwrap();
        let sha256 = Digest::of(bytes);
        entries.push(json!({"path": place(name), "file_size": bytes.len(), "sha256": sha256, "schema_version": null}));
    }
    let index = json!({
        "schema_version": "runtime-tools.artifact_index.v0.1", "run_id": manifest.run_id, "world_id": manifest.world_id,
        "artifacts": entries, "missing": [], "status": "ok",
    });
    std::fs::write(folder.join(layout::ARTIFACT_INDEX), to_pretty(&index)).unwrap();
    let summary: Value = serde_json::from_slice(&files[layout::SUMMARY]).unwrap();
    let counts = |name: &str| summary["counts"][name].as_u64().unwrap();
    let mut packet = json!({
        "schema_version": "runtime-tools.promotion_packet.v0.2",
        "rows": {
            "planned": counts("planned"), "decided": counts("matched") + counts("mismatched"),
            "undecided": summary["undecided_rows"], "by_design": summary["by_design_rows"],
        },
        "promotability": {
            "promotable_decision_stage": false, "reasons": ["not_clean_channel", "rows_undecided"],
            "gating_inputs": {
                "channel": "direct", "apply_preflight_present": false, "apply_ok": null, "sandbox_check_self": null,
            },
        },
    });
    for (pointer, name) in [
        ("run_manifest", layout::RUN_MANIFEST),
        ("expected_matrix", layout::EXPECTED_MATRIX),
        ("runtime_results", layout::RUNTIME_RESULTS),
        ("runtime_events", layout::RUNTIME_EVENTS),
        ("baseline_results", layout::BASELINE_RESULTS),
        ("oracle_results", layout::ORACLE_RESULTS),
        ("mismatch_packets", layout::MISMATCH_PACKETS),
        ("summary", layout::SUMMARY),
        ("path_witnesses", layout::PATH_WITNESSES),
        ("fixtures", layout::FIXTURES),
    ] {
        packet[pointer] = place(name).into();
    }
    let at = root.join("packet.json");
    std::fs::write(&at, to_pretty(&packet)).unwrap();
    at
}

/// What the drivers of macOS say that those of Linux never do.
#[test]
fn a_row_that_only_asks_leaves_nothing_open_if_every_answer_is_the_expectation() {
    use crate::evidence::decide::asked_as_expected;
    use crate::record::outcome::Expectation;
    let bench = bench();
    let row = |answers: &[i32]| {
        let mut row = bench.scenario[0].clone();
        row.action.driver = Driver::PolicyQuery;
        let said = row.prologue.as_mut().unwrap();
        let one = said.callouts[0].clone();
        said.callouts = answers
            .iter()
            .map(|rc| {
                let mut answer = one.clone();
                answer.rc = *rc;
                answer
            })
            .collect();
        row
    };
    let asked = |answers: &[i32], expected| asked_as_expected(&row(answers), FailureKind::OracleOnly, expected);
    assert!(asked(&[1], Expectation::Deny) && asked(&[0, 0], Expectation::Allow));
    // Another answer, two that part, an error, and none at all.
    assert!(!asked(&[0], Expectation::Deny) && !asked(&[1], Expectation::Allow));
    assert!(!asked(&[1, 0], Expectation::Deny) && !asked(&[1, -1], Expectation::Deny));
    assert!(!asked(&[-1], Expectation::Deny) && !asked(&[], Expectation::Deny) && !asked(&[], Expectation::Allow));
    // Where nothing is expected, no answer is the expected one.
    assert!(!asked(&[1], Expectation::Any) && !asked(&[0], Expectation::Any));
    // What was to be attempted, and a row that is undecided for another reason.
    let mut attempted = row(&[1]);
    attempted.action.driver = Driver::FileRead;
    assert!(!asked_as_expected(&attempted, FailureKind::OracleOnly, Expectation::Deny));
    assert!(!asked_as_expected(&row(&[1]), FailureKind::ProbeCrashed, Expectation::Deny));
}

#[test]
fn answers_of_macos_are_judged_for_what_they_are() {
    use crate::evidence::decide::{Attempt, attempt};
    use crate::evidence::testing::call;
    use crate::record::report::SetupFailure;
    let bench = bench();
    let as_driver = |driver: Driver, calls: Vec<crate::record::report::Call>| {
        let mut row = bench.scenario[0].clone();
        row.action.driver = driver;
        row.operation.as_mut().unwrap().calls = calls;
        attempt(&row)
    };
    let kind = |attempt: Attempt| match attempt {
        Attempt::Undecided(undecided) => Some(undecided.kind),
        _ => None,
    };
    use crate::record::report::CallRole::{Operation, Prepare};
    let posted = as_driver(Driver::DarwinNotificationPost, vec![call("notify_post", Operation, 0)]);
    assert_eq!(kind(posted), Some(FailureKind::ProbeInconclusive));
    assert_eq!(kind(as_driver(Driver::PolicyQuery, Vec::new())), Some(FailureKind::OracleOnly));
    let executed = as_driver(Driver::Exec, vec![call("fork", Prepare, 0), call("execve", Operation, 0)]);
    assert_eq!(executed, Attempt::Allowed);
    let returned = as_driver(Driver::Exec, vec![call("execve", Operation, 0)]);
    assert_eq!(kind(returned), Some(FailureKind::ProbeNoReport));
    // ENOTTY comes from the device's own driver, and says nothing about a file.
    assert_eq!(as_driver(Driver::FileIoctl, vec![call("ioctl", Operation, 25)]), Attempt::Allowed);
    assert_eq!(kind(as_driver(Driver::FileRead, vec![call("open", Operation, 25)])), Some(FailureKind::ProbeErrno));
    let mut row = bench.scenario[0].clone();
    let missing = Some("IOServiceOpen of IOKit".to_owned());
    row.prologue.as_mut().unwrap().setup_failure =
        Some(SetupFailure { step: "resolve".into(), errno: 0, missing, leads_to: None });
    assert_eq!(kind(attempt(&row)), Some(FailureKind::SymbolUnavailable));
}

#[test]
fn a_profile_that_looks_as_if_it_were_refused_is_said_to() {
    let memory = documents();
    let results = memory.json(layout::RUNTIME_RESULTS);
    let scan = &results["nested"]["preflight"];
    assert_eq!(scan["classification"], "likely_apply_gated_for_harness_identity");
    assert_eq!(scan["findings"], json!([{"denied_operation": "iokit-external-method"}]));
    assert_eq!(&event(&memory, 6)["preflight"], scan);
    assert_eq!(results["names"]["preflight"]["classification"], "unsupported");
    assert_eq!(results["files"]["preflight"], Value::Null);
    assert!(event(&memory, 0).get("preflight").is_none());
}
