//! What somebody types who has not read the manual: ids and files without an option's name, slips, nothing at all.

use std::path::Path;
use std::process::Output;

use crate::support::{expect_code, json_answer, output, sandproof, stderr, stdout};

fn typed(folder: &Path, arguments: &[&str]) -> Output {
    output(sandproof().current_dir(folder).args(arguments))
}

#[test]
fn a_plan_a_bundle_and_a_template_need_no_name_of_their_option() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    expect_code(&typed(here, &["plan-build", "--template", "quickstart", "--out", "plan"]), 0);
    expect_code(&typed(here, &["run", "--dry", "plan", "--out", "out"]), 0);
    for (plain, named) in [
        (&["describe-template", "quickstart"][..], &["describe-template", "--template", "quickstart"][..]),
        (&["plan-lint", "plan"], &["plan-lint", "--plan", "plan"]),
        (&["describe-plan", "plan"], &["describe-plan", "--plan", "plan"]),
        (
            &["list-probes", "quickstart", "--root", "plan"],
            &["list-probes", "--registry", "quickstart", "--root", "plan"],
        ),
        (&["validate-bundle", "out"], &["validate-bundle", "--bundle", "out"]),
        (&["derive", "--check", "out"], &["derive", "--check", "--bundle", "out"]),
    ] {
        let (short, long) = (typed(here, plain), typed(here, named));
        assert_eq!(short.status.code(), long.status.code(), "{plain:?}: {}", stderr(&short));
        assert_eq!(stdout(&short), stdout(&long), "{plain:?}");
        assert!(!stdout(&short).is_empty(), "{plain:?}");
        let both: Vec<&str> = [named, &plain[plain.len() - 1..]].concat();
        expect_code(&typed(here, &both), 2);
    }
    expect_code(&typed(here, &["run", "plan", "--plan", "plan"]), 2);
    expect_code(&typed(here, &["report", "out", "--bundle", "out", "--format", "tap"]), 2);
    for nothing in
        ["plan-lint", "describe-plan", "mutate", "validate-bundle", "derive", "describe-template", "list-probes"]
    {
        let said = stderr(&typed(here, &[nothing]));
        assert!(said.contains("required arguments were not provided"), "{nothing}: {said}");
    }
}

#[test]
fn a_plan_that_the_program_carries_is_run_by_its_id_and_never_by_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    // A mistyped folder runs nothing else in its place.
    let refused = typed(here, &["run", "linux-files"]);
    expect_code(&refused, 3);
    assert!(stderr(&refused).contains("`sandproof run --template linux-files` runs the one"), "{}", stderr(&refused));
    assert!(!here.join("out").exists(), "nothing ran");

    let dry = ["run", "--dry", "--template", "linux-files", "--json"];
    let report = json_answer(sandproof().current_dir(here).args(dry), "run_report", 0);
    assert_eq!(report["plan_id"], "linux-files");
    let made: Vec<_> = std::fs::read_dir(here).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(made, ["out"], "its bundle lies here, and nothing else does");
    let unknown = typed(here, &["run", "--template", "linux-flies"]);
    expect_code(&unknown, 3);
    assert!(stderr(&unknown).contains("did you mean `linux-files`?"), "{}", stderr(&unknown));
    expect_code(&typed(here, &["run", "--template", "quickstart", "--plan", "x"]), 2);
}

#[test]
fn without_a_name_ones_own_plan_is_run_before_the_first_one_to_try() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    expect_code(&typed(here, &["init"]), 0);
    let own = typed(here, &["run", "--dry", "--json"]);
    expect_code(&own, 0);
    assert!(stderr(&own).contains("no plan is named: running `sandbox.questions`"), "{}", stderr(&own));
    assert!(stdout(&own).contains("\"plan_id\": \"sandbox\""), "{}", stdout(&own));

    let built = here.join("built");
    expect_code(&typed(here, &["plan-build", "quickstart", "--out", "built"]), 0);
    let own = typed(&built, &["run", "--dry"]);
    expect_code(&own, 0);
    assert!(stderr(&own).contains("no plan is named: running `plan.json`"), "{}", stderr(&own));
    assert!(built.join("out/LATEST").exists() || built.join("out").exists(), "beside the plan");
    expect_code(&typed(here, &["plan-build", "quickstart", "--template", "quickstart", "--out", "x"]), 2);
    expect_code(&typed(here, &["plan-build", "--out", "x"]), 2);
}

#[test]
fn whatever_is_explained_comes_with_what_to_do() {
    let all = json_answer(sandproof().args(["explain", "--json"]), "reasons", 0);
    let rows = ["reasons", "kinds"].map(|list| all[list].as_array().unwrap().clone()).concat();
    assert!(rows.len() > 60, "{}", rows.len());
    for row in rows {
        let name = row.get("reason").or_else(|| row.get("kind")).unwrap().as_str().unwrap();
        let told = stdout(&output(sandproof().args(["explain", name])));
        let (meaning, remedy) = (row["meaning"].as_str().unwrap(), row["remedy"].as_str().unwrap());
        assert!(told.contains(meaning) && told.ends_with(&format!("\ndo: {remedy}\n")), "{told}");
    }
}

#[test]
fn a_refused_policy_has_the_name_that_was_typed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mine.sb"), "(version 1)\n(deny default").unwrap();
    let asked = typed(dir.path(), &["ask", "deny read /etc/passwd", "--policy", "mine.sb"]);
    expect_code(&asked, 3);
    assert!(stderr(&asked).contains("mine.sb` at `2:1`"), "{}", stderr(&asked));
    assert!(!stderr(&asked).contains("registry/policy"), "{}", stderr(&asked));
    // One that is not there is not taken for something else.
    let linted = typed(dir.path(), &["policy", "lint", "yours"]);
    expect_code(&linted, 3);
    assert!(stderr(&linted).contains("there is no file `yours`"), "{}", stderr(&linted));
}

#[test]
fn a_mistyped_option_is_told_without_advice_that_would_not_help() {
    for arguments in [&["run", "--plna", "x"][..], &["report", "out", "--jsno"], &["ask", "--polcy", "x", "read /"]] {
        let refused = output(sandproof().args(arguments));
        expect_code(&refused, 2);
        let said = stderr(&refused);
        assert!(said.contains("unexpected argument") && !said.contains("as a value"), "{arguments:?}: {said}");
    }
    for (arguments, meant) in [
        (&["run", "--plna", "x"][..], "'--plan'"),
        (&["run", "--otu", "x"], "'--out'"),
        (&["identity", "declare", "--form", "x"], "'--from'"),
        (&["list-templates", "--quite"], "'--quiet'"),
    ] {
        let said = stderr(&output(sandproof().args(arguments)));
        assert!(said.contains(&format!("a similar argument exists: {meant}")), "{arguments:?}: {said}");
        assert!(!said.contains("timeout"), "{said}");
    }
    let stranger = stderr(&output(sandproof().args(["run", "--zebra"])));
    assert!(!stranger.contains("similar"), "{stranger}");
}

#[test]
fn what_is_no_plan_is_told_by_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    expect_code(&typed(here, &["plan-build", "--template", "quickstart", "--out", "q"]), 0);
    let plan = std::fs::read(here.join("q/plan.json")).unwrap();
    std::fs::write(here.join("q/marked.json"), [b"\xef\xbb\xbf".as_slice(), &plan].concat()).unwrap();
    std::fs::write(here.join("alone.json"), &plan).unwrap();
    std::fs::write(here.join("program"), b"\x7fELF\x02\x01\x01\0\0\xff\n").unwrap();
    let other =
        String::from_utf8(plan).unwrap().replace("\"registry_id\": \"quickstart\"", "\"registry_id\": \"quickstrat\"");
    std::fs::write(here.join("q/other.json"), other).unwrap();
    std::fs::create_dir(here.join("empty")).unwrap();
    for (named, wanted) in [
        ("q/marked.json", "begins with a byte order mark; save it as UTF-8 without one"),
        ("alone.json", "hint: `sandproof init` begins a plan of your own"),
        ("program", "this is no text; name a plan"),
        ("q/other.json", "correct the id: here, in the plan or in the index"),
        ("empty", "it is a folder without a `plan.json` or `sandbox.questions`"),
        ("q/paln.json", "did you mean `q/plan.json`?"),
        // Of which no letter is left.
        ("-", "there is no such file; `sandproof list-plans`"),
    ] {
        let refused = typed(here, &["run", named]);
        expect_code(&refused, 3);
        assert!(stderr(&refused).contains(wanted), "{named}: {}", stderr(&refused));
    }
    assert!(!here.join("out").exists() && !here.join("q/out").exists(), "nothing was run");
}

#[test]
fn two_reports_of_a_run_never_go_to_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    std::fs::create_dir(here.join("a")).unwrap();
    let twice = ["run", "--report", "html:a/run", "--report", "tap:a/../a/run", "--report", "junit:run"];
    let refused = typed(here, &twice);
    expect_code(&refused, 2);
    assert!(stderr(&refused).contains("two reports are to be written to `a/../a/run`"), "{}", stderr(&refused));
    assert!(!here.join("out").exists(), "nothing was run");
}

#[test]
fn whoever_is_told_of_a_file_in_another_folder_is_told_of_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    expect_code(&typed(here, &["init", "mine"]), 0);
    let policy = here.join("mine/policy.json");
    let text = std::fs::read_to_string(&policy).unwrap().replacen("\"read_dir\"", "\"raed_dir\"", 1);
    std::fs::write(policy, text).unwrap();
    for command in ["run", "plan-lint"] {
        let from_above = typed(here, &[command, "mine"]);
        assert!(stderr(&from_above).contains("names of files are relative to `mine`"), "{}", stderr(&from_above));
        let from_within = typed(&here.join("mine"), &[command, "sandbox.questions"]);
        assert!(!stderr(&from_within).contains("relative to"), "{}", stderr(&from_within));
    }
}
