//! There is nothing to listen to on a system without such an audit.

use std::convert::Infallible;
use std::path::Path;

use super::EndedProbe;
use super::refusal::AuditRefusal;
use crate::record::attribution::{AttributionSetup, KernelAttribution};

/// A listener, of which there is none here.
#[derive(Debug)]
pub struct AuditListener(Infallible);

impl AuditListener {
    /// Always refuses.
    ///
    /// # Errors
    /// [`AuditRefusal::OtherSystem`]
    pub fn start(_: &Path, _: Option<i32>) -> Result<Self, AuditRefusal> {
        Err(AuditRefusal::OtherSystem)
    }

    /// How the audit was found.
    pub fn setup(&self) -> AttributionSetup {
        match self.0 {}
    }

    /// How often something was lost.
    pub fn losses(&self) -> u64 {
        match self.0 {}
    }

    /// What the kernel said.
    pub fn attribute(&self, _: EndedProbe) -> KernelAttribution {
        match self.0 {}
    }
}
