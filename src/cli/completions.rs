//! `sandproof completions`

use clap::{Args, Command};
use clap_complete::Shell;

use super::exit::{Exit, Failure};
use super::ui::Ui;

/// Print a completion script for a shell.
///
/// For bash: `sandproof completions bash > ~/.local/share/bash-completion/completions/sandproof`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Shell to make completions for.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script, made from `command`: the definitions that parse the command line.
pub(super) fn run(args: &CompletionsArgs, mut command: Command, ui: &mut Ui) -> Result<Exit, Failure> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    ui.bytes(&script);
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{command, visible};
    use clap::ValueEnum;

    #[test]
    fn every_visible_subcommand_is_in_every_script_and_no_hidden_one() {
        let visible_names: Vec<String> = visible().get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        let all = command();
        let hidden: Vec<&str> =
            all.get_subcommands().filter(|sub| sub.is_hide_set()).map(|sub| sub.get_name()).collect();
        assert!(!hidden.is_empty() && visible_names.len() > 10);
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut visible(), "sandproof", &mut script);
            let script = String::from_utf8(script).unwrap();
            for name in &visible_names {
                assert!(script.contains(name.as_str()), "{shell}: {name}");
            }
            for name in &hidden {
                assert!(!script.contains(name), "{shell}: {name}");
            }
        }
    }
}
