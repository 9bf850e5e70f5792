//! Shares of a plan put together to one run, and everything that is no part of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::bundle_life::reindex_by_hand;
use crate::consumers::python;
use crate::support::{
    copy_folder, expect_code, files, json_answer, output, root, sandproof, shaped, stderr, stdout, validate,
};
use crate::workspace::{Workspace, probe, read_policy};

/// Runs one share of a plan, below `out`, with the variables and options given; the folder of its bundle.
fn share(plan: &Path, shard: &str, out: &Path, more: &[&str]) -> PathBuf {
    let mut command = sandproof();
    command.args(["run", "--json", "--shard", shard, "--plan"]).arg(plan).arg("--out").arg(out).args(more);
    let said = shaped("run_report", &output(&mut command).stdout);
    PathBuf::from(said["bundle"].as_str().unwrap())
}

fn quickstart() -> PathBuf {
    root().join("plans/quickstart/plan.json")
}

/// The three shares of the first plan, below `dir`.
fn three(dir: &Path) -> Vec<PathBuf> {
    (1..=3).map(|n| share(&quickstart(), &format!("hash:{n}/3"), &dir.join(format!("s{n}")), &[])).collect()
}

fn merge(bundles: &[&Path], out: &Path) -> Output {
    output(sandproof().args(["merge", "--json", "--out"]).arg(out).args(bundles))
}

#[track_caller]
fn merged(bundles: &[&Path], out: &Path, code: i32) -> Value {
    let ended = merge(bundles, out);
    expect_code(&ended, code);
    shaped("merge_report", &ended.stdout)
}

fn folder(answer: &Value) -> PathBuf {
    PathBuf::from(answer["bundle"].as_str().unwrap())
}

fn json_of(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// What became of each bundle, by path.
fn standings(answer: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    answer["inputs"].as_array().unwrap().iter().map(|one| (text(&one["path"]), text(&one["standing"]))).collect()
}

#[test]
fn all_shares_together_are_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let whole = json_answer(
        sandproof().args(["run", "--json", "--plan", "plans/quickstart", "--out"]).arg(dir.path().join("whole")),
        "run_report",
        0,
    );
    let whole = folder(&whole);
    let shares = three(&dir.path().join("shares"));
    let given = dir.path().join("shares");
    let before: Vec<_> =
        files(&given).iter().map(|file| given.join(file)).map(|file| (fs::read(&file).unwrap(), file)).collect();
    let said = merged(&[&given], &dir.path().join("merged"), 0);
    for (bytes, file) in before {
        assert_eq!(fs::read(&file).unwrap(), bytes, "{} was touched", file.display());
    }
    assert_eq!(said["gaps"], json!([]));
    assert!(said["inputs"].as_array().unwrap().iter().all(|one| one["standing"] == "taken"), "{said:#}");
    let one = folder(&said);
    shaped("merge", &fs::read(one.join("merge.json")).unwrap());
    expect_code(&validate(&one), 0);
    for name in ["verdicts.jsonl", "expected_matrix.json"] {
        assert_eq!(fs::read(one.join(name)).unwrap(), fs::read(whole.join(name)).unwrap(), "{name}");
    }
    // It declares what the undivided run declares.
    let declared = |bundle: &Path| json_of(&bundle.join("run_identity.json"))["identity"].clone();
    assert_eq!(declared(&one), declared(&whole));
    let diff = output(sandproof().arg("diff-runs").arg(&whole).arg(&one));
    expect_code(&diff, 0);
    // And whatever speaks against the promotion of the one speaks against the other.
    let reasons = |bundle: &Path| {
        let packet = dir.path().join("packet.json");
        let _ = fs::remove_file(&packet);
        let answer = json_answer(
            sandproof().args(["emit-promotion", "--json", "--bundle"]).arg(bundle).arg("--out").arg(&packet),
            "promotion_report",
            0,
        );
        answer["promotability"]["reasons"].clone()
    };
    assert_eq!(reasons(&one), reasons(&whole));
    for format in ["junit", "html", "sarif", "tap", "markdown", "matrix"] {
        let report = output(sandproof().args(["report", "--format", format, "--bundle"]).arg(&one));
        expect_code(&report, 0);
    }
    expect_code(&output(sandproof().args(["derive", "--check", "--bundle"]).arg(&one)), 0);
    // The reader that shares no line with the program comes to the same, also of the shares.
    if python() {
        let read = output(Command::new("python3").arg(root().join("scripts/verify_bundle.py")).arg(&one).args(&shares));
        expect_code(&read, 0);
    }
    // It needs nothing of where it came from.
    let moved = dir.path().join("moved").join(one.file_name().unwrap());
    copy_folder(&one, &moved);
    fs::remove_dir_all(&given).unwrap();
    fs::remove_dir_all(&one).unwrap();
    expect_code(&validate(&moved), 0);
    assert_eq!(shares.len(), 3);
}

#[test]
fn a_missing_share_is_named_and_keeps_the_merge_from_promotion() {
    let dir = tempfile::tempdir().unwrap();
    let shares = three(dir.path());
    let said = merged(&[&shares[0], &shares[2]], &dir.path().join("m"), 8);
    assert_eq!(said["gaps"], json!([2]));
    let reasons = said["promotability"]["reasons"].as_array().unwrap();
    assert!(reasons.contains(&json!("coverage_partial")), "{reasons:?}");
    expect_code(&validate(&folder(&said)), 0);
    let manifest = json_of(&folder(&said).join("run_manifest.json"));
    assert_eq!(
        manifest["selection"]["shard"],
        json!({"kind": "hash", "indices": [1, 3], "count": 3, "found_by": "merge"})
    );
    let text = output(sandproof().args(["merge", "--out"]).arg(dir.path().join("t")).args([&shares[0], &shares[2]]));
    expect_code(&text, 8);
    assert!(stdout(&text).contains("missing: 2"), "{}", stdout(&text));
}

#[test]
fn what_is_killed_doubled_edited_or_of_another_run_is_named_and_the_last_two_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let shares = three(dir.path());
    // Killed before its commit.
    let killed = at("killed");
    copy_folder(&shares[1], &killed);
    fs::remove_file(killed.join("artifact_index.json")).unwrap();
    // The very bundle, somewhere else.
    let doubled = at("doubled");
    copy_folder(&shares[0], &doubled);
    // The same share, run once more.
    let again = share(&quickstart(), "hash:1/3", &at("again"), &[]);
    let nothing = at("nothing");
    fs::create_dir(&nothing).unwrap();
    let fine: Vec<&Path> = vec![&shares[0], &shares[1], &shares[2], &killed, &doubled, &again, &nothing];
    let said = merged(&fine, &at("m"), 0);
    let names: Vec<String> = standings(&said).into_iter().map(|(_, standing)| standing).collect();
    assert_eq!(names, ["taken", "taken", "taken", "unfinished", "same_bundle", "agrees", "nothing"]);
    assert_eq!(json_of(&folder(&said).join("merge.json"))["parts"].as_array().unwrap().len(), 4);

    // Another declaration, and one that was touched.
    let other = share(&quickstart(), "hash:2/3", &at("other"), &["--repeat", "2"]);
    let division = share(&quickstart(), "slice:2/3", &at("division"), &[]);
    let edited = at("edited");
    copy_folder(&shares[2], &edited);
    let rows = edited.join("rows/scenario.jsonl");
    fs::write(&rows, fs::read_to_string(&rows).unwrap().replace("\"duration_us\":", "\"duration_us\":1")).unwrap();
    let undivided = json_answer(
        sandproof().args(["run", "--json", "--plan", "plans/quickstart", "--out"]).arg(at("whole")),
        "run_report",
        0,
    );
    let undivided = folder(&undivided);
    let merge_itself = folder(&said);
    let mut all = fine.clone();
    all.extend([&*other, &*division, &*edited, &*undivided, &*merge_itself]);
    let refused = merged(&all, &at("refused"), 4);
    let names: Vec<String> = standings(&refused).into_iter().map(|(_, standing)| standing).collect();
    assert_eq!(
        names,
        [
            "fits",
            "fits",
            "fits",
            "unfinished",
            "same_bundle",
            "fits",
            "nothing",
            "foreign",
            "foreign",
            "invalid",
            "foreign",
            "foreign"
        ]
    );
    let why = |n: usize| refused["inputs"][n]["why"].as_str().unwrap().to_owned();
    assert!(why(7).contains("/runtime/repeat"), "{}", why(7));
    assert!(why(8).contains("slice:…/3"), "{}", why(8));
    assert!(why(9).contains("rows/scenario.jsonl"), "{}", why(9));
    assert!(why(10).contains("no share"), "{}", why(10));
    assert!(why(11).contains("merge itself"), "{}", why(11));
    assert_eq!(refused["bundle"], Value::Null);
    assert!(!at("refused").exists());
    // The same for people.
    let text = output(sandproof().args(["merge", "--out"]).arg(at("refused")).args(&all));
    expect_code(&text, 4);
    assert!(stdout(&text).contains("REFUSED") && stderr(&text).contains("nothing is written"), "{}", stdout(&text));
}

/// A plan of one row, which reads what a link of its own leads to: something of the host that nothing declares.
fn of_the_host(dir: &Path, place: &Path) -> Workspace {
    let mut policy = read_policy();
    policy["handled"]["fs"] = json!(["make_dir"]);
    policy["path_beneath"] = json!([]);
    let mut row = probe("d:read", "file-read-data", "${root}/link", "allow");
    row["driver"] = "file_read".into();
    row["fixtures"] = json!([{"path": "link", "kind": "symlink", "to": place}]);
    Workspace::new(dir).add("d", &policy, vec![row])
}

#[test]
fn attempts_that_differ_leave_their_rows_undecided_whichever_came_first() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("place");
    let workspace = of_the_host(dir.path(), &place);
    let plan = workspace.plan_path("d");
    let absent = share(&plan, "hash:1/1", &dir.path().join("a"), &[]);
    fs::write(&place, "here").unwrap();
    let present = share(&plan, "hash:1/1", &dir.path().join("b"), &[]);
    let verdict = |bundle: &Path| {
        let text = fs::read_to_string(bundle.join("verdicts.jsonl")).unwrap();
        serde_json::from_str::<Value>(text.trim()).unwrap()
    };
    assert_eq!((&verdict(&absent)["actual"], &verdict(&present)["actual"]), (&Value::Null, &json!("allow")));
    for (n, bundles) in [[&*absent, &*present], [&*present, &*absent]].into_iter().enumerate() {
        let said = merged(&bundles, &dir.path().join(format!("m{n}")), 8);
        assert_eq!(said["disagreements"], 1);
        let one = folder(&said);
        let row = verdict(&one);
        assert_eq!((&row["actual"], &row["failure_kind"]), (&Value::Null, &json!("repetitions_disagree")));
        let document = json_of(&one.join("merge.json"));
        assert_eq!(document["disagreements"][0]["parts"], json!([1, 2]));
        assert_eq!(document["parts"][1]["standing"], "disagrees");
        expect_code(&validate(&one), 0);
        let reasons = said["promotability"]["reasons"].as_array().unwrap();
        assert!(reasons.contains(&json!("rows_undecided")), "{reasons:?}");
    }
}

#[test]
fn a_merge_that_is_not_what_its_parts_give_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let shares = three(dir.path());
    let said = merged(&shares.iter().map(PathBuf::as_path).collect::<Vec<_>>(), &dir.path().join("m"), 0);
    let good = folder(&said);
    let tampered = |name: &str, edit: &dyn Fn(&Path), code: &str| {
        let bundle = dir.path().join(name).join(good.file_name().unwrap());
        copy_folder(&good, &bundle);
        edit(&bundle);
        let ended = output(sandproof().args(["validate-bundle", "--json", "--bundle"]).arg(&bundle));
        expect_code(&ended, 4);
        let report = shaped("bundle_report", &ended.stdout);
        let codes: Vec<&str> =
            report["errors"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
        assert!(codes.contains(&code), "{name}: {report:#}");
    };
    let replace = |bundle: &Path, file: &str, from: &str, to: &str| {
        let path = bundle.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        reindex_by_hand(bundle, file);
    };
    tampered("row", &|b| replace(b, "rows/scenario.jsonl", "\"duration_us\":", "\"duration_us\":1"), "not_merged");
    tampered("manifest", &|b| replace(b, "run_manifest.json", "\"jobs\": ", "\"jobs\": 1"), "not_merged");
    tampered(
        "document",
        &|b| replace(b, "merge.json", "\"standing\": \"taken\"", "\"standing\": \"agrees\""),
        "not_merged",
    );
    tampered(
        "policy",
        &|b| {
            let policy = files(&b.join("inputs/policies")).remove(0);
            replace(b, &format!("inputs/policies/{}", policy.display()), "{", "{ ");
        },
        "not_merged",
    );
    // The part itself, and the digest that stands for it.
    tampered("part", &|b| replace(b, "parts/0002/artifact_index.json", "{", "{ "), "part_refused");
    tampered(
        "part's row",
        &|b| {
            let path = b.join("parts/0001/rows/scenario.jsonl");
            fs::write(&path, fs::read_to_string(&path).unwrap() + "\n").unwrap();
        },
        "part_refused",
    );
    tampered("more in a part", &|b| fs::write(b.join("parts/0001/more"), "x").unwrap(), "part_refused");
    tampered("more beside the parts", &|b| fs::write(b.join("parts/more"), "x").unwrap(), "unlisted");
    tampered("a part less", &|b| fs::remove_dir_all(b.join("parts/0003")).unwrap(), "missing");
    tampered("another part", &|b| copy_folder(&shares[0], &b.join("parts/0004")), "unlisted");
    // Without its list of parts it would be a run that it is not.
    tampered(
        "no list",
        &|b| {
            fs::remove_file(b.join("merge.json")).unwrap();
            fs::remove_dir_all(b.join("parts")).unwrap();
            let path = b.join("artifact_index.json");
            let mut index = json_of(&path);
            index["artifacts"].as_array_mut().unwrap().retain(|entry| {
                let path = entry["path"].as_str().unwrap();
                !path.contains("/parts/") && !path.ends_with("/merge.json")
            });
            fs::write(&path, serde_json::to_vec_pretty(&index).unwrap()).unwrap();
        },
        "manifest_fixtures",
    );
}

#[test]
fn a_fleet_with_deaths_and_retries_loses_nothing_and_counts_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::new(&dir.path().join("w")).many_reads("f", 40);
    let plan = workspace.plan_path("f");
    let fleet = dir.path().join("fleet");
    let count = 16;
    for index in 1..=count {
        let bundle = share(&plan, &format!("hash:{index}/{count}"), &fleet.join(format!("{index}-1")), &[]);
        // Some die at one step or another of their end, and are run again; some are run again though they did not.
        match index % 4 {
            0 => fs::remove_file(bundle.join("artifact_index.json")).unwrap(),
            1 => fs::remove_dir_all(&bundle).unwrap(),
            2 => {}
            _ => continue,
        }
        share(&plan, &format!("hash:{index}/{count}"), &fleet.join(format!("{index}-2")), &[]);
    }
    let said = merged(&[&fleet], &dir.path().join("m"), 0);
    assert_eq!((&said["planned"], &said["matched"], &said["gaps"]), (&json!(40), &json!(40), &json!([])));
    let text = fs::read_to_string(folder(&said).join("verdicts.jsonl")).unwrap();
    let ids: std::collections::BTreeSet<String> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["expectation_id"].to_string()).collect();
    assert_eq!(ids.len(), 40);
}
