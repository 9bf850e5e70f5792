//! What somebody can do about a row that decided nothing: one sentence for each kind of failure, and closer ones where the error
//! number says more.

use crate::record::outcome::FailureKind;

/// What can be done about a kind of failure, whatever else its row says.
pub fn remedy(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::CapabilityMissing => {
            "run as a user and on a host that has what the row names, or take the probe out of the plan; \
             `sandproof describe-probe` says what it asks for under `capabilities_required`"
        }
        FailureKind::FixtureFailed => {
            "the row names the path and the error: let the fixture lie below `${root}`, and give the run a folder for fixtures \
             with room (`TMPDIR`)"
        }
        FailureKind::ForeignTarget => {
            "a probe that changes something may only reach what the run made: give it a target below `${root}` (in a question: \
             `${workspace}`, `${outside}`, `${home}`)"
        }
        FailureKind::SetupFailed => {
            "the row names the step and its error: run where it is permitted (mounts and namespaces often need root), or take the \
             probe out of the plan"
        }
        FailureKind::WorkerLost => {
            "run again; if it is lost again, see whether memory, processes or open files are short (`ulimit -a`, the kernel's log), \
             and try `--jobs 1`"
        }
        FailureKind::SymbolUnavailable => {
            "run on a release of the system that has it, or take the probe out of the plan"
        }
        FailureKind::BaselineConfined => {
            "start the run outside of any sandbox; `sandproof status` says what confines this shell"
        }
        FailureKind::LaneUnsupported => {
            "name the lane under `supports_lanes` of the probe, or leave that key out, which means all of them"
        }
        FailureKind::PreflightApplyGate => {
            "take the operation or filter that the row names out of the profile: without an Apple entitlement no process may apply it"
        }
        FailureKind::LandlockUnavailable => {
            "boot a kernel of 5.13 or newer with Landlock among its LSMs (`/sys/kernel/security/lsm`, boot option `lsm=`); \
             `sandproof status` says what this one has"
        }
        FailureKind::LandlockRightUnsupported => {
            "take the right out of the policy, or run on a kernel that knows it: `sandproof status` says the ABI here, \
             `sandproof policy show FILE` the one that the policy needs"
        }
        FailureKind::LandlockRuleTarget => {
            "let the rule name something that exists here and that you may open, or declare it as a fixture"
        }
        FailureKind::LandlockApplyFailed => {
            "the row names the call and its error; `sandproof policy lint FILE` says what of the policy a kernel does not take"
        }
        FailureKind::ApplyAlreadySandboxed => {
            "start the run outside of any sandbox: Seatbelt does not put a second profile over a first"
        }
        FailureKind::SandboxInitFailed | FailureKind::SandboxApplyFailed => {
            "the row holds what Seatbelt said; `sandproof policy lint FILE` reads the profile with a line for each fault"
        }
        FailureKind::ApplySelfCheckFailed => {
            "the row says which proof is missing; see whether something else confines the process as well (`sandproof status`), and \
             whether the policy handles anything at all"
        }
        FailureKind::EnforcerUnavailable => {
            "run on a system that has it: Landlock is a part of Linux, Seatbelt of macOS; `sandproof why` asks the model of either \
             on any host"
        }
        FailureKind::LauncherNotStarted => {
            "type the launcher by hand with `true` as the program to run, until that works; it has to start what stands behind its \
             last word, or where it says `${probe}`; if it only takes longer, say so with `--start-timeout-ms`"
        }
        FailureKind::LauncherMany => {
            "the launcher starts its program more than once; ask the command that starts it once, or the one of them that is meant"
        }
        FailureKind::LauncherRestarted => {
            "the launcher starts its program again when that has ended; switch that off while it is asked"
        }
        FailureKind::LauncherElsewhere => {
            "the program works on another machine or another file system; let the launcher show it the run's folders \
             (`${workspace}`, and `paths` of its document where it renames them), or start sandproof in there"
        }
        FailureKind::LauncherTimeLimit => {
            "the launcher ends what it starts after some time; give it more time, or ask less at once"
        }
        FailureKind::LauncherCannotAsk => {
            "the row says what is missing inside: let the launcher leave the program its standard input or a folder to write to, or \
             ask something else of it"
        }
        FailureKind::BootstrapEnded => {
            "see what the policy leaves a process that only begins: the row says how it ended; take rules away until it stays alive"
        }
        FailureKind::ProbePrepareFailed => {
            "the row names the call and its error: it has to go through under the policy before the operation can be asked; let the \
             policy allow it, or ask the operation of something that needs less"
        }
        FailureKind::ProbeSyscallErrno => {
            "nothing by itself: whether it is a denial by the policy is said by the lane without one"
        }
        FailureKind::ProbeErrno => {
            "mend what the error names, or ask about something that works without the policy; only then does a refusal show anything"
        }
        FailureKind::ProbeEffectUnseen => {
            "see who else uses that object, and run again; if it stays so, the call is let through and something behind it is not"
        }
        FailureKind::AbsentUnattributed => {
            "ask about what exists outside of the launcher; for what does exist, nothing that the launcher mounts covers it, so see \
             whether you may look at it there"
        }
        FailureKind::EffectNotSeen => {
            "ask below `${workspace}` or `${outside}`, whose files the host can look at afterwards"
        }
        FailureKind::Noise => {
            "ask about an object that nobody else uses at the time: a fixture instead of a path of the host"
        }
        FailureKind::ResourceLimit => {
            "see which limit is reached (`ulimit -a`, the cgroup, a full disk), raise it, and run again"
        }
        FailureKind::ObjectUnproved => {
            "ask about something that can be told from a copy: a file of the run's own, or one that the launcher shows under its own \
             name; `by-name` asks about the name alone"
        }
        FailureKind::ProbeInconclusive => {
            "use a driver whose success can be seen (`sandproof list-drivers`): this one's call succeeds also where it is refused later"
        }
        FailureKind::OracleOnly => "ask it with a driver that performs an operation, if it is to count as decided",
        FailureKind::ProbeTimeout => {
            "give it more time (`deadline_ms` of the plan), or see what it waits for; on a busy host try `--jobs 1`"
        }
        FailureKind::RepetitionsDisagree => {
            "find out what differs between the attempts: `sandproof report` lists how each ended; other processes and limits of rate \
             are the usual causes"
        }
        FailureKind::ProbeCrashed => {
            "see whether the policy kills instead of refusing (a seccomp filter does): the row names the signal; if it does not, it \
             is a fault of sandproof's, to be reported with the bundle"
        }
        FailureKind::ProbeNoReport => {
            "run again; if it stays so, see what the policy takes from a process beside files (descriptors, exit), and report it with \
             the bundle"
        }
        FailureKind::BaselineDenied => {
            "ask as a user who may do it without the policy, or about something that you may: what is refused anyway shows nothing \
             of the policy"
        }
        FailureKind::BaselineUndecided => {
            "mend what stopped the same operation without the policy: the row's baseline names it"
        }
        FailureKind::BaselineMissing => "switch `lanes.baseline` of the plan on",
        FailureKind::BaselineContradiction => {
            "run again while nothing else changes the object; a fixture of the run's own is changed by nobody"
        }
        FailureKind::OuterConfinement => {
            "start the run outside of what confines it already (`sandproof status` names it), and ask again"
        }
        FailureKind::RuleReachesRun => {
            "let the rule name something else than the run's own folders, or give the run others (`TMPDIR`, `--out`)"
        }
        FailureKind::ControlFailed => {
            "`controls.json` and `sandproof report` say which control went wrong and how: the policy is not in force as it is \
             written, or the host answers for it"
        }
    }
}

/// What can be done about a row of this kind of failure and this error. `None` where the row itself says it, or where nobody
/// knows the kind.
pub fn advice(kind: &str, errno_name: Option<&str>) -> Option<&'static str> {
    let kind = FailureKind::ALL.iter().copied().find(|known| known.as_str() == kind)?;
    // How a start went is in its row, with what to do about just that.
    if kind == FailureKind::LauncherNotStarted {
        return None;
    }
    let closer = if kind == FailureKind::ProbeErrno { errno_name.and_then(of_error) } else { None };
    Some(closer.unwrap_or_else(|| remedy(kind)))
}

/// What can be done where an operation fails with this error whatever the policy says.
fn of_error(name: &str) -> Option<&'static str> {
    match name {
        "ENOENT" | "ENOTDIR" => Some(
            "nothing is there, with or without the policy; ask about what this host has, or let the run make it (a path below \
             `${home}` or `${workspace}` in a question, a fixture in a registry)",
        ),
        "ECONNREFUSED" => Some(
            "nobody listens there, with or without the policy; let the run listen (`127.0.0.1:${port}` or `abstract ${name}` in a \
             question, `listener` in a registry)",
        ),
        "ENETUNREACH" | "EHOSTUNREACH" | "EADDRNOTAVAIL" => Some(
            "no way leads to that address from here; ask about one that this host reaches, such as `127.0.0.1:${port}`",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_failure_says_what_to_do_in_one_plain_sentence() {
        for kind in FailureKind::ALL {
            let text = remedy(*kind);
            assert!(text.len() > 30 && !text.ends_with('.'), "{}: {text}", kind.as_str());
            assert!(text.starts_with(|c: char| c.is_ascii_lowercase() || c == '`'), "{}: {text}", kind.as_str());
            assert_eq!(text.matches('`').count() % 2, 0, "{}: {text}", kind.as_str());
            assert_ne!(text, kind.explain());
        }
    }

    #[test]
    fn a_row_says_what_to_do_as_closely_as_its_error_allows() {
        assert!(advice("probe_errno", Some("ENOENT")).is_some_and(|text| text.contains("${home}")));
        assert!(advice("probe_errno", Some("ECONNREFUSED")).is_some_and(|text| text.contains("${port}")));
        for vague in [None, Some("EIO")] {
            assert_eq!(advice("probe_errno", vague), Some(remedy(FailureKind::ProbeErrno)), "{vague:?}");
        }
        assert_eq!(advice("baseline_denied", Some("ENOENT")), Some(remedy(FailureKind::BaselineDenied)));
        // Its row has closer words; and nobody has heard of the other.
        for nothing in ["launcher_not_started", "apply_failed"] {
            assert_eq!(advice(nothing, Some("ENOENT")), None, "{nothing}");
        }
    }
}
