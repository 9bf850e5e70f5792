//! Lists what ships, so that the executable carries it, and notes for which target, and from which commit, it is built.

#![allow(clippy::disallowed_methods, reason = "a build script has no process and no clock of the program")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    for watched in ["build.rs", "Cargo.toml", "src", "schemas", ".archive-commit"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    list_what_ships()?;
    note_commit();
    Ok(())
}

/// Writes the templates, the plans and the registries as lists. They are made of the folders themselves: a file that is
/// added is carried without a word anywhere else.
fn list_what_ships() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo names the package's folder"));
    let mut text = String::new();
    for (name, folder) in [("TEMPLATES", "templates"), ("PLANS", "plans"), ("REGISTRIES", "registries")] {
        let mut files = Vec::new();
        collect(&root.join(folder), &mut files)?;
        files.sort();
        let mut line = |line: String| text.push_str(&(line + "\n"));
        line(format!("/// Every file of `{folder}/`: its path, and its content."));
        line(format!("const {name}: &[(&str, &[u8])] = &["));
        for file in files {
            let path = file.strip_prefix(&root).expect("the file lies below the root").to_string_lossy().into_owned();
            let full = file.to_string_lossy().into_owned();
            line(format!("    ({path:?}, include_bytes!({full:?})),"));
        }
        line("];".to_owned());
    }
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo names the folder for what is generated"));
    fs::write(out.join("shipped.rs"), text)
}

/// Every JSON document and policy text below `folder`.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == "json" || ending == "sb") {
            found.push(path);
        }
    }
    Ok(())
}

/// Notes the commit. It is looked for in this order: the variable `SANDPROOF_COMMIT`, which packagers set; the file
/// `.archive-commit`, which `git archive` fills in (gitattributes(5), `export-subst`), and with it the archives that forges
/// offer; the clone that this package is in. Without any there is none, and no error.
fn note_commit() {
    println!("cargo::rerun-if-env-changed=SANDPROOF_COMMIT");
    let given = env::var("SANDPROOF_COMMIT").unwrap_or_default();
    let archived = fs::read_to_string(".archive-commit").unwrap_or_default();
    let known = [given.trim(), archived.trim()].into_iter().find(|commit| is_commit(commit));
    println!("cargo::rustc-env=SANDPROOF_COMMIT={}", known.unwrap_or_default());
    println!("cargo::rustc-env=SANDPROOF_MODIFIED=0");
    println!("cargo::rustc-env=SANDPROOF_TARGET={}", env::var("TARGET").unwrap_or_default());
    if known.is_some() {
        return;
    }
    // A crate unpacked below somebody else's repository is not of that repository.
    let own = git(&["ls-files", "--error-unmatch", "Cargo.toml"]).is_some();
    let Some(commit) = own.then(|| git(&["rev-parse", "HEAD"])).flatten() else { return };
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        println!("cargo::rerun-if-changed={log}");
    }
    let modified = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changes| !changes.is_empty());
    println!("cargo::rustc-env=SANDPROOF_COMMIT={commit}");
    println!("cargo::rustc-env=SANDPROOF_MODIFIED={}", u8::from(modified));
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
