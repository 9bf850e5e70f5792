//! Launchers as worlds: one plan under several commands that sandbox, side by side.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::skip;
use crate::support::{expect_code, json_answer, output, sandproof, stderr, stdout};

const BOX: &str = "box=bwrap --ro-bind / / --dev /dev --proc /proc --bind ${workspace} ${workspace} --unshare-all \
                   --die-with-parent --new-session --cap-drop ALL --";
/// Runs the program, and does nothing else.
const OPEN: &str = "open=env";
const OUTSIDE: &str = "launcher:files:append_outside";

/// One run of the plan of files under these launchers.
#[track_caller]
fn run(launchers: &[&str], out: &Path) {
    let mut run = sandproof();
    run.args(["run", "--quiet", "--plan", "plans/launcher-files", "--out"]).arg(out);
    run.args(launchers.iter().flat_map(|launcher| ["--launcher", launcher]));
    if nix::unistd::geteuid().is_root() {
        run.arg("--as-root");
    }
    let ended = output(&mut run);
    // Neither is what the plan expects of a sandbox, and all is decided.
    assert_eq!(ended.status.code(), Some(1), "{}{}", stdout(&ended), stderr(&ended));
}

fn compared(folders: &[&Path]) -> Value {
    json_answer(sandproof().args(["compare", "--format", "json"]).args(folders), "compare", 1)
}

/// Which launchers a group has, as the profile names them.
fn launchers(group: &Value) -> Vec<&str> {
    group["worlds"].as_array().unwrap().iter().map(|world| world["launcher"].as_str().unwrap()).collect()
}

/// The question about a file outside, with what was answered by whom.
fn outside(found: &Value) -> Value {
    let differing = found["differing"].as_array().unwrap();
    differing.iter().find(|question| question["id"] == OUTSIDE).unwrap_or_else(|| panic!("{found:#}")).clone()
}

#[track_caller]
fn expect_the_box_apart(found: &Value, groups: [&[&str]; 2]) {
    let all = found["groups"].as_array().unwrap();
    assert_eq!(all.iter().map(launchers).collect::<Vec<_>>(), groups, "{found:#}");
    let asked = found["questions"].as_u64().unwrap();
    let alike = found["alike"].as_u64().unwrap();
    let differing = found["differing"].as_array().unwrap().len() as u64;
    assert!(alike >= 10 && differing >= 10 && alike + differing == asked, "{alike} alike, {differing} not, of {asked}");
    let question = outside(found);
    let box_label = &all.iter().find(|group| launchers(group)[0].ends_with("@box")).unwrap()["label"];
    let open_label = &all.iter().find(|group| launchers(group)[0].ends_with("@open")).unwrap()["label"];
    assert_eq!(
        question["answers"],
        json!([{"answer": "allow", "groups": [open_label]}, {"answer": "deny (refused)", "groups": [box_label]}])
    );
    let facts: Vec<&str> =
        question["goes_with"].as_array().unwrap().iter().map(|fact| fact.as_str().unwrap()).collect();
    assert!(facts.contains(&"launcher/document"), "{facts:?}");
    assert!(facts.iter().any(|fact| fact.starts_with("launcher/programs/") && fact.ends_with("/bwrap")), "{facts:?}");
}

#[test]
fn one_plan_under_two_launchers_is_two_worlds_whether_in_one_bundle_or_in_two() {
    if Command::new("bwrap").arg("--version").output().is_err() {
        skip!("bubblewrap is not installed");
    }
    // Where every user may reach it, also inside of a launcher.
    let dir = tempfile::Builder::new().prefix("compare-launchers-").tempdir_in("/var/tmp").unwrap();
    let together = dir.path().join("together");
    run(&[BOX, OPEN], &together);
    let (boxed, open) = (&["launcher:files@box"][..], &["launcher:files@open"][..]);
    let found = compared(&[&together]);
    expect_the_box_apart(&found, [boxed, open]);

    let apart = dir.path().join("apart");
    run(&[BOX], &apart.join("box"));
    run(&[OPEN], &apart.join("open"));
    let of_two = compared(&[&apart]);
    // By themselves, each is called by the plan's own profile; the answers are the same ones.
    assert_eq!(of_two["worlds"], 2, "{of_two:#}");
    for key in ["questions", "alike"] {
        assert_eq!(of_two[key], found[key], "{key}: {of_two:#}");
    }
    let ids = |found: &Value| -> Vec<Value> {
        found["differing"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect()
    };
    assert_eq!(ids(&of_two), ids(&found));

    // All four: who answers alike is one group, wherever it was asked.
    let all = compared(&[&together, &apart]);
    assert_eq!(all["worlds"], 4);
    let counts: Vec<&Value> = all["groups"].as_array().unwrap().iter().map(|group| &group["count"]).collect();
    assert_eq!(counts, [&json!(2), &json!(2)], "{all:#}");
    let text = output(sandproof().arg("compare").arg(&together).arg(&apart));
    expect_code(&text, 1);
    assert!(stdout(&text).starts_with("4 worlds in 2 groups"), "{}", stdout(&text));
}
