//! `identity export`: a declaration as a CycloneDX document. `scripts/check-cyclonedx` puts it to CycloneDX's own schema.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::{expect_code, output, sandproof, stderr};

fn sealed(document: &str, out: &Path) {
    expect_code(&output(sandproof().args(["identity", "declare", "--from", document, "--out"]).arg(out)), 0);
}

fn export(bundle: &Path) -> Output {
    output(sandproof().args(["identity", "export", "--bundle"]).arg(bundle))
}

fn bill(bundle: &Path) -> Value {
    let exported = export(bundle);
    expect_code(&exported, 0);
    serde_json::from_slice(&exported.stdout).unwrap()
}

#[test]
fn a_bill_of_materials_has_what_is_known_as_components_and_says_what_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("sealed");
    sealed("docs/examples/support-agent/run.json", &out);
    let declared: Value = serde_json::from_slice(&fs::read(out.join("identity.json")).unwrap()).unwrap();
    let bill = bill(&out);
    assert_eq!([&bill["bomFormat"], &bill["specVersion"]], ["CycloneDX", "1.6"]);
    let system = &bill["metadata"]["component"];
    assert_eq!([&system["name"], &system["version"]], [&json!("ai_run"), &declared["identity"]]);
    let components = bill["components"].as_array().unwrap();
    let of = |pointer: &str| components.iter().find(|one| one["bom-ref"] == pointer);
    let model = of("/artifact/model").unwrap();
    assert_eq!([&model["type"], &model["version"]], ["machine-learning-model", "example-large-2026-09-30"]);
    assert!(model.get("hashes").is_none(), "nobody knows the weights: {model}");
    assert!(
        of("/artifact/code").is_none() && of("/artifact/model/tokenizer").is_none(),
        "what is unknown is no component"
    );
    let system_text = of("/artifact/system_instructions").unwrap();
    let digest = declared["artifact"]["system_instructions"]["digest"].as_str().unwrap();
    assert_eq!(system_text["hashes"], json!([{"alg": "SHA-256", "content": digest.strip_prefix("sha256:").unwrap()}]));
    // The digest of a folder is that of no bytes.
    let tools = of("/artifact/tools/definitions").unwrap();
    assert!(tools.get("hashes").is_none() && tools["properties"][0]["name"] == "sandproof:folder", "{tools}");
    let properties = system["properties"].as_array().unwrap();
    let said =
        |name: &str| properties.iter().find(|one| one["name"] == format!("sandproof:{name}")).map(|one| &one["value"]);
    assert_eq!(said("/artifact/model/weights"), Some(&json!("unknown")));
    assert_eq!(said("/runtime/clock"), Some(&json!("none")));
    assert_eq!(said("/artifact/parameters/temperature"), Some(&json!("0.2")));
    assert_eq!(said("completeness"), Some(&json!("partial")));
    assert_eq!(export(&out).stdout, export(&out.join("identity.json")).stdout);
    let other = dir.path().join("other");
    sealed("docs/examples/support-agent/deployment.json", &other);
    assert_ne!(self::bill(&other)["serialNumber"], bill["serialNumber"]);
}

#[test]
fn a_declaration_that_does_not_hold_is_not_exported() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("sealed");
    sealed("docs/examples/support-agent/run.json", &out);
    let text = fs::read_to_string(out.join("identity.json")).unwrap();
    let edited = dir.path().join("edited.json");
    fs::write(&edited, text.replacen("\"0.2\"", "\"0.3\"", 1)).unwrap();
    let refused = export(&edited);
    expect_code(&refused, 4);
    assert!(stderr(&refused).contains("does not hold"), "{}", stderr(&refused));
    let run = output(sandproof().args(["identity", "declare", "--json", "--plan", "plans/quickstart"]));
    expect_code(&run, 0);
    let run_path = dir.path().join("run_identity.json");
    fs::write(&run_path, run.stdout).unwrap();
    let refused = export(&run_path);
    expect_code(&refused, 2);
}
