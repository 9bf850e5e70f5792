//! The vfs builder: which spelling of a path a rule names, and which spelling is asked for.

use serde::Deserialize;
use serde_json::Value;

use super::super::diagnostic::{DiagnosticKind, Diagnostics, pointer_part, shown};
use super::document::{Ordered, check_keys};
use super::expand::{ExpandedDocuments, ExpandingTemplate, ProbeFields, ProfileFields, ProfileTexts};
use super::policies::CarriedKeys;
use crate::base::ids::ProfileId;
use crate::policy::PolicyMode;
use crate::record::outcome::Decision;

const PROFILE_KEYS: &[&str] = &[
    "sbpl",
    "ops",
    "policy",
    "variant",
    "request_paths",
    "allowed_paths",
    "role",
    "path_pairs",
    "family",
    "semantic_group",
    "key_specific_rules",
    "notes",
    "parameters",
    "probe_generation",
    "manual_probes",
    "extra_manual_probes",
    "extra_manual_probes_position",
];
const PROBE_KEYS: &[&str] = &["name", "operation", "target", "expected", "driver", "syscall"];

/// Its own part of a template.
#[derive(Deserialize)]
pub(super) struct VfsBody {
    #[serde(default)]
    path_sets: Ordered<PathSet>,
    profiles: Ordered<VfsProfile>,
    profile_order: Option<Vec<String>>,
}

/// Some paths, or some pairs of them.
#[derive(Deserialize, Clone)]
#[serde(untagged)]
enum PathSet {
    Paths(Vec<String>),
    Pairs(Vec<(String, String)>),
}

/// A list, or the name of a set; a name that no set has is one path.
#[derive(Deserialize)]
#[serde(untagged)]
enum PathList {
    Name(String),
    Paths(Vec<String>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PairList {
    Name(String),
    Pairs(Vec<(String, String)>),
}

/// A profile of one.
#[derive(Deserialize)]
pub(super) struct VfsProfile {
    #[serde(flatten)]
    texts: ProfileTexts,
    #[serde(default)]
    ops: Vec<String>,
    policy: Option<PathPolicy>,
    variant: Option<String>,
    request_paths: Option<PathList>,
    allowed_paths: Option<PathList>,
    role: Option<PathRole>,
    path_pairs: Option<PairList>,
    probe_generation: Option<String>,
    #[serde(default)]
    manual_probes: Vec<ManualProbe>,
    #[serde(default)]
    extra_manual_probes: Vec<ManualProbe>,
    #[serde(default)]
    extra_manual_probes_position: PairPosition,
}

/// How spelled paths relate to allowed ones.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum PathPolicy {
    /// What is listed is allowed, in that spelling.
    Literal,
    /// Only a rule on the resolved spelling works, and then for both.
    Canonicalized,
    /// The same, save that an alias into `/private/var/` stays refused: the link `/var` is not paid for.
    CanonicalizedWithVarTmpException,
}

impl PathPolicy {
    fn as_str(self) -> &'static str {
        match self {
            Self::Literal => "literal",
            Self::Canonicalized => "canonicalized",
            Self::CanonicalizedWithVarTmpException => "canonicalized_with_var_tmp_exception",
        }
    }
}

/// Which paths of a pair a profile's rules name.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum PathRole {
    FirstOnly,
    SecondOnly,
    Both,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum PairPosition {
    #[default]
    Append,
    Prepend,
}

#[derive(Deserialize)]
struct ManualProbe {
    name: String,
    operation: String,
    target: String,
    expected: Decision,
    driver: Option<String>,
    syscall: Option<String>,
}

/// What a pair (primary, alternate) is expected to give.
pub(super) fn pair_decisions(policy: PathPolicy, role: PathRole, alternate: &str) -> (Decision, Decision) {
    use Decision::{Allow, Deny};
    match (policy, role) {
        (PathPolicy::Literal, PathRole::FirstOnly) => (Allow, Deny),
        (PathPolicy::Literal, PathRole::SecondOnly) => (Deny, Allow),
        (PathPolicy::Literal, PathRole::Both) => (Allow, Allow),
        (_, PathRole::FirstOnly) => (Deny, Deny),
        (PathPolicy::CanonicalizedWithVarTmpException, _) if alternate.starts_with("/private/var/") => (Deny, Allow),
        _ => (Allow, Allow),
    }
}

impl ExpandingTemplate for VfsBody {
    type Profile = VfsProfile;

    fn check_keys(value: &Value, notes: &mut Diagnostics<'_>) {
        for (name, profile) in value.get("profiles").and_then(Value::as_object).into_iter().flatten() {
            let pointer = format!("/profiles/{}", pointer_part(name));
            check_keys(profile, &pointer, PROFILE_KEYS, notes);
            for key in ["manual_probes", "extra_manual_probes"] {
                for (n, probe) in profile.get(key).and_then(Value::as_array).into_iter().flatten().enumerate() {
                    check_keys(probe, &format!("{pointer}/{key}/{n}"), PROBE_KEYS, notes);
                }
            }
        }
    }

    fn profiles(&self) -> (&Ordered<VfsProfile>, Option<&[String]>) {
        (&self.profiles, self.profile_order.as_deref())
    }

    fn profile_fields(
        &self,
        _name: &str,
        profile: &VfsProfile,
        own: &CarriedKeys,
        _documents: &mut ExpandedDocuments<'_>,
        _notes: &mut Diagnostics<'_>,
    ) -> ProfileFields {
        let fields = profile.texts.fields(PolicyMode::Sbpl, own);
        ProfileFields { notes: fields.notes.or_else(|| told(profile)), ..fields }
    }

    fn add_probes(
        &self,
        name: &str,
        profile: &VfsProfile,
        id: &ProfileId,
        documents: &mut ExpandedDocuments<'_>,
        notes: &mut Diagnostics<'_>,
    ) {
        let pointer = format!("/profiles/{}", pointer_part(name));
        let manual = profile.probe_generation.as_deref() == Some("manual");
        if manual && profile.manual_probes.is_empty() {
            let message = "the profile's probes are all written by hand, and there are none";
            notes.error(DiagnosticKind::Empty, format!("{pointer}/manual_probes"), message, "add some");
        }
        if manual {
            by_hand(documents, id, &profile.manual_probes, &pointer, notes);
            return;
        }
        if profile.extra_manual_probes_position == PairPosition::Prepend {
            by_hand(documents, id, &profile.extra_manual_probes, &pointer, notes);
        }
        by_paths(documents, id, profile, &self.path_sets, &pointer, notes);
        if profile.extra_manual_probes_position == PairPosition::Append {
            by_hand(documents, id, &profile.extra_manual_probes, &pointer, notes);
        }
    }
}

/// What a profile's notes say if nobody wrote any.
fn told(profile: &VfsProfile) -> Option<String> {
    let policy = profile.policy?.as_str();
    Some(match &profile.variant {
        Some(variant) => format!("Paths of the family `{variant}`; expectations by the rule `{policy}`."),
        None => format!("Expectations by the rule `{policy}`."),
    })
}

fn by_hand(
    documents: &mut ExpandedDocuments<'_>,
    id: &ProfileId,
    probes: &[ManualProbe],
    pointer: &str,
    notes: &mut Diagnostics<'_>,
) {
    for (n, probe) in probes.iter().enumerate() {
        if [&probe.name, &probe.operation, &probe.target].into_iter().any(String::is_empty) {
            let message = "a probe written by hand needs a name, an operation and a target";
            notes.error(DiagnosticKind::Empty, format!("{pointer}/manual_probes/{n}"), message, "fill them in");
            continue;
        }
        let fields = ProbeFields {
            name: probe.name.clone(),
            operation: &probe.operation,
            target: &probe.target,
            driver: probe.driver.as_deref(),
            syscall: probe.syscall.as_deref(),
            ..ProbeFields::default()
        };
        documents.probe(id, fields, probe.expected, notes);
    }
}

fn by_paths(
    documents: &mut ExpandedDocuments<'_>,
    id: &ProfileId,
    profile: &VfsProfile,
    sets: &Ordered<PathSet>,
    pointer: &str,
    notes: &mut Diagnostics<'_>,
) {
    let policy = profile.policy.unwrap_or(PathPolicy::Literal);
    let mut wanted: Vec<(String, Decision)> = Vec::new();
    if let (PathPolicy::Literal, None) = (policy, &profile.path_pairs) {
        let paths = |list: &Option<PathList>, key: &str, notes: &mut Diagnostics<'_>| match list {
            None => Vec::new(),
            Some(PathList::Paths(paths)) => paths.clone(),
            Some(PathList::Name(name)) => match sets.get(name) {
                Some(PathSet::Paths(paths)) => paths.clone(),
                Some(PathSet::Pairs(_)) => {
                    let message = format!("the path set `{}` holds pairs", shown(name));
                    notes.error(
                        DiagnosticKind::BadValue,
                        format!("{pointer}/{key}"),
                        message,
                        "name a set of single paths",
                    );
                    Vec::new()
                }
                None => vec![name.clone()],
            },
        };
        let allowed = paths(&profile.allowed_paths, "allowed_paths", notes);
        for path in paths(&profile.request_paths, "request_paths", notes) {
            let expected = if allowed.contains(&path) { Decision::Allow } else { Decision::Deny };
            wanted.push((path, expected));
        }
    } else {
        let pairs = match &profile.path_pairs {
            Some(PairList::Pairs(pairs)) => pairs.clone(),
            Some(PairList::Name(name)) => match sets.get(name) {
                Some(PathSet::Pairs(pairs)) => pairs.clone(),
                _ => {
                    let remedy = notes.hint(name, sets.keys(), "define it in `path_sets`, or write the pairs");
                    let message = format!("there is no set of path pairs `{}`", shown(name));
                    notes.error(DiagnosticKind::Dangling, format!("{pointer}/path_pairs"), message, remedy);
                    return;
                }
            },
            None => Vec::new(),
        };
        let Some(role) = profile.role else {
            let message = format!("the policy `{}` needs a role", policy.as_str());
            notes.error(DiagnosticKind::MissingKey, pointer, message, "add `role`: first_only, second_only or both");
            return;
        };
        for (primary, alternate) in pairs {
            let (first, second) = pair_decisions(policy, role, &alternate);
            wanted.extend([(primary, first), (alternate, second)]);
        }
    }
    if wanted.is_empty() || profile.ops.is_empty() {
        let message = "the profile asks for nothing";
        notes.error(DiagnosticKind::Empty, pointer, message, "add `ops`, and `request_paths` or `path_pairs`");
    }
    // A pair's two paths belong together under each operation; so does a single path under all of them.
    let pairs = profile.path_pairs.is_some();
    for group in wanted.chunks(if pairs { 2 } else { 1 }) {
        for operation in &profile.ops {
            for (path, expected) in group {
                let name = format!("{}_{path}", prefix(operation));
                let fields = ProbeFields { name, operation, target: path, ..ProbeFields::default() };
                documents.probe(id, fields, *expected, notes);
            }
        }
    }
}

/// How names of probes of an operation begin.
fn prefix(operation: &str) -> String {
    match operation {
        "file-read*" => "read".to_owned(),
        "file-write*" => "write".to_owned(),
        other => other.replace('*', ""),
    }
}
