//! The static scan of a Seatbelt profile, as results and events carry it under `preflight`. Derived.

use serde::Serialize;

/// What a profile looks like. Keys in alphabetical order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StaticScan<'a> {
    /// What it comes to.
    pub classification: Classification,
    /// What was found.
    pub findings: Vec<ScanFinding>,
    /// `sbpl_path` or `sbpl_blob_path`.
    pub input_kind: &'static str,
    /// The policy document.
    pub input_ref: &'a str,
    /// 1
    pub preflight_schema_version: u32,
    /// `deny_message_filter`; null if nothing was found.
    pub signature: Option<&'static str>,
    /// `sandproof`
    pub tool: &'static str,
    /// Id of the world that the plan declares.
    pub world_id: &'a str,
}

/// What a scan comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Classification {
    /// Applying it fails without a private entitlement.
    #[serde(rename = "likely_apply_gated_for_harness_identity")]
    LikelyGated,
    /// Nothing is known against it.
    #[serde(rename = "no_known_apply_gate_signature")]
    NoKnownSignature,
    /// It cannot be looked into.
    #[serde(rename = "unsupported")]
    Unsupported,
}

/// A deny inside `apply-message-filter`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScanFinding {
    /// The operation that is denied there.
    pub denied_operation: String,
}
