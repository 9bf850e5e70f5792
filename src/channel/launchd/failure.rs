//! Why launchd did not take a job: from the exit codes and what else was seen, by evidence and not by suspicion.
//!
//! launchctl exits with launchd's own error numbers; `launchctl error N` decodes them. The ones below were seen on
//! several releases of macOS or stand in the open re-implementation ProcursusTeam/launchctl.

use crate::record::launchctl::{BootstrapFailure, FailureCause, FailureClass};

/// "Input/output error": launchctl's word for everything else.
pub(super) const IO_ERROR: i32 = 5;
/// "Could not find specified service"
pub(super) const NO_SUCH_SERVICE: i32 = 113;
/// "Could not find specified domain"
pub(super) const NO_SUCH_DOMAIN: i32 = 112;

/// What was seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FailureEvidence {
    /// The definition could not be made or written.
    pub(super) not_written: bool,
    /// The exit code of `plutil -lint`, if it ran.
    pub(super) lint: Option<i32>,
    /// The written definition could not be read back.
    pub(super) not_readable: bool,
    /// The exit code of the last `launchctl bootstrap`, negative for a signal.
    pub(super) bootstrap: Option<i32>,
    /// Whether launchd knows the label after the refusal.
    pub(super) label_known: bool,
}

/// Sorts a refusal.
pub(super) fn classify(evidence: &FailureEvidence) -> BootstrapFailure {
    let (classification, cause) = judge(evidence);
    BootstrapFailure { classification, rc: evidence.bootstrap, cause, advice: advice(cause).to_string() }
}

fn judge(evidence: &FailureEvidence) -> (FailureClass, FailureCause) {
    use FailureCause as Cause;
    use FailureClass as Class;
    if evidence.not_written {
        return (Class::PlistInvalid, Cause::NotWritten);
    }
    if evidence.not_readable {
        return (Class::PlistUnreadable, Cause::NotReadable);
    }
    if evidence.lint.is_some_and(|code| code != 0) {
        return (Class::PlistInvalid, Cause::RefusedByLint);
    }
    match evidence.bootstrap {
        Some(122) => (Class::PlistUnreadable, Cause::OwnershipOrMode),
        Some(NO_SUCH_DOMAIN) => (Class::DomainSessionMismatch, Cause::NoSuchDomain),
        Some(125) => (Class::DomainSessionMismatch, Cause::DomainDoesNotSupport),
        Some(134) => (Class::DomainSessionMismatch, Cause::WrongSessionType),
        Some(119) => (Class::BootstrapFailed, Cause::Disabled),
        Some(124) => (Class::BootstrapFailed, Cause::DomainTearingDown),
        Some(133) => (Class::BootstrapFailed, Cause::SeveralErrors),
        Some(155) => (Class::BootstrapFailed, Cause::Quarantined),
        Some(159) => (Class::BootstrapFailed, Cause::CallerConfined),
        Some(17 | 36 | 37) => (Class::BootstrapFailed, Cause::LabelInUse),
        Some(IO_ERROR) if evidence.label_known => (Class::BootstrapFailed, Cause::LabelInUse),
        Some(IO_ERROR) => (Class::BootstrapFailed, Cause::Unspecified),
        Some(code) if code >= 0 => (Class::BootstrapFailed, Cause::UnknownCode),
        _ => (Class::BootstrapFailed, Cause::NoExitCode),
    }
}

/// What to do about it.
fn advice(cause: FailureCause) -> &'static str {
    match cause {
        FailureCause::NotWritten => "free space in the staging folder, or use a path of plain text",
        FailureCause::RefusedByLint => "report this as a fault, with the definition",
        FailureCause::NotReadable => "let nothing change the staging folder while the run lasts",
        FailureCause::OwnershipOrMode => {
            "launchd takes definitions only that the loading user owns and nobody else may write: \
             keep the staging folder on a volume that keeps owners and modes"
        }
        FailureCause::NoSuchDomain => "log in as this user, in the graphical session or by ssh",
        FailureCause::DomainDoesNotSupport => {
            "log in at the graphical session as this user, or run as the user whose domain it is, not as root"
        }
        FailureCause::WrongSessionType => "log in at the graphical session, so that its domain can be used",
        FailureCause::DomainTearingDown => "wait until the session has ended, log in again, and run again",
        FailureCause::LabelInUse => "let the other run with this run id end, or choose another run id",
        FailureCause::Disabled => "allow the label again with `launchctl enable DOMAIN/LABEL`, or use a new run id",
        FailureCause::Quarantined => "clear the executable's quarantine with `xattr -d com.apple.quarantine FILE`",
        FailureCause::CallerConfined => "run from a terminal that no sandbox confines",
        FailureCause::SeveralErrors | FailureCause::Unspecified | FailureCause::UnknownCode => {
            "look into the log that was kept; run from a terminal that no sandbox confines, as the user who is logged in"
        }
        FailureCause::NoExitCode => "see why launchctl did not run to its end, and run again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::launchctl::FailureCause as Cause;
    use crate::record::launchctl::FailureClass as Class;

    #[test]
    fn every_known_code_has_its_class_and_cause() {
        let cases = [
            (Some(5), Class::BootstrapFailed, Cause::Unspecified),
            (Some(17), Class::BootstrapFailed, Cause::LabelInUse),
            (Some(36), Class::BootstrapFailed, Cause::LabelInUse),
            (Some(37), Class::BootstrapFailed, Cause::LabelInUse),
            (Some(112), Class::DomainSessionMismatch, Cause::NoSuchDomain),
            (Some(113), Class::BootstrapFailed, Cause::UnknownCode),
            (Some(119), Class::BootstrapFailed, Cause::Disabled),
            (Some(122), Class::PlistUnreadable, Cause::OwnershipOrMode),
            (Some(124), Class::BootstrapFailed, Cause::DomainTearingDown),
            (Some(125), Class::DomainSessionMismatch, Cause::DomainDoesNotSupport),
            (Some(133), Class::BootstrapFailed, Cause::SeveralErrors),
            (Some(134), Class::DomainSessionMismatch, Cause::WrongSessionType),
            (Some(155), Class::BootstrapFailed, Cause::Quarantined),
            (Some(159), Class::BootstrapFailed, Cause::CallerConfined),
            (Some(1), Class::BootstrapFailed, Cause::UnknownCode),
            (Some(-9), Class::BootstrapFailed, Cause::NoExitCode),
            (None, Class::BootstrapFailed, Cause::NoExitCode),
        ];
        for (code, class, cause) in cases {
            let found = classify(&FailureEvidence { lint: Some(0), bootstrap: code, ..FailureEvidence::default() });
            assert_eq!((found.classification, found.cause, found.rc), (class, cause, code));
            assert!(!found.advice.is_empty());
        }
    }

    #[test]
    fn what_is_certain_wins_over_what_is_likely() {
        let found = |evidence: FailureEvidence| classify(&evidence).cause;
        assert_eq!(
            found(FailureEvidence { bootstrap: Some(5), label_known: true, ..FailureEvidence::default() }),
            Cause::LabelInUse
        );
        assert_eq!(
            found(FailureEvidence { bootstrap: Some(122), label_known: true, ..FailureEvidence::default() }),
            Cause::OwnershipOrMode
        );
        assert_eq!(
            found(FailureEvidence { lint: Some(1), bootstrap: Some(134), ..FailureEvidence::default() }),
            Cause::RefusedByLint
        );
        assert_eq!(
            found(FailureEvidence { not_readable: true, lint: Some(1), ..FailureEvidence::default() }),
            Cause::NotReadable
        );
        assert_eq!(found(FailureEvidence { not_written: true, ..FailureEvidence::default() }), Cause::NotWritten);
        // An unknown answer of plutil proves nothing against the definition.
        assert_eq!(
            found(FailureEvidence { lint: None, bootstrap: Some(134), ..FailureEvidence::default() }),
            Cause::WrongSessionType
        );
    }
}
