use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::vfs::{PathPolicy, PathRole, pair_decisions};
use super::*;
use crate::plan::DiagnosticKind;
use crate::plan::LoadError;
use crate::plan::file::{PLAN_SCHEMA, PROBES_SCHEMA, PROFILES_SCHEMA, ProbesFile, ProfilesFile};
use crate::record::outcome::Decision::{self, Allow, Deny};

const ALLOW_ALL: &[u8] = b"(version 1)\n(allow default)\n";

fn with_policies(_: &str) -> Option<Vec<u8>> {
    Some(ALLOW_ALL.to_vec())
}

fn read(value: &Value) -> Result<Template, LoadError> {
    Template::read(value.to_string().as_bytes(), "templates/t.json", None)
}

fn built(value: &Value) -> FileSet {
    read(value).unwrap().build(&with_policies).unwrap()
}

fn refusal(value: &Value) -> String {
    match read(value).and_then(|template| template.build(&with_policies)) {
        Ok(_) => panic!("it was built"),
        Err(error) => error.to_string(),
    }
}

fn document<T: serde::de::DeserializeOwned>(set: &FileSet, path: &str) -> T {
    let bytes = set.files().find(|(known, _)| *known == path).unwrap().1;
    serde_json::from_slice(bytes).unwrap()
}

/// (probe id, target, expectation) in the order of a profile.
fn rows(set: &FileSet, profile: &str) -> Vec<(String, String, Decision)> {
    let probes: ProbesFile = document(set, "registry/probes.json");
    let profiles: ProfilesFile = document(set, "registry/profiles.json");
    let profile = profiles.profiles.values().find(|entry| entry.profile_id.as_str() == profile).unwrap();
    let probe = |id| &probes.probes[id];
    let rows = profile.probe_refs.iter().map(probe);
    rows.map(|probe| (probe.probe_id.to_string(), probe.target.to_string(), probe.expected.decision().unwrap()))
        .collect()
}

fn vfs_document() -> Value {
    json!({
        "schema_version": TEMPLATE_SCHEMA, "template_id": "vfs-canonicalization", "description": "d",
        "registry_id": "vfs-canonicalization", "plan_id": "vfs-canonicalization.v1",
        "apply_preflight_profile": "sb/allow.sb", "family": "vfs", "semantic_group": "vfs:x",
        "lanes": {"baseline": true, "scenario": true, "oracle": true}, "controls": {"baseline": true},
        "path_sets": {
            "pairs": [["/tmp/a", "/private/tmp/a"], ["/var/tmp/b", "/private/var/tmp/b"]],
            "asked": ["/etc/hosts", "/private/etc/hosts"]
        },
        "profile_order": ["second", "first", "listed"],
        "profiles": {
            "first": {"sbpl": "sb/first.sb", "ops": ["file-read*", "file-write*"], "role": "first_only",
                "policy": "canonicalized_with_var_tmp_exception", "variant": "tmp", "path_pairs": "pairs"},
            "second": {"sbpl": "sb/second.sb", "ops": ["file-read*"], "role": "second_only",
                "policy": "canonicalized_with_var_tmp_exception", "path_pairs": "pairs"},
            "listed": {"sbpl": "sb/listed.sb", "ops": ["file-read-metadata"], "policy": "literal", "notes": "own",
                "request_paths": "asked", "allowed_paths": "/etc/hosts", "family": "other",
                "key_specific_rules": ["(allow signal)"],
                "extra_manual_probes_position": "prepend",
                "extra_manual_probes": [{"name": "by_hand", "operation": "file-read*", "target": "/x", "expected": "deny",
                    "driver": "metadata_runner", "syscall": "lstat"}]}
        }
    })
}

fn metadata_document() -> Value {
    let profile = |sets: &[&str]| json!({"sbpl": "sb/x.sb", "allowed_sets": sets});
    let mut profiles = json!({});
    let sets: [&[&str]; 9] = [
        &[],
        &["canonical"],
        &["canonical"],
        &[],
        &["canonical"],
        &["canonical", "alias_tmp"],
        &["alias"],
        &["alias_var"],
        &["all"],
    ];
    for (n, sets) in sets.into_iter().enumerate() {
        profiles[format!("p{n}")] = profile(sets);
    }
    json!({
        "schema_version": TEMPLATE_SCHEMA, "template_id": "metadata-runner",
        "path_pairs": [["/tmp/a", "/private/tmp/a"], ["/tmp/b", "/private/tmp/b"], ["/tmp/c", "/private/tmp/c"],
            ["/var/tmp/d", "/private/var/tmp/d"]],
        "ops": {
            "file-read-metadata": {"syscalls": ["lstat", "getattrlist", "setattrlist", "fstat"],
                "attr_payloads": ["cmn", "cmn-name", "cmn-times", "file-size"],
                "attr_payload_syscalls": ["getattrlist", "setattrlist"]},
            "file-write*": {"syscalls": ["chmod", "utimes", "fchmod", "futimes", "lchown", "fchown", "fchownat", "lutimes"]}
        },
        "profiles": profiles
    })
}

fn static_document() -> Value {
    json!({
        "schema_version": TEMPLATE_SCHEMA, "template_id": "spelled", "registry_id": "r",
        "plan": {"schema_version": PLAN_SCHEMA, "plan_id": "r.v7", "registry_id": "r", "profiles": ["a:b"], "lanes": {"oracle": false}},
        "probes": {"schema_version": PROBES_SCHEMA, "registry_id": "r", "world_id": "w", "probes": {"one": {
            "probe_id": "one", "name": "one", "operation": "file-read*", "target": "/etc/hosts", "expected": "allow",
            "supports_lanes": {"baseline": true, "scenario": true, "oracle": true}, "expected_primary_ops": ["file-read*"],
            "expected_predicates": [], "capabilities_required": [], "controls_supported": [], "driver": null}}},
        "profiles": {"schema_version": PROFILES_SCHEMA, "registry_id": "r", "world_id": "w", "profiles": {"a:b": {
            "profile_id": "a:b", "profile_path": "/System/Library/Sandbox/Profiles/bsd.sb", "mode": "sbpl",
            "probe_refs": ["one"], "family": null, "semantic_group": null, "key_specific_rules": [], "notes": null}}}
    })
}

#[test]
fn the_table_of_pairs_is_the_contracts() {
    use PathPolicy::{Canonicalized, CanonicalizedWithVarTmpException as Exception, Literal};
    use PathRole::{Both, FirstOnly, SecondOnly};
    for (policy, role, alternate, wanted) in [
        (Canonicalized, FirstOnly, "/private/tmp/x", (Deny, Deny)),
        (Canonicalized, SecondOnly, "/private/var/x", (Allow, Allow)),
        (Canonicalized, Both, "/private/var/x", (Allow, Allow)),
        (Exception, FirstOnly, "/private/var/x", (Deny, Deny)),
        (Exception, SecondOnly, "/private/var/x", (Deny, Allow)),
        (Exception, Both, "/private/var/x", (Deny, Allow)),
        (Exception, FirstOnly, "/private/tmp/x", (Deny, Deny)),
        (Exception, SecondOnly, "/private/variant", (Allow, Allow)),
        (Exception, Both, "/private/tmp/x", (Allow, Allow)),
        (Literal, FirstOnly, "/private/var/x", (Allow, Deny)),
        (Literal, SecondOnly, "/private/var/x", (Deny, Allow)),
        (Literal, Both, "/private/var/x", (Allow, Allow)),
    ] {
        assert_eq!(pair_decisions(policy, role, alternate), wanted, "{policy:?} {role:?} {alternate}");
    }
}

#[test]
fn a_vfs_document_of_the_reference_builds() {
    let set = built(&vfs_document());
    let row = |id: &str, target: &str, expected| (id.to_owned(), target.to_owned(), expected);
    assert_eq!(
        rows(&set, "first"),
        [
            row("first:read_/tmp/a", "/tmp/a", Deny),
            row("first:read_/private/tmp/a", "/private/tmp/a", Deny),
            row("first:write_/tmp/a", "/tmp/a", Deny),
            row("first:write_/private/tmp/a", "/private/tmp/a", Deny),
            row("first:read_/var/tmp/b", "/var/tmp/b", Deny),
            row("first:read_/private/var/tmp/b", "/private/var/tmp/b", Deny),
            row("first:write_/var/tmp/b", "/var/tmp/b", Deny),
            row("first:write_/private/var/tmp/b", "/private/var/tmp/b", Deny),
        ]
    );
    assert_eq!(
        rows(&set, "second"),
        [
            row("second:read_/tmp/a", "/tmp/a", Allow),
            row("second:read_/private/tmp/a", "/private/tmp/a", Allow),
            row("second:read_/var/tmp/b", "/var/tmp/b", Deny),
            row("second:read_/private/var/tmp/b", "/private/var/tmp/b", Allow),
        ]
    );
    assert_eq!(
        rows(&set, "listed"),
        [
            row("listed:by_hand", "/x", Deny),
            row("listed:file-read-metadata_/etc/hosts", "/etc/hosts", Allow),
            row("listed:file-read-metadata_/private/etc/hosts", "/private/etc/hosts", Deny),
        ]
    );
    let plan: Value = document(&set, "plan.json");
    assert_eq!(plan["profiles"], json!(["second", "first", "listed"]));
    assert_eq!(
        (&plan["plan_id"], &plan["world_id"]),
        (&json!("vfs-canonicalization.v1"), &json!(crate::record::world::HOME_WORLD))
    );
    assert_eq!(plan["apply_preflight_profile"], "sb/allow.sb");
    let profiles: Value = document(&set, "registry/profiles.json");
    let listed = &profiles["profiles"]["listed"];
    assert_eq!(
        (&listed["family"], &listed["semantic_group"], &listed["notes"]),
        (&json!("other"), &json!("vfs:x"), &json!("own"))
    );
    assert_eq!((&listed["mode"], &listed["profile_path"]), (&json!("sbpl"), &json!("sb/listed.sb")));
    let probes: Value = document(&set, "registry/probes.json");
    let probe = &probes["probes"]["listed:by_hand"];
    assert_eq!(
        (&probe["driver"], &probe["syscall"], &probe["name"]),
        (&json!("metadata_runner"), &json!("lstat"), &json!("by_hand"))
    );
    assert_eq!(probe["controls_supported"], json!(["baseline", "allow_default", "deny_default"]));
    assert_eq!(
        set.files().map(|(path, _)| path).collect::<Vec<_>>(),
        [
            "plan.json",
            "registry/index.json",
            "registry/probes.json",
            "registry/profiles.json",
            "sb/allow.sb",
            "sb/first.sb",
            "sb/listed.sb",
            "sb/second.sb"
        ]
    );
}

#[test]
fn manual_generation_is_the_whole_list() {
    let mut document = vfs_document();
    document["profiles"]["second"]["probe_generation"] = json!("manual");
    assert!(refusal(&document).contains("`/profiles/second/manual_probes`"), "{}", refusal(&document));
    document["profiles"]["second"]["manual_probes"] =
        json!([{"name": "n", "operation": "file-read*", "target": "/x", "expected": "allow"}]);
    assert_eq!(rows(&built(&document), "second"), [("second:n".to_owned(), "/x".to_owned(), Allow)]);
}

#[test]
fn one_probe_twice_is_one_unless_the_expectations_differ() {
    let mut document = vfs_document();
    document["path_sets"]["asked"] = json!(["/etc/hosts", "/etc/hosts"]);
    assert_eq!(rows(&built(&document), "listed").len(), 2);
    document["path_sets"]["pairs"] = json!([["/tmp/a", "/private/tmp/a"], ["/tmp/a", "/private/var/a"]]);
    assert!(refusal(&document).contains("expected to be both allowed and denied"), "{}", refusal(&document));
}

#[test]
fn a_metadata_document_of_the_reference_builds() {
    let set = built(&metadata_document());
    assert_eq!(set.built_from().rows, 9 * 8 * 18);
    let all: Vec<_> = (0..9).map(|n| rows(&set, &format!("p{n}"))).collect();
    assert!(all.iter().all(|rows| rows.len() == 144));
    assert_eq!(all[0][0].0, "p0:readmeta_lstat_/tmp/a");
    assert_eq!(all[0][1].0, "p0:readmeta_getattrlist_cmn_/tmp/a");
    assert_eq!(all[0][4].0, "p0:readmeta_getattrlist_file-size_/tmp/a");
    assert_eq!(all[0][9].0, "p0:readmeta_fstat_/tmp/a");
    assert_eq!(all[0][10].0, "p0:readmeta_lstat_/private/tmp/a");
    assert_eq!(all[0][80].0, "p0:writemeta_chmod_/tmp/a");
    let allowed =
        |n: usize| -> BTreeSet<&str> { all[n].iter().filter(|row| row.2 == Allow).map(|row| row.1.as_str()).collect() };
    let canonical = ["/private/tmp/a", "/private/tmp/b", "/private/tmp/c", "/private/var/tmp/d"];
    assert!(allowed(0).is_empty());
    assert_eq!(allowed(1), canonical.into());
    assert_eq!(allowed(5).len(), 7);
    assert_eq!(allowed(6), ["/tmp/a", "/tmp/b", "/tmp/c", "/var/tmp/d"].into());
    assert_eq!(allowed(7), ["/var/tmp/d"].into());
    assert_eq!(allowed(8).len(), 8);
    let probes: ProbesFile = document(&set, "registry/probes.json");
    let probe =
        probes.probes.values().find(|probe| probe.name() == "readmeta_setattrlist_cmn-times_/var/tmp/d").unwrap();
    assert_eq!(probe.driver.as_deref(), Some("metadata_runner"));
    assert_eq!((probe.syscall.as_deref(), probe.attr_payload.as_deref()), (Some("setattrlist"), Some("cmn-times")));
    assert!(!probe.supports_lanes["oracle"]);
    let plan: Value = document(&set, "plan.json");
    assert_eq!((&plan["plan_id"], &plan["registry_id"]), (&json!("metadata-runner.v1"), &json!("metadata-runner")));
    let mut unknown = metadata_document();
    unknown["profiles"]["p1"]["allowed_sets"] = json!(["cannonical"]);
    assert!(refusal(&unknown).contains("did you mean `canonical`?"), "{}", refusal(&unknown));
}

#[test]
fn a_static_document_is_written_as_it_stands() {
    let spelled = static_document();
    let text = serde_json::to_string_pretty(&spelled).unwrap();
    let set = Template::read(text.as_bytes(), "t.json", None).unwrap().build(&|_| None).unwrap();
    for (path, key) in
        [("plan.json", "plan"), ("registry/probes.json", "probes"), ("registry/profiles.json", "profiles")]
    {
        let bytes = set.files().find(|(known, _)| *known == path).unwrap().1;
        assert_eq!(
            String::from_utf8_lossy(bytes),
            format!("{}\n", serde_json::to_string_pretty(&spelled[key]).unwrap())
        );
    }
    let host = &set.built_from().host_policies;
    assert_eq!(
        (host.len(), host[0].path.as_str(), host[0].sha256),
        (1, "/System/Library/Sandbox/Profiles/bsd.sb", None)
    );
    let one_line = Template::read(spelled.to_string().as_bytes(), "t.json", None).unwrap();
    let compact: Value = document(&one_line.build(&|_| None).unwrap(), "plan.json");
    assert_eq!(compact, spelled["plan"]);
}

#[test]
fn what_a_static_document_says_of_itself_has_to_agree() {
    let mut other = static_document();
    other["profiles"]["registry_id"] = json!("s");
    assert!(refusal(&other).contains("`/profiles/registry_id`"), "{}", refusal(&other));
    let mut wrong = static_document();
    wrong["probes"]["probes"]["one"]["expcted"] = json!("allow");
    let text = refusal(&wrong);
    assert!(text.contains("`/probes/probes/one/expcted`") && text.contains("did you mean `expected`?"), "{text}");
    let mut format = static_document();
    format["plan"]["schema_version"] = json!("runtime-tools.plan.v9");
    assert!(refusal(&format).contains("`/plan/schema_version`"), "{}", refusal(&format));
    let mut taken = static_document();
    taken["registry_id"] = Value::Null;
    assert!(refusal(&taken).contains("`/registry_id`"));
    taken.as_object_mut().unwrap().remove("registry_id");
    assert_eq!(built(&taken).built_from().plan_id, "r.v7");
}

#[test]
fn the_builder_is_chosen_by_the_contracts_rule() {
    let of = |value: &Value| read(value).map(|template| template.builder());
    assert_eq!(of(&static_document()).unwrap(), Builder::Static);
    let mut named_like_vfs = static_document();
    named_like_vfs["template_id"] = json!("vfs-canonicalization");
    assert_eq!(of(&named_like_vfs).unwrap(), Builder::Static, "spelled out comes first");
    assert_eq!(of(&vfs_document()).unwrap(), Builder::Vfs);
    assert_eq!(of(&metadata_document()).unwrap(), Builder::Metadata);
    let mut other = vfs_document();
    other["template_id"] = json!("another");
    assert!(of(&other).unwrap_err().to_string().contains("no builder is for the template `another`"));
    other["builder"] = json!("vfs");
    assert_eq!(of(&other).unwrap(), Builder::Vfs);
    other["builder"] = json!("vsf");
    assert!(of(&other).unwrap_err().to_string().contains("`/builder`"));
    // Without an id the name of the file is one.
    let mut nameless = vfs_document();
    nameless.as_object_mut().unwrap().remove("template_id");
    let bytes = nameless.to_string();
    let template = Template::read(bytes.as_bytes(), "x/vfs_canonicalization.json", None).unwrap();
    assert_eq!((template.id(), template.builder()), ("vfs-canonicalization", Builder::Vfs));
    let asked = Template::read(vfs_document().to_string().as_bytes(), "t.json", Some("other")).unwrap_err().to_string();
    assert!(asked.contains("`/template_id`") && asked.contains("was asked for as `other`"), "{asked}");
}

#[test]
fn unknown_keys_are_refused_where_they_stand() {
    let mut top = vfs_document();
    top["path_setts"] = json!({});
    assert!(refusal(&top).contains("did you mean `path_sets`?"), "{}", refusal(&top));
    let mut foreign = vfs_document();
    foreign["path_pairs"] = json!([]);
    assert!(refusal(&foreign).contains("`/path_pairs`"), "a key of another builder");
    let mut profile = metadata_document();
    profile["profiles"]["p0"]["allowed_set"] = json!([]);
    let text = refusal(&profile);
    assert!(text.contains("`/profiles/p0/allowed_set`") && text.contains("did you mean `allowed_sets`?"), "{text}");
    let mut type_of = vfs_document();
    type_of["profiles"]["first"]["role"] = json!("frist_only");
    assert!(refusal(&type_of).contains("unknown variant `frist_only`"), "{}", refusal(&type_of));
    for bytes in [&b"{"[..], b"[]", b"{}", b"{\"schema_version\": \"x\"}", b"\xff"] {
        assert!(Template::read(bytes, "t.json", None).is_err());
    }
}

#[test]
fn policies_stay_inside_the_folder_and_out_of_the_documents_way() {
    for (path, wanted) in [
        ("../x.sb", "leaves the root"),
        ("plan.json", "would take the place of another file"),
        ("registry/x.sb", "would take the place of another file"),
        ("out/x.sb", "would take the place of another file"),
        ("sb/first.sb/x.sb", "both a file and a folder"),
    ] {
        let mut document = vfs_document();
        document["profiles"]["second"]["sbpl"] = json!(path);
        assert!(refusal(&document).contains(wanted), "{path}: {}", refusal(&document));
    }
    let mut carrying = vfs_document();
    carrying["policies"] = json!({"sb/./first.sb": ["(version 1)", "(deny default)"]});
    let set = built(&carrying);
    let text = |path: &str| set.files().find(|(known, _)| *known == path).unwrap().1.to_vec();
    assert_eq!(text("sb/first.sb"), b"(version 1)\n(deny default)\n");
    assert_eq!(text("sb/second.sb"), ALLOW_ALL);
    carrying["policies"]["sb/nobody.sb"] = json!([]);
    assert!(refusal(&carrying).contains("`sb/nobody.sb` is used by no profile"), "{}", refusal(&carrying));
    let without = read(&vfs_document()).unwrap().build(&|_| None).unwrap();
    assert_eq!(without.built_from().missing_policies.len(), 4);
    assert!(without.lint().iter().any(|note| note.message.contains("`sb/first.sb` does not exist")));
}

#[test]
fn every_carried_template_builds_and_lints_without_a_finding() {
    let listed = list();
    assert!(listed.windows(2).all(|pair| pair[0].template_id < pair[1].template_id), "ids are unique and sorted");
    for listing in &listed {
        assert!(!listing.description.is_empty(), "{} says nothing of itself", listing.template_id);
        let set = by_id(&listing.template_id).unwrap().build(&carried_policy).unwrap();
        assert!(set.built_from().rows > 0);
        assert_eq!(set.built_from().missing_policies, Vec::<String>::new(), "{}", listing.template_id);
        let mut notes = set.lint();
        if listing.template_id == "sonoma-lifecycle-lockdown" {
            // That its gated profiles cannot be applied is what this plan is about.
            notes.retain(|note| note.kind != DiagnosticKind::ApplyGate);
        }
        assert!(notes.is_empty(), "{}: {notes:#?}", listing.template_id);
        let plan = set.resolve().unwrap();
        assert_eq!(plan.row_count(), set.built_from().rows);
    }
    let error = by_id("quikstart").unwrap_err().to_string();
    assert!(error.contains("did you mean `quickstart`?"), "{error}");
}

#[test]
fn nothing_of_the_folders_is_forgotten() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| format!("{folder}/{}", name.into_string().unwrap())).collect()
    };
    let listed: BTreeSet<String> = list().into_iter().map(|listing| listing.path).collect();
    let wanted: BTreeSet<String> = names("templates")
        .into_iter()
        .chain(names("plans").into_iter().map(|plan| format!("{plan}/plan.json")))
        .collect();
    assert_eq!(listed, wanted);
}

#[test]
fn the_lists_of_a_linux_template_are_checked() {
    let shipped = || -> Value {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/linux-path-matrix.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    let mut asked = shipped();
    asked["profiles"]["matrix:one_file"]["allowed"]["read"] = json!(["insied"]);
    let text = refusal(&asked);
    assert!(
        text.contains("`/profiles/matrix:one_file/allowed/read/0`") && text.contains("did you mean `inside`?"),
        "{text}"
    );
    let mut verb = shipped();
    verb["profiles"]["matrix:one_file"]["operations"] = json!(["raed"]);
    assert!(refusal(&verb).contains("did you mean `read`?"), "{}", refusal(&verb));
    let mut driver = shipped();
    driver["operations"]["read"]["driver"] = json!("file_raed");
    assert!(refusal(&driver).contains("did you mean `file_read`?"), "{}", refusal(&driver));
    // An author who is wrong about the policy is told so by the lint of what was built.
    let mut wrong = shipped();
    wrong["profiles"]["matrix:one_file"]["allowed"]["read"] = json!(["inside", "dotdot_in", "link_in", "sibling"]);
    let notes = built(&wrong).lint();
    assert_eq!(notes.len(), 1, "{notes:#?}");
    assert_eq!(notes[0].subject, "matrix:one_file:read_sibling");
}
