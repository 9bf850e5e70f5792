//! The sides that answer for a worker's context, and the list of their answers.

use crate::base::ids::RunId;
use crate::record::channel_witness::{JobFacts, ManagerAccount, WitnessCheck, WorkerWitness};
use crate::record::identity::Declaration;
use crate::record::manifest::ChannelKind;
use crate::record::run_identity::{ChannelElement, UserElement};

/// What a run declared of its worker before that existed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredWorker {
    /// How it is started, and what the manager is told.
    pub channel: ChannelElement,
    /// Who runs it.
    pub user: UserElement,
}

impl DeclaredWorker {
    /// Reads it from a declaration; nothing if that is no run's.
    pub fn of(declaration: &Declaration) -> Option<Self> {
        let element = |name: &str| declaration.runtime.get(name).cloned();
        Some(Self {
            channel: serde_json::from_value(element("channel")?).ok()?,
            user: serde_json::from_value(element("user")?).ok()?,
        })
    }

    pub(super) fn is_root(&self) -> bool {
        self.user.uid_class == "root"
    }
}

/// What is asked about, and the sides that answer. A side that is missing leaves its questions without an answer.
#[derive(Debug, Clone, Copy)]
pub struct WitnessSides<'a> {
    /// How the worker is started: `direct`, `launchd_clean` or `systemd_clean`.
    pub channel: ChannelKind,
    /// Id of the run.
    pub run_id: &'a RunId,
    /// What was declared.
    pub declared: Option<&'a DeclaredWorker>,
    /// What the worker said.
    pub worker: Option<&'a WorkerWitness>,
    /// What the manager said.
    pub manager: Option<&'a ManagerAccount>,
    /// What the job definition carried.
    pub job: Option<&'a JobFacts>,
}

impl<'a> WitnessSides<'a> {
    pub(super) fn own<T>(&self, read: impl Fn(&'a WorkerWitness) -> Option<T>) -> Option<T> {
        self.worker.and_then(read)
    }

    pub(super) fn told<T>(&self, read: impl Fn(&'a ManagerAccount) -> Option<T>) -> Option<T> {
        self.manager.and_then(read)
    }

    /// A line of the manager's account.
    pub(super) fn line(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.manager?.raw.iter().find(|(known, _)| known == name)?;
        Some(value.as_str())
    }
}

/// The answers, in the order of the questions.
pub(super) struct WitnessChecks(pub(super) Vec<WitnessCheck>);

impl WitnessChecks {
    pub(super) fn add(&mut self, check: &str, ok: Option<bool>, found: String) {
        self.0.push(WitnessCheck { check: check.to_string(), ok, found });
    }

    /// Both sides have to be known, not empty, and equal.
    pub(super) fn same(&mut self, check: &str, found: Option<String>, wanted: Option<String>) {
        let (ok, text) = match (found, wanted) {
            (Some(found), Some(wanted)) if found.is_empty() || wanted.is_empty() => {
                (None, format!("found `{found}`, wanted `{wanted}`: an empty text is no answer"))
            }
            (Some(found), Some(wanted)) if found == wanted => (Some(true), format!("`{found}`")),
            (Some(found), Some(wanted)) => (Some(false), format!("found `{found}`, wanted `{wanted}`")),
            (found, wanted) => (None, format!("found {}, wanted {}", or_unknown(found), or_unknown(wanted))),
        };
        self.add(check, ok, text);
    }

    /// Nothing may be wrong; `None`: it is not known.
    pub(super) fn nothing_wrong(&mut self, check: &str, wrong: Option<Vec<String>>, good: impl Into<String>) {
        match wrong {
            None => self.add(check, None, "not known".to_string()),
            Some(wrong) if wrong.is_empty() => self.add(check, Some(true), good.into()),
            Some(wrong) => self.add(check, Some(false), wrong.join("; ")),
        }
    }
}

pub(super) fn or_unknown(text: Option<String>) -> String {
    text.map_or_else(|| "nothing".to_string(), |text| format!("`{text}`"))
}
