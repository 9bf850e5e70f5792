//! What the executable carries: the documents of `templates/`, and every shipped plan as a template of itself.

use std::sync::LazyLock;

use serde::Serialize;

use super::super::error::LoadError;
use super::super::file::{IndexFile, PlanFile, ProbeEntry, ProbesFile, ProfilesFile};
use super::document::{Builder, BuilderContext};
use super::parsed::{DocumentContent, Template};
use super::shipped_plan::{ShippedPlan, carried};
use crate::base::digest::Digest;
use crate::base::suggest::hint_for;
use crate::record::driver::Driver;
use crate::record::world::HOME_WORLD;

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// A template in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// Id of the template, by which `plan-build --template` finds it.
    pub template_id: String,
    /// What it is about.
    pub description: String,
    /// Its file in the sources of this program, or in the checkout that it lies in.
    pub path: String,
    /// How it is built.
    pub builder: Builder,
}

/// Everything that is carried, by id.
static ALL: LazyLock<Vec<Template>> = LazyLock::new(|| {
    let documents = TEMPLATES.iter().map(|(path, bytes)| {
        Template::read(bytes, path, None).unwrap_or_else(|error| panic!("the carried template `{path}`: {error}"))
    });
    let plans = PLANS.iter().filter_map(|(path, bytes)| {
        let name = path.strip_prefix("plans/")?.strip_suffix("/plan.json")?;
        Some(shipped_plan(name, path, bytes))
    });
    let mut all: Vec<Template> = documents.chain(plans).collect();
    all.sort_by(|a, b| a.id().cmp(b.id()));
    all
});

/// The content of a carried file.
fn file(path: &str) -> Option<&'static [u8]> {
    let all = || [PLANS, REGISTRIES].into_iter().flatten();
    all().find(|(known, _)| *known == path).map(|(_, bytes)| *bytes)
}

fn shipped_plan(name: &str, path: &'static str, bytes: &'static [u8]) -> Template {
    static INDEX: LazyLock<IndexFile> = LazyLock::new(|| {
        let path = "registries/index.json";
        carried(path, file(path).unwrap_or_else(|| panic!("`{path}` is carried")))
    });
    let plan: PlanFile = carried(path, bytes);
    let entry = INDEX.registries.iter().find(|entry| entry.id == plan.registry_id);
    let entry = entry.unwrap_or_else(|| panic!("the registry of `{path}` stands in the index"));
    let document = |path: &str| file(path).unwrap_or_else(|| panic!("`{path}` is carried"));
    let description = plan.notes.clone().or_else(|| entry.description.clone());
    let head = BuilderContext {
        template_id: name.to_owned(),
        builder: Builder::Static,
        description,
        world_id: plan.world_id.clone().unwrap_or_else(|| HOME_WORLD.parse().expect("the text is an id")),
        registry_id: plan.registry_id,
        plan_id: plan.plan_id,
        apply_preflight_profile: plan.apply_preflight_profile,
        notes: plan.notes,
        lanes: None,
        controls: None,
        family: None,
        semantic_group: None,
    };
    let shipped = ShippedPlan {
        path,
        bytes,
        probes: document(&entry.probes),
        profiles: document(&entry.profiles),
        description: entry.description.clone(),
    };
    // Carried for as long as the program runs.
    let content = DocumentContent::Shipped(Box::leak(Box::new(shipped)));
    Template { head, file: path.to_owned(), digest: Digest::of(bytes), content }
}

/// A probe of a plan that the executable carries.
#[derive(Debug, Clone, PartialEq)]
pub struct CarriedProbe {
    /// The template that the plan is, for `plan-build --template`.
    pub template_id: String,
    /// The profile under which the plan runs it.
    pub profile_id: String,
    /// The probe, as its registry has it.
    pub probe: ProbeEntry,
}

/// A carried probe that is performed by `driver`: of the plans to begin with first, then of other plans for Linux, then of those
/// for macOS. `None` if no carried plan runs one.
pub fn example(driver: Driver) -> Option<CarriedProbe> {
    let rank = |id: &str| {
        ["quickstart", "linux-", "launcher-"].iter().position(|begin| id.starts_with(begin)).unwrap_or(usize::MAX)
    };
    let mut plans: Vec<(&str, &ShippedPlan)> = ALL
        .iter()
        .filter_map(|template| match &template.content {
            DocumentContent::Shipped(plan) => Some((template.id(), *plan)),
            DocumentContent::Document { .. } => None,
        })
        .collect();
    plans.sort_by_key(|(id, _)| (rank(id), *id));
    plans.into_iter().find_map(|(id, plan)| {
        let chosen: PlanFile = carried(plan.path, plan.bytes);
        let probes: ProbesFile = carried(plan.path, plan.probes);
        let profiles: ProfilesFile = carried(plan.path, plan.profiles);
        let mut profiles = chosen.profiles.iter().filter_map(|id| profiles.profiles.get(id));
        profiles.find_map(|profile| {
            let mut entries = profile.probe_refs.iter().filter_map(|id| probes.probes.get(id));
            let probe = entries.find(|probe| probe.driver.as_deref() == Some(driver.info().name))?;
            let probe = ProbeEntry::clone(probe);
            Some(CarriedProbe { template_id: id.to_owned(), profile_id: profile.profile_id.as_str().to_owned(), probe })
        })
    })
}

impl Listing {
    /// What is listed of a template.
    pub fn of(template: &Template) -> Self {
        Self {
            template_id: template.id().to_owned(),
            description: template.description().unwrap_or_default().to_owned(),
            path: template.file().to_owned(),
            builder: template.builder(),
        }
    }
}

/// The carried templates, by id.
pub fn list() -> Vec<Listing> {
    ALL.iter().map(Listing::of).collect()
}

/// The carried template of that id.
pub fn by_id(id: &str) -> Result<Template, LoadError> {
    ALL.iter().find(|template| template.id() == id).cloned().ok_or_else(|| LoadError::UnknownId {
        kind: "template",
        id: super::super::diagnostic::shown(id),
        place: "this program".to_owned(),
        remedy: hint_for(id, ALL.iter().map(Template::id), "see `sandproof list-templates`, or name a file"),
    })
}

/// A policy that the executable carries, under the path by which its documents name it.
pub fn policy(path: &str) -> Option<Vec<u8>> {
    file(path).map(<[u8]>::to_vec)
}
