//! How differences are gathered, what they can reach, and what people are shown.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::changes::{ReachClass, gather};
use super::explain::Grounds;
use super::row_provenance::RowProvenance;
use super::rows::RowKey;
use super::side::of_declaration;
use super::verdicts::DifferingRow;
use super::{declarations, render_markdown, render_text};
use crate::base::digest::Digest;
use crate::identity::seal::{DeclarationParts, seal};
use crate::record::identity::{Declaration, RUN_IDENTITY_SCHEMA, RUN_KIND};
use crate::record::outcome::{Decision, Lane};
use crate::record::run_diff::{
    ExplanationGrade, Flip, FlipKind, LaneDiff, RowAnswer, RowInput, RowReach, RowVerdict, RunDiff,
};

/// A declaration in the shape of a run's, as far as anything here reads it.
fn whole() -> Value {
    let policy = |path: &str| json!({"path": path, "sha256": "d1", "value_sha256": "v1"});
    json!({
        "artifact": {
            "tool": {"sha256": "t1", "version": "1"},
            "documents": {
                "policy": {"p/one.json": "d1", "p/two.json": "d1", "p/pre.json": "d1"},
                "probes": {"probes.json": "r1"},
                "world": {"w.json": "w1"},
            },
            "profiles": {"a": policy("p/one.json"), "b": policy("p/one.json"), "c": policy("p/two.json")},
            "preflight_policy": policy("p/pre.json"),
            "fixtures": {"sha256": "f1"},
        },
        "runtime": {
            "host": {"kernel_release": "6.1", "landlock_abi": 2, "arch": "x86_64", "uid_class": "user"},
            "enforcer": {"name": "landlock", "abilities": {"net": false}},
            "world": {"declared": "linux-host", "world_id": "w-6.1"},
            "environment": {"TZ": {"absent": "not set"}, "LANG": {"absent": "not set"}},
            "locale": {"absent": "none"}, "time_zone": "UTC", "user": {"uid_class": "user"}, "jobs": 1,
        },
        "policy": {"selection": {"only_profiles": []}, "gate_rules": "g1", "deadline_ms": 10, "lock": {"mode": "fail"},
            "expectations": {"a": {"sha256": "e1"}}},
        "history": {"waivers": [], "inputs": "workspace"},
    })
}

fn sealed(whole: &Value) -> Declaration {
    let part = |name: &str| -> Map<String, Value> { whole[name].as_object().unwrap().clone() };
    let parts = DeclarationParts {
        artifact: part("artifact"),
        runtime: part("runtime"),
        policy: part("policy"),
        history: part("history"),
    };
    seal(RUN_IDENTITY_SCHEMA, RUN_KIND, parts).unwrap()
}

/// The declaration with other values at these pointers.
fn changed(edits: &[(&str, Value)]) -> [Declaration; 2] {
    let mut other = whole();
    for (pointer, value) in edits {
        *other.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value.clone();
    }
    [sealed(&whole()), sealed(&other)]
}

fn changes(edits: &[(&str, Value)]) -> Vec<(String, RowReach, usize)> {
    let [a, b] = changed(edits);
    gather(&a, &b, &declarations::compare(&a, &b))
        .into_iter()
        .map(|one| (one.change.id, one.change.reach, one.change.pointers.len()))
        .collect()
}

fn one(id: &str, reach: RowReach, items: usize) -> (String, RowReach, usize) {
    (id.to_owned(), reach, items)
}

#[test]
fn what_only_changes_together_is_one_change() {
    assert_eq!(changes(&[("/runtime/jobs", json!(2)), ("/policy/lock/mode", json!("wait"))]), []);
    // A policy that two profiles share; its document is one of the items.
    let policy = changes(&[
        ("/artifact/documents/policy/p~1one.json", json!("d2")),
        ("/artifact/profiles/a/sha256", json!("d2")),
        ("/artifact/profiles/a/value_sha256", json!("v2")),
        ("/artifact/profiles/b/sha256", json!("d2")),
    ]);
    assert_eq!(policy, [one("policy:p/one.json", RowReach::ResolvedRows, 4)]);
    // A kernel says several things of itself, and the world's id follows.
    let kernel = changes(&[
        ("/runtime/host/kernel_release", json!("6.12")),
        ("/runtime/host/landlock_abi", json!(6)),
        ("/runtime/enforcer/abilities/net", json!(true)),
        ("/runtime/world/world_id", json!("w-6.12")),
    ]);
    assert_eq!(kernel, [one("system", RowReach::AllRows, 4)]);
    // On their own these are not the kernel's.
    assert_eq!(
        changes(&[("/runtime/enforcer/abilities/net", json!(true)), ("/runtime/world/world_id", json!("w"))]),
        [one("enforcer", RowReach::AllRows, 1), one("/runtime/world/world_id", RowReach::NoRow, 1)]
    );
    assert_eq!(
        changes(&[("/runtime/environment/LANG", json!("d")), ("/runtime/locale", json!("C"))]),
        [one("environment:LANG", RowReach::AllRows, 2)]
    );
    assert_eq!(changes(&[("/runtime/time_zone", json!("CET"))]), [one("/runtime/time_zone", RowReach::AllRows, 1)]);
    assert_eq!(
        changes(&[("/runtime/host/uid_class", json!("root")), ("/runtime/user/uid_class", json!("root"))]),
        [one("user", RowReach::AllRows, 2)]
    );
}

#[test]
fn every_change_has_its_reach() {
    for (pointer, id, reach) in [
        ("/artifact/tool/sha256", "tool", RowReach::AllRows),
        ("/artifact/documents/probes/probes.json", "registry", RowReach::ResolvedRows),
        ("/artifact/fixtures/sha256", "registry", RowReach::ResolvedRows),
        ("/policy/expectations/a/sha256", "registry", RowReach::ResolvedRows),
        ("/artifact/documents/policy/p~1pre.json", "preflight_policy", RowReach::NoRow),
        ("/artifact/preflight_policy/value_sha256", "preflight_policy", RowReach::NoRow),
        ("/artifact/documents/world/w.json", "/artifact/documents/world/w.json", RowReach::NoRow),
        ("/runtime/host/arch", "/runtime/host/arch", RowReach::AllRows),
        ("/policy/selection/only_profiles", "selection", RowReach::Presence),
        ("/policy/gate_rules", "/policy/gate_rules", RowReach::NoRow),
        ("/policy/deadline_ms", "/policy/deadline_ms", RowReach::AllRows),
        ("/history/waivers", "/history/waivers", RowReach::NoRow),
        ("/history/inputs", "/history/inputs", RowReach::AllRows),
    ] {
        assert_eq!(changes(&[(pointer, json!("other"))]), [one(id, reach, 1)], "{pointer}");
    }
}

fn verdict(profile: &str, actual: RowAnswer) -> RowVerdict {
    let expected = Some(Decision::Deny.into());
    RowVerdict { profile_id: profile.into(), expected, actual, mechanism: None, because: None }
}

fn row(lane: Lane, profile: &str, kind: FlipKind) -> DifferingRow {
    let a = (kind != FlipKind::Appeared).then(|| verdict(profile, RowAnswer::Deny));
    let b = (kind != FlipKind::Vanished).then(|| verdict(profile, RowAnswer::Allow));
    DifferingRow { lane, key: RowKey { id: "x".into(), aspect: "".into() }, kind, a, b, baseline_differs: false }
}

/// What could explain a row, after these edits, with these facts of the row on both sides.
fn explained(edits: &[(&str, Value)], row: &DifferingRow, probes: [&[u8]; 2]) -> (ExplanationGrade, Vec<String>) {
    let [a, b] = changed(edits);
    let changes = gather(&a, &b, &declarations::compare(&a, &b));
    let facts = probes.map(|probe| {
        let probe = Digest::of(probe);
        let facts =
            RowProvenance { profile: Digest::of(b""), probe, fixtures: Digest::of(b""), expected: "deny".into() };
        HashMap::from([("x".to_owned(), facts)])
    });
    let grounds = Grounds { declarations: [&a, &b], changes: &changes, facts };
    let explanation = grounds.explain(row, &grounds.resolved_differently(row));
    (explanation.finding, explanation.candidates)
}

#[test]
fn nothing_is_named_that_does_not_reach_the_row() {
    let policy: &[(&str, Value)] = &[("/artifact/profiles/a/value_sha256", json!("v2"))];
    let same: [&[u8]; 2] = [b"p", b"p"];
    let flipped = |lane, profile| row(lane, profile, FlipKind::Flipped);
    let only = |id: &str| (ExplanationGrade::OnlyDifference, vec![id.to_owned()]);
    let none = |finding| (finding, Vec::new());

    assert_eq!(explained(&[], &flipped(Lane::Scenario, "a"), same), none(ExplanationGrade::NothingDeclared));
    // The number of workers is no difference, and gate rules reach no row.
    let beside = [("/runtime/jobs", json!(9)), ("/policy/gate_rules", json!("g2"))];
    assert_eq!(explained(&beside, &flipped(Lane::Scenario, "a"), same), none(ExplanationGrade::NothingDeclared));

    assert_eq!(explained(policy, &flipped(Lane::Scenario, "a"), same), only("policy:p/one.json"));
    assert_eq!(explained(policy, &flipped(Lane::Oracle, "a"), same), only("policy:p/one.json"));
    // Another profile of the same document whose meaning is the same, another document, a lane without a policy.
    assert_eq!(explained(policy, &flipped(Lane::Scenario, "b"), same), none(ExplanationGrade::NoneReaches));
    assert_eq!(explained(policy, &flipped(Lane::Scenario, "c"), same), none(ExplanationGrade::NoneReaches));
    assert_eq!(explained(policy, &flipped(Lane::Baseline, "a"), same), none(ExplanationGrade::NoneReaches));
    // The same meaning in another spelling.
    let spelled = [("/artifact/profiles/a/sha256", json!("d2"))];
    assert_eq!(explained(&spelled, &flipped(Lane::Scenario, "a"), same), none(ExplanationGrade::NoneReaches));

    let registry = [("/artifact/documents/probes/probes.json", json!("r2"))];
    assert_eq!(explained(&registry, &flipped(Lane::Scenario, "a"), same), none(ExplanationGrade::NoneReaches));
    assert_eq!(explained(&registry, &flipped(Lane::Scenario, "a"), [b"p", b"q"]), only("registry"));
    assert_eq!(explained(&registry, &row(Lane::Scenario, "a", FlipKind::Appeared), same), only("registry"));

    let selection = [("/policy/selection/only_profiles", json!(["a"]))];
    assert_eq!(explained(&selection, &row(Lane::Scenario, "a", FlipKind::Vanished), same), only("selection"));
    assert_eq!(explained(&selection, &flipped(Lane::Scenario, "a"), same), none(ExplanationGrade::NoneReaches));

    // Two that reach it are candidates; so is one that reaches it beside one that does not.
    let two = [policy[0].clone(), ("/runtime/host/landlock_abi", json!(6))];
    let both = vec!["policy:p/one.json".to_owned(), "system".to_owned()];
    assert_eq!(explained(&two, &flipped(Lane::Scenario, "a"), same), (ExplanationGrade::Candidates, both));
    let kernel = (ExplanationGrade::Candidates, vec!["system".to_owned()]);
    assert_eq!(explained(&two, &flipped(Lane::Scenario, "c"), same), kernel);

    // Only who writes an expectation changes it.
    let otherwise = row(Lane::Scenario, "a", FlipKind::ExpectedOtherwise);
    assert_eq!(
        explained(&[("/artifact/tool/sha256", json!("t2"))], &otherwise, same),
        none(ExplanationGrade::NoneReaches)
    );
}

#[test]
fn a_change_that_reaches_no_row_is_no_candidate() {
    let [a, b] = changed(&[("/policy/gate_rules", json!("g2"))]);
    let changes = gather(&a, &b, &declarations::compare(&a, &b));
    assert!(changes.iter().all(|change| change.class == ReachClass::Nothing));
}

/// A report with one of everything.
fn report() -> RunDiff {
    let [a, b] = changed(&[
        ("/artifact/profiles/a/value_sha256", json!("v2")),
        ("/runtime/host/landlock_abi", json!(6)),
        ("/runtime/jobs", json!(4)),
    ]);
    let (a, b) = (of_declaration("a.json".into(), a), of_declaration("b|`c`.json".into(), b));
    let mut report = super::compare(&a, &b).unwrap();
    report.verdicts.not_compared = None;
    report.verdicts.differing = 60;
    report.verdicts.lanes = vec![
        LaneDiff {
            lane: Lane::Scenario,
            a_rows: Some(61),
            b_rows: Some(60),
            same: 1,
            kinds: [(FlipKind::Flipped, 59), (FlipKind::Vanished, 1)].into(),
            transitions: [("deny -> allow".to_owned(), 59)].into(),
        },
        LaneDiff {
            lane: Lane::Oracle,
            a_rows: Some(5),
            b_rows: None,
            same: 0,
            kinds: Default::default(),
            transitions: Default::default(),
        },
    ];
    let flip = |id: &str, finding, candidates: &[&str]| Flip {
        lane: Lane::Scenario,
        id: id.into(),
        aspect: String::new(),
        kind: FlipKind::Flipped,
        a: Some(RowVerdict { because: Some("probe_syscall_errno EACCES".into()), ..verdict("a", RowAnswer::Deny) }),
        b: Some(verdict("a", RowAnswer::Allow)),
        baseline_differs: finding == ExplanationGrade::NoneReaches,
        resolved_differently: if finding == ExplanationGrade::Candidates { vec![RowInput::Probe] } else { vec![] },
        explanation: crate::record::run_diff::Explanation {
            finding,
            candidates: candidates.iter().map(|one| (*one).to_owned()).collect(),
        },
        opinions: Default::default(),
    };
    report.verdicts.flips = vec![
        flip("one", ExplanationGrade::OnlyDifference, &["system"]),
        flip("two|\u{1b}[31m", ExplanationGrade::Candidates, &["policy:p/one.json", "system"]),
        flip("three", ExplanationGrade::Candidates, &["system"]),
        flip("four", ExplanationGrade::NoneReaches, &[]),
        flip("five", ExplanationGrade::NothingDeclared, &[]),
        flip("six", ExplanationGrade::Unknown, &[]),
        Flip { kind: FlipKind::Vanished, b: None, ..flip("seven", ExplanationGrade::Candidates, &["system"]) },
    ];
    report
}

#[test]
fn people_are_shown_this() {
    insta::assert_snapshot!("text", render_text::render(&report()));
    insta::assert_snapshot!("markdown", render_markdown::render(&report()));
}
