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

/// The fenced blocks of a text: what stands behind the fence, and what the block holds.
#[cfg(target_os = "linux")]
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = text.split("```").collect();
    parts.iter().skip(1).step_by(2).map(|block| block.split_once('\n').unwrap()).collect()
}

/// Runs every line of a page in an empty folder, and writes the files that it holds. A block of commands that needs something says
/// so; `has` is what there is. Gives how many files and commands there were.
#[cfg(target_os = "linux")]
fn work_through(page: &str, has: &[&str]) -> (usize, usize) {
    use crate::support::{expect_code, output};
    let folder = tempfile::Builder::new().prefix("own-policy-").tempdir_in("/var/tmp").unwrap();
    let bin = tempfile::Builder::new().prefix("own-policy-bin-").tempdir_in("/var/tmp").unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sandproof"), bin.path().join("sandproof")).unwrap();
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    let (mut files, mut commands) = (0, 0);
    for (info, text) in blocks(page) {
        match info.split_once(' ') {
            Some(("sh", need)) if !has.contains(&need) => {}
            // What a command prints.
            None if info == "text" => {}
            None | Some(("sh", _)) => {
                assert!(info.starts_with("sh"), "what is a block of `{info}`?");
                for line in text.lines() {
                    let code = line.split_once("# exit ").map_or(0, |(_, code)| code.trim().parse().unwrap());
                    let as_root = line.contains("--allow-host-programs") && nix::unistd::geteuid().is_root();
                    let line = if as_root { format!("{line} --as-root") } else { line.to_owned() };
                    let ran = output(
                        std::process::Command::new("bash")
                            .args(["-c", &line])
                            .current_dir(folder.path())
                            .env("PATH", &path),
                    );
                    expect_code(&ran, code);
                    commands += 1;
                }
            }
            Some((_, name)) => {
                fs::write(folder.path().join(name), text).unwrap();
                files += 1;
            }
        }
    }
    (files, commands)
}

#[cfg(target_os = "linux")]
#[test]
fn every_line_of_the_page_on_ones_own_policy_works_as_it_stands() {
    let page = fs::read_to_string(root().join("docs/own-policy.md")).unwrap();
    let has_bwrap = std::process::Command::new("bwrap").arg("--version").output().is_ok();
    let has_abi6 = sandproof::test_support::enforce::landlock_abi().is_some_and(|abi| abi >= 6);
    let has: Vec<&str> = has_bwrap.then_some("bwrap").into_iter().chain(has_abi6.then_some("abi6")).collect();
    let (files, commands) = work_through(&page, &has);
    assert!(files >= 4 && commands >= 9, "{files} files, {commands} commands");
    let lines = |info: &str| blocks(&page).iter().find(|(found, _)| *found == info).unwrap().1.lines().count();
    assert!(lines("json build.json") + lines("text build.questions") <= 40);
    if has.len() < 2 {
        crate::skip!("this host has {has:?} of bwrap and abi6, so lines that need more were left out");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn every_line_of_the_page_on_mutation_works_as_it_stands() {
    if sandproof::test_support::enforce::landlock_abi().is_none_or(|abi| abi < 6) {
        crate::skip!("the policies need Landlock ABI 6");
    }
    let page = fs::read_to_string(root().join("docs/mutate.md")).unwrap();
    let (files, commands) = work_through(&page, &[]);
    assert!(files == 3 && commands >= 10, "{files} files, {commands} commands");
}
