//! Denials, kept until the process that they are about is asked for. What is about others is forgotten again.

use std::collections::VecDeque;

use super::message::AuditRecord;
use crate::record::attribution::{KernelAttribution, KernelDenial, Unattributed};

/// How many domains are kept at a time. Each probe has one for each layer of its policy, and only those under way are waited for.
const MOST_DOMAINS: usize = 1024;
/// How many denials of a domain are kept.
const MOST_DENIALS: usize = 64;
/// By how much the kernel's stamp may lie before the time at which the harness started a process: its clock for stamps goes
/// by ticks, of which the longest is 10 ms.
const STAMP_SLACK_MS: u64 = 50;

/// What was heard and not asked for yet.
#[derive(Debug, Default)]
pub(super) struct DenialCollector {
    /// Oldest first.
    domains: VecDeque<HeardDomain>,
}

#[derive(Debug)]
struct HeardDomain {
    id: u64,
    /// Its process, and when that was told.
    owner: Option<(i32, u64)>,
    denials: Vec<HeardDenial>,
}

/// A denial, with the process that it was about if it was about one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeardDenial {
    pub(super) denial: KernelDenial,
    pub(super) opid: Option<i32>,
}

impl HeardDenial {
    fn is_look_at_process(&self) -> bool {
        self.denial.blockers == ["ptrace"]
    }
}

impl DenialCollector {
    /// Takes a record in.
    pub(super) fn take_in(&mut self, record: AuditRecord) {
        match record {
            AuditRecord::Denial { domain, denial, opid } => {
                let heard = self.of(domain);
                if heard.denials.len() < MOST_DENIALS {
                    heard.denials.push(HeardDenial { denial, opid });
                }
            }
            AuditRecord::Domain { domain, pid, at_ms } => self.of(domain).owner = Some((pid, at_ms)),
            AuditRecord::Said(_) => {}
        }
    }

    fn of(&mut self, id: u64) -> &mut HeardDomain {
        // Nearly always the newest.
        let place = self.domains.iter().rposition(|heard| heard.id == id);
        let place = place.unwrap_or_else(|| {
            if self.domains.len() == MOST_DOMAINS {
                self.domains.pop_front();
            }
            self.domains.push_back(HeardDomain { id, owner: None, denials: Vec::new() });
            self.domains.len() - 1
        });
        &mut self.domains[place]
    }

    /// The denials of a process that was started at that time, in milliseconds since 1970, in their order. Nothing of it, and
    /// of an earlier process of that number, is kept. `None`: nothing was told of it.
    pub(super) fn take(&mut self, pid: i32, started_ms: u64) -> Option<Vec<HeardDenial>> {
        let mut found = None;
        self.domains.retain_mut(|heard| {
            let Some((_, at_ms)) = heard.owner.filter(|(owner, _)| *owner == pid) else { return true };
            if at_ms + STAMP_SLACK_MS >= started_ms {
                found.get_or_insert_with(Vec::new).append(&mut heard.denials);
            }
            false
        });
        found
    }
}

/// What the denials of a probe process say of its operation, which failed. `looks_at_process`: the operation itself is to look
/// at another process.
pub(super) fn attribution(denials: Option<Vec<HeardDenial>>, looks_at_process: bool) -> KernelAttribution {
    // Each probe looks at the process that started it as soon as its policy is in force, and has to be refused: so a first
    // record is owed by every one of them. Where the process file system hides processes, one look is several records.
    let armed = denials.as_ref().and_then(|denials| denials.first()).filter(|first| first.is_look_at_process());
    let (Some(denials), Some(first)) = (&denials, armed) else {
        return KernelAttribution::by_errno(Unattributed::NotArmed);
    };
    let same = |heard: &&HeardDenial| heard.is_look_at_process() && heard.opid == first.opid;
    let looks = denials.iter().take_while(same).count();
    // An operation that looks at that same process owes the last of them.
    let own = if looks_at_process && looks == denials.len() { looks.max(2) - 1 } else { looks };
    let rest = denials[own..].iter().map(|heard| heard.denial.clone());
    KernelAttribution::by_kernel(rest).unwrap_or_else(|| KernelAttribution::by_errno(Unattributed::NoRecord))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::attribution::AttributionLevel;

    fn denial(blocker: &str) -> KernelDenial {
        KernelDenial { blockers: vec![blocker.to_owned()], path: None, dev: None, ino: None, port: None }
    }

    fn denied(domain: u64, blocker: &str) -> AuditRecord {
        AuditRecord::Denial { domain, denial: denial(blocker), opid: (blocker == "ptrace").then_some(9) }
    }

    fn owned(domain: u64, pid: i32, at_ms: u64) -> AuditRecord {
        AuditRecord::Domain { domain, pid, at_ms }
    }

    fn heard(records: impl IntoIterator<Item = AuditRecord>) -> DenialCollector {
        let mut collector = DenialCollector::default();
        records.into_iter().for_each(|record| collector.take_in(record));
        collector
    }

    fn names(denials: &[HeardDenial]) -> Vec<&str> {
        denials.iter().map(|heard| heard.denial.blockers[0].as_str()).collect()
    }

    #[test]
    fn denials_are_those_of_the_process_and_of_no_other() {
        let mut collector = heard([
            denied(1, "ptrace"),
            owned(1, 7, 1000),
            denied(2, "fs.read_dir"),
            owned(2, 8, 1000),
            denied(3, "fs.refer"),
            denied(1, "fs.read_file"),
        ]);
        assert_eq!(names(&collector.take(7, 1000).unwrap()), ["ptrace", "fs.read_file"]);
        assert_eq!(collector.take(7, 1000), None, "they are given once");
        assert_eq!(names(&collector.take(8, 1040).unwrap()), ["fs.read_dir"]);
        assert_eq!(collector.take(9, 0), None);
    }

    #[test]
    fn an_earlier_process_of_the_same_number_is_another_one() {
        let mut collector = heard([denied(1, "ptrace"), owned(1, 7, 1000), denied(2, "ptrace"), owned(2, 7, 5000)]);
        collector.take_in(denied(2, "fs.execute"));
        assert_eq!(names(&collector.take(7, 5000).unwrap()), ["ptrace", "fs.execute"]);
        assert!(collector.domains.is_empty());
        assert_eq!(heard([denied(1, "ptrace"), owned(1, 7, 1000)]).take(7, 2000), None);
    }

    #[test]
    fn a_stacked_policy_has_a_domain_for_each_layer() {
        let mut collector =
            heard([denied(2, "ptrace"), owned(2, 7, 1000), denied(1, "fs.read_file"), owned(1, 7, 1000)]);
        assert_eq!(names(&collector.take(7, 1000).unwrap()), ["ptrace", "fs.read_file"]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut collector = DenialCollector::default();
        for domain in 0..3000 {
            collector.take_in(denied(domain, "ptrace"));
        }
        for _ in 0..200 {
            collector.take_in(denied(2999, "fs.read_file"));
        }
        assert_eq!(collector.domains.len(), MOST_DOMAINS);
        assert_eq!(collector.domains.back().unwrap().denials.len(), MOST_DENIALS);
    }

    #[test]
    fn the_first_record_is_owed_and_says_nothing_of_the_operation() {
        let told = |blockers: &[&str]| {
            let denials = blockers.iter().map(|one| HeardDenial { denial: denial(one), opid: None }).collect();
            attribution(Some(denials), false)
        };
        assert_eq!(attribution(None, false).unattributed, Some(Unattributed::NotArmed));
        assert_eq!(told(&[]).unattributed, Some(Unattributed::NotArmed));
        assert_eq!(told(&["fs.read_file"]).unattributed, Some(Unattributed::NotArmed));
        assert_eq!(told(&["ptrace"]).unattributed, Some(Unattributed::NoRecord));
        assert_eq!(told(&["ptrace", "ptrace"]).unattributed, Some(Unattributed::NoRecord));
        let both = told(&["ptrace", "fs.remove_file", "fs.make_reg"]);
        assert_eq!((both.level, both.blockers[0].as_str()), (AttributionLevel::Kernel, "fs.remove_file"));
        assert_eq!(both.further, [denial("fs.make_reg")]);
    }

    #[test]
    fn a_look_at_a_process_can_be_the_operation() {
        let looks = |opids: &[i32], is_operation: bool| {
            let one = |opid: &i32| HeardDenial { denial: denial("ptrace"), opid: Some(*opid) };
            attribution(Some(opids.iter().map(one).collect()), is_operation).level
        };
        assert_eq!(looks(&[9, 9], true), AttributionLevel::Kernel);
        assert_eq!(looks(&[9, 5], true), AttributionLevel::Kernel);
        assert_eq!(looks(&[9, 5], false), AttributionLevel::Kernel, "a file of another process");
        assert_eq!(looks(&[9], true), AttributionLevel::Errno);
    }
}
