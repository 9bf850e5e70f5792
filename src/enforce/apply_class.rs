//! What a failed application of a Seatbelt profile means.
//!
//! `sandbox_init` gives one number and one text for very different causes: a mistake in the text, a process that is
//! confined already, a profile that needs a private entitlement. They are told apart here, on every system, from what was
//! observed on Sonoma 14.4.1.

use crate::record::outcome::FailureKind;
use crate::record::report::ApplyClass;

/// The class of a failed application. `confined_before` is what the process found about itself just before.
pub fn classify(errno: i32, text: Option<&str>, confined_before: Option<bool>) -> ApplyClass {
    let text = text.unwrap_or_default();
    if text.contains("operation not applicable in this context") {
        return ApplyClass::NotApplicable;
    }
    // The text of a compile error; its number is left over from something else.
    if has_source_position(text) || text.contains("unbound variable") || text.contains("syntax error") {
        return ApplyClass::ProfileText;
    }
    match (errno, confined_before) {
        (libc::EPERM, Some(true)) => ApplyClass::AlreadySandboxed,
        (libc::EPERM, Some(false)) => ApplyClass::ApplyGate,
        _ => ApplyClass::Other,
    }
}

/// Whether a text says where in the profile it speaks of: `…, line 12, column 2`, or `….sb:12:2:`.
fn has_source_position(text: &str) -> bool {
    let number_after = |word: &str| {
        text.match_indices(word).any(|(at, _)| text[at + word.len()..].starts_with(|c: char| c.is_ascii_digit()))
    };
    number_after("line ") && number_after("column ")
        || text.split_whitespace().any(|word| {
            let mut parts = word.trim_end_matches(':').rsplit(':');
            let number = |part: Option<&str>| part.is_some_and(|part| part.parse::<u32>().is_ok());
            number(parts.next()) && number(parts.next()) && parts.next().is_some_and(|file| !file.is_empty())
        })
}

/// The kind of failure that a class is recorded as.
pub fn kind(class: ApplyClass, compiled: bool) -> FailureKind {
    match (class, compiled) {
        (ApplyClass::AlreadySandboxed, _) => FailureKind::ApplyAlreadySandboxed,
        (_, true) => FailureKind::SandboxApplyFailed,
        (_, false) => FailureKind::SandboxInitFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_apart() {
        let unbound = "unbound variable: debug at <input string>, line 12, column 2\n  0: eval\n";
        let misuse = "<input string>:3:9: iokit-external-method: operation not applicable in this context";
        for (errno, text, before, class) in [
            // The number says nothing beside such a text.
            (0, Some(unbound), Some(false), ApplyClass::ProfileText),
            (libc::EPERM, Some(unbound), Some(false), ApplyClass::ProfileText),
            (libc::EPERM, Some(unbound), Some(true), ApplyClass::ProfileText),
            (0, Some("/tmp/a.sb:7:2: unknown operation"), Some(false), ApplyClass::ProfileText),
            (0, Some(misuse), Some(false), ApplyClass::NotApplicable),
            (libc::EPERM, Some("Operation not permitted"), Some(true), ApplyClass::AlreadySandboxed),
            (libc::EPERM, None, Some(true), ApplyClass::AlreadySandboxed),
            (libc::EPERM, Some("Operation not permitted"), Some(false), ApplyClass::ApplyGate),
            // Whether it was confined is not known, so neither of the two can be said.
            (libc::EPERM, Some("Operation not permitted"), None, ApplyClass::Other),
            (libc::ENOMEM, Some("Cannot allocate memory"), Some(false), ApplyClass::Other),
            (0, Some("12:30 is a time"), Some(false), ApplyClass::Other),
        ] {
            assert_eq!(classify(errno, text, before), class, "{errno} {text:?} {before:?}");
        }
    }

    #[test]
    fn every_kind_belongs_to_the_apply_stage() {
        use crate::record::outcome::FailureStage;
        for class in [ApplyClass::ProfileText, ApplyClass::AlreadySandboxed, ApplyClass::ApplyGate, ApplyClass::Other] {
            for compiled in [false, true] {
                assert_eq!(kind(class, compiled).stage(), FailureStage::Apply);
            }
        }
    }
}
