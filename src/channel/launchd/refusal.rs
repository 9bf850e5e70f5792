//! A job that launchd did not take, as an error.

use super::definition::DefinitionError;
use crate::process::tool::ToolOutput;
use crate::record::launchctl::BootstrapFailure;

/// A job that launchd did not take.
#[derive(Debug, thiserror::Error)]
#[error("launchd did not take the job ({}{}): {}", failure.classification.as_str(), said(output), failure.advice)]
pub struct NotBootstrapped {
    /// The class of the refusal and what it was read from.
    pub failure: BootstrapFailure,
    /// What the program said that refused it, if one did.
    pub output: Option<ToolOutput>,
    /// Why there was nothing to give to launchd.
    #[source]
    pub source: Option<DefinitionError>,
}

fn said(output: &Option<ToolOutput>) -> String {
    output.as_ref().map_or_else(String::new, |output| format!("; {}", output.in_a_line()))
}
