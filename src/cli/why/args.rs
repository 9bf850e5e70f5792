//! The arguments of `sandproof why`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::super::policy_source::{PolicyOptions, pair};

/// Ask what a policy decides about one operation, and which rule does; nothing is executed.
///
/// The answer comes from the model, on any host: it is worked out from the policy's text and is never more than that.
/// With --ask many questions are put at once, each with what it expects; with --log the lines of a log are explained.
/// Exit codes: 0 for a decision, 1 if an answer is not the expected one or speaks against the model, 8 if the model cannot
/// know, 9 if there was nothing to ask, 3 if the policy is refused.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["operation", "driver", "ask", "log"]))]
pub(in crate::cli) struct WhyArgs {
    /// A policy document (Seatbelt text or Landlock JSON), `-` for standard input, or the id of a profile of a registry.
    #[arg(long, value_name = "ID|FILE", required_unless_present = "ask")]
    pub(super) profile: Option<PathBuf>,
    /// The operation, under Seatbelt's name, such as `file-read-data`.
    #[arg(long, value_name = "OP", requires = "target")]
    pub(super) operation: Option<String>,
    /// What it would be attempted on: a path, a name, HOST:PORT, a class, or self, same-sandbox, others.
    #[arg(long, value_name = "T", conflicts_with_all = ["ask", "log"])]
    pub(super) target: Option<String>,
    /// Which filter the target is, where the operation's usual one is not meant, such as `local-name`.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["ask", "log"])]
    pub(super) filter: Option<String>,
    /// The system call, where the operation's usual one is not meant: open, openat, openat_rootrel, stat, lstat, …
    #[arg(long, value_name = "NAME", conflicts_with_all = ["ask", "log"])]
    pub(super) syscall: Option<String>,
    /// The driver that would attempt it; stands for operation and system call.
    #[arg(long, value_name = "NAME", conflicts_with = "syscall", requires = "target")]
    pub(super) driver: Option<String>,
    /// The second path of a link, a clone or a rename.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["ask", "log"])]
    pub(super) to: Option<String>,
    /// A symbolic link that is there, beside those of an installed system.
    #[arg(long = "link", value_name = "PATH=TEXT", value_parser = pair)]
    pub(super) links: Vec<(String, String)>,
    /// A further fact about the target, by filter: `file-mode=0600`, `vnode-type=DIRECTORY`; or about the process:
    /// `extension=CLASS`, `entitlement=NAME` (each several times, or `none`), `home=PATH`.
    #[arg(long = "fact", value_name = "FILTER=VALUE", value_parser = pair)]
    pub(super) facts: Vec<(String, String)>,
    /// Put the questions of a file, one JSON object a line: `operation` or `driver`, `target`, and what is `expected`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["operation", "driver", "log"])]
    pub(super) ask: Option<PathBuf>,
    /// Explain the denials in a log, of the kernel, of the sandbox daemon, or of audit; without FILE or with `-`, standard
    /// input.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-",
        conflicts_with_all = ["operation", "driver"])]
    pub(super) log: Option<PathBuf>,
    #[command(flatten)]
    pub(super) policy: PolicyOptions,
    /// Print the answer as JSON.
    #[arg(long)]
    pub(super) json: bool,
}
