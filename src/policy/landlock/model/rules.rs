//! The policy's path rules, tied to objects, and the two ways in which the kernel walks over them.
//!
//! Source: security/landlock/fs.c, `is_access_to_paths_allowed`, `current_check_refer_path`,
//! `collect_domain_accesses`, `no_more_access`.

use std::collections::HashMap;

use super::super::rights::{FsRight, RightSet};
use super::super::table::{LandlockPolicy, PlacedRule};
use super::tree::{BETWEEN, LostPath, ModelTree, MountedName, NameIndex, ObjectIndex, ObjectKind, PathEnd, SLASH};
use crate::policy::model_answer::host_assumption;

/// Host paths below which no fixture root is ever laid, so a rule on one of them cannot cover `${root}`.
pub const NEVER_ABOVE_ROOT: &[&str] = &[
    "/bin",
    "/boot",
    "/dev/full",
    "/dev/null",
    "/dev/random",
    "/dev/tty",
    "/dev/urandom",
    "/dev/zero",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/sbin",
    "/sys",
    "/usr",
];

/// Devices that are where they are on any Linux.
pub(super) const KNOWN_DEVICES: &[&str] =
    &["/dev/full", "/dev/null", "/dev/ptmx", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero"];

/// Folders that are where they are on any Linux (hier(7)), if they are there at all.
pub(super) const KNOWN_FOLDERS: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/dev/pts",
    "/dev/shm",
    "/etc",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/proc/sys",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/sbin",
    "/usr/share",
    "/var",
    "/var/tmp",
];

/// Why the kernel certainly refuses a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesetRefusal {
    /// JSON pointer of the rule's path.
    pub pointer: String,
    /// What is the matter with it.
    pub reason: String,
    /// Whether that is that nothing stands there.
    pub missing: bool,
}

/// Why rules cannot be tied to a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RulesNotTied {
    /// The kernel refuses the policy.
    Refused(RulesetRefusal),
    /// It is not known what the kernel does: what is missing.
    Unknown(String),
}

/// The rights that make sense on something that is no folder (`ACCESS_FILE` in security/landlock/fs.c).
pub(super) fn file_rights() -> RightSet<FsRight> {
    [
        FsRight::Execute,
        FsRight::WriteFile,
        FsRight::ReadFile,
        FsRight::Truncate,
        FsRight::IoctlDev,
        FsRight::ResolveUnix,
    ]
    .into_iter()
    .fold(RightSet::EMPTY, RightSet::with)
}

/// One rule on an object.
#[derive(Debug, Clone, Copy)]
struct TiedRule {
    /// Number of the rule, counted from 0 over all layers.
    index: usize,
    layer: usize,
    allow: RightSet<FsRight>,
}

/// The rules as the kernel holds them.
#[derive(Debug)]
pub(super) struct Rules {
    /// What each layer refuses unless it grants it.
    handled: Vec<RightSet<FsRight>>,
    tied: HashMap<ObjectIndex, Vec<TiedRule>>,
    /// Rules on host paths that may lie between `/` and the fixture root, or not.
    maybe: Vec<TiedRule>,
}

/// What became of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RuleCheck {
    /// Every right is granted, by these rules (right, number of the rule over all layers); rights that are not handled are
    /// left out.
    Granted(Vec<(FsRight, usize)>),
    /// This right is handled and not granted, by this layer.
    Missing(FsRight, usize),
    /// The object would gain this right of this layer by moving (EXDEV).
    Gains(FsRight, usize),
    /// It depends on what lies between `/` and the fixture root.
    Depends(Vec<usize>),
}

/// One assumption about the folders between `/` and the fixture root.
#[derive(Clone, Copy)]
struct TopAssumption<'a> {
    rules: &'a Rules,
    /// Bit n: `maybe[n]` covers the fixture root.
    covering: u32,
}

impl TopAssumption<'_> {
    fn granting(self, tree: &ModelTree, name: NameIndex) -> impl Iterator<Item = TiedRule> {
        let tied = self.rules.tied.get(&tree.object(name)).into_iter().flatten().copied();
        let maybe =
            self.rules.maybe.iter().enumerate().filter(move |(n, _)| name == BETWEEN && self.covering >> n & 1 == 1);
        tied.chain(maybe.map(|(_, tied)| *tied))
    }

    /// What a layer grants on an object.
    fn grants(self, tree: &ModelTree, name: NameIndex, layer: usize) -> RightSet<FsRight> {
        let of_layer = self.granting(tree, name).filter(|tied| tied.layer == layer);
        of_layer.fold(RightSet::EMPTY, |set, tied| set.union(tied.allow))
    }
}

impl Rules {
    /// Ties every rule to its object.
    ///
    /// `reaching`: rules that are known to cover the fixture root on some host, however their paths are spelled.
    pub(super) fn tie(
        policy: &LandlockPolicy,
        tree: &mut ModelTree,
        reaching: &[usize],
        assumes: &mut Vec<String>,
    ) -> Result<Self, RulesNotTied> {
        let handled = (0..policy.layers.len()).map(|layer| policy.refuses_on_paths(layer)).collect();
        let mut rules = Self { handled, tied: HashMap::new(), maybe: Vec::new() };
        for (index, PlacedRule { layer, pointer, rule }) in policy.path_rules().enumerate() {
            let pointer = format!("{pointer}/path");
            let refuse = |reason: String, missing: bool| {
                RulesNotTied::Refused(RulesetRefusal { pointer: pointer.clone(), reason, missing })
            };
            let place = match tree.resolve(&rule.path, true) {
                Ok(PathEnd { place: Some(place), .. }) => place,
                Ok(_) => return Err(refuse(format!("`{}` does not exist in the declared fixtures", rule.path), true)),
                Err(lost @ (LostPath::Missing(_) | LostPath::Other(_))) => {
                    return Err(refuse(lost.reason(), lost.is_missing()));
                }
                Err(lost) => return Err(RulesNotTied::Unknown(format!("{pointer}: {}", lost.reason()))),
            };
            let kind = tree.kind(place.name);
            let folder_only = rule.allow.minus(file_rights());
            let device = *kind == ObjectKind::Host && KNOWN_DEVICES.contains(&tree.path(place.name).as_str());
            if (device || !matches!(kind, ObjectKind::Dir | ObjectKind::Host)) && !folder_only.is_empty() {
                let reason = format!(
                    "`{}` is no folder, and {} can only be granted on one (EINVAL)",
                    rule.path,
                    folder_only.names().join(", ")
                );
                return Err(refuse(reason, false));
            }
            let tied = TiedRule { index, layer, allow: rule.allow };
            rules.tied.entry(tree.object(place.name)).or_default().push(tied);
            if *kind == ObjectKind::Host && place.name != SLASH {
                let path = tree.path(place.name);
                let never = NEVER_ABOVE_ROOT
                    .iter()
                    .any(|top| path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
                if !never || reaching.contains(&index) {
                    rules.maybe.push(tied);
                }
                assume_host(&path, assumes);
            }
        }
        Ok(rules)
    }

    fn in_every_world(&self, names: &[NameIndex], mut ask: impl FnMut(TopAssumption<'_>) -> RuleCheck) -> RuleCheck {
        let certain = ask(TopAssumption { rules: self, covering: 0 });
        if !names.contains(&BETWEEN) || self.maybe.is_empty() {
            return certain;
        }
        let depends = || RuleCheck::Depends(self.maybe.iter().map(|tied| tied.index).collect());
        // More host rules than that are not told apart.
        let Some(worlds) = 1u32.checked_shl(self.maybe.len() as u32).filter(|worlds| *worlds <= 1 << 10) else {
            return depends();
        };
        let granted = |verdict: &RuleCheck| matches!(verdict, RuleCheck::Granted(_));
        let same = |other: &RuleCheck| granted(&certain) == granted(other);
        if (1..worlds).all(|covering| same(&ask(TopAssumption { rules: self, covering }))) {
            certain
        } else {
            depends()
        }
    }

    /// The rights of `wanted` that need a rule of some layer.
    pub(super) fn handled(&self, wanted: RightSet<FsRight>) -> RightSet<FsRight> {
        self.handled.iter().fold(RightSet::EMPTY, |set, handled| set.union(wanted.intersection(*handled)))
    }

    /// Whether every layer grants what it handles of `wanted` at `place` or above it.
    pub(super) fn check(&self, tree: &ModelTree, place: MountedName, wanted: RightSet<FsRight>) -> RuleCheck {
        let names = tree.upwards(place);
        self.in_every_world(&names, |world| {
            let mut by = Vec::new();
            for (layer, handled) in self.handled.iter().enumerate() {
                let mut missing = wanted.intersection(*handled);
                for name in &names {
                    for tied in world.granting(tree, *name).filter(|tied| tied.layer == layer) {
                        let here = missing.intersection(tied.allow);
                        by.extend(here.iter().map(|right| (right, tied.index)));
                        missing = missing.minus(here);
                    }
                }
                if let Some(right) = missing.iter().next() {
                    return RuleCheck::Missing(right, layer);
                }
            }
            RuleCheck::Granted(by)
        })
    }

    /// Whether an object may be linked or renamed to another folder.
    pub(super) fn check_move(&self, tree: &ModelTree, request: &Move) -> RuleCheck {
        let source = tree.upwards(request.from);
        let target = tree.upwards(request.to);
        // The kernel first collects up to the top of the mount, then walks on above it. Where the host's own mount
        // begins is not known, so every possibility is tried.
        let tops: Vec<NameIndex> = match tree.mount_root(request.from) {
            Some(top) => vec![top],
            None => source.iter().rev().take_while(|name| target.contains(name)).copied().collect(),
        };
        let mut all = source.clone();
        all.extend(&target);
        let mut answer: Option<RuleCheck> = None;
        for top in tops {
            let verdict = self.in_every_world(&all, |world| move_under(tree, world, request, &source, &target, top));
            let contradicts = answer.as_ref().is_some_and(|earlier| {
                matches!(earlier, RuleCheck::Granted(_)) != matches!(verdict, RuleCheck::Granted(_))
            });
            if contradicts {
                return RuleCheck::Depends(Vec::new());
            }
            if matches!(verdict, RuleCheck::Depends(_)) {
                return verdict;
            }
            answer.get_or_insert(verdict);
        }
        answer.unwrap_or(RuleCheck::Depends(Vec::new()))
    }
}

/// A link or a rename between two folders.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    /// The folder that the object is in.
    pub from: MountedName,
    /// The folder that it goes to.
    pub to: MountedName,
    /// What is needed on `from`, without `refer`.
    pub from_needs: RightSet<FsRight>,
    /// What is needed on `to`, without `refer`.
    pub to_needs: RightSet<FsRight>,
    /// The object that goes from `from` to `to`.
    pub object: NameIndex,
    /// The object that comes back, in an exchange.
    pub back: Option<NameIndex>,
}

/// What is still refused, by layer.
type Masks = Vec<RightSet<FsRight>>;

fn nothing_in(masks: &[RightSet<FsRight>], of: &[RightSet<FsRight>]) -> bool {
    masks.iter().zip(of).all(|(mask, of)| mask.intersection(*of).is_empty())
}

/// `current_check_refer_path` for one world and one top of the mount.
///
/// The layers go this way together: the walk stops to look for gained rights only once no layer shows any, and until then it
/// asks for all that is handled. So a move may be refused that each layer by itself would let through.
fn move_under(
    tree: &ModelTree,
    world: TopAssumption<'_>,
    request: &Move,
    source: &[NameIndex],
    target: &[NameIndex],
    top: NameIndex,
) -> RuleCheck {
    let handled = &world.rules.handled;
    if handled.iter().all(|set| set.is_empty()) {
        return RuleCheck::Granted(Vec::new());
    }
    let needs = |needs: RightSet<FsRight>| -> Masks {
        handled.iter().map(|set| needs.with(FsRight::Refer).intersection(*set)).collect()
    };
    let (from_needs, to_needs) = (needs(request.from_needs), needs(request.to_needs));
    let unmask = |masks: &mut Masks, name: NameIndex| {
        for (layer, mask) in masks.iter_mut().enumerate() {
            *mask = mask.minus(world.grants(tree, name, layer));
        }
    };
    let collect = |names: &[NameIndex]| {
        let mut refused = handled.clone();
        for name in names.iter().take_while(|name| **name != top).chain([&top]) {
            unmask(&mut refused, *name);
        }
        refused
    };
    let mut from_refused = collect(source);
    let mut to_refused = collect(target);
    let granted = || {
        RuleCheck::Granted(granted_by(tree, world, &[(source, from_needs.as_slice()), (target, to_needs.as_slice())]))
    };
    if nothing_in(&from_refused, handled) && nothing_in(&to_refused, handled) {
        return granted();
    }
    let refused_on = |name: NameIndex| {
        let mut masks = handled.clone();
        unmask(&mut masks, name);
        masks
    };
    let object_refused = refused_on(request.object);
    let back_refused = request.back.map(|back| (back, refused_on(back)));
    // What one side refuses on the object and the other side does not.
    let one_way = |name: NameIndex, here: &Masks, object: &Masks, there: &Masks, layer: usize| {
        let of_files = *tree.kind(name) != ObjectKind::Dir;
        let gained = here[layer].intersection(object[layer]).minus(there[layer]);
        if of_files { gained.intersection(file_rights()) } else { gained }
    };
    let gains = |from_refused: &Masks, to_refused: &Masks| {
        (0..handled.len()).find_map(|layer| {
            let there = one_way(request.object, from_refused, &object_refused, to_refused, layer);
            let back = back_refused
                .as_ref()
                .map_or(RightSet::EMPTY, |(name, refused)| one_way(*name, to_refused, refused, from_refused, layer));
            there.union(back).iter().next().map(|right| (right, layer))
        })
    };
    let above = source.iter().skip_while(|name| **name != top).copied();
    let mut compared = false;
    let (mut from_allowed, mut to_allowed) = (false, false);
    // The walk looks at the mount's top once more, then goes on to `/`. The comparison comes before each step, never
    // after the last one.
    for name in above {
        if !compared && gains(&from_refused, &to_refused).is_none() {
            compared = true;
            from_allowed |= nothing_in(&from_refused, &from_needs);
            to_allowed |= nothing_in(&to_refused, &to_needs);
            if from_allowed && to_allowed {
                break;
            }
        }
        unmask(&mut from_refused, name);
        unmask(&mut to_refused, name);
        let (from_asked, to_asked) = if compared { (&from_needs, &to_needs) } else { (handled, handled) };
        from_allowed |= nothing_in(&from_refused, from_asked);
        to_allowed |= nothing_in(&to_refused, to_asked);
        if from_allowed && to_allowed {
            break;
        }
    }
    if from_allowed && to_allowed {
        return granted();
    }
    // What is plainly missing comes before EXDEV; `refer` alone is answered with EXDEV.
    let missing = |plain: bool| {
        (0..handled.len()).find_map(|layer| {
            let missing = from_refused[layer]
                .intersection(from_needs[layer])
                .union(to_refused[layer].intersection(to_needs[layer]));
            missing.iter().find(|right| (*right != FsRight::Refer) == plain).map(|right| (right, layer))
        })
    };
    if let Some((right, layer)) = missing(true).or_else(|| missing(false)) {
        return RuleCheck::Missing(right, layer);
    }
    let (right, layer) = gains(&from_refused, &to_refused).unwrap_or_else(|| {
        // The last step to `/` made both sides alike too late for the comparison.
        let left = (0..handled.len())
            .find_map(|layer| from_refused[layer].union(to_refused[layer]).iter().next().map(|right| (right, layer)));
        left.unwrap_or((FsRight::Refer, 0))
    });
    RuleCheck::Gains(right, layer)
}

/// The rules that grant the needs of each side, layer by layer.
fn granted_by(
    tree: &ModelTree,
    world: TopAssumption<'_>,
    sides: &[(&[NameIndex], &[RightSet<FsRight>])],
) -> Vec<(FsRight, usize)> {
    let mut by = Vec::new();
    for (names, needs) in sides {
        for (layer, needs) in needs.iter().enumerate() {
            for right in needs.iter() {
                let grants = |tied: &TiedRule| tied.layer == layer && tied.allow.contains(right);
                let rule =
                    names.iter().find_map(|name| world.granting(tree, *name).find(grants).map(|tied| tied.index));
                by.extend(rule.map(|index| (right, index)));
            }
        }
    }
    by
}

/// Notes what an answer about a host path takes for granted.
pub(super) fn assume_host(path: &str, assumes: &mut Vec<String>) {
    let text = host_assumption(path);
    if !assumes.contains(&text) {
        assumes.push(text);
    }
}
