//! `attempts` and `diff-runs` over sealed commands.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use super::sealed_or_skip;
use super::sealing::{Sealed, Sealing};
use crate::support::{copy_folder, expect_code, json_answer, output, sandproof, shaped, stdout};

fn diff(a: &Sealed, b: &Sealed, code: i32) -> Value {
    json_answer(sandproof().args(["diff-runs", "--json", "--accept-unknown"]).args([&a.out, &b.out]), "run_diff", code)
}

fn said(arguments: &[&str], folders: &[&Path]) -> Output {
    output(sandproof().args(arguments).args(folders))
}

fn texts<'v>(list: &'v Value, name: &str) -> Vec<&'v str> {
    list.as_array().unwrap().iter().map(|one| one[name].as_str().unwrap()).collect()
}

fn explanation(report: &Value, output: &str) -> (String, Vec<String>) {
    let outputs = report["outputs"]["outputs"].as_array().unwrap();
    let one = outputs.iter().find(|one| one["output"] == output).unwrap_or_else(|| panic!("no {output}: {outputs:?}"));
    let ids = one["explanation"]["candidates"].as_array().unwrap();
    let whats = ids.iter().map(|id| {
        let changes = report["changes"].as_array().unwrap();
        changes.iter().find(|change| change["id"] == *id).unwrap()["what"].as_str().unwrap().to_owned()
    });
    (one["explanation"]["finding"].as_str().unwrap().to_owned(), whats.collect())
}

#[test]
fn one_declaration_with_two_outputs_is_evidence_of_what_nothing_holds() {
    let program = "import os; print('same'); print(os.urandom(8).hex()); open('/out/n','w').write('n')";
    let (sealing, one) = sealed_or_skip!(program);
    let two = sealing.python_says(program);
    assert_eq!(one.identity(), two.identity());
    let found = said(&["attempts", "--json"], &[&one.out, &two.out, &one.out]);
    expect_code(&found, 1);
    let report = shaped("attempts", &found.stdout);
    let group = &report["sealed"][0];
    assert_eq!((&report["agree"], &report["groups"]), (&json!(false), &json!([])));
    assert_eq!((&group["outputs"], &group["disagreements"], &group["kind"]), (&json!(4), &json!(1), &json!("ai_run")));
    assert_eq!(group["attempts"].as_array().unwrap().len(), 2, "one folder is one attempt: {group}");
    assert_eq!(texts(&group["outputs_in_question"], "output"), ["stdout"]);
    assert!(group["not_held"].as_array().unwrap().contains(&json!("random numbers")));
    // Of a folder that holds all of them, too, and as text.
    let text = stdout(&said(&["attempts", "--out"], &[one.out.parent().unwrap()]));
    assert!(text.contains("they disagree in 1 of 4 outputs"), "{text}");
    assert!(
        text.contains("same declaration, different outputs: evidence of what it does not hold: the clock"),
        "{text}"
    );
    let report = diff(&one, &two, 1);
    assert_eq!((&report["declarations"]["identical"], &report["same"]), (&json!(true), &json!(false)));
    assert_eq!(report["a"]["source"], "sealed");
    assert_eq!(explanation(&report, "stdout"), ("nothing_declared".to_owned(), vec![]));
    // Only the line that differs is shown.
    let places = &report["outputs"]["outputs"][0]["within"];
    assert_eq!(places[0]["lines"].as_array().unwrap().len(), 2, "{places}");
    let text = stdout(&said(&["diff-runs"], &[&one.out, &two.out]));
    assert!(text.contains("1 output differs") && text.contains("same declaration, different output"), "{text}");
    let markdown = stdout(&said(&["diff-runs", "--markdown"], &[&one.out, &two.out]));
    assert!(markdown.contains("#### Outputs") && markdown.contains("| `stdout` |"), "{markdown}");
    // The same thing again is no attempt of its own, and agrees with itself.
    expect_code(&said(&["diff-runs", "--accept-unknown"], &[&one.out, &one.out]), 0);
}

#[test]
fn a_changed_output_is_put_down_to_the_one_member_that_changed() {
    let program =
        "import json; t=json.load(open('in/app.json')); json.dump({'n':[1,t['t']['x']],'k':2},open('/out/r.json','w'))";
    let (sealing, _) = sealed_or_skip!("print(1)");
    let app = sealing.inputs().join("app.json");
    let run = |x: f64, more: bool| {
        fs::write(&app, json!({"list": [1, 2], "t": {"x": x}}).to_string()).unwrap();
        fs::write(sealing.inputs().join("note"), if more { "one\ntwo\n" } else { "one\n" }).unwrap();
        sealing.python_says(program)
    };
    let (one, two, three) = (run(0.5, false), run(0.75, false), run(0.75, true));
    let report = diff(&one, &two, 1);
    assert_eq!(explanation(&report, "out/r.json"), ("only_difference".to_owned(), vec!["the input `in`".to_owned()]));
    // The item goes down to the member, and so does the output.
    let items = &report["declarations"]["parts"][0]["items"];
    let place = |file: Value, pointer: &str| {
        let mut place = json!({"pointer": pointer, "a": {"value": 0.5}, "b": {"value": 0.75}});
        if file != Value::Null {
            place["file"] = file;
        }
        json!([place])
    };
    assert_eq!(items[0]["within"], place(json!("app.json"), "/t/x"), "{items}");
    assert_eq!(report["outputs"]["outputs"][0]["within"], place(Value::Null, "/n/1"));
    let text = stdout(&said(&["diff-runs"], &[&one.out, &two.out]));
    assert!(text.contains("`app.json` /t/x: 0.5 -> 0.75"), "{text}");
    assert!(text.contains("the only declared difference: the input `in`"), "{text}");
    // A file that the command does not read is declared differently, and no output is.
    let report = diff(&two, &three, 1);
    assert_eq!(report["outputs"]["differing"], 0);
    let within = &report["declarations"]["parts"][0]["items"][0]["within"];
    assert_eq!((&within[0]["file"], &within[0]["lines"]), (&json!("note"), &json!([{"side": "b", "text": "two"}])));
    // `attempts` does not compare what is declared differently.
    let found = said(&["attempts", "--json"], &[&one.out, &two.out, &three.out]);
    expect_code(&found, 0);
    assert_eq!(shaped("attempts", &found.stdout)["sealed"].as_array().unwrap().len(), 3);
}

#[test]
fn what_a_document_says_and_what_the_command_was_given_is_one_change() {
    let (sealing, _) = sealed_or_skip!("print(1)");
    let program = "import os; print(open('app.json').read(), open('system.txt').read(), os.environ['CITY'])";
    let run = |temperature: &str, city: &str, system: &str| {
        fs::write(sealing.home().join("app.json"), json!({"temperature": temperature, "k": 1}).to_string()).unwrap();
        fs::write(sealing.home().join("system.txt"), system).unwrap();
        sealing.declare_second_over(|document| {
            document["runtime"]["environment"] = json!({"CITY": city});
            document["artifact"]["parameters"]["other"] = json!({"json": "app.json"});
        });
        let run = sealing.python_says(program);
        assert_eq!(run.code, Some(0), "{run:?}");
        run
    };
    let base = run("0.1", "Kiel", "Be brief.\n");
    for (other, what) in [
        (run("0.2", "Kiel", "Be brief.\n"), "artifact: parameters, other, `temperature`"),
        (run("0.1", "Bonn", "Be brief.\n"), "runtime: environment, `CITY`"),
        (run("0.1", "Kiel", "Be long.\n"), "artifact: system instructions, `digest`"),
    ] {
        let report = diff(&base, &other, 1);
        let changes = texts(&report["changes"], "what");
        assert_eq!(changes.len(), 1, "{what}: {changes:?}");
        assert_eq!(explanation(&report, "stdout"), ("only_difference".to_owned(), vec![what.to_owned()]));
    }
    let both = run("0.2", "Bonn", "Be brief.\n");
    let report = diff(&base, &both, 1);
    let (finding, whats) = explanation(&report, "stdout");
    assert_eq!((finding.as_str(), whats.len()), ("candidates", 2), "{whats:?}");
}

#[test]
fn a_folder_is_computed_again_and_believed_only_while_its_digests_hold() {
    let (sealing, one) = sealed_or_skip!("print(1); open('/out/r','w').write('r')");
    fs::write(sealing.inputs().join("a"), "hello").unwrap();
    expect_code(&said(&["identity", "verify", "--bundle"], &[&one.out]), 0);
    let listed = shaped("sealed_folders", &fs::read(one.out.join("folders.json")).unwrap());
    assert_eq!(listed["folders"][0]["pointer"], "/artifact/sealed/inputs/in/folder");
    let spoilt = |file: &str, bytes: &str| {
        let copy = sealing.home().join("copy");
        let _ = fs::remove_dir_all(&copy);
        copy_folder(&one.out, &copy);
        let path = copy.join(file);
        let _ = fs::remove_file(&path);
        fs::write(path, bytes).unwrap();
        let compared = said(&["diff-runs", "--accept-unknown"], &[&one.out, &copy]);
        let grouped = said(&["attempts"], &[&one.out, &copy]);
        assert_eq!(compared.status.code(), grouped.status.code(), "{file}");
        compared.status.code()
    };
    assert_eq!(spoilt("unlisted", "x"), Some(0));
    let ending = fs::read_to_string(one.out.join("ending.json")).unwrap();
    for (file, bytes) in [
        ("stdout", "2\n"),
        ("outputs/r", "s"),
        ("outputs/more", ""),
        ("ending.json", "{}"),
        ("ending.json", &ending.replace(one.identity(), &"0".repeat(64))),
        ("ending.json", &ending.replace("system_ending.v1", "system_ending.v2")),
    ] {
        assert_eq!(spoilt(file, bytes), Some(4), "{file}");
    }
    // Without an ending it is not finished, which is no fault of it.
    let copy = sealing.home().join("copy");
    let _ = fs::remove_dir_all(&copy);
    copy_folder(&one.out, &copy);
    fs::remove_file(copy.join("ending.json")).unwrap();
    let found = said(&["attempts", "--json"], &[&one.out, &copy]);
    expect_code(&found, 0);
    assert_eq!(shaped("attempts", &found.stdout)["left_out"][0]["unfinished"], true);
}

/// For the tests here alone.
impl Sealing {
    /// The second format, over the files that are there.
    fn declare_second_over(&self, change: impl FnOnce(&mut Value)) {
        let kept: Vec<_> =
            ["app.json", "system.txt"].map(|name| (name, fs::read(self.home().join(name)).unwrap())).into();
        self.declare_second(change);
        kept.into_iter().for_each(|(name, bytes)| fs::write(self.home().join(name), bytes).unwrap());
    }
}
