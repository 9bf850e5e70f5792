//! What runs write, against the table of artifacts: a file that is not in it, an entry that no run fills, and one that is
//! there although its lane is off would each show here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sandproof::test_support::record::layout::{ARTIFACTS, ExpectedWhen, artifact};
use serde_json::Value;

use crate::support::{files, finished_run, root};

/// The names of the entries that a bundle fills, after it was held to the table.
fn held_to_the_table(bundle: &Path) -> BTreeSet<&'static str> {
    let identity: Value = serde_json::from_slice(&fs::read(bundle.join("run_identity.json")).unwrap()).unwrap();
    let manifest: Value = serde_json::from_slice(&fs::read(bundle.join("run_manifest.json")).unwrap()).unwrap();
    let says = |pointer: &str| identity.pointer(pointer) == Some(&Value::Bool(true));
    let executes = !says("/policy/dry_run");
    let lane = |name: &str| executes && says(&format!("/policy/lanes/{name}"));
    let managed = identity.pointer("/runtime/channel/kind") != Some(&Value::from("direct"));
    let must = |when: ExpectedWhen| match when {
        ExpectedWhen::Always | ExpectedWhen::Declared => true,
        ExpectedWhen::Baseline => lane("baseline"),
        ExpectedWhen::Scenario => lane("scenario"),
        ExpectedWhen::Probes => lane("baseline") || lane("scenario"),
        ExpectedWhen::Oracle => lane("oracle"),
        ExpectedWhen::Preflight => says("/policy/preflight"),
        ExpectedWhen::Managed => executes && managed,
        ExpectedWhen::Formatted => manifest.get("bundle_format").is_some(),
        ExpectedWhen::Optional => false,
    };
    let mut filled = BTreeSet::new();
    for path in files(bundle) {
        let path = path.to_str().unwrap();
        let known = artifact(path).unwrap_or_else(|| panic!("`{path}` of `{}` is in no table", bundle.display()));
        assert!(
            must(known.when) || known.when == ExpectedWhen::Optional,
            "`{path}` is there, and nothing calls for it"
        );
        filled.insert(known.name);
    }
    for artifact in ARTIFACTS.iter().filter(|artifact| must(artifact.when)) {
        assert!(filled.contains(artifact.name), "`{}` has no `{}`", bundle.display(), artifact.name);
    }
    filled
}

#[test]
fn every_file_that_a_run_writes_is_in_the_table_and_every_entry_is_written_by_some_run() {
    let run = finished_run("plans/quickstart/plan.json", 0);
    let mut filled = held_to_the_table(&run.bundle);
    for name in ["dry", "mixed", "sound"] {
        filled.extend(held_to_the_table(&root().join("tests/golden/out").join(name)));
    }
    let unfilled: Vec<&str> = ARTIFACTS.iter().map(|one| one.name).filter(|name| !filled.contains(name)).collect();
    // What only a manager of workers, launchd, a merge, or a repair leaves; their own tests look at it.
    assert_eq!(
        unfilled,
        [
            "channel/",
            "channel_witness.json",
            "launchctl/",
            "launchctl/launchctl_diagnostics.json",
            "merge.json",
            "parts/",
            "repair_log.json",
            "worker_witness.json"
        ]
    );
}
