//! `sandproof completions`

use clap::Args;
use clap_complete::Shell;

use super::complete;
use super::exit::{Exit, Failure};
use super::ui::Ui;

/// Print a completion script for a shell: commands, options, and ids of plans, registries, profiles, probes, templates, reasons,
/// schemas and drivers.
///
/// For bash: `sandproof completions bash > ~/.local/share/bash-completion/completions/sandproof`; for zsh, `_sandproof` in a
/// folder of `$fpath`; for fish, `~/.config/fish/completions/sandproof.fish`. The script asks the `sandproof` of the search
/// path what may follow. Print it again after an update.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Shell to make completions for.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub(super) fn run(args: &CompletionsArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    ui.bytes(&complete::script(args.shell));
    Ok(Exit::Done)
}
