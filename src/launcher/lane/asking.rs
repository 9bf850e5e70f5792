//! What a lane works with, and a question under way.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::question::LauncherQuestion;
use super::turns::Turns;
use crate::lane::cancel::Cancel;
use crate::lane::capability::HostCapabilities;
use crate::lane::fixture::FixtureBase;
use crate::launcher::said::PathIdentity;
use crate::policy::launcher::LauncherDocument;
use crate::record::launcher::LauncherRecord;

/// What a profile's lane works with.
#[derive(Debug)]
pub struct LauncherLane<'r> {
    /// The launcher's document.
    pub document: &'r LauncherDocument,
    /// This executable.
    pub exe: &'r Path,
    /// Where fixtures are made.
    pub base: &'r FixtureBase,
    /// What makes names the run's own.
    pub unique: &'r str,
    /// How long one operation may take, in milliseconds.
    pub deadline_ms: u64,
    /// Whether programs of the host may be executed inside.
    pub host_programs: bool,
    /// What host and user have.
    pub capabilities: &'r HostCapabilities,
    /// The cancellation of the run.
    pub cancel: &'r Cancel,
    /// How many starts work at the same time, also of other profiles.
    pub turns: &'r Turns,
    /// How old a first start has to be, whatever is asked, before it is believed that there is one worker in it.
    pub one_worker: Duration,
}

/// A question under way.
#[derive(Debug)]
pub(super) struct OpenQuestion {
    /// Place of the question's task in the lane, counted from 0.
    pub(super) task: usize,
    pub(super) question: LauncherQuestion,
    pub(super) record: LauncherRecord,
    /// What the effect of each asking carries.
    pub(super) greetings: Vec<String>,
    /// The file that each asking made, changed or removed, as the inside shows it.
    pub(super) touched: Vec<Option<PathIdentity>>,
    /// Device and inode of the target on the host, links followed.
    pub(super) host: Option<(u64, u64)>,
    /// Length and time of the target's content on the host, where the run has chosen them.
    pub(super) marked: Option<(i64, (i64, i64))>,
    /// What the variable in question holds.
    pub(super) token: Option<u64>,
    pub(super) started_at_unix_s: f64,
}

impl OpenQuestion {
    /// The variable that stands in for the one in question, with its value.
    pub(super) fn variable(&self) -> Option<(String, String)> {
        let token = self.token?;
        Some((self.question.action.target.clone(), format!("sandproof-{token:016x}")))
    }
}

/// What is in the workspace because the run has put it there.
#[derive(Debug, Default)]
pub(super) struct WorkspaceFiles {
    pub(super) paths: BTreeSet<PathBuf>,
}

impl WorkspaceFiles {
    /// What lies in the workspace and is not known, by path in it.
    pub(super) fn residue(&self, workspace: &str) -> Vec<String> {
        let mut found = Vec::new();
        self.walk(Path::new(workspace), Path::new(workspace), 0, &mut found);
        found.sort();
        found.truncate(20);
        found
    }

    fn walk(&self, workspace: &Path, folder: &Path, depth: usize, found: &mut Vec<String>) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            let own = entry.file_name().to_string_lossy().contains("sandproof-");
            if !self.paths.contains(&path) && !own {
                let within = path.strip_prefix(workspace).unwrap_or(&path);
                found.push(within.to_string_lossy().into_owned());
            } else if depth < 4 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.walk(workspace, &path, depth + 1, found);
            }
        }
    }
}
