//! Worlds as a user meets them: in the manifest, in the gate, in verification; and inputs that change under a run.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use sandproof::test_support::base::digest::Digest;
use serde_json::{Value, json};

use crate::interruption::wait_for_rows;
use crate::support::{expect_code, output, sandproof, stderr, stdout, validate};
use crate::workspace::{Workspace, probe, read_policy};

/// What is done to a document.
type Edit = fn(&mut Value);

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A workspace with one small plan that declares `world`.
fn declaring(dir: &Path, world: &str) -> std::path::PathBuf {
    let mut read_open = probe("read", "file-read-data", "${root}/open/file", "allow");
    read_open["driver"] = "file_read".into();
    read_open["fixtures"] = json!([{"path": "open/file", "kind": "file"}]);
    let plan = Workspace::new(dir).add("small", &read_policy(), vec![read_open]).plan_path("small");
    let mut document = read(&plan);
    document["world_id"] = world.into();
    fs::write(&plan, document.to_string()).unwrap();
    plan
}

/// Runs the plan; the report, the bundle and its manifest.
fn run(plan: &Path, out: &Path) -> (Value, std::path::PathBuf, Value) {
    let ran = output(sandproof().args(["run", "--json", "--plan"]).arg(plan).arg("--out").arg(out));
    expect_code(&ran, 0);
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let bundle = std::path::PathBuf::from(report["bundle"].as_str().unwrap());
    let manifest = read(&bundle.join("run_manifest.json"));
    (report, bundle, manifest)
}

#[test]
fn the_host_world_is_observed_carried_and_judged() {
    let dir = tempfile::tempdir().unwrap();
    let (report, bundle, manifest) = run(&declaring(dir.path(), "linux-host"), &dir.path().join("out"));
    let id = manifest["world_id"].as_str().unwrap();
    assert!(id.starts_with("linux-") && id.contains("-landlock-"), "{id}");
    assert_eq!(report["world_id"], id);
    assert_eq!(manifest["world"]["declared"], "linux-host");
    assert_eq!(manifest["world"]["matches"], true);
    assert_eq!(
        manifest["world"]["facts"],
        json!([{"name": "os", "expected": "linux", "observed": "linux", "ok": true}])
    );
    // The document is in the bundle, though the workspace has none: the program carries it.
    let carried = fs::read(bundle.join("inputs/world.json")).unwrap();
    assert_eq!(manifest["world"]["document_sha256"], Digest::of(&carried).to_string());
    let declared = manifest["declared_inputs"].as_array().unwrap();
    assert!(declared.iter().any(|input| input["role"] == "world"));
    assert_eq!(read(&bundle.join("run_status.json"))["drift"], json!([]));
    let reasons = report["promotability"]["reasons"].as_array().unwrap();
    assert!(!reasons.contains(&json!("world_mismatch")) && reasons.contains(&json!("not_clean_channel")));
    expect_code(&validate(&bundle), 0);
}

#[test]
fn another_world_and_an_unknown_one_run_are_labelled_and_not_promotable() {
    for (world, known) in [("sonoma-14.4.1-23E224-arm64-dyld-a3a840f9", true), ("nobody-knows-it", false)] {
        let dir = tempfile::tempdir().unwrap();
        let (report, bundle, manifest) = run(&declaring(dir.path(), world), &dir.path().join("out"));
        assert_eq!(manifest["world_id"], world);
        assert_eq!(manifest["world"]["matches"], false);
        assert_eq!(manifest["world"]["document_sha256"].is_string(), known);
        assert_eq!(manifest["world"]["facts"].as_array().unwrap().is_empty(), !known);
        assert_eq!(bundle.join("inputs/world.json").exists(), known);
        let reasons = report["promotability"]["reasons"].as_array().unwrap();
        assert!(reasons.contains(&json!("world_mismatch")), "{reasons:?}");
        expect_code(&validate(&bundle), 0);
    }
}

/// Puts a document of the workspace's own for the world `id`.
fn describe(dir: &Path, id: &str, edit: impl FnOnce(&mut Value)) {
    let mut document = json!({
        "schema_version": "sandproof.world.v1", "world_id": id, "description": "ours", "match": {"os": "linux"},
        "clean_channels": ["systemd_clean"],
    });
    edit(&mut document);
    fs::create_dir_all(dir.join("registries/worlds")).unwrap();
    fs::write(dir.join(format!("registries/worlds/{id}.json")), document.to_string()).unwrap();
}

/// The facts that make the ids of Linux hosts.
const DERIVED: [&str; 6] = ["os", "kernel_release", "arch", "landlock_abi", "landlock_errata", "lsms"];

#[test]
fn a_carried_world_that_a_workspace_describes_otherwise_is_told_and_not_promotable() {
    let home = "sonoma-14.4.1-23E224-arm64-dyld-2c0602c5";
    // The same facts and channels in other words: also that is somebody else's document.
    let cases: [(&str, Edit); 5] = [
        (home, |_| ()),
        ("linux-host", |d| d["derive_id"] = json!(DERIVED)),
        ("Linux-Host", |d| d["derive_id"] = json!(DERIVED)),
        ("Sonoma-14.4.1-23E224-arm64-dyld-2c0602c5", |_| ()),
        // A label that reads as some other host's.
        ("linux-6.99.0-x86_64-landlock-9-0badcafe", |_| ()),
    ];
    for (id, edit) in cases {
        let dir = tempfile::tempdir().unwrap();
        describe(dir.path(), id, edit);
        let plan = declaring(dir.path(), id);
        let linted = output(sandproof().args(["plan-lint", "--plan"]).arg(&plan));
        let said = stdout(&linted) + &stderr(&linted);
        assert!(said.contains("world_redefined") && said.contains(&format!("registries/worlds/{id}.json")), "{said}");
        let (report, bundle, manifest) = run(&plan, &dir.path().join("out"));
        let reasons = report["promotability"]["reasons"].as_array().unwrap();
        assert!(reasons.contains(&json!("world_redefined")), "{id}: {reasons:?}");
        assert!(!reasons.contains(&json!("world_mismatch")), "{id}: {reasons:?}");
        expect_code(&validate(&bundle), 0);
        // Whoever reads the packet alone sees which document it was.
        let packet = dir.path().join("packet.json");
        expect_code(
            &output(sandproof().args(["emit-promotion", "--bundle"]).arg(&bundle).arg("--out").arg(&packet)),
            0,
        );
        let packet = read(&packet);
        assert_eq!(packet["world_document_sha256"], manifest["world"]["document_sha256"]);
        assert_eq!(packet["promotability"]["reasons"], report["promotability"]["reasons"]);
    }
}

#[test]
fn a_world_of_ones_own_and_the_carried_document_itself_redefine_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let carried = crate::support::root().join("registries/worlds/linux-host.json");
    describe(dir.path(), "linux-host", |_| ());
    fs::copy(carried, dir.path().join("registries/worlds/linux-host.json")).unwrap();
    let (report, _, manifest) = run(&declaring(dir.path(), "linux-host"), &dir.path().join("out"));
    let here = manifest["world_id"].as_str().unwrap();
    assert!(!report["promotability"]["reasons"].as_array().unwrap().contains(&json!("world_redefined")));

    // A name of one's own, an id made of the same facts under such a name, and this host's own id, pinned down.
    let cases: [(&str, Edit); 3] =
        [("our-lab", |_| ()), ("our-hosts", |d| d["derive_id"] = json!(DERIVED)), (here, |_| ())];
    for (id, edit) in cases {
        let dir = tempfile::tempdir().unwrap();
        describe(dir.path(), id, edit);
        let (report, ..) = run(&declaring(dir.path(), id), &dir.path().join("out"));
        let reasons = report["promotability"]["reasons"].as_array().unwrap();
        assert!(!reasons.contains(&json!("world_redefined")), "{id}: {reasons:?}");
    }
}

/// Rewrites a document of a bundle and its entry in the index, so that size and digest agree again.
fn forge(bundle: &Path, name: &str, edit: impl FnOnce(&mut Value)) {
    let mut document = read(&bundle.join(name));
    edit(&mut document);
    let bytes = serde_json::to_vec_pretty(&document).unwrap();
    fs::write(bundle.join(name), &bytes).unwrap();
    let mut index = read(&bundle.join("artifact_index.json"));
    let entries = index["artifacts"].as_array_mut().unwrap();
    let entry =
        entries.iter_mut().find(|entry| entry["path"].as_str().unwrap().ends_with(&format!("/{name}"))).unwrap();
    entry["file_size"] = bytes.len().into();
    entry["sha256"] = Digest::of(&bytes).to_string().into();
    fs::write(bundle.join("artifact_index.json"), serde_json::to_vec_pretty(&index).unwrap()).unwrap();
}

#[test]
fn a_manifest_that_claims_another_world_than_its_facts_give_is_refused() {
    type Forgery = fn(&mut Value);
    let forgeries: [(&str, Forgery, &str); 5] = [
        ("a match that is none", |m| m["world"]["matches"] = true.into(), "check of its world"),
        ("a clean channel more", |m| m["world"]["clean_channels"] = json!(["systemd_clean"]), "check of its world"),
        ("other facts", |m| m["host"]["os"] = "macos".into(), "check of its world"),
        ("an undeclared document", |m| drop(m["declared_inputs"].as_array_mut().unwrap().pop()), "does not declare"),
        ("another digest", |m| m["declared_inputs"][0]["sha256"] = "0".repeat(64).into(), "declares the plan"),
    ];
    for (what, forgery, said) in forgeries {
        let dir = tempfile::tempdir().unwrap();
        let plan = declaring(dir.path(), "sonoma-14.4.1-23E224-arm64-dyld-2c0602c5");
        let (_, bundle, _) = run(&plan, &dir.path().join("out"));
        forge(&bundle, "run_manifest.json", |_| ());
        expect_code(&validate(&bundle), 0);
        forge(&bundle, "run_manifest.json", forgery);
        let checked = validate(&bundle);
        expect_code(&checked, 4);
        assert!(stdout(&checked).contains(said), "{what}: {}", stdout(&checked));
    }
}

#[test]
fn an_input_that_changes_under_a_run_fails_it() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let plan = Workspace::new(dir.path()).many_reads("slow", 4_000).plan_path("slow");
    let child = sandproof()
        .args(["run", "--plan"])
        .arg(&plan)
        .arg("--out")
        .arg(&out)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_rows(&out);
    let policy = dir.path().join("registries/slow/policies/policy.json");
    let mut text = fs::read(&policy).unwrap();
    text.push(b'\n');
    fs::write(&policy, text).unwrap();
    let ended = child.wait_with_output().unwrap();
    expect_code(&ended, 4);
    assert!(stderr(&ended).contains("registries/slow/policies/policy.json"), "{}", stderr(&ended));
    let bundle = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let status = read(&bundle.join("run_status.json"));
    assert_eq!((&status["state"], &status["failure_stage"]), (&json!("failed"), &json!("identity_drift")));
    let [drift] = status["drift"].as_array().unwrap().as_slice() else { panic!("{status}") };
    assert!(drift.as_str().unwrap().starts_with("policy `registries/slow/policies/policy.json`: declared "), "{drift}");
    assert!(!out.join("LATEST").exists());
    expect_code(&validate(&bundle), 4);
}
