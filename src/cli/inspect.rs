//! `inspect`

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::exit::{Exit, Failure, OrFail};
use super::key_values::KeyValues;
use super::schema;
use super::ui::Ui;
use crate::attest::attestation::Attestation;
use crate::attest::{SecretKey, VerifyingKey};
use crate::base::digest::Digest;
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::base::printable::{excerpt, path_text};
use crate::base::{fsx, json};
use crate::bundle::{self, reader};
use crate::record::inspection::{FileInspection, InspectionFact};
use crate::record::layout;
use crate::record::statement::{InTotoStatement, STATEMENT_TYPE};

/// Say what a file or folder is: a bundle, a packet, a declaration, an attestation, a key, a plan, any document of sandproof's.
///
/// Nothing is verified, and what a file says of itself is told as that. A document is held to the published schema of its
/// format. Exit 1 if it does not satisfy that schema, 3 if it is nothing that sandproof reads or writes.
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// The file or folder.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// What was found out.
struct InspectionOutcome {
    inspection: FileInspection,
    exit: Exit,
}

/// Says what it is.
pub(super) fn run(args: &InspectArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let seen = if args.path.is_dir() { folder(&args.path) } else { file(&args.path)? };
    if args.json {
        ui.answer("inspection", &seen.inspection);
    } else {
        let found = &seen.inspection;
        let mut sheet = KeyValues::default();
        sheet.line("what", &found.what);
        if let Some(schema) = &found.schema {
            sheet.line("schema", schema);
        }
        for fact in &found.facts {
            sheet.line(&fact.name, &fact.value);
        }
        sheet.list("wrong", found.schema_errors.iter().map(String::as_str));
        sheet.list("next", found.next.iter().map(String::as_str));
        ui.out(&sheet.render());
    }
    Ok(seen.exit)
}

/// Begins an answer.
fn seen(path: &Path, kind: &str, what: impl Into<String>) -> InspectionOutcome {
    let inspection = FileInspection {
        path: path_text(path),
        kind: kind.to_owned(),
        what: what.into(),
        schema: None,
        schema_errors: Vec::new(),
        facts: Vec::new(),
        next: Vec::new(),
    };
    InspectionOutcome { inspection, exit: Exit::Done }
}

impl InspectionOutcome {
    fn fact(mut self, name: &str, value: impl Into<String>) -> Self {
        self.inspection.facts.push(InspectionFact { name: name.to_owned(), value: value.into() });
        self
    }

    fn next(mut self, command: impl Into<String>) -> Self {
        self.inspection.next.push(command.into());
        self
    }

    fn unknown(mut self) -> Self {
        self.exit = Exit::InputRefused;
        self
    }
}

fn folder(path: &Path) -> InspectionOutcome {
    let shown = path.display();
    let has = |name: &str| path.join(name).exists();
    if has(layout::ARTIFACT_INDEX) || has(layout::RUN_STATUS) || has(layout::RUN_MANIFEST) {
        if bundle::reference::is_reference(path) {
            let what = "a bundle of the reference runtime, which holds too little to be verified";
            return seen(path, "reference_bundle", what).next(format!("sandproof validate-bundle --bundle {shown}"));
        }
        if !has(layout::ARTIFACT_INDEX) {
            let what = "a bundle that is not committed: its run goes on, or did not end well";
            return seen(path, "uncommitted_bundle", what).next(format!("sandproof validate-bundle --bundle {shown}"));
        }
        return seen(path, "bundle", "a bundle: the evidence of one run")
            .fact("run", member(path, layout::ARTIFACT_INDEX, "run_id"))
            .fact("identity", member(path, layout::ARTIFACT_INDEX, "identity"))
            .next(format!("sandproof verify {shown}"));
    }
    if has(layout::LATEST) {
        let latest = reader::resolve(path).ok();
        let leads = latest.map_or("nowhere".into(), |bundle| path_text(&bundle));
        return seen(path, "output_root", "an output root: a folder of bundles")
            .fact("LATEST", leads)
            .next(format!("sandproof verify {shown}"))
            .next(format!("sandproof attempts --out {shown}"));
    }
    if let Some(file) = bundle::sealed_folder::declaration_in(path) {
        let what = "a sealed declaration of another system, with what it was sealed from";
        return seen(path, "sealed_folder", what)
            .fact("kind", member(path, bundle::sealed_folder::SEALED_DECLARATION, "kind"))
            .fact("identity", member(path, bundle::sealed_folder::SEALED_DECLARATION, "identity"))
            .next(format!("sandproof identity verify --bundle {shown}"))
            .next(format!("sandproof verify {}", file.display()));
    }
    if has("plan.json") || has("sandbox.questions") {
        return seen(path, "plan_folder", "a plan, with what it needs")
            .next(format!("sandproof plan-lint --plan {shown}"));
    }
    if has("registries/index.json") {
        let what = "a workspace: registries, and plans around them";
        return seen(path, "workspace", what).next("sandproof inventory".to_owned());
    }
    seen(path, "other", "a folder that holds nothing of sandproof's at its top").unknown()
}

/// A text of a document in a folder, as it stands there.
fn member(folder: &Path, name: &str, key: &str) -> String {
    let bytes = fsx::read_input(&folder.join(name), MAX_INPUT_DOCUMENT_BYTES).unwrap_or_default();
    text(&json::parse(&bytes).unwrap_or_default(), key)
}

fn text(value: &Value, key: &str) -> String {
    match value.get(key) {
        Some(Value::String(text)) => excerpt(text, 200),
        Some(other) => excerpt(&other.to_string(), 200),
        None => "not said".to_owned(),
    }
}

fn file(path: &Path) -> Result<InspectionOutcome, Failure> {
    let bytes = fsx::read_input(path, MAX_INPUT_DOCUMENT_BYTES).or_fail(Exit::InputRefused)?;
    let sha256 = format!("{} ({} bytes)", Digest::of(&bytes), bytes.len());
    Ok(content(path, &bytes).fact("sha256", sha256))
}

fn content(path: &Path, bytes: &[u8]) -> InspectionOutcome {
    let shown = path.display();
    if bytes.get(257..262) == Some(b"ustar") {
        return seen(path, "archive", "a tar archive, such as `collect` makes")
            .next(format!("sandproof learn {shown}"));
    }
    let Ok(plain) = std::str::from_utf8(bytes) else {
        return seen(path, "other", "bytes that are no text, and nothing that sandproof writes").unknown();
    };
    let parsed = json::parse(bytes);
    let attestation = Attestation::parse(bytes);
    if let Ok(attestation) = &attestation {
        return signed(path, attestation);
    }
    if let Ok(value) = &parsed {
        return document(path, value);
    }
    if plain.contains("-----BEGIN ") || plain.starts_with("ssh-") || plain.starts_with("ecdsa-sha2-") {
        return key(path, plain);
    }
    let first = plain.lines().next().unwrap_or_default();
    if let Ok(row) = json::parse(first.as_bytes())
        && let Some(format) = row.get("schema_version").and_then(Value::as_str)
    {
        let lines = plain.lines().count();
        let what = format!("{lines} lines of JSON, the first of the format `{}`", excerpt(format, 80));
        return seen(path, "lines", what).fact("run", text(&row, "run_id"));
    }
    if plain.trim_start().starts_with('(') || plain.contains("(version 1)") {
        return seen(path, "seatbelt_text", "a text in the language of Seatbelt profiles, as it seems")
            .next(format!("sandproof policy lint {shown}"));
    }
    if path.extension().is_some_and(|extension| extension == "questions") {
        return seen(path, "questions", "a questions file").next(format!("sandproof run --plan {shown}"));
    }
    let why = parsed.err().map(|error| excerpt(&error.to_string(), 160)).unwrap_or_default();
    seen(path, "other", "nothing that sandproof reads or writes").fact("as JSON", why).unknown()
}

fn signed(path: &Path, attestation: &Attestation) -> InspectionOutcome {
    let shown = path.display();
    let words = attestation.format().words();
    let found = match attestation {
        Attestation::Statement(signed) => {
            let found = seen(path, attestation.format().as_str(), format!("{words}, with a signed statement"))
                .fact("states", excerpt(&signed.statement.predicate_type, 200))
                .fact("of", subjects(&signed.statement));
            signed.signatures.iter().fold(found, |found, one| {
                let hint =
                    if one.keyid.is_empty() { "a key without a hint".to_owned() } else { excerpt(&one.keyid, 80) };
                found.fact("key", hint)
            })
        }
        Attestation::Ssh(signature) => {
            let key = match signature.key() {
                Ok(key) => format!("{} {}", key.algorithm().as_str(), key.fingerprint()),
                Err(fault) => fault.to_string(),
            };
            seen(path, attestation.format().as_str(), format!("{words} over the bytes of a file"))
                .fact("namespace", excerpt(signature.namespace(), 80))
                .fact("key", key)
        }
    };
    found
        .fact("signature", "not judged here")
        .next(format!("sandproof verify WHAT-IT-IS-OF --attestation {shown} --key PUBLIC-KEY"))
}

fn subjects(statement: &InTotoStatement) -> String {
    let named = statement.subject.iter().take(10).map(|one| {
        let digest = one.digest.sha256.map_or("no sha256".to_owned(), |digest| format!("sha256:{digest}"));
        format!("{} {digest}", excerpt(one.name.as_deref().unwrap_or("unnamed"), 80))
    });
    named.collect::<Vec<_>>().join(", ")
}

fn key(path: &Path, plain: &str) -> InspectionOutcome {
    if let Ok(key) = VerifyingKey::from_text(plain) {
        return seen(path, "public_key", format!("a public key, {}", key.algorithm().as_str()))
            .fact("fingerprint", key.fingerprint())
            .fact("keyid", key.keyid().to_string());
    }
    match SecretKey::read(path) {
        Ok(key) => {
            let public = key.public();
            seen(
                path,
                "private_key",
                format!("a private key, {}, that nobody else may read", public.algorithm().as_str()),
            )
            .fact("fingerprint", public.fingerprint())
            .fact("keyid", public.keyid().to_string())
            .next(format!("sandproof attest WHAT --key {} --out FILE", path.display()))
        }
        Err(error) => seen(path, "key", format!("no key that can be used: {error}")).unknown(),
    }
}

fn document(path: &Path, value: &Value) -> InspectionOutcome {
    let shown = path.display();
    if value.get("_type").and_then(Value::as_str) == Some(STATEMENT_TYPE)
        && let Ok(statement) = json::from_value::<InTotoStatement>(value.clone())
    {
        return seen(path, "statement", "an in-toto Statement v1, which nobody has signed")
            .fact("states", excerpt(&statement.predicate_type, 200))
            .fact("of", subjects(&statement));
    }
    let Some(format) = value.get("schema_version").and_then(Value::as_str) else {
        return seen(path, "json", "a JSON document without a format that sandproof knows").unknown();
    };
    let Some((name, what, schema)) = schema_of(format, value) else {
        let what =
            format!("a JSON document of the format `{}`, which this sandproof does not know", excerpt(format, 80));
        return seen(path, "json", what).unknown();
    };
    let mut found = seen(path, name, what);
    found.inspection.schema = Some(name.to_owned());
    found.inspection.schema_errors = errors(schema, value);
    if !found.inspection.schema_errors.is_empty() {
        found.exit = Exit::Mismatch;
    }
    for key in ["run_id", "kind", "identity", "plan_id", "registry_id", "world_id"] {
        if value.get(key).is_some() {
            found = found.fact(key, text(value, key));
        }
    }
    match name {
        "promotion_packet" => {
            let promotable = value.pointer("/promotability/promotable_decision_stage").cloned().unwrap_or_default();
            found.fact("promotable", format!("{promotable}, by its own word")).next(format!("sandproof verify {shown}"))
        }
        "run_identity" | "system_identity" => found.next(format!("sandproof verify {shown}")),
        "artifact_index" => found.next(format!("sandproof verify {}", fsx::folder_of(path).display())),
        "system_declaration" | "system_declaration_v2" => {
            found.next(format!("sandproof identity declare --from {shown}"))
        }
        "plan" => found.next(format!("sandproof plan-lint --plan {shown}")),
        "landlock_policy" => found.next(format!("sandproof policy lint {shown}")),
        _ => found,
    }
}

/// The schema of a format. Two documents share the format of packets: of those that verify, and of those that do not.
fn schema_of(format: &str, value: &Value) -> Option<(&'static str, &'static str, &'static str)> {
    let fits = |text: &str| {
        let schema: Value = serde_json::from_str(text).unwrap_or_default();
        says(&schema, format)
    };
    let mut all: Vec<_> =
        schema::all().into_iter().filter(|(_, _, text)| text.contains(format) && fits(text)).collect();
    if all.len() > 1 {
        all.sort_by_key(|(_, _, text)| errors(text, value).len());
    }
    all.first().copied()
}

/// Whether `schema_version` of a schema, or of one of the shapes that it offers, is this.
fn says(schema: &Value, format: &str) -> bool {
    let named = |at: &Value| {
        let version = at.pointer("/properties/schema_version");
        let one = version.and_then(|version| version.get("const")).and_then(Value::as_str) == Some(format);
        let of = version.and_then(|version| version.get("enum")).and_then(Value::as_array);
        one || of.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(format)))
    };
    let shapes = ["oneOf", "anyOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
    named(schema) || shapes.into_iter().any(named)
}

fn errors(schema: &str, value: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(schema).expect("a published schema is JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("a published schema compiles");
    let shown = |error: jsonschema::ValidationError<'_>| {
        format!("at `{}`: {}", excerpt(error.instance_path().as_str(), 100), excerpt(&error.to_string(), 200))
    };
    validator.iter_errors(value).map(shown).take(10).collect()
}
