//! Who answers a question: the model of the policy's own kind.

use super::super::exit::Failure;
use super::super::policy_source::{NamedPolicy, bad};
use super::query::{PolicyAnswer, Query};
use super::{landlock, seatbelt};
use crate::policy::PolicyValue;

/// Puts a question to a policy.
pub(super) fn answer(source: &NamedPolicy, query: &Query) -> Result<PolicyAnswer, Failure> {
    match source.asked.policy.value.as_ref() {
        PolicyValue::Sbpl(policy) => seatbelt::answer(source, query, policy),
        PolicyValue::Landlock(policy) => landlock::answer(source, query, policy),
        // `PolicyOptions::find` refuses what is compiled.
        PolicyValue::Launcher(_) => {
            Err(bad("a launcher holds no rules to evaluate", "`sandproof ask QUESTION -- COMMAND` starts it and asks"))
        }
        PolicyValue::Blob(_) => Err(bad("a compiled profile holds no text to evaluate", "ask about its text")),
    }
}
