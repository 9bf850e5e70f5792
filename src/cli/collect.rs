//! `sandproof collect`

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use super::exit::{Exit, Failure, OrFail};
use super::first_plan::FIRST_TEMPLATE;
use super::out::output_exit;
use super::run::own_executable;
use super::scratch::ScratchFolder;
use super::ui::Ui;
use crate::base::archive::{self, ArchiveError};
use crate::base::json_out;
use crate::record::collected::{COLLECTED, COLLECTED_SCHEMA, COLLECTED_SELFTEST, Collected, CollectedStep};

/// The clean channel of this system.
const CLEAN_CHANNEL: &str = if cfg!(target_os = "macos") { "launchd_clean" } else { "systemd_clean" };
/// Where what the steps print lies in the archive.
const PRINTED: &str = "printed";

/// Ask this host everything, run the first plan twice, and put all of it into one archive to send.
///
/// The steps are commands of this program: `status`, `selftest`, the plan that is the first to try once directly and once
/// through the clean channel. Whatever a step ends with, what it left is collected. The archive (tar, plain files, nothing
/// compressed) holds no file of yours; bundles name this user's class, the variables of the environment and digests of
/// their values. `learn` reads it, on any machine.
///
/// Exit 0 if every step ended with an answer (0, 1 or 8); 8 if one did not, with the archive there all the same.
#[derive(Debug, Args)]
pub(super) struct CollectArgs {
    /// The archive, which must not exist.
    #[arg(long, value_name = "FILE", default_value = "sandproof-collected.tar")]
    out: PathBuf,
    /// Run this plan instead of the first one to try.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
}

/// The archive cannot be made there.
#[derive(Debug, thiserror::Error)]
#[error("could not make the archive `{}`, which must be a new file", path.display())]
struct NotMade {
    path: PathBuf,
    #[source]
    source: ArchiveError,
}

/// Collects.
#[expect(
    clippy::disallowed_methods,
    reason = "a folder of its own that nobody else reads, and that is gone at the end"
)]
pub(super) fn run(args: &CollectArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let exe = own_executable()?;
    if args.out.symlink_metadata().is_ok() {
        let source = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        let source = crate::base::fsx::FileError { action: "create", path: args.out.clone(), source }.into();
        return Err(Failure::new(Exit::Usage, NotMade { path: args.out.clone(), source })
            .hint("name another with `--out FILE`"));
    }
    let folder = ScratchFolder::new("collect")?;
    std::fs::create_dir(folder.path().join(PRINTED)).or_fail(Exit::Fault)?;
    let mut steps = CollectSteps { exe, folder: folder.path(), done: Vec::new() };
    steps.run(ui, "status", &["status", "--json"])?;
    steps.run(ui, "selftest", &["selftest", "--out", &steps.at(COLLECTED_SELFTEST)])?;
    let plan = match &args.plan {
        Some(plan) => std::path::absolute(plan).or_fail(Exit::Usage)?.display().to_string(),
        None => {
            steps.run(ui, "plan", &["plan-build", "--template", FIRST_TEMPLATE, "--out", &steps.at("plan")])?;
            steps.at("plan/plan.json")
        }
    };
    steps.run(ui, "direct", &["run", "--plan", &plan, "--out", &steps.at("direct")])?;
    steps.run(ui, "clean", &["run", "--plan", &plan, "--channel", CLEAN_CHANNEL, "--out", &steps.at("clean")])?;

    let collected = Collected {
        schema_version: COLLECTED_SCHEMA.to_owned(),
        version: crate::base::VERSION.to_owned(),
        os: std::env::consts::OS.to_owned(),
        steps: steps.done,
    };
    let mut bytes = json_out::to_pretty(&collected);
    bytes.push(b'\n');
    std::fs::write(folder.path().join(COLLECTED), bytes).or_fail(Exit::Fault)?;
    let files = archive::pack(folder.path(), &args.out).map_err(|source| {
        let exit = match &source {
            ArchiveError::File(error) => output_exit(&error.source),
            _ => Exit::Fault,
        };
        Failure::new(exit, NotMade { path: args.out.clone(), source })
    })?;
    for step in &collected.steps {
        let ended = match (step.exit_code, step.signal) {
            (Some(code), _) => format!("exit {code}"),
            (None, signal) => format!("ended by signal {}", signal.unwrap_or_default()),
        };
        let mark = if step.is_answer() { "" } else { "  (no answer: what it said is in the archive)" };
        ui.line(format!("{:9} {ended}{mark}", step.step));
    }
    ui.line(format!("wrote {} ({files} files): send this one file", args.out.display()));
    Ok(if collected.steps.iter().all(CollectedStep::is_answer) { Exit::Done } else { Exit::Undecided })
}

/// The commands that are run.
struct CollectSteps<'f> {
    exe: PathBuf,
    folder: &'f Path,
    done: Vec<CollectedStep>,
}

impl CollectSteps<'_> {
    /// A file of the archive, where it lies while it is made.
    fn at(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this program itself, which has limits of its own and is interrupted with it"
    )]
    fn run(&mut self, ui: &mut Ui, step: &str, arguments: &[&str]) -> Result<(), Failure> {
        ui.remark(format!("{step}: {}", arguments[0]));
        let (stdout, stderr) = (format!("{PRINTED}/{step}.stdout.txt"), format!("{PRINTED}/{step}.stderr.txt"));
        let open = |name: &str| File::create_new(self.folder.join(name)).or_fail(Exit::Fault);
        // In this process's own group, so that whoever interrupts this interrupts that.
        let status = Command::new(&self.exe)
            .args(arguments.iter().map(OsString::from))
            .stdin(Stdio::null())
            .stdout(open(&stdout)?)
            .stderr(open(&stderr)?)
            .status()
            .or_fail(Exit::Fault)?;
        let inside = format!("{}/", self.folder.display());
        self.done.push(CollectedStep {
            step: step.to_owned(),
            arguments: arguments.iter().map(|text| text.replace(&inside, "")).collect(),
            exit_code: status.code(),
            signal: status.signal(),
            stdout,
            stderr,
        });
        Ok(())
    }
}
