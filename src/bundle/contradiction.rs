//! What a manifest, a status and a preflight record cannot say of one run.
//!
//! Each rule holds for every honest bundle that is complete; SPEC 3 lists them. Rows have rules of their own
//! (`evidence::contradiction`).

use std::path::Path;

use crate::base::json;
use crate::record::layout;
use crate::record::manifest::{ChannelKind, RunManifest, RunStatus};
use crate::record::preflight::{ApplyPreflight, PreflightStatus};
use crate::record::results::ErrClass;

/// A rule of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentRule {
    /// A worker ran on a staged copy exactly if a manager started it.
    ManifestStage,
    /// Fixtures lay in a folder of the run's own.
    ManifestFixtures,
    /// A complete run names no failure.
    StatusComplete,
    /// A preflight record is of this run, and says what its own facts give.
    PreflightFacts,
}

impl DocumentRule {
    /// The rule's name, for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::ManifestStage => "manifest_stage",
            Self::ManifestFixtures => "manifest_fixtures",
            Self::StatusComplete => "status_complete",
            Self::PreflightFacts => "preflight_facts",
        }
    }
}

/// A document contradicts itself.
#[derive(Debug, thiserror::Error)]
#[error("`{path}`: {words}")]
pub(crate) struct DocumentContradiction {
    /// The document's name in the bundle.
    pub path: &'static str,
    /// Which rule it breaks.
    pub rule: DocumentRule,
    /// What contradicts what, as text for people.
    pub words: String,
}

/// Holds a manifest, and the preflight record in it, to themselves. `preflight`: the policy that the plan names for it.
pub(super) fn check(manifest: &RunManifest, preflight: Option<&str>) -> Result<(), DocumentContradiction> {
    let wrong = |path, rule, words: String| Err(DocumentContradiction { path, rule, words });
    let managed = manifest.channel != ChannelKind::Direct && !manifest.dry_run;
    let roots = [manifest.stage_root.is_some(), manifest.staged_output_root.is_some()];
    let context = manifest.stage_root.as_deref().unwrap_or(".");
    if manifest.stage_used != managed || roots != [managed; 2] || manifest.repo_root_context != context {
        let words = format!(
            "the channel is `{}`, but what it says of a staged copy belongs to another one",
            manifest.channel.as_str()
        );
        return wrong(layout::RUN_MANIFEST, DocumentRule::ManifestStage, words);
    }
    let base = Path::new(&manifest.fixture_base);
    let own = format!("sandproof-{}", manifest.run_id);
    let is_own = base.is_absolute() && base.file_name().is_some_and(|name| name == own.as_str());
    if if manifest.dry_run { !manifest.fixture_base.is_empty() } else { !is_own } {
        let words = format!("its fixtures were in `{}`, which is not a folder of this run", manifest.fixture_base);
        return wrong(layout::RUN_MANIFEST, DocumentRule::ManifestFixtures, words);
    }
    let Some(record) = manifest.apply_preflight.as_ref().map(|preflight| &preflight.record) else { return Ok(()) };
    let broken = |words: String| wrong(layout::APPLY_PREFLIGHT, DocumentRule::PreflightFacts, words);
    let record: ApplyPreflight = match json::from_value(record.clone()) {
        Ok(record) => record,
        Err(error) => return broken(error.to_string()),
    };
    if record.run_id.as_ref() != Some(&manifest.run_id) || record.world_id != manifest.world_id {
        return broken("it belongs to another run or world".into());
    }
    if preflight.is_some_and(|path| path != record.profile) {
        return broken(format!("it applied `{}`, which is not the policy that the plan names", record.profile));
    }
    match facts(&record) {
        Some(words) => broken(words.into()),
        None => Ok(()),
    }
}

/// In what a record's answers are not those of its facts.
fn facts(record: &ApplyPreflight) -> Option<&'static str> {
    let own = &record.sandbox_check_self;
    if own.rc.map(|rc| rc != 0) != own.sandboxed || own.sandboxed.is_some() == own.error.is_some() {
        return Some("its self-check contradicts itself");
    }
    let said = record.exit_code.is_some() || record.apply_report.is_some() || record.apply_marker_pid.is_some();
    if record.status == PreflightStatus::Error {
        let silent = !said && record.apply_ok.is_none() && record.error.is_some();
        return (!silent).then_some("it did not run, but has a result");
    }
    if record.error.is_some() || record.apply_ok.is_none() || record.apply_marker_pid.is_none_or(|pid| pid <= 1) {
        return Some("it ran, but does not say so");
    }
    if record.stderr.as_deref() != Some("") || record.stdout.as_deref() != Some("") {
        return Some("it holds output of a process, and a probe process cannot print");
    }
    let ok = record.apply_ok == Some(true);
    if ok == record.failure_stage.is_some() {
        return Some("`apply_ok` and `failure_stage` contradict each other");
    }
    let applied = record.apply_report.as_ref().is_some_and(|report| {
        report.rc == 0 && report.errno.is_none() && report.errbuf.is_none() && report.err_class == ErrClass::Ok
    });
    // It may have been applied and not confine, so this is asked in one direction only.
    (ok && !(applied && record.exit_code == Some(0)))
        .then_some("`apply_ok` is true, but the process did not apply the policy or did not end well")
}

/// In what the status of a complete run speaks of a failure.
pub(super) fn of_complete(status: &RunStatus) -> Option<&'static str> {
    if status.error.is_some() {
        return Some("the run is complete, but names an error");
    }
    status.failure_stage.is_some().then_some("the run is complete, but names a stage at which it failed")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::bundle::tests::fixture::{self, RUN};
    use crate::record::manifest::PreflightRef;

    fn honest() -> RunManifest {
        RunManifest { fixture_base: format!("/tmp/sandproof-{RUN}"), ..fixture::manifest(RUN) }
    }

    fn managed() -> RunManifest {
        RunManifest {
            channel: ChannelKind::SystemdClean,
            stage_used: true,
            stage_root: Some("/stage".into()),
            staged_output_root: Some("/stage/out".into()),
            repo_root_context: "/stage".into(),
            ..honest()
        }
    }

    fn dry(manifest: RunManifest) -> RunManifest {
        RunManifest { dry_run: true, fixture_base: String::new(), ..manifest }
    }

    fn rule(manifest: &RunManifest) -> Option<&'static str> {
        check(manifest, None).err().map(|found| found.rule.code())
    }

    #[test]
    fn a_staged_copy_is_there_exactly_if_a_manager_started_the_worker() {
        for good in
            [honest(), managed(), dry(honest()), dry(RunManifest { channel: ChannelKind::SystemdClean, ..honest() })]
        {
            assert_eq!(rule(&good), None);
        }
        let wrong: [fn(&mut RunManifest); 5] = [
            |manifest| manifest.stage_used = !manifest.stage_used,
            |manifest| manifest.staged_output_root = manifest.staged_output_root.take().xor(Some("/other".into())),
            |manifest| manifest.repo_root_context = "/elsewhere".into(),
            |manifest| manifest.dry_run = manifest.channel != ChannelKind::Direct,
            |manifest| manifest.stage_root = manifest.stage_root.take().xor(Some(".".into())),
        ];
        for (n, change) in wrong.iter().enumerate() {
            let [mut direct, mut clean] = [honest(), managed()];
            change(&mut direct);
            change(&mut clean);
            // A direct run may be dry.
            assert_eq!(rule(&direct), (n != 3).then_some("manifest_stage"), "{n}, direct");
            assert_eq!(rule(&clean), Some("manifest_stage"), "{n}, managed");
        }
    }

    #[test]
    fn fixtures_lie_in_a_folder_of_the_run_unless_it_is_dry_and_has_none() {
        for elsewhere in ["/tmp/sandproof-run-2", "/tmp", "/", "", "sandproof-run-1", "/tmp/sandproof-run-1/x"] {
            let other = RunManifest { fixture_base: elsewhere.into(), ..honest() };
            assert_eq!(rule(&other), Some("manifest_fixtures"), "{elsewhere}");
        }
        let some = RunManifest { fixture_base: honest().fixture_base, ..dry(honest()) };
        assert_eq!(rule(&some), Some("manifest_fixtures"));
    }

    /// A policy that was applied.
    fn record() -> Value {
        json!({
            "schema_version": "runtime-tools.apply_preflight.v0.1", "world_id": "linux-test", "run_id": RUN,
            "profile": "p.json", "runner": "sandproof",
            "sandbox_check_self": {"source": "landlock_layers", "rc": 0, "sandboxed": false},
            "status": "ok", "exit_code": 0, "stdout": "", "stderr": "", "apply_marker_pid": 77, "apply_ok": true,
            "apply_report": {"api": "landlock_restrict_self", "err_class": "ok", "err_class_source": "none",
                "errbuf": null, "errno": null, "rc": 0},
        })
    }

    /// What is wrong with a record in which members are others; null leaves one out.
    fn words(from: Value, changed: Value) -> Option<String> {
        let mut record = from;
        let members = record.as_object_mut().unwrap();
        for (name, value) in changed.as_object().unwrap() {
            match value {
                Value::Null => drop(members.remove(name)),
                value => drop(members.insert(name.clone(), value.clone())),
            }
        }
        let preflight = PreflightRef { path: layout::APPLY_PREFLIGHT.into(), record };
        let manifest = RunManifest { apply_preflight: Some(preflight), ..honest() };
        check(&manifest, Some("p.json")).err().map(|found| {
            assert_eq!((found.path, found.rule), (layout::APPLY_PREFLIGHT, DocumentRule::PreflightFacts));
            found.words
        })
    }

    #[test]
    fn a_preflight_record_is_of_this_run_and_of_the_plans_policy() {
        assert_eq!(words(record(), json!({})), None);
        for other in [json!({"run_id": "run-2"}), json!({"run_id": null}), json!({"world_id": "linux-other"})] {
            assert_eq!(
                words(record(), other.clone()).as_deref(),
                Some("it belongs to another run or world"),
                "{other}"
            );
        }
        let other = words(record(), json!({"profile": "q.json"})).unwrap();
        assert_eq!(other, "it applied `q.json`, which is not the policy that the plan names");
        assert!(words(record(), json!({"extra": 1})).is_some());
    }

    #[test]
    fn a_preflight_record_says_what_its_facts_give() {
        let check = |rc: Value, sandboxed: Value, error: Value| json!({"sandbox_check_self": {"source": "s", "rc": rc, "sandboxed": sandboxed, "error": error}});
        let null = Value::Null;
        let failed = json!({"exit_code": null, "stdout": null, "stderr": null, "apply_marker_pid": null,
            "apply_ok": null, "apply_report": null, "status": "error", "error": "timeout"});
        let refused = json!({"apply_ok": false, "failure_stage": "apply", "exit_code": 1});
        for good in [
            failed.clone(),
            refused,
            check(json!(1), json!(true), null.clone()),
            check(null.clone(), null.clone(), json!("why")),
        ] {
            assert_eq!(words(record(), good.clone()), None, "{good}");
        }
        let contradicted = "its self-check contradicts itself";
        let silent = "it ran, but does not say so";
        let output = "it holds output of a process, and a probe process cannot print";
        let stages = "`apply_ok` and `failure_stage` contradict each other";
        let not_applied = "`apply_ok` is true, but the process did not apply the policy or did not end well";
        for (wrong, wanted) in [
            (check(json!(0), json!(true), null.clone()), contradicted),
            (check(json!(1), json!(false), null.clone()), contradicted),
            (check(json!(0), json!(false), json!("why")), contradicted),
            (check(null.clone(), null.clone(), null), contradicted),
            (json!({"error": "timeout"}), silent),
            (json!({"apply_ok": null}), silent),
            (json!({"apply_marker_pid": null}), silent),
            (json!({"apply_marker_pid": 1}), silent),
            (json!({"stdout": "x"}), output),
            (json!({"stderr": "x"}), output),
            (json!({"stdout": null}), output),
            (json!({"failure_stage": "apply"}), stages),
            (json!({"apply_ok": false}), stages),
            (json!({"exit_code": 1}), not_applied),
            (json!({"apply_report": null}), not_applied),
        ] {
            assert_eq!(words(record(), wrong.clone()).as_deref(), Some(wanted), "{wrong}");
        }
        for more in
            [json!({"exit_code": 0}), json!({"apply_ok": true}), json!({"apply_marker_pid": 7}), json!({"error": null})]
        {
            let mut wrong = failed.clone();
            wrong.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(words(record(), wrong).as_deref(), Some("it did not run, but has a result"), "{more}");
        }
    }
}
