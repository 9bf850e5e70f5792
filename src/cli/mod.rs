//! The command line: arguments in, results on standard output, remarks on standard error, an exit code.

#[cfg(target_os = "linux")]
mod as_init;
pub mod exit;
mod progress;
mod run;
mod run_report;
mod signals;
mod table;
pub mod ui;

use clap::{Parser, Subcommand};

use exit::OrFail;
pub use exit::{Exit, Failure};
use ui::Ui;

use crate::plan::LoadError;

/// Proves what a sandbox policy really allows and denies on this host.
#[derive(Debug, Parser)]
#[command(name = "sandproof", version, about, long_about = None, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    /// Serves probe jobs from the socket on descriptor 0. Started by `run`, not by people.
    #[command(name = "__zygote", hide = true)]
    Zygote,
}

/// Parses the arguments of this process, does what they say, and returns the exit code.
pub fn main() -> u8 {
    #[cfg(target_os = "linux")]
    if let Some(code) = as_init::take_over() {
        return code;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            return code.code();
        }
    };
    let mut ui = Ui::standard();
    let outcome = dispatch(cli.command, &mut ui);
    exit::conclude(outcome)
}

fn dispatch(command: Command, ui: &mut Ui) -> Result<Exit, Failure> {
    match command {
        Command::Run(args) => args.run(ui),
        Command::Zygote => crate::zygote::serve().map(|()| Exit::Done).or_fail(Exit::Fault),
    }
}

/// Classifies a plan that could not be loaded.
fn plan_failure(error: LoadError) -> Failure {
    let exit = match error {
        LoadError::NothingSelected { .. } => Exit::NothingRan,
        _ => Exit::InputRefused,
    };
    Failure::new(exit, error)
}
