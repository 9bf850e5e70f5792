//! `list-templates` and `plan-build`: folders that are complete, run from anywhere, and are never half there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{expect_code, files, output, sandproof, shaped, stderr, stdout, validate};

fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_list_has_the_contracts_json() {
    let listed = output(sandproof().args(["list-templates", "--json"]));
    expect_code(&listed, 0);
    let listed = shaped("template_list", &listed.stdout);
    let path = |id: &str| {
        listed["templates"].as_array().unwrap().iter().find(|one| one["template_id"] == id).unwrap()["path"].clone()
    };
    assert_eq!(path("linux-path-matrix"), "templates/linux-path-matrix.json");
    assert_eq!(path("quickstart"), "plans/quickstart/plan.json");
    let table = output(sandproof().current_dir("/").arg("list-templates"));
    expect_code(&table, 0);
    assert!(stdout(&table).starts_with("TEMPLATE"), "{}", stdout(&table));
}

#[test]
fn a_built_folder_is_complete_and_does_not_depend_on_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("made/here");
    let built = output(sandproof().current_dir(dir.path()).args([
        "plan-build",
        "--template",
        "linux-path-matrix",
        "--out",
        "made/here",
        "--write-expected-matrix",
        "--json",
    ]));
    expect_code(&built, 0);
    let printed = shaped("built_from", &built.stdout);
    assert_eq!(json_file(&folder.join("built_from.json")), printed);
    // It names every file that is there, with its digest.
    let named: BTreeSet<String> =
        printed["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect();
    let there: BTreeSet<String> = files(&folder).iter().map(|path| path.to_str().unwrap().to_owned()).collect();
    assert_eq!(there, named.into_iter().chain(["built_from.json".to_owned()]).collect());
    for file in printed["files"].as_array().unwrap() {
        let bytes = fs::read(folder.join(file["path"].as_str().unwrap())).unwrap();
        assert_eq!(
            sandproof::test_support::base::digest::Digest::of(&bytes).to_string(),
            file["sha256"].as_str().unwrap()
        );
    }
    assert_eq!(files(&dir.path().join("made")).len(), there.len(), "nothing beside the folder");

    let moved = dir.path().join("moved");
    fs::rename(&folder, &moved).unwrap();
    let plan = moved.join("plan.json");
    let lint = output(sandproof().current_dir("/").args(["plan-lint", "--plan"]).arg(&plan));
    assert_eq!(stdout(&lint), "plan ok\n");
    let listed = output(sandproof().args(["list-plans", "--root"]).arg(&moved));
    expect_code(&listed, 0);
    assert!(stdout(&listed).contains("linux-path-matrix.v1"), "{}", stdout(&listed));
    expect_code(&output(sandproof().current_dir(&moved).args(["list-probes", "--registry", "linux-path-matrix"])), 0);

    let run = output(
        sandproof()
            .current_dir("/")
            .args(["run", "--dry", "--run-id", "dry", "--plan"])
            .arg(&plan)
            .arg("--out")
            .arg(dir.path().join("out")),
    );
    expect_code(&run, 0);
    let bundle = dir.path().join("out/dry");
    expect_code(&validate(&bundle), 0);
    // The matrix of the folder is the one of the bundle; only the world is more exact there.
    let (mut own, mut of_run) =
        (json_file(&moved.join("out/expected_matrix.json")), json_file(&bundle.join("expected_matrix.json")));
    assert_eq!(own["world_id"].take(), "linux-host");
    assert!(of_run["world_id"].take().as_str().unwrap().starts_with("linux-"));
    assert_eq!(own, of_run);
    assert_eq!(own["profiles"].as_object().unwrap().len(), 4);
}

#[cfg(target_os = "linux")]
#[test]
fn the_linux_template_holds_on_this_kernel() {
    let abi: Value = serde_json::from_slice(&output(sandproof().args(["status", "--json"])).stdout).unwrap();
    if abi["host"]["landlock_abi"].as_i64().is_none_or(|abi| abi < 3) {
        crate::skip!("this kernel has no Landlock of ABI 3: {}", abi["host"]["landlock_abi"]);
    }
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("f");
    expect_code(&output(sandproof().args(["plan-build", "--template", "linux-path-matrix", "--out"]).arg(&folder)), 0);
    let run = output(
        sandproof()
            .current_dir("/")
            .args(["run", "--plan"])
            .arg(folder.join("plan.json"))
            .arg("--out")
            .arg(dir.path().join("out")),
    );
    expect_code(&run, 0);
    assert!(stdout(&run).contains("112 probes, 112 as expected."), "{}", stdout(&run));
    expect_code(&validate(&dir.path().join("out")), 0);
}

#[test]
fn files_that_are_there_are_named_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let build = |more: &[&str]| {
        output(sandproof().args(["plan-build", "--template", "quickstart", "--out"]).arg(dir.path()).args(more))
    };
    fs::create_dir(dir.path().join("registry")).unwrap();
    fs::write(dir.path().join("registry/probes.json"), "mine").unwrap();
    let refused = build(&[]);
    expect_code(&refused, 3);
    assert!(stderr(&refused).contains("these files are there already: registry/probes.json"), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("--overwrite"));
    assert_eq!(files(dir.path()).len(), 1);
    expect_code(&build(&["--overwrite"]), 0);
    let again = build(&[]);
    expect_code(&again, 3);
    assert!(stderr(&again).contains("plan.json, registries/quickstart/policies/"), "{}", stderr(&again));
}

#[test]
fn templates_from_a_file_find_their_policies_within_their_checkout() {
    let dir = tempfile::tempdir().unwrap();
    let checkout = dir.path().join("checkout");
    fs::create_dir_all(checkout.join("templates")).unwrap();
    fs::create_dir_all(checkout.join("sb")).unwrap();
    fs::write(checkout.join("sb/a.sb"), "(version 1)\n(allow default)\n").unwrap();
    fs::write(dir.path().join("b.sb"), "(version 1)\n(allow default)\n").unwrap();
    let template = |sbpl: &str| {
        let document = json!({
            "schema_version": "runtime-tools.plan_template.v0.1", "template_id": "vfs-canonicalization",
            "profiles": {"p": {"sbpl": sbpl, "ops": ["file-read*"], "policy": "literal",
                "request_paths": ["/private/etc/hosts"], "allowed_paths": ["/private/etc/hosts"]}}
        });
        fs::write(checkout.join("templates/vfs_canonicalization.json"), document.to_string()).unwrap();
    };
    let build = |out: &str, more: &[&str]| {
        output(
            sandproof()
                .current_dir(dir.path())
                .args(["plan-build", "--template", "checkout/templates/vfs_canonicalization.json", "--out", out])
                .args(more),
        )
    };
    // Without a mark of a checkout only the template's own folder is looked at.
    template("sb/a.sb");
    let lost = build("lost", &[]);
    expect_code(&lost, 1);
    assert!(stderr(&lost).contains("`sb/a.sb` does not exist"), "{}", stderr(&lost));
    assert_eq!(json_file(&dir.path().join("lost/built_from.json"))["missing_policies"], json!(["sb/a.sb"]));
    expect_code(&build("named", &["--policies", "checkout"]), 0);
    fs::write(checkout.join("AGENTS.md"), "").unwrap();
    expect_code(&build("found", &[]), 0);
    assert_eq!(fs::read(dir.path().join("found/sb/a.sb")).unwrap(), fs::read(checkout.join("sb/a.sb")).unwrap());
    let lint = output(sandproof().args(["plan-lint", "--plan"]).arg(dir.path().join("found/plan.json")));
    assert_eq!(stdout(&lint), "plan ok\n");
    // What lies above the checkout is no part of it.
    template("b.sb");
    expect_code(&build("above", &[]), 1);
    template("../b.sb");
    let climbing = build("climbing", &[]);
    expect_code(&climbing, 3);
    assert!(stderr(&climbing).contains("leaves the root"), "{}", stderr(&climbing));
    assert!(!dir.path().join("climbing").exists(), "what is refused leaves nothing");
}

#[test]
fn what_cannot_be_a_template_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    for (template, wanted) in [
        ("quikstart", "did you mean `quickstart`?"),
        ("none/such.json", "cannot be read"),
        ("plans/quickstart/plan.json", "`runtime-tools.plan_template.v0.1` is needed"),
    ] {
        let refused = output(sandproof().args(["plan-build", "--template", template, "--out"]).arg(&out));
        expect_code(&refused, 3);
        assert!(stderr(&refused).contains(wanted), "{template}: {}", stderr(&refused));
        assert!(!out.exists());
    }
}
