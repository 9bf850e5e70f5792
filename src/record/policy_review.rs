//! What `policy lint`, `policy show` and `policy diff` print with `--json`: a policy by itself, without plan or host.

use std::collections::BTreeMap;

use serde::Serialize;

pub use super::why::AccessChange;
use super::why::{WhyDecision, WhyPolicy, WhyRule};

/// Format of `policy lint --json`. 1: first release.
pub const POLICY_LINT_SCHEMA: &str = "sandproof.policy_lint.v1";
/// Format of `policy show --json`. 1: first release.
pub const POLICY_SHOW_SCHEMA: &str = "sandproof.policy_show.v1";
/// Format of `policy diff --json`. 1: first release.
pub const POLICY_DIFF_SCHEMA: &str = "sandproof.policy_diff.v1";

/// What a lint of one policy found.
#[derive(Debug, Serialize)]
pub struct PolicyLint {
    /// The document's format: always [`POLICY_LINT_SCHEMA`].
    pub schema_version: &'static str,
    /// The policy that was asked about, and its document.
    pub policy: WhyPolicy,
    /// Whether there is no error.
    pub ok: bool,
    /// How many findings are errors.
    pub errors: usize,
    /// How many are warnings.
    pub warnings: usize,
    /// All findings, in the order of the text.
    pub findings: Vec<PolicyFinding>,
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// The system refuses the policy.
    Error,
    /// It does not do what it seems to say.
    Warning,
    /// Worth knowing.
    Remark,
}

impl Weight {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Remark => "remark",
        }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyFindingKind {
    /// The system is known to refuse the policy when it is applied.
    WouldNotApply,
    /// A rule or a filter that no object can match.
    NeverMatches,
    /// A path that is spelled through a symbolic link of the system.
    AliasSpelling,
    /// A rule whose every match is decided by another rule, to the contrary.
    NeverDecides,
    /// A rule whose every match is decided alike by another rule.
    Redundant,
    /// A rule on a group that an earlier rule on one of its operations comes before.
    DefeatedByNamedRule,
    /// A rule without filter that earlier filtered rules come before.
    FallbackOnly,
    /// A socket's path that only file operations are refused on.
    SocketByFileRules,
    /// A filter on the local end where the remote one is what matters.
    LocalEnd,
    /// Something in the text that is not known here, or doubtful.
    Doubtful,
    /// A parameter without value, or without use.
    Parameter,
    /// A right that is handled and granted everywhere.
    RefusesNothing,
    /// A right that goes together with one that the policy handles, and is not handled.
    NotHandled,
    /// Rights that are granted without what they need to be of use.
    Incomplete,
    /// A rule's path as it is on this host.
    RuleTarget,
}

impl PolicyFindingKind {
    /// The word, as in the JSON form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WouldNotApply => "would_not_apply",
            Self::NeverMatches => "never_matches",
            Self::AliasSpelling => "alias_spelling",
            Self::NeverDecides => "never_decides",
            Self::Redundant => "redundant",
            Self::DefeatedByNamedRule => "defeated_by_named_rule",
            Self::FallbackOnly => "fallback_only",
            Self::SocketByFileRules => "socket_by_file_rules",
            Self::LocalEnd => "local_end",
            Self::Doubtful => "doubtful",
            Self::Parameter => "parameter",
            Self::RefusesNothing => "refuses_nothing",
            Self::NotHandled => "not_handled",
            Self::Incomplete => "incomplete",
            Self::RuleTarget => "rule_target",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyFinding {
    /// How much it weighs.
    pub severity: Weight,
    /// What it is about.
    pub kind: PolicyFindingKind,
    /// The rule or member that it is about; null for the policy as a whole.
    pub rule: Option<WhyRule>,
    /// What is found.
    pub message: String,
    /// What to do; empty where nothing needs to be done.
    pub remedy: String,
}

/// A policy as it is in force: parameters and imports resolved.
#[derive(Debug, Serialize)]
pub struct PolicyShow {
    /// The document's format: always [`POLICY_SHOW_SCHEMA`].
    pub schema_version: &'static str,
    /// The policy that was asked about, and its document.
    pub policy: WhyPolicy,
    /// The parameters that were given.
    pub parameters: BTreeMap<String, String>,
    /// Its rules, in the order in which they are stated. A JSON pointer or LINE:COLUMN names each.
    pub rules: Vec<ShownRule>,
    /// What the text also says and is not known here.
    pub gaps: Vec<ShownGap>,
    /// What decides about each operation, or each right.
    pub access: Vec<ShownAccess>,
}

/// A rule of a policy, as a report of the policy shows it.
#[derive(Debug, Serialize)]
pub struct ShownRule {
    /// Where it stands: LINE:COLUMN, or a JSON pointer.
    pub at: String,
    /// `allow` or `deny`.
    pub action: WhyDecision,
    /// The operations or rights that it names.
    pub operations: Vec<String>,
    /// What it is on; empty for a rule without filter.
    pub on: Vec<String>,
    /// Modifiers of the rule (`with …`), as written without the word `with`; absent if it has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modifiers: Vec<String>,
}

/// Something that is not known.
#[derive(Debug, Serialize)]
pub struct ShownGap {
    /// Where it stands.
    pub at: String,
    /// The form, as written, shortened if long.
    pub text: String,
}

/// What decides about some operations, or rights.
#[derive(Debug, Serialize)]
pub struct ShownAccess {
    /// The operations or rights, groups where all that they cover is alike.
    pub operations: Vec<String>,
    /// What becomes of a target that no filter matches.
    pub otherwise: WhyDecision,
    /// The rule that says so.
    pub by: Option<String>,
    /// The filtered rules that allow, in the order of the text.
    pub allowed_by: Vec<String>,
    /// The filtered rules that deny.
    pub denied_by: Vec<String>,
}

/// A rule of one policy alone of which no target showed whether it makes a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnwitnessedRule {
    /// Whose it is: `a` or `b`.
    pub side: &'static str,
    /// Where it begins, as `LINE:COLUMN`.
    pub rule: String,
}

/// How the access of two policies differs.
#[derive(Debug, Serialize)]
pub struct PolicyDiff {
    /// The document's format: always [`POLICY_DIFF_SCHEMA`].
    pub schema_version: &'static str,
    /// The first policy.
    pub a: WhyPolicy,
    /// The second policy.
    pub b: WhyPolicy,
    /// Whether no answer differs.
    pub same: bool,
    /// How many questions both were asked.
    pub questions: usize,
    /// Whether the targets stand for everything that the rules match; false where there were too many, and where there is
    /// an entry in [`Self::unwitnessed`].
    pub complete: bool,
    /// Rules that one policy alone has and that no target showed to differ. Empty for Landlock.
    pub unwitnessed: Vec<UnwitnessedRule>,
    /// What `b` allows and `a` denies.
    pub widened: Vec<AccessChange>,
    /// What `b` denies and `a` allows.
    pub narrowed: Vec<AccessChange>,
    /// What one of them decides and of the other cannot be known.
    pub undecidable: Vec<AccessChange>,
}
