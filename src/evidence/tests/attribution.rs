//! What the kernel itself said of denials: counted, compared with the model, and no condition of anything.

use std::sync::Arc;

use crate::evidence::testing::{Bench, refused, tiny_plan};
use crate::record::attribution::{AttributionSetup, AuditState, KernelAttribution, KernelDenial, Unattributed};
use crate::record::fixture::{FixtureEntry, FixtureKind};
use crate::record::layout;

fn named(blocker: &str) -> KernelAttribution {
    let denial = KernelDenial { blockers: vec![blocker.into()], path: None, dev: None, ino: None, port: None };
    KernelAttribution::by_kernel([denial]).unwrap()
}

/// A run that listened, with what was heard of the row that is refused.
fn listened(said: Option<KernelAttribution>) -> Bench {
    let mut plan = tiny_plan();
    plan.profiles[0].probes[1].fixtures = Arc::new([FixtureEntry::new("secret.txt", FixtureKind::File)]);
    let mut bench = Bench::new(plan);
    let audit_found = AuditState { enabled: 0, backlog_limit: 64, backlog_wait_time: 15_000 };
    bench.manifest.attribution = Some(AttributionSetup { audit_found });
    bench.scenario[1] = refused(bench.scenario[1].clone(), libc::EACCES);
    bench.scenario[1].attribution = said;
    bench
}

#[test]
fn rows_are_counted_by_who_says_that_it_was_the_policy() {
    let (_, outcome) = listened(Some(named("fs.read_file"))).derive();
    let said = outcome.attribution.unwrap();
    assert_eq!((said.kernel, said.errno, said.records, said.oracle_disagrees.count), (1, 0, 1, 0));
    let (_, outcome) = listened(Some(KernelAttribution::by_errno(Unattributed::NoRecord))).derive();
    let said = outcome.attribution.unwrap();
    assert_eq!((said.kernel, said.errno, said.unattributed[&Unattributed::NoRecord]), (0, 1, 1));
    let (files, outcome) = Bench::new(tiny_plan()).derive();
    assert_eq!((outcome.attribution, files.json(layout::SUMMARY).get("attribution")), (None, None));
}

#[test]
fn other_rights_than_the_model_names_are_a_finding_and_no_other_verdict() {
    let (agreed, _) = listened(Some(named("fs.read_file"))).derive();
    let (parted, outcome) = listened(Some(named("fs.write_file"))).derive();
    let apart = outcome.attribution.unwrap().oracle_disagrees;
    assert_eq!((apart.count, apart.rows[0].expectation_id.as_str()), (1, "files:read_secret"));
    assert_eq!(
        (&apart.rows[0].kernel[..], &apart.rows[0].model[..]),
        (&["fs.write_file".into()][..], &["fs.read_file".into()][..])
    );
    assert_eq!(parted.json(layout::SUMMARY)["attribution"]["oracle_disagrees"]["count"], 1);
    for (name, bytes) in &agreed.0 {
        assert_eq!(*name == layout::SUMMARY, *bytes != parted.0[name], "{name}");
    }
}
