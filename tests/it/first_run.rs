//! Keeps the command lines of `docs/first-run-on-a-mac.md` true: whoever pastes them has one try, far from here.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{output, root, sandproof, stderr, stdout};

const PAGE: &str = "docs/first-run-on-a-mac.md";
/// Programs of the reader's system; whether they take what they are given is not to be found out here.
const FOREIGN: [&str; 9] = ["shasum", "chmod", "xattr", "codesign", "xcode-select", "curl", ".", "cargo", "cp"];

/// Every line that is pasted into a shell: blocks of `sh`, indented blocks, and commands of this program in the text.
fn lines() -> Vec<String> {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let (mut found, mut fenced) = (Vec::new(), false);
    for line in page.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
            assert!(!fenced || line == "```sh", "{PAGE}: a block of another language: {line}");
        } else if fenced {
            found.push(line.to_owned());
        } else if let Some(command) = line.strip_prefix("    ") {
            found.push(command.to_owned());
        } else {
            let inline = line.split('`').skip(1).step_by(2);
            found.extend(
                inline.filter(|code| code.starts_with("./sandproof ") || code.contains(" --")).map(String::from),
            );
        }
    }
    found
}

/// Why this program would not take the arguments: what a parser finds before it comes to the `--help` behind them.
fn refusal(arguments: &[&str]) -> Option<String> {
    let answer = output(sandproof().args(arguments).arg("--help"));
    (answer.status.code() != Some(0)).then(|| stderr(&answer))
}

#[test]
fn every_line_of_the_first_run_names_what_is_there() {
    // The way of asking finds what it is meant to find.
    for wrong in [&["nonsense"][..], &["run", "--nonsense"], &["run", "--channel", "nonsense"], &["collect", "--out"]] {
        assert!(refusal(wrong).is_some_and(|said| !said.is_empty()), "{wrong:?}");
    }
    let (mut own, mut scripts) = (0, 0);
    for line in lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let program = words[0].trim_start_matches("./");
        // A command of this program is also called by its name alone where the text speaks of it.
        let (program, arguments) = match program {
            "sandproof" => (program, &words[1..]),
            _ if refusal(&words[..1]).is_none() => ("sandproof", &words[..]),
            _ => (program, &words[1..]),
        };
        if program == "sandproof" {
            assert_eq!(refusal(arguments), None, "{PAGE}: {line}");
            own += 1;
        } else if program.starts_with("scripts/") {
            let text =
                fs::read_to_string(root().join(program)).unwrap_or_else(|error| panic!("{PAGE}: {line}: {error}"));
            let mode = fs::metadata(root().join(program)).unwrap().permissions().mode();
            assert_eq!(mode & 0o111, 0o111, "{program} cannot be executed");
            let usage: String = text.lines().take_while(|line| line.starts_with('#')).collect();
            for flag in arguments.iter().filter(|word| word.starts_with('-')) {
                assert!(usage.contains(flag), "{PAGE}: {line}: {program} does not speak of {flag}");
            }
            scripts += 1;
        } else {
            assert!(FOREIGN.contains(&program), "{PAGE}: nobody knows `{program}`: {line}");
        }
    }
    assert!(
        own >= 30 && scripts >= 1,
        "{own} lines of this program and {scripts} of scripts: the page is read wrongly"
    );
}

#[test]
fn files_that_the_first_run_names_are_those_that_are_made() {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let library = fs::read_to_string(root().join("scripts/lib/darwin.sh")).unwrap();
    let triple = library.lines().find_map(|line| line.strip_prefix("darwin_triple=")).unwrap();
    assert!(page.contains(&format!("target/darwin/{triple}/release/sandproof")), "build-darwin puts it elsewhere");
    // The archive that `collect` makes unless told otherwise, which is what is to be sent.
    let help = stdout(&output(sandproof().args(["help", "collect"])));
    assert!(help.contains("[default: sandproof-collected.tar]"), "{help}");
    assert!(page.contains("Send `sandproof-collected.tar`"));
    let templates = stdout(&output(sandproof().arg("list-templates")));
    assert!(templates.contains("sonoma-runtime-checks"), "{templates}");
}
