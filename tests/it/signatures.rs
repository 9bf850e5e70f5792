//! Statements, signatures, and `verify`: what verifies may be vouched for, and a signature counts only together with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    copy_folder, expect_code, expect_shape, json_answer, output, root, sandproof, shaped, stderr, stdout,
};

/// A bundle, its packet, a declaration, and keys, in a folder of their own.
struct Desk {
    dir: TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { dir: tempfile::tempdir().unwrap() };
        desk.bundle("out", "sound");
        desk.emit("out", "out/packet.json");
        let declared = output(sandproof().args([
            "identity",
            "declare",
            "--json",
            "--from",
            "docs/examples/support-agent/run.json",
        ]));
        expect_code(&declared, 0);
        fs::write(desk.at("declaration.json"), &declared.stdout).unwrap();
        for entry in fs::read_dir(root().join("tests/keys")).unwrap() {
            let from = entry.unwrap().path();
            let to = desk.at(from.file_name().unwrap().to_str().unwrap());
            fs::copy(&from, &to).unwrap();
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        }
        desk
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Copies a golden bundle, under its run's own name.
    fn bundle(&self, name: &str, golden: &str) {
        let from = root().join("tests/golden/out").join(golden);
        copy_folder(&from, &self.at(name).join(golden));
        fs::write(self.at(name).join("LATEST"), golden).unwrap();
    }

    fn emit(&self, bundle: &str, packet: &str) {
        let emitted = output(
            sandproof().args(["emit-promotion", "--bundle"]).arg(self.at(bundle)).arg("--out").arg(self.at(packet)),
        );
        expect_code(&emitted, 0);
    }

    /// Runs a command with files of the desk: words that begin with `@` are names in it.
    fn run(&self, words: &[&str]) -> Output {
        output(&mut self.command(words))
    }

    fn command(&self, words: &[&str]) -> std::process::Command {
        let mut command = sandproof();
        for word in words {
            match word.strip_prefix('@') {
                Some(name) => command.arg(self.at(name)),
                None => command.arg(word),
            };
        }
        command
    }

    /// Signs, and expects that it can be done.
    #[track_caller]
    fn attest(&self, content: &str, key: &str, format: &str, out: &str) {
        let signed = self.run(&[
            "attest",
            &format!("@{content}"),
            "--key",
            &format!("@{key}"),
            "--format",
            format,
            "--out",
            &format!("@{out}"),
        ]);
        expect_code(&signed, 0);
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.at(name)).unwrap()).unwrap()
    }

    fn write(&self, name: &str, value: &Value) {
        fs::write(self.at(name), serde_json::to_vec(value).unwrap()).unwrap();
    }

    /// `verify --json` of an attestation with a key.
    #[track_caller]
    fn judged(&self, content: &str, attestation: &str, key: &str, code: i32) -> Value {
        let content = format!("@{content}");
        let (attestation, key) = (format!("@{attestation}"), format!("@{key}"));
        json_answer(
            &mut self.command(&["verify", &content, "--attestation", &attestation, "--key", &key, "--json"]),
            "verification_report",
            code,
        )
    }
}

fn problems(answer: &Value) -> Vec<&str> {
    let problems = answer["attestation"]["problems"].as_array().expect("an attestation was judged");
    problems.iter().map(|one| one["code"].as_str().unwrap()).collect()
}

fn payload(envelope: &Value) -> Value {
    let envelope = envelope.get("dsseEnvelope").unwrap_or(envelope);
    serde_json::from_slice(&decode(envelope["payload"].as_str().unwrap())).unwrap()
}

/// Base64 in the plain alphabet, with padding.
fn decode(text: &str) -> Vec<u8> {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let value = |n: usize| group.get(n).map_or(0, |c| digits.iter().position(|d| d == c).unwrap() as u32);
        let all = value(0) << 18 | value(1) << 12 | value(2) << 6 | value(3);
        bytes.extend_from_slice(&all.to_be_bytes()[1..group.len()]);
    }
    bytes
}

const CONTENTS: [(&str, &str); 3] =
    [("out", "bundle"), ("out/packet.json", "packet"), ("declaration.json", "declaration")];

#[test]
fn a_statement_is_of_exact_bytes_and_the_same_each_time() {
    let desk = Desk::new();
    for (content, kind) in CONTENTS {
        let printed = desk.run(&["statement", &format!("@{content}")]);
        expect_code(&printed, 0);
        let said = shaped("statement", &printed.stdout);
        assert_eq!(said["predicateType"], format!("urn:sandproof:predicate:{kind}:v1"));
        let file = match kind {
            "bundle" => desk.at("out/sound/artifact_index.json"),
            _ => desk.at(content),
        };
        let digest = sandproof_digest(&file);
        assert_eq!(said["subject"][0]["digest"]["sha256"], digest, "{content}");
        assert_eq!(desk.run(&["statement", &format!("@{content}")]).stdout, printed.stdout, "{content}");
        // A bundle's own folder stands for the output root, and its index for both.
        if kind == "bundle" {
            for other in ["@out/sound", "@out/sound/artifact_index.json"] {
                assert_eq!(desk.run(&["statement", other]).stdout, printed.stdout, "{other}");
            }
        }
    }
}

fn sandproof_digest(file: &Path) -> String {
    sandproof::api::ids::Digest::of(&fs::read(file).unwrap()).to_string()
}

#[test]
fn what_does_not_verify_gets_no_statement_and_no_signature() {
    let desk = Desk::new();
    let mut packet = desk.json("out/packet.json");
    packet["promotability"]["promotable_decision_stage"] = true.into();
    packet["promotability"]["reasons"] = json!([]);
    desk.write("out/packet.json", &packet);
    let mut declared = desk.json("declaration.json");
    declared["artifact"]["tools"] = json!({ "value": "others" });
    desk.write("declaration.json", &declared);
    let rows = desk.at("out/sound/rows/scenario.jsonl");
    let edited = fs::read_to_string(&rows).unwrap().replacen("exited", "exitee", 1);
    fs::write(&rows, edited).unwrap();
    for (content, _) in CONTENTS {
        for words in [&["statement"][..], &["attest", "--key", "@p256.pem"], &["verify"]] {
            let refused = desk.run(&[words, &[&format!("@{content}")]].concat());
            expect_code(&refused, 4);
            if words != ["verify"] {
                assert_eq!(stdout(&refused), "", "{content} {words:?}");
            }
        }
    }
    // What describes a system and is not sealed is nothing to sign either.
    fs::copy(root().join("docs/examples/support-agent/run.json"), desk.at("unsealed.json")).unwrap();
    let refused = desk.run(&["statement", "@unsealed.json"]);
    expect_code(&refused, 4);
    assert!(stderr(&refused).contains("identity declare"), "{}", stderr(&refused));
    expect_code(&desk.run(&["statement", "@p256.pem"]), 3);
}

#[test]
fn a_verification_summary_is_made_of_promotable_packets_alone() {
    let desk = Desk::new();
    let refused = desk.run(&["statement", "@out/packet.json", "--format", "vsa"]);
    expect_code(&refused, 5);
    assert!(stderr(&refused).contains("not_clean_channel"), "{}", stderr(&refused));
    assert_eq!(stdout(&refused), "");
    expect_code(&desk.run(&["attest", "@out/packet.json", "--key", "@p256.pem", "--statement", "vsa"]), 5);
    expect_code(&desk.run(&["statement", "@out", "--format", "vsa"]), 2);
}

#[test]
fn every_form_and_key_signs_and_verifies() {
    let desk = Desk::new();
    let keys = [
        ("p256.pem", "p256.pub.pem"),
        ("p256-sec1.pem", "p256-sec1.pub.pem"),
        ("ed25519.pem", "ed25519.pub.pem"),
        ("ssh-ed25519", "ssh-ed25519.pub"),
        ("ssh-p256", "ssh-p256.pub"),
    ];
    for (n, (secret, public)) in keys.into_iter().enumerate() {
        let (content, kind) = CONTENTS[n % CONTENTS.len()];
        for format in ["dsse", "sigstore", "sshsig"] {
            desk.attest(content, secret, format, "signed");
            if format != "sshsig" {
                expect_shape("attestation", &desk.json("signed"));
            }
            let answer = desk.judged(content, "signed", public, 0);
            assert_eq!(
                (&answer["ok"], &answer["trust"], &answer["kind"]),
                (&true.into(), &"authenticated".into(), &kind.into()),
                "{secret} {format}"
            );
            assert_eq!(answer["attestation"]["format"], format);
            assert_eq!(answer["attestation"]["signers"].as_array().unwrap().len(), 1);
            // The same key signs the same twice.
            let first = fs::read(desk.at("signed")).unwrap();
            desk.attest(content, secret, format, "signed");
            assert_eq!(fs::read(desk.at("signed")).unwrap(), first, "{secret} {format}");
            // Another's key did not.
            let (_, other) = keys[(n + 1) % keys.len()];
            let answer = desk.judged(content, "signed", other, 5);
            assert_eq!(problems(&answer), ["nobody_trusted"], "{secret} {format}");
            assert_eq!(answer["trust"], "consistent_not_authenticated");
        }
    }
}

#[test]
fn a_signature_counts_only_for_the_content_that_it_is_of() {
    let desk = Desk::new();
    desk.bundle("other", "mixed");
    desk.emit("other", "other/packet.json");
    for (content, other) in [("out/packet.json", "other/packet.json"), ("out", "other")] {
        for format in ["dsse", "sigstore", "sshsig"] {
            desk.attest(other, "p256.pem", format, "replayed");
            let answer = desk.judged(content, "replayed", "p256.pub.pem", 5);
            let wanted = if format == "sshsig" { "not_of_bytes" } else { "other_content" };
            assert_eq!(problems(&answer), [wanted], "{content} {format}");
            assert_eq!(answer["trust"], "consistent_not_authenticated");
            // Also where nobody said who is trusted.
            expect_code(&desk.run(&["verify", &format!("@{content}"), "--attestation", "@replayed"]), 5);
        }
    }
    // Of a bundle's packet, and not of the bundle.
    desk.attest("out/packet.json", "p256.pem", "dsse", "of-packet");
    let found = desk.judged("out", "of-packet", "p256.pub.pem", 5);
    assert_eq!(problems(&found), ["other_content", "predicate_type"]);
}

#[test]
fn what_is_spoilt_after_signing_is_refused_and_told() {
    let desk = Desk::new();
    desk.attest("out/packet.json", "p256.pem", "dsse", "signed");
    let sound = desk.json("signed");
    type Spoil = fn(&mut Value);
    let cases: [(&str, Spoil, &[&str]); 9] = [
        ("payload", |e| flip(e, "payload", 40), &["nobody_trusted", "bad_statement"]),
        ("signature", |e| flip(&mut e["signatures"][0], "sig", 20), &["nobody_trusted"]),
        ("padding", |e| e["payload"] = format!("{}=", e["payload"].as_str().unwrap()).into(), &["damaged"]),
        ("payload type", |e| e["payloadType"] = "text/plain".into(), &["payload_type"]),
        ("no signature", |e| e["signatures"] = json!([]), &["signatures"]),
        ("empty signature", |e| e["signatures"][0]["sig"] = "".into(), &["nobody_trusted"]),
        ("no envelope", |e| *e = json!({ "payload": 5, "signatures": [] }), &["damaged"]),
        ("a packet", |e| *e = json!({ "schema_version": "runtime-tools.promotion_packet.v0.2" }), &["no_attestation"]),
        (
            "a certificate",
            |e| {
                *e = json!({
                    "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
                    "verificationMaterial": { "certificate": {} },
                    "dsseEnvelope": e.clone(),
                });
            },
            &["certificate"],
        ),
    ];
    for (what, spoil, wanted) in cases {
        let mut spoilt = sound.clone();
        spoil(&mut spoilt);
        desk.write("spoilt", &spoilt);
        let answer = desk.judged("out/packet.json", "spoilt", "p256.pub.pem", 5);
        let found = problems(&answer);
        assert!(found.len() == 1 && wanted.contains(&found[0]), "{what}: {found:?}");
        assert_eq!(answer["ok"], false, "{what}");
        assert_eq!(answer["attestation"]["standing"], "refused", "{what}");
    }
    // The hint of a key proves nothing, so it spoils nothing.
    let mut renamed = sound.clone();
    renamed["signatures"][0]["keyid"] = "somebody".into();
    desk.write("renamed", &renamed);
    desk.judged("out/packet.json", "renamed", "p256.pub.pem", 0);
    // Somebody's signature beside it neither helps nor harms.
    desk.attest("out/packet.json", "ed25519.pem", "dsse", "second");
    let mut both = sound;
    let second = desk.json("second")["signatures"][0].clone();
    both["signatures"].as_array_mut().unwrap().insert(0, second);
    desk.write("both", &both);
    let answer = desk.judged("out/packet.json", "both", "p256.pub.pem", 0);
    assert_eq!(answer["attestation"]["other_signatures"], 1);
    // A sigstore bundle has one.
    desk.attest("out/packet.json", "p256.pem", "sigstore", "bundled");
    let mut bundled = desk.json("bundled");
    bundled["dsseEnvelope"] = both;
    desk.write("bundled", &bundled);
    assert_eq!(problems(&desk.judged("out/packet.json", "bundled", "p256.pub.pem", 5)), ["signatures"]);
}

/// Changes one letter of base64 in the middle of a text.
fn flip(at: &mut Value, member: &str, place: usize) {
    let mut text = at[member].as_str().unwrap().to_owned();
    let letter = if &text[place..=place] == "B" { "C" } else { "B" };
    text.replace_range(place..=place, letter);
    at[member] = text.into();
}

#[test]
fn nothing_unsigned_is_called_authenticated() {
    let desk = Desk::new();
    desk.attest("out/packet.json", "p256.pem", "sigstore", "signed");
    for (content, _) in CONTENTS {
        let content = format!("@{content}");
        let plain = desk.run(&["verify", &content]);
        expect_code(&plain, 0);
        assert!(stdout(&plain).contains("consistent, not authenticated"), "{}", stdout(&plain));
        let refused = desk.run(&["verify", &content, "--require-signed"]);
        expect_code(&refused, 5);
        assert!(stderr(&refused).contains("no attestation"), "{}", stderr(&refused));
        assert!(stdout(&refused).contains("consistent, not authenticated"));
    }
    // An attestation by nobody who is named is not judged, which is less than a signature.
    let unknown = desk.run(&["verify", "@out/packet.json", "--attestation", "@signed"]);
    expect_code(&unknown, 0);
    let said = stdout(&unknown);
    assert!(said.contains("consistent, not authenticated") && said.contains("by nobody known"), "{said}");
    expect_code(&desk.run(&["verify", "@out/packet.json", "--attestation", "@signed", "--require-signed"]), 5);
    // Content that does not verify is not saved by a good signature.
    let mut packet = desk.json("out/packet.json");
    packet["rows"]["planned"] = 1.into();
    desk.write("out/packet.json", &packet);
    let key = ["--attestation", "@signed", "--key", "@p256.pub.pem"];
    let refused = desk.run(&[&["verify", "@out/packet.json"][..], &key].concat());
    expect_code(&refused, 4);
    assert!(!(stdout(&refused) + &stderr(&refused)).contains("signed by"), "a signature is never told alone");
}

#[test]
fn allowed_signers_say_who() {
    let desk = Desk::new();
    let line = |options: &str| {
        let key = fs::read_to_string(desk.at("ssh-ed25519.pub")).unwrap();
        format!("alice@example.org {options}{}\n", key.trim())
    };
    for format in ["sshsig", "dsse"] {
        desk.attest("out/packet.json", "ssh-ed25519", format, "signed");
        let ask = |allowed: &str| {
            fs::write(desk.at("allowed"), allowed).unwrap();
            desk.run(&[
                "verify",
                "@out/packet.json",
                "--attestation",
                "@signed",
                "--allowed-signers",
                "@allowed",
                "--require-signed",
            ])
        };
        for options in ["", "namespaces=\"sandproof,git\" ", "valid-after=\"20200101Z\" "] {
            let answer = ask(&line(options));
            expect_code(&answer, 0);
            assert!(stdout(&answer).contains("signed by alice@example.org"), "{}", stdout(&answer));
        }
        for options in ["namespaces=\"git\" ", "valid-before=\"20200101Z\" ", "cert-authority "] {
            let refused = ask(&line(options));
            expect_code(&refused, 3);
            assert!(stderr(&refused).contains("allows nobody"), "{}", stderr(&refused));
        }
        let misread = ask(&line("valid-until=\"20300101Z\" "));
        expect_code(&misread, 3);
        assert!(stderr(&misread).contains("line 1"), "{}", stderr(&misread));
    }
}

#[test]
fn keys_that_cannot_sign_are_refused_with_what_to_do() {
    let desk = Desk::new();
    fs::set_permissions(desk.at("out/packet.json"), fs::Permissions::from_mode(0o600)).unwrap();
    for (key, why, what_to_do) in [
        ("encrypted.pem", "encrypted", "openssl pkey"),
        ("encrypted-sec1.pem", "encrypted", "openssl pkey"),
        ("ssh-encrypted", "encrypted", "ssh-keygen -Y sign"),
        ("rsa.pem", "RSA", "ec_paramgen_curve:P-256"),
        ("p384.pem", "P-384", "ec_paramgen_curve:P-256"),
        ("p256.pub.pem", "public key", ""),
        ("ssh-ed25519.pub", "public key", ""),
        ("out/packet.json", "no key", "openssl genpkey"),
    ] {
        let refused = desk.run(&["attest", "@out/packet.json", "--key", &format!("@{key}")]);
        expect_code(&refused, 3);
        let said = stderr(&refused);
        assert!(said.contains(why) && said.contains(what_to_do), "{key}: {said}");
        assert_eq!(stdout(&refused), "", "{key}");
    }
    for mode in [0o644, 0o640, 0o604, 0o620] {
        fs::set_permissions(desk.at("p256.pem"), fs::Permissions::from_mode(mode)).unwrap();
        let refused = desk.run(&["attest", "@out/packet.json", "--key", "@p256.pem"]);
        expect_code(&refused, 3);
        assert!(stderr(&refused).contains("chmod 600"), "{mode:o}: {}", stderr(&refused));
    }
    for (key, why) in [("rsa.pub.pem", "RSA"), ("ed25519.pem", "private key"), ("out/packet.json", "no key")] {
        desk.attest("out/packet.json", "ed25519.pem", "dsse", "signed");
        let refused =
            desk.run(&["verify", "@out/packet.json", "--attestation", "@signed", "--key", &format!("@{key}")]);
        expect_code(&refused, 3);
        assert!(stderr(&refused).contains(why), "{key}: {}", stderr(&refused));
    }
}

#[test]
fn an_attestation_never_lands_in_the_bundle() {
    let desk = Desk::new();
    for words in [&["statement"][..], &["attest", "--key", "@p256.pem"]] {
        for content in ["@out", "@out/packet.json"] {
            let refused = desk.run(&[words, &[content, "--out", "@out/sound/signed.json"]].concat());
            expect_code(&refused, 2);
            assert!(!desk.at("out/sound/signed.json").exists());
        }
    }
    expect_code(&desk.run(&["attest", "@out", "--key", "@p256.pem", "--json"]), 2);
    expect_code(
        &desk.run(&["attest", "@out/packet.json", "--key", "@p256.pem", "--format", "sshsig", "--statement", "vsa"]),
        2,
    );
}

#[test]
fn a_gate_may_require_a_signature() {
    let desk = Desk::new();
    desk.attest("out", "p256.pem", "sigstore", "signed");
    let emit = |attestation: &str, who: &str| {
        let _ = fs::remove_file(desk.at("gated.json"));
        desk.run(&[
            "emit-promotion",
            "--bundle",
            "@out",
            "--out",
            "@gated.json",
            "--attestation",
            attestation,
            "--require-signed-by",
            who,
            "--json",
        ])
    };
    let passed = emit("@signed", "@p256.pub.pem");
    expect_code(&passed, 0);
    let answer = shaped("promotion_report", &passed.stdout);
    assert_eq!(
        (&answer["trust"], &answer["attestation"]["standing"]),
        (&"authenticated".into(), &"authenticated".into())
    );
    assert_eq!(fs::read(desk.at("gated.json")).unwrap(), fs::read(desk.at("out/packet.json")).unwrap());
    let key = fs::read_to_string(desk.at("ssh-ed25519.pub")).unwrap();
    fs::write(desk.at("allowed"), format!("bob {key}")).unwrap();
    for who in ["@ed25519.pub.pem", "@allowed"] {
        let refused = emit("@signed", who);
        expect_code(&refused, 5);
        let answer = shaped("promotion_report", &refused.stdout);
        assert_eq!((&answer["wrote"], &answer["attestation"]["standing"]), (&Value::Null, &"refused".into()));
        assert!(!desk.at("gated.json").exists(), "nothing is written");
    }
    // Signed by the right key, and of something else.
    desk.attest("out/packet.json", "p256.pem", "sigstore", "of-packet");
    expect_code(&emit("@of-packet", "@p256.pub.pem"), 5);
    expect_code(&desk.run(&["emit-promotion", "--bundle", "@out", "--out", "@x.json", "--attestation", "@signed"]), 2);
}

#[test]
fn the_old_verify_answers_as_before() {
    let desk = Desk::new();
    let old = desk.run(&["verify", "--bundle", "@out", "--json"]);
    let own = desk.run(&["validate-bundle", "--bundle", "@out", "--json"]);
    expect_code(&old, 0);
    assert_eq!(stdout(&old), stdout(&own));
    shaped("bundle_report", &old.stdout);
    expect_code(&desk.run(&["verify", "--bundle", "@nowhere"]), 4);
    expect_code(&desk.run(&["verify"]), 2);
    let refused = json_answer(&mut desk.command(&["verify", "@keys", "--json"]), "refusal", 3);
    assert!(refused["error"].as_str().unwrap().contains("keys"));
}

#[test]
fn inspect_says_what_any_file_is() {
    let desk = Desk::new();
    desk.attest("out/packet.json", "p256.pem", "dsse", "a.dsse");
    desk.attest("out/packet.json", "p256.pem", "sigstore", "a.sigstore");
    desk.attest("out/packet.json", "ssh-p256", "sshsig", "a.sig");
    fs::write(desk.at("statement"), desk.run(&["statement", "@out/packet.json"]).stdout).unwrap();
    fs::write(desk.at("text"), "hello\n").unwrap();
    fs::write(desk.at("future.json"), r#"{"schema_version": "sandproof.future.v9"}"#).unwrap();
    let mut packet = desk.json("out/packet.json");
    packet["rows"] = 5.into();
    desk.write("bad.json", &packet);
    for (name, kind, code) in [
        ("out", "output_root", 0),
        ("out/sound", "bundle", 0),
        ("out/sound/artifact_index.json", "artifact_index", 0),
        ("out/sound/run_identity.json", "run_identity", 0),
        ("out/sound/run_manifest.json", "run_manifest", 0),
        ("out/sound/rows/scenario.jsonl", "lines", 0),
        ("out/packet.json", "promotion_packet", 0),
        ("declaration.json", "system_identity", 0),
        ("a.dsse", "dsse", 0),
        ("a.sigstore", "sigstore", 0),
        ("a.sig", "sshsig", 0),
        ("statement", "statement", 0),
        ("p256.pem", "private_key", 0),
        ("ssh-p256.pub", "public_key", 0),
        ("p256.pub.pem", "public_key", 0),
        ("bad.json", "promotion_packet", 1),
        ("rsa.pem", "key", 3),
        ("text", "other", 3),
        ("future.json", "json", 3),
        (".", "other", 3),
    ] {
        let answer = json_answer(&mut desk.command(&["inspect", &format!("@{name}"), "--json"]), "inspection", code);
        assert_eq!(answer["kind"], kind, "{name}: {answer:#}");
    }
    let said = stdout(&desk.run(&["inspect", "@a.dsse"]));
    assert!(said.contains("not judged") && said.contains("urn:sandproof:predicate:packet:v1"), "{said}");
    assert_eq!(payload(&desk.json("a.dsse"))["predicateType"], "urn:sandproof:predicate:packet:v1");
    // A private key is never printed.
    let secret = fs::read_to_string(desk.at("p256.pem")).unwrap();
    let shown = stdout(&desk.run(&["inspect", "@p256.pem", "--json"]));
    assert!(!shown.contains(secret.lines().nth(1).unwrap()), "{shown}");
}

/// The second reader agrees: with what is sound, and with what is not.
#[test]
fn the_second_reader_judges_the_same() {
    let desk = Desk::new();
    let second = |words: &[&str]| {
        let mut python = std::process::Command::new("python3");
        python.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(root());
        for word in words {
            match word.strip_prefix('@') {
                Some(name) => python.arg(desk.at(name)),
                None => python.arg(word),
            };
        }
        output(&mut python)
    };
    for (secret, public) in [("p256.pem", "@p256.pub.pem"), ("ed25519.pem", "@ed25519.pub.pem")] {
        for format in ["dsse", "sigstore"] {
            for (content, of) in
                [("out", &["@out/sound"][..]), ("out/packet.json", &["@out/sound", "@out/packet.json"])]
            {
                desk.attest(content, secret, format, "signed");
                let ask = |key: &str, of: &[&str]| {
                    second(&[&["scripts/verify_bundle.py", "--attested", "@signed", key], of].concat())
                };
                expect_code(&ask(public, of), 0);
                expect_code(&ask("@p256-sec1.pub.pem", of), 5);
                let other = if of.len() == 1 { &["@out/sound", "@out/packet.json"][..] } else { &["@out/sound"] };
                expect_code(&ask(public, other), 5);
            }
            desk.attest("declaration.json", secret, format, "signed");
            let ask =
                |key: &str| second(&["scripts/verify_identity.py", "--attested", "@signed", key, "@declaration.json"]);
            expect_code(&ask(public), 0);
            expect_code(&ask("@p256-sec1.pub.pem"), 5);
        }
    }
}
