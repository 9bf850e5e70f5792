//! The smallest rule of a Seatbelt profile that lets one operation through.

use super::witness::{OperationTarget, target_kind};
use crate::policy::sbpl::model::usual_filter;
use crate::policy::sbpl::quote;

/// A rule that allows `operation` on `target` and, as far as the language has a filter for it, nothing else.
pub fn smallest_rule(operation: &str, target: &str) -> String {
    let filter = match target_kind(operation) {
        _ if target.is_empty() => String::new(),
        OperationTarget::Path => format!(" (literal {})", quote(target)),
        OperationTarget::Network if target.starts_with('/') => format!(" (literal {})", quote(target)),
        OperationTarget::Network => match target.rsplit_once(':') {
            Some((host, port)) => {
                let end = if operation == "network-outbound" { "remote" } else { "local" };
                // The language knows no other hosts.
                let loopback = ["localhost", "127.0.0.1", "::1", "[::1]"].contains(&host);
                format!(" ({end} ip {})", quote(&format!("{}:{port}", if loopback { "localhost" } else { "*" })))
            }
            None => String::new(),
        },
        OperationTarget::Process => format!(" (target {target})"),
        OperationTarget::Name => match usual_filter(operation) {
            Some(filter) if is_symbolic(filter) => format!(" ({filter} {target})"),
            Some(filter) => format!(" ({filter} {})", quote(target)),
            None => String::new(),
        },
    };
    format!("(allow {operation}{filter})")
}

/// Whether a filter takes a symbol or a number instead of a text.
fn is_symbolic(filter: &str) -> bool {
    let symbols = [
        "socket-domain",
        "fcntl-command",
        "fsctl-command",
        "syscall-number",
        "machtrap-number",
        "kernel-mig-routine",
        "task-special-port",
        "host-special-port",
        "socket-option-name",
        "storage-class",
        "info-type",
    ];
    symbols.contains(&filter)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::policy::sbpl::SbplPolicy;
    use crate::policy::sbpl::model::{SbplQuestion, evaluate};
    use crate::record::outcome::Decision;

    #[test]
    fn a_rule_lets_its_own_operation_through() {
        for (operation, target, rule) in [
            ("file-read-data", "/private/etc/a \"b\"", "(allow file-read-data (literal \"/private/etc/a \\\"b\\\"\"))"),
            ("mach-lookup", "com.example.a", "(allow mach-lookup (global-name \"com.example.a\"))"),
            ("sysctl-read", "kern.x", "(allow sysctl-read (sysctl-name \"kern.x\"))"),
            ("network-outbound", "192.0.2.1:443", "(allow network-outbound (remote ip \"*:443\"))"),
            ("network-outbound", "127.0.0.1:80", "(allow network-outbound (remote ip \"localhost:80\"))"),
            ("network-bind", "0.0.0.0:80", "(allow network-bind (local ip \"*:80\"))"),
            ("signal", "others", "(allow signal (target others))"),
            ("process-fork", "", "(allow process-fork)"),
        ] {
            assert_eq!(smallest_rule(operation, target), rule);
            let before = SbplPolicy::new("(version 1)\n(deny default)\n", BTreeMap::new()).unwrap();
            let after = before.with_rules(&[rule]).unwrap();
            let question = SbplQuestion::new(operation, target);
            assert_eq!(evaluate(after.rules(), &question).decision, Some(Decision::Allow), "{rule}");
        }
    }
}
