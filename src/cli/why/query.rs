//! One question about a policy, and its answer.

use super::super::exit::Failure;
use super::super::policy_source::{bad, short};
use crate::base::suggest::hint_for;
use crate::policy::operations::{OPERATIONS, canonical};
use crate::record::driver::Driver;
use crate::record::why::{WhyDecision, WhyRule, WhyStep};

/// One question, however it was put.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    pub(super) operation: String,
    pub(super) target: String,
    pub(super) filter: Option<String>,
    pub(super) syscall: Option<String>,
    pub(super) driver: Option<Driver>,
    pub(super) to: Option<String>,
    pub(super) links: Vec<(String, String)>,
    pub(super) facts: Vec<(String, String)>,
}

/// What a kind of policy answers.
pub(super) struct PolicyAnswer {
    pub(super) decision: WhyDecision,
    pub(super) rule: Option<WhyRule>,
    pub(super) chain: Vec<WhyStep>,
    pub(super) reason: String,
    pub(super) assumes: Vec<String>,
    pub(super) remarks: Vec<String>,
}

impl Query {
    /// A question about an operation, or about what a driver attempts.
    pub(super) fn about(operation: Option<&str>, driver: Option<&str>) -> Result<Self, Failure> {
        let driver = match driver {
            None => None,
            Some(name) => Some(Driver::by_name(name).ok_or_else(|| {
                let names = Driver::ALL.iter().map(|driver| driver.info().name);
                bad(
                    format!("there is no driver `{}`", short(name)),
                    hint_for(name, names, "see SPEC.md for the drivers"),
                )
            })?),
        };
        let operation = match (operation, driver) {
            (Some(operation), _) => operation,
            (None, Some(driver)) => driver.info().operations.first().copied().unwrap_or("default"),
            (None, None) => return Err(bad("the question names no operation", "name one, or a driver")),
        };
        if canonical(operation).is_none() {
            let remedy = hint_for(operation, OPERATIONS, "use one of Seatbelt's names, such as `file-read-data`");
            return Err(bad(format!("`{}` is not an operation of the vocabulary", short(operation)), remedy));
        }
        Ok(Self { operation: operation.to_owned(), driver, ..Self::default() })
    }
}
