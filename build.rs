//! Lists what ships: the templates, and the plans with their registries, so that the executable carries them.
//!
//! The list is made of the folders themselves; a file that is added is carried without a word anywhere else.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo names the package's folder"));
    let mut text = String::new();
    for (name, folder, what) in [
        ("TEMPLATES", "templates", "Every file of `templates/`"),
        ("PLANS", "plans", "Every file of `plans/`"),
        ("REGISTRIES", "registries", "Every file of `registries/`"),
    ] {
        println!("cargo:rerun-if-changed={folder}");
        let mut files = Vec::new();
        collect(&root.join(folder), &mut files)?;
        files.sort();
        writeln!(text, "/// {what}: its path, and its content.").expect("a string takes everything");
        writeln!(text, "const {name}: &[(&str, &[u8])] = &[").expect("a string takes everything");
        for file in files {
            println!("cargo:rerun-if-changed={}", file.display());
            let path = file.strip_prefix(&root).expect("the file lies below the root").to_string_lossy().into_owned();
            let full = file.to_string_lossy().into_owned();
            writeln!(text, "    ({path:?}, include_bytes!({full:?})),").expect("a string takes everything");
        }
        text.push_str("];\n");
    }
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo names the folder for what is generated"));
    fs::write(out.join("shipped.rs"), text)
}

/// Every JSON document and policy text below `folder`.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo:rerun-if-changed={}", folder.display());
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
