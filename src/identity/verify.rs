//! Whether a declaration is what the documents beside it give.
//!
//! Three questions, each answered by JSON pointer into the declaration: does it agree with itself, with the plan resolved
//! from the bundle's (or a workspace's) documents, and with what the manifest says of program and host?

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::compare::{Difference, differences};
use super::compose::{self, DeclaredFacts, LISTED_PATHS, object};
use super::external::ADDED_BY_SEALING;
use super::seal::{self, Flaw};
use crate::base::ids::ProfileId;
use crate::base::{canon, json};
use crate::plan::ResolvedPlan;
use crate::policy::PolicyMode;
use crate::record::absence::{self, Absence};
use crate::record::identity::{Declaration, DeclarationPart, RUN_IDENTITY_SCHEMA, RUN_KIND, Stated};
use crate::record::manifest::{ChannelKind, RunManifest};
use crate::record::run_identity::{LauncherElement, PolicyPart, PreExisting, RunParts};

/// One thing in which a declaration is not what it should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Discrepancy {
    /// It says one thing, and another was found.
    Differs(Difference),
    /// It cannot be understood.
    Malformed {
        /// JSON pointer of the place.
        pointer: String,
        /// The reason, as text for people.
        problem: String,
    },
}

impl Discrepancy {
    /// JSON pointer into the declaration.
    pub fn pointer(&self) -> &str {
        match self {
            Self::Differs(difference) => &difference.pointer,
            Self::Malformed { pointer, .. } => pointer,
        }
    }

    /// What is the matter there, in words.
    pub fn words(&self) -> String {
        let shown = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), Value::to_string);
        match self {
            Self::Differs(difference) => {
                format!("declared {}, found {}", shown(&difference.declared), shown(&difference.found))
            }
            Self::Malformed { problem, .. } => problem.clone(),
        }
    }
}

fn differs(at: &str, declared: &Value, found: &Value, all: &mut Vec<Discrepancy>) {
    all.extend(differences(at, declared, found).into_iter().map(Discrepancy::Differs));
}

fn value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).expect("a document shape is a JSON value")
}

/// What a declaration says of itself that its own parts do not give.
pub fn verify_against_itself(declaration: &Declaration) -> Vec<Discrepancy> {
    let flaw = |flaw: Flaw| {
        let pointer = flaw.pointer();
        match flaw {
            Flaw::NotCanonical(error) => Discrepancy::Malformed { pointer, problem: error.problem.to_string() },
            Flaw::Completeness { declared, computed } => Discrepancy::Differs(Difference {
                pointer,
                found_at: None,
                declared: declared.map(|one| value(&one)),
                found: computed.map(|one| value(&one)),
            }),
            Flaw::Digest { declared, computed, .. } | Flaw::Identity { declared, computed } => {
                Discrepancy::Differs(Difference {
                    pointer,
                    found_at: None,
                    declared: Some(value(&declared)),
                    found: Some(value(&computed)),
                })
            }
        }
    };
    seal::check(declaration).into_iter().map(flaw).collect()
}

/// How a declaration says why something is absent: whether it says what is unconfirmed tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReasonForm {
    /// In words, as declarations of the first format do.
    Words,
    /// By a code.
    Codes,
}

impl ReasonForm {
    fn of(policy: &PolicyPart) -> Self {
        if policy.unconfirmed.is_some() { Self::Codes } else { Self::Words }
    }

    /// What was found, as such a declaration says it.
    fn of_found(self, mut found: Value) -> Value {
        if self == Self::Words {
            absence::in_words(&mut found);
        }
        found
    }

    /// Reasons in a form that such a declaration does not have.
    fn faults(self, declaration: &Declaration) -> Vec<Discrepancy> {
        let mut wrong = Vec::new();
        for part in DeclarationPart::ALL {
            for (name, member) in declaration.part(part) {
                let at = format!("/{}/{}", part.as_str(), canon::pointer_part(name));
                absence::each_absent(member, &at, &mut |at, members| {
                    let reason = members["absent"].as_str().unwrap_or_default();
                    if (Absence::of_code(reason).is_some()) != (self == Self::Codes) {
                        let problem = match self {
                            Self::Codes => "it is absent for a reason that no code stands for",
                            Self::Words => {
                                "it is absent for a reason that is a code, and nothing says what is unconfirmed"
                            }
                        };
                        wrong.push(Discrepancy::Malformed { pointer: at.to_owned(), problem: problem.to_owned() });
                    }
                });
            }
        }
        wrong
    }
}

/// The parts of a run's declaration.
///
/// # Errors
/// What of it does not have the shape of a run's declaration.
pub fn parts_of(declaration: &Declaration) -> Result<RunParts, Vec<Discrepancy>> {
    let mut wrong = Vec::new();
    differs("/schema_version", &value(&declaration.schema_version), &value(&RUN_IDENTITY_SCHEMA), &mut wrong);
    differs("/kind", &value(&declaration.kind), &value(&RUN_KIND), &mut wrong);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    fn part<T: DeserializeOwned>(
        part: DeclarationPart,
        members: &Map<String, Value>,
        wrong: &mut Vec<Discrepancy>,
    ) -> Option<T> {
        match json::from_value(Value::Object(members.clone())) {
            Ok(read) => Some(read),
            Err(error) => {
                let pointer = format!("/{}", part.as_str());
                wrong.push(Discrepancy::Malformed { pointer, problem: error.to_string() });
                None
            }
        }
    }
    let artifact = part(DeclarationPart::Artifact, &declaration.artifact, &mut wrong);
    let runtime = part(DeclarationPart::Runtime, &declaration.runtime, &mut wrong);
    let policy = part(DeclarationPart::Policy, &declaration.policy, &mut wrong);
    let history = part(DeclarationPart::History, &declaration.history, &mut wrong);
    match (artifact, runtime, policy, history) {
        (Some(artifact), Some(runtime), Some(policy), Some(history)) => {
            Ok(RunParts { artifact, runtime, policy, history })
        }
        _ => Err(wrong),
    }
}

/// One element for each profile that has a launcher: what was declared of it, if anything was.
fn expected_launchers(
    plan: &ResolvedPlan,
    mut declared: BTreeMap<ProfileId, LauncherElement>,
) -> BTreeMap<ProfileId, LauncherElement> {
    let none = || LauncherElement { programs: BTreeMap::new(), version: Stated::absent(Absence::NotDeclared) };
    let launchers = plan.declared_profiles().iter().filter(|profile| profile.entry.mode == PolicyMode::Launcher);
    launchers.map(|profile| (profile.id.clone(), declared.remove(&profile.id).unwrap_or_else(none))).collect()
}

/// Where a declaration is not what `plan` gives. Facts that no plan says are taken from the declaration itself.
pub fn verify_against_plan(plan: &ResolvedPlan, declaration: &Declaration) -> Vec<Discrepancy> {
    let parts = match parts_of(declaration) {
        Ok(parts) => parts,
        Err(wrong) => return wrong,
    };
    let pre_existing = expected_paths(plan, &parts.history.fixtures.pre_existing);
    let mut runtime = parts.runtime.clone();
    runtime.world.declared = crate::world::declared(plan.plan.world_id.as_ref());
    runtime.world.document_sha256 = world_document(plan);
    let given = DeclaredFacts {
        tool: parts.artifact.tool,
        commands: parts.artifact.commands,
        launchers: expected_launchers(plan, parts.artifact.launchers),
        runtime,
        dry_run: parts.policy.dry_run,
        host_programs: parts.policy.host_programs,
        channel_limit_ms: parts.policy.channel_limit_ms.clone(),
        lock: parts.policy.lock.clone(),
        pre_existing,
        inputs: parts.history.inputs,
    };
    let form = ReasonForm::of(&parts.policy);
    let mut wrong = form.faults(declaration);
    match compose::parts(plan, given) {
        Ok(mut found) => {
            if form == ReasonForm::Words {
                found.policy.unconfirmed = None;
            }
            let found =
                [object(&found.artifact), object(&found.runtime), object(&found.policy), object(&found.history)];
            for (part, found) in DeclarationPart::ALL.into_iter().zip(found) {
                let declared = Value::Object(declaration.part(part).clone());
                differs(&format!("/{}", part.as_str()), &declared, &form.of_found(Value::Object(found)), &mut wrong);
            }
        }
        Err(error) => {
            wrong.push(Discrepancy::Malformed { pointer: error.pointer, problem: error.problem.to_string() });
        }
    }
    wrong
}

/// Where the sealed declaration of another system is not what its document gives, sealed just now.
pub fn verify_against_document(found: &Declaration, declaration: &Declaration) -> Vec<Discrepancy> {
    let mut wrong = verify_against_itself(declaration);
    differs("/schema_version", &value(&declaration.schema_version), &value(&found.schema_version), &mut wrong);
    differs("/kind", &value(&declaration.kind), &value(&found.kind), &mut wrong);
    for part in DeclarationPart::ALL {
        let [mut declared, found] = [declaration, found].map(|one| one.part(part).clone());
        if unconfirmed_by_document(declaration).any(|(added, _)| added == part) {
            declared.remove(ADDED_BY_SEALING);
        }
        differs(&format!("/{}", part.as_str()), &Value::Object(declared), &Value::Object(found), &mut wrong);
    }
    wrong
}

/// What sealing a command has added to its document, by part and JSON pointer: it stands as it is declared.
pub fn unconfirmed_by_document(declaration: &Declaration) -> impl Iterator<Item = (DeclarationPart, String)> {
    [DeclarationPart::Artifact, DeclarationPart::Runtime]
        .into_iter()
        .filter(|part| declaration.part(*part).contains_key(ADDED_BY_SEALING))
        .map(|part| (part, format!("/{}/{ADDED_BY_SEALING}", part.as_str())))
}

/// The digest of the declared world's document, stated.
pub fn world_document(plan: &ResolvedPlan) -> Stated<crate::base::digest::Digest> {
    Stated::or_absent(plan.world.as_ref().map(|world| world.digest), Absence::WorldUnknown)
}

/// The element for the plan's fixed paths, with the kinds that the declaration gives. Past the listed ones, kinds are
/// known by digest alone, and that is taken as it is.
fn expected_paths(plan: &ResolvedPlan, declared: &PreExisting) -> PreExisting {
    let paths = compose::fixed_paths(plan);
    let unlisted = "unknown";
    let kinds = paths.iter().map(|path| (*path, declared.kinds.get(*path).map_or(unlisted, String::as_str)));
    let mut found = compose::pre_existing(kinds);
    if paths.len() > declared.kinds.len().min(LISTED_PATHS) {
        found.sha256 = declared.sha256;
    }
    found
}

/// Where a declaration is not what the manifest says of program, host and settings.
pub fn verify_against_manifest(manifest: &RunManifest, declaration: &Declaration) -> Vec<Discrepancy> {
    let parts = match parts_of(declaration) {
        Ok(parts) => parts,
        Err(wrong) => return wrong,
    };
    let mut wrong = Vec::new();
    let form = ReasonForm::of(&parts.policy);
    let mut same = |at: &str, declared: Value, found: Value| differs(at, &declared, &form.of_found(found), &mut wrong);
    let tool = &parts.artifact.tool;
    same("/artifact/tool/name", value(&tool.name), value(&manifest.tool.name));
    same("/artifact/tool/version", value(&tool.version), value(&manifest.tool.version));
    same("/artifact/tool/sha256", value(&tool.sha256), value(&manifest.tool.sha256));
    let runtime = &parts.runtime;
    let direct = runtime.channel.kind == ChannelKind::Direct;
    same("/runtime/channel/kind", value(&runtime.channel.kind), value(&manifest.channel));
    same("/runtime/jobs", value(&runtime.jobs), value(&manifest.jobs));
    same("/runtime/repeat", value(&runtime.repeat), value(&manifest.repeat));
    same("/runtime/shuffle", value(&runtime.shuffle), value(&manifest.shuffle));
    same("/runtime/user/uid_class", value(&runtime.user.uid_class), value(&manifest.host.uid_class));
    same("/runtime/world/declared", value(&runtime.world.declared), value(&manifest.world.declared));
    // What a parent could not see from where it was, the worker of a clean channel may see.
    if direct || runtime.world.world_id.value().is_some() {
        same("/runtime/world/world_id", value(&runtime.world.world_id), value(&manifest.world_id));
    }
    let fs = Stated::or_absent(manifest.host.fixture_fs.clone(), Absence::NotObserved);
    if runtime.fixture_file_system.value() != fs.value() && (direct || runtime.fixture_file_system.value().is_some()) {
        same("/runtime/fixture_file_system", value(&runtime.fixture_file_system), value(&fs));
    }
    // The worker of a clean channel finds out itself what confines it.
    if direct {
        let found = manifest
            .confinement
            .as_ref()
            .map_or(Value::Null, |facts| value(&compose::confinement(facts, &manifest.host.os, manifest.dry_run)));
        same("/runtime/confinement", value(&runtime.confinement), found);
    }
    let observed = compose::host_facts(&manifest.host);
    for (name, found) in &observed {
        let declared = runtime.host.get(name);
        if direct || declared.is_none_or(|declared| declared.value().is_some()) {
            same(&format!("/runtime/host/{name}"), declared.map_or(Value::Null, value), value(found));
        }
    }
    for name in runtime.host.keys().filter(|name| !observed.contains_key(*name)) {
        same(&format!("/runtime/host/{name}"), value(&runtime.host[name]), Value::Null);
    }
    let policy = &parts.policy;
    // A bundle of the second format has reasons as codes, and says what it cannot confirm.
    if policy.unconfirmed.is_some() != manifest.bundle_format.is_some() {
        same("/policy/unconfirmed", value(&policy.unconfirmed), value(&manifest.bundle_format));
    }
    same("/policy/dry_run", value(&policy.dry_run), value(&manifest.dry_run));
    same("/policy/host_programs", value(&policy.host_programs), value(&manifest.host_programs));
    same("/policy/deadline_ms", value(&policy.deadline_ms), value(&manifest.deadline_ms));
    same(
        "/policy/selection/only_profiles",
        value(&policy.selection.only_profiles),
        value(&manifest.selection.only_profiles),
    );
    same(
        "/policy/selection/only_scenarios",
        value(&policy.selection.only_scenarios),
        value(&manifest.selection.only_scenarios),
    );
    let shard = Stated::or_absent(manifest.selection.shard.as_ref().map(ToString::to_string), Absence::NotDivided);
    same("/policy/shard", value(&policy.shard), value(&shard));
    wrong
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::base::digest::Digest;
    use crate::base::ids::WorldId;
    use crate::bundle::tests::fixture;
    use crate::identity::declare;
    use crate::identity::tests::{given, quickstart};
    use crate::record::confinement::ConfinementFacts;
    use crate::record::manifest::HostFacts;

    fn pointers(found: &[Discrepancy]) -> Vec<&str> {
        found.iter().map(Discrepancy::pointer).collect()
    }

    #[test]
    fn a_digest_of_paths_is_found_again_where_all_are_listed_and_else_taken_as_it_is() {
        let mut plan = quickstart();
        for (probe, target) in plan.profiles[0].probes.iter_mut().zip(["/etc/hosts", "/usr"]) {
            Arc::make_mut(&mut probe.entry).target = target.into();
        }
        let declared = |change: fn(&mut PreExisting)| {
            let mut given = given(&plan, &[], 1);
            given.pre_existing =
                compose::pre_existing(compose::fixed_paths(&plan).into_iter().map(|path| (path, "file")));
            assert_eq!(given.pre_existing.kinds.len(), 2);
            change(&mut given.pre_existing);
            verify_against_plan(&plan, &declare(&plan, given).unwrap())
        };
        assert_eq!(declared(|_| {}), []);
        let other = declared(|paths| paths.sha256 = Digest::of(b"other"));
        assert_eq!(pointers(&other), ["/history/fixtures/pre_existing/sha256"]);
        let unlisted = declared(|paths| {
            paths.kinds.pop_first();
        });
        assert!(!unlisted.is_empty());
        for one in pointers(&unlisted) {
            assert!(one.starts_with("/history/fixtures/pre_existing/kinds"), "{one}");
        }
    }

    /// A manifest, and what is declared of the same run.
    fn pair(channel: ChannelKind) -> (RunManifest, DeclaredFacts) {
        let plan = quickstart();
        let mut given = given(&plan, &[], 1);
        let mut manifest = fixture::manifest(fixture::RUN);
        manifest.channel = channel;
        manifest.host = HostFacts {
            os: "linux".into(),
            kernel_release: Some("6.1".into()),
            uid_class: "user".into(),
            fixture_fs: Some("tmpfs".into()),
            ..HostFacts::default()
        };
        manifest.confinement = Some(ConfinementFacts { landlock_layers: Some(0), ..ConfinementFacts::default() });
        manifest.tool.version = given.tool.version.clone();
        manifest.tool.sha256 = given.tool.sha256;
        manifest.world.declared = given.runtime.world.declared.clone();
        manifest.deadline_ms = plan.deadline_ms;
        given.runtime.channel.kind = channel;
        given.runtime.world.world_id = Stated::Is(manifest.world_id.clone());
        given.runtime.host = compose::host_facts(&manifest.host);
        given.runtime.confinement =
            Stated::Is(compose::confinement(manifest.confinement.as_ref().unwrap(), "linux", false));
        (manifest, given)
    }

    /// Where they disagree once something is otherwise: in a direct run, and in one that a manager started.
    fn disagreement(change: impl Fn(&mut RunManifest, &mut DeclaredFacts)) -> [Vec<String>; 2] {
        [ChannelKind::Direct, ChannelKind::SystemdClean].map(|channel| {
            let (mut manifest, mut given) = pair(channel);
            change(&mut manifest, &mut given);
            let found = verify_against_manifest(&manifest, &declare(&quickstart(), given).unwrap());
            let mut found: Vec<String> = pointers(&found).into_iter().map(str::to_owned).collect();
            // What lies within an element is a matter of how differences are told.
            found.iter_mut().for_each(|pointer| {
                if let Some(at) = pointer.match_indices('/').map(|(at, _)| at).nth(3) {
                    pointer.truncate(at);
                }
            });
            found.dedup();
            found
        })
    }

    fn both(pointer: &str) -> [Vec<String>; 2] {
        [vec![pointer.to_owned()], vec![pointer.to_owned()]]
    }

    fn only_direct(pointer: &str) -> [Vec<String>; 2] {
        [vec![pointer.to_owned()], Vec::new()]
    }

    #[test]
    fn what_a_manifest_says_is_declared() {
        assert_eq!(disagreement(|_, _| {}), [Vec::<String>::new(), Vec::new()]);
        assert_eq!(disagreement(|manifest, _| manifest.jobs = 7), both("/runtime/jobs"));
        assert_eq!(disagreement(|manifest, _| manifest.repeat = Some(7)), both("/runtime/repeat"));
        assert_eq!(disagreement(|manifest, _| manifest.shuffle = Some(7)), both("/runtime/shuffle"));
        assert_eq!(disagreement(|manifest, _| manifest.tool.version = "9".into()), both("/artifact/tool/version"));
        assert_eq!(disagreement(|manifest, _| manifest.deadline_ms += 1), both("/policy/deadline_ms"));
        let started = |_: &mut RunManifest, given: &mut DeclaredFacts| {
            given.runtime.channel.kind = ChannelKind::LaunchdClean;
        };
        assert_eq!(disagreement(started), both("/runtime/channel/kind"));
        let world = |manifest: &mut RunManifest, _: &mut DeclaredFacts| {
            manifest.world.declared = WorldId::new("linux-other").unwrap();
        };
        assert_eq!(disagreement(world), both("/runtime/world/declared"));
        assert_eq!(disagreement(|manifest, _| manifest.tool.name = "other".into()), both("/artifact/tool/name"));
    }

    #[test]
    fn a_declaration_that_its_own_parts_do_not_give_is_told_by_place() {
        let good = declare(&quickstart(), given(&quickstart(), &[], 1)).unwrap();
        assert_eq!(verify_against_itself(&good), []);
        let mut other = good.clone();
        other.identity = Digest::of(b"other");
        assert_eq!(pointers(&verify_against_itself(&other)), ["/identity"]);
        let mut other = good;
        other.runtime.insert("jobs".into(), json!(7));
        assert_eq!(pointers(&verify_against_itself(&other)), ["/digests/runtime"]);
    }

    #[test]
    fn what_only_the_worker_of_a_manager_could_see_is_not_asked_of_its_parent() {
        let place = "/runtime/world/world_id";
        let absent = |_: &mut RunManifest, given: &mut DeclaredFacts| {
            given.runtime.world.world_id = Stated::absent(Absence::NotObserved);
        };
        assert_eq!(disagreement(absent), only_direct(place));
        let other = |_: &mut RunManifest, given: &mut DeclaredFacts| {
            given.runtime.world.world_id = Stated::Is(WorldId::new("linux-other").unwrap());
        };
        assert_eq!(disagreement(other), both(place));

        let place = "/runtime/fixture_file_system";
        let absent = |_: &mut RunManifest, given: &mut DeclaredFacts| {
            given.runtime.fixture_file_system = Stated::absent(Absence::NotObserved);
        };
        assert_eq!(disagreement(absent), only_direct(place));
        let other = |_: &mut RunManifest, given: &mut DeclaredFacts| {
            given.runtime.fixture_file_system = Stated::Is("xfs".into());
        };
        assert_eq!(disagreement(other), both(place));
        // Why there is none is told by the declaration alone.
        let neither = |manifest: &mut RunManifest, given: &mut DeclaredFacts| {
            manifest.host.fixture_fs = None;
            given.runtime.fixture_file_system = Stated::absent(Absence::ChosenByWorker);
        };
        assert_eq!(disagreement(neither), [Vec::<String>::new(), Vec::new()]);

        let nothing = |manifest: &mut RunManifest, _: &mut DeclaredFacts| manifest.confinement = None;
        assert_eq!(disagreement(nothing), only_direct("/runtime/confinement"));
    }

    #[test]
    fn each_fact_of_the_host_is_declared_and_no_other() {
        let place = "/runtime/host/kernel_release";
        let fact = |stated: Option<Stated<Value>>| {
            disagreement(|_, given| {
                given.runtime.host.remove("kernel_release");
                given.runtime.host.extend(stated.clone().map(|stated| ("kernel_release".to_owned(), stated)));
            })
        };
        assert_eq!(fact(Some(Stated::Is(json!("6.2")))), both(place));
        assert_eq!(fact(Some(Stated::absent(Absence::NotObserved))), only_direct(place));
        assert_eq!(fact(None), both(place));
        let more = |_: &mut RunManifest, given: &mut DeclaredFacts| {
            given.runtime.host.insert("colour".into(), Stated::Is(json!("red")));
        };
        assert_eq!(disagreement(more), both("/runtime/host/colour"));
    }
}
