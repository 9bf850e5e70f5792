//! What lint says of plans that load.

use super::super::lint::{lint_plan_file, lint_registries};
use super::*;
use crate::base::ids::RegistryId;

fn warnings(sample: &Sample) -> Vec<Diagnostic> {
    let notes = lint_plan_file(&sample.write(), None).unwrap();
    assert!(!diagnostic::has_errors(&notes), "{notes:?}");
    notes
}

#[test]
fn a_sound_plan_has_no_findings() {
    let sample = Sample::new();
    assert_eq!(warnings(&sample), []);
    assert_eq!(lint_registries(&Workspace::at(sample.root()), None), []);
}

#[test]
fn doubts_are_warnings() {
    type Case = (&'static str, fn(&mut Sample), DiagnosticKind, &'static str);
    let cases: &[Case] = &[
        ("no baseline", |s| s.plan["lanes"]["baseline"] = json!(false), DiagnosticKind::Lane, "/lanes/baseline"),
        ("worlds", |s| s.plan["world_id"] = json!("w"), DiagnosticKind::WorldMismatch, "/world_id"),
        (
            "world by default",
            |s| drop(s.plan.as_object_mut().unwrap().remove("world_id")),
            DiagnosticKind::WorldMismatch,
            "",
        ),
        ("an unknown world", |s| s.plan["world_id"] = json!("linux-hosts"), DiagnosticKind::WorldUnknown, "/world_id"),
        ("registry worlds", |s| s.profiles["world_id"] = json!("w"), DiagnosticKind::WorldMismatch, "/world_id"),
        (
            "lane not supported",
            |s| s.probes["probes"]["read_in"]["supports_lanes"]["oracle"] = json!(false),
            DiagnosticKind::Lane,
            "/probes/read_in/supports_lanes/oracle",
        ),
        (
            "operation not expected",
            |s| s.probes["probes"]["read_in"]["expected_primary_ops"] = json!(["file-read*"]),
            DiagnosticKind::ExpectedOps,
            "/probes/read_in/expected_primary_ops",
        ),
        (
            "nothing listens",
            |s| {
                s.probes["probes"]["read_out"] =
                    probe("read_out", "tcp_connect", "network-outbound", "127.0.0.1:${port.a}", "allow");
            },
            DiagnosticKind::Listener,
            "/probes/read_out",
        ),
        (
            "the wrong thing listens",
            |s| {
                let entry = &mut s.probes["probes"]["read_out"];
                *entry = probe("read_out", "tcp_connect", "network-outbound", "127.0.0.1:${port.a}", "allow");
                entry["listener"] = json!({"kind": "udp", "address": "127.0.0.1:${port.a}"});
            },
            DiagnosticKind::Listener,
            "/probes/read_out/listener/kind",
        ),
        (
            "undeclared need",
            |s| {
                let entry = &mut s.probes["probes"]["read_out"];
                *entry = probe("read_out", "xattr_get", "file-read-xattr", "${root}/out/a", "allow");
                entry["attribute"] = json!("user.a");
            },
            DiagnosticKind::Capability,
            "/probes/read_out/capabilities_required",
        ),
        (
            "a system call that the driver does not make",
            |s| s.probes["probes"]["read_out"]["syscall"] = json!("open"),
            DiagnosticKind::Parameter,
            "/probes/read_out/syscall",
        ),
    ];
    for (name, doubt, kind, pointer) in cases {
        let mut sample = Sample::new();
        doubt(&mut sample);
        let notes = warnings(&sample);
        assert!(notes.iter().any(|note| note.kind == *kind && note.pointer == *pointer), "{name}: {notes:?}");
        sample.load().unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn an_expectation_that_contradicts_its_policy_is_found_before_anything_runs() {
    let mut sample = Sample::new();
    sample.probes["probes"]["read_out"]["expected"] = json!("allow");
    let told = |sample: &Sample| -> Vec<(Severity, DiagnosticKind, String)> {
        let notes = lint_plan_file(&sample.write(), None).unwrap();
        notes.into_iter().map(|note| (note.severity, note.kind, note.pointer)).collect()
    };
    let pointer = "/probes/read_out/expected".to_owned();
    assert_eq!(told(&sample), [(Severity::Error, DiagnosticKind::Contradiction, pointer.clone())]);
    assert_eq!(lint_registries(&Workspace::at(sample.root()), None).len(), 1);
    // What the host has at that place is taken for granted, so the author may be right.
    sample.probes["probes"]["read_out"] = probe("read_out", "file_read", "file-read-data", "/etc/hostname", "allow");
    assert_eq!(told(&sample), [(Severity::Warning, DiagnosticKind::Contradiction, pointer)]);
}

#[test]
fn a_policy_that_the_kernel_refuses_is_an_error_of_lint() {
    for (path, right, told) in [
        ("${root}/out/a", "read_dir", "`${root}/out/a` is no folder, and read_dir can only be granted on one (EINVAL)"),
        ("${root}/none", "read_file", "`${root}/none` does not exist in the declared fixtures"),
        ("/dev/null", "read_dir", "`/dev/null` is no folder"),
    ] {
        let mut sample = Sample::new();
        sample.policy["handled"]["fs"] = json!(["read_file", "read_dir"]);
        sample.policy["path_beneath"].as_array_mut().unwrap().push(json!({"path": path, "allow": [right]}));
        let at = sample.policy["path_beneath"].as_array().unwrap().len() - 1;
        let notes = lint_plan_file(&sample.write(), None).unwrap();
        let found: Vec<_> = notes.iter().filter(|note| note.severity == Severity::Error).collect();
        assert!(!found.is_empty(), "{path}: {notes:?}");
        for note in found {
            assert_eq!(
                (note.kind, &*note.pointer),
                (DiagnosticKind::PolicyRefused, &*format!("/path_beneath/{at}/path"))
            );
            assert!(note.message.contains(told), "{}", note.message);
        }
    }
    // Where a rule leads that only the process itself can know is no reason to refuse it.
    let mut sample = Sample::new();
    sample.policy["path_beneath"]
        .as_array_mut()
        .unwrap()
        .push(json!({"path": "/proc/self/cwd", "allow": ["read_file"]}));
    assert!(
        lint_plan_file(&sample.write(), None).unwrap().iter().all(|note| note.kind != DiagnosticKind::PolicyRefused)
    );
}

#[test]
fn a_system_profile_of_another_host_is_a_warning() {
    let mut sample = Sample::new();
    let entry = &mut sample.profiles["profiles"]["one"];
    entry["mode"] = json!("sbpl");
    entry["profile_path"] = json!("/System/Library/Sandbox/Profiles/none.sb");
    let notes = warnings(&sample);
    assert_eq!(notes.iter().map(|note| note.kind).collect::<Vec<_>>(), [DiagnosticKind::PolicyMissing]);
    entry_path(&mut sample, "sb/none.sb");
    let notes = lint_plan_file(&sample.write(), None).unwrap();
    assert!(
        notes.iter().any(|n| n.kind == DiagnosticKind::PolicyMissing && n.severity == Severity::Error),
        "{notes:?}"
    );
}

fn entry_path(sample: &mut Sample, path: &str) {
    sample.profiles["profiles"]["one"]["profile_path"] = json!(path);
}

#[test]
fn seatbelt_rules_of_the_reference_hold() {
    let mut sample = Sample::new();
    sample.probes["probes"]["look"] = probe("look", "mach_probe", "mach-lookup", "com.apple.cfprefsd.agent", "deny");
    for id in ["one", "two"] {
        let entry = &mut sample.profiles["profiles"][id];
        entry["mode"] = json!("sbpl");
        entry["profile_path"] = json!("sb/d.sb");
        entry["probe_refs"] = json!(["look"]);
        entry.as_object_mut().unwrap().remove("fixtures");
    }
    sample.put("sb/d.sb", b"(version 1)\n(deny default)\n");
    let notes = lint_plan_file(&sample.write(), None).unwrap();
    let found: Vec<(Severity, DiagnosticKind)> = notes.iter().map(|note| (note.severity, note.kind)).collect();
    let driver = (Severity::Error, DiagnosticKind::Driver);
    assert_eq!(found, [driver, driver, (Severity::Warning, DiagnosticKind::ExpectationId)], "{notes:?}");
    sample.probes["probes"]["look"]["driver"] = json!("sandbox_mach_probe");
    assert_eq!(warnings(&sample).len(), 1);
}

#[test]
fn registries_are_linted_whole_or_one_at_a_time() {
    let mut sample = Sample::new();
    sample.index["registries"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": "s", "probes": "registries/s/probes.json", "profiles": "registries/s/profiles.json"}));
    // No plan names this profile.
    sample.profiles["profiles"]["three"] = profile("three", &["nothing"]);
    sample.write();
    let workspace = Workspace::at(sample.root());
    let id = |text: &str| RegistryId::new(text).unwrap();
    let kinds = |only: Option<&RegistryId>| -> Vec<DiagnosticKind> {
        lint_registries(&workspace, only).into_iter().map(|note| note.kind).collect()
    };
    assert_eq!(kinds(Some(&id("r"))), [DiagnosticKind::Dangling]);
    assert_eq!(kinds(Some(&id("s"))), [DiagnosticKind::Unreadable]);
    assert_eq!(kinds(Some(&id("t"))), [DiagnosticKind::Registry]);
    let mut all = kinds(None);
    all.sort();
    assert_eq!(all, [DiagnosticKind::Unreadable, DiagnosticKind::Dangling]);
    sample.put("registries/s/probes.json", b"[]");
    assert_eq!(kinds(Some(&id("s"))), [DiagnosticKind::WrongType]);
    sample.put("registries/index.json", b"3");
    assert_eq!(kinds(None), [DiagnosticKind::WrongType]);
}
