//! The raw record: one row per probe and lane, in plan order, one file per lane.
//!
//! A row holds observations only. Verdicts are derived from rows by `evidence`, and can be derived again by anyone.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::action::Action;
use super::attribution::KernelAttribution;
use super::callout::CheckRequest;
use super::ending::Ending;
use super::fixture::ListenerKind;
use super::outcome::{Decision, FailureStage, Lane};
use super::report::{OperationReport, Prologue};
use crate::base::ids::{ExpectationId, ProbeId, ProfileId};

/// Format of a row. 1: first release.
pub const ROW_SCHEMA: &str = "sandproof.probe_row.v1";
/// Format of an oracle row. 1: first release.
pub const ORACLE_ROW_SCHEMA: &str = "sandproof.oracle_row.v1";

/// Declares [`ProbeRow`] and [`Repetition`]: members of `row` are the row's alone, those of `execution` are in both, and the
/// order is that of the documents. Both are read and written as they are declared, because to flatten one into the other would
/// cost every reader a tree of values per row.
macro_rules! row_and_repetition {
    (@ [$($row:tt)*] [$($again:tt)*] [$($name:ident)*] row { $($fields:tt)* } $($rest:tt)*) => {
        row_and_repetition!(@ [$($row)* $($fields)*] [$($again)*] [$($name)*] $($rest)*);
    };
    (@ [$($row:tt)*] [$($again:tt)*] [$($name:ident)*]
        execution { $($(#[$meta:meta])* pub $field:ident: $type:ty,)* } $($rest:tt)*) => {
        row_and_repetition!(
            @ [$($row)* $($(#[$meta])* pub $field: $type,)*] [$($again)* $($(#[$meta])* pub $field: $type,)*]
            [$($name)* $($field)*] $($rest)*
        );
    };
    (@ [$($row:tt)*] [$($again:tt)*] [$($name:ident)*]) => {
        /// One execution of one probe in the baseline, control or scenario lane.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct ProbeRow { $($row)* }

        /// A further execution of a row's probe: what can be different from one to the next.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Repetition { $($again)* }

        impl From<ProbeRow> for Repetition {
            fn from(row: ProbeRow) -> Self {
                Self { $($name: row.$name),* }
            }
        }

        impl Repetition {
            /// `row`, as if it had been this execution.
            fn put_into(self, row: &mut ProbeRow) {
                $(row.$name = self.$name;)*
            }
        }
    };
}

row_and_repetition! { @ [] [] []
    row {
        /// The document's format: always [`ROW_SCHEMA`].
        pub schema_version: CompactString,
        /// Place in the lane, from 0, in plan order.
        pub seq: u64,
        /// The lane that the row belongs to.
        pub lane: Lane,
        /// Under which profile. In the baseline lane: the profile whose scenario row this one is compared with.
        pub profile_id: ProfileId,
        /// Which probe; for a control, `control:must_deny` or `control:must_allow`.
        pub probe_id: ProbeId,
        /// Id of the expectation.
        pub expectation_id: ExpectationId,
        /// For a control: what the model is certain of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub control_expects: Option<Decision>,
        /// The operation with its resolved parameters.
        pub action: Action,
        /// The folder that `${root}` stood for.
        pub root: String,
    }
    execution {
        /// How the process ended. Absent for a probe that was not started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ending: Option<Ending>,
        /// Why no process was started. Exactly one of this, `ending` and `launcher` is present.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub not_run: Option<NotRun>,
    }
    row {
        /// What a question under a launcher showed. Then neither `ending` nor `not_run` is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub launcher: Option<Box<super::launcher::LauncherRecord>>,
    }
    execution {
        /// When it was started, in seconds since 1970.
        pub started_at_unix_s: f64,
        /// How long it ran, in microseconds, as seen by its parent.
        pub duration_us: u64,
        /// The process, if one was started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub pid: Option<i32>,
    }
    row {
        /// What kind of process it was. Absent where none was started, and in bundles of programs that knew one kind alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub process: Option<ProbeProcess>,
    }
    execution {
        /// Why its report could not be read, if so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub report_error: Option<String>,
        /// Whether processes of its group were alive after it ended (they were killed).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub left_descendants: bool,
        /// The listener that the harness kept for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub listener: Option<ListenerRecord>,
        /// What the kernel said of its failed operation (`--attribute`). Absent where none failed under a Landlock policy, and
        /// where the run did not listen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub attribution: Option<KernelAttribution>,
    }
    row {
        /// What it was to ask `sandbox_check` before the operation (macOS). Kept also where it never came to that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub check_request: Option<CheckRequest>,
    }
    execution {
        /// What it said before the operation. This and the next stand last: a worker appends them as it got them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub prologue: Option<Prologue>,
        /// What it said after the operation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub operation: Option<OperationReport>,
    }
    row {
        /// What came of performing the same again (`--repeat`); the members above are the first time.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub repetitions: Vec<Repetition>,
    }
}

impl ProbeRow {
    /// The row of a probe that nothing has been done for yet.
    pub fn new(
        lane: Lane,
        seq: u64,
        (profile_id, probe_id, expectation_id): (ProfileId, ProbeId, ExpectationId),
        action: Action,
        root: String,
        started_at_unix_s: f64,
    ) -> Self {
        Self {
            schema_version: ROW_SCHEMA.into(),
            seq,
            lane,
            profile_id,
            probe_id,
            expectation_id,
            control_expects: None,
            action,
            root,
            ending: None,
            not_run: None,
            launcher: None,
            started_at_unix_s,
            duration_us: 0,
            pid: None,
            process: None,
            report_error: None,
            left_descendants: false,
            listener: None,
            attribution: None,
            check_request: None,
            prologue: None,
            operation: None,
            repetitions: Vec::new(),
        }
    }

    /// The row as each of its repetitions would stand by itself.
    pub fn repeated(&self) -> impl Iterator<Item = Self> {
        self.repetitions.iter().map(|again| {
            let ids = (self.profile_id.clone(), self.probe_id.clone(), self.expectation_id.clone());
            let (action, root) = (self.action.clone(), self.root.clone());
            let mut row = Self {
                control_expects: self.control_expects,
                // Each time one of the same kind, if it was started.
                process: again.pid.and(self.process),
                check_request: self.check_request.clone(),
                ..Self::new(self.lane, self.seq, ids, action, root, 0.0)
            };
            again.clone().put_into(&mut row);
            row
        })
    }
}

/// How a probe process came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeProcess {
    /// By clone(2) with `CLONE_VM`: a process of its own that shares the memory of the one that started it.
    Shared,
    /// By clone(2) as fork(2) does: with a copy of the memory.
    Forked,
    /// By executing the program afresh.
    Fresh,
}

impl ProbeProcess {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Shared, Self::Forked, Self::Fresh];
}

/// Why a probe was not started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotRun {
    /// The stage and cause, as a failure kind of stage `preflight` or `apply`.
    pub kind: super::outcome::FailureKind,
    /// The cause in words.
    pub reason: String,
    /// Error number of the failed preparation; 0 if there is none.
    pub errno: i32,
}

impl NotRun {
    /// Whether the kind is one that a probe that was not started can have.
    pub fn can_be(&self) -> bool {
        matches!(self.kind.stage(), FailureStage::Preflight | FailureStage::Apply)
    }
}

/// A listener that the harness kept for a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerRecord {
    /// The kind of socket.
    pub kind: ListenerKind,
    /// Where it listened.
    pub address: String,
    /// How many connections or datagrams arrived during this probe.
    pub accept_count: u64,
}

/// One decision of the model: asked, not witnessed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OracleRow {
    /// The document's format: always [`ORACLE_ROW_SCHEMA`].
    pub schema_version: CompactString,
    /// Place in the lane, from 0, in plan order.
    pub seq: u64,
    /// Id of the profile, as in the registry.
    pub profile_id: ProfileId,
    /// Id of the probe, as in the registry.
    pub probe_id: ProbeId,
    /// Id of the expectation.
    pub expectation_id: ExpectationId,
    /// The source of the answer: `landlock_model` or `seatbelt_model`.
    pub source: CompactString,
    /// The answer; absent if the model cannot know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// What decides: a JSON pointer into a Landlock policy, `LINE:COLUMN` in the text of a Seatbelt profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why, in words; for an answer that the model cannot give, what is missing.
    pub reason: String,
    /// What the answer takes for granted (a host path that is no link, …).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumes: Vec<String>,
}
