//! A policy by itself, for the people who write it: what in it does not do what it seems to say ([`seatbelt_lint`],
//! [`landlock_lint`]), what it comes to ([`show`]), how the access of two differs ([`seatbelt_diff`],
//! [`landlock_access`]), and what a logged denial says of it ([`denial`]).
//!
//! Nothing here knows more than the models of [`crate::policy`]: where they cannot know, nothing is claimed.

pub mod denial;
pub mod filters;
mod found;
pub mod landlock_access;
pub mod landlock_lint;
pub mod operations;
pub mod question;
pub mod seatbelt_diff;
pub mod seatbelt_lint;
pub mod show;
pub mod suggest;
pub mod witness;

use crate::policy::PolicyValue;
pub use found::UnplacedFinding;
pub use seatbelt_diff::PolicyComparison;

use landlock_lint::PathState;
use show::PolicyOverview;

/// What a policy comes to.
pub fn show(policy: &PolicyValue) -> PolicyOverview {
    match policy {
        PolicyValue::Sbpl(policy) => show::seatbelt(policy),
        PolicyValue::Landlock(policy) => show::landlock(policy),
        PolicyValue::Blob(_) | PolicyValue::Launcher(_) => PolicyOverview::default(),
    }
}

/// What in a policy does not do what it seems to say. `look` says what stands at a path of this host.
pub fn lint(policy: &PolicyValue, look: &dyn Fn(&str) -> PathState) -> Vec<UnplacedFinding> {
    match policy {
        PolicyValue::Sbpl(policy) => seatbelt_lint::lint(policy),
        PolicyValue::Landlock(policy) => landlock_lint::lint(policy, look),
        PolicyValue::Blob(_) | PolicyValue::Launcher(_) => Vec::new(),
    }
}

/// Compares two policies; `None` if they are for different enforcers, or cannot be evaluated.
pub fn compare(a: &PolicyValue, b: &PolicyValue) -> Option<PolicyComparison> {
    match (a, b) {
        (PolicyValue::Sbpl(a), PolicyValue::Sbpl(b)) => Some(seatbelt_diff::compare(a, b)),
        (PolicyValue::Landlock(a), PolicyValue::Landlock(b)) => {
            let (questions, changes) = landlock_access::compare(a, b);
            Some(PolicyComparison { questions, complete: true, changes, unwitnessed: Default::default() })
        }
        (PolicyValue::Sbpl(_) | PolicyValue::Landlock(_) | PolicyValue::Blob(_) | PolicyValue::Launcher(_), _) => None,
    }
}
