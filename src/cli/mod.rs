//! The command line: arguments in, results on standard output, remarks on standard error, an exit code.
//!
//! One subcommand, one file.

#[cfg(target_os = "linux")]
mod as_init;
mod attempts;
mod color;
mod completions;
mod confinement;
mod derive;
mod describe_plan;
mod describe_probe;
mod describe_profile;
mod diff_runs;
mod emit_promotion;
pub mod exit;
mod explain;
mod faults;
mod findings;
mod identity;
mod inventory;
mod links;
mod list_plans;
mod list_probes;
mod list_profiles;
mod list_registries;
mod list_templates;
mod man;
mod out;
mod plan_build;
mod plan_folder;
mod plan_lint;
mod policy;
mod policy_source;
mod progress;
mod refusal;
mod registry_lint;
mod registry_upgrade;
mod reindex_bundle;
mod report;
mod run;
mod run_report;
mod schema;
mod selftest;
mod sheet;
mod signals;
mod status;
mod summarize_ops;
mod table;
pub mod ui;
mod validate_bundle;
mod version;
mod why;
mod worker;

use std::ffi::OsString;
use std::io::Write;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::base::printable::printable;
use crate::process::SUBCOMMAND;
use exit::OrFail;
pub use exit::{Exit, Failure};
use ui::Ui;

/// Proves what a sandbox policy really allows and denies on this host.
#[derive(Debug, Parser)]
#[command(name = "sandproof", version, about, long_about = None, max_term_width = 100)]
struct Cli {
    /// When to colour what is for people.
    #[arg(long, value_enum, global = true, value_name = "WHEN", default_value_t = color::When::Auto)]
    color: color::When,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    ValidateBundle(validate_bundle::ValidateBundle),
    EmitPromotion(emit_promotion::EmitPromotion),
    ReindexBundle(reindex_bundle::ReindexBundle),
    Attempts(attempts::AttemptsArgs),
    DiffRuns(diff_runs::DiffRunsArgs),
    Derive(derive::Derive),
    Report(report::ReportArgs),
    SummarizeOps(summarize_ops::SummarizeOpsArgs),
    Links(links::LinksArgs),
    Identity(identity::IdentityArgs),
    Why(why::WhyArgs),
    Policy(policy::PolicyArgs),
    Explain(explain::ExplainArgs),
    Status(status::StatusArgs),
    Selftest(selftest::SelftestArgs),
    Inventory(inventory::InventoryArgs),
    PlanBuild(plan_build::PlanBuildArgs),
    PlanLint(plan_lint::PlanLintArgs),
    RegistryLint(registry_lint::RegistryLintArgs),
    RegistryUpgrade(registry_upgrade::RegistryUpgradeArgs),
    ListPlans(list_plans::ListPlansArgs),
    ListRegistries(list_registries::ListRegistriesArgs),
    ListTemplates(list_templates::ListTemplatesArgs),
    ListProbes(list_probes::ListProbesArgs),
    ListProfiles(list_profiles::ListProfilesArgs),
    DescribePlan(describe_plan::DescribePlanArgs),
    DescribeProbe(describe_probe::DescribeProbeArgs),
    DescribeProfile(describe_profile::DescribeProfileArgs),
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
    #[command(name = "__worker", hide = true)]
    Worker(worker::WorkerArgs),
}

/// The definitions that the command line is parsed with.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The same without the commands that are not for people: what completions and man pages are made from.
pub fn visible() -> clap::Command {
    let whole = command();
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
    #[cfg(target_os = "linux")]
    if let Some(code) = as_init::take_over() {
        return code;
    }
    faults::prepare();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let when = color::When::ahead_of_parsing(&arguments);
    let parsed = command().color(when.into()).try_get_matches_from(arguments);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            return parsing_ended(&error, when);
        }
    };
    cli.color.settle();
    let mut ui = Ui::standard();
    let outcome = dispatch(cli.command, &mut ui);
    exit::conclude_with(outcome, ui)
}

/// Prints what clap has to say: help, the version, or what is wrong with the arguments. Arguments are foreign texts too, and
/// one that is not shown as it is takes the colour from the message, so that no escape sequence is left in it.
fn parsing_ended(error: &clap::Error, when: color::When) -> u8 {
    let text = error.render();
    let mut ui = Ui::standard();
    if !error.use_stderr() {
        ui.bytes(
            if color::wanted(when, &std::io::stdout()) { text.ansi().to_string() } else { text.to_string() }.as_bytes(),
        );
        return exit::conclude_with(Ok(Exit::Done), ui);
    }
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let shown: Vec<OsString> =
        arguments.iter().map(|one| printable(&one.to_string_lossy()).into_owned().into()).collect();
    let harmless = shown == arguments;
    // The same complaint about the arguments as they can be shown. Where there is none then, the fault was in what cannot be.
    let plain = match command().try_get_matches_from(shown) {
        Err(said) if !harmless => said.render().to_string(),
        _ => text.to_string(),
    };
    if harmless && color::wanted(when, &std::io::stderr()) {
        let _ = std::io::stderr().lock().write_all(text.ansi().to_string().as_bytes());
    } else {
        ui.remarks(&plain.trim_end().lines().collect());
    }
    Exit::Usage.code()
}

fn dispatch(command: Command, ui: &mut Ui) -> Result<Exit, Failure> {
    match command {
        Command::Run(args) => args.run(ui),
        Command::ValidateBundle(command) => command.run(ui),
        Command::EmitPromotion(command) => command.run(ui),
        Command::ReindexBundle(command) => command.run(ui),
        Command::Attempts(args) => attempts::run(&args, ui),
        Command::DiffRuns(args) => diff_runs::run(&args, ui),
        Command::Derive(command) => command.run(ui),
        Command::Report(args) => report::run(&args, ui),
        Command::SummarizeOps(args) => summarize_ops::run(&args, ui),
        Command::Links(args) => links::run(&args, ui),
        Command::Identity(args) => identity::run(args, ui),
        Command::Why(args) => why::run(&args, ui),
        Command::Policy(args) => policy::run(&args, ui),
        Command::Explain(args) => explain::run(&args, ui),
        Command::Status(args) => status::run(&args, ui),
        Command::Selftest(args) => selftest::run(&args, ui),
        Command::Inventory(args) => inventory::run(&args, ui),
        Command::PlanBuild(args) => plan_build::run(&args, ui),
        Command::PlanLint(args) => plan_lint::run(&args, ui),
        Command::RegistryLint(args) => registry_lint::run(&args, ui),
        Command::RegistryUpgrade(args) => registry_upgrade::run(&args, ui),
        Command::ListPlans(args) => list_plans::run(&args, ui),
        Command::ListRegistries(args) => list_registries::run(&args, ui),
        Command::ListTemplates(args) => list_templates::run(&args, ui),
        Command::ListProbes(args) => list_probes::run(&args, ui),
        Command::ListProfiles(args) => list_profiles::run(&args, ui),
        Command::DescribePlan(args) => describe_plan::run(&args, ui),
        Command::DescribeProbe(args) => describe_probe::run(&args, ui),
        Command::DescribeProfile(args) => describe_profile::run(&args, ui),
        Command::Schema(args) => schema::run(&args, ui),
        Command::Version(args) => version::run(&args, ui),
        Command::Completions(args) => completions::run(&args, ui),
        Command::Man(args) => man::run(&args, ui),
        Command::Worker(args) => args.run(),
        Command::Spawner => {
            let running = run::own_executable().or_fail(Exit::Fault)?;
            crate::zygote::spawner::serve(&running).map(|()| Exit::Done).or_fail(Exit::Fault)
        }
        Command::Probe => match crate::zygote::probe_process().or_fail(Exit::Fault)? {},
    }
}
