//! Completion as it is typed: shells are started, and asked what may follow.

use std::path::Path;
use std::process::{Command, Output};

use crate::skip;
use crate::support::{expect_code, output, sandproof, stdout};

/// The package's folder, which is a workspace.
const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// A folder with the script for `shell` and with `sandproof` in it.
fn prepared(shell: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let script = output(sandproof().args(["completions", shell]));
    expect_code(&script, 0);
    std::fs::write(dir.path().join("script"), script.stdout).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sandproof"), dir.path().join("sandproof")).unwrap();
    dir
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|ended| ended.status.success())
}

fn started(program: &str, arguments: &[&str], dir: &Path) -> Output {
    let path = format!("{}:/usr/bin:/bin", dir.display());
    Command::new(program).args(arguments).current_dir(HERE).env("PATH", path).env("HOME", dir).output().unwrap()
}

/// What bash would put in the place of the last word of `line`, by the function that `complete` names.
fn by_bash(dir: &Path, line: &str) -> Vec<String> {
    // Bash itself splits a line at white space and at the signs of COMP_WORDBREAKS, which are words of their own.
    let program = r#"
        source "$1"
        COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=() word=
        for ((n = 0; n < ${#2}; n++)); do
            sign=${2:n:1}
            case $sign in
                ' ') [[ -n $word ]] && COMP_WORDS+=("$word"); word= ;;
                [:=]) [[ -n $word && $word != [:=] ]] && { COMP_WORDS+=("$word"); word=; }; word+=$sign ;;
                *) [[ $word == [:=] ]] && { COMP_WORDS+=("$word"); word=; }; word+=$sign ;;
            esac
        done
        COMP_WORDS+=("$word")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        set -- "$1" "$2" "$(complete -p sandproof)"
        [[ $3 == *'-F _sandproof sandproof' ]] || exit 9
        _sandproof sandproof "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let script = dir.join("script");
    let ended = started("bash", &["--norc", "-c", program, "bash", script.to_str().unwrap(), line], dir);
    assert!(ended.status.success(), "{line}: {ended:?}");
    stdout(&ended).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_ids() {
    let dir = prepared("bash");
    let all = by_bash(dir.path(), "sandproof ");
    assert!(
        all.contains(&"run".to_owned()) && all.len() > 40 && !all.iter().any(|one| one.starts_with("__")),
        "{all:?}"
    );
    for (line, wanted) in [
        ("sandproof validate-b", vec!["validate-bundle"]),
        ("sandproof run --allow-h", vec!["--allow-host-programs"]),
        ("sandproof run --channel sys", vec!["systemd_clean"]),
        ("sandproof run --plan plans/quicks", vec!["plans/quickstart"]),
        ("sandproof list-probes --registry quick", vec!["quickstart"]),
        ("sandproof list-probes --registry=quick", vec!["quickstart"]),
        // What stands before the last colon stays on the line.
        ("sandproof run --only-scenario quickstart:read_only:read_in", vec!["read_inside"]),
        ("sandproof describe-probe --registry quickstart --probe quickstart:read_only:read_in", vec!["read_inside"]),
        ("sandproof describe-profile --registry quickstart --profile quickstart:read_o", vec!["read_only"]),
        ("sandproof describe-template --template sonoma-path", vec!["sonoma-path-pairs"]),
        ("sandproof explain world_mis", vec!["world_mismatch"]),
        ("sandproof schema run_man", vec!["run_manifest"]),
        ("sandproof describe-driver file_rena", vec!["file_rename"]),
        ("sandproof explain no-such-", vec![""]),
    ] {
        assert_eq!(by_bash(dir.path(), line), wanted, "{line}");
    }
}

#[test]
fn fish_completes_ids() {
    if !is_there("fish") {
        skip!("fish is not installed");
    }
    let dir = prepared("fish");
    let script = dir.path().join("script");
    for (line, wanted) in [
        ("sandproof explain world_mis", "world_mismatch"),
        ("sandproof run --only-scenario quickstart:read_only:read_in", "quickstart:read_only:read_inside"),
        ("sandproof run --plan plans/quicks", "plans/quickstart"),
    ] {
        let program = format!("source {}; complete -C '{line}'", script.display());
        let said = stdout(&started("fish", &["--no-config", "-c", &program], dir.path()));
        let values: Vec<&str> = said.lines().filter_map(|line| line.split('\t').next()).collect();
        assert_eq!(values, [wanted], "{line}: {said}");
    }
}

#[test]
fn zsh_completes_ids() {
    if !is_there("zsh") {
        skip!("zsh is not installed");
    }
    let dir = prepared("zsh");
    // A zsh at a terminal of its own, to which a line and a tabulator are typed.
    let program = r#"
        zmodload zsh/zpty
        zpty z zsh -f -i
        zpty -w z "PS1= PS2= ; autoload -Uz compinit; compinit -u -d $2/dump; source $2/script; print ready"
        zpty -r -m z seen '*ready*ready*'
        zpty -w -n z "print -r -- $1"$'\t'$'\n'
        zpty -r -m z seen "*print -r*$3*" && print found
        zpty -d z
    "#;
    for (line, wanted) in [
        ("sandproof explain world_mis", "world_mismatch"),
        ("sandproof run --only-scenario quickstart:read_only:read_in", "read_inside"),
    ] {
        // The line begins with the command itself: what is typed is completed before it is printed.
        let program = program.replace("print -r -- $1", "$1").replace("*print -r*$3*", "*$3*");
        let dir_text = dir.path().to_str().unwrap();
        let ended = started("zsh", &["-f", "-c", &program, "zsh", line, dir_text, wanted], dir.path());
        assert_eq!(stdout(&ended).trim(), "found", "{line}: {ended:?}");
    }
}

#[test]
fn a_question_of_no_shell_is_no_question() {
    let mut command = sandproof();
    command.args(["version"]).env("_SANDPROOF_COMPLETE", "cmd.exe");
    let ended = output(&mut command);
    expect_code(&ended, 0);
    assert!(stdout(&ended).starts_with("sandproof "));
}
