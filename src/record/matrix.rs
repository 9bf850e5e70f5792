//! `expected_matrix.json` and its generated twin: what was expected. Derived from the inputs alone.

use serde::Serialize;

use super::launcher::Mechanism;
use super::outcome::Expectation;

/// One row: a probe under a profile, as declared.
#[derive(Debug, Serialize)]
pub struct MatrixProbe<'a> {
    /// Name of the probe within its profile.
    pub name: &'a str,
    /// The operation, as the policy language names it, such as `file-read-data`.
    pub operation: &'a str,
    /// The target as declared.
    pub target: &'a str,
    /// What the author expects.
    pub expected: Expectation,
    /// How a denial has to come about; absent: in whatever way.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub mechanism: &'a [Mechanism],
    /// The error numbers with one of which a denial has to come; absent: with whichever.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub errno: &'a [String],
    /// Whether the target's name as it is spelled is meant alone; absent: no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub name_alone: bool,
    /// Id of the expectation.
    pub expectation_id: &'a str,
    /// `blob` forces blob mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<&'a str>,
    /// Name of the driver; absent if the probe names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<&'a str>,
    /// The system call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syscall: Option<&'a str>,
    /// Attribute payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attr_payload: Option<&'a str>,
    /// Anchor context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor_ctx_id: Option<&'a str>,
    /// Filter, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_name: Option<&'a str>,
    /// Filter, by number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_type: Option<i64>,
}
