//! Seatbelt: profile texts through `sandbox_init_with_parameters`, compiled profiles through libsandbox. In process, once,
//! for good.

use std::collections::BTreeMap;
use std::ffi::CString;

use super::apply_class::{classify, kind};
use crate::policy::PolicyMode;
use crate::record::outcome::FailureKind;
use crate::record::report::ApplyRecord;
use crate::sys::darwin::seatbelt::{Applier, Checker, Initializer, SeatbeltRefused};
use crate::sys::darwin::symbols::Missing;

/// A profile whose functions were found and whose texts were made, while nothing is confined.
#[derive(Debug)]
pub struct ReadyProfile {
    profile: SeatbeltProfile,
    /// What [`apply`] says of it.
    record: ApplyRecord,
}

#[derive(Debug)]
enum SeatbeltProfile {
    /// A profile text with its parameters.
    Text(Initializer, CString, Vec<CString>),
    /// A compiled profile.
    Compiled(Applier, Vec<u8>),
    /// Something prevents it, which the record names.
    Refused,
}

fn made(mode: PolicyMode, profile: Result<SeatbeltProfile, (FailureKind, String)>) -> Option<ReadyProfile> {
    let record = ApplyRecord::in_force(mode.api());
    Some(match profile {
        Ok(profile) => ReadyProfile { profile, record },
        Err((failure, message)) => ReadyProfile {
            profile: SeatbeltProfile::Refused,
            record: ApplyRecord { rc: -1, failure: Some(failure), message: Some(message), ..record },
        },
    })
}

fn absent(Missing(what): Missing) -> (FailureKind, String) {
    (FailureKind::EnforcerUnavailable, format!("this system has no {what}"))
}

/// Makes a profile text ready whose placeholders are resolved. [`apply`] reports what prevents it.
pub(super) fn text(text: &str, parameters: &BTreeMap<String, String>) -> Option<ReadyProfile> {
    let pairs = parameters.iter().flat_map(|(key, value)| [key, value]).map(|text| CString::new(text.as_str()));
    let profile = match (Initializer::resolve(), CString::new(text), pairs.collect::<Result<Vec<_>, _>>()) {
        (Err(missing), ..) => Err(absent(missing)),
        (Ok(initializer), Ok(text), Ok(pairs)) => Ok(SeatbeltProfile::Text(initializer, text, pairs)),
        (Ok(_), ..) => Err((FailureKind::SandboxInitFailed, "the profile holds a NUL".to_owned())),
    };
    made(PolicyMode::Sbpl, profile)
}

/// Makes a compiled profile ready. [`apply`] reports what prevents it.
pub(super) fn compiled(bytes: &[u8]) -> Option<ReadyProfile> {
    let applier = Applier::resolve().map_err(absent);
    made(PolicyMode::Blob, applier.map(|applier| SeatbeltProfile::Compiled(applier, bytes.to_vec())))
}

/// Confines this process, and says how that went.
pub(super) fn apply(policy: &mut ReadyProfile) -> &ApplyRecord {
    let before = Checker::resolve().ok().and_then(|checker| checker.confined().0);
    let ReadyProfile { profile, record } = policy;
    let (outcome, is_compiled) = match profile {
        SeatbeltProfile::Refused => return record,
        SeatbeltProfile::Text(initializer, text, parameters) => (initializer.apply(text, parameters), false),
        SeatbeltProfile::Compiled(applier, bytes) => (applier.apply(bytes), true),
    };
    if let Err(SeatbeltRefused { errno, text }) = outcome {
        let class = classify(errno, text.as_deref(), before);
        record.rc = -1;
        record.errno = errno;
        record.failure = Some(kind(class, is_compiled));
        record.class = Some(class);
        record.message = text;
    }
    record
}

/// What this host would have to have: nothing more.
pub(super) fn needs() -> Option<&'static str> {
    None
}

/// Whether it can be used, and what there is to say of it.
pub(super) fn availability() -> (bool, String) {
    if crate::sys::seatbelt_confined().is_some() {
        (true, "applied in process; `selftest` says what is not certain of it".to_owned())
    } else {
        (false, "`sandbox_check` is not there, or gives no answer".to_owned())
    }
}
