//! Documents that no derivation writes fit their schemas.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::base::json;
use crate::evidence::testing::{Bench, tiny_plan};
use crate::evidence::testing_schemas::{self as schemas, accept};
use crate::record::row::{ProbeRow, ROW_SCHEMA};

#[test]
fn the_other_documents_have_schemas_that_fit() {
    use crate::record::manifest::{RunState, RunStatus};
    use crate::record::preflight::{
        APPLY_PREFLIGHT_SCHEMA, ApplyPreflight, PreflightApplyReport, PreflightStatus, SelfCheckRecord,
    };
    use crate::record::results::{ErrClass, ErrClassSource};

    let mut manifest = Bench::new(tiny_plan()).manifest;
    let plan = (manifest.plan_id.clone(), manifest.plan_digest);
    let begun = RunStatus::begun(manifest.run_id.clone(), manifest.world_id.clone(), manifest.channel, plan, (1, 1.5));
    let status = RunStatus { state: RunState::Complete, drift: Some(vec!["plan.json".into()]), ..begun };
    accept(&schemas::RUN_STATUS, "run_status.json", &serde_json::to_value(status).unwrap());
    let preflight = ApplyPreflight {
        schema_version: APPLY_PREFLIGHT_SCHEMA.into(),
        world_id: manifest.world_id.clone(),
        run_id: Some(manifest.run_id.clone()),
        profile: "registries/tiny/policy.json".into(),
        runner: "sandproof".into(),
        sandbox_check_self: SelfCheckRecord {
            source: "landlock_layers".into(),
            rc: Some(0),
            sandboxed: Some(false),
            error: None,
        },
        status: PreflightStatus::Ok,
        error: None,
        command: Some(vec!["sandproof".into(), "__zygote".into()]),
        exit_code: Some(0),
        stdout: Some(String::new()),
        stderr: Some(String::new()),
        apply_report: Some(PreflightApplyReport {
            api: "landlock_restrict_self".into(),
            err_class: ErrClass::Ok,
            err_class_source: ErrClassSource::None,
            errbuf: None,
            errno: None,
            rc: 0,
        }),
        apply_marker_pid: Some(2),
        apply_ok: Some(true),
        failure_stage: None,
    };
    let record = serde_json::to_value(preflight).unwrap();
    accept(&schemas::APPLY_PREFLIGHT, "apply_preflight.json", &record);
    let path = "apply_preflight.json".to_owned();
    manifest.apply_preflight = Some(crate::record::manifest::PreflightRef { path, record });
    accept(&schemas::RUN_MANIFEST, "run_manifest.json", &serde_json::to_value(manifest).unwrap());
}

/// Rows of golden bundles and test vectors: one of each shape.
fn rows_of_all_shapes() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let mut rows: Vec<Value> = Vec::new();
    for lane in ["baseline", "control", "scenario"] {
        let lines = text(&format!("golden/out/mixed/rows/{lane}.jsonl"));
        rows.extend(lines.lines().map(|line| serde_json::from_str(line).unwrap()));
    }
    let vectors: Value = serde_json::from_str(&text("vectors/rows.json")).unwrap();
    for vector in vectors["rows"].as_array().unwrap() {
        rows.extend([&vector["row"], &vector["baseline"]].into_iter().filter(|row| !row.is_null()).cloned());
    }
    let mut seen = BTreeSet::new();
    rows.retain(|row| {
        seen.insert(pointers(row).into_iter().map(|at| at.replace(char::is_numeric, "")).collect::<BTreeSet<_>>())
    });
    assert!(rows.len() > 10, "only {} shapes", rows.len());
    rows
}

/// The JSON pointer of every value.
fn pointers(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: String, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(name, member)| walk(member, format!("{at}/{name}"), found));
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(n, item)| walk(item, format!("{at}/{n}"), found));
            }
            _ => {}
        }
        found.push(at);
    }
    let mut found = Vec::new();
    walk(value, String::new(), &mut found);
    found
}

/// What else could stand in the place of a value, each with a word for it. Null for what is absent and absence for null are the
/// reader's to take for each other (SPEC 9.1).
fn others(value: &Value) -> Vec<(String, Value)> {
    let mut others = vec![
        ("true".to_owned(), json!(true)),
        ("-1".to_owned(), json!(-1)),
        ("1.5".to_owned(), json!(1.5)),
        ("a large number".to_owned(), json!(u64::MAX)),
        ("a text".to_owned(), json!("zzz")),
        ("no text".to_owned(), json!("")),
        ("a list".to_owned(), json!([])),
        ("a list of lists".to_owned(), json!([[]])),
        ("an object".to_owned(), json!({})),
    ];
    match value {
        Value::Object(members) => {
            others.push(("its members as a list".to_owned(), members.values().cloned().collect()));
            let mut more = members.clone();
            more.insert("more".to_owned(), json!(1));
            others.push(("a member more".to_owned(), Value::Object(more)));
            for name in members.keys() {
                let (mut less, mut nulled) = (members.clone(), members.clone());
                less.remove(name);
                nulled.insert(name.clone(), Value::Null);
                others.push((format!("{name} as null or absent"), json!([less, nulled])));
            }
        }
        Value::Array(items) if !items.is_empty() => {
            others.push(("one item more".to_owned(), items.iter().chain(&items[..1]).cloned().collect()));
        }
        _ => {}
    }
    others
}

#[test]
fn a_row_that_its_schema_refuses_is_refused() {
    let reads = |row: &Value| {
        let text = row.to_string();
        json::typed::<ProbeRow>(text.as_bytes()).is_ok_and(|row| {
            let ways = [row.ending.is_some(), row.not_run.is_some(), row.launcher.is_some()];
            row.schema_version == ROW_SCHEMA
                && ways.into_iter().filter(|there| *there).count() == 1
                && row.not_run.is_none_or(|not_run| not_run.can_be())
        })
    };
    let good = |row: &Value| schemas::PROBE_ROW.is_valid(row);
    let mut lenient = BTreeSet::new();
    for row in rows_of_all_shapes() {
        assert!(good(&row) && reads(&row), "{row}");
        for at in pointers(&row) {
            for (what, other) in others(row.pointer(&at).unwrap()) {
                let with = |other: Value| {
                    let mut changed = row.clone();
                    *changed.pointer_mut(&at).unwrap() = other;
                    changed
                };
                let refused_and_read = match &other {
                    Value::Array(both) if what.ends_with("as null or absent") => {
                        let both: Vec<Value> = both.iter().map(|one| with(one.clone())).collect();
                        !both.iter().any(good) && both.iter().any(reads)
                    }
                    _ => {
                        let changed = with(other);
                        !good(&changed) && reads(&changed)
                    }
                };
                if refused_and_read {
                    lenient.insert(format!("{}: {what}", at.replace(char::is_numeric, "N")));
                }
            }
        }
    }
    assert_eq!(lenient, BTreeSet::new(), "read, though the schema refuses it");
}
