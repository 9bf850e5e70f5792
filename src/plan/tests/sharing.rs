//! Large plans share what their rows have in common.

use std::sync::Arc;

use super::*;

#[test]
fn rows_of_several_profiles_share_entries_actions_and_fixtures() {
    let mut sample = Sample::new();
    sample.probes["probes"]["read_in"]["fixtures"] = json!([{"path": "own", "kind": "dir"}]);
    let plan = sample.load().unwrap();
    let [one, two] = &plan.profiles[..] else { panic!("two profiles") };
    let (a, b) = (&one.probes[0], &two.probes[0]);
    assert!(Arc::ptr_eq(&a.entry, &b.entry));
    assert!(Arc::ptr_eq(a.action.as_ref().unwrap(), b.action.as_ref().unwrap()));
    assert!(Arc::ptr_eq(&a.fixtures, &b.fixtures));
    assert_eq!(a.fixtures.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["in/a", "out/a", "own"]);
    assert!(Arc::ptr_eq(&one.policy.value, &two.policy.value));
}

#[test]
fn ids_that_could_be_read_two_ways_are_refused() {
    let mut sample = Sample::new();
    // `one::read_in` is what the shared `read_in` is called under `one`, and what this probe calls itself.
    sample.probes["probes"]["read_out"]["expectation_id"] = json!("one::read_in");
    let text = told(&sample.load().unwrap_err());
    assert!(text.contains("two rows of the plan have the expectation id `one::read_in`"), "{text}");
}

#[test]
fn a_plan_with_too_many_rows_is_refused() {
    // Counted before a reference is followed, so the test needs no million probes.
    let mut sample = Sample::new();
    let references = vec!["read_in"; crate::base::limits::MAX_ROWS];
    sample.profiles["profiles"]["one"]["probe_refs"] = json!(references);
    let LoadError::Refused { notes } = sample.load().unwrap_err() else { panic!("refused otherwise") };
    assert!(notes.iter().any(|note| note.kind == DiagnosticKind::TooManyRows), "no note about rows");
}
