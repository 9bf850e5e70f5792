//! A bundle from its run to its packet, as a user meets it, and everything that may happen to it in between.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::support::{self, copy_folder, expect_code, files, finished_run, output, sandproof, stdout, validate};

const QUICKSTART: &str = "plans/quickstart/plan.json";

#[test]
fn a_run_commits_a_bundle_that_verifies_and_gives_its_packet() {
    let run = finished_run(QUICKSTART, 0);
    let checked = validate(&run.out);
    expect_code(&checked, 0);
    assert!(stdout(&checked).contains("bundle ok"), "{}", stdout(&checked));
    assert!(stdout(&checked).contains("consistent, not authenticated"), "{}", stdout(&checked));

    let packet = run.dir.path().join("packet.json");
    let emitted = output(sandproof().args(["emit-promotion", "--bundle"]).arg(&run.out).arg("--out").arg(&packet));
    expect_code(&emitted, 0);
    let packet: Value = serde_json::from_slice(&fs::read(&packet).unwrap()).unwrap();
    assert_eq!(packet["schema_version"], "runtime-tools.promotion_packet.v0.2");
    assert_eq!(packet["promotability"]["promotable_decision_stage"], false);
    assert_eq!(packet["promotability"]["reasons"], serde_json::json!(["not_clean_channel"]));

    let refused = run.dir.path().join("refused.json");
    let gate = output(
        sandproof()
            .args(["emit-promotion", "--require-promotable", "--bundle"])
            .arg(&run.out)
            .arg("--out")
            .arg(&refused),
    );
    expect_code(&gate, 5);
    assert!(!refused.exists(), "a refused packet was written");
}

#[test]
fn a_bundle_has_one_list_of_reasons_whoever_prints_it() {
    let shipped = || {
        let plan = support::root().join("plans/quickstart/plan.json");
        serde_json::from_slice::<Value>(&fs::read(plan).unwrap()).unwrap()
    };
    type Edit = fn(&mut Value);
    let cases: [(&str, &[&str], Edit, &[&str]); 5] = [
        ("all", &[], |_| (), &["not_clean_channel"]),
        (
            "dry",
            &["--dry"],
            |_| (),
            &["apply_preflight_missing", "decision_stage_artifacts_missing", "dry_run", "not_clean_channel"],
        ),
        (
            "no scenario lane",
            &[],
            |plan| plan["lanes"]["scenario"] = false.into(),
            &["decision_stage_artifacts_missing", "not_clean_channel"],
        ),
        (
            "no preflight",
            &[],
            |plan| drop(plan.as_object_mut().unwrap().remove("apply_preflight_profile")),
            &["apply_preflight_missing", "not_clean_channel"],
        ),
        ("a part", &["--only-profile", "quickstart:read_only"], |_| (), &["not_clean_channel", "selection_filtered"]),
    ];
    for (what, arguments, edit, wanted) in cases {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["registries", "policies"] {
            let from = support::root().join(folder);
            if from.is_dir() {
                support::copy_folder(&from, &dir.path().join(folder));
            }
        }
        let plan = dir.path().join("plans/quickstart/plan.json");
        fs::create_dir_all(plan.parent().unwrap()).unwrap();
        let mut document = shipped();
        edit(&mut document);
        fs::write(&plan, document.to_string()).unwrap();
        let out = dir.path().join("out");
        let ran =
            output(sandproof().args(["run", "--json", "--plan"]).arg(&plan).arg("--out").arg(&out).args(arguments));
        // Without the lane nothing was decided, and a dry run was not meant to decide.
        expect_code(&ran, if what == "no scenario lane" { 9 } else { 0 });
        let ran: Value = serde_json::from_slice(&ran.stdout).unwrap();
        let bundle = std::path::PathBuf::from(ran["bundle"].as_str().unwrap());
        assert_eq!(ran["promotability"]["reasons"], serde_json::json!(wanted), "{what}, run");
        let emitted = output(
            sandproof()
                .args(["emit-promotion", "--json", "--bundle"])
                .arg(&bundle)
                .arg("--out")
                .arg(dir.path().join("packet.json")),
        );
        expect_code(&emitted, 0);
        let emitted: Value = serde_json::from_slice(&emitted.stdout).unwrap();
        assert_eq!(emitted["promotability"], ran["promotability"], "{what}, emit-promotion");
        assert_eq!(emitted["trust"], "consistent_not_authenticated");
        let reported = output(sandproof().args(["report", "--format", "markdown", "--bundle"]).arg(&bundle));
        if wanted.contains(&"decision_stage_artifacts_missing") {
            expect_code(&reported, 9);
            continue;
        }
        let reported = stdout(&reported);
        for reason in sandproof::test_support::promote::Reason::ALL {
            let told = reported.replace('\\', "").contains(&format!("- `{}`: ", reason.as_str()));
            assert_eq!(told, wanted.contains(&reason.as_str()), "{what}, report, {}:\n{reported}", reason.as_str());
        }
    }
}

#[test]
fn a_second_run_stands_beside_the_first_and_moves_latest() {
    let run = finished_run(QUICKSTART, 0);
    expect_code(&output(sandproof().args(["run", "--plan", QUICKSTART, "--out"]).arg(&run.out)), 0);
    let second = run.out.join(fs::read_to_string(run.out.join("LATEST")).unwrap().trim());
    assert_ne!(second, run.bundle);
    expect_code(&validate(&run.bundle), 0);
    expect_code(&validate(&second), 0);
}

#[test]
fn a_copied_bundle_still_verifies() {
    let run = finished_run(QUICKSTART, 0);
    let elsewhere = run.dir.path().join("somewhere").join("else");
    copy_folder(&run.bundle, &elsewhere);
    fs::remove_dir_all(&run.out).unwrap();
    expect_code(&validate(&elsewhere), 0);
}

#[test]
fn one_flipped_byte_in_any_file_is_found_and_named() {
    let run = finished_run(QUICKSTART, 0);
    for file in files(&run.bundle) {
        let path = run.bundle.join(&file);
        let good = fs::read(&path).unwrap();
        // Where nothing differed there is nothing to flip; a byte that is added is found all the same.
        let places = if good.is_empty() { vec![0] } else { vec![0, good.len() / 2, good.len() - 1] };
        for place in places {
            let mut bad = if good.is_empty() { vec![0] } else { good.clone() };
            bad[place] ^= 1;
            fs::write(&path, &bad).unwrap();
            let checked = validate(&run.bundle);
            expect_code(&checked, 4);
            // What the index says wrongly of another file is found at that file.
            let name = file.to_string_lossy();
            assert!(
                stdout(&checked).contains(&*name) || name == "artifact_index.json",
                "{name} byte {place} is not named:\n{}",
                stdout(&checked)
            );
        }
        fs::write(&path, &good).unwrap();
    }
    expect_code(&validate(&run.bundle), 0);
}

#[test]
fn an_added_file_a_link_and_a_missing_file_are_found() {
    let run = finished_run(QUICKSTART, 0);
    let extra = run.bundle.join("rows/extra.jsonl");
    fs::write(&extra, b"{}\n").unwrap();
    let checked = validate(&run.bundle);
    expect_code(&checked, 4);
    assert!(stdout(&checked).contains("rows/extra.jsonl"));
    fs::remove_file(&extra).unwrap();

    let summary = run.bundle.join("summary.json");
    let outside = run.dir.path().join("summary.json");
    fs::rename(&summary, &outside).unwrap();
    let checked = validate(&run.bundle);
    expect_code(&checked, 4);
    assert!(stdout(&checked).contains("summary.json"));
    symlink(&outside, &summary).unwrap();
    let checked = validate(&run.bundle);
    expect_code(&checked, 4);
    assert!(stdout(&checked).contains("symbolic link"), "{}", stdout(&checked));
}

/// Gives an edited file the entry in the index that an honest one would have.
pub(crate) fn reindex_by_hand(bundle: &std::path::Path, name: &str) {
    use sandproof::test_support::base::digest::Digest;
    let path = bundle.join("artifact_index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let bytes = fs::read(bundle.join(name)).unwrap();
    let entries = index["artifacts"].as_array_mut().unwrap();
    let entry = entries.iter_mut().find(|entry| entry["path"].as_str().unwrap().ends_with(name)).unwrap();
    entry["sha256"] = Digest::of(&bytes).to_string().into();
    entry["file_size"] = bytes.len().into();
    fs::write(&path, serde_json::to_vec_pretty(&index).unwrap()).unwrap();
}

#[test]
fn a_consistent_lie_is_caught_by_the_derivation() {
    let run = finished_run(QUICKSTART, 0);
    for (name, from, to) in [
        ("runtime_events.normalized.json", "\"actual\": \"deny\"", "\"actual\": \"allow\""),
        ("runtime_results.json", "\"match\": true", "\"match\": false"),
        ("summary.json", "\"status\": \"ok\"", "\"status\": \"partial\""),
        ("baseline_results.json", "\"status\": \"allow\"", "\"status\": \"deny\""),
        ("expected_matrix.json", "\"expected\": \"deny\"", "\"expected\": \"allow\""),
        ("summary.md", "ok", "fine"),
    ] {
        let path = run.bundle.join(name);
        let good = fs::read_to_string(&path).unwrap();
        assert!(good.contains(from), "{name} does not hold {from}");
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let index = fs::read(run.bundle.join("artifact_index.json")).unwrap();
        reindex_by_hand(&run.bundle, name);
        let checked = validate(&run.bundle);
        expect_code(&checked, 4);
        assert!(stdout(&checked).contains(name), "{name} is not named:\n{}", stdout(&checked));
        fs::write(&path, good).unwrap();
        fs::write(run.bundle.join("artifact_index.json"), index).unwrap();
    }
    expect_code(&validate(&run.bundle), 0);
}

#[test]
fn a_raw_row_that_changed_its_story_is_caught_too() {
    let run = finished_run(QUICKSTART, 0);
    let path = run.bundle.join("rows/scenario.jsonl");
    let good = fs::read_to_string(&path).unwrap();
    let bad = good.replacen("\"ret\":-1,\"errno\":13", "\"ret\":-1,\"errno\":2", 1);
    assert_ne!(good, bad, "no denied call in the rows");
    fs::write(&path, bad).unwrap();
    reindex_by_hand(&run.bundle, "rows/scenario.jsonl");
    expect_code(&validate(&run.bundle), 4);
}

#[test]
fn a_repair_of_a_sound_bundle_leaves_it_and_its_packets_as_they_are() {
    let run = finished_run(QUICKSTART, 0);
    let packet = run.dir.path().join("packet.json");
    expect_code(&output(sandproof().args(["emit-promotion", "--bundle"]).arg(&run.out).arg("--out").arg(&packet)), 0);
    let content = || files(&run.out).into_iter().map(|file| fs::read(run.out.join(file)).unwrap()).collect();
    let before: Vec<Vec<u8>> = content();
    let repaired = output(sandproof().args(["reindex-bundle", "--repair", "--bundle"]).arg(&run.out));
    expect_code(&repaired, 0);
    assert!(stdout(&repaired).contains("nothing to repair, and nothing written"), "{}", stdout(&repaired));
    assert_eq!(content(), before);
    let summed = output(sandproof().args(["summarize-ops", "--allow-nonpromotable", "--packet"]).arg(&packet));
    expect_code(&summed, 0);
}
