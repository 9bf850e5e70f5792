//! What is declared of a world, as a flat list: a name and a value for each fact.

use serde_json::Value;

use crate::bundle::Bundle;

/// What differs between any two runs, or follows from what is listed beside it.
const LEFT_OUT: [&str; 10] = [
    "artifact/documents",
    "artifact/launchers",
    "artifact/plan/plan_digest",
    "policy/lock",
    "policy/shard",
    "policy/unconfirmed",
    "runtime/channel/job",
    "runtime/host",
    "runtime/jobs",
    "runtime/world/world_id",
];

/// The facts of a bundle; of its launcher with that profile, if one is given.
pub(super) fn of(bundle: &Bundle, launcher: Option<&str>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let host = serde_json::to_value(&bundle.manifest().host).unwrap_or_default();
    walk("host", &host, &mut found);
    let Some(declaration) = bundle.identity() else { return found };
    for (part, members) in [
        ("artifact", &declaration.artifact),
        ("runtime", &declaration.runtime),
        ("policy", &declaration.policy),
        ("history", &declaration.history),
    ] {
        for (name, value) in members {
            walk(&format!("{part}/{name}"), value, &mut found);
        }
    }
    found.retain(|(fact, _)| {
        let is = |one: &str| fact.strip_prefix(one).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        !LEFT_OUT.iter().any(|one| is(one))
    });
    if let Some(profile) = launcher {
        // What is declared of other launchers is no fact of this one.
        found.retain(|(fact, _)| !fact.starts_with("artifact/profiles/") && !fact.starts_with("policy/expectations/"));
        let of = |part: &str| declaration.artifact.get(part).and_then(|all| all.get(profile));
        if let Some(own) = of("launchers") {
            walk("launcher", own, &mut found);
        }
        if let Some(document) = of("profiles").and_then(|own| own.get("value_sha256")) {
            walk("launcher/document", document, &mut found);
        }
    }
    found
}

fn walk(at: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => match members.get("absent") {
            Some(why) => found.push((at.to_owned(), format!("none ({})", why.as_str().unwrap_or_default()))),
            None => members.iter().for_each(|(name, value)| walk(&format!("{at}/{name}"), value, found)),
        },
        Value::String(text) => found.push((at.to_owned(), text.clone())),
        Value::Null => found.push((at.to_owned(), "none".to_owned())),
        other => found.push((at.to_owned(), other.to_string())),
    }
}
