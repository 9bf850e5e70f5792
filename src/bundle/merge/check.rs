//! Which bundles belong together: shares of one division of one declared run, in one world.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::base::canon;
use crate::base::digest::Digest;
use crate::bundle::verified::{Bundle, Verified};
use crate::identity::{Difference, differences};
use crate::record::manifest::BundleFormat;

/// Why a bundle is no part of a merge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartFault {
    /// It is no share.
    #[error("it is no share of a plan: it was run without `--shard`")]
    NoShare,
    /// It is itself a merge.
    #[error("it is a merge itself; give the shares that lie in its `parts`")]
    IsMerge,
    /// It was a dry run.
    #[error("it was a dry run, and has no rows")]
    Dry,
    /// It is of a format that has no verdicts, or declares nothing.
    #[error("it is of the first format of bundles, which no share has")]
    OldFormat,
    /// Its plan is divided otherwise.
    #[error("its plan is divided as `{found}`, that of the others as `{others}`")]
    OtherDivision {
        /// `hash:…/5`.
        found: String,
        /// The same of the others.
        others: String,
    },
    /// It was declared otherwise, or is of another host.
    #[error("it is not of the run that the others are of: {}", places(.0))]
    OtherRun(Vec<FactDifference>),
}

/// A fact that is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactDifference {
    /// JSON pointer: into the declaration, or below `/manifest` into that.
    pub pointer: String,
    /// What the others have.
    pub others: String,
    /// What it has.
    pub found: String,
}

/// How many differing facts are spelled out.
const SPELLED_OUT: usize = 5;

fn places(all: &[FactDifference]) -> String {
    let one = |fact: &FactDifference| format!("`{}` is {}, not {}", fact.pointer, fact.found, fact.others);
    let mut text = all.iter().take(SPELLED_OUT).map(one).collect::<Vec<_>>().join("; ");
    if all.len() > SPELLED_OUT {
        text.push_str(&format!("; and {} more", all.len() - SPELLED_OUT));
    }
    text
}

/// A bundle that is no part, by its place in what was given.
#[derive(Debug)]
pub struct Rejected {
    /// Its place among the bundles that were given, from 0.
    pub place: usize,
    /// Why it is none, or one of another merge.
    pub fault: PartFault,
}

/// What has to be the same in all parts: the declaration without share, number of workers and lock, and what manifests say of
/// host and program.
fn common(bundle: &Bundle) -> Result<Value, PartFault> {
    let manifest = bundle.manifest();
    if bundle.merge().is_some() {
        return Err(PartFault::IsMerge);
    }
    let Some(declaration) = bundle.identity().filter(|_| manifest.bundle_format == Some(BundleFormat::V2)) else {
        return Err(PartFault::OldFormat);
    };
    if manifest.selection.shard.as_ref().is_none_or(|shard| shard.indices.len() != 1) {
        return Err(PartFault::NoShare);
    }
    if manifest.dry_run {
        return Err(PartFault::Dry);
    }
    let (mut runtime, mut policy) = (declaration.runtime.clone(), declaration.policy.clone());
    runtime.remove("jobs");
    policy.remove("lock");
    policy.remove("shard");
    Ok(json!({
        "artifact": declaration.artifact,
        "runtime": runtime,
        "policy": policy,
        "history": declaration.history,
        "manifest": {
            "world_id": manifest.world_id,
            "world": manifest.world,
            "host": manifest.host,
            "tool": manifest.tool,
            "confinement": manifest.confinement,
        },
    }))
}

/// Parts the bundles that belong together from those that do not: of what cannot be put together, what most of them are stays,
/// or what came first. Both by their place in what was given.
pub fn sort_out(bundles: &[&Verified<Bundle>]) -> (Vec<usize>, Vec<Rejected>) {
    let mut groups: BTreeMap<(Digest, String), Vec<usize>> = BTreeMap::new();
    let mut facts: BTreeMap<usize, Value> = BTreeMap::new();
    let mut rejected = Vec::new();
    for (place, bundle) in bundles.iter().enumerate() {
        match common(bundle) {
            Ok(common) => {
                let digest = canon::digest_data(&common).unwrap_or_else(|_| Digest::of(common.to_string().as_bytes()));
                groups.entry((digest, division(bundle))).or_default().push(place);
                // Of a group the first is compared.
                facts.insert(place, common);
            }
            Err(fault) => rejected.push(Rejected { place, fault }),
        }
    }
    let best = groups.values().max_by_key(|group| (group.len(), std::cmp::Reverse(group[0]))).cloned();
    let kept = best.unwrap_or_default();
    if let Some(first) = kept.first() {
        for place in groups.into_values().filter(|group| group != &kept).flatten() {
            let (others, found) = (division(bundles[*first]), division(bundles[place]));
            let fault = match differences("", &facts[first], &facts[&place]) {
                none if none.is_empty() => PartFault::OtherDivision { found, others },
                differ => PartFault::OtherRun(
                    as_declared(differ)
                        .map(|one| FactDifference {
                            pointer: one.pointer,
                            others: shown(one.declared.as_ref()),
                            found: shown(one.found.as_ref()),
                        })
                        .collect(),
                ),
            };
            rejected.push(Rejected { place, fault });
        }
    }
    rejected.sort_by_key(|one| one.place);
    (kept, rejected)
}

/// The differences in what is declared; what the manifest says of them again is told only where nothing else differs.
fn as_declared(differ: Vec<Difference>) -> impl Iterator<Item = Difference> {
    let of_manifest = |one: &Difference| one.pointer.starts_with("/manifest/");
    let all = differ.iter().all(of_manifest);
    differ.into_iter().filter(move |one| all || !of_manifest(one))
}

fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "absent".to_owned(), Value::to_string);
    crate::bundle::index::clip_to(&text, 80)
}

/// How the plan is divided: `hash:…/5`.
fn division(bundle: &Bundle) -> String {
    bundle
        .manifest()
        .selection
        .shard
        .as_ref()
        .map_or_else(String::new, |shard| format!("{}:…/{}", shard.kind.as_str(), shard.count))
}

/// Sorts parts as a merge has them: by share, then by their start, then by digest.
pub(super) fn order(parts: &mut [(usize, &Verified<Bundle>)]) {
    parts.sort_by(|(_, a), (_, b)| {
        let key = |bundle: &Bundle| bundle.manifest().selection.shard.as_ref().map(|shard| shard.indices.clone());
        let start = |bundle: &Bundle| bundle.manifest().started_at_unix_s;
        key(a).cmp(&key(b)).then(start(a).total_cmp(&start(b))).then(a.index_sha256().cmp(&b.index_sha256()))
    });
}
