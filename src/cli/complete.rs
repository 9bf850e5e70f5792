//! What may be typed next: commands, options, and the ids of what this folder's workspace and this program hold.
//!
//! A completion script asks for it by starting the program with [`VARIABLE`] set to the shell's name, and with the words that
//! have been typed so far behind `--`. Nothing else reads that variable.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Command;
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use super::run::home;
use super::ui::Ui;
use super::{exit, explain, first_plan, schema};
use crate::base::printable::printable;
use crate::plan::catalogue::{PlanListing, RegistryContent, list_plans, list_registries};
use crate::plan::template::{self, PLAN_FILE};
use crate::plan::{self, ResolvedPlan, Selection, Workspace};
use crate::record::driver::Driver;

/// Its value is the shell that asks.
const VARIABLE: &str = "_SANDPROOF_COMPLETE";

/// Bash splits words at `:` and `=`, which ids and `--option=value` have within: put together before the question, and what
/// stands before the last of them is taken off the answers. Bash 3.2, which macOS has, knows all of it.
const BASH: &str = r#"_sandproof() {
    local words=() current=0 rest=$COMP_LINE n part last head reply
    for ((n = 0; n < ${#COMP_WORDS[@]}; n++)); do
        part=${COMP_WORDS[n]}
        ((n == COMP_CWORD)) && part=${part:0:${#2}}
        if ((n > 0)) && [[ -n $rest && $rest != [[:blank:]]* ]]; then
            last=$((${#words[@]} - 1))
            words[last]=${words[last]}$part
        else
            words[${#words[@]}]=$part
        fi
        rest=${rest#"${rest%%[![:blank:]]*}"}
        rest=${rest#"${COMP_WORDS[n]}"}
        ((n == COMP_CWORD)) && current=$((${#words[@]} - 1)) && break
    done
    head=${words[current]}
    head=${head%"${head##*[=:]}"}
    COMPREPLY=()
    while IFS= read -r reply || [[ -n $reply ]]; do
        printf -v reply %q "${reply#"$head"}"
        COMPREPLY[${#COMPREPLY[@]}]=$reply
    done < <(_CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX="$current" VARIABLE=bash sandproof -- "${words[@]}" 2>/dev/null)
    # A folder, or the name of an option with its value to come.
    if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} != *[=/:] ]]; then
        compopt +o nospace 2>/dev/null
    fi
}
complete -o nospace -o bashdefault -F _sandproof sandproof
"#;

/// The script that makes a shell ask.
pub(super) fn script(shell: Shell) -> Vec<u8> {
    let other = |completer: &dyn EnvCompleter| {
        let mut script = Vec::new();
        let written = completer.write_registration(VARIABLE, "sandproof", "sandproof", "sandproof", &mut script);
        written.expect("memory takes everything");
        script
    };
    match shell {
        Shell::Elvish => other(&Elvish),
        Shell::Fish => other(&Fish),
        Shell::PowerShell => other(&Powershell),
        Shell::Zsh => other(&Zsh),
        // A shell that a later version of the library knows gets what most of them understand.
        _ => BASH.replace("VARIABLE", VARIABLE).into_bytes(),
    }
}

/// Answers a shell; `None`: none asks.
pub(super) fn answered(definitions: impl FnOnce() -> Command) -> Option<u8> {
    #[expect(clippy::disallowed_methods, reason = "what a shell sets to ask; it is used here alone")]
    let shell = std::env::var_os(VARIABLE)?;
    let shells: [&dyn EnvCompleter; 5] = [&Bash, &Elvish, &Fish, &Powershell, &Zsh];
    let asked = shells.into_iter().find(|one| shell.to_str().is_some_and(|name| one.is(name)))?;
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let mut answer = Vec::new();
    let mut command = completing(definitions(), &words);
    if words.is_empty() || asked.write_complete(&mut command, words, Some(Path::new(".")), &mut answer).is_err() {
        return Some(exit::Exit::Usage.code());
    }
    let mut ui = Ui::standard();
    ui.bytes(&answer);
    Some(exit::conclude_with(Ok(exit::Exit::Done), ui, false))
}

/// What stands for an id.
#[derive(Debug, Clone, Copy)]
enum Completed {
    Plan,
    PlanProfile,
    PlanExpectation,
    Registry,
    Profile,
    Probe,
    Policy,
    Template,
    TemplateOrFile,
    Reason,
    Schema,
    Driver,
}

/// What the value of the argument `id` of a command is; `None`: what its definition says.
fn completed(command: &str, id: &str) -> Option<Completed> {
    Some(match (command, id) {
        ("run" | "plan-lint" | "describe-plan" | "mutate", "plan" | "plain_plan") => Completed::Plan,
        ("run" | "mutate", "only_profile") => Completed::PlanProfile,
        ("run", "only_scenario") => Completed::PlanExpectation,
        (_, "registry" | "plain_registry") => Completed::Registry,
        ("describe-profile", "profile") => Completed::Profile,
        ("describe-probe", "probe") => Completed::Probe,
        ("why", "profile") | ("lint" | "show", "policy") | ("diff", "a" | "b") => Completed::Policy,
        ("describe-template", "template" | "plain_template") | ("run", "template") => Completed::Template,
        ("plan-build", "template" | "plain_template") => Completed::TemplateOrFile,
        ("explain", "reason") => Completed::Reason,
        ("schema", "name") => Completed::Schema,
        ("describe-driver" | "why", "driver") => Completed::Driver,
        _ => return None,
    })
}

/// The definitions, with what completes the values of their arguments.
fn completing(command: Command, words: &[OsString]) -> Command {
    let typed = Arc::new(Typed::of(words));
    with_completers(command, &typed)
}

fn with_completers(command: Command, typed: &Arc<Typed>) -> Command {
    let name = command.get_name().to_owned();
    let command = command.mut_args(|arg| match completed(&name, arg.get_id().as_str()) {
        Some(what) => {
            let typed = Arc::clone(typed);
            arg.add(ArgValueCompleter::new(move |current: &OsStr| typed.candidates(what, current)))
        }
        None => arg,
    });
    command.mut_subcommands(|sub| with_completers(sub, typed))
}

/// What was typed so far that says where to look.
#[derive(Debug)]
struct Typed {
    root: Option<PathBuf>,
    registry: Option<String>,
    plan: Option<PathBuf>,
}

impl Typed {
    fn of(words: &[OsString]) -> Self {
        let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
        let value = |option: &str| {
            words.iter().enumerate().find_map(|(n, word)| match word.strip_prefix(option)? {
                "" => words.get(n + 1).map(|value| (*value).to_owned()),
                rest => rest.strip_prefix('=').map(str::to_owned),
            })
        };
        // A plan that stands right behind the command; the last word is the one that is being typed.
        let plain = match &words[..] {
            [_, "run" | "mutate", plan, _, ..] if !plan.starts_with('-') => Some((*plan).to_owned()),
            _ => None,
        };
        Self {
            root: value("--root").map(Into::into),
            registry: value("--registry"),
            plan: value("--plan").or(plain).map(Into::into),
        }
    }

    fn candidates(&self, what: Completed, current: &OsStr) -> Vec<CompletionCandidate> {
        let mut found = self.all(what);
        found.retain(|one| one.get_value().as_encoded_bytes().starts_with(current.as_encoded_bytes()));
        if matches!(what, Completed::Plan | Completed::Policy | Completed::TemplateOrFile) {
            let known: Vec<OsString> = found.iter().map(|one| one.get_value().to_owned()).collect();
            let paths = PathCompleter::any().current_dir(PathBuf::from(".")).complete(current);
            let is_known = |path: &CompletionCandidate| {
                let path = path.get_value().as_encoded_bytes();
                known.iter().any(|known| known.as_encoded_bytes() == path.strip_suffix(b"/").unwrap_or(path))
            };
            found.extend(paths.into_iter().filter(|path| !is_known(path)));
        }
        found
    }

    fn all(&self, what: Completed) -> Vec<CompletionCandidate> {
        match what {
            Completed::Plan => self.plans(),
            Completed::PlanProfile => {
                let plan = self.resolved();
                plan.iter().flat_map(|plan| &plan.profiles).map(|profile| candidate(profile.id.as_str(), "")).collect()
            }
            Completed::PlanExpectation => {
                let plan = self.resolved();
                let probes = plan.iter().flat_map(|plan| &plan.profiles).flat_map(|profile| &profile.probes);
                probes.map(|probe| candidate(probe.expectation_id.as_str(), "")).collect()
            }
            Completed::Registry => {
                let index = self.workspace().and_then(|workspace| list_registries(&workspace).ok());
                let entries = index.into_iter().flat_map(|index| index.registries);
                entries.map(|one| candidate(one.id.as_str(), one.description.as_deref().unwrap_or_default())).collect()
            }
            Completed::Profile | Completed::Policy => {
                let profiles = self.registries().into_iter().flat_map(|registry| registry.profiles);
                profiles.map(|one| candidate(one.profile_id.as_str(), &one.profile_path)).collect()
            }
            Completed::Probe => {
                let probes = self.registries().into_iter().flat_map(|registry| registry.probes);
                probes.map(|one| candidate(one.probe_id.as_str(), &one.target)).collect()
            }
            Completed::Template | Completed::TemplateOrFile => {
                let listed = template::around(Path::new(".")).with_carried();
                listed.iter().map(|one| candidate(&one.template_id, &one.description)).collect()
            }
            Completed::Reason => explain::names().map(|(name, meaning)| candidate(name, meaning)).collect(),
            Completed::Schema => schema::all().iter().map(|(name, what, _)| candidate(name, what)).collect(),
            Completed::Driver => Driver::ALL.iter().map(|driver| candidate(driver.info().name, "")).collect(),
        }
    }

    fn workspace(&self) -> Option<Workspace> {
        Workspace::around(self.root.as_deref().unwrap_or(Path::new(".")))
    }

    /// The plans of the workspace, by the folder that each lies in, where that is below this one.
    fn plans(&self) -> Vec<CompletionCandidate> {
        let Some((workspace, here)) = self.workspace().zip(Path::new(".").canonicalize().ok()) else {
            return Vec::new();
        };
        let path = |path: &str| {
            let folder = Path::new(path).parent()?;
            let folder = workspace.root().join(folder);
            let relative = folder.strip_prefix(&here).ok()?.to_str()?.to_owned();
            Some(if relative.is_empty() { PLAN_FILE.to_owned() } else { relative })
        };
        let listed = list_plans(&workspace).into_iter().filter_map(|plan| match plan {
            PlanListing::Plan { plan_id, path: file, .. } => Some(candidate(&path(&file)?, plan_id.as_str())),
            PlanListing::Broken { .. } => None,
        });
        listed.collect()
    }

    /// The plan that would be run.
    fn resolved(&self) -> Option<ResolvedPlan> {
        let first = || PathBuf::from(format!("plans/{}/{PLAN_FILE}", first_plan::FIRST_TEMPLATE));
        let file = self.plan.clone().unwrap_or_else(first);
        plan::load(&file, home().as_deref(), &Selection::default()).ok().map(|(plan, _)| plan)
    }

    /// The registry that was named, else every one.
    fn registries(&self) -> Vec<RegistryContent> {
        let Some(workspace) = self.workspace() else { return Vec::new() };
        let ids = match &self.registry {
            Some(id) => vec![id.clone()],
            None => list_registries(&workspace)
                .map(|index| index.registries.iter().map(|entry| entry.id.to_string()).collect())
                .unwrap_or_default(),
        };
        ids.iter().filter_map(|id| RegistryContent::read(&workspace, id).ok()).collect()
    }
}

/// A value with a word about it, which somebody else may have written.
fn candidate(value: &str, about: &str) -> CompletionCandidate {
    let about = printable(about);
    CompletionCandidate::new(value).help((!about.is_empty()).then(|| about.into_owned().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::visible;

    /// What may stand in the place of the last of `words`.
    fn offered(words: &[&str]) -> Vec<String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let mut command = completing(visible(), &words);
        let last = words.len() - 1;
        let found = clap_complete::engine::complete(&mut command, words, last, Some(Path::new("."))).unwrap();
        found.iter().map(|one| one.get_value().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn every_command_is_offered_and_none_that_people_do_not_start() {
        let all = offered(&["sandproof", ""]);
        for command in visible().get_subcommands() {
            // Of a command with several names, one stands in the list of all.
            let found = offered(&["sandproof", command.get_name()]);
            assert!(found.iter().any(|one| one == command.get_name()), "{}: {found:?}", command.get_name());
        }
        assert!(all.len() > 40 && !all.iter().any(|one| one.starts_with("__")), "{all:?}");
    }

    #[test]
    fn every_argument_that_ids_are_offered_for_exists() {
        // A renamed argument would lose its ids without a word.
        fn found(command: &Command, into: &mut Vec<String>) {
            for arg in command.get_arguments() {
                if let Some(what) = completed(command.get_name(), arg.get_id().as_str()) {
                    into.push(format!("{what:?}"));
                }
            }
            command.get_subcommands().for_each(|sub| found(sub, into));
        }
        let mut all = Vec::new();
        found(&visible(), &mut all);
        for (what, times) in [
            ("Plan", 8),
            ("PlanProfile", 2),
            ("PlanExpectation", 1),
            ("Profile", 1),
            ("Probe", 1),
            ("Policy", 5),
            ("Template", 3),
            ("TemplateOrFile", 2),
            ("Reason", 1),
            ("Schema", 1),
            ("Driver", 2),
        ] {
            assert_eq!(all.iter().filter(|one| *one == what).count(), times, "{what} in {all:?}");
        }
        assert!(all.iter().filter(|one| *one == "Registry").count() >= 6, "{all:?}");
    }

    #[test]
    fn ids_of_the_program_and_of_the_workspace_are_offered() {
        let has = |words: &[&str], wanted: &str| {
            let found = offered(words);
            assert!(found.iter().any(|one| one == wanted), "{words:?}: {found:?}");
        };
        // Tests run in the package's folder, which is a workspace.
        has(&["sandproof", "run", "--plan", "plans/qui"], "plans/quickstart");
        has(&["sandproof", "run", "--plan=plans/qui"], "--plan=plans/quickstart");
        has(&["sandproof", "run", "--plan", "plans/quickstart/p"], "plans/quickstart/plan.json");
        has(&["sandproof", "run", "--only-profile", "quickstart:"], "quickstart:read_only");
        has(
            &["sandproof", "run", "--plan", "plans/quickstart", "--only-scenario", ""],
            "quickstart:read_only:read_inside",
        );
        has(&["sandproof", "list-probes", "--registry", "quick"], "quickstart");
        has(&["sandproof", "describe-profile", "--registry=quickstart", "--profile", ""], "quickstart:read_only");
        has(
            &["sandproof", "describe-probe", "--registry", "quickstart", "--probe", "quickstart:read_only:read_i"],
            "quickstart:read_only:read_inside",
        );
        has(&["sandproof", "why", "--profile", "quickstart:"], "quickstart:read_only");
        has(&["sandproof", "describe-template", "--template", "quick"], "quickstart");
        has(&["sandproof", "explain", "world_"], "world_redefined");
        has(&["sandproof", "schema", "run_man"], "run_manifest");
        has(&["sandproof", "describe-driver", "file_re"], "file_rename");
        assert_eq!(offered(&["sandproof", "explain", "no-such-reason"]), [""; 0]);
    }

    #[test]
    fn every_script_asks_by_the_variable() {
        use clap::ValueEnum;
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell)).unwrap();
            assert!(script.contains(VARIABLE) && script.contains(&shell.to_string()), "{shell}: {script}");
        }
    }
}
