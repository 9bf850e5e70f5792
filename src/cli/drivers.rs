//! `sandproof list-drivers` and `describe-driver`: what can be asked.

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::exit::{Exit, Failure};
use super::key_values::KeyValues;
use super::table;
use super::ui::Ui;
use crate::base::json_out;
use crate::base::suggest::hint_for;
use crate::evidence;
use crate::plan::template;
use crate::record::driver::{Denials, Driver, DriverInfo, Effect, PAYLOADS, Param, Platform, TargetKind};
use crate::record::enforcer::Enforcer;

/// Which drivers are listed.
#[derive(Debug, Args)]
pub(super) struct ListDriversArgs {
    /// Only those that may stand for this operation, as Seatbelt names it: `file-read-data`.
    #[arg(long, value_name = "OPERATION")]
    operation: Option<String>,
    /// Only those of this system. Default: of this host's.
    #[arg(long, value_enum, value_name = "SYSTEM")]
    system: Option<SystemArg>,
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

/// The systems, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SystemArg {
    /// Linux.
    Linux,
    /// macOS.
    Macos,
    /// Linux and macOS.
    All,
}

impl SystemArg {
    fn has(self, info: &DriverInfo) -> bool {
        match self {
            Self::Linux => info.platforms.linux(),
            Self::Macos => info.platforms.macos(),
            Self::All => true,
        }
    }

    fn here() -> Self {
        match Platform::here() {
            Some(Platform::Linux) => Self::Linux,
            Some(Platform::Macos) => Self::Macos,
            None => Self::All,
        }
    }
}

/// The arguments of `describe-driver`.
#[derive(Debug, Args)]
pub(super) struct DescribeDriverArgs {
    /// Its name, as a probe's `driver` has it.
    driver: String,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

/// `describe-driver --json`
#[derive(Debug, Serialize)]
struct DriverDescription {
    #[serde(flatten)]
    driver: DriverFacts,
    /// A probe that it performs, with the shipped plan that runs it; null if none ships.
    example: Option<Example>,
}

/// What is known about a driver.
#[derive(Debug, Serialize)]
struct DriverFacts {
    /// The name, as a probe's `driver` has it.
    driver: &'static str,
    /// What it does.
    description: String,
    /// The systems on which it exists, and the call that is the operation there.
    calls: Vec<SystemCall>,
    /// The operations that it may stand for; the first is the usual one.
    operations: Vec<&'static str>,
    /// What a probe's `target` is.
    target: &'static str,
    /// The keys that a probe needs beside `target`.
    needs: Vec<&'static str>,
    /// The values of `attr_payload`, the first of them the default; empty if it takes none.
    payloads: Vec<&'static str>,
    /// The kind of listener that has to be there; null if nothing needs to listen.
    listener: Option<&'static str>,
    /// Whether it changes its target, which then has to be the run's own.
    effect: &'static str,
    /// Which answers are a denial, and whose.
    denials: Vec<DenialAnswers>,
}

/// The call that is the operation, on one system.
#[derive(Debug, Serialize)]
struct SystemCall {
    system: &'static str,
    call: &'static str,
}

/// The answers that mean "refused", by whom.
#[derive(Debug, Serialize)]
struct DenialAnswers {
    /// The enforcer or platform whose refusal has these answers.
    by: DenialSource,
    /// Names of error numbers.
    errnos: Vec<&'static str>,
    /// Codes of the call's own space.
    codes: Vec<i32>,
}

/// Who can refuse an operation.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum DenialSource {
    Landlock,
    Seatbelt,
    /// Whatever refuses without a policy, in the baseline.
    Platform,
}

impl DenialSource {
    fn enforcer(self) -> Option<Enforcer> {
        match self {
            Self::Landlock => Some(Enforcer::Landlock),
            Self::Seatbelt => Some(Enforcer::Seatbelt),
            Self::Platform => None,
        }
    }
}

/// A probe that ships.
#[derive(Debug, Serialize)]
struct Example {
    /// The template that its plan is.
    template: String,
    /// The profile under which it runs.
    profile: String,
    /// The probe, as its registry has it.
    probe: Value,
}

/// There is no such driver, or none that fits.
#[derive(Debug, thiserror::Error)]
#[error("{what}; {remedy}")]
struct NoDriver {
    what: String,
    remedy: String,
}

/// Lists the drivers.
pub(super) fn list(args: &ListDriversArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let system = args.system.unwrap_or_else(SystemArg::here);
    let of_system = || Driver::ALL.iter().copied().filter(|driver| system.has(&driver.info()));
    let drivers: Vec<Driver> = match args.operation.as_deref() {
        None => of_system().collect(),
        Some(operation) => {
            let found: Vec<Driver> =
                of_system().filter(|driver| driver.info().operations.contains(&operation)).collect();
            if found.is_empty() {
                let known: Vec<&str> =
                    of_system().flat_map(|driver| driver.info().operations.iter().copied()).collect();
                let remedy = hint_for(operation, known, "`sandproof list-drivers` names the operation of each");
                let what = format!("no driver stands for the operation `{operation}`");
                return Err(Failure::new(Exit::InputRefused, NoDriver { what, remedy }));
            }
            found
        }
    };
    if args.json {
        ui.answer_with("driver_list", "drivers", &drivers.into_iter().map(facts).collect::<Vec<_>>());
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = drivers
        .into_iter()
        .map(|driver| {
            let info = driver.info();
            vec![info.name.to_owned(), info.operations[0].to_owned(), driver.description()]
        })
        .collect();
    ui.out(&table::fitted(&["DRIVER", "OPERATION", "WHAT IT DOES"], &rows, ui.width()));
    Ok(Exit::Done)
}

/// Describes one driver.
pub(super) fn describe(args: &DescribeDriverArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let Some(driver) = Driver::by_name(&args.driver) else {
        let known = Driver::ALL.iter().map(|driver| driver.info().name);
        let remedy = hint_for(&args.driver, known, "`sandproof list-drivers` lists them");
        let what = format!("there is no driver `{}`", args.driver);
        return Err(Failure::new(Exit::InputRefused, NoDriver { what, remedy }));
    };
    let facts = facts(driver);
    let example = template::example(driver).map(|carried| Example {
        template: carried.template_id,
        profile: carried.profile_id,
        probe: serde_json::to_value(&carried.probe).expect("a probe is JSON"),
    });
    if args.json {
        ui.answer("driver_description", &DriverDescription { driver: facts, example });
        return Ok(Exit::Done);
    }
    let mut lines = KeyValues::default();
    lines.line("driver", facts.driver);
    lines.line("does", &facts.description);
    lines.list(
        "call",
        facts
            .calls
            .iter()
            .map(|it| format!("{} ({})", it.call, it.system))
            .collect::<Vec<_>>()
            .iter()
            .map(String::as_str),
    );
    lines.list("operations", facts.operations.iter().copied());
    lines.line("target", facts.target);
    lines.maybe("needs", (!facts.needs.is_empty()).then(|| facts.needs.join(", ")).as_deref());
    lines.maybe("payloads", (!facts.payloads.is_empty()).then(|| facts.payloads.join(", ")).as_deref());
    lines.maybe("listener", facts.listener);
    lines.line("effect", facts.effect);
    let denials: Vec<String> = facts.denials.iter().map(DenialAnswers::in_words).collect();
    lines.list("denied by", denials.iter().map(String::as_str));
    let mut out = lines.render();
    if let Some(example) = example {
        out.blank();
        out.line(format!(
            "A probe that ships, in the profile `{}` of the plan `{}`:",
            example.profile, example.template
        ));
        out.blank();
        String::from_utf8_lossy(&json_out::to_pretty(&example.probe))
            .lines()
            .for_each(|line| out.line(format!("  {line}")));
        out.blank();
        out.line("Run with the plan:");
        out.blank();
        out.line(format!("  sandproof plan-build --template {0} --out {0}", example.template));
        out.line(format!("  sandproof run --plan {} --only-profile {}", example.template, example.profile));
    }
    ui.out(&out);
    Ok(Exit::Done)
}

fn facts(driver: Driver) -> DriverFacts {
    let info = driver.info();
    let calls = [(Platform::Linux, info.syscall), (Platform::Macos, info.darwin_call)];
    let denials = [
        (DenialSource::Landlock, Platform::Linux, info.platforms.linux()),
        (DenialSource::Seatbelt, Platform::Macos, info.platforms.macos()),
        (DenialSource::Platform, if info.platforms.linux() { Platform::Linux } else { Platform::Macos }, true),
    ];
    DriverFacts {
        driver: info.name,
        description: driver.description(),
        calls: calls
            .into_iter()
            .filter(|(platform, _)| info.platforms.has(*platform))
            .map(|(platform, call)| SystemCall { system: platform.title(), call })
            .collect(),
        operations: info.operations.to_vec(),
        target: target_words(info.target),
        needs: info.params.iter().filter_map(|param| needed_key(*param)).collect(),
        payloads: if info.params.contains(&Param::Payload) { PAYLOADS.to_vec() } else { Vec::new() },
        listener: driver.listener().map(|kind| kind.as_str()),
        effect: match info.effect {
            Effect::Reads => "changes nothing",
            Effect::OpensForWriting => "opens its target for writing, and writes nothing",
            Effect::Changes => "changes its target, which has to be the run's own: below `${root}`",
        },
        denials: denials
            .into_iter()
            .filter(|(_, _, exists)| *exists)
            .map(|(by, platform, _)| DenialAnswers::of(by, info.denials(by.enforcer()), platform))
            .collect(),
    }
}

impl DenialAnswers {
    fn of(by: DenialSource, denials: Denials, platform: Platform) -> Self {
        let name = |number: &i32| evidence::errno_name(platform, *number).expect("the table names known numbers");
        Self { by, errnos: denials.errnos.iter().map(name).collect(), codes: denials.codes.to_vec() }
    }

    fn in_words(&self) -> String {
        let codes = self.codes.iter().map(|code| format!("code {code}"));
        let answers: Vec<String> = self.errnos.iter().map(|name| (*name).to_owned()).chain(codes).collect();
        let answers = if answers.is_empty() { "no answer of the call".to_owned() } else { answers.join(", ") };
        let by = self.by.enforcer().map_or("the platform, in the baseline", |enforcer| enforcer.info().title);
        format!("{by}: {answers}")
    }
}

/// What stands in `target`.
fn target_words(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Path => "a path",
        TargetKind::Endpoint => "HOST:PORT",
        TargetKind::AbstractName => "an abstract name",
        TargetKind::Variable => "a variable's name",
        TargetKind::Name => "a name",
        TargetKind::Process => "`self`, `outside` or a process id",
        TargetKind::HandedDown | TargetKind::SharedMemory | TargetKind::OutsideProcess | TargetKind::None => {
            "a word for people: it names nothing"
        }
    }
}

/// The key of a parameter that cannot be left out.
fn needed_key(param: Param) -> Option<&'static str> {
    match param {
        Param::To => Some("to"),
        Param::Name => Some("attribute"),
        Param::Payload => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_driver_has_a_description_an_example_and_names_for_its_denials() {
        for driver in Driver::ALL.iter().copied() {
            let name = driver.info().name;
            let text = driver.description();
            assert!(text.ends_with('.') && !text.contains("[`") && !text.contains("  "), "{name}: {text}");
            let example = template::example(driver).unwrap_or_else(|| panic!("no plan that ships runs `{name}`"));
            assert_eq!(example.probe.driver.as_deref(), Some(name));
            let facts = facts(driver);
            assert!(!facts.calls.is_empty() && !facts.denials.is_empty(), "{name}");
        }
    }
}
