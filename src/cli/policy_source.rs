//! The policy that a command is about: a file, standard input, or a profile of a registry.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{Exit, Failure};
use super::failures::load_failure;
use super::rule_excerpt::{form_at, shortened};
use super::workspace_args::RootArg;
use crate::base::ids::RegistryId;
use crate::base::json_span;
use crate::base::limits::MAX_POLICY_BYTES;
use crate::base::printable::{excerpt, path_text};
use crate::plan::policy_lookup::{FoundPolicy, policy_in_bytes, policy_in_file, policy_of_profile};
use crate::policy::PolicyValue;
use crate::policy::sbpl::SbplPolicy;
use crate::policy::sbpl::rules::LineColumn;
use crate::record::why::{WhyPolicy, WhyRule};

/// How a policy is found and what it is given.
#[derive(Debug, Args)]
pub(super) struct PolicyOptions {
    /// The registry to look for a profile in. Default: any.
    #[arg(long, value_name = "ID")]
    registry: Option<String>,
    /// A parameter of the Seatbelt text.
    #[arg(short = 'D', long = "param", value_name = "KEY=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// A folder with the files that the Seatbelt text imports: a copy of /System/Library/Sandbox/Profiles. Without it, what
    /// an import brings is not known.
    #[arg(long, value_name = "DIR")]
    import_dir: Option<PathBuf>,
    #[command(flatten)]
    root: RootArg,
}

/// One policy, and how to answer about it.
#[derive(Debug, Args)]
pub(super) struct OnePolicyArgs {
    /// A policy document (Seatbelt text or Landlock JSON), `-` for standard input, or the id of a profile of a registry.
    #[arg(value_name = "FILE|ID")]
    policy: PathBuf,
    #[command(flatten)]
    options: PolicyOptions,
    /// Answer in JSON.
    #[arg(long)]
    pub(super) json: bool,
}

impl OnePolicyArgs {
    /// Finds the policy.
    pub(super) fn find(&self) -> Result<NamedPolicy, Failure> {
        self.options.find(&self.policy)
    }
}

/// `NAME=VALUE`
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".into()),
    }
}

/// What was typed cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("{message}; {remedy}")]
struct Unaskable {
    message: String,
    remedy: String,
}

/// A refusal of the arguments.
pub(super) fn bad(message: impl Into<String>, remedy: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, Unaskable { message: message.into(), remedy: remedy.into() })
}

/// The policy is compiled.
#[derive(Debug, thiserror::Error)]
#[error("`{file}` is a compiled profile, and holds no text to evaluate; ask about the text that it was compiled from")]
struct CompiledPolicy {
    file: String,
}

/// A policy with the name that it was asked by.
#[derive(Debug)]
pub(super) struct NamedPolicy {
    /// The policy.
    pub(super) asked: FoundPolicy,
    /// The policy's document, spelled as on the command line.
    pub(super) file: String,
}

impl PolicyOptions {
    /// Finds the policy `name`: standard input for `-`, a file of that name, else a profile of that id.
    pub(super) fn find(&self, name: &Path) -> Result<NamedPolicy, Failure> {
        let asked = self.look(name)?;
        if let PolicyValue::Blob(_) = asked.policy.value.as_ref() {
            return Err(Failure::new(Exit::InputRefused, CompiledPolicy { file: asked.policy.path.clone() }));
        }
        let file = if asked.profile.is_some() { asked.policy.path.clone() } else { named(name) };
        Ok(NamedPolicy { asked, file })
    }

    /// The parameters, as given.
    pub(super) fn parameters(&self) -> BTreeMap<String, String> {
        self.parameters.iter().cloned().collect()
    }

    /// The folder of imported files.
    pub(super) fn import_dir(&self) -> Option<&Path> {
        self.import_dir.as_deref()
    }

    fn look(&self, path: &Path) -> Result<FoundPolicy, Failure> {
        let parameters = self.parameters();
        let name = path.to_string_lossy();
        let looks_like_a_file = name.contains('/') || [".sb", ".json"].iter().any(|end| name.ends_with(end));
        if self.registry.is_none() && (name == "-" || path.is_file() || looks_like_a_file) {
            let asked = if name == "-" {
                policy_in_bytes(&named(path), standard_input(MAX_POLICY_BYTES)?, &parameters, self.import_dir())
            } else {
                policy_in_file(path, &parameters, self.import_dir())
            };
            let asked = asked.map_err(load_failure)?;
            if !parameters.is_empty() && !asked.policy.value.mode().info().takes_supplements {
                return Err(bad("only a Seatbelt text takes parameters", "leave out --param"));
            }
            return Ok(asked);
        }
        if !parameters.is_empty() || self.import_dir.is_some() {
            let remedy = "name its policy document to give others";
            return Err(bad("a profile of a registry has its own parameters and `import_dir`", remedy));
        }
        let registry = match self.registry.as_deref().map(RegistryId::new).transpose() {
            Ok(registry) => registry,
            Err(error) => return Err(Failure::new(Exit::Usage, error)),
        };
        let workspace = match self.root.workspace() {
            Ok(workspace) => workspace,
            Err(failure) => {
                // A folder that was named is what is wrong; else it is the name that leads to nothing.
                return Err(if self.root.is_named() { failure } else { no_policy(&name) });
            }
        };
        policy_of_profile(&workspace, registry.as_ref(), &name).map_err(load_failure)
    }
}

/// The refusal of a name that is no file, where there are no registries either.
fn no_policy(name: &str) -> Failure {
    let error = format!("there is no file `{}`, and no workspace here with a profile of that id", short(name));
    Failure::new(Exit::InputRefused, error)
        .hint("name a policy's file, or the folder that holds `registries/` with --root")
}

/// What standard input is called in answers.
fn named(name: &Path) -> String {
    if name == Path::new("-") { "<stdin>".to_owned() } else { path_text(name) }
}

/// All of standard input, at most `cap_bytes`.
pub(super) fn standard_input(cap_bytes: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    match std::io::stdin().lock().take(cap_bytes + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 <= cap_bytes => Ok(bytes),
        Ok(_) => Err(Failure::new(Exit::InputRefused, NoInput::TooLarge { cap_bytes })),
        Err(error) => Err(Failure::new(Exit::InputRefused, NoInput::Unreadable(error))),
    }
}

/// Standard input cannot be taken.
#[derive(Debug, thiserror::Error)]
enum NoInput {
    #[error("standard input could not be read")]
    Unreadable(#[source] std::io::Error),
    #[error("standard input holds more than {cap_bytes} bytes")]
    TooLarge { cap_bytes: u64 },
}

/// A typed text, for a message.
pub(super) fn short(text: &str) -> String {
    excerpt(text, 80)
}

impl NamedPolicy {
    /// For documents.
    pub(super) fn described(&self) -> WhyPolicy {
        WhyPolicy {
            file: self.file.clone(),
            mode: self.asked.policy.value.mode().as_str(),
            imports: self.asked.policy.value.imports(),
            profile_id: self.asked.profile.as_ref().map(|found| found.profile.id.to_string()),
            registry_id: self.asked.profile.as_ref().map(|found| found.registry_id.to_string()),
        }
    }

    /// The rule at `at` (LINE:COLUMN of a Seatbelt text, a pointer into a Landlock document) with its text.
    pub(super) fn rule(&self, at: &str) -> Option<WhyRule> {
        match self.asked.policy.value.as_ref() {
            PolicyValue::Sbpl(policy) => {
                // Behind the name of an imported file, if it stands in one.
                let mut parts = at.rsplitn(3, ':');
                let (column, line) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
                let file = parts.next().and_then(|name| policy.imports().name(name));
                Some(self.seatbelt_rule(policy, LineColumn { file, ..LineColumn::at(line, column) }))
            }
            PolicyValue::Landlock(_) => at.starts_with('/').then(|| self.member(at)),
            PolicyValue::Blob(_) | PolicyValue::Launcher(_) => None,
        }
    }

    /// A member of a Landlock document.
    pub(super) fn member(&self, pointer: &str) -> WhyRule {
        let text = std::str::from_utf8(&self.asked.document).unwrap_or("");
        let place = json_span::find(text, pointer);
        WhyRule {
            file: self.file.clone(),
            line: place.map_or(0, |place| place.line),
            column: place.map_or(0, |place| place.column),
            text: place.map_or(String::new(), |place| shortened(&text[place.start..place.end])),
            pointer: Some(pointer.to_owned()),
        }
    }

    /// Where a rule stands: in the policy document, or among the rules that the profile adds to it.
    pub(super) fn seatbelt_rule(&self, policy: &SbplPolicy, place: LineColumn) -> WhyRule {
        let text = form_at(policy.text_at(place), place);
        let file = place.file.map_or_else(|| self.file.clone(), |file| file.as_str().to_owned());
        let here = WhyRule { file, line: place.line, column: place.column, text, pointer: None };
        let Some(found) = self.asked.profile.as_ref().filter(|_| policy.is_appended(place)) else { return here };
        let id = found.profile.id.as_str().replace('~', "~0").replace('/', "~1");
        let rules = &found.profile.entry.key_specific_rules;
        let lines = |rule: &String| rule.matches('\n').count() as u32 + 1;
        // The rules stand on the last lines of the text, in their order.
        let mut line = policy.text().trim_end_matches('\n').matches('\n').count() as u32 + 2
            - rules.iter().map(lines).sum::<u32>();
        let at = rules.iter().position(|one| {
            let begins = line;
            line += lines(one);
            (begins..line).contains(&place.line)
        });
        let pointer = match at {
            Some(n) => format!("/profiles/{id}/key_specific_rules/{n}"),
            None => format!("/profiles/{id}/key_specific_rules"),
        };
        let place = std::str::from_utf8(&found.profiles_document).ok().and_then(|text| json_span::find(text, &pointer));
        WhyRule {
            file: found.profiles_path.clone(),
            line: place.map_or(0, |place| place.line),
            column: place.map_or(0, |place| place.column),
            pointer: Some(pointer),
            ..here
        }
    }
}
