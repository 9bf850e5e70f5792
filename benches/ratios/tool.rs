//! The program under measurement, this program as a floor, and the folders that both work in.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use super::{Result, Scale};

/// Everything that an item needs.
#[derive(Debug)]
pub struct Tool {
    program: PathBuf,
    /// How much is measured.
    pub scale: Scale,
    /// On a real disk, beside the executable: durability costs nothing elsewhere.
    disk: TempDir,
    /// On a RAM file system: fixtures on a disk would measure that disk.
    ram: TempDir,
}

/// One finished run of the program.
#[derive(Debug)]
pub struct Run {
    /// From start to end of its process, in seconds.
    pub seconds: f64,
    /// Its bundle.
    pub bundle: PathBuf,
}

impl Tool {
    /// Checks that the program can be started, and makes the folders.
    pub fn new(program: PathBuf, scale: Scale) -> Result<Self> {
        let version = Command::new(&program).arg("--version").stdin(Stdio::null()).output();
        if !version.as_ref().is_ok_and(|output| output.status.success()) {
            return Err(format!("`{} --version` does not work", program.display()).into());
        }
        let beside = program.parent().ok_or("the program's path has no folder")?;
        let disk = tempfile::Builder::new().prefix("bench-").tempdir_in(beside)?;
        if is_in_memory(disk.path())? {
            return Err(format!("{} is in memory; bundles have to be measured on a disk", beside.display()).into());
        }
        let ram = tempfile::Builder::new().prefix("sandproof-bench-").tempdir_in("/dev/shm")?;
        Ok(Self { program, scale, disk, ram })
    }

    /// A new folder on the disk.
    pub fn on_disk(&self, name: &str) -> Result<PathBuf> {
        let path = self.disk.path().join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// A new folder in memory.
    pub fn in_memory(&self, name: &str) -> Result<PathBuf> {
        let path = self.ram.path().join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// The program with arguments, its streams closed.
    pub fn command<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Command {
        quiet(Command::new(&self.program), arguments)
    }

    /// A floor: this program in a hidden mode.
    pub fn floor<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("floor");
        Ok(quiet(command, arguments))
    }

    /// `sandproof run` in a workspace, as a command.
    pub fn run_command(&self, workspace: &Path, out: &Path, jobs: usize) -> Result<Command> {
        let fixtures = self.in_memory("fixtures")?;
        let mut command = self.command(["run", "--plan", "plans/bench/plan.json", "--json"]);
        command.current_dir(workspace).arg("--out").arg(out).arg("--fixtures").arg(fixtures);
        command.arg("--jobs").arg(jobs.to_string());
        Ok(command)
    }

    /// One run of a workspace's plan; everything in it has to be as expected.
    pub fn run(&self, workspace: &Path, out: &Path, jobs: usize) -> Result<Run> {
        fs::create_dir_all(out)?;
        let seconds = timed(&mut self.run_command(workspace, out, jobs)?)?;
        Ok(Run { seconds, bundle: latest(out)? })
    }

    /// The same where no process may be bound to a processor; its seconds.
    pub fn run_unbound(&self, workspace: &Path, out: &Path, jobs: usize) -> Result<f64> {
        let bound = self.run_command(workspace, out, jobs)?;
        let words = [OsStr::new("unbound"), bound.get_program()].into_iter().chain(bound.get_args());
        timed(self.floor(words)?.current_dir(workspace))
    }
}

/// The bundle that was committed last under `out`.
pub fn latest(out: &Path) -> Result<PathBuf> {
    let pointer = fs::read_to_string(out.join("LATEST"))?;
    let name = Path::new(pointer.trim()).file_name().ok_or("LATEST names no bundle")?;
    Ok(out.join(name))
}

#[cfg(target_os = "linux")]
fn is_in_memory(path: &Path) -> Result<bool> {
    use nix::sys::statfs::{TMPFS_MAGIC, statfs};
    Ok(statfs(path)?.filesystem_type() == TMPFS_MAGIC)
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_path: &Path) -> Result<bool> {
    Err("the floors are made for Linux".into())
}

fn quiet<I: AsRef<OsStr>>(mut command: Command, arguments: impl IntoIterator<Item = I>) -> Command {
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The seconds from start to end of a command, which has to succeed.
pub fn timed(command: &mut Command) -> Result<f64> {
    let started = Instant::now();
    let child = command.spawn()?;
    finished(command, child)?;
    Ok(started.elapsed().as_secs_f64())
}

/// Waits for a command's process, which has to succeed; what it printed on its standard output, if that is a pipe.
pub fn finished(command: &Command, child: Child) -> Result<String> {
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} ended with {}: {}", output.status, said.trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What commands print on their standard output, which has to be one number each. They go at the same time.
pub fn numbers_from(commands: impl IntoIterator<Item = Command>) -> Result<Vec<f64>> {
    let started = commands.into_iter().map(|mut command| {
        let child = command.stdout(Stdio::piped()).spawn()?;
        Ok((command, child))
    });
    // All of them are started before the first one is waited for.
    let started = started.collect::<Result<Vec<_>>>()?;
    started.into_iter().map(|(command, child)| Ok(finished(&command, child)?.trim().parse()?)).collect()
}

/// What one command prints on its standard output, which has to be one number.
pub fn number_from(command: Command) -> Result<f64> {
    Ok(numbers_from([command])?[0])
}
