//! Notes for which target, and from which commit, the executable is built. Without git there is no commit, and no error.

use std::process::Command;

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn main() {
    for watched in ["build.rs", "Cargo.toml", "src", "schemas"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    println!("cargo::rustc-env=SANDPROOF_TARGET={}", std::env::var("TARGET").unwrap_or_default());
    // A crate unpacked below somebody else's repository is not of that repository.
    let own = git(&["ls-files", "--error-unmatch", "Cargo.toml"]).is_some();
    let Some(commit) = own.then(|| git(&["rev-parse", "HEAD"])).flatten() else { return };
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| std::path::Path::new(log).exists()) {
        println!("cargo::rerun-if-changed={log}");
    }
    let modified = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changes| !changes.is_empty());
    println!("cargo::rustc-env=SANDPROOF_COMMIT={commit}");
    println!("cargo::rustc-env=SANDPROOF_MODIFIED={}", u8::from(modified));
}
