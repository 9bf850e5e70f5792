//! Declarations of other systems: `identity declare --from`, `diff-runs` over them, and the subject of a plan.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    copy_folder, expect_code, json_answer, output, root, sandproof, shaped, stderr, stdout, validate,
};
use crate::workspace::Workspace;

/// Documents in the first format, which is read as it always was.
const EXAMPLES: &str = "tests/declarations-v1/support-agent";
/// Their identities, as the first release gave them.
const IDENTITIES: [(&str, &str); 2] = [
    ("run.json", "01f9313745e292eb91581ebff3ba583ed80e3a571472d177531a3102b2a89677"),
    ("deployment.json", "d94caba367457d58992001a27bf3e0dbfc67bdae1f7890641ec2ea88484f640b"),
];

/// A copy of the example that can be edited.
fn example() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_folder(&root().join(EXAMPLES), dir.path());
    dir
}

#[track_caller]
fn declare(from: &Path) -> Value {
    json_answer(sandproof().args(["identity", "declare", "--json", "--from"]).arg(from), "system_identity", 0)
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut document: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut document);
    fs::write(path, serde_json::to_vec_pretty(&document).unwrap()).unwrap();
}

#[test]
fn documents_of_the_first_format_keep_their_identities() {
    for (name, identity) in IDENTITIES {
        let sealed = declare(&Path::new(EXAMPLES).join(name));
        assert_eq!((&sealed["identity"], sealed.get("completeness")), (&json!(identity), None), "{name}");
    }
}

#[test]
fn the_examples_are_complete_and_the_same_wherever_they_lie() {
    let elsewhere = example();
    for (name, kind) in [("run.json", "ai_run"), ("deployment.json", "deployment")] {
        let here = declare(&Path::new(EXAMPLES).join(name));
        assert_eq!(here["kind"], kind);
        assert_eq!(declare(&elsewhere.path().join(name)), here);
        let people = output(sandproof().args(["identity", "declare", "--from"]).arg(Path::new(EXAMPLES).join(name)));
        expect_code(&people, 0);
        assert!(stdout(&people).contains(here["identity"].as_str().unwrap()), "{}", stdout(&people));
        assert!(stdout(&people).contains("/artifact/model/weights: the provider publishes"), "{}", stdout(&people));
    }
}

#[test]
fn one_changed_byte_changes_that_part_and_the_identity() {
    let dir = example();
    let run = dir.path().join("run.json");
    let before = declare(&run);
    fs::write(dir.path().join("system.txt"), "You answer questions.").unwrap();
    let after = declare(&run);
    assert_ne!(before["identity"], after["identity"]);
    for part in ["artifact", "runtime", "policy", "history"] {
        assert_eq!(before["digests"][part] == after["digests"][part], part != "artifact", "{part}");
    }
}

#[test]
fn an_incomplete_declaration_is_refused_with_everything_that_is_missing() {
    let dir = example();
    let run = dir.path().join("run.json");
    edit(&run, |document| {
        document["artifact"]["model"].as_object_mut().unwrap().remove("version");
        document["artifact"]["parameters"]["temperature"] = json!(0.2);
        document["artifact"]["tools"]["lookup_order"] = json!({"file": "../outside.json"});
        document.as_object_mut().unwrap().remove("history");
    });
    let refused = output(sandproof().args(["identity", "declare", "--from"]).arg(&run));
    expect_code(&refused, 3);
    let said = stderr(&refused);
    for pointer in [
        "/artifact/model/version",
        "/artifact/parameters/temperature",
        "/artifact/tools/lookup_order/file",
        "/history/cached_context",
        "/history/interventions",
        "/history/earlier_runs",
    ] {
        assert!(said.contains(&format!("`{pointer}`")), "{pointer} is not in\n{said}");
    }
    assert!(said.contains("like \"0.7\"") && said.contains("leaves the folder"), "{said}");
    expect_code(&output(sandproof().args(["identity", "declare", "--from", "none.json"])), 3);
}

#[test]
fn declarations_of_systems_are_compared_item_by_item() {
    let (one, two) = (example(), example());
    edit(&two.path().join("run.json"), |document| document["artifact"]["parameters"]["temperature"] = json!("0.9"));
    let sealed = one.path().join("sealed.json");
    fs::write(&sealed, declare(&one.path().join("run.json")).to_string()).unwrap();
    // A document and its sealed form are the same declaration.
    let same = ["diff-runs", "--json", "--accept-absent"];
    expect_code(&output(sandproof().args(same).arg(&sealed).arg(one.path().join("run.json"))), 0);
    let differs = output(sandproof().args(["diff-runs", "--json"]).arg(&sealed).arg(two.path().join("run.json")));
    expect_code(&differs, 1);
    let diff = shaped("run_diff", &differs.stdout);
    assert_eq!(diff["changes"][0]["pointers"], json!(["/artifact/parameters/temperature"]));
    assert_eq!(diff["declarations"]["parts"][0]["items"][0]["b"], json!({"value": "0.9"}));
}

#[test]
fn a_run_is_held_against_its_deployment_in_what_both_state() {
    let dir = example();
    let (run, deployment) = (dir.path().join("run.json"), dir.path().join("deployment.json"));
    let diff = |a: &Path, b: &Path, more: &[&str], code: i32| {
        json_answer(sandproof().args(["diff-runs", "--json"]).args(more).arg(a).arg(b), "run_diff", code)
    };
    let pointers = |items: &Value| -> Vec<String> {
        items.as_array().unwrap().iter().map(|one| one["pointer"].as_str().unwrap().to_owned()).collect()
    };
    let differing = |report: &Value| -> Vec<String> {
        let parts = report["declarations"]["parts"].as_array().unwrap();
        parts.iter().flat_map(|part| pointers(&part["items"])).collect()
    };
    // The shipped pair: the run had an intervention, and has no share of a rollout.
    let report = diff(&run, &deployment, &["--accept-absent"], 1);
    let rollout = ["/runtime/rollout/absent", "/runtime/rollout/rest", "/runtime/rollout/share_percent"];
    assert_eq!(differing(&report), [&rollout[..], &["/history/interventions/0"]].concat());
    let only = [
        "/artifact/conversation",
        "/artifact/retrieval_context/snapshot",
        "/history/cached_context",
        "/history/earlier_runs",
    ];
    assert_eq!(pointers(&report["declarations"]["stated_by_run_only"]), only);
    assert_eq!(report["declarations"]["stated_by_neither"].as_array().unwrap().len(), 4);

    // Without these it is a run of what was deployed, as far as both say, whichever comes first.
    edit(&run, |document| {
        document["history"]["interventions"] = json!([]);
        document["runtime"]["rollout"] = json!({"share_percent": 10, "rest": "the version of 2026-08-01"});
        document["policy"]["other"]["site"] = json!("eu");
    });
    for (a, b) in [(&run, &deployment), (&deployment, &run)] {
        let report = diff(a, b, &[], 8);
        assert_eq!(differing(&report), [""; 0]);
        assert_eq!((&report["same"], &report["declarations"]["identical"]), (&json!(false), &json!(false)));
        let listed = pointers(&report["declarations"]["stated_by_run_only"]);
        assert_eq!((listed.len(), listed.contains(&"/policy/other/site".to_owned())), (5, true));
        assert_eq!(diff(a, b, &["--accept-absent"], 0)["same"], true);
    }
    let people = output(sandproof().arg("diff-runs").arg(&run).arg(&deployment));
    let said = stdout(&people);
    assert!(said.starts_with("equal in what both state; 5 items stated by the run only, 4 by neither;"), "{said}");
    assert!(said.contains("artifact  equal in what both state\n"), "{said}");
    assert!(said.contains("/history/earlier_runs: a deployment continues no run"), "{said}");
    let markdown = output(sandproof().args(["diff-runs", "--markdown"]).arg(&run).arg(&deployment));
    assert!(stdout(&markdown).contains("#### Stated by the run only"), "{}", stdout(&markdown));

    // A tool that nobody deployed, and a rule that the run does not state, are differences and never accepted.
    edit(&run, |document| document["artifact"]["tools"]["delete_order"] = json!({"file": "system.txt"}));
    assert_eq!(differing(&diff(&run, &deployment, &["--accept-absent"], 1)), ["/artifact/tools/delete_order"]);
    edit(&run, |document| {
        drop(document["artifact"]["tools"].as_object_mut().unwrap().remove("delete_order"));
        document["policy"]["approval_rules"] = json!({"absent": "nobody was asked"});
    });
    assert_eq!(differing(&diff(&run, &deployment, &["--accept-absent"], 1)), ["/policy/approval_rules"]);
}

/// A plan of one read in `folder`, and its sealed declaration.
fn sealed_run(folder: &Path) -> (PathBuf, PathBuf) {
    Workspace::new(folder).many_reads("r", 1);
    let plan = folder.join("plans/r/plan.json");
    let declared = output(sandproof().args(["identity", "declare", "--json", "--plan"]).arg(&plan));
    expect_code(&declared, 0);
    let sealed = folder.join("sealed.json");
    fs::write(&sealed, &declared.stdout).unwrap();
    (plan, sealed)
}

#[test]
fn a_run_of_this_program_and_another_system_have_nothing_in_common() {
    let dir = example();
    let (_, sealed) = sealed_run(dir.path());
    for name in ["run.json", "deployment.json"] {
        let kinds = output(sandproof().arg("diff-runs").arg(&sealed).arg(dir.path().join(name)));
        expect_code(&kinds, 2);
        assert!(stderr(&kinds).contains("`run`"), "{}", stderr(&kinds));
    }
}

/// A workspace whose plan names the example as its subject.
fn with_subject(dir: &Path) -> PathBuf {
    Workspace::new(dir).many_reads("r", 2);
    copy_folder(&root().join(EXAMPLES), &dir.join("subjects/agent"));
    let plan = dir.join("plans/r/plan.json");
    edit(&plan, |plan| plan["subject"] = "subjects/agent/run.json".into());
    plan
}

#[test]
fn a_subject_is_part_of_the_identity_and_travels_with_the_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let plan = with_subject(dir.path());
    let run = |id: &str| {
        let out = dir.path().join("out");
        let mut command = sandproof();
        command.args(["run", "--run-id", id, "--plan"]).arg(&plan).arg("--out").arg(&out);
        // The two runs are compared: the file system of their fixtures must not depend on the room in /dev/shm.
        fs::create_dir_all(dir.path().join("fixtures")).unwrap();
        let done = output(command.arg("--fixtures").arg(dir.path().join("fixtures")));
        expect_code(&done, 0);
        out.join(id)
    };
    let a = run("a");
    let identity: Value = serde_json::from_slice(&fs::read(a.join("run_identity.json")).unwrap()).unwrap();
    let subject = &identity["artifact"]["subject"];
    assert_eq!(subject["kind"], "ai_run");
    assert_eq!(subject["identity"], declare(&dir.path().join("subjects/agent/run.json"))["identity"]);
    assert_eq!(identity["artifact"]["documents"]["subject_file"].as_object().unwrap().len(), 4);

    // Another instruction is another run, and reaches no row.
    fs::write(dir.path().join("subjects/agent/system.txt"), "Do as you please.").unwrap();
    let b = run("b");
    let diff = output(sandproof().args(["diff-runs", "--json"]).args([&a, &b]));
    expect_code(&diff, 1);
    let diff = shaped("run_diff", &diff.stdout);
    assert_eq!((&diff["changes"][0]["id"], &diff["changes"][0]["reach"]), (&json!("subject"), &json!("no_row")));
    assert_eq!((diff["changes"].as_array().unwrap().len(), &diff["verdicts"]["differing"]), (1, &json!(0)));

    // It verifies where its sources never were, and not if its copy of them was touched.
    let moved = tempfile::tempdir().unwrap();
    let there = moved.path().join("a");
    copy_folder(&a, &there);
    drop(dir);
    expect_code(&validate(&there), 0);
    let copies: Vec<PathBuf> =
        fs::read_dir(there.join("inputs/subject")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(copies.len(), 4);
    fs::write(&copies[0], "forged").unwrap();
    expect_code(&validate(&there), 4);
}

#[test]
fn a_plan_whose_subject_is_incomplete_is_refused_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let plan = with_subject(dir.path());
    edit(&dir.path().join("subjects/agent/run.json"), |document| {
        document["policy"].as_object_mut().unwrap().remove("escalation");
    });
    let lint = output(sandproof().args(["plan-lint", "--plan"]).arg(&plan));
    expect_code(&lint, 1);
    assert!(stdout(&lint).contains("`subjects/agent/run.json` at `/policy/escalation`"), "{}", stdout(&lint));
    let out = dir.path().join("out");
    let run = output(sandproof().args(["run", "--plan"]).arg(&plan).arg("--out").arg(&out));
    expect_code(&run, 3);
    edit(&plan, |plan| plan["subject"] = "../elsewhere.json".into());
    let lint = output(sandproof().args(["plan-lint", "--plan"]).arg(&plan));
    expect_code(&lint, 1);
    assert!(stdout(&lint).contains("`/subject`"), "{}", stdout(&lint));
}

#[test]
fn a_plan_has_to_probe_the_profile_that_confines_its_subject() {
    let dir = tempfile::tempdir().unwrap();
    let plan = with_subject(dir.path());
    let document = dir.path().join("subjects/agent/run.json");
    let confined_by = |profile: &Value| edit(&document, |run| run["policy"]["sandbox"] = json!({ "profile": profile }));
    let lint = || output(sandproof().args(["plan-lint", "--plan"]).arg(&plan));
    confined_by(&json!("elsewhere:other"));
    let refused = lint();
    expect_code(&refused, 1);
    let said = stdout(&refused);
    assert!(said.contains("`elsewhere:other`") && said.contains("does not probe"), "{said}");
    let run = output(sandproof().args(["run", "--plan"]).arg(&plan).arg("--out").arg(dir.path().join("out")));
    expect_code(&run, 3);
    let written: Value = serde_json::from_slice(&fs::read(&plan).unwrap()).unwrap();
    confined_by(&written["profiles"][0]);
    expect_code(&lint(), 0);
    // Words are no profile.
    edit(&document, |run| run["policy"]["sandbox"] = json!("a container"));
    expect_code(&lint(), 1);
}

#[test]
fn two_systems_are_not_the_same_by_what_neither_states() {
    let dir = tempfile::tempdir().unwrap();
    let absent = json!({"absent": "not known to us"});
    let all = |names: &[&str]| -> Value { names.iter().map(|name| ((*name).to_owned(), absent.clone())).collect() };
    let mut artifact = all(&["system_instructions", "tools", "retrieval_context", "conversation", "memory_policy"]);
    artifact["model"] = all(&["name", "version", "weights"]);
    artifact["parameters"] = all(&["temperature", "top_p", "seed", "max_output_tokens"]);
    let whole = json!({
        "schema_version": "sandproof.system_declaration.v1", "kind": "deployment", "artifact": artifact,
        "runtime": all(&["infrastructure", "scheduler", "rollout"]),
        "policy": all(&["approval_rules", "escalation", "veto_thresholds"]),
        "history": all(&["cached_context", "interventions", "earlier_runs"]),
    });
    let file = dir.path().join("unknown.json");
    fs::write(&file, whole.to_string()).unwrap();
    let diff = |more: &[&str]| output(sandproof().arg("diff-runs").arg(&file).arg(&file).args(more));
    let doubted = diff(&[]);
    expect_code(&doubted, 8);
    let said = stdout(&doubted);
    assert!(said.starts_with("equal as far as declared; 21 items stated by neither"), "{said}");
    assert!(said.contains("/artifact/model/weights: not known to us"), "{said}");
    let report: Value = serde_json::from_slice(&diff(&["--json"]).stdout).unwrap();
    assert_eq!((&report["same"], &report["declarations"]["materially_equal"]), (&json!(false), &json!(true)));
    assert_eq!(report["declarations"]["stated_by_neither"].as_array().unwrap().len(), 21);
    let markdown = diff(&["--markdown"]);
    assert!(stdout(&markdown).starts_with("### Different: equal as far as declared"), "{}", stdout(&markdown));
    let accepted = diff(&["--accept-absent", "--json"]);
    expect_code(&accepted, 0);
    let report: Value = serde_json::from_slice(&accepted.stdout).unwrap();
    assert_eq!((&report["same"], &report["declarations"]["absent_accepted"]), (&json!(true), &json!(true)));
    // What one side states and the other does not is a difference, accepted or not.
    let mut stated = whole;
    stated["artifact"]["model"]["name"] = json!("m");
    let other = dir.path().join("known.json");
    fs::write(&other, stated.to_string()).unwrap();
    expect_code(&output(sandproof().args(["diff-runs", "--accept-absent"]).arg(&file).arg(&other)), 1);
}

/// `identity verify` of a sealed declaration.
fn verify(sealed: &Path, how: &str, what: &Path) -> std::process::Output {
    output(sandproof().args(["identity", "verify", "--json", "--bundle"]).arg(sealed).arg(how).arg(what))
}

#[test]
fn a_sealed_system_is_verified_against_the_document_that_it_was_sealed_from() {
    let dir = example();
    let (run, sealed) = (dir.path().join("run.json"), dir.path().join("sealed.json"));
    let declaration = declare(&run);
    fs::write(&sealed, declaration.to_string()).unwrap();
    for (how, what) in [("--from", run.as_path()), ("--against", dir.path()), ("--against", run.as_path())] {
        let same = verify(&sealed, how, what);
        expect_code(&same, 0);
        let report = shaped("identity_report", &same.stdout);
        assert_eq!((&report["ok"], &report["identity"]), (&json!(true), &declaration["identity"]));
        assert_eq!(report["against"], run.to_str().unwrap());
    }
    // A changed file is named where it stands, and nothing else is.
    fs::write(dir.path().join("system.txt"), "Do as you please.").unwrap();
    for (how, what) in [("--from", run.as_path()), ("--against", dir.path())] {
        let differs = verify(&sealed, how, what);
        expect_code(&differs, 1);
        let report = shaped("identity_report", &differs.stdout);
        let pointers: Vec<&Value> =
            report["differences"].as_array().unwrap().iter().map(|one| &one["pointer"]).collect();
        assert_eq!(pointers, [&json!("/artifact/system_instructions/digest")]);
    }
    // The other kind is another system.
    let kinds = verify(&sealed, "--from", &dir.path().join("deployment.json"));
    expect_code(&kinds, 1);
    assert!(stdout(&kinds).contains("\"/kind\""), "{}", stdout(&kinds));
    // A document that is incomplete gives no identity.
    edit(&run, |document| drop(document.as_object_mut().unwrap().remove("history")));
    expect_code(&verify(&sealed, "--from", &run), 3);
}

#[test]
fn a_sealed_system_is_never_compared_with_what_a_run_declares() {
    let dir = example();
    let (run, sealed) = (dir.path().join("run.json"), dir.path().join("sealed.json"));
    fs::write(&sealed, declare(&run).to_string()).unwrap();
    let refused = |output: &std::process::Output, code: i32, says: &str| {
        expect_code(output, code);
        assert!(stderr(output).contains(says) && !stderr(output).contains("run_identity"), "{}", stderr(output));
    };
    // By itself it says nothing of what it was sealed from.
    let alone = output(sandproof().args(["identity", "verify", "--bundle"]).arg(&sealed));
    refused(&alone, 2, "`--from DOC`");
    // Nor does a folder with no document of its kind, or with several of which none gives it.
    let empty = tempfile::tempdir().unwrap();
    refused(&verify(&sealed, "--against", empty.path()), 2, "no document in");
    refused(&verify(&sealed, "--against", &empty.path().join("none")), 2, "none");
    for name in ["one.json", "two.json"] {
        fs::copy(&run, dir.path().join(name)).unwrap();
        edit(&dir.path().join(name), |document| document["artifact"]["parameters"]["seed"] = name.into());
    }
    expect_code(&verify(&sealed, "--against", dir.path()), 0);
    fs::remove_file(&run).unwrap();
    refused(&verify(&sealed, "--against", dir.path()), 2, "none of `one.json`, `two.json`");
    // One that was forged is wrong whatever lies beside it.
    edit(&sealed, |declaration| declaration["artifact"]["tools"] = json!([]));
    let forged = verify(&sealed, "--against", dir.path());
    expect_code(&forged, 1);
    assert!(stdout(&forged).contains("/digests/artifact"), "{}", stdout(&forged));
    // Neither an unsealed document nor an unknown format is one.
    let unsealed = verify(&dir.path().join("one.json"), "--against", dir.path());
    refused(&unsealed, 4, "`identity declare --from` seals it");
    edit(&sealed, |declaration| declaration["schema_version"] = json!("sandproof.system_declaration.v9"));
    refused(&verify(&sealed, "--against", dir.path()), 4, "which this program does not know");
    // And a sealed one is no document to seal.
    edit(&sealed, |declaration| declaration["schema_version"] = json!("sandproof.system_declaration.v1"));
    let twice = output(sandproof().args(["identity", "declare", "--from"]).arg(&sealed));
    refused(&twice, 3, "sealed already");
    assert!(!stderr(&twice).contains("remove it"), "{}", stderr(&twice));
}

#[test]
fn a_run_has_no_document_that_it_was_sealed_from() {
    let dir = tempfile::tempdir().unwrap();
    let (plan, sealed) = sealed_run(dir.path());
    expect_code(&verify(&sealed, "--against", dir.path()), 0);
    let refused = verify(&sealed, "--from", &plan);
    expect_code(&refused, 2);
    assert!(stderr(&refused).contains("the declaration of a run"), "{}", stderr(&refused));
}

#[test]
fn a_system_is_shown_with_what_it_leaves_unsaid() {
    let dir = example();
    let sealed = dir.path().join("sealed.json");
    fs::write(&sealed, declare(&dir.path().join("run.json")).to_string()).unwrap();
    let shown = output(sandproof().args(["identity", "show", "--bundle"]).arg(&sealed));
    expect_code(&shown, 0);
    let said = stdout(&shown);
    assert!(said.contains("kind      ai_run\n"), "{said}");
    assert!(said.contains("absent    /artifact/model/weights: the provider publishes no digest"), "{said}");
    assert!(said.contains("          /runtime/rollout: a single run\n"), "{said}");
}

#[test]
fn a_message_put_in_before_others_is_one_change() {
    let dir = example();
    let message = |text: &str| json!({"role": "user", "text": text});
    let six: Vec<Value> = (0..6).map(|n| message(&format!("m{n}"))).collect();
    let mut seven = six.clone();
    seven.insert(0, message("new"));
    let [a, b] = [("a.json", &six), ("b.json", &seven)].map(|(name, messages)| {
        let path = dir.path().join(name);
        fs::copy(dir.path().join("run.json"), &path).unwrap();
        edit(&path, |document| document["artifact"]["conversation"] = json!(messages));
        path
    });
    let diff = |a: &Path, b: &Path| json_answer(sandproof().args(["diff-runs", "--json"]).args([a, b]), "run_diff", 1);
    let items = &diff(&a, &b)["declarations"]["parts"][0]["items"];
    assert_eq!(items.as_array().unwrap().len(), 1, "{items}");
    assert_eq!((&items[0]["pointer"], &items[0]["b"]["value"]), (&json!("/artifact/conversation/0"), &message("new")));
    assert_eq!(items[0]["name"], "artifact: conversation, `0`");
    // What changes behind it has a place on each side.
    edit(&b, |document| document["artifact"]["conversation"][4]["text"] = json!("other"));
    let items = &diff(&a, &b)["declarations"]["parts"][0]["items"];
    assert_eq!(items[1]["pointer"], "/artifact/conversation/3/text");
    assert_eq!(items[1]["b_pointer"], "/artifact/conversation/4/text");
    let people = output(sandproof().arg("diff-runs").arg(&a).arg(&b));
    assert!(
        stdout(&people).contains("/artifact/conversation/3/text (in B /artifact/conversation/4/text)"),
        "{}",
        stdout(&people)
    );
}

#[test]
fn digests_of_systems_are_shortened_for_people_and_names_stay_as_they_are() {
    let dir = example();
    let other = dir.path().join("other.json");
    fs::copy(dir.path().join("run.json"), &other).unwrap();
    fs::write(dir.path().join("refund.json"), "{}").unwrap();
    edit(&other, |document| document["artifact"]["tools"]["propose_refund"] = json!({"file": "refund.json"}));
    let people = output(sandproof().arg("diff-runs").arg(dir.path().join("run.json")).arg(&other));
    expect_code(&people, 1);
    let said = stdout(&people);
    assert!(said.contains("artifact: tools, `propose_refund`, `digest`: sha256:"), "{said}");
    assert!(said.contains(" -> sha256:44136fa355b3\u{2026}\n"), "{said}");
}
