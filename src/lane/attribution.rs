//! What the kernel said of a probe, once it has ended.

use crate::audit::{AuditListener, EndedProbe};
use crate::policy::PolicyValue;
use crate::record::attribution::KernelAttribution;
use crate::record::driver_info::TargetKind;
use crate::record::report::OperationReport;
use crate::record::row::ProbeRow;
use crate::zygote::protocol::Reply;

/// What the listener heard of a probe; nothing of one without a Landlock policy, or whose operation went through.
/// `losses_before`: what the listener said of losses before it was started.
pub(super) fn heard(
    listener: &AuditListener,
    losses_before: u64,
    row: &ProbeRow,
    policy: Option<&PolicyValue>,
    reply: &Reply,
) -> Option<KernelAttribution> {
    let (Some(PolicyValue::Landlock(_)), Some(pid)) = (policy, reply.pid) else { return None };
    // Of every probe, so that what is heard is taken from the socket and forgotten again.
    let said = listener.attribute(EndedProbe {
        pid,
        started_at_unix_s: reply.started_at_unix_s,
        looks_at_process: row.action.driver.info().target == TargetKind::OutsideProcess,
        losses_before,
    });
    Some(said).filter(|_| operation_failed(reply))
}

/// Whether a call of the operation failed, as the process said in its second line.
fn operation_failed(reply: &Reply) -> bool {
    let line = reply.text().and_then(|text| text.lines().nth(1));
    let done = line.and_then(|line| serde_json::from_str::<OperationReport>(line).ok());
    done.is_some_and(|done| done.calls.iter().any(|call| call.ret < 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_has_failed_if_one_of_its_calls_has() {
        let failed = |second: &str| {
            let report = format!("{{}}\n{second}\n").into_bytes();
            operation_failed(&Reply { report, ..Reply::to(1) })
        };
        let call = |ret: i32| {
            format!(
                r#"{{"calls":[{{"syscall":"openat","role":"operation","ret":{ret},"errno":{}}}]}}"#,
                -13 * ret.min(0)
            )
        };
        assert!(failed(&call(-1)));
        assert!(!failed(&call(3)));
        assert!(!failed("") && !failed("{}"));
    }
}
