//! Tells the program which target it is built for, and from which commit.
//!
//! The commit is looked for in this order: the variable `SANDPROOF_COMMIT`, which packagers set; the file
//! `.archive-commit`, which `git archive` fills in (see gitattributes(5), `export-subst`) and so do archives that forges
//! offer; the clone that this package is the top of. A development build names none: each commit would compile
//! everything anew.

use std::path::Path;
use std::process::Command;

fn main() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    println!("cargo:rustc-env=SANDPROOF_TARGET={}", variable("TARGET"));
    println!("cargo:rerun-if-env-changed=SANDPROOF_COMMIT");
    println!("cargo:rerun-if-changed=.archive-commit");
    println!("cargo:rerun-if-changed=build.rs");
    let (commit, why_not) = match commit(&variable("SANDPROOF_COMMIT"), &variable("PROFILE")) {
        Ok(commit) => (commit, String::new()),
        Err(why_not) => (String::new(), why_not),
    };
    println!("cargo:rustc-env=SANDPROOF_BUILT_FROM={commit}");
    println!("cargo:rustc-env=SANDPROOF_BUILT_FROM_UNKNOWN={why_not}");
}

/// The commit, or why there is none.
fn commit(given: &str, profile: &str) -> Result<String, String> {
    if !given.is_empty() {
        return if is_commit(given) { Ok(given.to_owned()) } else { Err("SANDPROOF_COMMIT named none".into()) };
    }
    let archived = std::fs::read_to_string(".archive-commit").unwrap_or_default();
    if is_commit(archived.trim()) {
        return Ok(archived.trim().to_owned());
    }
    if profile != "release" {
        return Err("a development build".into());
    }
    let no_clone = || "not built from a git clone or an archive that names its commit".to_owned();
    let top = git(&["rev-parse", "--show-toplevel"]).ok_or_else(no_clone)?;
    let here = std::env::current_dir().and_then(|folder| folder.canonicalize());
    if !here.is_ok_and(|here| Path::new(&top) == here) {
        // A clone of something else that this package was unpacked in.
        return Err(no_clone());
    }
    for watched in ["HEAD", "index", "refs", "packed-refs"] {
        if let Some(path) = git(&["rev-parse", "--git-path", watched])
            && Path::new(&path).exists()
        {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    for source in ["src", "Cargo.toml", "Cargo.lock", "schemas", "registries"] {
        println!("cargo:rerun-if-changed={source}");
    }
    let head = git(&["rev-parse", "HEAD"]).filter(|head| is_commit(head)).ok_or_else(no_clone)?;
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => Ok(head),
        Some(_) => Err(format!("built from a changed copy of {head}")),
        None => Err(no_clone()),
    }
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
