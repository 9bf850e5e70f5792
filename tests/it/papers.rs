//! Keeps README, SPEC and the guides true where a machine can: the example, the links, the numbers of sections, the lists.

use std::fs;
use std::path::PathBuf;

use crate::support::root;

/// The papers at the top, and the guides, which are one folder deep.
fn papers() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["", "docs", "docs/decisions", "registries", "schemas"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "md") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 15, "{found:?}");
    found.sort();
    found
}

/// What stands between `](` and `)`, outside of code.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        if !code {
            found.extend(line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target));
        }
    }
    found
}

#[test]
fn every_link_inside_the_project_leads_somewhere() {
    let mut inside = 0;
    for paper in papers() {
        let text = fs::read_to_string(&paper).unwrap();
        for link in links(&text) {
            if link.contains("://") || link.starts_with('#') {
                continue;
            }
            inside += 1;
            let path = link.split('#').next().unwrap();
            let target = paper.parent().unwrap().join(path);
            assert!(target.exists(), "{}: the link `{link}` leads nowhere", paper.display());
        }
    }
    assert!(inside > 30, "{inside}");
}

#[test]
fn every_guide_is_in_the_index() {
    let index = fs::read_to_string(root().join("docs/README.md")).unwrap();
    for paper in papers() {
        let Ok(name) = paper.strip_prefix(root().join("docs")) else { continue };
        let name = name.to_str().unwrap();
        if name == "README.md" || (name.starts_with("decisions/") && name != "decisions/README.md") {
            continue;
        }
        assert!(links(&index).contains(&name), "docs/README.md does not name {name}");
    }
}

#[test]
fn sections_of_the_contract_are_numbered_one_after_another() {
    let spec = fs::read_to_string(root().join("SPEC.md")).unwrap();
    let (mut section, mut sub) = (0, 0);
    for line in spec.lines() {
        let Some((marks, rest)) = line.split_once(' ') else { continue };
        let number = rest.split_whitespace().next().unwrap_or_default();
        if marks == "##" && number.ends_with('.') {
            assert_eq!(number, format!("{}.", section + 1), "{line}");
            (section, sub) = (section + 1, 0);
        } else if marks == "###" && number.starts_with(|first: char| first.is_ascii_digit()) {
            sub += 1;
            assert_eq!(number, format!("{section}.{sub}"), "{line}");
        }
    }
    assert!(section >= 8, "{section}");
}

#[test]
fn readme_lists_the_plans_that_ship() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut plans: Vec<String> = fs::read_dir(root().join("plans"))
        .unwrap()
        .map(|entry| format!("plans/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    let mut listed: Vec<String> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `plans/")?.split_once('`'))
        .map(|(name, _)| format!("plans/{name}"))
        .collect();
    plans.sort();
    listed.sort();
    assert_eq!(listed, plans);
}

/// The block that begins with `opening`, without its fences.
#[cfg(target_os = "linux")]
fn block<'a>(text: &'a str, opening: &str) -> &'a str {
    let start = text.find(opening).unwrap_or_else(|| panic!("no block begins with `{opening}`"));
    let rest = &text[start..];
    &rest[..rest.find("\n```").unwrap()]
}

/// A table's cells, with what differs from one machine and run to the next made equal.
#[cfg(target_os = "linux")]
fn cells(text: &str, home: &str) -> Vec<Vec<String>> {
    text.lines()
        .take_while(|line| !line.is_empty())
        .map(|line| {
            let line = line.replace(home, "/home/ada");
            // The device and the path inside it of what covers a file.
            let line = line.split(" (0:").next().unwrap();
            line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
        })
        .collect()
}

#[cfg(target_os = "linux")]
#[test]
fn the_mistake_that_readme_shows_is_caught() {
    use crate::support::{expect_code, output, stdout};
    if std::process::Command::new("bwrap").arg("--version").output().is_err() {
        crate::skip!("bubblewrap is not installed");
    }
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut command = block(&readme, "sandproof ask 'deny read").to_owned();
    if nix::unistd::geteuid().is_root() {
        command = command.replacen("sandproof ask", "sandproof ask --as-root", 1);
    }
    let home = tempfile::Builder::new().prefix("readme-").tempdir_in("/var/tmp").unwrap();
    let project = home.path().join("project");
    fs::create_dir_all(home.path().join(".ssh")).unwrap();
    fs::create_dir(&project).unwrap();
    fs::write(home.path().join(".ssh/id_ed25519"), "no key").unwrap();
    let bin = home.path().join("bin");
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sandproof"), bin.join("sandproof")).unwrap();
    let asked = output(
        std::process::Command::new("bash")
            .args(["-c", &command])
            .current_dir(&project)
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("HOME", home.path())
            .env("AWS_SECRET_ACCESS_KEY", "no secret"),
    );
    expect_code(&asked, 1);
    let shown = cells(block(&readme, "QUESTION "), "/home/ada");
    assert_eq!(cells(&stdout(&asked), home.path().to_str().unwrap()), shown, "{}", stdout(&asked));
}
