//! What is wrong with a bundle, one typed finding per problem.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::index::clip;
use crate::base::digest::Digest;
use crate::base::format::{self, FormatStanding};
use crate::base::limits::{MAX_BUNDLE_FILES, MAX_INPUT_DOCUMENT_BYTES};
use crate::identity::Discrepancy;
use crate::record::index::IndexStatus;
use crate::record::layout;
use crate::record::manifest::RunState;

/// One problem of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFinding {
    /// What it concerns: a path inside the bundle, `.` for the bundle as a whole, or a path as the index spells it where
    /// that is the problem.
    pub path: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// The kinds of problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// There is no such folder, or it cannot be entered.
    #[error("there is no bundle that could be read: {0}")]
    NoBundle(String),
    /// `LATEST` does not lead to a bundle.
    #[error("it does not lead to a bundle: {0}")]
    BadPointer(String),
    /// There is no index.
    #[error("it is absent: this bundle was not committed")]
    NotCommitted,
    /// A file could not be read.
    #[error("it could not be read: {0}")]
    Unreadable(String),
    /// A document is not what it should be.
    #[error("it cannot be parsed: {0}")]
    Malformed(String),
    /// A document has another format than this program reads.
    #[error("its format is `{found}`; this program reads `{known}`{}", newer(found, known))]
    UnknownFormat {
        /// What it says.
        found: String,
        /// What is known.
        known: &'static str,
    },
    /// An indexed path is not one of this bundle.
    #[error("the index lists it, but {0}")]
    BadIndexedPath(String),
    /// The index lists a file twice.
    #[error("the index lists it twice")]
    ListedTwice,
    /// The index lists itself.
    #[error("the index lists itself")]
    IndexListsItself,
    /// The index has more entries, or the folder more files, than a bundle may have.
    #[error("there are more than {MAX_BUNDLE_FILES} files")]
    TooManyFiles,
    /// Folders stand deeper in each other than a bundle needs.
    #[error("its folders are nested too deeply")]
    TooDeep,
    /// A file is larger than this file of a bundle may be.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// The input documents are larger together than they may be.
    #[error("the input documents up to here are larger than {MAX_INPUT_DOCUMENT_BYTES} bytes together")]
    InputsTooLarge,
    /// An indexed file is not there.
    #[error("the index lists it, but it is absent")]
    Missing,
    /// The index itself says that a file is missing.
    #[error("the index says that it is missing")]
    DeclaredMissing,
    /// A file that every bundle has is not listed.
    #[error("every bundle has it, but the index does not list it")]
    NotListed,
    /// An artifact of no known kind.
    #[error("no artifact of that name is known, so nothing verifies it")]
    UnknownArtifact,
    /// A file is there that the index does not list.
    #[error("it is in the folder, but the index does not list it")]
    Unlisted,
    /// A file of an interrupted write.
    #[error("it is a leftover of an interrupted write")]
    LeftoverTemporary,
    /// A name that no file of a bundle can have.
    #[error("no file of a bundle can have that name: {0}")]
    BadName(String),
    /// A folder without anything in it.
    #[error("it is an empty folder, which no bundle has")]
    EmptyFolder,
    /// Something that is neither a plain file nor a folder.
    #[error("it is {0}, not a plain file")]
    NotAFile(&'static str),
    /// The file has another name somewhere, through which it can be changed.
    #[error("it has {0} hard links; a bundle's files have one name each (copy the bundle without keeping links)")]
    HardLinked(u64),
    /// Two names that are one on some file systems.
    #[error("it differs from `{0}` only in upper and lower case")]
    CaseTwin(String),
    /// The size is not the indexed one.
    #[error("it has {found} bytes; the index says {indexed}")]
    SizeMismatch {
        /// What the index says.
        indexed: u64,
        /// What it has.
        found: u64,
    },
    /// The digest is not the indexed one.
    #[error("its content differs from the indexed digest (indexed {indexed}, found {found})")]
    DigestMismatch {
        /// What the index says.
        indexed: Digest,
        /// What it has.
        found: Digest,
    },
    /// The index gives it another `schema_version` than it has.
    #[error("it has {}; the index says that it has {}", schema(found.as_deref()), schema(indexed.as_deref()))]
    SchemaMismatch {
        /// What the index says.
        indexed: Option<String>,
        /// What it has.
        found: Option<String>,
    },
    /// A document does not satisfy its published schema.
    #[error("it does not satisfy its published schema: at `{pointer}`, {reason}")]
    NotPublished {
        /// Where in it.
        pointer: String,
        /// What the schema asks.
        reason: String,
    },
    /// The index lists the artifacts in another order than they have.
    #[error("its artifacts are not in index order")]
    OutOfOrder,
    /// Two documents name different values for one fact.
    #[error("its {field} is `{found}`; the index says `{indexed}`")]
    Disagrees {
        /// Name of the field.
        field: &'static str,
        /// What the index says.
        indexed: String,
        /// What this document says.
        found: String,
    },
    /// The run status names another value than the manifest.
    #[error("its {field} is `{status}`; the manifest says `{manifest}`")]
    StatusDisagrees {
        /// Name of the field.
        field: &'static str,
        /// What the manifest says.
        manifest: String,
        /// What the status says.
        status: String,
    },
    /// The stamp of an artifact is not the identity that the run declared.
    #[error("its identity is {found}; `run_identity.json` declares {declared}")]
    OtherIdentity {
        /// What was declared.
        declared: String,
        /// The identity that the artifact is stamped with.
        found: String,
    },
    /// The declaration is not what the bundle's own documents yield.
    #[error("`{pointer}`: {words}")]
    IdentityDiffers {
        /// JSON pointer into the declaration.
        pointer: String,
        /// What is the matter there.
        words: String,
    },
    /// The manifest's copy of the preflight record is another one.
    #[error("it differs from the record in the manifest")]
    PreflightDiffers,
    /// It cannot be true together with the rest of the bundle, or with itself.
    #[error("it contradicts the rest of the bundle: {words}")]
    Contradicts {
        /// Which rule it breaks, by name.
        rule: &'static str,
        /// What contradicts what, as text for people.
        words: String,
    },
    /// The run is not complete.
    #[error("{}", describe_state(*state, failure_stage.as_deref(), error.as_deref()))]
    RunState {
        /// State that the run status records: in progress or failed.
        state: RunState,
        /// Where it failed.
        failure_stage: Option<String>,
        /// The recorded error; `None` if there is no record of one.
        error: Option<String>,
    },
    /// The index says that the bundle is not whole.
    #[error("its status is `{}`", .0.as_str())]
    IndexStatus(IndexStatus),
    /// The bundle is one of the reference runtime.
    #[error("{}", describe_reference(*indexed, *listed, *holding))]
    Reference {
        /// Whether it has an index.
        indexed: bool,
        /// How many files its index lists.
        listed: usize,
        /// How many of these have the size and digest that it gives.
        holding: usize,
    },
    /// The run of such a bundle is not complete.
    #[error("its run is `{0}`")]
    ReferenceState(String),
    /// The evidence cannot be derived from the bundle's own inputs and rows.
    #[error("its evidence cannot be replayed: {0}")]
    NotDerivable(String),
    /// A derived artifact is not what the rows give.
    #[error("it differs from what the bundle's own inputs and rows yield")]
    NotDerived,
    /// `verdicts.jsonl` is not what the rows give.
    #[error("it differs from the verdicts that the bundle's own inputs and rows yield")]
    VerdictsDiffer,
    /// The rows give an artifact that the bundle does not have.
    #[error("the bundle's own inputs and rows yield it, but it is absent")]
    DerivedMissing,
    /// A merge is not what its parts give.
    #[error("it is not what the bundle's parts give: {0}")]
    NotMerged(String),
    /// A part of a merge does not verify, or is not the one that is listed.
    #[error("this part of the merge is refused: {0}")]
    PartRefused(String),
    /// The bundle has an artifact that its rows do not give.
    #[error("the bundle's own inputs and rows do not yield it")]
    DerivedExtra,
}

/// What else is to be said of a format that is not read.
fn newer(found: &str, known: &str) -> &'static str {
    match format::standing(found, known) {
        FormatStanding::Newer => ": it is made for a newer sandproof",
        FormatStanding::Older | FormatStanding::Other => "",
    }
}

fn schema(version: Option<&str>) -> String {
    version.map_or_else(|| "no schema version".to_owned(), |version| format!("the schema version `{version}`"))
}

fn describe_state(state: RunState, stage: Option<&str>, error: Option<&str>) -> String {
    match state {
        RunState::InProgress => "the run is still in progress, or was killed (state `in_progress`)".into(),
        RunState::Failed => format!(
            "the run failed (state `failed`, stage `{}`): {}",
            stage.unwrap_or("unknown"),
            error.unwrap_or("no reason is recorded")
        ),
        RunState::Complete => "the run is complete".into(),
    }
}

fn describe_reference(indexed: bool, listed: usize, holding: usize) -> String {
    let digests = match (indexed, listed == holding) {
        (false, _) => "it has no index, so it was not committed".to_owned(),
        (true, true) => format!("the {listed} digests of its index hold"),
        (true, false) => format!("of the {listed} digests of its index, {} do not hold", listed - holding),
    };
    format!(
        "this is a bundle of the reference runtime: {digests}; it has no raw rows, so nothing can be derived from it, and \
         nothing of it is verified here"
    )
}

impl Problem {
    /// The problem's name, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoBundle(_) => "no_bundle",
            Self::BadPointer(_) => "bad_pointer",
            Self::NotCommitted => "not_committed",
            Self::Unreadable(_) => "unreadable",
            Self::Malformed(_) => "malformed",
            Self::UnknownFormat { .. } => "unknown_format",
            Self::BadIndexedPath(_) => "bad_indexed_path",
            Self::ListedTwice => "listed_twice",
            Self::IndexListsItself => "index_lists_itself",
            Self::TooManyFiles => "too_many_files",
            Self::TooDeep => "too_deep",
            Self::TooLarge(_) | Self::InputsTooLarge => "too_large",
            Self::Missing => "missing",
            Self::DeclaredMissing => "declared_missing",
            Self::NotListed => "not_listed",
            Self::UnknownArtifact => "unknown_artifact",
            Self::Unlisted => "unlisted",
            Self::LeftoverTemporary => "leftover_temporary",
            Self::BadName(_) => "bad_name",
            Self::EmptyFolder => "empty_folder",
            Self::NotAFile(_) => "not_a_file",
            Self::HardLinked(_) => "hard_linked",
            Self::CaseTwin(_) => "case_twin",
            Self::SizeMismatch { .. } => "size_mismatch",
            Self::DigestMismatch { .. } => "digest_mismatch",
            Self::SchemaMismatch { .. } => "schema_mismatch",
            Self::NotPublished { .. } => "schema_not_satisfied",
            Self::OutOfOrder => "out_of_order",
            Self::Disagrees { .. } | Self::StatusDisagrees { .. } | Self::PreflightDiffers => "disagrees",
            Self::OtherIdentity { .. } => "other_identity",
            Self::IdentityDiffers { .. } => "identity_differs",
            Self::Contradicts { rule, .. } => rule,
            Self::RunState { .. } => "run_state",
            Self::IndexStatus(_) => "index_status",
            Self::Reference { .. } => "reference_bundle",
            Self::ReferenceState(_) => "run_state",
            Self::NotDerivable(_) => "not_derivable",
            Self::NotDerived => "not_derived",
            Self::VerdictsDiffer => "verdicts_differ",
            Self::DerivedMissing => "derived_missing",
            Self::DerivedExtra => "derived_extra",
            Self::NotMerged(_) => "not_merged",
            Self::PartRefused(_) => "part_refused",
        }
    }
}

impl fmt::Display for BundleFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.problem)
    }
}

impl Serialize for BundleFinding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Finding", 3)?;
        out.serialize_field("path", &self.path)?;
        out.serialize_field("code", self.problem.code())?;
        out.serialize_field("message", &self.problem.to_string())?;
        out.end()
    }
}

/// Findings as they are collected.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<BundleFinding>);

impl Findings {
    pub(super) fn of(findings: Vec<BundleFinding>) -> Self {
        Self(findings)
    }

    pub(super) fn add(&mut self, path: impl fmt::Display, problem: Problem) {
        self.0.push(BundleFinding { path: path.to_string(), problem });
    }

    /// Those for which `wanted` holds, and the others.
    pub(super) fn split(self, wanted: impl Fn(&BundleFinding) -> bool) -> (Self, Self) {
        let (one, other) = self.0.into_iter().partition(wanted);
        (Self(one), Self(other))
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps what is to be said of a folder without an index: nothing holds its other files to anything, and the folder
    /// may be any.
    pub(super) fn keep_uncommitted(&mut self) {
        if self.0.iter().any(|finding| finding.problem == Problem::NotCommitted) {
            self.0.retain(|finding| [layout::ARTIFACT_INDEX, layout::RUN_STATUS].contains(&finding.path.as_str()));
        }
    }

    /// All of them, sorted, each once.
    pub(super) fn into_sorted(mut self) -> Vec<BundleFinding> {
        self.0.sort_by_cached_key(|f| (f.path.clone(), f.problem.code(), f.problem.to_string()));
        self.0.dedup();
        self.0
    }
}

/// A discrepancy of the run's declaration.
pub(super) fn identity_differs(discrepancy: &Discrepancy) -> Problem {
    Problem::IdentityDiffers { pointer: clip(discrepancy.pointer()), words: clip(&discrepancy.words()) }
}

/// An error with all its causes, on one line of bounded length.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    super::index::clip_to(&crate::base::error_chain::error_chain(error), 1000)
}
