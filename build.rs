//! Notes for which target, and from which commit, the executable is built. Without git there is no commit, and no error.
//!
//! The commit is looked for in this order: the variable `SANDPROOF_COMMIT`, which packagers set; the file
//! `.archive-commit`, which `git archive` fills in (gitattributes(5), `export-subst`), and with it the archives that forges
//! offer; the clone that this package is in.

use std::process::Command;

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn main() {
    for watched in ["build.rs", "Cargo.toml", "src", "schemas", ".archive-commit"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    println!("cargo::rerun-if-env-changed=SANDPROOF_COMMIT");
    println!("cargo::rustc-env=SANDPROOF_TARGET={}", std::env::var("TARGET").unwrap_or_default());
    let note = |commit: &str, modified: bool| {
        println!("cargo::rustc-env=SANDPROOF_COMMIT={commit}");
        println!("cargo::rustc-env=SANDPROOF_MODIFIED={}", u8::from(modified));
    };
    let given = std::env::var("SANDPROOF_COMMIT").unwrap_or_default();
    let archived = std::fs::read_to_string(".archive-commit").unwrap_or_default();
    if let Some(commit) = [given.trim(), archived.trim()].into_iter().find(|commit| is_commit(commit)) {
        return note(commit, false);
    }
    // A crate unpacked below somebody else's repository is not of that repository.
    let own = git(&["ls-files", "--error-unmatch", "Cargo.toml"]).is_some();
    let Some(commit) = own.then(|| git(&["rev-parse", "HEAD"])).flatten() else { return note("", false) };
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| std::path::Path::new(log).exists()) {
        println!("cargo::rerun-if-changed={log}");
    }
    let modified = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changes| !changes.is_empty());
    note(&commit, modified);
}
