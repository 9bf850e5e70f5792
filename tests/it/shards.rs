//! A plan that several runs share: who has which row, what a share says of itself, and what it is refused for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use crate::bundle_life::reindex_by_hand;
use crate::support::{expect_code, json_answer, output, root, sandproof, shaped, stderr, stdout, validate};

/// Runs `plan` as that share, into a root of its own, with these variables.
fn share(plan: &str, shard: &str, out: &Path, variables: &[(&str, &str)]) -> Output {
    let mut command = sandproof();
    let plan = root().join("plans").join(plan).join("plan.json");
    command.args(["run", "--json", "--shard", shard, "--plan"]).arg(plan).arg("--out").arg(out);
    output(command.envs(variables.iter().copied()))
}

fn answer(ended: &Output) -> Value {
    shaped("run_report", &ended.stdout)
}

fn bundle(answer: &Value) -> PathBuf {
    PathBuf::from(answer["bundle"].as_str().unwrap())
}

fn json_of(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// What every row of a bundle came to, by id.
fn verdicts(bundle: &Path) -> BTreeMap<String, Value> {
    let text = fs::read_to_string(bundle.join("verdicts.jsonl")).unwrap();
    let rows = text.lines().map(|line| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        // The place in a share is another one.
        row.as_object_mut().unwrap().remove("seq");
        (row["expectation_id"].as_str().unwrap().to_owned(), row)
    });
    rows.collect()
}

#[test]
fn the_shares_of_a_plan_are_the_plan_and_each_verifies_and_none_is_promotable() {
    let dir = tempfile::tempdir().unwrap();
    let whole =
        sandproof().args(["run", "--json", "--plan", "plans/quickstart", "--out"]).arg(dir.path()).output().unwrap();
    let whole = answer(&whole);
    let expected = verdicts(&bundle(&whole));
    let undivided = json_of(&bundle(&whole).join("run_identity.json"));
    assert_eq!(whole.get("shard"), None);
    for kind in ["hash", "slice"] {
        let mut all = BTreeMap::new();
        for index in 1..=3 {
            let ended =
                share("quickstart", &format!("{kind}:{index}/3"), &dir.path().join(format!("{kind}{index}")), &[]);
            expect_code(&ended, 0);
            let said = answer(&ended);
            assert_eq!(said["shard"], json!({"kind": kind, "indices": [index], "count": 3, "found_by": "argument"}));
            let reasons = said["promotability"]["reasons"].as_array().unwrap();
            assert!(reasons.contains(&json!("coverage_partial")), "{reasons:?}");
            let folder = bundle(&said);
            expect_code(&validate(&folder), 0);
            let mine = verdicts(&folder);
            assert_eq!(mine.len() as u64, said["planned"].as_u64().unwrap());
            // Wherever a row of a profile is, the profile's controls are.
            let controls: BTreeSet<String> = json_of(&folder.join("controls.json"))["profiles"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["profile_id"].as_str().unwrap().to_owned())
                .collect();
            let profiles: BTreeSet<String> =
                mine.values().map(|row| row["profile_id"].as_str().unwrap().to_owned()).collect();
            assert_eq!(controls, profiles);
            // It declares what the whole run declares, but for the share.
            let mut declared = json_of(&folder.join("run_identity.json"));
            assert_eq!(declared["policy"]["shard"], format!("{kind}:{index}/3"));
            declared["policy"]["shard"] = undivided["policy"]["shard"].clone();
            for part in ["artifact", "runtime", "policy", "history"] {
                assert_eq!(declared[part], undivided[part], "{part}");
            }
            for (id, row) in mine {
                assert_eq!(all.insert(id.clone(), row), None, "{id} is in two shares");
            }
        }
        assert_eq!(all, expected, "{kind}");
    }
}

#[test]
fn a_share_without_rows_is_a_run_that_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let ended = share("quickstart", "slice:1/100", dir.path(), &[]);
    // Pieces of a plan that has fewer rows than there are pieces: the first has none unless rows times pieces says so.
    let said = answer(&ended);
    let empty = (1..=100).find_map(|index| {
        let out = dir.path().join(index.to_string());
        let ended = share("quickstart", &format!("slice:{index}/100"), &out, &[]);
        (answer(&ended)["planned"] == 0).then_some((ended, index))
    });
    assert!(said["planned"].as_u64().unwrap() <= 1);
    let (ended, index) = empty.unwrap();
    expect_code(&ended, 0);
    assert!(stderr(&ended).contains("it is empty"), "{}", stderr(&ended));
    let folder = bundle(&answer(&ended));
    expect_code(&validate(&folder), 0);
    assert_eq!(fs::read(folder.join("rows/scenario.jsonl")).unwrap(), b"");
    let plan = root().join("plans/quickstart/plan.json");
    let told = output(
        sandproof()
            .args(["run", "--shard", &format!("slice:{index}/100"), "--plan"])
            .arg(plan)
            .arg("--out")
            .arg(dir.path().join("text")),
    );
    assert!(stdout(&told).contains("has no rows"), "{}", stdout(&told));
}

#[test]
fn a_scheduler_says_which_share_it_is_and_what_it_says_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let status = dir.path().join("status");
    let file = status.to_str().unwrap();
    let bazel = [("TEST_SHARD_INDEX", "1"), ("TEST_TOTAL_SHARDS", "3"), ("TEST_SHARD_STATUS_FILE", file)];
    let ended = share("quickstart", "auto", dir.path(), &bazel);
    expect_code(&ended, 0);
    assert!(stderr(&ended).contains("hash:2/3 of the plan, by TEST_SHARD_INDEX=1"), "{}", stderr(&ended));
    let said = answer(&ended);
    assert_eq!(said["shard"], json!({"kind": "hash", "indices": [2], "count": 3, "found_by": "bazel"}));
    assert!(status.exists());
    let by_hand = share("quickstart", "hash:2/3", &dir.path().join("b"), &[]);
    assert_eq!(verdicts(&bundle(&said)), verdicts(&bundle(&answer(&by_hand))));
}

#[test]
fn what_names_no_share_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    for (shard, variables, word) in [
        ("auto", &[][..], "SANDPROOF_SHARD"),
        (
            "auto",
            &[("CI_NODE_INDEX", "2"), ("CI_NODE_TOTAL", "3"), ("SANDPROOF_SHARD", "1/3")][..],
            "not name the same",
        ),
        ("auto", &[("JOB_COMPLETION_INDEX", "2")][..], "auto/N"),
        ("hash:4/3", &[][..], "I from 1 to N"),
        ("3/4", &[][..], "I from 1 to N"),
    ] {
        let ended = share("quickstart", shard, &out, variables);
        expect_code(&ended, 2);
        assert!(stderr(&ended).contains(word), "{}", stderr(&ended));
        assert!(!out.exists());
    }
}

#[test]
fn a_share_that_says_it_is_another_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let said = answer(&share("quickstart", "hash:1/2", dir.path(), &[]));
    let folder = bundle(&said);
    let manifest = folder.join("run_manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    for (from, to) in [("\"found_by\": \"argument\"", "\"found_by\": \"luck\""), ("\"count\": 2", "\"count\": 3")] {
        assert!(text.contains(from));
        fs::write(&manifest, text.replace(from, to)).unwrap();
        // As if nobody had edited anything: the index is made to fit.
        reindex_by_hand(&folder, "run_manifest.json");
        expect_code(&validate(&folder), 4);
    }
    fs::write(&manifest, &text).unwrap();
    reindex_by_hand(&folder, "run_manifest.json");
    expect_code(&validate(&folder), 0);
    let shown =
        json_answer(sandproof().args(["identity", "verify", "--json", "--bundle"]).arg(&folder), "identity_report", 0);
    assert_eq!(shown["differences"], json!([]));
}
