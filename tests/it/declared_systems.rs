//! Declarations of other systems in the second format: what is sealed, kept, compared, and computed again by others.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::skip;
use crate::support::{
    copy_folder, expect_code, json_answer, output, root, sandproof, shaped, stderr, stdout, validate,
};
use crate::workspace::Workspace;

const EXAMPLES: &str = "docs/examples/support-agent";

/// A copy of the example that can be edited.
fn example() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_folder(&root().join(EXAMPLES), dir.path());
    dir
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut document: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut document);
    fs::write(path, serde_json::to_vec_pretty(&document).unwrap()).unwrap();
}

fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[name] = value;
}

#[track_caller]
fn declare(from: &Path) -> Value {
    json_answer(sandproof().args(["identity", "declare", "--json", "--from"]).arg(from), "system_identity", 0)
}

/// The example's run with another name in `dir`, with one item changed.
fn with(dir: &Path, name: &str, pointer: &str, value: Value) -> PathBuf {
    let path = dir.join(name);
    fs::copy(dir.join("run.json"), &path).unwrap();
    edit(&path, |document| set(document, pointer, value));
    path
}

fn diff(a: &Path, b: &Path, more: &[&str], code: i32) -> Value {
    json_answer(sandproof().args(["diff-runs", "--json"]).args(more).arg(a).arg(b), "run_diff", code)
}

fn differing(report: &Value) -> Vec<String> {
    let parts = report["declarations"]["parts"].as_array().unwrap();
    let items = parts.iter().flat_map(|part| part["items"].as_array().unwrap());
    items.map(|item| item["pointer"].as_str().unwrap().to_owned()).collect()
}

fn pointers(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["pointer"].as_str().unwrap()).collect()
}

/// The second reader; nothing where there is no Python.
fn second(words: &[&std::ffi::OsStr]) -> Option<Output> {
    let mut python = Command::new("python3");
    python.arg(root().join("scripts/verify_identity.py")).args(words).env("PYTHONDONTWRITEBYTECODE", "1");
    python.output().ok()
}

#[test]
fn the_shipped_examples_are_complete_but_for_what_they_say() {
    let elsewhere = example();
    for (name, kind) in [("run.json", "ai_run"), ("deployment.json", "deployment")] {
        let here = declare(&Path::new(EXAMPLES).join(name));
        assert_eq!((&here["kind"], &here["completeness"]), (&json!(kind), &json!("partial")));
        assert_eq!(declare(&elsewhere.path().join(name)), here);
        let people = output(sandproof().args(["identity", "declare", "--from"]).arg(Path::new(EXAMPLES).join(name)));
        expect_code(&people, 0);
        let said = stdout(&people);
        assert!(said.contains("says       partial: ") && said.contains("items are unknown"), "{said}");
        assert!(said.contains("/artifact/model/weights: the provider publishes no digest"), "{said}");
        assert!(said.contains("immaterial /runtime/scheduler/retries: a request"), "{said}");
    }
    // The run is one of that deployment, by its identity.
    let (run, deployment) = (Path::new(EXAMPLES).join("run.json"), Path::new(EXAMPLES).join("deployment.json"));
    let report = diff(&run, &deployment, &[], 8);
    assert_eq!(report["declarations"]["run_names_deployment"], true);
    assert_eq!(differing(&report), [""; 0]);
    let left = ["/artifact/conversation", "/artifact/retrieval/index", "/history/cached_context"];
    assert_eq!(pointers(&report["declarations"]["left_to_run"]), left);
    assert_eq!(diff(&deployment, &run, &["--accept-unknown"], 0)["same"], true);
}

#[test]
fn what_is_sealed_is_written_once_and_can_be_computed_again_wherever_it_lies() {
    let dir = example();
    let (run, sealed) = (dir.path().join("run.json"), dir.path().join("sealed"));
    let large = fs::File::create(dir.path().join("weights")).unwrap();
    large.set_len(17 * 1024 * 1024).unwrap();
    edit(&run, |document| set(document, "/artifact/model/weights", json!({"file": "weights"})));
    let seal = || output(sandproof().args(["identity", "declare", "--from"]).arg(&run).arg("--out").arg(&sealed));
    expect_code(&seal(), 0);
    let again = seal();
    expect_code(&again, 2);
    assert!(stderr(&again).contains("written once"), "{}", stderr(&again));
    for name in ["identity.json", "document.json", "inputs.json"] {
        let mode = fs::metadata(sealed.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o444, "{name}");
    }
    shaped("system_identity", &fs::read(sealed.join("identity.json")).unwrap());
    shaped("system_declaration_v2", &fs::read(sealed.join("document.json")).unwrap());
    shaped("sealed_inputs", &fs::read(sealed.join("inputs.json")).unwrap());
    let kept: u64 =
        fs::read_dir(sealed.join("content")).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(kept < 1024 * 1024, "{kept}");
    let identity = declare(&run)["identity"].clone();

    // Its sources are gone, and it lies elsewhere.
    let moved = tempfile::tempdir().unwrap();
    let there = moved.path().join("there");
    copy_folder(&sealed, &there);
    drop(dir);
    let verify = |code: i32| {
        json_answer(sandproof().args(["identity", "verify", "--json", "--bundle"]).arg(&there), "identity_report", code)
    };
    let report = verify(0);
    assert_eq!((&report["ok"], &report["identity"]), (&json!(true), &identity));
    for words in [&["identity", "show", "--bundle"][..], &["verify"], &["inspect"]] {
        let said = output(sandproof().args(words).arg(&there));
        expect_code(&said, 0);
        assert!(stdout(&said).contains(identity.as_str().unwrap()), "{words:?}: {}", stdout(&said));
    }
    diff(&there, &there, &["--accept-unknown"], 0);
    if let Some(read) = second(&[there.as_os_str()]) {
        expect_code(&read, 0);
        assert!(stdout(&read).contains(identity.as_str().unwrap()), "{}", stdout(&read));
    }

    // Nothing in it can be another without being found.
    let text = |name: &str| fs::read(there.join(name)).unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = there.join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&path, bytes).unwrap();
    };
    let document = text("document.json");
    put("document.json", &String::from_utf8(document.clone()).unwrap().replace("\"0.2\"", "\"0.3\"").into_bytes());
    let report = verify(1);
    assert_eq!(pointers(&report["differences"]), ["/artifact/parameters/temperature"]);
    put("document.json", &document);
    verify(0);
    for entry in fs::read_dir(there.join("content")).unwrap() {
        let name = format!("content/{}", entry.unwrap().file_name().to_str().unwrap());
        let bytes = text(&name);
        put(&name, b"forged");
        let refused = output(sandproof().args(["identity", "verify", "--bundle"]).arg(&there));
        let is_text = !String::from_utf8(text("inputs.json")).unwrap().contains(&name["content/".len()..]);
        assert_eq!(refused.status.code(), Some(if is_text { 0 } else { 3 }), "{name}: {}", stderr(&refused));
        put(&name, &bytes);
    }
    let sealed_text = text("identity.json");
    let mut forged: Value = serde_json::from_slice(&sealed_text).unwrap();
    forged["completeness"] = json!("complete");
    put("identity.json", forged.to_string().as_bytes());
    assert_eq!(pointers(&verify(1)["differences"]), ["/completeness"]);
}

#[test]
fn the_second_reader_seals_documents_alike() {
    let dir = example();
    let path = dir.path();
    fs::write(path.join("app.json"), "{\"t\": 0.70, \"n\": [1, {\"file\": \"x\"}], \"big\": 18446744073709551615}")
        .unwrap();
    fs::create_dir_all(path.join("hub/snapshots/empty")).unwrap();
    fs::write(path.join("hub/blob"), "x").unwrap();
    fs::set_permissions(path.join("hub/blob"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("../blob", path.join("hub/snapshots/w")).unwrap();
    fs::write(path.join("earlier.json"), declare(&path.join("run.json")).to_string()).unwrap();
    edit(&path.join("run.json"), |document| {
        for (pointer, value) in [
            ("/artifact/parameters/other", json!({"json": "app.json"})),
            ("/artifact/model/weights", json!({"folder": "h:"})),
            ("/artifact/model/tokenizer", json!({"in": "/artifact/model/weights"})),
            (
                "/artifact/code",
                json!({"a": {"file": "h:snapshots/w"}, "b": {"value": {"file": "x"}}, "c": {"text": "t"}}),
            ),
            ("/artifact/tools", json!({"none": "no tools"})),
            ("/artifact/conversation", json!([{"role": "user", "text": "cafe\u{301}"}])),
            ("/artifact/command", json!(["python", "x.py", ""])),
            (
                "/runtime/environment",
                json!({"TZ": "UTC", "LANG": {"none": "not set"}, "KEY": {"digest": format!("sha256:{}", "0".repeat(64))}}),
            ),
            ("/runtime/hardware", json!({"unknown": "not said"})),
            ("/history/earlier_runs", json!([{"file": "earlier.json"}])),
            ("/history/interventions", json!([])),
        ] {
            set(document, pointer, value);
        }
    });
    let roots = format!("h={}", path.join("hub").display());
    let declared = output(
        sandproof().args(["identity", "declare", "--json", "--root", &roots, "--from"]).arg(path.join("run.json")),
    );
    expect_code(&declared, 0);
    shaped("system_identity", &declared.stdout);
    let sealed = path.join("sealed.json");
    fs::write(&sealed, &declared.stdout).unwrap();
    let Some(read) =
        second(&["--from".as_ref(), path.join("run.json").as_os_str(), sealed.as_os_str(), roots.as_ref()])
    else {
        skip!("there is no python3");
    };
    expect_code(&read, 0);
    // And it finds what is another.
    fs::write(path.join("hub/snapshots/new"), "").unwrap();
    let read =
        second(&["--from".as_ref(), path.join("run.json").as_os_str(), sealed.as_os_str(), roots.as_ref()]).unwrap();
    expect_code(&read, 1);
    assert!(stdout(&read).contains("/artifact/model/weights"), "{}", stdout(&read));
}

#[test]
fn systems_of_which_nothing_is_known_are_not_the_same() {
    let dir = example();
    let path = dir.path().join("unknown.json");
    fs::copy(dir.path().join("run.json"), &path).unwrap();
    edit(&path, |document| {
        let whole = document.as_object_mut().unwrap();
        whole.remove("immaterial");
        for part in ["artifact", "runtime", "policy", "history"] {
            for (_, item) in whole[part].as_object_mut().unwrap() {
                *item = json!({"unknown": "nobody told us"});
            }
        }
    });
    let said = output(sandproof().args(["identity", "declare", "--from"]).arg(&path));
    expect_code(&said, 0);
    assert!(stdout(&said).contains("partial: 52 items are unknown"), "{}", stdout(&said));
    let report = diff(&path, &path, &[], 8);
    assert_eq!((&report["same"], &report["declarations"]["identical"]), (&json!(false), &json!(true)));
    assert_eq!(pointers(&report["declarations"]["unknown_on_both"]).len(), 52);
    let people = output(sandproof().arg("diff-runs").args([&path, &path]));
    assert!(stdout(&people).starts_with("not known to differ; unknown on both sides: 52 items"), "{}", stdout(&people));
    diff(&path, &path, &["--accept-unknown"], 0);
    // Who knows something that the other does not, differs.
    let known = dir.path().join("known.json");
    fs::copy(&path, &known).unwrap();
    edit(&known, |document| set(document, "/runtime/clock", json!({"none": "nobody is told the time"})));
    assert_eq!(differing(&diff(&path, &known, &["--accept-unknown"], 1)), ["/runtime/clock"]);
}

#[test]
fn a_difference_that_both_call_immaterial_is_shown_apart() {
    let dir = example();
    let run = dir.path().join("run.json");
    let other = with(dir.path(), "other.json", "/runtime/scheduler/retries", json!(9));
    let report = diff(&run, &other, &["--accept-unknown"], 0);
    assert_eq!(pointers(&report["declarations"]["immaterial"]), ["/runtime/scheduler/retries"]);
    assert_eq!(differing(&report), ["/runtime/scheduler/retries"]);
    assert_eq!(report["declarations"]["parts"][1]["materially_equal"], true);
    assert_eq!(report["changes"], json!([]));
    let people = output(sandproof().args(["diff-runs", "--accept-unknown"]).args([&run, &other]));
    let said = stdout(&people);
    assert!(
        said.contains("immaterial, as both declare\n  /runtime/scheduler/retries: a request that is sent again"),
        "{said}"
    );
    assert!(said.contains("retries (immaterial): 2 -> 9"), "{said}");
    // What only one of them calls so is material, and so is the list.
    edit(&other, |document| drop(document.as_object_mut().unwrap().remove("immaterial")));
    let report = diff(&run, &other, &["--accept-unknown"], 1);
    assert_eq!(differing(&report), ["/runtime/scheduler/retries", "/policy/immaterial"]);
    assert_eq!(report["changes"].as_array().unwrap().len(), 2);
}

#[test]
fn a_run_that_is_not_of_its_deployment_is_told_by_what_differs() {
    let dir = example();
    let (run, deployment) = (dir.path().join("run.json"), dir.path().join("deployment.json"));
    edit(&deployment, |document| set(document, "/artifact/parameters/temperature", json!("0.4")));
    let report = diff(&run, &deployment, &["--accept-unknown"], 1);
    assert_eq!(differing(&report), ["/artifact/parameters/temperature", "/history/deployment"]);
    assert_eq!(report["declarations"]["run_names_deployment"], false);
    // What it names can be a file, which has to hold.
    let sealed = declare(&deployment);
    fs::write(dir.path().join("deployment.sealed.json"), sealed.to_string()).unwrap();
    edit(&run, |document| {
        set(document, "/artifact/parameters/temperature", json!("0.4"));
        set(document, "/history/deployment", json!({"file": "deployment.sealed.json"}));
    });
    assert_eq!(declare(&run)["history"]["deployment"], sealed["identity"]);
    assert_eq!(diff(&run, &deployment, &["--accept-unknown"], 0)["declarations"]["run_names_deployment"], true);
    edit(&dir.path().join("deployment.sealed.json"), |sealed| sealed["kind"] = json!("ai_run"));
    let refused = output(sandproof().args(["identity", "declare", "--from"]).arg(&run));
    expect_code(&refused, 3);
    assert!(stderr(&refused).contains("no sealed declaration that holds: `/identity`"), "{}", stderr(&refused));
    // A run with a tool that nobody deployed, or without a rule that was.
    for (pointer, value) in
        [("/artifact/tools/definitions", json!({"none": "x"})), ("/policy/approval_rules", json!({"unknown": "x"}))]
    {
        let other = with(dir.path(), "other.json", pointer, value);
        edit(&other, |document| set(document, "/history/deployment", sealed["identity"].clone()));
        assert_eq!(differing(&diff(&other, &deployment, &["--accept-unknown"], 1)), [pointer]);
    }
}

/// A member of a document by its pointer, before and after.
type DeclaredChange = (&'static str, Value, Value);

/// The causes of public reports of answers that changed: what would have to be declared, before and after. `None`: nothing
/// that can be said before an execution holds it.
#[test]
fn a_difference_names_the_cause_where_one_can_be_declared() {
    let dir = example();
    let hash = |digit: &str| json!({"digest": format!("sha256:{}", digit.repeat(64))});
    let causes: [(&str, Option<DeclaredChange>); 23] = [
        ("same seed and fingerprint, other text", None),
        ("an alias moved", Some(("/artifact/model/version", json!("m-2023-06-13"), json!("m-2023-11-06")))),
        ("the revision of a hub was not pinned", Some(("/artifact/model/weights", hash("1"), hash("2")))),
        ("code and weights in two repositories", Some(("/artifact/code", hash("1"), hash("2")))),
        ("companions in a batch", None),
        ("another number of sequences at a time", Some(("/runtime/scheduler/slots", json!(8), json!(44)))),
        (
            "prefix cache",
            Some(("/runtime/engine/settings", json!({"prefix_cache": false}), json!({"prefix_cache": true}))),
        ),
        ("several slots", Some(("/runtime/scheduler/slots", json!(1), json!(2)))),
        ("the default of the precision", Some(("/artifact/model/precision", json!("bf16"), json!("f32")))),
        (
            "attention backend",
            Some(("/runtime/engine/settings", json!({"attention": "sdpa"}), json!({"attention": "eager"}))),
        ),
        ("defaults", Some(("/artifact/parameters/defaults", json!({"temperature": 0.7}), json!({"temperature": 1.0})))),
        (
            "class of the tokenizer",
            Some(("/artifact/model/tokenizer", json!({"class": "slow"}), json!({"class": "fast"}))),
        ),
        ("a stale template", Some(("/artifact/model/chat_template", json!("{{a}}"), json!("{{b}}")))),
        ("version of a harness and its prompts", Some(("/artifact/build/lock", hash("1"), hash("2")))),
        ("a router picks the provider", Some(("/runtime/provider", json!({"routing": "a"}), json!({"routing": "b"})))),
        ("a silent fallback", None),
        ("kernels of the processor", Some(("/runtime/hardware/processor", json!("AVX2"), json!("AVX-512")))),
        ("a tool's text changed after it was approved", Some(("/artifact/tools/definitions", hash("1"), hash("2")))),
        ("an embedder changed", Some(("/artifact/retrieval/embedding_model", hash("1"), hash("2")))),
        ("memory of earlier runs", Some(("/history/memory", json!({"none": "x"}), hash("2")))),
        ("an old prompt was served", Some(("/artifact/system_instructions", json!("old"), json!("new")))),
        ("today's date in a prompt", Some(("/runtime/clock", json!("2026-01-01"), json!("2026-01-02")))),
        ("a record was rewritten", None),
    ];
    edit(&dir.path().join("run.json"), |document| {
        set(document, "/runtime/engine", json!({"name": "e", "version": "1", "settings": {"none": "x"}}));
        set(
            document,
            "/runtime/hardware",
            json!({"processor": "p", "accelerator": {"none": "x"}, "driver": {"none": "x"}}),
        );
    });
    let named = causes.iter().filter(|(_, cause)| cause.is_some()).count();
    assert_eq!(named, 19);
    for (cause, items) in causes {
        let Some((pointer, before, after)) = items else { continue };
        let a = with(dir.path(), "a.json", pointer, before);
        let b = with(dir.path(), "b.json", pointer, after);
        assert_ne!(declare(&a)["identity"], declare(&b)["identity"], "{cause}");
        let found = differing(&diff(&a, &b, &[], 1));
        assert!(found.len() == 1 && found[0].starts_with(pointer), "{cause}: {found:?}");
    }
}

#[test]
fn a_json_file_is_compared_member_by_member() {
    let dir = example();
    let (one, two) = (dir.path().join("a.json"), dir.path().join("b.json"));
    fs::write(&one, "{\"temperature\": 0.70, \"list\": [1, 2, 3], \"engine\": {\"threads\": 2}}").unwrap();
    fs::write(&two, "{\"temperature\": 0.7, \"list\": [0, 1, 2, 3], \"engine\": {\"threads\": 2}}").unwrap();
    let item = "/artifact/parameters/other";
    let a = with(dir.path(), "with-a.json", item, json!({"json": "a.json"}));
    let b = with(dir.path(), "with-b.json", item, json!({"json": "b.json"}));
    let members = format!("{item}/json/members");
    let found = differing(&diff(&a, &b, &[], 1));
    assert_eq!(found, [format!("{members}/list/0"), format!("{members}/temperature/number")]);
    // Bytes that hold the same are other bytes.
    fs::write(&two, "{\"temperature\": 0.70, \"list\": [1, 2, 3],  \"engine\": {\"threads\": 2}}").unwrap();
    assert_eq!(differing(&diff(&a, &b, &[], 1)), [format!("{item}/json/digest")]);
}

#[test]
fn a_bundle_carries_the_digest_of_what_its_subject_names_and_is_large() {
    let dir = tempfile::tempdir().unwrap();
    Workspace::new(dir.path()).many_reads("r", 2);
    let agent = dir.path().join("subjects/agent");
    copy_folder(&root().join(EXAMPLES), &agent);
    let large = fs::File::create(agent.join("weights")).unwrap();
    large.set_len(17 * 1024 * 1024).unwrap();
    edit(&agent.join("run.json"), |document| set(document, "/artifact/model/weights", json!({"file": "weights"})));
    let plan = dir.path().join("plans/r/plan.json");
    edit(&plan, |plan| plan["subject"] = "subjects/agent/run.json".into());
    let out = dir.path().join("out");
    let run = output(sandproof().args(["run", "--run-id", "a", "--plan"]).arg(&plan).arg("--out").arg(&out));
    expect_code(&run, 0);
    let identity: Value = serde_json::from_slice(&fs::read(out.join("a/run_identity.json")).unwrap()).unwrap();
    assert_eq!(identity["artifact"]["subject"]["identity"], declare(&agent.join("run.json"))["identity"]);
    let digests = identity["artifact"]["documents"]["subject_digest"].as_object().unwrap();
    assert_eq!(digests.keys().collect::<Vec<_>>(), ["subjects/agent/tools", "subjects/agent/weights"]);
    // It verifies where its sources never were, to the second reader too.
    let moved = tempfile::tempdir().unwrap();
    let there = moved.path().join("a");
    copy_folder(&out.join("a"), &there);
    let against =
        output(sandproof().args(["identity", "verify", "--bundle"]).arg(&there).arg("--against").arg(dir.path()));
    expect_code(&against, 0);
    fs::write(agent.join("tools/new.json"), "{}").unwrap();
    let against =
        output(sandproof().args(["identity", "verify", "--bundle"]).arg(&there).arg("--against").arg(dir.path()));
    expect_code(&against, 1);
    assert!(stdout(&against).contains("subject_digest/subjects~1agent~1tools"), "{}", stdout(&against));
    drop(dir);
    expect_code(&validate(&there), 0);
    for entry in fs::read_dir(there.join("inputs/subject")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().ends_with(".digest.json") {
            shaped("subject_digest", &fs::read(&path).unwrap());
        }
    }
    if let Some(read) = second(&[there.as_os_str()]) {
        expect_code(&read, 0);
    }
    if let Ok(read) = Command::new("python3")
        .arg(root().join("scripts/verify_bundle.py"))
        .arg(&there)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
    {
        expect_code(&read, 0);
    }
}

#[test]
fn a_document_is_called_as_it_was_given() {
    let refused = output(sandproof().args(["identity", "declare", "--from", "/dev/fd/63"]));
    expect_code(&refused, 3);
    assert!(stderr(&refused).contains("the system declaration `/dev/fd/63` cannot be read"), "{}", stderr(&refused));
    let dir = example();
    let run = dir.path().join("run.json");
    edit(&run, |document| drop(document["artifact"].as_object_mut().unwrap().remove("code")));
    let refused = output(sandproof().args(["identity", "declare", "--from"]).arg(&run));
    expect_code(&refused, 3);
    assert!(stderr(&refused).contains(&format!("`{}` at `/artifact/code`", run.display())), "{}", stderr(&refused));
    // A name for a folder is a name, and given once.
    for words in [&["--root", "=x"][..], &["--root", "a"], &["--root", "a=x", "--root", "a=y"]] {
        expect_code(&output(sandproof().args(["identity", "declare", "--from"]).arg(&run).args(words)), 2);
    }
}
