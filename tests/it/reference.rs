//! In a repository such as the reference's: plans in folders of it, a promoter that is another program, its own templates
//! and registries.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use crate::consumers::{accepted_in_its_repository, python};
use crate::skip;
use crate::support::{expect_code, output, sandproof, stderr, stdout, validate};

/// Where the reference has its index.
const INDEX: &str = "book/api/runtime/plans/registry/index.json";

fn put(file: &Path, text: &str) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

fn json_file(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// Runs a command in a folder.
fn within(folder: &Path, arguments: &[&str]) -> Output {
    output(sandproof().current_dir(folder).args(arguments))
}

/// Builds the plan to try first into a folder.
fn build(checkout: &Path, folder: &str) -> PathBuf {
    expect_code(&within(checkout, &["plan-build", "--template", "quickstart", "--out", folder]), 0);
    checkout.join(folder)
}

/// The only bundle in an output root.
fn bundle_in(out: &Path) -> PathBuf {
    out.join(fs::read_to_string(out.join("LATEST")).unwrap().trim())
}

/// How the documents of a dry run spell the folder of its bundle.
fn spelled(plan: &Path, out: Option<&Path>) -> String {
    let mut command = sandproof();
    command.args(["run", "--dry", "--run-id", "r", "--plan"]).arg(plan);
    if let Some(out) = out {
        command.arg("--out").arg(out);
    }
    expect_code(&output(&mut command), 0);
    let bundle = out.map_or_else(|| plan.parent().unwrap().join("out"), Path::to_owned).join("r");
    expect_code(&validate(&bundle), 0);
    let manifest = json_file(&bundle.join("run_manifest.json"));
    let index = json_file(&bundle.join("artifact_index.json"));
    assert_eq!(manifest["output_root"], index["bundle_root"]);
    fs::remove_dir_all(&bundle).unwrap();
    manifest["output_root"].as_str().unwrap().to_owned()
}

#[test]
fn a_promoter_finds_every_pointer_of_a_plan_folder_inside_a_repository() {
    if !python() {
        skip!("there is no python3");
    }
    let dir = tempfile::tempdir().unwrap();
    let checkout = dir.path().join("checkout");
    fs::create_dir_all(checkout.join(".git")).unwrap();
    let folder = build(&checkout, "book/experiments/qb");
    expect_code(&within(&folder, &["run", "--plan", "plan.json"]), 0);
    // Emitted from somewhere else.
    let bundle = bundle_in(&folder.join("out"));
    let packet = checkout.join("packets/qb.json");
    fs::create_dir_all(packet.parent().unwrap()).unwrap();
    let emitted = output(
        sandproof().current_dir("/").args(["emit-promotion", "--bundle"]).arg(&bundle).arg("--out").arg(&packet),
    );
    expect_code(&emitted, 0);
    assert!(!stderr(&emitted).contains("pointers"), "{}", stderr(&emitted));
    let run = bundle.file_name().unwrap().to_str().unwrap();
    let prefix = format!("book/experiments/qb/out/{run}/");
    let said = json_file(&packet);
    assert_eq!(said["run_manifest"], format!("{prefix}run_manifest.json"));
    for pointer in said["artifact_digests"].as_object().unwrap().keys() {
        assert!(checkout.join(pointer).is_file(), "{pointer}");
    }
    let read = accepted_in_its_repository(&packet);
    assert!(read["events"].as_u64().unwrap() > 10, "{read}");
    // So do this program's own readers, from anywhere.
    let summed = ["summarize-ops", "--allow-nonpromotable", "--packet", packet.to_str().unwrap()];
    expect_code(&within(Path::new("/"), &summed), 0);
    let linked = ["links", "build", "--allow-nonpromotable", "--packet", packet.to_str().unwrap()];
    expect_code(&within(Path::new("/"), &linked), 0);
    // A bundle that was moved verifies, and its packet says where its pointers lead.
    let moved = dir.path().join(run);
    fs::rename(&bundle, &moved).unwrap();
    expect_code(&validate(&moved), 0);
    let again = dir.path().join("again.json");
    let emitted = output(sandproof().args(["emit-promotion", "--bundle"]).arg(&moved).arg("--out").arg(&again));
    expect_code(&emitted, 0);
    assert!(stderr(&emitted).contains("pointers lead to"), "{}", stderr(&emitted));
    assert_eq!(json_file(&again), said);
}

#[test]
fn pointers_are_relative_to_the_top_of_the_checkout_that_the_plan_lies_in() {
    let dir = tempfile::tempdir().unwrap();
    // Not below a checkout of this project, whatever holds temporary folders.
    let base = dir.path().canonicalize().unwrap();
    let plan = |checkout: &str| build(&base.join(checkout), "a/qb").join("plan.json");
    for name in ["plain", "folder", "file", "copy", "both", "outer/inner", "reference", "shared"] {
        fs::create_dir_all(base.join(name)).unwrap();
    }
    // As `/tmp` is, where anybody can put anything.
    fs::set_permissions(base.join("shared"), fs::Permissions::from_mode(0o1777)).unwrap();
    put(&base.join("shared/.git/HEAD"), "x");
    put(&base.join("shared/AGENTS.md"), "x");
    put(&base.join("folder/.git/HEAD"), "ref: refs/heads/main\n");
    put(&base.join("file/.git"), "gitdir: ../folder/.git/worktrees/file\n");
    put(&base.join("copy/AGENTS.md"), "x");
    put(&base.join("both/.git"), "gitdir: elsewhere\n");
    put(&base.join("outer/.git/HEAD"), "x");
    put(&base.join("outer/inner/.git"), "gitdir: ../.git/modules/inner\n");
    put(
        &base.join("reference").join(INDEX),
        r#"{"schema_version": "runtime-tools.registry_index.v0.1", "registries": []}"#,
    );

    assert_eq!(spelled(&plan("plain"), None), "out/r");
    assert_eq!(spelled(&plan("shared"), None), "out/r");
    assert_eq!(spelled(&plan("folder"), None), "a/qb/out/r");
    assert_eq!(spelled(&plan("file"), None), "a/qb/out/r");
    // A copy without its history has one `AGENTS.md` or more.
    let copy = plan("copy");
    put(&base.join("copy/a/AGENTS.md"), "x");
    assert_eq!(spelled(&copy, None), "a/qb/out/r");
    let both = plan("both");
    put(&base.join("AGENTS.md"), "x");
    assert_eq!(spelled(&both, None), "a/qb/out/r");
    fs::remove_file(base.join("AGENTS.md")).unwrap();
    assert_eq!(spelled(&plan("outer/inner"), None), "a/qb/out/r");
    assert_eq!(spelled(&plan("reference"), None), "a/qb/out/r");

    // By another name of the checkout, with `..`, through a link below it, and outside of it.
    let inside = base.join("folder/a/qb/plan.json");
    std::os::unix::fs::symlink("folder", base.join("link")).unwrap();
    assert_eq!(spelled(&base.join("link/a/qb/plan.json"), None), "a/qb/out/r");
    assert_eq!(spelled(&inside, Some(&base.join("link/results"))), "results/r");
    assert_eq!(spelled(&inside, Some(&base.join("folder/a/../results"))), "results/r");
    fs::create_dir(base.join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", base.join("folder/kept")).unwrap();
    assert_eq!(spelled(&inside, Some(&base.join("folder/kept"))), "kept/r");
    let outside = base.join("elsewhere");
    assert_eq!(spelled(&inside, Some(&outside)), outside.join("r").to_str().unwrap());
}

#[test]
fn every_refusal_of_an_older_registry_names_the_upgrade_and_of_a_newer_document_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let folder = build(dir.path(), "qb");
    let rewrite = |file: &str, from: &str, to: &str| {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        fs::write(folder.join(file), text.replace(from, to)).unwrap();
    };
    let probe =
        json_file(&folder.join("registry/probes.json"))["probes"].as_object().unwrap().keys().next().unwrap().clone();
    let commands: Vec<(Vec<&str>, i32)> = vec![
        (vec!["plan-lint", "--plan", "plan.json"], 1),
        (vec!["registry-lint"], 1),
        (vec!["list-probes", "--registry", "quickstart"], 3),
        (vec!["list-profiles", "--registry", "quickstart"], 3),
        (vec!["describe-probe", "--registry", "quickstart", "--probe", &probe], 3),
        (vec!["describe-profile", "--registry", "quickstart", "--profile", "quickstart:read_only"], 3),
        (vec!["run", "--plan", "plan.json"], 3),
        (vec!["run", "--dry", "--plan", "plan.json"], 3),
    ];
    for file in ["probes", "profiles"] {
        let (file, kind) = (format!("registry/{file}.json"), file.trim_end_matches('s'));
        let version = |number: &str| format!("runtime-tools.{kind}_registry.v{number}");
        for (number, wanted) in
            [("0.1", "registry-upgrade --registry quickstart --overwrite"), ("0.3", "newer sandproof")]
        {
            rewrite(&file, &version("0.2"), &version(number));
            for (command, code) in &commands {
                let refused = within(&folder, command);
                expect_code(&refused, *code);
                let said = stdout(&refused) + &stderr(&refused);
                assert!(said.contains(wanted), "{command:?}: no `{wanted}` in\n{said}");
                // That it is of another format is all that is said of it.
                assert_eq!(said.matches("is needed").count(), 1, "{said}");
            }
            rewrite(&file, &version(number), &version("0.2"));
        }
    }
    for kind in ["probe", "profile"] {
        let version = |number: &str| format!("runtime-tools.{kind}_registry.v{number}");
        rewrite(&format!("registry/{kind}s.json"), &version("0.2"), &version("0.1"));
    }
    expect_code(&within(&folder, &["registry-upgrade", "--registry", "quickstart", "--overwrite"]), 0);
    expect_code(&within(&folder, &["plan-lint", "--plan", "plan.json"]), 0);
    rewrite("plan.json", "runtime-tools.plan.v0.1", "runtime-tools.plan.v0.9");
    let refused = within(&folder, &["plan-lint", "--plan", "plan.json"]);
    expect_code(&refused, 1);
    assert!(stdout(&refused).contains("made for a newer sandproof"), "{}", stdout(&refused));
    assert!(!stdout(&refused).contains("write `runtime"), "{}", stdout(&refused));
}

#[test]
fn a_checkout_of_the_reference_has_its_templates_and_plans_found() {
    let dir = tempfile::tempdir().unwrap();
    let checkout = dir.path().join("checkout");
    let folder = build(&checkout_with(&checkout), "book/experiments/deep/er/qb");
    let templates = checkout.join("book/api/runtime/plans/templates");
    let carried = fs::read_to_string(crate::support::root().join("templates/linux-path-matrix.json")).unwrap();
    let own = carried.replace("linux-path-matrix", "own-matrix");
    put(&templates.join("own_matrix.json"), &own);
    // A template without an id is called as its file is.
    let mut nameless: Value = serde_json::from_str(&own).unwrap();
    nameless.as_object_mut().unwrap().remove("template_id").unwrap();
    nameless["registry_id"] = json!("named-by-file");
    put(&templates.join("named_by_file.json"), &nameless.to_string());
    // Of two with one id, the checkout's.
    let mut twin: Value = serde_json::from_str(&carried).unwrap();
    twin["description"] = json!("the checkout's own");
    put(&templates.join("linux_path_matrix.json"), &twin.to_string());
    // Skeletons lie beside them, and one that is broken.
    put(&templates.join("probes.json"), r#"{"schema_version": "runtime-tools.probe_registry.v0.2"}"#);
    put(&templates.join("torn.json"), "{");

    let listed = within(&checkout, &["list-templates", "--json"]);
    expect_code(&listed, 0);
    assert!(stderr(&listed).contains("torn.json"), "{}", stderr(&listed));
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let one = |id: &str| {
        let found: Vec<&Value> =
            listed["templates"].as_array().unwrap().iter().filter(|one| one["template_id"] == id).collect();
        assert_eq!(found.len(), 1, "{id}: {listed}");
        found[0].clone()
    };
    assert_eq!(one("own-matrix")["path"], "book/api/runtime/plans/templates/own_matrix.json");
    assert_eq!(one("linux-path-matrix")["description"], "the checkout's own");
    assert_eq!(one("quickstart")["path"], "plans/quickstart/plan.json");
    one("named-by-file");
    for id in ["own-matrix", "named-by-file", "quickstart"] {
        let built = within(&folder, &["plan-build", "--template", id, "--out", dir.path().join(id).to_str().unwrap()]);
        expect_code(&built, 0);
    }
    // Elsewhere there are none.
    expect_code(&within(dir.path(), &["plan-build", "--template", "own-matrix", "--out", "x"]), 3);

    // Plans at any depth, but none inside a bundle, a hidden folder or behind a link.
    fs::copy(folder.join("plan.json"), checkout.join("book/experiments/plan.json")).unwrap();
    put(&checkout.join("book/experiments/deep/.hidden/plan.json"), "{}");
    put(&checkout.join("book/experiments/deep/out/r/run_status.json"), "{}");
    put(&checkout.join("book/experiments/deep/out/r/inputs/plan.json"), "{}");
    std::os::unix::fs::symlink("deep", checkout.join("book/experiments/linked")).unwrap();
    put(&checkout.join("book/experiments/broken/plan.json"), "{}");
    let plans = within(&checkout, &["list-plans", "--json"]);
    expect_code(&plans, 0);
    let plans: Value = serde_json::from_slice::<Value>(&plans.stdout).unwrap()["plans"].take();
    let paths: Vec<&str> = plans.as_array().unwrap().iter().map(|plan| plan["path"].as_str().unwrap()).collect();
    assert_eq!(
        paths,
        ["book/experiments/broken/plan.json", "book/experiments/deep/er/qb/plan.json", "book/experiments/plan.json"]
    );
    assert!(plans[0]["error"].is_string() && plans[1]["plan_id"].is_string(), "{plans}");
}

/// A folder that looks like a checkout of the reference: nothing but its index.
fn checkout_with(checkout: &Path) -> PathBuf {
    put(&checkout.join(".git/HEAD"), "x");
    put(&checkout.join(INDEX), r#"{"schema_version": "runtime-tools.registry_index.v0.1", "registries": []}"#);
    checkout.to_owned()
}

/// A bundle as the reference writes one: three probes, one of which died, an index without `bundle_root`, a manifest
/// without `tool`, no raw rows. Gives its folder.
fn reference_bundle(out: &Path) -> PathBuf {
    const RUN: &str = "6af3ca55-0000-4000-8000-000000000000";
    const WORLD: &str = "sonoma-14.4.1-23E224-arm64-dyld-2c0602c5";
    let folder = out.join(RUN);
    let indexed = format!("book/experiments/closure/out/{RUN}");
    let run = json!({"run_id": RUN, "world_id": WORLD, "channel": "launchd_clean", "plan_id": "runtime-closure.v7",
        "plan_digest": "0".repeat(64)});
    let with = |more: Value| {
        let mut document = run.clone();
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        document
    };
    let event = |id: &str, operation: &str, actual: &str, more: Value| {
        let mut event = json!({"scenario_id": id, "expectation_id": id, "profile_id": "p", "operation": operation,
            "target": "IOSurfaceRoot", "expected": "deny", "actual": actual, "match": actual == "deny",
            "world_id": WORLD, "policy_layers": {}});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let nonzero = |errno: i64, details: Value| {
        json!({"runtime_status": "errno", "failure_stage": "probe", "failure_kind": "probe_nonzero_exit",
            "errno": errno, "probe_details": details})
    };
    let documents = [
        (
            "run_status.json",
            with(json!({"schema_version": "runtime-tools.run_status.v0.1", "state": "complete", "writer_pid": 7,
                "updated_at_unix": 1.5, "error": null, "failure_stage": null})),
        ),
        (
            "run_manifest.json",
            with(json!({"schema_version": "runtime-tools.run_manifest.v0.1", "dry_run": false, "stage_used": true,
                "stage_root": "/tmp/stage", "repo_root_context": "/tmp/stage", "staged_output_root": null,
                "output_root": "book/experiments/closure/out",
                "apply_preflight": {"path": format!("{indexed}/apply_preflight.json"), "record": {}}})),
        ),
        ("runtime_results.json", json!({"p": {"probes": []}})),
        (
            "runtime_events.normalized.json",
            json!([
                event("died", "iokit-open-service", "deny", nonzero(-11, Value::Null)),
                event("refused", "file-read*", "deny", nonzero(1, json!({"errno": 1}))),
                event("let", "mach-lookup", "allow", json!({"runtime_status": "success"})),
            ]),
        ),
    ];
    let mut entries = Vec::new();
    for (name, document) in &documents {
        let bytes = serde_json::to_vec_pretty(document).unwrap();
        put(&folder.join(name), std::str::from_utf8(&bytes).unwrap());
        entries.push(json!({"path": format!("{indexed}/{name}"), "file_size": bytes.len(),
            "sha256": sandproof::test_support::base::digest::Digest::of(&bytes).to_string(),
            "schema_version": document.get("schema_version")}));
    }
    let index = json!({"schema_version": "runtime-tools.artifact_index.v0.1", "run_id": RUN, "world_id": WORLD,
        "artifacts": entries, "missing": [], "status": "ok"});
    put(&folder.join("artifact_index.json"), &index.to_string());
    put(&out.join("LATEST"), &format!("{RUN}\n"));
    folder
}

#[test]
fn a_bundle_of_the_reference_is_told_as_such_by_every_command() {
    let dir = tempfile::tempdir().unwrap();
    // Its index says where it lay; it lies elsewhere.
    let out = dir.path().join("suites");
    let bundle = reference_bundle(&out);
    let out_arg = out.to_str().unwrap();
    let good = fs::read(bundle.join("artifact_index.json")).unwrap();
    let packet_out = dir.path().join("made.json");
    let commands: Vec<Vec<&str>> = vec![
        vec!["validate-bundle", "--bundle", out_arg],
        vec!["report", "--format", "junit", "--bundle", out_arg],
        vec!["summarize-ops", "--bundle", out_arg],
        vec!["diff-runs", out_arg, out_arg],
        vec!["emit-promotion", "--bundle", out_arg, "--out", packet_out.to_str().unwrap()],
        vec!["derive", "--bundle", out_arg, "--check"],
        vec!["reindex-bundle", "--bundle", out_arg, "--strict"],
        vec!["reindex-bundle", "--bundle", out_arg, "--repair"],
    ];
    let ask = |digests: &str| {
        for command in &commands {
            let refused = within(dir.path(), command);
            expect_code(&refused, 4);
            let said = stdout(&refused) + &stderr(&refused);
            for wanted in ["a bundle of the reference runtime", digests, "no raw rows"] {
                assert!(said.contains(wanted), "{command:?}: no `{wanted}` in\n{said}");
            }
            assert!(!said.contains("cannot be parsed"), "{command:?}: {said}");
        }
    };
    ask("the 4 digests of its index hold");
    let events = bundle.join("runtime_events.normalized.json");
    let untouched = fs::read_to_string(&events).unwrap();
    fs::write(&events, untouched.replace("died", "dyed")).unwrap();
    ask("of the 4 digests of its index, 1 do not hold");
    fs::write(&events, &untouched).unwrap();
    assert_eq!(fs::read(bundle.join("artifact_index.json")).unwrap(), good, "nothing was repaired");
    assert!(!packet_out.exists() && !bundle.join("repair_log.json").exists());

    let status = within(dir.path(), &["status", "--out", out_arg]);
    expect_code(&status, 0);
    let last = stdout(&status).lines().find(|line| line.starts_with("last run")).unwrap().to_owned();
    assert!(last.contains("a bundle of the reference runtime"), "{last}");

    let summed = within(dir.path(), &["summarize-ops", "--allow-unverified", "--json", "--bundle", out_arg]);
    expect_code(&summed, 0);
    let summed: Value = serde_json::from_slice(&summed.stdout).unwrap();
    assert_eq!(summed["meta"]["world_id"], "sonoma-14.4.1-23E224-arm64-dyld-2c0602c5");
    assert_eq!(summed["meta"]["integrity"], "unverified");
    let counts = |op: &str| {
        let op = &summed["ops"][op];
        (op["probes"].as_u64().unwrap(), op["matches"].as_u64().unwrap(), op["undecided"].as_u64().unwrap())
    };
    assert_eq!(counts("iokit-open-service"), (0, 0, 1), "a probe that died decided nothing");
    assert_eq!(counts("file-read*"), (1, 1, 0));
    assert_eq!(counts("mach-lookup"), (1, 0, 0));
}

#[test]
fn a_packet_of_the_reference_is_told_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = reference_bundle(dir.path());
    let name = bundle.file_name().unwrap().to_str().unwrap();
    let pointer = |file: &str| format!("book/experiments/closure/out/{name}/{file}");
    let packet = dir.path().join("packet.json");
    let document = json!({"schema_version": "runtime-tools.promotion_packet.v0.2",
        "run_manifest": pointer("run_manifest.json"), "expected_matrix": pointer("expected_matrix.json"),
        "runtime_results": pointer("runtime_results.json"), "runtime_events": pointer("runtime_events.normalized.json"),
        "promotability": {"promotable_decision_stage": true, "reasons": [], "gating_inputs": {}}});
    put(&packet, &document.to_string());
    let file = packet.to_str().unwrap();
    let commands = [
        vec!["summarize-ops", "--packet", file],
        vec!["summarize-ops", "--packet", file, "--allow-nonpromotable"],
        vec!["links", "build", "--packet", file, "--allow-nonpromotable"],
        vec!["diff-runs", file, file],
    ];
    let ask = |wanted: &str| {
        for command in &commands {
            let refused = within(dir.path(), command);
            expect_code(&refused, 4);
            let said = stdout(&refused) + &stderr(&refused);
            assert!(said.contains("a packet of the reference runtime") && said.contains(wanted), "{command:?}: {said}");
        }
    };
    ask("the 4 digests of its index hold");
    fs::remove_dir_all(&bundle).unwrap();
    ask("there is no bundle of that runtime");
}
