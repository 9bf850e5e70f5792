//! What `learn --json` prints: where a host that sent its answers back is not as this program says.

use serde::{Deserialize, Serialize};

/// Format of the document. 1: first release.
pub const LEARNED_SCHEMA: &str = "sandproof.learned.v1";

/// `learn --json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Learned {
    /// The document's format: always [`LEARNED_SCHEMA`].
    pub schema_version: &'static str,
    /// The version of the program that collected; null if that is not told.
    pub version: Option<String>,
    /// What the host said it is, from the selftest's report: system, version, build. Nothing vouches for it.
    pub host: Option<String>,
    /// How many questions of the selftest have an answer there.
    pub questions: u64,
    /// The runs that were found, in order of their folders.
    pub runs: Vec<LearnedRun>,
    /// What is to be learnt.
    pub facts: Vec<LearnedFact>,
    /// What could not be asked, or has no answer.
    pub open: Vec<LearnedFact>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LearnedRun {
    /// Folder of the run, relative to the archive's top.
    pub folder: String,
    /// The plan; null if the bundle does not verify.
    pub plan_id: Option<String>,
    /// How its worker was started; null if the bundle does not verify.
    pub channel: Option<String>,
    /// Whether it verifies. What does not is evidence of nothing, and no row of it is read.
    pub verified: bool,
    /// Whether it may be promoted.
    pub promotable: bool,
    /// Rows of the scenario lane that decided something.
    pub decided: u64,
    /// Rows that did not.
    pub undecided: u64,
}

/// One thing that is not as was said, or that was not said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedFact {
    /// Who said something else.
    pub source: FactSource,
    /// Where it was observed: the selftest's question, the folder of the run.
    pub place: String,
    /// What it is about: an expectation, a check, a step.
    pub about: String,
    /// The question, or operation and target.
    pub subject: String,
    /// What was said.
    pub said: String,
    /// What was observed.
    pub observed: String,
}

/// Who said something about a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactSource {
    /// A question of the selftest says what is expected.
    Selftest,
    /// The author of a probe expects something.
    Expectation,
    /// The model of the policy gives an answer, or says that it cannot.
    Model,
    /// `sandbox_check` was asked within the confined process.
    SandboxCheck,
    /// A clean channel has to answer its questions well.
    Channel,
    /// A run has to end with a bundle that verifies.
    Run,
    /// A step of the collection has to end with an answer.
    Step,
    /// Another archive has another answer.
    Other,
}

impl FactSource {
    /// As documents spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Selftest => "selftest",
            Self::Expectation => "expectation",
            Self::Model => "model",
            Self::SandboxCheck => "sandbox_check",
            Self::Channel => "channel",
            Self::Run => "run",
            Self::Step => "step",
            Self::Other => "other",
        }
    }
}
