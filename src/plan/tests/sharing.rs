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

#[test]
fn probes_keep_to_themselves_what_is_theirs_alone() {
    let mut sample = Sample::new();
    let mut again = probe("again", "file_read", "file-read-data", "${root}/in/a", "allow");
    (again["name"], again["why"]) = (json!("another name"), json!("because"));
    sample.probes["probes"]["again"] = again;
    // Another target is expected to be looked at, and is the probe's own all the same.
    sample.probes["probes"]["elsewhere"] =
        probe("elsewhere", "file_read", "file-read-data", "${root}/in/elsewhere", "allow");
    sample.profiles["profiles"]["one"] = profile("one", &["read_in", "again", "elsewhere", "read_out"]);
    let mut plan = sample.load().unwrap();
    let rows = &plan.profiles[0].probes;
    let manner = |n: usize| std::ptr::from_ref::<file::ProbeManner>(&rows[n].entry);
    assert_eq!([manner(0), manner(0)], [manner(1), manner(2)]);
    assert_ne!(manner(0), manner(3), "another expectation is another manner");
    assert!(Arc::ptr_eq(&rows[0].entry.target, &rows[1].entry.target));
    assert!(Arc::ptr_eq(rows[0].action.as_ref().unwrap(), rows[1].action.as_ref().unwrap()));
    // What they have to themselves is small.
    assert!(size_of::<file::ProbeEntry>() + size_of::<ResolvedProbe>() <= 176);
    // Each is written as it was read.
    for row in rows {
        let written = serde_json::to_value(&*row.entry).unwrap();
        let mut wanted = sample.probes["probes"][row.entry.probe_id.as_str()].clone();
        wanted.as_object_mut().unwrap().remove("capabilities_required"); // an empty list says nothing
        assert_eq!(written, wanted);
    }
    // And who changes one changes no other.
    Arc::make_mut(&mut plan.profiles[0].probes[0].entry).operation = "file-read-metadata".to_owned();
    let operations: Vec<&str> = plan.profiles[0].probes.iter().map(|row| row.entry.operation.as_str()).collect();
    assert_eq!(operations, ["file-read-metadata", "file-read-data", "file-read-data", "file-read-data"]);
}

#[test]
fn a_plan_whose_registries_were_let_go_still_says_which_they_were() {
    let plan = Sample::new().load().unwrap();
    let digests = |plan: &ResolvedPlan| plan.documents.iter().map(|it| it.bytes.digest()).collect::<Vec<_>>();
    let before = digests(&plan);
    plan.release_registries();
    let gone = plan.documents.iter().filter(|document| document.bytes.held().is_none());
    assert_eq!(gone.map(|document| document.role).collect::<Vec<_>>(), [InputRole::Probes, InputRole::Profiles]);
    assert_eq!(digests(&plan), before);
}
