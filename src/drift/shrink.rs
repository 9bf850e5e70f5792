//! From a case on which the judges part to a smaller one on which they still do.

use super::case::DriftCase;
use crate::policy::landlock::{Layer, RightSet};
use crate::record::fixture::{FixtureEntry, FixtureKind};

/// The smallest case that is found by taking things away one at a time while `parts` says that it still counts.
///
/// # Errors
/// The first error of `parts`.
pub fn shrink<E>(case: &DriftCase, mut parts: impl FnMut(&DriftCase) -> Result<bool, E>) -> Result<DriftCase, E> {
    let mut smallest = case.clone();
    'smaller: loop {
        for smaller in candidates(&smallest) {
            if parts(&smaller)? {
                smallest = smaller;
                continue 'smaller;
            }
        }
        return Ok(smallest);
    }
}

/// Every case with one thing less, those that take away most first.
fn candidates(case: &DriftCase) -> Vec<DriftCase> {
    let mut found = Vec::new();
    let mut put = |change: &dyn Fn(&mut DriftCase)| {
        let mut smaller = case.clone();
        change(&mut smaller);
        if smaller != *case {
            found.push(smaller);
        }
    };
    let layers = case.policy.layers.len();
    for n in (0..layers).filter(|_| layers > 1) {
        put(&|case| drop(case.policy.layers.remove(n)));
    }
    put(&|case| case.action.mounts.clear());
    for n in 0..case.action.mounts.len() {
        put(&|case| drop(case.action.mounts.remove(n)));
    }
    for (n, layer) in case.policy.layers.iter().enumerate() {
        for k in 0..layer.path_beneath.len() {
            put(&|case| drop(case.policy.layers[n].path_beneath.remove(k)));
        }
        for right in layer.handled_fs.iter() {
            let rest = layer.handled_fs.minus(RightSet::of(&[right]));
            if !(rest.is_empty() && layer.handled_net.is_empty() && layer.scoped.is_empty()) {
                put(&|case| unhandle(&mut case.policy.layers[n], rest));
            }
        }
        for (k, rule) in layer.path_beneath.iter().enumerate() {
            for right in rule.allow.iter().filter(|_| rule.allow.iter().count() > 1) {
                put(&|case| {
                    let allow = &mut case.policy.layers[n].path_beneath[k].allow;
                    *allow = allow.minus(RightSet::of(&[right]));
                });
            }
        }
    }
    for n in (0..case.fixtures.len()).filter(|n| !is_named(&case.fixtures, *n)) {
        put(&|case| drop(case.fixtures.remove(n)));
    }
    put(&|case| case.action.target = plain(&case.action.target));
    put(&|case| case.action.to = case.action.to.as_deref().map(plain));
    put(&|case| case.action.to = None);
    // The least ABI that it needs, so that it can be tried on as many kernels as possible.
    put(&|case| case.policy.abi = case.policy.layers.iter().map(Layer::needs_abi).max().unwrap_or(1));
    found
}

fn unhandle(layer: &mut Layer, rest: RightSet<crate::policy::landlock::FsRight>) {
    layer.handled_fs = rest;
    layer.path_beneath.iter_mut().for_each(|rule| rule.allow = rule.allow.intersection(rest));
    layer.path_beneath.retain(|rule| !rule.allow.is_empty());
}

/// Whether a hard link further on shows it.
fn is_named(fixtures: &[FixtureEntry], n: usize) -> bool {
    let path = &fixtures[n].path;
    fixtures.iter().any(|entry| entry.kind == FixtureKind::Hardlink && entry.to.as_ref() == Some(path))
}

/// The same place without detours that a text alone shows.
fn plain(path: &str) -> String {
    let path = path.replace("/proc/self/root${root}", "${root}").replace("/./", "/").replace("//", "/");
    path.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::case::CaseKind;
    use crate::drift::dice::Dice;
    use crate::policy::landlock::FsRight;

    #[test]
    fn what_does_not_matter_is_taken_away() {
        let handles =
            |case: &DriftCase| case.policy.layers.iter().any(|one| one.handled_fs.contains(FsRight::ReadFile));
        let mut seen = 0;
        for number in 0..200 {
            let case = CaseKind::LayersAmongMounts.roll(&mut Dice::new(1, number), 7);
            if !handles(&case) {
                continue;
            }
            seen += 1;
            let small = shrink(&case, |case| Ok::<_, ()>(handles(case))).unwrap();
            assert_eq!(small.policy.layers.len(), 1);
            assert_eq!(small.policy.layers[0].handled_fs, RightSet::of(&[FsRight::ReadFile]));
            assert!(small.policy.layers[0].path_beneath.is_empty() && small.action.mounts.is_empty());
            assert!(small.fixtures.is_empty() && small.action.to.is_none());
            assert_eq!(small.policy.abi, 1);
        }
        assert!(seen > 100);
    }
}
