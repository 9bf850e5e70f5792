//! Documents that must not load, and what is said about each.

use super::*;

/// One change to the sample that makes it unacceptable, and what the refusal has to say.
type Case = (&'static str, fn(&mut Sample), &'static [&'static str]);

fn set(value: &mut Value, pointer: &str, new: Value) {
    *value.pointer_mut(pointer).unwrap_or_else(|| panic!("the sample has no {pointer}")) = new;
}

fn add(value: &mut Value, pointer: &str, key: &str, new: Value) {
    value.pointer_mut(pointer).unwrap().as_object_mut().unwrap().insert(key.to_owned(), new);
}

fn drop_key(value: &mut Value, pointer: &str, key: &str) {
    value.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(key).unwrap();
}

const PLAN: &str = "`plans/p/plan.json`";
const PROBES: &str = "`registries/r/probes.json`";
const PROFILES: &str = "`registries/r/profiles.json`";
const POLICY: &str = "`registries/r/policies/p.json`";

const CASES: &[Case] = &[
    (
        "unknown plan key",
        |s| add(&mut s.plan, "", "profile", json!([])),
        &[PLAN, "`/profile`", "the key `profile` is unknown here", "did you mean `profiles`?"],
    ),
    (
        "strange plan key",
        |s| add(&mut s.plan, "", "zebra", json!(1)),
        &[PLAN, "`/zebra`", "remove it; known are apply_preflight_profile, controls"],
    ),
    (
        "schema_versions",
        |s| add(&mut s.plan, "", "schema_versions", json!({})),
        &[PLAN, "`/schema_versions`", "a plan cannot choose the formats of artifacts", "remove the key"],
    ),
    (
        "plan format",
        |s| set(&mut s.plan, "/schema_version", json!("runtime-tools.plan.v0.2")),
        &[PLAN, "`/schema_version`", "\"runtime-tools.plan.v0.2\"", "`runtime-tools.plan.v0.1`"],
    ),
    (
        "plan without id",
        |s| drop_key(&mut s.plan, "", "plan_id"),
        &[PLAN, "the key `plan_id` is missing", "add `plan_id`"],
    ),
    (
        "empty id",
        |s| set(&mut s.plan, "/plan_id", json!("")),
        &[PLAN, "`/plan_id`", "cannot be an id", "1 to 512 bytes"],
    ),
    (
        "id that is long in bytes only",
        |s| set(&mut s.plan, "/plan_id", json!("é".repeat(400))),
        &[PLAN, "longer than 512 bytes"],
    ),
    (
        "profiles no list",
        |s| set(&mut s.plan, "/profiles", json!("one")),
        &[PLAN, "`/profiles`", "found \"one\", where the type is array"],
    ),
    ("no profiles", |s| set(&mut s.plan, "/profiles", json!([])), &[PLAN, "`/profiles`", "the plan lists no profile"]),
    (
        "lane not boolean",
        |s| set(&mut s.plan, "/lanes/oracle", json!("yes")),
        &[PLAN, "`/lanes/oracle`", "found \"yes\"", "boolean"],
    ),
    (
        "unknown lane",
        |s| add(&mut s.plan, "/lanes", "scenarios", json!(true)),
        &["`/lanes/scenarios`", "did you mean `scenario`?"],
    ),
    (
        "every lane off",
        |s| set(&mut s.plan, "/lanes", json!({"baseline": false, "scenario": false, "oracle": false})),
        &[PLAN, "`/lanes`", "every lane is off"],
    ),
    ("no time", |s| add(&mut s.plan, "", "deadline_ms", json!(0)), &["`/deadline_ms`", "0 milliseconds"]),
    ("negative time", |s| add(&mut s.plan, "", "deadline_ms", json!(-5)), &["`/deadline_ms`", "-5"]),
    ("too much time", |s| add(&mut s.plan, "", "deadline_ms", json!(u64::MAX)), &["`/deadline_ms`", "more than a day"]),
    (
        "profile twice",
        |s| set(&mut s.plan, "/profiles", json!(["one", "one"])),
        &[PLAN, "`/profiles/1`", "`one` is listed twice"],
    ),
    (
        "unknown profile",
        |s| set(&mut s.plan, "/profiles/1", json!("tow")),
        &[PLAN, "`/profiles/1`", "there is no profile `tow`", "did you mean `two`?"],
    ),
    (
        "unknown registry",
        |s| set(&mut s.plan, "/registry_id", json!("rr")),
        &[PLAN, "`/registry_id`", "there is no registry `rr` in `registries/index.json`", "did you mean `r`?"],
    ),
    (
        "missing preflight policy",
        |s| set(&mut s.plan, "/apply_preflight_profile", json!("registries/r/none.json")),
        &[PLAN, "`/apply_preflight_profile`", "`registries/r/none.json` does not exist", "correct the path"],
    ),
    (
        "registry twice",
        |s| {
            let entry = s.index["registries"][0].clone();
            s.index["registries"].as_array_mut().unwrap().push(entry);
        },
        &["`registries/index.json`", "is listed twice in the index"],
    ),
    (
        "index path leaves the root",
        |s| set(&mut s.index, "/registries/0/probes", json!("../probes.json")),
        &["`registries/index.json`", "`/registries/0/probes`", "the path leaves the root"],
    ),
    (
        "index entry incomplete",
        |s| drop_key(&mut s.index, "/registries/0", "profiles"),
        &["`registries/index.json`", "`/registries/0`", "the key `profiles` is missing"],
    ),
    (
        "registry document missing",
        |s| set(&mut s.index, "/registries/0/probes", json!("registries/r/prober.json")),
        &["the probe registry `registries/r/prober.json` cannot be read", "No such file"],
    ),
    (
        "registry id differs",
        |s| set(&mut s.probes, "/registry_id", json!("q")),
        &[PROBES, "`/registry_id`", "the document is of the registry `q`, but is used as `r`"],
    ),
    (
        "probe key differs",
        |s| set(&mut s.probes, "/probes/read_in/probe_id", json!("read_inn")),
        &[PROBES, "`/probes/read_in/probe_id`", "the probe has the id `read_inn`"],
    ),
    (
        "strict key missing",
        |s| drop_key(&mut s.probes, "/probes/read_in", "target"),
        &[PROBES, "`/probes/read_in`", "the key `target` is missing"],
    ),
    (
        "expectation that is none",
        |s| set(&mut s.probes, "/probes/read_in/expected", json!("allows")),
        &[PROBES, "`/probes/read_in/expected`", "found \"allows\"", "did you mean `allow`?"],
    ),
    (
        "unknown control",
        |s| set(&mut s.probes, "/probes/read_in/controls_supported", json!(["all"])),
        &["`/probes/read_in/controls_supported/0`", "use one of baseline, allow_default, deny_default"],
    ),
    (
        "operation that is none",
        |s| set(&mut s.probes, "/probes/read_in/operation", json!("file-read-dat")),
        &[
            PROBES,
            "`/probes/read_in/operation`",
            "`file-read-dat` is not an operation",
            "did you mean `file-read-data`?",
        ],
    ),
    (
        "no driver",
        |s| drop_key(&mut s.probes, "/probes/read_in", "driver"),
        &[PROBES, "`/probes/read_in`", "needs a driver", "for this operation: file_read,"],
    ),
    (
        "unknown driver",
        |s| set(&mut s.probes, "/probes/read_in/driver", json!("fileread")),
        &["`/probes/read_in/driver`", "there is no driver `fileread`", "did you mean `file_read`?"],
    ),
    (
        "driver of another operation",
        |s| set(&mut s.probes, "/probes/read_in/driver", json!("file_stat")),
        &[
            "`/probes/read_in/driver`",
            "`file_stat` does not perform `file-read-data`",
            "it stands for file-read-metadata",
        ],
    ),
    (
        "parameter missing",
        |s| {
            s.probes["probes"]["read_in"] = probe("read_in", "file_rename", "file-write-unlink", "${root}/in/a", "deny")
        },
        &["`/probes/read_in`", "the driver `file_rename` needs `to`", "add `to`"],
    ),
    (
        "parameter too many",
        |s| add(&mut s.probes, "/probes/read_in", "attribute", json!("user.x")),
        &["`/probes/read_in/attribute`", "takes no `attribute`", "remove it"],
    ),
    (
        "unknown placeholder",
        |s| set(&mut s.probes, "/probes/read_in/target", json!("${root}/${hme}")),
        &["`/probes/read_in/target`", "the placeholder `${hme}` does not exist", "known are `${root}`"],
    ),
    (
        "relative target",
        |s| set(&mut s.probes, "/probes/read_in/target", json!("in/a")),
        &["`/probes/read_in/target`", "`in/a` is a relative path"],
    ),
    (
        "foreign target",
        |s| set(&mut s.probes, "/probes/write_out/target", json!("/etc/passwd")),
        &["`/probes/write_out/target`", "changes `/etc/passwd`, which is not the run's own"],
    ),
    (
        "target that climbs out",
        |s| set(&mut s.probes, "/probes/write_out/target", json!("${root}/../x")),
        &["`/probes/write_out/target`", "not the run's own"],
    ),
    (
        "target behind a foreign link",
        |s| {
            set(&mut s.probes, "/probes/write_out/target", json!("${root}/l/passwd"));
            let link = json!([{"path": "l", "kind": "symlink", "to": "/etc"}]);
            add(&mut s.probes, "/probes/write_out", "fixtures", link);
        },
        &["`/probes/write_out/target`", "`${root}/l/passwd` leads out of the run's own folder: /etc/passwd"],
    ),
    (
        "endpoint that is none",
        |s| s.probes["probes"]["read_in"] = probe("read_in", "tcp_connect", "network-outbound", "localhost:1", "deny"),
        &["`/probes/read_in/target`", "`localhost:1` is not an endpoint", "127.0.0.1:PORT"],
    ),
    (
        "unknown capability",
        |s| set(&mut s.probes, "/probes/read_in/capabilities_required", json!(["Root"])),
        &["`/probes/read_in/capabilities_required/0`", "`Root` is not a capability", "did you mean `root`?"],
    ),
    (
        "unknown key in a probe",
        |s| add(&mut s.probes, "/probes/read_in", "expectd", json!("x")),
        &["`/probes/read_in/expectd`", "did you mean `expected`?"],
    ),
    (
        "unknown key in a listener",
        |s| add(&mut s.probes, "/probes/read_in", "listener", json!({"kind": "tcp", "adress": "x"})),
        &["`/probes/read_in/listener/adress`", "did you mean `address`?", "the key `address` is missing"],
    ),
    (
        "fixture that climbs out",
        |s| set(&mut s.profiles, "/profiles/one/fixtures/0/path", json!("../a")),
        &[PROFILES, "`/profiles/one/fixtures/0/path`", "has a `..` part"],
    ),
    (
        "fixture twice",
        |s| set(&mut s.profiles, "/profiles/one/fixtures/1/path", json!("in/a")),
        &["`/profiles/one/fixtures/1/path`", "`in/a` is made twice"],
    ),
    (
        "fixture of the profile again",
        |s| add(&mut s.probes, "/probes/read_in", "fixtures", json!([{"path": "in/a", "kind": "dir"}])),
        &[PROBES, "`/probes/read_in/fixtures/0/path`", "`in/a` is made twice"],
    ),
    (
        "fixture mode",
        |s| add(&mut s.profiles, "/profiles/one/fixtures/0", "mode", json!("rw-r--r--")),
        &["`/profiles/one/fixtures/0/mode`", "not permission bits", "`0640`"],
    ),
    (
        "hard link to nothing",
        |s| set(&mut s.profiles, "/profiles/one/fixtures/0", json!({"path": "h", "kind": "hardlink", "to": "out/a"})),
        &["`/profiles/one/fixtures/0/to`", "which no fixture before it makes"],
    ),
    (
        "symbolic link to nowhere",
        |s| set(&mut s.profiles, "/profiles/one/fixtures/0", json!({"path": "h", "kind": "symlink"})),
        &["`/profiles/one/fixtures/0`", "says nothing about where it leads", "add `to`"],
    ),
    (
        "dangling probe",
        |s| set(&mut s.profiles, "/profiles/one/probe_refs/0", json!("read_inn")),
        &[PROFILES, "`/profiles/one/probe_refs/0`", "there is no probe `read_inn`", "did you mean `read_in`?"],
    ),
    (
        "probe twice",
        |s| set(&mut s.profiles, "/profiles/one/probe_refs/1", json!("read_in")),
        &["`/profiles/one/probe_refs/1`", "`read_in` is listed twice"],
    ),
    (
        "name twice",
        |s| set(&mut s.probes, "/probes/read_out/name", json!("read_in")),
        &["`/profiles/one/probe_refs/1`", "two probes of the profile have the name `read_in`"],
    ),
    (
        "expectation id twice in a profile",
        |s| add(&mut s.probes, "/probes/read_out", "expectation_id", json!("read_in")),
        &["`/profiles/one/probe_refs/1`", "the probes `read_in` and `read_out` have the same expectation id `read_in`"],
    ),
    (
        "a mechanism of what is allowed",
        |s| add(&mut s.probes, "/probes/read_in", "mechanism", json!(["hidden"])),
        &["`/probes/read_in/mechanism`", "only a denial has a mechanism"],
    ),
    (
        "an error number of what is allowed",
        |s| add(&mut s.probes, "/probes/read_in", "errno", json!(["EACCES"])),
        &["`/probes/read_in/errno`", "only a denial has an error number"],
    ),
    (
        "an error number that is no denial",
        |s| add(&mut s.probes, "/probes/read_out", "errno", json!(["EACCES", "EROFS"])),
        &["`/profiles/one/probe_refs/1`", "with `EROFS`", "Landlock denies `file_read` with EACCES"],
    ),
    (
        "a mechanism where nothing is expected",
        |s| {
            set(&mut s.probes, "/probes/read_in/expected", json!("any"));
            add(&mut s.probes, "/probes/read_in", "mechanism", json!(["hidden"]));
        },
        &["`/probes/read_in/mechanism`", "only a denial has a mechanism"],
    ),
    (
        "a mechanism of another kind",
        |s| add(&mut s.probes, "/probes/read_out", "mechanism", json!(["hiden"])),
        &["`/probes/read_out/mechanism/0`", "did you mean `hidden`?"],
    ),
    (
        "a mechanism where there is no launcher",
        |s| add(&mut s.probes, "/probes/read_out", "mechanism", json!(["hidden"])),
        &["`/profiles/one/probe_refs/1`", "demands `mechanism`, which only a launcher can meet"],
    ),
    (
        "a name alone where there is no launcher",
        |s| add(&mut s.probes, "/probes/read_out", "name_alone", json!(true)),
        &["`/profiles/one/probe_refs/1`", "demands `name_alone`, which only a launcher can meet"],
    ),
    (
        "profile without probes",
        |s| set(&mut s.profiles, "/profiles/one/probe_refs", json!([])),
        &["`/profiles/one/probe_refs`", "the profile lists no probe"],
    ),
    (
        "unknown mode",
        |s| set(&mut s.profiles, "/profiles/one/mode", json!("landlok")),
        &["`/profiles/one/mode`", "did you mean `landlock`?"],
    ),
    (
        "strict profile key missing",
        |s| drop_key(&mut s.profiles, "/profiles/one", "family"),
        &["`/profiles/one`", "the key `family` is missing"],
    ),
    (
        "rules that nothing would enforce",
        |s| set(&mut s.profiles, "/profiles/one/key_specific_rules", json!(["(deny default)"])),
        &[PROFILES, "`/profiles/one/key_specific_rules`", "no rules beside its policy document"],
    ),
    (
        "policy missing",
        |s| set(&mut s.profiles, "/profiles/one/profile_path", json!("registries/r/q.json")),
        &[PROFILES, "`/profiles/one/profile_path`", "`registries/r/q.json` does not exist"],
    ),
    (
        "unknown right",
        |s| set(&mut s.policy, "/handled/fs/0", json!("readfile")),
        &[POLICY, "`/handled/fs/0`", "found \"readfile\"", "did you mean `read_file`?"],
    ),
    (
        "right without ABI",
        |s| set(&mut s.policy, "/handled/fs", json!(["read_file", "truncate"])),
        &[POLICY, "`/abi`", "need ABI 3"],
    ),
    (
        "policy placeholder",
        |s| set(&mut s.policy, "/path_beneath/0/path", json!("${root}/${x}")),
        &[POLICY, "`/path_beneath/0/path`", "the placeholder `${x}` does not exist"],
    ),
    (
        "fraction",
        |s| set(&mut s.policy, "/abi", json!(1.5)),
        &[POLICY, "`/abi`", "found 1.5, where the type is integer"],
    ),
];

#[test]
fn every_bad_document_is_refused_with_file_place_and_remedy() {
    for (name, spoil, wanted) in CASES {
        let mut sample = Sample::new();
        sample.load().expect("the sample itself loads");
        spoil(&mut sample);
        let error = match sample.load() {
            Ok(_) => panic!("{name}: loaded"),
            Err(error) => told(&error),
        };
        for part in *wanted {
            assert!(error.contains(part), "{name}: `{part}` is not in: {error}");
        }
        // Lint says the same.
        let notes = super::super::lint::lint_plan_file(&sample.root().join("plans/p/plan.json"), None).unwrap();
        assert!(diagnostic::has_errors(&notes), "{name}: lint finds no error: {notes:?}");
    }
}

#[test]
fn all_faults_of_a_document_are_told_at_once() {
    let mut sample = Sample::new();
    add(&mut sample.plan, "", "zebra", json!(1));
    set(&mut sample.plan, "/lanes/oracle", json!(0));
    drop_key(&mut sample.plan, "", "registry_id");
    let LoadError::Refused { notes } = sample.load().unwrap_err() else { panic!("refused otherwise") };
    let kinds: Vec<DiagnosticKind> = notes.iter().map(|note| note.kind).collect();
    assert_eq!(kinds, [DiagnosticKind::MissingKey, DiagnosticKind::WrongType, DiagnosticKind::UnknownKey]);

    let mut sample = Sample::new();
    set(&mut sample.probes, "/probes/read_in/driver", json!("x"));
    set(&mut sample.probes, "/probes/write_out/target", json!("/etc/x"));
    set(&mut sample.profiles, "/profiles/two/probe_refs/0", json!("y"));
    let LoadError::Refused { notes } = sample.load().unwrap_err() else { panic!("refused otherwise") };
    assert_eq!(notes.len(), 3, "{notes:?}");
}

#[test]
fn a_document_that_is_wrong_everywhere_is_not_spelled_out_to_its_end() {
    let mut sample = Sample::new();
    sample.plan["profiles"] = json!(vec![1; 10_000]);
    let LoadError::Refused { notes } = sample.load().unwrap_err() else { panic!("refused otherwise") };
    assert_eq!(notes.len(), 501);
    assert!(notes.iter().any(|note| note.kind == DiagnosticKind::TooMany));
}

#[test]
fn text_that_is_no_acceptable_json_is_refused_with_its_line() {
    let sample = Sample::new();
    let plan = sample.write();
    let good = fs::read_to_string(&plan).unwrap();
    for (bytes, wanted) in [
        (good.replacen('{', "{\"plan_id\": \"x\",", 1).into_bytes(), "the key `plan_id` occurs twice in one object"),
        (good.as_bytes()[..good.len() - 1].to_vec(), "line"),
        (format!("{good}x").into_bytes(), "trailing characters"),
        (b"\xef\xbb\xbf{}".to_vec(), "byte order mark; save it as UTF-8 without one"),
        (
            [b"\xff\xfe".to_vec(), good.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat(),
            "UTF-16; save it as",
        ),
        (Vec::new(), "EOF"),
    ] {
        fs::write(&plan, bytes).unwrap();
        let text = told(&load(&plan, None, &Selection::default()).unwrap_err());
        assert!(
            text.contains("the plan `plans/p/plan.json` is not acceptable JSON") && text.contains(wanted),
            "{text}"
        );
    }
    fs::remove_file(&plan).unwrap();
    assert!(told(&load(&plan, None, &Selection::default()).unwrap_err()).contains("there is no such file"));
    fs::create_dir(&plan).unwrap();
    assert!(told(&load(&plan, None, &Selection::default()).unwrap_err()).contains("a folder without a `plan.json`"));
}
