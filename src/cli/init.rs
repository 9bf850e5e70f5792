//! `sandproof init`: a small plan of one's own.

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{Exit, Failure};
use super::plan_build::folder_failure;
use super::plan_folder;
use super::ui::Ui;
use crate::base::printable::{Lines, path_text};
use crate::base::words;
use crate::plan::QUESTIONS_FILE;

/// Who is asked by `init --agent` that is not told of a command.
const LANDLOCK: &str = "landlock policy.json";

/// Write a small plan of your own, which runs at once: questions with comments that teach the form, and a policy for them.
///
/// Without an option the policy is for what this system enforces: Landlock on Linux, Seatbelt on macOS.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The folder to write into; made if it is missing. What exists is not touched.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// For a Landlock policy (Linux).
    #[arg(long, group = "enforcer")]
    landlock: bool,
    /// For a Seatbelt profile (macOS).
    #[arg(long, group = "enforcer")]
    seatbelt: bool,
    /// For a command that sandboxes, as one argument: `'bwrap --ro-bind / / --dev /dev --bind ${workspace} ${workspace} --'`.
    #[arg(long, value_name = "COMMAND", group = "enforcer")]
    launcher: Option<String>,
    /// Twenty questions about the sandbox of a coding agent, for a Landlock policy or a command.
    #[arg(long, conflicts_with = "seatbelt")]
    agent: bool,
    /// Print what was written as JSON.
    #[arg(long)]
    json: bool,
}

/// Writes the files and says what to do with them.
pub(super) fn run(args: &InitArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let files = files(args)?;
    plan_folder::write(&args.folder, &files, QUESTIONS_FILE, false).map_err(|error| folder_failure(error, false))?;
    let paths: Vec<PathBuf> = files.iter().map(|(name, _)| shown(&args.folder, name)).collect();
    if args.json {
        ui.answer_with("written_files", "wrote", &paths.iter().map(|path| path_text(path)).collect::<Vec<_>>());
        return Ok(Exit::Done);
    }
    let mut lines = Lines::default();
    for path in &paths {
        lines.line(format!("wrote {}", path_text(path)));
    }
    let questions = shown(&args.folder, QUESTIONS_FILE);
    let as_root = if args.launcher.is_some() && is_root() { " --as-root" } else { "" };
    lines.line(format!("now: sandproof run --plan {}{}{as_root}", path_text(&questions), options(args)));
    ui.out(&lines);
    Ok(Exit::Done)
}

/// The options that a run needs.
fn options(args: &InitArgs) -> &'static str {
    if args.launcher.is_some() { " --allow-host-programs" } else { "" }
}

/// The folder's file, as it is typed from here.
fn shown(folder: &Path, name: &str) -> PathBuf {
    if folder == Path::new(".") { PathBuf::from(name) } else { folder.join(name) }
}

#[cfg(unix)]
fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The files, by name.
fn files(args: &InitArgs) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let asking = |text: &str, enforcer: &str| text.replace("@ENFORCER@", enforcer).replace("@OPTIONS@", options(args));
    if let Some(command) = &args.launcher {
        let argv = words::split(command).map_err(|error| Failure::new(Exit::Usage, error))?;
        if argv.is_empty() {
            return Err(Failure::new(Exit::Usage, NoCommand).hint("`--launcher 'bwrap --ro-bind / / --dev /dev --'`"));
        }
        let text =
            if args.agent { include_str!("init/agent.questions") } else { include_str!("init/launcher.questions") };
        return Ok(vec![file(QUESTIONS_FILE, &asking(text, &format!("launcher {command}")))]);
    }
    if args.agent {
        let questions = asking(include_str!("init/agent.questions"), LANDLOCK);
        let policy = for_host(include_str!("init/agent.json"), |path| Path::new(path).exists());
        return Ok(vec![file("policy.json", &policy), file(QUESTIONS_FILE, &questions)]);
    }
    if args.seatbelt || (!args.landlock && cfg!(target_os = "macos")) {
        let questions = include_str!("init/seatbelt.questions");
        return Ok(vec![file("policy.sb", include_str!("init/policy.sb")), file(QUESTIONS_FILE, questions)]);
    }
    let questions = include_str!("init/landlock.questions");
    Ok(vec![file("policy.json", include_str!("init/policy.json")), file(QUESTIONS_FILE, questions)])
}

/// A policy without its rules on folders that are not there (a container may have no `/usr`): Landlock opens what a rule names,
/// so that one of them would keep the whole policy from being applied. Such a rule stands on a line of its own.
fn for_host(policy: &str, is_there: impl Fn(&str) -> bool) -> String {
    let path = |line: &str| {
        line.trim_start().strip_prefix("{ \"path\": \"").and_then(|rest| rest.split('"').next()).map(str::to_owned)
    };
    let kept = policy.lines().filter(|line| path(line).is_none_or(|path| !path.starts_with('/') || is_there(&path)));
    kept.map(|line| format!("{line}\n")).collect()
}

/// The launcher is an empty text.
#[derive(Debug, thiserror::Error)]
#[error("the launcher is an empty command")]
struct NoCommand;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_on_a_folder_that_is_not_there_is_left_out() {
        let written = include_str!("init/agent.json");
        assert_eq!(for_host(written, |_| true), written);
        let paths = |policy: &str| -> Vec<String> {
            let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
            let rules = policy["path_beneath"].as_array().unwrap();
            rules.iter().map(|rule| rule["path"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(paths(written), ["/usr", "/etc", "${root}/workspace"]);
        assert_eq!(paths(&for_host(written, |path| path == "/etc")), ["/etc", "${root}/workspace"]);
        assert_eq!(paths(&for_host(written, |_| false)), ["${root}/workspace"]);
    }
}
