//! `identity draft --from`: what another tool has recorded of a run is stated, and nothing that it does not say.
//!
//! The records are of our own writing, in the shapes that these have: OpenAI's reference of `POST /v1/chat/completions`, Anthropic's of
//! `POST /v1/messages`, `EvalLog` of inspect_ai 0.3.285, what `evaluator.py` and `evaluation_tracker.py` of lm_eval 0.4.13 write, what
//! `_signing/signing.py` of model_signing 1.1.1 signs, `dvc.lock` as DVC's user guide shows it.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::{expect_code, expect_shape, output, sandproof, stderr, stdout};

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn draft_of(&self, bytes: impl AsRef<[u8]>) -> Output {
        fs::write(self.at("record"), bytes).unwrap();
        let _ = fs::remove_file(self.at("run.json"));
        let mut command = sandproof();
        output(
            command.args(["identity", "draft", "--from"]).arg(self.at("record")).arg("--out").arg(self.at("run.json")),
        )
    }

    /// The document, which can be declared, and what was said of it.
    fn document(&self, bytes: impl AsRef<[u8]>) -> (Value, String) {
        let drafted = self.draft_of(bytes);
        expect_code(&drafted, 0);
        let document: Value = serde_json::from_slice(&fs::read(self.at("run.json")).unwrap()).unwrap();
        expect_shape("system_declaration_v2", &document);
        let declared = output(sandproof().args(["identity", "declare", "--json", "--from"]).arg(self.at("run.json")));
        expect_code(&declared, 0);
        let declared: Value = serde_json::from_slice(&declared.stdout).unwrap();
        assert_eq!(declared["completeness"], "partial");
        let unknown = declared.to_string().matches(r#"{"unknown":true}"#).count();
        assert!(stdout(&drafted).contains(&format!("unknown    {unknown} items")), "{unknown}: {}", stdout(&drafted));
        (document, stdout(&drafted))
    }

    fn refusal(&self, bytes: impl AsRef<[u8]>) -> String {
        let refused = self.draft_of(bytes);
        expect_code(&refused, 3);
        assert!(!self.at("run.json").exists());
        stderr(&refused)
    }
}

fn is_unknown(value: &Value) -> bool {
    value["unknown"].is_string()
}

#[test]
fn a_chat_completions_request_is_what_was_sent() {
    let request = r#"{
        "model": "gpt-4o", "temperature": 0.70, "top_p": 1.0, "seed": 7, "max_completion_tokens": 512, "logprobs": true, "stop": ["END"],
        "messages": [
            {"role": "developer", "content": "Answer in one line."},
            {"role": "user", "content": "Where is my lamp?"},
            {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "in Kiel"}
        ],
        "tools": [{"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {"file": {"type": "string"}}}}}]
    }"#;
    let desk = Desk::new();
    let (document, said) = desk.document(request);
    assert!(said.contains("a chat-completions request"), "{said}");
    let artifact = &document["artifact"];
    assert_eq!(artifact["model"]["name"], "gpt-4o");
    assert!(is_unknown(&artifact["model"]["version"]), "an alias is no version: {}", artifact["model"]);
    assert_eq!(artifact["system_instructions"], json!({"text": "Answer in one line."}));
    let parameters = &artifact["parameters"];
    assert_eq!(
        [&parameters["temperature"], &parameters["top_p"], &parameters["seed"]],
        [&json!("0.7"), &json!("1"), &json!(7)]
    );
    assert_eq!(parameters["max_output_tokens"], 512);
    assert_eq!(parameters["other"], json!({"value": {"logprobs": true, "stop": ["END"]}}));
    assert_eq!(artifact["conversation"]["value"].as_array().unwrap().len(), 3);
    assert_eq!(
        artifact["tools"]["definitions"]["value"][0]["function"]["parameters"]["properties"]["file"]["type"],
        "string"
    );
    for item in [
        "/artifact/tools/implementations",
        "/artifact/prompt",
        "/runtime/provider",
        "/policy/approval_rules",
        "/artifact/parameters/defaults",
    ] {
        assert!(is_unknown(document.pointer(item).unwrap()), "{item}");
    }
    // What the request leaves to the service is not known, and an exponent is no decimal.
    let (document, _) = desk.document(
        r#"{"model": "gpt-4o-2024-08-06", "messages": [{"role": "system", "content": "a"}], "temperature": 7e-1}"#,
    );
    let artifact = &document["artifact"];
    assert_eq!(artifact["model"]["version"], "gpt-4o-2024-08-06");
    assert!(
        is_unknown(&artifact["parameters"]["temperature"]) && is_unknown(&artifact["parameters"]["max_output_tokens"])
    );
    assert!(artifact["conversation"]["none"].is_string() && artifact["tools"]["none"].is_string());
    assert!(artifact["parameters"]["seed"]["none"].is_string());
}

#[test]
fn a_messages_request_is_what_was_sent() {
    let request = r#"{
        "model": "claude-3-5-sonnet-20241022", "max_tokens": 1024, "top_k": 5, "system": [{"type": "text", "text": "Be kind."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        "tools": [{"name": "find", "input_schema": {"type": "object"}}], "thinking": {"type": "enabled", "budget_tokens": 1024}
    }"#;
    let desk = Desk::new();
    let (document, said) = desk.document(request);
    assert!(said.contains("a messages request"), "{said}");
    let artifact = &document["artifact"];
    assert_eq!(artifact["model"]["version"], "claude-3-5-sonnet-20241022");
    assert_eq!(artifact["system_instructions"], json!({"value": [{"type": "text", "text": "Be kind."}]}));
    assert_eq!(artifact["parameters"]["max_output_tokens"], 1024);
    assert_eq!(artifact["parameters"]["other"]["value"]["top_k"], 5);
    assert!(is_unknown(&artifact["parameters"]["temperature"]));
    let (_, said) = desk.document(r#"{"model": "m", "messages": [{"role": "user", "content": "Hello"}]}"#);
    assert!(said.contains("a chat-completions or messages request"), "{said}");
    let both = r#"{"model": "m", "messages": [{"role": "system", "content": "a"}], "system": "b"}"#;
    let refusal = desk.refusal(both);
    assert!(refusal.contains("the role system") && refusal.contains("system, which is of messages"), "{refusal}");
}

#[test]
fn an_inspect_log_is_what_its_samples_have_in_common() {
    let log = json!({
        "version": 2, "status": "success",
        "eval": {
            "eval_id": "Q3", "run_id": "R1", "created": "2026-11-20T10:00:00+00:00", "task": "lamps", "task_version": 3, "task_file": "lamps.py",
            "task_args": {"hard": true}, "dataset": {"name": "lamps", "location": "lamps.jsonl", "samples": 40, "sample_ids": [1, 2], "shuffled": false},
            "model": "openai/gpt-4o-2024-08-06", "model_generate_config": {"temperature": 0.2, "max_tokens": 64}, "model_base_url": null,
            "model_args": {"service_tier": "flex"}, "config": {"limit": 40, "epochs": 1, "approval": {"approvers": [{"name": "human", "tools": "*"}]}},
            "revision": {"type": "git", "origin": "https://example.invalid/lamps.git", "commit": "0123abc", "dirty": true},
            "packages": {"inspect_ai": "0.3.285"}
        },
        "plan": {"name": "plan", "steps": [{"solver": "generate", "params": {}}], "config": {"temperature": 0.7, "seed": 42, "top_k": 40, "max_retries": 2, "timeout": 30}},
        "results": {"total_samples": 40}, "samples": [{"id": 1}]
    });
    let desk = Desk::new();
    let (document, said) = desk.document(log.to_string());
    assert!(said.contains("an inspect_ai log") && said.contains("40 samples"), "{said}");
    let artifact = &document["artifact"];
    assert_eq!(artifact["model"]["version"], "openai/gpt-4o-2024-08-06");
    // Two places say two temperatures: which was sent, the log does not say.
    assert!(artifact["parameters"]["temperature"]["unknown"].as_str().unwrap().contains("differ"));
    assert_eq!(
        [&artifact["parameters"]["seed"], &artifact["parameters"]["max_output_tokens"]],
        [&json!(42), &json!(64)]
    );
    assert_eq!(artifact["code"]["revision"]["value"]["dirty"], true);
    assert_eq!(document["runtime"]["libraries"], json!({"value": {"inspect_ai": "0.3.285"}}));
    assert_eq!(document["runtime"]["provider"]["service"], "openai");
    assert_eq!(
        [&document["runtime"]["scheduler"]["retries"], &document["runtime"]["scheduler"]["timeout_seconds"]],
        [&json!(2), &json!(30)]
    );
    assert_eq!(document["policy"]["approval_rules"]["value"][0]["name"], "human");
    assert!(is_unknown(&artifact["conversation"]));
    let mut bare = log;
    bare["eval"]["revision"] = Value::Null;
    bare["eval"]["config"]["approval"] = Value::Null;
    bare["eval"]["model"] = "mockllm/model".into();
    let (document, _) = desk.document(bare.to_string());
    assert!(
        is_unknown(&document["artifact"]["code"]["revision"]) && is_unknown(&document["artifact"]["model"]["version"])
    );
    assert!(document["policy"]["approval_rules"]["none"].is_string());
    let refusal = desk.refusal(b"PK\x03\x04rest");
    assert!(refusal.contains("inspect log dump"), "{refusal}");
}

#[test]
fn results_of_lm_eval_have_a_model_by_its_commit() {
    let template = "{{ messages }}";
    let sha_of_another = "5".repeat(64);
    let results = json!({
        "results": {"arc_easy": {"acc,none": 0.5}}, "group_subtasks": {}, "configs": {"arc_easy": {"task": "arc_easy", "metadata": {"version": 1.0}}},
        "versions": {"arc_easy": 1.0}, "n-shot": {"arc_easy": 5},
        "config": {
            "model": "hf", "model_args": "pretrained=example/small,revision=main", "model_num_parameters": 135_000_000, "model_dtype": "torch.float16",
            "model_revision": "main", "model_sha": "7e27bd9f95328f0f3b08261d1252705110c806f8", "batch_size": "auto", "batch_sizes": [64], "device": "cpu",
            "use_cache": null, "limit": null, "bootstrap_iters": 100_000, "gen_kwargs": {"temperature": 0.0, "max_gen_toks": 32}, "random_seed": 0, "torch_seed": 1234
        },
        "git_hash": "abc1234", "date": 1.0, "pretty_env_info": "PyTorch version: 2.9", "transformers_version": "4.57.0", "lm_eval_version": "0.4.13",
        "task_hashes": {}, "model_source": "hf", "model_name": "example/small", "system_instruction": null, "system_instruction_sha": null,
        "chat_template": null, "chat_template_sha": null
    });
    let desk = Desk::new();
    let (document, said) = desk.document(results.to_string());
    assert!(said.contains("results of lm-evaluation-harness"), "{said}");
    let (artifact, runtime) = (&document["artifact"], &document["runtime"]);
    assert_eq!(artifact["model"]["name"], "example/small");
    assert_eq!(artifact["model"]["version"], "7e27bd9f95328f0f3b08261d1252705110c806f8");
    assert_eq!(artifact["model"]["precision"], "torch.float16");
    assert!(
        artifact["model"]["chat_template"]["none"].is_string() && artifact["system_instructions"]["none"].is_string()
    );
    assert_eq!(artifact["parameters"]["temperature"], "0");
    assert_eq!(artifact["parameters"]["max_output_tokens"], 32);
    assert!(is_unknown(&artifact["parameters"]["seed"]) && is_unknown(&artifact["model"]["weights"]));
    assert_eq!(runtime["libraries"], json!({"lm_eval": "0.4.13", "transformers": "4.57.0"}));
    assert_eq!(runtime["engine"]["settings"]["value"]["device"], "cpu");
    // A commit that is not there is not the revision's name; a text that is not that of its digest is no template.
    let mut other = results;
    other["config"]["model_sha"] = "".into();
    other["chat_template"] = template.into();
    other["chat_template_sha"] = sha_of_another.into();
    let (document, _) = desk.document(other.to_string());
    assert!(document["artifact"]["model"]["version"]["unknown"].as_str().unwrap().contains("main"));
    assert!(is_unknown(&document["artifact"]["model"]["chat_template"]));
    other["chat_template_sha"] = Value::Null;
    let (document, _) = desk.document(other.to_string());
    assert_eq!(document["artifact"]["model"]["chat_template"], json!({"text": template}));
}

/// `printf` of the two raw digests into `sha256sum`, as `model_signing` has it: of 32 bytes 0x11 and 32 bytes 0x22.
const ROOT_OF_TWO: &str = "5189c77d29fe5d546a045ec46986852785fea5c13ac7da9c115ff5fb6edf817c";

#[test]
fn a_signed_manifest_holds_in_itself_or_is_refused() {
    use base64ct::{Base64, Encoding};
    let statement = |root: &str| {
        json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "small", "digest": {"sha256": root}}],
            "predicateType": "https://model_signing/signature/v1.0",
            "predicate": {
                "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false, "ignore_paths": ["model.sig"]},
                "resources": [
                    {"algorithm": "sha256", "digest": "11".repeat(32), "name": "model.safetensors"},
                    {"algorithm": "sha256", "digest": "22".repeat(32), "name": "tokenizer.json"},
                ],
            },
        })
    };
    let bundle = |root: &str| {
        let payload = Base64::encode_string(statement(root).to_string().as_bytes());
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": {},
            "dsseEnvelope": {"payload": payload, "payloadType": "application/vnd.in-toto+json", "signatures": [{"sig": "AA=="}]},
        })
    };
    let desk = Desk::new();
    let root = ROOT_OF_TWO;
    for record in [statement(root), bundle(root)] {
        let (document, said) = desk.document(record.to_string());
        assert!(said.contains("a model-signing manifest") && said.contains("not verified"), "{said}");
        let model = &document["artifact"]["model"];
        assert_eq!(model["name"], "small");
        assert_eq!(model["weights"], json!({"digest": format!("sha256:{}", "11".repeat(32))}));
        assert_eq!(model["tokenizer"], json!({"digest": format!("sha256:{}", "22".repeat(32))}));
        assert!(is_unknown(&model["version"]));
    }
    let refusal = desk.refusal(bundle(&"33".repeat(32)).to_string());
    assert!(refusal.contains("not that of the resources"), "{refusal}");
    let mut other = statement(root);
    other["predicateType"] = "https://slsa.dev/provenance/v1".into();
    assert!(desk.refusal(other.to_string()).contains("slsa.dev"));
}

#[test]
fn a_dvc_lock_is_its_stages() {
    let lock = "schema: '2.0'\nstages:\n  train:\n    cmd: python train.py\n    deps:\n    - path: data\n      hash: md5\n      md5: 22a1a2931c8370d3aeedd7183606fd7f.dir\n      size: 14445097\n      nfiles: 3\n    params:\n      params.yaml:\n        rate: 0.1\n    outs:\n    - path: model.pkl\n      md5: 662eb7f64216d9c2c1088d0a5e2c6951\n";
    let desk = Desk::new();
    let (document, said) = desk.document(lock);
    assert!(said.contains("a DVC lock") && said.contains("MD5"), "{said}");
    let stage = &document["artifact"]["other"]["stages"]["value"]["train"];
    assert_eq!(stage["cmd"], "python train.py");
    assert_eq!(stage["deps"][0]["md5"], "22a1a2931c8370d3aeedd7183606fd7f.dir");
    assert_eq!(stage["outs"], Value::Null);
    assert_eq!(document["artifact"]["parameters"]["other"]["train"]["value"]["params.yaml"]["rate"], 0.1);
    assert!(is_unknown(&document["artifact"]["code"]), "an MD5 is no digest of a declaration");
    let anchored = lock.replace("cmd: python", "cmd: &a python");
    assert!(desk.refusal(anchored).contains("line 4"));
    assert!(desk.refusal("schema: '1.0'\nstages: {}\n").contains("schema"));
}

#[test]
fn what_is_of_no_known_kind_is_refused_with_what_is_known() {
    let desk = Desk::new();
    for record in
        ["{}", "[]", "{\"model\": \"m\", \"input\": \"Responses have another shape\"}", "\"text\"", "{\"a\": ", ""]
    {
        let refusal = desk.refusal(record);
        assert!(refusal.contains("chat-completions") && refusal.contains("dvc.lock"), "{record}: {refusal}");
    }
    let absent = output(sandproof().args(["identity", "draft", "--from", "/nonexistent/record"]));
    expect_code(&absent, 3);
    let both = output(sandproof().args(["identity", "draft", "--from", "/nonexistent/record", "--", "true"]));
    expect_code(&both, 2);
}
