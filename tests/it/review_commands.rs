//! The commands that look at finished runs: summaries and links, and what they refuse.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{FinishedRun, copy_folder, expect_code, finished_run, output, sandproof, stderr, stdout};

const QUICKSTART: &str = "plans/quickstart/plan.json";

fn emit(bundle: &Path, packet: &Path) -> PathBuf {
    let emitted = output(sandproof().args(["emit-promotion", "--bundle"]).arg(bundle).arg("--out").arg(packet));
    expect_code(&emitted, 0);
    packet.to_owned()
}

fn with_packet() -> (FinishedRun, PathBuf) {
    let run = finished_run(QUICKSTART, 0);
    let packet = emit(&run.bundle, &run.dir.path().join("packet.json"));
    (run, packet)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = read(path);
    change(&mut value);
    fs::write(path, serde_json::to_vec_pretty(&value).unwrap()).unwrap();
}

#[test]
fn a_summary_counts_what_the_events_say() {
    let (run, packet) = with_packet();
    let out = run.dir.path().join("summary.json");
    let made = output(
        sandproof().args(["summarize-ops", "--allow-nonpromotable", "--bundle"]).arg(&run.out).arg("--out").arg(&out),
    );
    expect_code(&made, 0);
    assert!(stdout(&made).starts_with("OPERATION"), "{}", stdout(&made));
    let summary = read(&out);
    let events = read(&run.bundle.join("runtime_events.normalized.json"));
    let events = events.as_array().unwrap();
    let ops = summary["ops"].as_object().unwrap();
    let count = |field: &str| ops.values().map(|op| op[field].as_u64().unwrap()).sum::<u64>();
    assert_eq!(count("probes_including_blocked"), events.len() as u64);
    assert_eq!(count("matches"), events.iter().filter(|event| event["match"] == true).count() as u64);
    assert_eq!(count("mismatches"), 0);
    assert_eq!(summary["meta"]["status"], "ok");
    assert_eq!(summary["meta"]["integrity"], "verified");

    // The packet leads to the same counts.
    let asked = output(
        sandproof()
            .args(["summarize-ops", "--allow-nonpromotable", "--json", "--packet"])
            .arg(&packet)
            .arg("--root")
            .arg(&run.out),
    );
    expect_code(&asked, 0);
    let through: Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!(through["ops"], summary["ops"]);
    assert_eq!(through["meta"]["source_jobs"], json!(["promotion_packet"]));
    assert_eq!(through["meta"]["inputs"].as_array().unwrap().len(), 3);
}

#[test]
fn what_may_not_be_promoted_is_refused_unless_allowed() {
    let (run, packet) = with_packet();
    for arguments in [["summarize-ops", "--bundle"], ["summarize-ops", "--packet"]] {
        let source = if arguments[1] == "--bundle" { &run.bundle } else { &packet };
        let out = run.dir.path().join("refused.json");
        let refused = output(sandproof().args(arguments).arg(source).arg("--out").arg(&out));
        expect_code(&refused, 5);
        assert!(stderr(&refused).contains("not_clean_channel"), "{}", stderr(&refused));
        assert!(!out.exists());
    }
    let refused = output(sandproof().args(["links", "build", "--packet"]).arg(&packet));
    expect_code(&refused, 5);
}

#[test]
fn a_tampered_bundle_gives_a_summary_only_when_asked_and_says_so() {
    let (run, packet) = with_packet();
    let events = run.bundle.join("runtime_events.normalized.json");
    let good = fs::read_to_string(&events).unwrap();
    fs::write(&events, good.replacen("\"match\": true", "\"match\": false", 1)).unwrap();

    let ask = |more: &[&str]| {
        output(sandproof().args(["summarize-ops", "--allow-nonpromotable"]).args(more).arg("--bundle").arg(&run.out))
    };
    let refused = ask(&[]);
    expect_code(&refused, 4);
    assert!(stdout(&refused).contains("runtime_events.normalized.json"), "{}", stdout(&refused));
    for command in [&["summarize-ops", "--packet"][..], &["links", "build", "--packet"]] {
        let refused = output(sandproof().args(command).arg(&packet).arg("--allow-nonpromotable"));
        expect_code(&refused, 4);
    }
    let debugged = ask(&["--allow-unverified", "--json"]);
    expect_code(&debugged, 0);
    let summary: Value = serde_json::from_slice(&debugged.stdout).unwrap();
    assert_eq!(summary["meta"]["integrity"], "unverified");
    let mismatches: u64 =
        summary["ops"].as_object().unwrap().values().map(|op| op["mismatches"].as_u64().unwrap()).sum();
    assert_eq!(mismatches, 1, "the summary is of the file as it lies there");
}

#[test]
fn a_packet_that_its_bundle_does_not_give_is_refused() {
    let (run, packet) = with_packet();
    let good = fs::read(&packet).unwrap();
    let refuse = |wanted: &str| {
        for command in [&["summarize-ops"][..], &["links", "build"]] {
            let refused = output(sandproof().args(command).arg("--packet").arg(&packet).arg("--allow-nonpromotable"));
            expect_code(&refused, 4);
            assert!(stderr(&refused).contains(wanted), "{wanted}: {}", stderr(&refused));
        }
        fs::write(&packet, &good).unwrap();
    };
    edit(&packet, |packet| packet["promotability"]["promotable_decision_stage"] = true.into());
    refuse("`promotability`");
    edit(&packet, |packet| packet["promotability"]["reasons"] = json!([]));
    refuse("`promotability`");
    edit(&packet, |packet| packet["index_sha256"] = "0".repeat(64).into());
    refuse("`index_sha256`");
    edit(&packet, |packet| packet["runtime_events"] = "/etc/passwd".into());
    refuse("`runtime_events`");
    edit(&packet, |packet| packet["world_id"] = "another".into());
    refuse("`world_id`");
    edit(&packet, |packet| drop(packet.as_object_mut().unwrap().remove("index_sha256")));
    refuse("nothing ties it to its bundle");
    edit(&packet, |packet| packet["schema_version"] = "runtime-tools.promotion_packet.v9".into());
    refuse("its format is");
    edit(&packet, |packet| packet["more"] = 1.into());
    refuse("unknown field");
    edit(&packet, |packet| packet["run_manifest"] = "nowhere/run_manifest.json".into());
    refuse("is not at");

    // Another run's bundle does not stand in, and a moved one is found beside its packet.
    let other = finished_run(QUICKSTART, 0);
    let moved = run.dir.path().join("moved");
    copy_folder(&other.bundle, &moved.join(run.bundle.file_name().unwrap()));
    fs::copy(&packet, moved.join("packet.json")).unwrap();
    fs::remove_dir_all(&run.out).unwrap();
    let ask = || {
        output(sandproof().args(["summarize-ops", "--allow-nonpromotable", "--packet"]).arg(moved.join("packet.json")))
    };
    let refused = ask();
    expect_code(&refused, 4);
    assert!(stderr(&refused).contains("is not the packet of its bundle"), "{}", stderr(&refused));
}

#[test]
fn links_join_two_runs_of_one_plan() {
    let (run, packet) = with_packet();
    let second = finished_run(QUICKSTART, 0);
    let second_packet = emit(&second.bundle, &run.dir.path().join("second.json"));
    let file = run.dir.path().join("links.json");
    let build = |packets: &[&PathBuf]| {
        let mut command = sandproof();
        command.args(["links", "build", "--allow-nonpromotable", "--out"]).arg(&file);
        for packet in packets {
            command.arg("--packet").arg(packet);
        }
        output(&mut command)
    };
    expect_code(&build(&[&packet, &second_packet]), 0);
    let links = read(&file);
    assert_eq!(links["packets"].as_object().unwrap().len(), 2);
    let matrix = read(&run.bundle.join("expected_matrix.json"));
    let profiles = links["profiles"].as_object().unwrap();
    assert_eq!(profiles.len(), matrix["profiles"].as_object().unwrap().len());
    let mut unsorted = false;
    for (id, profile) in profiles {
        assert_eq!(profile["source_packets"].as_array().unwrap().len(), 2, "{id}");
        assert_eq!(profile["expected_ops"], profile["observed_ops"], "{id}");
        // In the order of the plan, which is not that of the names.
        let probes = matrix["profiles"][id]["probes"].as_array().unwrap();
        let mut planned: Vec<&str> = probes.iter().map(|probe| probe["expectation_id"].as_str().unwrap()).collect();
        assert_eq!(profile["expectation_ids"], json!(planned), "{id}");
        unsorted |= !planned.is_sorted();
        planned.sort_unstable();
        assert_eq!(profile["observed_expectation_ids"], json!(planned), "{id}");
        assert_eq!(profile["observation_counts"]["total"], 2 * probes.len(), "{id}");
        assert_eq!(profile["op_ids"], json!({}), "{id}: no vocabulary was named");
        assert_eq!(profile["profile_source"]["exists"], true, "{id}");
        let policy = crate::support::root().join(profile["profile_path"].as_str().unwrap());
        let digest = sandproof::test_support::base::digest::Digest::of(&fs::read(policy).unwrap()).to_string();
        assert_eq!(profile["profile_source"]["sha256"], digest.as_str(), "{id}");
    }
    assert!(unsorted, "some profile has its probes in another order than that of their names");
    let vocabulary = run.dir.path().join("vocabulary.json");
    let names: Vec<&str> = sandproof::test_support::policy::operations::OPERATIONS.to_vec();
    let ops: Vec<Value> = names.iter().enumerate().map(|(id, name)| json!({"name": name, "id": id})).collect();
    fs::write(&vocabulary, json!({"ops": ops}).to_string()).unwrap();
    let numbered = output(
        sandproof()
            .args(["links", "build", "--json", "--allow-nonpromotable", "--packet"])
            .arg(&packet)
            .arg("--vocab")
            .arg(&vocabulary),
    );
    expect_code(&numbered, 0);
    let numbered: Value = serde_json::from_slice(&numbered.stdout).unwrap();
    for (id, profile) in numbered["profiles"].as_object().unwrap() {
        let expected = profile["expected_ops"].as_array().unwrap();
        assert_eq!(profile["op_ids"].as_object().unwrap().len(), expected.len(), "{id}");
        for op in expected {
            let number = names.iter().position(|name| op == name).unwrap();
            assert_eq!(profile["op_ids"][op.as_str().unwrap()], number, "{id}");
        }
    }
    let packet_record = &links["packets"][packet.to_str().unwrap()];
    assert!(
        packet_record["output_root"].as_str().unwrap().ends_with(run.bundle.file_name().unwrap().to_str().unwrap())
    );

    let expectation = links["expectations"].as_object().unwrap().keys().next().unwrap().clone();
    let resolved =
        output(sandproof().args(["links", "resolve", "--json", "--expectation", &expectation, "--links"]).arg(&file));
    expect_code(&resolved, 0);
    let resolved: Value = serde_json::from_slice(&resolved.stdout).unwrap();
    assert_eq!(resolved["packets"].as_array().unwrap().len(), 2);
    assert_eq!(resolved["expectation"]["profile_id"], resolved["profile"]["profile_id"]);
    let unknown =
        output(sandproof().args(["links", "resolve", "--profile", "quickstart:read_onyl", "--links"]).arg(&file));
    expect_code(&unknown, 3);
    assert!(stderr(&unknown).contains("did you mean `quickstart:read_only`?"), "{}", stderr(&unknown));

    let twice = build(&[&packet, &packet]);
    expect_code(&twice, 3);
    assert!(stderr(&twice).contains("given twice"), "{}", stderr(&twice));
    let wrong_key = output(
        sandproof()
            .args(["links", "build", "--allow-nonpromotable", "--link", "colours=/etc/hosts", "--packet"])
            .arg(&packet),
    );
    expect_code(&wrong_key, 3);
    edit(&file, |links| links["profiles"] = json!([]));
    expect_code(&output(sandproof().args(["links", "profiles", "--links"]).arg(&file)), 3);
}

#[test]
fn packets_that_contradict_each_other_are_not_linked() {
    let (run, packet) = with_packet();
    // The same ids with another policy and another expectation.
    let folder = run.dir.path().join("edited");
    for part in ["plans/quickstart", "registries/quickstart"] {
        copy_folder(&crate::support::root().join(part), &folder.join(part));
    }
    let index = json!({"schema_version": "runtime-tools.registry_index.v0.1", "registries": [
        {"id": "quickstart", "probes": "registries/quickstart/probes.json", "profiles": "registries/quickstart/profiles.json"}]});
    fs::write(folder.join("registries/index.json"), index.to_string()).unwrap();
    let policy = read(&run.bundle.join("expected_matrix.json"))["profiles"]["quickstart:read_only"]["blob"].clone();
    let policy = folder.join(policy.as_str().unwrap());
    fs::write(&policy, format!("{}\n", fs::read_to_string(&policy).unwrap())).unwrap();
    let probes = folder.join("registries/quickstart/probes.json");
    let first = read(&probes)["probes"].as_object().unwrap().keys().next().unwrap().clone();
    edit(&probes, |probes| {
        let expected = &mut probes["probes"][&first]["expected"];
        *expected = if *expected == "allow" { "deny" } else { "allow" }.into();
    });
    let out = folder.join("out");
    let ran = output(sandproof().args(["run", "--plan"]).arg(folder.join(QUICKSTART)).arg("--out").arg(&out));
    assert!([0, 1, 8].contains(&ran.status.code().unwrap()), "{}", stderr(&ran));
    let other = emit(&out, &folder.join("packet.json"));
    let refused = output(
        sandproof()
            .args(["links", "build", "--allow-nonpromotable", "--packet"])
            .arg(&packet)
            .arg("--packet")
            .arg(&other),
    );
    expect_code(&refused, 3);
    let text = stderr(&refused);
    assert!(text.contains("the policy document itself"), "{text}");
    assert!(text.contains(&format!("the expectation `{first}` is another one")) && text.contains("expected"), "{text}");
}

#[test]
fn an_upgrade_writes_both_documents_or_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("registries/old")).unwrap();
    let write =
        |name: &str, value: Value| fs::write(folder.path().join("registries").join(name), value.to_string()).unwrap();
    write(
        "index.json",
        json!({"schema_version": "runtime-tools.registry_index.v0.1", "registries": [
        {"id": "old", "probes": "registries/old/probes.json", "profiles": "registries/old/profiles.json"}]}),
    );
    write(
        "old/probes.json",
        json!({"schema_version": "runtime-tools.probe_registry.v0.1", "registry_id": "old",
        "world_id": "w", "probes": {"a": {"probe_id": "a", "name": "n", "operation": "signal", "target": "self", "expected": "deny"}}}),
    );
    write(
        "old/profiles.json",
        json!({"schema_version": "runtime-tools.profile_registry.v0.1", "registry_id": "old",
        "world_id": "w", "profiles": {"p": {"profile_id": "p", "profile_path": "p.sb", "mode": "sbpl", "probe_refs": ["a"]}}}),
    );
    let upgrade = |more: &[&str]| {
        output(sandproof().current_dir(folder.path()).args(["registry-upgrade", "--registry", "old"]).args(more))
    };
    let refused = upgrade(&[]);
    expect_code(&refused, 2);
    assert!(stderr(&refused).contains("--overwrite"), "{}", stderr(&refused));
    expect_code(&upgrade(&["--out-dir", "new"]), 0);
    expect_code(&upgrade(&["--overwrite"]), 0);
    let listed = output(sandproof().current_dir(folder.path()).args(["list-probes", "--registry", "old"]));
    expect_code(&listed, 0);
    for name in ["probes.json", "profiles.json"] {
        let (a, b) = (folder.path().join("new").join(name), folder.path().join("registries/old").join(name));
        assert_eq!(fs::read(a).unwrap(), fs::read(b).unwrap());
    }
}

#[test]
fn a_report_says_what_the_run_said() {
    let run = finished_run(QUICKSTART, 0);
    let planned = run.report["planned"].as_u64().unwrap();
    let ask = |format: &str| output(sandproof().args(["report", "--format", format, "--bundle"]).arg(&run.out));
    for (format, of_a_row) in [("junit", "<testcase "), ("tap", "\nok "), ("html", "<tr><td>")] {
        let shown = ask(format);
        expect_code(&shown, 0);
        assert_eq!(stdout(&shown).matches(of_a_row).count() as u64, planned, "{format}:\n{}", stdout(&shown));
        assert_eq!(stderr(&shown), "", "{format}");
    }
    let sarif: Value = serde_json::from_slice(&ask("sarif").stdout).unwrap();
    assert_eq!(sarif["runs"][0]["results"], json!([]));
    assert_eq!(sarif["runs"][0]["properties"]["matched"], planned);
    assert!(stdout(&ask("markdown")).contains("all as expected"));

    // The same bytes in a file.
    let file = run.dir.path().join("report.xml");
    let written =
        output(sandproof().args(["report", "--format", "junit", "--bundle"]).arg(&run.out).arg("--out").arg(&file));
    expect_code(&written, 0);
    assert_eq!(stdout(&written), "");
    assert_eq!(fs::read(&file).unwrap(), ask("junit").stdout);

    // Nothing is said of a bundle that does not verify, or that holds no rows.
    fs::write(run.bundle.join("summary.md"), "fine").unwrap();
    let refused = ask("junit");
    expect_code(&refused, 4);
    assert!(!stdout(&refused).contains("<test"), "{}", stdout(&refused));
    let dry = run.dir.path().join("dry");
    let done = output(sandproof().args(["run", "--dry", "--json", "--plan", QUICKSTART, "--out"]).arg(&dry));
    expect_code(&done, 0);
    let done: Value = serde_json::from_slice(&done.stdout).unwrap();
    let empty = output(sandproof().args(["report", "--format", "tap", "--bundle", done["bundle"].as_str().unwrap()]));
    expect_code(&empty, 9);
    assert_eq!(stdout(&empty), "");
}

#[test]
fn the_harness_of_perl_reads_reports_and_counts_rows_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let built = dir.path().join("plan");
    expect_code(&output(sandproof().args(["plan-build", "--template", "quickstart", "--out"]).arg(&built)), 0);
    let report = |name: &str| {
        let file = dir.path().join(name);
        let made = output(sandproof().args(["report", "--format", "tap", "--bundle"]).arg(built.join("out")));
        assert!(made.stdout.starts_with(b"TAP version 13\n"), "{}", stdout(&made));
        fs::write(&file, &made.stdout).unwrap();
        (made.status.code(), file)
    };
    expect_code(&output(sandproof().args(["run", "--plan"]).arg(&built)), 0);
    let (code, good) = report("good.tap");
    assert_eq!(code, Some(0));
    edit(&built.join("registry/probes.json"), |probes| {
        probes["probes"]["quickstart:read_only:read_inside"]["expected"] = "deny".into();
        probes["probes"]["quickstart:read_only:list_inside"]["target"] = "${root}/project/none".into();
    });
    expect_code(&output(sandproof().args(["run", "--plan"]).arg(&built)), 1);
    let (code, bad) = report("bad.tap");
    assert_eq!(code, Some(1));
    let prove = |file: &Path| std::process::Command::new("prove").args(["-e", "cat"]).arg(file).output();
    let Ok(passed) = prove(&good) else {
        crate::skip!("there is no prove, of Perl's TAP::Harness");
    };
    expect_code(&passed, 0);
    let rows = fs::read_to_string(&good).unwrap().lines().filter(|line| line.starts_with("ok ")).count();
    let said = stdout(&passed);
    assert!(said.contains("Result: PASS") && said.contains(&format!("Tests={rows},")), "{said}");
    let failed = prove(&bad).unwrap();
    let said = stdout(&failed);
    assert!(!failed.status.success() && said.contains(&format!("Failed 2/{rows} subtests")), "{said}");
    assert!(!said.contains("Parse errors"), "{said}");
}

#[test]
fn reports_have_the_times_of_the_rows_and_the_lines_of_the_repository_that_holds_the_plan() {
    let dir = tempfile::tempdir().unwrap();
    let plan = dir.path().join("sub/plan");
    fs::create_dir_all(dir.path().join(".git")).unwrap();
    expect_code(&output(sandproof().args(["plan-build", "--template", "quickstart", "--out"]).arg(&plan)), 0);
    edit(&plan.join("registry/probes.json"), |probes| {
        probes["probes"]["quickstart:read_only:read_inside"]["expected"] = "deny".into();
        probes["probes"]["quickstart:read_only:list_inside"]["target"] = "${root}/project/none".into();
    });
    expect_code(&output(sandproof().args(["run", "--plan"]).arg(&plan)), 1);
    let report = |bundle: &Path, format: &str| {
        let made = output(sandproof().args(["report", "--format", format, "--bundle"]).arg(bundle));
        expect_code(&made, 1);
        made.stdout
    };
    // Where the run left its bundle, every place is one of the repository, and its line says what it should.
    let sarif: Value = serde_json::from_slice(&report(&plan.join("out"), "sarif")).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let line = |location: &Value| {
        let physical = &location["physicalLocation"];
        let uri = physical["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.starts_with("sub/plan/"), "{uri}");
        let text = fs::read_to_string(dir.path().join(uri)).unwrap();
        let number = physical["region"]["startLine"].as_u64().unwrap() as usize;
        (uri.to_owned(), text.lines().nth(number - 1).unwrap().to_owned(), number)
    };
    assert_eq!(results.len(), 2);
    let (uri, text, number) = line(&results[0]["locations"][0]);
    assert!(uri.ends_with("registries/quickstart/policies/read-only.json") && number > 5, "{uri}:{number}: {text}");
    let (uri, text, _) = line(&results[0]["relatedLocations"][0]);
    assert!(uri.ends_with("registry/probes.json") && text.contains("\"expected\": \"deny\""), "{uri}: {text}");
    let (uri, text, _) = line(&results[1]["locations"][0]);
    assert!(uri.ends_with("registry/probes.json") && text.contains("\"expected\": \"allow\""), "{uri}: {text}");

    let bundle = plan.join("out").join(fs::read_to_string(plan.join("out/LATEST")).unwrap().trim());
    let moved = dir.path().join("moved");
    copy_folder(&bundle, &moved);
    let sarif: Value = serde_json::from_slice(&report(&moved, "sarif")).unwrap();
    let at = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"];
    assert_eq!(at["uri"], "registries/quickstart/policies/read-only.json", "nothing says where its plan lies");

    // Each case has the time of its raw row.
    let junit = String::from_utf8(report(&moved, "junit")).unwrap();
    let rows = fs::read_to_string(bundle.join("rows/scenario.jsonl")).unwrap();
    let rows: Vec<Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.iter().any(|row| row["duration_us"].as_u64().unwrap() > 0));
    for row in &rows {
        let us = row["duration_us"].as_u64().unwrap();
        let (profile, id) = (row["profile_id"].as_str().unwrap(), row["expectation_id"].as_str().unwrap());
        let time = format!("{:.3}", (us as f64 / 1000.0).round() / 1000.0);
        let case = format!(r#"<testcase classname="{profile}" name="{id}" time="{time}""#);
        assert!(junit.contains(&case), "{case}: {junit}");
    }
    let run_id = read(&bundle.join("run_manifest.json"))["run_id"].as_str().unwrap().to_owned();
    assert!(junit.contains(&format!(r#"<property name="run_id" value="{run_id}"/>"#)), "{junit}");
    assert!(junit.contains(r#"<property name="promotable" value="false"/>"#), "{junit}");
}

#[test]
fn a_run_makes_reports_of_itself_and_one_says_what_changed_since_another() {
    let dir = tempfile::tempdir().unwrap();
    let plan = dir.path().join("plan");
    expect_code(&output(sandproof().args(["plan-build", "--template", "quickstart", "--out"]).arg(&plan)), 0);
    let run = |out: &str, reports: &[String]| {
        let mut command = sandproof();
        command.args(["run", "--plan"]).arg(&plan).arg("--out").arg(dir.path().join(out));
        for report in reports {
            command.args(["--report", report]);
        }
        output(&mut command)
    };
    expect_code(&run("old", &[]), 0);
    edit(&plan.join("registry/probes.json"), |probes| {
        probes["probes"]["quickstart:read_only:read_inside"]["expected"] = "deny".into();
        for (n, id) in ["list_inside", "read_outside"].iter().enumerate() {
            probes["probes"][format!("quickstart:read_only:{id}")]["target"] = format!("${{root}}/none/{n}").into();
        }
    });
    let at = |name: &str| dir.path().join(name).display().to_string();
    let wanted = ["html:page.html", "junit:cases.xml", "markdown:text.md"];
    let wanted = wanted.map(|one| one.split_once(':').map(|(format, name)| format!("{format}:{}", at(name))).unwrap());
    let ran = run("new", &wanted);
    expect_code(&ran, 1);
    let text = stdout(&ran);
    // The three opinions with the rule and its line, and one cause once.
    assert!(text.contains("    expected  deny: "), "{text}");
    assert!(text.contains("    kernel    allow: the operation went through\n"), "{text}");
    assert!(text.contains("    model     allow: granted: read_file by /path_beneath/0\n"), "{text}");
    let so =
        "the policy is wrong, which allows it by `/path_beneath/0` (registries/quickstart/policies/read-only.json:";
    assert!(text.contains(&format!("    so        {so}")), "{text}");
    assert_eq!(text.matches("the operation failed with an error that is no denial").count(), 1, "{text}");

    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    for (format, name) in [("html", "page.html"), ("junit", "cases.xml"), ("markdown", "text.md")] {
        let asked = output(sandproof().args(["report", "--format", format, "--bundle", &at("new")]));
        assert_eq!(stdout(&asked).lines().count(), read(name).lines().count(), "{format}");
    }
    assert!(read("text.md").contains("the policy is wrong, which allows it by `/path_beneath/0`"));
    assert!(read("cases.xml").contains("so: the policy is wrong, which allows it by `/path_beneath/0`"));
    let page = read("page.html");
    assert_eq!(page.matches("the operation failed with an error that is no denial").count(), 1, "{page}");
    // The finding leads to the line of the policy that the page shows.
    let line = page.split("href=\"#p0-").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert!(page.contains(&format!("<span id=\"p0-{line}\">")), "{line}: {page}");

    let compared = |format: &str| {
        output(sandproof().args(["report", "--format", format, "--bundle", &at("new"), "--against", &at("old")]))
    };
    let page = stdout(&compared("html"));
    assert!(page.contains("id=\"changes\"") && !read("page.html").contains("id=\"changes\""), "{page}");
    assert!(stdout(&compared("markdown")).contains("\nWhat changed since "));
    expect_code(&compared("tap"), 2);
    // A slip is told before anything runs.
    for slip in ["html", "pdf:x", "html:", "html:-", "html:/nowhere/x/page.html"] {
        let refused = run("slip", &[slip.to_owned()]);
        expect_code(&refused, 2);
        assert!(!dir.path().join("slip").exists(), "{slip}");
    }
}
