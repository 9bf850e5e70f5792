//! Expectation ids: one per row, the same under every selection.
//!
//! A row's id is the probe's own (`expectation_id`, else `probe_id`) as long as only one profile of the plan has it.
//! Where several profiles share it, each of them has it as `PROFILE::ID`. It is counted over the whole plan, before any
//! selection.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::diagnostic::{pointer_part, shown};
use super::error::LoadError;
use super::file::{PlanFile, ProbeEntry, ProfileEntry};
use super::resolved::Selection;
use crate::base::ids::{ExpectationId, ProfileId};
use crate::base::suggest::close_to;

/// A profile of the plan whose references were followed.
pub(super) struct PlannedProfile {
    pub(super) id: ProfileId,
    pub(super) entry: ProfileEntry,
    pub(super) rows: Vec<PlannedRow>,
}

/// One reference of a profile.
#[derive(Clone, Copy)]
pub(super) struct PlannedRow {
    /// The probe, by number.
    pub(super) probe: u32,
    /// Place of the probe in the profile's `probe_refs`, counted from 0.
    pub(super) place: u32,
}

/// Two rows that would have the same id.
pub(super) struct Clash {
    pub(super) profile: ProfileId,
    pub(super) pointer: String,
    pub(super) message: String,
    pub(super) remedy: &'static str,
}

/// The expectation id that a probe has by itself.
pub(super) fn base_id(probe: &ProbeEntry) -> &str {
    probe.expectation_id.as_ref().map_or(probe.probe_id.as_str(), ExpectationId::as_str)
}

/// Which probes share their expectation id with another profile's row.
pub(super) struct SharedExpectationIds {
    shared: Vec<bool>,
    probes: Vec<Arc<ProbeEntry>>,
}

impl SharedExpectationIds {
    /// Counts the ids over `profiles`. Rows that would have the same id under one profile, or only look apart, are
    /// added to `clashes`.
    pub(super) fn of(profiles: &[PlannedProfile], probes: &[Arc<ProbeEntry>], clashes: &mut Vec<Clash>) -> Self {
        // Probes with equal ids form a group.
        let mut groups: HashMap<&str, u32> = HashMap::with_capacity(probes.len());
        let group_of: Vec<u32> = probes
            .iter()
            .map(|probe| {
                let next = groups.len() as u32;
                *groups.entry(base_id(probe)).or_insert(next)
            })
            .collect();
        let mut first: Vec<Option<usize>> = vec![None; groups.len()];
        let mut last: Vec<Option<(usize, u32)>> = vec![None; groups.len()];
        let mut several = vec![false; groups.len()];
        for (place, profile) in profiles.iter().enumerate() {
            for row in &profile.rows {
                let group = group_of[row.probe as usize] as usize;
                match last[group].replace((place, row.probe)) {
                    Some((same, other)) if same == place => {
                        let (other, this) = (&probes[other as usize], &probes[row.probe as usize]);
                        clashes.push(Clash {
                            profile: profile.id.clone(),
                            pointer: format!(
                                "/profiles/{}/probe_refs/{}",
                                pointer_part(profile.id.as_str()),
                                row.place
                            ),
                            message: format!(
                                "the probes `{}` and `{}` have the same expectation id `{}`",
                                other.probe_id,
                                this.probe_id,
                                base_id(this)
                            ),
                            remedy: "give one of them another `expectation_id`",
                        });
                    }
                    _ => several[group] |= *first[group].get_or_insert(place) != place,
                }
            }
        }
        let shared = group_of.iter().map(|group| several[*group as usize]).collect();
        let ids = Self { shared, probes: probes.to_vec() };
        if clashes.is_empty() {
            ids.look_alikes(profiles, clashes);
        }
        ids
    }

    /// `PROFILE::ID` can be spelled by another pair, or by a probe outright, only where an id itself holds `::`.
    fn look_alikes(&self, profiles: &[PlannedProfile], clashes: &mut Vec<Clash>) {
        let suspicious = profiles.iter().any(|profile| profile.id.as_str().contains("::"))
            || self.probes.iter().any(|probe| base_id(probe).contains("::"));
        if !suspicious || !self.shared.contains(&true) {
            return;
        }
        let mut all: HashSet<String> = HashSet::new();
        for profile in profiles {
            for row in &profile.rows {
                let full = self.full(&profile.id, &self.probes[row.probe as usize], row.probe);
                if let Some(full) = all.replace(full) {
                    clashes.push(Clash {
                        profile: profile.id.clone(),
                        pointer: format!("/profiles/{}/probe_refs/{}", pointer_part(profile.id.as_str()), row.place),
                        message: format!("two rows of the plan have the expectation id `{full}`"),
                        remedy: "rename the profile or the probe, without `::`",
                    });
                }
            }
        }
    }

    /// The id of one row.
    pub(super) fn full(&self, profile: &ProfileId, probe: &ProbeEntry, number: u32) -> String {
        let base = base_id(probe);
        if self.shared[number as usize] { format!("{profile}::{base}") } else { base.to_owned() }
    }

    /// The id of every row.
    pub(super) fn all<'i>(&'i self, profiles: &'i [PlannedProfile]) -> impl Iterator<Item = String> + 'i {
        let rows = profiles.iter().flat_map(|profile| profile.rows.iter().map(move |row| (profile, row)));
        rows.map(|(profile, row)| self.full(&profile.id, &self.probes[row.probe as usize], row.probe))
    }

    /// Every id of the selection has to exist in the plan.
    pub(super) fn check_selection(
        &self,
        plan: &PlanFile,
        selection: &Selection,
        profiles: &[PlannedProfile],
    ) -> Result<(), LoadError> {
        let unknown = |kind: &'static str, id: &str, close: Vec<&str>| {
            let remedy = if close.is_empty() {
                "`sandproof describe-plan` and `list-profiles` tell what there is".to_owned()
            } else {
                let close: Vec<String> = close.into_iter().map(|name| format!("`{name}`")).collect();
                format!("did you mean {}?", close.join(" or "))
            };
            Err(LoadError::UnknownId { kind, id: shown(id), place: format!("plan `{}`", plan.plan_id), remedy })
        };
        let names = || profiles.iter().map(|profile| profile.id.as_str());
        for id in &selection.only_profiles {
            if !names().any(|known| known == id) {
                return unknown("profile", id, close_to(id, names()));
            }
        }
        if selection.only_scenarios.is_empty() {
            return Ok(());
        }
        let mut missing: HashSet<&str> = selection.only_scenarios.iter().map(String::as_str).collect();
        let rows = || profiles.iter().flat_map(|profile| profile.rows.iter().map(move |row| (profile, row)));
        for (profile, row) in rows() {
            let probe = &self.probes[row.probe as usize];
            missing.remove(base_id(probe));
            if self.shared[row.probe as usize] {
                missing.remove(self.full(&profile.id, probe, row.probe).as_str());
            }
            if missing.is_empty() {
                return Ok(());
            }
        }
        let Some(id) = selection.only_scenarios.iter().find(|id| missing.contains(id.as_str())) else { return Ok(()) };
        let mut known: Vec<String> =
            rows().map(|(profile, row)| self.full(&profile.id, &self.probes[row.probe as usize], row.probe)).collect();
        known.sort_unstable();
        unknown("scenario", id, close_to(id, known.iter().map(String::as_str)))
    }
}
