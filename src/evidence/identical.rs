//! Whether a row and its baseline were the identical call on the identical target.

use crate::record::report::TargetIdentity;
use crate::record::row::ProbeRow;

/// What makes the baseline's call another call than the scenario's, if anything does.
///
/// Inode numbers may differ, since fixtures are made afresh for every lane; path, type, permission bits and owner may
/// not, and neither may the user who calls.
pub(super) fn difference(scenario: &ProbeRow, baseline: &ProbeRow) -> Option<&'static str> {
    if scenario.launcher.is_some() {
        // All questions of a launcher share a root; the very objects were asked about outside of it, too.
        let within = |row: &ProbeRow| {
            row.action
                .map_texts(|text| Ok::<_, std::convert::Infallible>(without_names(&text.replace(&row.root, "${root}"))))
        };
        return (within(scenario) != within(baseline))
            .then_some("the baseline attempted another operation or another target");
    }
    if scenario.action != baseline.action {
        return Some("the baseline attempted another operation or another target");
    }
    if let (Some(here), Some(there)) = (&scenario.operation, &baseline.operation) {
        // The refused call ends the scenario's list, so it is a prefix of the baseline's. (An execution that went
        // through leaves no list at all.)
        let same = here.calls.len() <= there.calls.len()
            && here.calls.iter().zip(&there.calls).all(|(a, b)| a.syscall == b.syscall && a.role == b.role);
        if !same {
            return Some("the baseline made other system calls");
        }
    }
    let caller = |row: &ProbeRow| row.prologue.as_ref().map(|prologue| prologue.uid);
    if caller(scenario) != caller(baseline) {
        return Some("the baseline was attempted by another user");
    }
    let target = |row: &ProbeRow| row.prologue.as_ref().and_then(|prologue| prologue.target.as_ref().map(shape));
    if target(scenario) != target(baseline) {
        return Some("the baseline's target was of another type, mode or owner");
    }
    None
}

/// The text without the ports of this machine's own addresses, which each lane picks for itself.
fn without_names(text: &str) -> String {
    match text.rsplit_once(':') {
        Some((host, port)) if is_own(host) && port.parse::<u16>().is_ok_and(|port| port >= 1024) => {
            format!("{host}:PORT")
        }
        _ => text.to_owned(),
    }
}

/// Whether an address, in brackets where it has colons, is this machine's own wherever it is asked.
fn is_own(host: &str) -> bool {
    use std::net::{IpAddr, Ipv6Addr};
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().map(|address| address.to_canonical()),
        None => host.parse::<IpAddr>(),
    };
    address.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// What of a target's identity two lanes must share.
fn shape(target: &TargetIdentity) -> (i32, Option<u32>, Option<u32>) {
    (target.errno, target.mode, target.uid)
}
