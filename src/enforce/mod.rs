//! Putting a policy in force in the calling process: one interface, one file per enforcer, and one for each where its system
//! is not this one; chosen here.
//!
//! A policy is enforced as it stands or not at all. What the kernel (or this build) cannot enforce is an apply failure
//! with its cause, never a weaker policy.

#[cfg(target_os = "linux")]
mod landlock;
#[cfg(not(target_os = "linux"))]
#[path = "landlock_absent.rs"]
mod landlock;
#[cfg(target_os = "macos")]
mod seatbelt;
#[cfg(not(target_os = "macos"))]
#[path = "seatbelt_absent.rs"]
mod seatbelt;

#[cfg(any(test, target_os = "macos"))]
pub mod apply_class;

use crate::policy::{Enforceable, Enforcer, PolicyMode};
use crate::record::outcome::FailureKind;
use crate::record::platform::Platform;
use crate::record::report::ApplyRecord;

pub use landlock::{already_confined_layers, landlock_abi, landlock_errata, refer_refused_around};

/// A policy made ready to be put in force: what can be worked out beforehand is, so that a probe process is left with the
/// system calls.
#[derive(Debug)]
pub enum ReadyPolicy {
    /// A Landlock policy.
    Landlock(landlock::ReadyRuleset),
    /// A Seatbelt profile.
    Seatbelt(seatbelt::ReadyProfile),
    /// The policy of an enforcer that is a part of another system: the record of its failure.
    Elsewhere(Box<ApplyRecord>),
}

impl ReadyPolicy {
    /// What enforces it; `None` for what cannot be enforced here.
    #[cfg(target_os = "linux")]
    pub fn enforcer(&self) -> Option<Enforcer> {
        match self {
            Self::Landlock(_) => Some(Enforcer::Landlock),
            Self::Seatbelt(_) => Some(Enforcer::Seatbelt),
            Self::Elsewhere(_) => None,
        }
    }
}

/// Makes a policy ready whose placeholders are resolved. [`apply`] reports what prevents it.
pub fn ready(policy: &Enforceable) -> ReadyPolicy {
    let ready = match policy {
        Enforceable::Landlock { policy } => landlock::ready(policy).map(ReadyPolicy::Landlock),
        Enforceable::Sbpl { text, parameters } => seatbelt::text(text, parameters).map(ReadyPolicy::Seatbelt),
        Enforceable::Blob { bytes } => seatbelt::compiled(bytes).map(ReadyPolicy::Seatbelt),
        Enforceable::Launcher {} => None,
    };
    ready.unwrap_or_else(|| ReadyPolicy::Elsewhere(Box::new(elsewhere(policy.mode()))))
}

/// Confines the calling process, and says how that went.
pub fn apply(policy: &mut ReadyPolicy) -> &ApplyRecord {
    match policy {
        ReadyPolicy::Landlock(policy) => landlock::apply(policy),
        ReadyPolicy::Seatbelt(policy) => seatbelt::apply(policy),
        ReadyPolicy::Elsewhere(record) => record,
    }
}

fn elsewhere(mode: PolicyMode) -> ApplyRecord {
    let info = mode.enforcer().info();
    let message = match mode.enforcer() {
        Enforcer::Launcher => "a launcher is started, and nobody puts it in force on himself".to_owned(),
        Enforcer::Landlock | Enforcer::Seatbelt => {
            let system = info.platform.map_or("another system", Platform::title);
            format!("{} is a part of {system}; this is another system", info.title)
        }
    };
    ApplyRecord {
        rc: -1,
        errno: libc::ENOSYS,
        failure: Some(FailureKind::EnforcerUnavailable),
        message: Some(message),
        ..ApplyRecord::in_force(mode.api())
    }
}

/// What this host would have to have to put policies of an enforcer in force; `None` if it has it.
pub fn needs(enforcer: Enforcer) -> Option<&'static str> {
    match enforcer {
        Enforcer::Landlock => landlock::needs(),
        Enforcer::Seatbelt => seatbelt::needs(),
        Enforcer::Launcher => None,
    }
}

/// Whether an enforcer can be used on this host, and what there is to say of it, or why not.
pub fn availability(enforcer: Enforcer) -> (bool, String) {
    match enforcer {
        Enforcer::Landlock => landlock::availability(),
        Enforcer::Seatbelt => seatbelt::availability(),
        Enforcer::Launcher => (true, "any command that runs a program".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_of_another_system_is_an_apply_failure_that_says_which() {
        let sbpl = Enforceable::Sbpl { text: "(version 1)".into(), parameters: Default::default() };
        for policy in [sbpl, Enforceable::Blob { bytes: vec![1] }] {
            let mode = policy.mode();
            if Platform::here() == mode.enforcer().platform() {
                continue;
            }
            let mut ready = ready(&policy);
            let record = apply(&mut ready);
            assert_eq!((record.rc, record.failure), (-1, Some(FailureKind::EnforcerUnavailable)));
            assert_eq!(record.api, mode.api());
            assert_eq!(record.message.as_deref(), Some("Seatbelt is a part of macOS; this is another system"));
            assert!(needs(mode.enforcer()).is_some() && !availability(mode.enforcer()).0);
        }
    }

    #[test]
    fn what_an_enforcer_needs_and_whether_it_is_available_agree() {
        for enforcer in Enforcer::ALL {
            let (available, detail) = availability(enforcer);
            assert!(!detail.is_empty());
            assert!(!available || needs(enforcer).is_none(), "{}: {detail}", enforcer.info().name);
        }
    }
}
