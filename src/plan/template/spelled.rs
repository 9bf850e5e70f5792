//! The static builder: plan and registries are spelled out, and written as they stand.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::diagnostic::{DiagnosticKind, Diagnostics};
use super::super::error::LoadError;
use super::super::file::{PlanFile, ProbesFile, ProfilesFile};
use super::super::read::typed;
use super::super::schema::DocumentKind;
use super::document::{BuilderContext, body};
use super::expand::{Expanded, TypedDocument};
use super::policies::{CarriedKeys, carried};

#[derive(Deserialize)]
struct TemplateTexts<'a> {
    #[serde(borrow)]
    plan: &'a RawValue,
    #[serde(borrow)]
    probes: &'a RawValue,
    #[serde(borrow)]
    profiles: &'a RawValue,
}

/// Builds one. `Ok(None)`: what was found is noted.
pub(super) fn expand(
    head: &BuilderContext,
    value: &Value,
    text: &str,
    notes: &mut Diagnostics<'_>,
) -> Result<Option<Expanded>, LoadError> {
    for key in ["fixtures", "parameters"].into_iter().filter(|key| value.get(*key).is_some()) {
        let message = format!("a template that spells out its registries has no {key} beside them");
        notes.error(DiagnosticKind::UnknownKey, format!("/{key}"), message, "move them into the profiles");
    }
    let plan: Option<PlanFile> = part(DocumentKind::Plan, value, "plan", notes)?;
    let probes: Option<ProbesFile> = part(DocumentKind::ProbeRegistry, value, "probes", notes)?;
    let profiles: Option<ProfilesFile> = part(DocumentKind::ProfileRegistry, value, "profiles", notes)?;
    let (Some(plan), Some(probes), Some(profiles)) = (plan, probes, profiles) else { return Ok(None) };
    for (key, found) in
        [("plan", &plan.registry_id), ("probes", &probes.registry_id), ("profiles", &profiles.registry_id)]
    {
        if *found != head.registry_id {
            notes.error(
                DiagnosticKind::IdMismatch,
                format!("/{key}/registry_id"),
                format!("`{found}` is another registry than the template's `{}`", head.registry_id),
                "make them agree",
            );
        }
    }
    let texts = serde_json::from_str::<TemplateTexts<'_>>(text);
    let (Ok(texts), Some(own)) = (texts, body::<CarriedKeys>(text, notes)) else { return Ok(None) };
    Ok(Some(Expanded {
        plan: TypedDocument { value: plan, bytes: outdented(texts.plan) },
        probes: TypedDocument { value: probes, bytes: outdented(texts.probes) },
        profiles: TypedDocument { value: profiles, bytes: outdented(texts.profiles) },
        policies: carried(&own.policies, notes).into_iter().collect(),
        description: head.description.clone(),
    }))
}

/// A document inside the template, checked like one of its own.
fn part<T: DeserializeOwned>(
    kind: DocumentKind,
    value: &Value,
    key: &str,
    notes: &mut Diagnostics<'_>,
) -> Result<Option<T>, LoadError> {
    let Some(inner) = value.get(key).filter(|inner| inner.is_object()) else {
        let message = format!("the template does not spell out `{key}`");
        notes.error(DiagnosticKind::MissingKey, "", message, format!("add `{key}`, or say `builder`"));
        return Ok(None);
    };
    let before = notes.list.len();
    if !kind.check(inner, notes) {
        for note in &mut notes.list[before..] {
            note.pointer.insert_str(0, &format!("/{key}"));
            if note.kind == DiagnosticKind::Format {
                note.remedy = "a template spells out documents of the format that is read; write that one".into();
            }
        }
        return Ok(None);
    }
    typed(inner.clone(), notes.file, &format!("/{key}")).map(Some)
}

/// A part of a document as a document of its own: its text, moved to the left by what its last line is indented.
fn outdented(part: &RawValue) -> Vec<u8> {
    let text = part.get();
    let last = text.rsplit('\n').next().unwrap_or_default();
    let depth = if text.contains('\n') { last.len() - last.trim_start().len() } else { 0 };
    let mut out = String::with_capacity(text.len() + 1);
    for line in text.lines() {
        let spaces = line.len() - line.trim_start().len();
        out.push_str(&line[spaces.min(depth)..]);
        out.push('\n');
    }
    out.into_bytes()
}
