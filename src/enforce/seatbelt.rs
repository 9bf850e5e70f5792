//! Seatbelt: profile texts through `sandbox_init_with_parameters`, compiled profiles through libsandbox. In process, once,
//! for good.

use std::ffi::CString;

use super::apply_class::{classify, kind};
use crate::policy::Enforceable;
use crate::record::outcome::FailureKind;
use crate::record::report::ApplyRecord;
use crate::sys::darwin::seatbelt::{Applier, Checker, Initializer, Refused};
use crate::sys::darwin::symbols::Missing;

/// The Landlock ABI of the running kernel: none here.
pub fn landlock_abi() -> Option<i32> {
    None
}

/// What a host without an ABI to enforce would need.
pub fn landlock_needs() -> &'static str {
    "Landlock (Linux 5.13 or newer, switched on)"
}

/// The Landlock errata that are fixed: none to speak of here.
pub fn landlock_errata() -> Option<Vec<u32>> {
    None
}

/// In how many Landlock domains this process already is: not a question here.
pub fn already_confined_layers() -> Option<u32> {
    None
}

/// Whether Landlock domains around this process refuse moves between folders once a policy is in force: not a question
/// here.
pub fn refer_refused_around(_folder: &std::path::Path) -> Option<bool> {
    None
}

/// A policy whose functions were found and whose texts were made, while nothing is confined.
#[derive(Debug)]
pub enum Ready {
    /// A profile text.
    Text(Initializer, CString, Vec<CString>),
    /// A compiled profile.
    Compiled(Applier, Vec<u8>),
    /// What stands against it.
    Refused(Box<ApplyRecord>),
}

/// The call as the reference runtime's documents name it; the function is `sandbox_init_with_parameters`.
const INIT: &str = "sandbox_init";
const APPLY: &str = "sandbox_apply";

fn record(api: &str) -> ApplyRecord {
    ApplyRecord {
        api: api.into(),
        rc: 0,
        errno: 0,
        failure: None,
        class: None,
        message: None,
        abi: None,
        unsupported: Vec::new(),
    }
}

fn refused(api: &str, failure: FailureKind, message: String) -> Ready {
    let record = ApplyRecord { rc: -1, failure: Some(failure), message: Some(message), ..record(api) };
    Ready::Refused(Box::new(record))
}

/// Makes a policy ready whose placeholders are resolved. What stands against it is said by [`apply`].
pub fn ready(policy: &Enforceable) -> Ready {
    let absent = |api: &str, Missing(what): Missing| {
        refused(api, FailureKind::EnforcerUnavailable, format!("this system has no {what}"))
    };
    match policy {
        Enforceable::Landlock { .. } => refused(
            "landlock_restrict_self",
            FailureKind::EnforcerUnavailable,
            "Landlock is a part of Linux; this is another system".to_owned(),
        ),
        Enforceable::Sbpl { text, parameters } => {
            let pairs = parameters.iter().flat_map(|(key, value)| [key, value]).map(|text| CString::new(text.as_str()));
            match (Initializer::resolve(), CString::new(text.as_str()), pairs.collect::<Result<Vec<_>, _>>()) {
                (Err(missing), ..) => absent(INIT, missing),
                (Ok(initializer), Ok(text), Ok(pairs)) => Ready::Text(initializer, text, pairs),
                _ => refused(INIT, FailureKind::SandboxInitFailed, "the profile holds a NUL".to_owned()),
            }
        }
        Enforceable::Blob { bytes } => match Applier::resolve() {
            Err(missing) => absent(APPLY, missing),
            Ok(applier) => Ready::Compiled(applier, bytes.clone()),
        },
    }
}

/// Confines this process, and says how that went.
pub fn apply(policy: &Ready) -> ApplyRecord {
    let before = Checker::resolve().ok().and_then(|checker| checker.confined().0);
    let (api, outcome) = match policy {
        Ready::Refused(record) => return ApplyRecord::clone(record),
        Ready::Text(initializer, text, parameters) => (INIT, initializer.apply(text, parameters)),
        Ready::Compiled(applier, bytes) => (APPLY, applier.apply(bytes)),
    };
    let Err(Refused { errno, text }) = outcome else { return record(api) };
    let class = classify(errno, text.as_deref(), before);
    ApplyRecord {
        rc: -1,
        errno,
        failure: Some(kind(class, api == APPLY)),
        class: Some(class),
        message: text,
        ..record(api)
    }
}
