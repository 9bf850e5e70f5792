//! Dealing out a plan's rows to several runs, the same on every machine.
//!
//! What is dealt out is a row of the plan, with all its lanes. The controls of a policy are performed wherever a row of one of
//! its profiles is, because a denial is worth nothing without them.

use std::collections::HashMap;
use std::sync::Arc;

use super::file::ProbeEntry;
use super::probe_digest::probe_digest;
use super::resolved::ResolvedProfile;
use crate::base::digest::Digest;
use crate::record::shard::{ShardKind, ShardRecord};

/// Which share each row has, from 1, in plan order.
pub fn shares(whole: &[ResolvedProfile], kind: ShardKind, count: u32) -> Vec<u32> {
    let total: usize = whole.iter().map(|profile| profile.probes.len()).sum();
    let rows = whole.iter().flat_map(|profile| profile.probes.iter().map(move |probe| (profile, probe)));
    // Profiles share probes, and a digest is worth more than a look.
    let mut digests: HashMap<*const ProbeEntry, Digest> = HashMap::new();
    rows.enumerate()
        .map(|(place, (profile, probe))| {
            let index = match kind {
                ShardKind::Slice => place as u64 * u64::from(count) / total as u64,
                ShardKind::Hash => {
                    let digest = digests.entry(Arc::as_ptr(&probe.entry)).or_insert_with(|| probe_digest(&probe.entry));
                    let key = format!("{}\t{}\t{digest}\n", profile.id, probe.expectation_id);
                    let first = Digest::of(key.as_bytes()).to_string();
                    u64::from_str_radix(&first[..16], 16).expect("a digest is shown in hex digits") % u64::from(count)
                }
            };
            index as u32 + 1
        })
        .collect()
}

/// The profiles with the rows of a share; a profile without one goes.
pub(super) fn share_of(whole: &[ResolvedProfile], shard: &ShardRecord) -> Vec<ResolvedProfile> {
    let mut indices = shares(whole, shard.kind, shard.count).into_iter();
    let mut kept = Vec::new();
    for profile in whole {
        let mine = profile.probes.iter().filter(|_| indices.next().is_some_and(|index| shard.has(index)));
        let probes: Vec<_> = mine.cloned().collect();
        if !probes.is_empty() {
            let ResolvedProfile { id, entry, policy, .. } = profile;
            kept.push(ResolvedProfile { id: id.clone(), entry: entry.clone(), policy: policy.clone(), probes });
        }
    }
    kept
}
