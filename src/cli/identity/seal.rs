//! `sandproof identity seal`

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use clap::Args;

use super::super::exit::{Exit, Failure};
use super::super::failures::load_failure;
use super::super::run::environment;
use super::super::ui::Ui;
use super::roots::NamedRootArgs;
use crate::base::printable::printable;
use crate::bundle::sealed_folder;
use crate::plan::subject::read_declaration_file_with;
use crate::record::system_ending::{CommandEnd, SystemEnding};
use crate::seal::{DEFAULT_COPY_BYTES, SealBounds, SealError, SealOptions, SealRequest};

/// Run a command that can read nothing but what a document declares, after that was written down.
///
/// The document (schema `system_declaration_v2`, or `system_declaration` for the first format) names what may be read: /artifact/other/read (files and folders relative to it),
/// /runtime/other/read (absolute paths of programs and libraries), /runtime/other/environment (variables that pass) and
/// /runtime/other/stdin (an input that standard input reads; else it is empty); /runtime/other/connections are handed to it from descriptor 3 on. All of it is
/// copied into a root of the command's own and digested in the same pass; DIR/identity.json is written and synced; only then the
/// command starts, in `/in`, where the inputs are. It has no other network, and may write to `/scratch` and `/out`. DIR gets ending.json,
/// stdout, stderr, as `outputs` what was left in `/out`, and what the document was read from. `attempts` and `diff-runs` compare such folders.
///
/// Exit 0: it ran, exited with 0, and nothing drifted; 1: it failed; 3: the document is refused, or the command is not declared;
/// 7: this host does not let it be confined; 10: something that it read may have changed meanwhile.
#[derive(Debug, Args)]
pub(super) struct IdentitySealArgs {
    /// The document that describes the run.
    #[arg(long, value_name = "DOC")]
    from: PathBuf,
    #[command(flatten)]
    roots: NamedRootArgs,
    /// A folder for the results that does not exist yet, or is empty.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many bytes are copied into memory at most; files beyond that are held by a lease on them, or checked.
    #[arg(long, value_name = "BYTES", default_value_t = DEFAULT_COPY_BYTES)]
    copy_up_to: u64,
    /// Where namespaces are refused: confine the command to a copy of the inputs by Landlock and a filter of system calls alone. Names and
    /// metadata of files and /proc stay open to it, it runs below DIR, and the identity is partial.
    #[arg(long, conflicts_with = "observe")]
    weaker: bool,
    /// Run the command unconfined, and say so: the identity is partial.
    #[arg(long)]
    observe: bool,
    /// Print the ending as JSON.
    #[arg(long)]
    json: bool,
    /// The command and its arguments; may be left out if the document states them at /artifact/command.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Does it.
pub(super) fn run(args: &IdentitySealArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let subject = read_declaration_file_with(&args.from, args.roots.named()?).map_err(load_failure)?;
    let variables = environment();
    let value = |name: &str| {
        let found = variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| OsString::from_vec(value.clone()))
    };
    let request = SealRequest::of(&subject, &args.from, value, &args.command).map_err(failure)?;
    let bounds = match (args.observe, args.weaker) {
        (true, _) => SealBounds::Observed,
        (false, true) => SealBounds::Weaker,
        (false, false) => SealBounds::Full,
    };
    let options = SealOptions { out: args.out.clone(), copy_bytes: args.copy_up_to, bounds };
    let ending =
        crate::seal::seal(&request, &options, &|out| sealed_folder::write_sources(out, &subject)).map_err(failure)?;
    if args.json {
        ui.json(&ending);
    } else {
        tell(&ending, args, ui);
    }
    Ok(match () {
        () if !ending.drift.is_empty() => Exit::Drifted,
        () if ending.exit.is_success() => Exit::Done,
        () => Exit::Mismatch,
    })
}

fn tell(ending: &SystemEnding, args: &IdentitySealArgs, ui: &mut Ui) {
    ui.line(format!("{:<10}{}", "identity", ending.identity));
    let ended = match ending.exit {
        CommandEnd { code: Some(code), .. } => format!("exited with {code}"),
        CommandEnd { signal: Some(signal), .. } => format!("was ended by signal {signal}"),
        CommandEnd { code: None, signal: None } => "ended in an unknown way".to_owned(),
    };
    ui.line(format!("{:<10}{ended}", "command"));
    for item in &ending.drift {
        ui.line(format!("{:<10}{} `{}`: {}", "drift", item.pointer, printable(&item.path), item.how));
    }
    for why in &ending.partial {
        ui.line(format!("{:<10}{why}", "partial"));
    }
    for pointer in ending.declared_never_read.iter().flatten() {
        ui.line(format!("{:<10}{pointer}", "not read"));
    }
    let layers = if ending.layers.is_empty() { "none".to_owned() } else { ending.layers.join(", ") };
    ui.line(format!("{:<10}{layers}", "layers"));
    ui.remark(format!("`{}` holds identity.json, ending.json, stdout and stderr", args.out.display()));
}

fn failure(error: SealError) -> Failure {
    match &error {
        SealError::Request { .. }
        | SealError::Open { .. }
        | SealError::Interpreter { .. }
        | SealError::Root { .. }
        | SealError::Command { .. }
        | SealError::Changed { .. }
        | SealError::Folder(_)
        | SealError::Canon(_) => Failure::new(Exit::InputRefused, error),
        SealError::Out { .. } => Failure::new(Exit::Usage, error),
        #[cfg(not(target_os = "linux"))]
        SealError::OtherSystem => Failure::new(Exit::Unavailable, error),
        SealError::Unavailable { .. } => Failure::new(Exit::Unavailable, error)
            .hint(
                "within a container, user namespaces and an unmasked `/proc` have to be allowed; see docs/identity.md",
            )
            .hint("--weaker does without namespaces; the identity is then partial"),
        SealError::File(_) | SealError::Lost(_) => Failure::new(Exit::Fault, error),
    }
}
