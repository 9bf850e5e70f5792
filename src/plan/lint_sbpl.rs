//! Lint of Seatbelt profiles: what their texts say that may not be meant.

use super::diagnostic::Diagnostic;
use super::diagnostic::{DiagnosticKind, Diagnostics, pointer_part};
use super::resolved::ResolvedProfile;
use crate::policy::PolicyValue;
use crate::policy::sbpl::SbplPolicy;
use crate::policy::sbpl::rules::LineColumn;
use crate::record::driver::Driver;
use crate::record::outcome::Decision;

/// Checks a profile, if it is one of Seatbelt's.
pub(super) fn check(profile: &ResolvedProfile, notes: &mut Vec<Diagnostic>, profiles_path: &str, probes_path: &str) {
    let PolicyValue::Sbpl(policy) = profile.policy.value.as_ref() else { return };
    check_text(profile, policy, notes, profiles_path);
    check_lookups(profile, policy, notes, profiles_path, probes_path);
}

/// Doubts, gates, and parameters that nobody asks for.
fn check_text(profile: &ResolvedProfile, policy: &SbplPolicy, notes: &mut Vec<Diagnostic>, profiles_path: &str) {
    let base = format!("/profiles/{}", pointer_part(profile.id.as_str()));
    let mut warn = |place: LineColumn, kind: DiagnosticKind, message: String, remedy: String| {
        let (file, pointer) = if policy.is_appended(place) {
            (profiles_path, format!("{base}/key_specific_rules"))
        } else {
            (profile.policy.path.as_str(), place.to_string())
        };
        Diagnostics { list: notes, file, subject: profile.id.as_str() }.warning(kind, pointer, message, remedy);
    };
    for remark in policy.remarks() {
        warn(remark.place, DiagnosticKind::PolicyDoubt, remark.kind.to_string(), remark.kind.remedy());
    }
    for gate in policy.gates() {
        let remedy = "remove it, unless that the policy cannot be applied is the question";
        warn(gate.place, DiagnosticKind::ApplyGate, gate.kind.to_string(), remedy.to_owned());
    }
    for key in policy.unused_parameters() {
        Diagnostics { list: notes, file: profiles_path, subject: profile.id.as_str() }.warning(
            DiagnosticKind::Parameter,
            format!("{base}/parameters/{}", pointer_part(key)),
            format!("`{}` never asks for this parameter", profile.policy.path),
            "remove it, or correct the key",
        );
    }
}

/// A Mach lookup under a deny-default Seatbelt profile needs the driver that applies the profile to itself: a program
/// that has to be started under such a profile never gets as far as the lookup.
fn check_lookups(
    profile: &ResolvedProfile,
    policy: &SbplPolicy,
    notes: &mut Vec<Diagnostic>,
    profiles_path: &str,
    probes_path: &str,
) {
    if policy.rules().default_rule().is_none_or(|rule| rule.action != Decision::Deny) {
        return;
    }
    for probe in profile.probes.iter().filter(|probe| probe.entry.operation == "mach-lookup") {
        let own = probe.entry.driver.as_deref().and_then(Driver::by_name).is_some();
        if !own && probe.entry.driver.as_deref() != Some("sandbox_mach_probe") {
            let before = notes.len();
            let mut at = Diagnostics { list: notes, file: probes_path, subject: probe.entry.probe_id.as_str() };
            at.error(
                DiagnosticKind::Driver,
                format!("/probes/{}/driver", pointer_part(probe.entry.probe_id.as_str())),
                format!("a `mach-lookup` under the deny-default profile `{}` needs its own driver", profile.id),
                format!("use `mach_lookup`, or leave the probe out of the profile in `{profiles_path}`"),
            );
            at.runs_anyway(before);
        }
    }
}
