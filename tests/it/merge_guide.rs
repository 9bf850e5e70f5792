//! The worked example of `docs/many-worlds.md`: shares of which some were killed, copied, edited, or run under another kernel.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::skip;
use crate::support::{copy_folder, expect_code, output, root, stderr, stdout};

/// The run of share `index`, as attempt `name`, in a folder with the plans.
fn attempt(program: Command, folder: &Path, index: u32, name: &str) -> Command {
    let mut command = program;
    let (shard, out) = (format!("hash:{index}/5"), format!("shards/{index}"));
    command.args(["run", "--quiet", "--plan", "plans/quickstart", "--repeat", "20", "--shard", &shard, "--out", &out]);
    command.args(["--run-id", name]).current_dir(folder).env_clear();
    command
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_sandproof"))
}

/// Kills the first attempt at that share between its declaration and its commit.
fn killed(folder: &Path, index: u32) {
    let bundle = folder.join(format!("shards/{index}/first"));
    loop {
        let _ = fs::remove_dir_all(&bundle);
        let mut run = attempt(program(), folder, index, "first").stdout(Stdio::null()).spawn().unwrap();
        while !bundle.join("run_identity.json").exists() && run.try_wait().unwrap().is_none() {}
        run.kill().unwrap();
        run.wait().unwrap();
        // If it was faster than this loop, once more.
        if !bundle.join("artifact_index.json").exists() {
            return;
        }
    }
}

/// What stands there, without what differs from one host and run to the next: quoted values, and long numbers.
fn leveled(text: &str) -> String {
    let outside: Vec<&str> = text.split('"').step_by(2).collect();
    let mut leveled = String::new();
    for part in outside.join("\"…\"").split_inclusive(|c: char| !c.is_ascii_digit()) {
        let digits = part.trim_end_matches(|c: char| !c.is_ascii_digit());
        match digits.len() {
            0..4 => leveled.push_str(part),
            _ => leveled.extend(["N", &part[digits.len()..]]),
        }
    }
    leveled
}

/// The answers that the guide shows, without the command above them.
fn shown() -> Vec<String> {
    let guide = fs::read_to_string(root().join("docs/many-worlds.md")).unwrap();
    let blocks = guide.split("```text\n$ sandproof merge shards --out merged\n").skip(1);
    blocks.map(|rest| leveled(rest[..rest.find("\n```").unwrap()].trim())).collect()
}

#[test]
fn what_the_guide_shows_of_shares_that_went_wrong_is_what_merge_says() {
    let Ok(kernel) = Command::new("setarch").args(["--uname-2.6", "uname", "-r"]).output() else {
        skip!("setarch is not installed");
    };
    if !stdout(&kernel).starts_with("2.6") {
        skip!("this host cannot say that it is another kernel");
    }
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    for name in ["plans", "registries"] {
        copy_folder(&root().join(name), &folder.join(name));
    }
    for index in [1, 5] {
        expect_code(&output(&mut attempt(program(), folder, index, "first")), 0);
    }
    copy_folder(&folder.join("shards/1"), &folder.join("shards/1-copied"));
    killed(folder, 2);
    killed(folder, 4);
    let mut other = Command::new("setarch");
    other.args(["--uname-2.6", env!("CARGO_BIN_EXE_sandproof")]);
    // setarch is looked up before the environment is emptied for it.
    expect_code(&output(attempt(other, folder, 3, "first").env("PATH", "/usr/bin:/bin")), 0);
    let rows = folder.join("shards/5/first/rows/scenario.jsonl");
    fs::write(&rows, fs::read_to_string(&rows).unwrap().replace("\"duration_us\":", "\"duration_us\":1")).unwrap();

    let merge = |code: i32| {
        let ended = output(program().args(["merge", "shards", "--out", "merged"]).current_dir(folder).env_clear());
        expect_code(&ended, code);
        // What is for people ends where the table of profiles begins.
        let told = stdout(&ended);
        leveled(format!("{}\n{}", told.split("\n\n").next().unwrap().trim(), stderr(&ended)).trim())
    };
    let shown = shown();
    assert_eq!(shown.len(), 3);
    assert_eq!(merge(4), shown[0]);
    assert!(!folder.join("merged").exists(), "something was written");
    for index in [3, 5] {
        fs::remove_dir_all(folder.join(format!("shards/{index}"))).unwrap();
    }
    assert_eq!(merge(8), shown[1]);
    for index in 2..=5 {
        expect_code(&output(&mut attempt(program(), folder, index, "second")), 0);
    }
    assert_eq!(merge(0), shown[2]);
}
