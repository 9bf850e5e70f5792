//! `fixtures.json`: the listeners and the targets that the run made. Derived.

use serde::Serialize;

use super::outcome::Lane;
use super::report::TargetIdentity;
use super::results::ListenerDoc;

/// Format of the file.
pub const FIXTURES_SCHEMA: &str = "runtime-tools.fixtures.v0.1";
/// Format of one record.
pub const FIXTURE_MARKER_SCHEMA: &str = "runtime-tools.fixture_marker.v0.1";

/// One record.
#[derive(Debug, Serialize)]
pub struct FixtureMarker<'a> {
    /// The document's format: always [`FIXTURE_MARKER_SCHEMA`].
    pub schema_version: &'static str,
    /// `loopback_listener` as in the contract; `local_listener` and `target` are ours.
    pub fixture_id: FixtureId,
    /// The lane: baseline or scenario.
    pub lane: Lane,
    /// Id of the profile, as in the registry.
    pub profile_id: &'a str,
    /// The probe's short name.
    pub probe_name: &'a str,
    /// Expectation id, or name of the baseline row.
    pub scenario_id: &'a str,
    /// The operation, as the policy language names it, such as `file-read-data`.
    pub operation: &'a str,
    /// The target as declared.
    pub target: &'a str,
    /// The listener; null if there was none.
    pub listener: Option<ListenerDoc<'a>>,
    /// What the target was before the operation. Ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'a TargetIdentity>,
}

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FixtureId {
    /// A TCP or UDP listener, or its absence for a `network-outbound` probe.
    LoopbackListener,
    /// A UNIX socket listener.
    LocalListener,
    /// The target of a path operation.
    Target,
}
