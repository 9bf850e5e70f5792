//! The command line: arguments in, results on standard output, remarks on standard error, an exit code.
//!
//! One command, one file; commands that are one piece over several documents (`list-…`, `describe-…`, `…-lint`) share one.
//! The arguments of the command `x` are a `XArgs`, and `x::run(&XArgs, &mut Ui)` does it: results and remarks go through
//! the [`Ui`], what went well ends in an [`Exit`], what did not in a [`Failure`]. `failures` says which exit an error of
//! the library gets.

#[cfg(target_os = "linux")]
mod as_init;
mod ask;
mod attempts;
mod attest;
#[cfg(target_os = "linux")]
mod audit_keeper;
mod bundle_folders;
mod collect;
mod color;
mod compare;
mod complete;
mod completions;
mod confinement;
mod conformance;
mod content_args;
mod derive;
mod describe;
mod diff_runs;
mod download;
mod drift;
mod drivers;
mod emit_promotion;
pub mod exit;
mod explain;
mod failures;
mod faults;
mod first_plan;
mod given_launchers;
mod help;
mod identity;
mod init;
mod inspect;
mod inventory;
mod judge;
mod key_values;
mod learn;
mod links;
mod lint;
mod list;
mod man;
mod merge;
mod mutate;
mod named_args;
mod out;
mod performing_args;
mod plan_build;
mod plan_folder;
mod policy;
mod policy_source;
mod progress;
mod registry_upgrade;
mod reindex_bundle;
mod report;
mod rule_excerpt;
mod run;
mod run_attribution;
mod run_findings;
mod run_report;
mod schema;
mod scratch;
mod selftest;
mod shard;
mod signals;
mod statement;
mod status;
mod summarize_ops;
mod table;
mod transfer;
pub mod ui;
mod upload;
mod validate_bundle;
mod verify;
mod version;
mod why;
mod worker;
mod workspace_args;

use std::ffi::OsString;
use std::io::Write;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::base::printable::printable;
use crate::base::suggest::close_to;
use crate::process::SUBCOMMAND;
use exit::OrFail;
pub use exit::{Exit, Failure};
use ui::Ui;

/// Proves what a sandbox policy really allows and denies on this host.
#[derive(Debug, Parser)]
#[command(name = "sandproof", version, about, long_about = None, max_term_width = 100)]
struct Cli {
    /// When to colour what is for people.
    #[arg(long, value_enum, global = true, value_name = "WHEN", default_value_t = color::ColorChoice::Auto)]
    color: color::ColorChoice,
    /// Say nothing beside results and errors: neither remarks nor progress.
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Draw no progress.
    #[arg(long, global = true)]
    no_progress: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    Ask(ask::AskArgs),
    #[command(visible_alias = "new")]
    Init(init::InitArgs),
    ValidateBundle(validate_bundle::ValidateBundleArgs),
    Verify(verify::VerifyArgs),
    Inspect(inspect::InspectArgs),
    Statement(statement::StatementArgs),
    Attest(attest::AttestArgs),
    EmitPromotion(emit_promotion::EmitPromotionArgs),
    ReindexBundle(reindex_bundle::ReindexBundleArgs),
    Attempts(attempts::AttemptsArgs),
    Merge(merge::MergeArgs),
    Compare(compare::CompareArgs),
    Upload(upload::UploadArgs),
    Download(download::DownloadArgs),
    #[command(visible_alias = "diff")]
    DiffRuns(diff_runs::DiffRunsArgs),
    Derive(derive::DeriveArgs),
    Report(report::ReportArgs),
    SummarizeOps(summarize_ops::SummarizeOpsArgs),
    Links(links::LinksArgs),
    Identity(identity::IdentityArgs),
    Why(Box<why::WhyArgs>),
    Policy(policy::PolicyArgs),
    Mutate(Box<mutate::MutateArgs>),
    Drift(drift::DriftArgs),
    Conformance(conformance::ConformanceArgs),
    #[command(visible_alias = "list-reasons")]
    Explain(explain::ExplainArgs),
    Status(status::StatusArgs),
    Selftest(selftest::SelftestArgs),
    Collect(collect::CollectArgs),
    Learn(learn::LearnArgs),
    Inventory(inventory::InventoryArgs),
    PlanBuild(plan_build::PlanBuildArgs),
    /// Check a plan with everything that it refers to; nothing is executed.
    #[command(visible_aliases = ["lint", "check"])]
    PlanLint(lint::PlanLintArgs),
    /// Check registries with the policies that they name.
    RegistryLint(lint::RegistryLintArgs),
    RegistryUpgrade(registry_upgrade::RegistryUpgradeArgs),
    /// List the plans of a workspace.
    ListPlans(list::WorkspaceListArgs),
    /// List the registries of a workspace.
    ListRegistries(list::WorkspaceListArgs),
    /// List the plan templates that this program carries.
    ///
    /// Within a checkout of the reference runtime, its templates are listed too; of two with one id, the checkout's is used.
    ListTemplates(list::ListArgs),
    /// List the drivers: what can be asked.
    ListDrivers(drivers::ListDriversArgs),
    /// List the probes of a registry.
    ListProbes(list::RegistryListArgs),
    /// List the profiles of a registry.
    ListProfiles(list::RegistryListArgs),
    /// Show a driver: its operations, target, parameters, which answers are a denial, and a probe that it performs.
    DescribeDriver(drivers::DescribeDriverArgs),
    /// Show a template, or print it.
    DescribeTemplate(describe::DescribeTemplateArgs),
    /// Show a plan with its digest.
    DescribePlan(describe::DescribePlanArgs),
    /// Show one probe of a registry.
    DescribeProbe(describe::DescribeProbeArgs),
    /// Show one profile of a registry.
    DescribeProfile(describe::DescribeProfileArgs),
    Schema(schema::SchemaArgs),
    Version(version::VersionArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    /// Serves probe jobs by starting a process for each. Started by `run`, not by people.
    #[command(name = "__spawner", hide = true)]
    Spawner,
    /// Is one probe. Started by `__spawner`, not by people.
    #[command(name = "__fresh", hide = true)]
    Probe,
    /// Applies the decision rule to rows of test vectors. For `scripts/make-vectors`, not for people.
    #[command(name = "__judge", hide = true)]
    Judge,
    #[command(name = "__worker", hide = true)]
    Worker(worker::WorkerArgs),
    #[cfg(target_os = "linux")]
    #[command(name = crate::audit::KEEPER, hide = true)]
    AuditKeeper(audit_keeper::AuditKeeperArgs),
}

/// The definitions of the command line, with everything that its help says. Arguments are parsed by less: the examples of some
/// fifty commands are made only where somebody asks for help.
pub fn command() -> clap::Command {
    help::completed(Cli::command())
}

/// The same without the commands that are not for people.
#[cfg(any(test, feature = "test-support"))]
pub fn visible() -> clap::Command {
    shown(command())
}

/// What the manual pages and completions are made from: the former have sections of their own for examples and exit codes.
fn without_examples() -> clap::Command {
    shown(Cli::command())
}

fn shown(whole: clap::Command) -> clap::Command {
    let mut shown = clap::Command::new("sandproof").version(crate::base::VERSION).args(whole.get_arguments());
    if let Some(about) = whole.get_about() {
        shown = shown.about(about.clone());
    }
    shown.subcommands(whole.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned())
}

/// Parses the arguments of this process, does what they say, and returns the exit code.
pub fn main() -> u8 {
    // Before anything else. Each probe process is a copy of this one: all memory that has been touched here, each of
    // them pays for, and parsing a command line leaves a hundred pages of it.
    if std::env::args_os().skip(1).eq([SUBCOMMAND]) {
        return exit::conclude(crate::zygote::serve().map(|()| Exit::Done).or_fail(Exit::Fault));
    }
    if std::env::args_os().nth(1).is_some_and(|word| word == crate::launcher::said::SUBCOMMAND) {
        let words = std::env::args_os().skip(2).map(|word| word.to_string_lossy().into_owned());
        return crate::launcher::inside::main(&words.collect::<Vec<_>>());
    }
    #[cfg(target_os = "linux")]
    if let Some(code) = as_init::take_over() {
        return code;
    }
    faults::prepare();
    if let Some(code) = complete::answered(without_examples) {
        return code;
    }
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let when = color::ColorChoice::ahead_of_parsing(&arguments);
    let parsed = match Cli::command().color(when.into()).try_get_matches_from(&arguments) {
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            command().color(when.into()).try_get_matches_from(&arguments)
        }
        parsed => parsed,
    };
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            return parsing_ended(error, &arguments, when);
        }
    };
    cli.color.settle();
    let json = wants_json(&arguments);
    let mut ui = Ui::standard();
    ui.hush(cli.quiet, cli.no_progress);
    let outcome = dispatch(cli.command, &mut ui);
    exit::conclude_with(outcome, ui, json)
}

/// Prints what clap has to say: help, the version, or what is wrong with the arguments. Arguments are untrusted text too, and
/// one that is not shown as it is takes the colour from the message, so that no escape sequence is left in it.
fn parsing_ended(mut error: clap::Error, arguments: &[OsString], when: color::ColorChoice) -> u8 {
    tip_of_ours(&mut error, arguments);
    let text = error.render();
    let mut ui = Ui::standard();
    if !error.use_stderr() {
        ui.bytes(
            if color::wanted(when, &std::io::stdout()) { text.ansi().to_string() } else { text.to_string() }.as_bytes(),
        );
        return exit::conclude_with(Ok(Exit::Done), ui, false);
    }
    let shown: Vec<OsString> =
        arguments.iter().map(|one| printable(&one.to_string_lossy()).into_owned().into()).collect();
    let harmless = shown.as_slice() == arguments;
    // The same complaint about the arguments as they can be shown. Where there is none then, the fault was in what cannot be.
    let plain = match Cli::command().try_get_matches_from(shown) {
        Err(mut said) if !harmless => {
            tip_of_ours(&mut said, arguments);
            said.render().to_string()
        }
        _ => text.to_string(),
    };
    if harmless && color::wanted(when, &std::io::stderr()) {
        let _ = std::io::stderr().lock().write_all(text.ansi().to_string().as_bytes());
    } else {
        ui.remarks(&plain.trim_end().lines().collect());
    }
    // The parser knows no slip of two letters that changed places.
    let close = meant_command(&error).filter(|_| !plain.contains("tip: "));
    let tip = close.map(|close| format!("  tip: did you mean `{close}`?"));
    tip.iter().for_each(|tip| ui.remark(tip));
    if wants_json(arguments) {
        let said = tip.map_or_else(|| plain.clone(), |tip| format!("{plain}\n{tip}"));
        ui.answer("refusal", &exit::Refusal::of_usage(&said));
    }
    Exit::Usage.code()
}

/// Puts our advice on an unknown option in the place of the parser's, for which `--otu` is like `--lock-timeout-seconds`.
///
/// The advice to pass it behind `--` is taken away: no argument of ours begins with a dash, and what stands there is the command
/// that `ask` is about.
fn tip_of_ours(error: &mut clap::Error, arguments: &[OsString]) {
    if error.kind() != ErrorKind::UnknownArgument {
        return;
    }
    error.remove(ContextKind::Suggested);
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return };
    let all = Cli::command();
    let named = arguments.iter().skip(1).fold(&all, |at, word| at.find_subcommand(word).unwrap_or(at));
    let known = all.get_arguments().chain(named.get_arguments()).filter(|one| !one.is_hide_set());
    let close = close_to(typed.trim_start_matches('-'), known.filter_map(clap::Arg::get_long));
    let close = close.first().map(|long| format!("--{long}"));
    let theirs = match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(theirs)) => Some(theirs.as_str()),
        _ => None,
    };
    if close.as_deref() != theirs {
        // Their line of usage is made of their suggestion.
        error.remove(ContextKind::Usage);
        error.remove(ContextKind::SuggestedArg);
        close.map(|close| error.insert(ContextKind::SuggestedArg, ContextValue::String(close)));
    }
}

/// The command that an unknown one was probably meant to be.
fn meant_command(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let known = shown(Cli::command());
    let names: Vec<&str> =
        known.get_subcommands().flat_map(|sub| [sub.get_name()].into_iter().chain(sub.get_visible_aliases())).collect();
    close_to(word, names).first().map(|name| (*name).to_owned())
}

/// Whether an answer in JSON was asked for. What stands behind `--` is a command's and not ours.
fn wants_json(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|one| *one != "--").any(|one| one == "--json")
}

fn dispatch(command: Command, ui: &mut Ui) -> Result<Exit, Failure> {
    match command {
        Command::Run(args) => run::run(&args, ui),
        Command::Ask(args) => ask::run(&args, ui),
        Command::Init(args) => init::run(&args, ui),
        Command::ValidateBundle(args) => validate_bundle::run(&args, ui),
        Command::Verify(args) => verify::run(&args, ui),
        Command::Inspect(args) => inspect::run(&args, ui),
        Command::Statement(args) => statement::run(&args, ui),
        Command::Attest(args) => attest::run(&args, ui),
        Command::EmitPromotion(args) => emit_promotion::run(&args, ui),
        Command::ReindexBundle(args) => reindex_bundle::run(&args, ui),
        Command::Attempts(args) => attempts::run(&args, ui),
        Command::Merge(args) => merge::run(&args, ui),
        Command::Compare(args) => compare::run(&args, ui),
        Command::Upload(args) => upload::run(&args, ui),
        Command::Download(args) => download::run(&args, ui),
        Command::DiffRuns(args) => diff_runs::run(&args, ui),
        Command::Derive(args) => derive::run(&args, ui),
        Command::Report(args) => report::run(&args, ui),
        Command::SummarizeOps(args) => summarize_ops::run(&args, ui),
        Command::Links(args) => links::run(&args, ui),
        Command::Identity(args) => identity::run(&args, ui),
        Command::Why(args) => why::run(&args, ui),
        Command::Drift(args) => drift::run(&args, ui),
        Command::Conformance(args) => conformance::run(&args, ui),
        Command::Mutate(args) => mutate::run(&args, ui),
        Command::Policy(args) => policy::run(&args, ui),
        Command::Explain(args) => explain::run(&args, ui),
        Command::Status(args) => status::run(&args, ui),
        Command::Selftest(args) => selftest::run(&args, ui),
        Command::Collect(args) => collect::run(&args, ui),
        Command::Learn(args) => learn::run(&args, selftest::expects, ui),
        Command::Inventory(args) => inventory::run(&args, ui),
        Command::PlanBuild(args) => plan_build::run(&args, ui),
        Command::PlanLint(args) => lint::plan(&args, ui),
        Command::RegistryLint(args) => lint::registry(&args, ui),
        Command::RegistryUpgrade(args) => registry_upgrade::run(&args, ui),
        Command::ListPlans(args) => list::plans(&args, ui),
        Command::ListRegistries(args) => list::registries(&args, ui),
        Command::ListTemplates(args) => list::templates(&args, ui),
        Command::ListDrivers(args) => drivers::list(&args, ui),
        Command::DescribeDriver(args) => drivers::describe(&args, ui),
        Command::DescribeTemplate(args) => describe::template(&args, ui),
        Command::ListProbes(args) => list::probes(&args, ui),
        Command::ListProfiles(args) => list::profiles(&args, ui),
        Command::DescribePlan(args) => describe::plan(&args, ui),
        Command::DescribeProbe(args) => describe::probe(&args, ui),
        Command::DescribeProfile(args) => describe::profile(&args, ui),
        Command::Schema(args) => schema::run(&args, ui),
        Command::Version(args) => version::run(&args, ui),
        Command::Completions(args) => completions::run(&args, ui),
        Command::Man(args) => man::run(&args, without_examples(), ui),
        Command::Judge => judge::run(ui),
        Command::Worker(args) => worker::run(&args),
        #[cfg(target_os = "linux")]
        Command::AuditKeeper(args) => audit_keeper::run(&args, ui),
        Command::Spawner => {
            let running = run::own_executable()?;
            crate::zygote::spawner::serve(&running).map(|()| Exit::Done).or_fail(Exit::Fault)
        }
        Command::Probe => match crate::zygote::probe_process().or_fail(Exit::Fault)? {},
    }
}
