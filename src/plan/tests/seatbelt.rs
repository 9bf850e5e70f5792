use serde_json::{Value, json};

use super::{Sample, told};
use crate::plan::lint::lint_plan_file;
use crate::plan::{DiagnosticKind, ResolvedPlan, Severity};
use crate::policy::PolicyValue;
use crate::policy::sbpl::SbplPolicy;

/// A plan whose first profile is Seatbelt's, with this text.
fn sample(text: &str) -> Sample {
    let mut sample = Sample::new();
    sample.plan["profiles"] = json!(["one"]);
    entry(&mut sample, "mode", json!("sbpl"));
    entry(&mut sample, "profile_path", json!("sb/one.sb"));
    sample.put("sb/one.sb", text.as_bytes());
    sample
}

fn entry(sample: &mut Sample, key: &str, value: Value) {
    sample.profiles["profiles"]["one"][key] = value;
}

fn policy(plan: &ResolvedPlan) -> &SbplPolicy {
    match plan.profiles[0].policy.value.as_ref() {
        PolicyValue::Sbpl(policy) => policy,
        other => panic!("{other:?}"),
    }
}

const BASE: &str = "(version 1)\n(deny default)\n(allow file-read* (subpath (param \"ROOT\")))\n";

#[test]
fn text_rules_and_parameters_make_one_policy() {
    let mut sample = sample(BASE);
    entry(&mut sample, "parameters", json!({"ROOT": "${root}/in"}));
    entry(&mut sample, "key_specific_rules", json!(["(allow signal)"]));
    let plan = sample.load().unwrap();
    let policy = policy(&plan);
    assert_eq!(policy.text(), format!("{BASE}(allow signal)\n"));
    assert_eq!(policy.parameters()["ROOT"], "${root}/in");
    assert_eq!(policy.rules().rules.len(), 3);
    assert_eq!(plan.profiles[0].policy.digest, crate::base::digest::Digest::of(BASE.as_bytes()));
    assert_eq!(lint(&sample), []);
}

fn lint(sample: &Sample) -> Vec<(Severity, DiagnosticKind, String, String)> {
    let notes = lint_plan_file(&sample.write(), None).unwrap();
    notes.into_iter().map(|note| (note.severity, note.kind, note.file, note.pointer)).collect()
}

#[test]
fn a_bad_text_is_refused_with_its_place() {
    let bad = sample("(version 1)\n(deny default)\n (allow file-raed* (literal \"/x\"))\n");
    let text = told(&bad.load().unwrap_err());
    assert!(text.contains("`sb/one.sb` at `3:9`: there is no operation `file-raed*`; did you"), "{text}");
    assert!(text.contains("did you mean `file-read*`?"), "{text}");
    let place = (Severity::Error, DiagnosticKind::PolicyRefused, "sb/one.sb".to_owned(), "3:9".to_owned());
    assert_eq!(lint(&bad), [place]);
    let mut bad = sample(BASE);
    entry(&mut bad, "parameters", json!({"ROOT": "/x"}));
    entry(&mut bad, "key_specific_rules", json!(["(allow signal)", "\n (allow singal)"]));
    let text = told(&bad.load().unwrap_err());
    assert!(
        text.contains("at `/profiles/one/key_specific_rules/1`: at 2:9 of the rule, there is no operation"),
        "{text}"
    );
}

#[test]
fn parameters_are_checked() {
    let mut bad = sample(BASE);
    entry(&mut bad, "parameters", json!({"ROOT": "${home}/x"}));
    let text = told(&bad.load().unwrap_err());
    assert!(text.contains("`/profiles/one/parameters/ROOT`: the placeholder `${home}` does not exist"), "{text}");
    let mut bad = Sample::new();
    entry(&mut bad, "parameters", json!({"A/B": "x"}));
    let text = told(&bad.load().unwrap_err());
    assert!(text.contains("`/profiles/one/parameters/A~1B`: a landlock policy takes no parameters"), "{text}");
    for wrong in [json!({"ROOT": 1}), json!({"": "x"}), json!({"R\u{0}": "x"}), json!({"R": "\u{0}"}), json!([])] {
        let mut bad = sample(BASE);
        entry(&mut bad, "parameters", wrong);
        assert!(bad.load().is_err());
    }
}

#[test]
fn rules_beside_a_compiled_profile_are_a_warning_since_nothing_enforces_them() {
    let mut doubtful = sample("compiled");
    entry(&mut doubtful, "mode", json!("blob"));
    let rules = |sample: &Sample| {
        lint(sample).into_iter().filter(|found| found.3.ends_with("/key_specific_rules")).collect::<Vec<_>>()
    };
    assert_eq!(rules(&doubtful), []);
    entry(&mut doubtful, "key_specific_rules", json!(["(deny default)"]));
    assert!(doubtful.load().is_ok());
    let place = ("registries/r/profiles.json".to_owned(), "/profiles/one/key_specific_rules".to_owned());
    assert_eq!(rules(&doubtful), [(Severity::Warning, DiagnosticKind::BadValue, place.0, place.1)]);
}

#[test]
fn doubts_and_gates_are_warnings_where_they_stand() {
    let mut sample = sample(
        "(version 1)\n(allow default)\n(allow iokit-open* (apply-message-filter (deny mach-message-send)))\n(param \"X\")\n",
    );
    entry(&mut sample, "parameters", json!({"Y": "1"}));
    entry(&mut sample, "key_specific_rules", json!(["(grant)"]));
    let warning = |kind, file: &str, pointer: &str| (Severity::Warning, kind, file.to_owned(), pointer.to_owned());
    let profiles = "registries/r/profiles.json";
    let mut expected = vec![
        warning(DiagnosticKind::PolicyDoubt, profiles, "/profiles/one/key_specific_rules"),
        warning(DiagnosticKind::Parameter, profiles, "/profiles/one/parameters/Y"),
        warning(DiagnosticKind::ApplyGate, "sb/one.sb", "3:42"),
        warning(DiagnosticKind::PolicyDoubt, "sb/one.sb", "4:1"),
    ];
    let mut found = lint(&sample);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    assert!(sample.load().is_ok());
}

#[test]
fn the_default_is_read_from_the_rules_and_not_from_the_text() {
    for (text, rules, needs_driver) in [
        ("(version 1)\n(deny default)\n", json!([]), true),
        ("(version 1)(deny (with no-log)\n  default)", json!([]), true),
        ("(version 1)\n; not (deny default)\n(allow default)\n", json!([]), false),
        ("(version 1)(deny default)", json!(["(allow default)"]), false),
        ("(version 1)(allow default)", json!(["  (deny default)"]), true),
    ] {
        let mut sample = sample(text);
        entry(&mut sample, "key_specific_rules", rules);
        entry(&mut sample, "probe_refs", json!(["look"]));
        sample.probes["probes"]["look"] =
            super::probe("look", "mach_probe", "mach-lookup", "com.apple.cfprefsd.agent", "deny");
        let found = lint(&sample).iter().any(|(_, kind, ..)| *kind == DiagnosticKind::Driver);
        assert_eq!(found, needs_driver, "{text}");
    }
}
