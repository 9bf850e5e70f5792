//! Listens to the kernel's audit for a run, and says of each probe what the kernel said.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::EndedProbe;
use super::collector::{DenialCollector, attribution};
use super::keeper::HeldAudit;
use super::refusal::AuditRefusal;
use super::wire::{AuditControl, AuditReader};
use crate::record::attribution::{AttributionSetup, KernelAttribution, SINCE_ABI, Unattributed};

/// What a run hears of the kernel's denials. While it lives, the audit is on; then it is as it was before.
#[derive(Debug)]
pub struct AuditListener {
    heard: Mutex<HeardRecords>,
    losses: AtomicU64,
    held: HeldAudit,
}

#[derive(Debug)]
struct HeardRecords {
    control: AuditControl,
    reader: AuditReader,
    denials: DenialCollector,
    /// How many records the kernel had lost when it was asked last.
    lost: u32,
    /// How many texts were given to the audit.
    said: u64,
}

impl AuditListener {
    /// Begins to listen, after the audit was put on if it was off. `exe`: this program, which puts it back. `abi`: the kernel's
    /// Landlock ABI.
    ///
    /// # Errors
    /// Why that cannot be. Then the audit is as it was.
    pub fn start(exe: &Path, abi: Option<i32>) -> Result<Self, AuditRefusal> {
        if abi.is_none_or(|abi| abi < SINCE_ABI) {
            return Err(AuditRefusal::Kernel { abi });
        }
        let control = AuditControl::open()?;
        // Before it is put on, so that nothing is missed.
        let reader = AuditReader::open()?;
        let held = HeldAudit::hold(exe)?;
        let lost = control
            .status()
            .map_err(|source| AuditRefusal::Failed { step: "ask how many records were lost", source })?
            .lost;
        let mut heard = HeardRecords { control, reader, denials: DenialCollector::default(), lost, said: 0 };
        heard.catch_up().map_err(AuditRefusal::Silent)?;
        Ok(Self { heard: Mutex::new(heard), losses: AtomicU64::new(0), held })
    }

    /// How the audit was found.
    pub fn setup(&self) -> AttributionSetup {
        AttributionSetup { audit_found: self.held.found() }
    }

    /// How often records are known to have been lost so far. A probe is affected if it is another number when it has ended than
    /// when it was started.
    pub fn losses(&self) -> u64 {
        self.losses.load(Ordering::SeqCst)
    }

    /// What the kernel said of a process whose operation failed, and which has ended. Nothing of it is kept.
    pub fn attribute(&self, probe: EndedProbe) -> KernelAttribution {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        // Whatever went wrong on the way, this is not all.
        if !heard.catch_up().unwrap_or(false) {
            self.losses.fetch_add(1, Ordering::SeqCst);
        }
        let denials = heard.denials.take(probe.pid, (probe.started_at_unix_s * 1000.0) as u64);
        if self.losses() != probe.losses_before {
            return KernelAttribution::by_errno(Unattributed::Lost);
        }
        attribution(denials, probe.looks_at_process)
    }
}

impl HeardRecords {
    /// Hears everything that the kernel has told up to now: a text that is given to the audit comes back behind it, because all
    /// records go through one queue (`audit_queue` of kernel/audit.c). False: some were lost.
    fn catch_up(&mut self) -> io::Result<bool> {
        self.said += 1;
        let text = format!("sandproof {} {}", std::process::id(), self.said);
        self.control.say(&text)?;
        let denials = &mut self.denials;
        let mut whole = self.reader.take_until(&text, &mut |record| denials.take_in(record))?;
        let lost = self.control.status()?.lost;
        whole &= lost == self.lost;
        self.lost = lost;
        Ok(whole)
    }
}
