//! The static scan of a Seatbelt profile: does it look like one that macOS refuses to apply?
//!
//! It decides nothing. The rows of a profile that looks so run all the same, and stop at stage `apply` if they are refused.

use super::row_facts::Context;
use crate::plan::ResolvedPolicy;
use crate::policy::PolicyValue;
use crate::policy::sbpl::gate::GateKind;
use crate::record::scan::{Classification, ScanFinding, StaticScan};

/// The scan of a policy; nothing for one that is not Seatbelt's.
pub(super) fn of<'a>(context: &Context<'a>, policy: &'a ResolvedPolicy) -> Option<StaticScan<'a>> {
    let scan = |input_kind, classification, findings: Vec<ScanFinding>| StaticScan {
        classification,
        signature: (!findings.is_empty()).then_some("deny_message_filter"),
        findings,
        input_kind,
        input_ref: &policy.path,
        preflight_schema_version: 1,
        tool: "sandproof",
        world_id: context.world_id,
    };
    match policy.value.as_ref() {
        PolicyValue::Landlock(_) | PolicyValue::Launcher(_) => None,
        // The reference compares a blob with a list of digests that were refused once. There is none here.
        PolicyValue::Blob(_) => Some(scan("sbpl_blob_path", Classification::Unsupported, Vec::new())),
        PolicyValue::Sbpl(profile) => {
            let findings: Vec<ScanFinding> = profile
                .gates()
                .into_iter()
                .filter_map(|gate| match gate.kind {
                    GateKind::MessageFilterDeny(operations) => Some(operations),
                    _ => None,
                })
                .flatten()
                .map(|denied_operation| ScanFinding { denied_operation })
                .collect();
            let classification =
                if findings.is_empty() { Classification::NoKnownSignature } else { Classification::LikelyGated };
            Some(scan("sbpl_path", classification, findings))
        }
    }
}
