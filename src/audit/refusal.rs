//! Why denials cannot be named by the kernel on this host.

use std::io;

use crate::record::attribution::SINCE_ABI;

/// Why a run cannot listen to the kernel's audit. Nothing of the host was changed.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux has such an audit"))]
pub enum AuditRefusal {
    /// Another system.
    #[error("only the kernel of Linux names the rights that a denial was about")]
    OtherSystem,
    /// An older kernel.
    #[error(
        "this kernel has {}, and tells the audit of denials from Landlock ABI {SINCE_ABI} on (Linux 6.15)",
        abi.map_or_else(|| "no Landlock".to_owned(), |abi| format!("Landlock ABI {abi}"))
    )]
    Kernel {
        /// Its Landlock ABI; `None` without Landlock.
        abi: Option<i32>,
    },
    /// A kernel without an audit.
    #[error("this kernel has no audit (CONFIG_AUDIT), or this process cannot reach it")]
    NoAudit(#[source] io::Error),
    /// Whoever runs it may not.
    #[error(
        "the kernel lets this process neither read nor change its audit (CAP_AUDIT_CONTROL, CAP_AUDIT_READ, CAP_AUDIT_WRITE)"
    )]
    NotPermitted,
    /// A daemon has the audit, and it is left to it.
    #[error("the audit of this host belongs to process {pid} (auditd), and is left to it")]
    Owned {
        /// The daemon's process id.
        pid: u32,
    },
    /// A lost record would end the machine.
    #[error("this host panics when a record of its audit is lost (`auditctl -f 2`), and a run may cause many")]
    Panics,
    /// Another run listens.
    #[error("another run listens to the audit of this host already")]
    Taken,
    /// Nothing comes back.
    #[error(
        "the audit does not tell this process what it was given (a rule of the audit, or another network namespace)"
    )]
    Silent(#[source] io::Error),
    /// A step failed.
    #[error("could not {step}")]
    Failed {
        /// The step, in words that follow "could not".
        step: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}
