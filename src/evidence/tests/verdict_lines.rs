//! `verdicts.jsonl`: a line a row, each its own canonical form, and the same that the other documents say.

use serde_json::{Value, json};

use crate::base::canon;
use crate::evidence::testing::{ALL_LANES, Bench, Memory, plan, refused, tiny_plan};
use crate::evidence::testing_schemas::check;
use crate::plan::LaneSet;
use crate::plan::probe_digest::probe_digest;
use crate::record::driver::Driver;
use crate::record::ending::Ending;
use crate::record::layout;
use crate::record::outcome::Decision;

fn lines(memory: &Memory) -> Vec<Value> {
    let text = memory.text(layout::VERDICTS);
    assert!(text.is_empty() || text.ends_with('\n'));
    let line = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(canon::canonical(&value).unwrap(), line.as_bytes(), "a line is its own canonical form");
        value
    };
    text.lines().map(line).collect()
}

/// One row allowed, one denied, one that expired after it was denied without the policy too.
fn bench() -> Bench {
    let mut bench = Bench::new(tiny_plan()).with_controls(0).with_controls(1);
    bench.scenario[1] = refused(bench.scenario[1].clone(), libc::EACCES);
    bench.baseline[2] = refused(bench.baseline[2].clone(), libc::EACCES);
    bench.scenario[2].ending = Some(Ending::Expired { deadline_ms: 10_000, sent: Vec::new(), signal: Some(9) });
    bench.scenario[2].operation = None;
    bench.oracle[2].decision = None;
    bench
}

#[test]
fn a_line_says_what_each_lane_shows_and_what_comes_of_it() {
    let bench = bench();
    let (memory, _) = bench.derive();
    check(&memory);
    let found = lines(&memory);
    let shown = |word: &str, kind: Value, errno: Value| json!({"word": word, "kind": kind, "errno": errno});
    let (allow, none) = (shown("allow", Value::Null, Value::Null), Value::Null);
    let denied = shown("deny", Value::Null, json!(libc::EACCES));
    let digest = |n: usize| {
        let (_, probe) = bench.plan.rows().nth(n).unwrap();
        json!(probe_digest(&probe.entry).to_string())
    };
    assert_eq!(
        found,
        [
            json!({
                "schema_version": "sandproof.verdict.v1", "seq": 0, "profile_id": "files",
                "expectation_id": "files:read_open", "probe_sha256": digest(0), "expected": "allow",
                "baseline": allow, "scenario": allow, "oracle": allow, "actual": "allow", "match": true,
                "mechanism": none, "failure_stage": none, "failure_kind": none, "errno": none,
            }),
            json!({
                "schema_version": "sandproof.verdict.v1", "seq": 1, "profile_id": "files",
                "expectation_id": "files:read_secret", "probe_sha256": digest(1), "expected": "deny",
                "baseline": allow, "scenario": denied, "oracle": shown("deny", Value::Null, Value::Null),
                "actual": "deny", "match": true, "mechanism": none, "failure_stage": "probe",
                "failure_kind": "probe_syscall_errno", "errno": libc::EACCES,
            }),
            json!({
                "schema_version": "sandproof.verdict.v1", "seq": 2, "profile_id": "network",
                "expectation_id": "network:connect", "probe_sha256": digest(2), "expected": "deny",
                "baseline": denied, "scenario": shown("undecided", json!("probe_timeout"), Value::Null),
                "oracle": shown("undecided", Value::Null, Value::Null), "actual": none, "match": none,
                "mechanism": none, "failure_stage": "probe", "failure_kind": "probe_timeout", "errno": none,
            }),
        ]
    );
}

#[test]
fn what_a_row_shows_by_itself_stays_where_its_verdict_is_another() {
    let mut bench = bench();
    // Denied with and without the policy.
    bench.baseline[1] = refused(bench.baseline[1].clone(), libc::EACCES);
    let found = lines(&bench.derive().0);
    assert_eq!((&found[1]["scenario"]["word"], &found[1]["scenario"]["kind"]), (&json!("deny"), &Value::Null));
    assert_eq!((&found[1]["actual"], &found[1]["failure_kind"]), (&Value::Null, &json!("baseline_denied")));
}

#[test]
fn a_lane_that_is_off_is_null_and_what_rests_on_it_too() {
    for bits in 0..8 {
        let lanes = LaneSet { baseline: bits & 1 != 0, scenario: bits & 2 != 0, oracle: bits & 4 != 0 };
        let mut bench = bench();
        bench.plan.lanes = lanes;
        let (memory, _) = bench.derive();
        check(&memory);
        let found = lines(&memory);
        assert_eq!(found.len(), 3, "{lanes:?}");
        for line in found {
            let there = |name: &str| !line[name].is_null();
            assert_eq!(["baseline", "scenario", "oracle"].map(there), [lanes.baseline, lanes.scenario, lanes.oracle]);
            if !lanes.scenario {
                let rest = ["actual", "match", "mechanism", "failure_stage", "failure_kind", "errno"];
                assert!(!rest.into_iter().any(there), "{line}");
            }
        }
    }
}

#[test]
fn a_bundle_of_the_first_format_has_none() {
    let mut bench = bench();
    let (with, _) = bench.derive();
    bench.manifest.bundle_format = None;
    let (mut without, _) = bench.derive();
    assert!(!without.0.contains_key(layout::VERDICTS));
    without.0.insert(layout::VERDICTS.to_owned(), with.0[layout::VERDICTS].clone());
    assert_eq!(with, without, "nothing else is another");
}

#[test]
fn ids_stand_there_as_they_are() {
    let spec = ("lecture-é", "file-read-data", Driver::FileRead, "${root}/x", Decision::Allow);
    let (memory, _) = Bench::new(plan(ALL_LANES, &[("profil \"é\\", &[spec])])).derive();
    let found = lines(&memory);
    assert_eq!(found[0]["profile_id"], "profil \"é\\");
    assert!(memory.text(layout::VERDICTS).contains(r#""profile_id":"profil \"é\\","#));
}

#[test]
fn the_other_documents_say_the_same() {
    let (memory, _) = bench().derive();
    let (results, baseline) = (memory.json(layout::RUNTIME_RESULTS), memory.json(layout::BASELINE_RESULTS));
    let probes = results.as_object().unwrap().values().flat_map(|entry| entry["probes"].as_array().unwrap());
    for ((line, result), baseline) in lines(&memory).iter().zip(probes).zip(baseline["results"].as_array().unwrap()) {
        for name in ["expectation_id", "expected", "actual", "match"] {
            assert_eq!(line[name], result[name], "{name}");
        }
        for name in ["failure_stage", "failure_kind", "errno"] {
            assert_eq!(line[name], result["runtime_result"][name], "{name}");
        }
        assert_eq!(line["baseline"]["word"], baseline["status"]);
    }
}
