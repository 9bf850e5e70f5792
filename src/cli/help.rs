//! What `--help` and the manual pages say beside options: examples, exit codes, files and variables.

use clap::Command;

use super::exit::Exit;

/// Examples of one command, as they are typed, and what each does.
type Examples = &'static [(&'static str, &'static str)];

/// Every command by its path, its examples, and the exit codes that it has beside 0, 2 and 70, which all have.
const COMMANDS: &[(&str, Examples, &[Exit])] = {
    use Exit::{
        BundleInvalid, Drifted, GateRefused, InputRefused, Interrupted, Locked, Mismatch, NothingRan, Terminated,
        Unavailable, Undecided,
    };
    &[
        (
            "run",
            &[
                ("sandproof run", "run this folder's own plan, else the first one to try on this system"),
                ("sandproof run --plan plans/linux-files --report html:run.html", "run a plan and make a page of it"),
                (
                    "sandproof run --plan plans/linux-files --shard auto",
                    "run the share of a plan that a scheduler names",
                ),
                (
                    "sandproof run --plan plans/launcher-files --launcher 'box=bwrap --ro-bind / / --dev /dev'",
                    "ask a plan's questions of a command that sandboxes",
                ),
            ],
            &[
                Mismatch,
                InputRefused,
                BundleInvalid,
                Locked,
                Unavailable,
                Undecided,
                NothingRan,
                Interrupted,
                Terminated,
            ],
        ),
        (
            "ask",
            &[
                (
                    "sandproof ask 'deny read ~/.ssh/id_ed25519' 'allow write .' -- bwrap --ro-bind / / --dev /dev --",
                    "ask a command that sandboxes",
                ),
                ("sandproof ask 'deny connect 127.0.0.1:8080' --policy agent.json", "ask a policy"),
            ],
            &[Mismatch, InputRefused, Unavailable, Undecided, Interrupted, Terminated],
        ),
        (
            "init",
            &[
                ("sandproof init", "write a small policy and questions for it into this folder"),
                ("sandproof init --agent agent", "write twenty questions about a coding agent's sandbox into `agent`"),
            ],
            &[InputRefused, Unavailable],
        ),
        (
            "validate-bundle",
            &[("sandproof validate-bundle --bundle out", "verify the last run below `out`")],
            &[BundleInvalid],
        ),
        (
            "verify",
            &[
                ("sandproof verify out", "verify the last run below `out`"),
                (
                    "sandproof verify packet.json --attestation packet.sigstore.json --key release.pub.pem --require-signed",
                    "verify a packet, and that whoever has this key vouches for it",
                ),
                (
                    "sandproof verify out --attestation run.sig --allowed-signers allowed_signers",
                    "the same by a signature of OpenSSH",
                ),
            ],
            &[InputRefused, BundleInvalid, GateRefused],
        ),
        (
            "inspect",
            &[("sandproof inspect packet.sigstore.json", "say what a file is, without judging it")],
            &[Mismatch, InputRefused],
        ),
        (
            "statement",
            &[
                ("sandproof statement out --out run.statement.json", "what can be signed of the last run"),
                ("sandproof statement packet.json --format vsa", "a SLSA verification summary of a promotable packet"),
            ],
            &[InputRefused, BundleInvalid, GateRefused],
        ),
        (
            "attest",
            &[
                (
                    "sandproof attest packet.json --key release.pem --out packet.sigstore.json",
                    "sign a packet, for cosign and others",
                ),
                (
                    "sandproof attest out --key id_ed25519 --format sshsig --out run.sig",
                    "sign the last run as OpenSSH does",
                ),
            ],
            &[InputRefused, BundleInvalid, GateRefused],
        ),
        (
            "emit-promotion",
            &[
                (
                    "sandproof emit-promotion --bundle out --out packet.json --require-promotable",
                    "write the packet of the last run, if its gates let it pass",
                ),
                (
                    "sandproof emit-promotion --bundle out --out packet.json --attestation run.sigstore.json --require-signed-by ci.pub.pem",
                    "the same, if whoever has this key vouches for the bundle",
                ),
            ],
            &[InputRefused, BundleInvalid, GateRefused],
        ),
        (
            "reindex-bundle",
            &[("sandproof reindex-bundle --bundle out --strict", "compare a bundle with its index")],
            &[BundleInvalid, Locked],
        ),
        (
            "attempts",
            &[("sandproof attempts --out out", "group the runs below `out` by what they declared")],
            &[Mismatch, BundleInvalid],
        ),
        (
            "merge",
            &[("sandproof merge shards --out out", "put all shares below `shards` together to one bundle below `out`")],
            &[Mismatch, InputRefused, BundleInvalid, Locked, Undecided, NothingRan],
        ),
        (
            "compare",
            &[
                ("sandproof compare worlds", "show what the bundles below `worlds` answer differently"),
                (
                    "sandproof compare worlds --format markdown --out summary.md",
                    "write it for a pull request, or a job's summary",
                ),
            ],
            &[Mismatch, BundleInvalid, NothingRan],
        ),
        (
            "upload",
            &[
                ("sandproof upload out --to s3://bucket/worlds", "bring the latest bundle of `out` to a bucket"),
                ("sandproof upload out --to file:///mnt/worlds", "bring it to a folder that others see"),
            ],
            &[BundleInvalid, Unavailable],
        ),
        (
            "download",
            &[(
                "sandproof download s3://bucket/worlds/RUN_ID --out worlds",
                "fetch a bundle, and keep it if it verifies",
            )],
            &[BundleInvalid, Unavailable],
        ),
        (
            "diff-runs",
            &[("sandproof diff-runs before/out after/out", "compare two runs")],
            &[Mismatch, BundleInvalid, Undecided],
        ),
        (
            "derive",
            &[("sandproof derive --bundle out --check", "derive the evidence once more, and compare")],
            &[Mismatch, BundleInvalid],
        ),
        (
            "report",
            &[
                ("sandproof report --bundle out --format html --out run.html", "make a page of the last run"),
                ("sandproof report --bundle out --format sarif --out run.sarif", "for code scanning"),
            ],
            &[Mismatch, BundleInvalid, Undecided, NothingRan],
        ),
        (
            "summarize-ops",
            &[("sandproof summarize-ops --bundle out --allow-nonpromotable", "count a run's events by operation")],
            &[InputRefused, BundleInvalid, GateRefused],
        ),
        (
            "links build",
            &[(
                "sandproof links build --packet packet.json --out links.json",
                "tie profiles to the packet that evidences them",
            )],
            &[InputRefused, BundleInvalid, GateRefused],
        ),
        (
            "links profiles",
            &[("sandproof links profiles --links links.json", "list the linked profiles")],
            &[InputRefused],
        ),
        (
            "links expectations",
            &[("sandproof links expectations --links links.json", "list the linked expectations")],
            &[InputRefused],
        ),
        (
            "links resolve",
            &[(
                "sandproof links resolve --links links.json --profile quickstart:read_only",
                "follow a profile to its packets",
            )],
            &[InputRefused],
        ),
        (
            "identity declare",
            &[
                ("sandproof identity declare --plan plans/quickstart", "say what a run would be made of"),
                ("sandproof identity declare --from run.json", "say what a document declares of another system"),
            ],
            &[InputRefused, Unavailable],
        ),
        (
            "identity draft",
            &[
                (
                    "sandproof identity draft --out run.json -- python3 infer.py",
                    "watch a command once, and begin the document that seals it",
                ),
                (
                    "sandproof identity draft --out run.json --from request.json",
                    "begin it from a request, a log, results or a manifest",
                ),
            ],
            &[Mismatch, InputRefused, Unavailable],
        ),
        (
            "identity verify",
            &[("sandproof identity verify --bundle out", "compute a run's identity again")],
            &[Mismatch, InputRefused, BundleInvalid],
        ),
        (
            "identity seal",
            &[(
                "sandproof identity seal --from run.json --out sealed -- python3 infer.py",
                "write down what a run is made of, and let it read nothing else",
            )],
            &[Mismatch, InputRefused, Unavailable, Drifted],
        ),
        (
            "identity export",
            &[(
                "sandproof identity export --bundle sealed --out bom.json",
                "write a declaration as a CycloneDX document",
            )],
            &[BundleInvalid],
        ),
        (
            "identity show",
            &[("sandproof identity show --bundle out", "show what a run declared")],
            &[Mismatch, BundleInvalid],
        ),
        (
            "why",
            &[(
                "sandproof why --profile agent.json --operation file-read-data --target /etc/shadow",
                "ask a policy about one operation; nothing is executed",
            )],
            &[Mismatch, InputRefused, Undecided],
        ),
        (
            "policy lint",
            &[("sandproof policy lint agent.sb", "look for what a policy does not do")],
            &[Mismatch, InputRefused],
        ),
        ("policy show", &[("sandproof policy show agent.json", "print what a policy comes to")], &[InputRefused]),
        (
            "policy diff",
            &[("sandproof policy diff old.sb new.sb", "compare what two policies let through")],
            &[Mismatch, InputRefused, Undecided],
        ),
        (
            "mutate",
            &[
                ("sandproof mutate --plan plans/quickstart", "tell which probe proves which rule"),
                ("sandproof mutate --plan mine --fail-under 0.9", "refuse a plan that proves too little"),
            ],
            &[Mismatch, InputRefused, Unavailable, Undecided, NothingRan, Interrupted, Terminated],
        ),
        (
            "conformance",
            &[
                (
                    "sandproof conformance --implementation 'python3 my_verifier.py --json'",
                    "put a verifier of your own to the forged bundles",
                ),
                (
                    "sandproof conformance --rows './mine rows' --values './mine values' --vectors ../sandproof/tests/vectors",
                    "put its decision rule and its digests to the vectors of a checkout elsewhere",
                ),
            ],
            &[Mismatch, InputRefused, Interrupted, Terminated],
        ),
        (
            "drift",
            &[
                ("sandproof drift --seed 7", "compare the model of Landlock with this kernel on 10,000 random cases"),
                ("sandproof drift --case drift-7-311.json", "put a case that was kept to this kernel"),
            ],
            &[Mismatch, InputRefused, Unavailable, Interrupted, Terminated],
        ),
        (
            "explain",
            &[("sandproof explain not_clean_channel", "say what a reason that blocks promotion means")],
            &[InputRefused],
        ),
        ("status", &[("sandproof status", "say what this host is and can do")], &[]),
        (
            "selftest",
            &[("sandproof selftest --out selftest.json", "probe this host, and keep the answers")],
            &[Mismatch, InputRefused, Undecided],
        ),
        (
            "collect",
            &[("sandproof collect --out mac.tar", "ask this host everything, for somebody else to read")],
            &[Undecided],
        ),
        (
            "learn",
            &[("sandproof learn mac.tar", "list what an archive of `collect` teaches")],
            &[Mismatch, BundleInvalid],
        ),
        ("inventory", &[("sandproof inventory", "list what this workspace holds")], &[InputRefused]),
        (
            "plan-build",
            &[("sandproof plan-build --template quickstart --out mine", "make a plan folder of one's own")],
            &[Mismatch, InputRefused],
        ),
        (
            "plan-lint",
            &[("sandproof plan-lint --plan mine", "check a plan with everything that it refers to")],
            &[Mismatch, InputRefused],
        ),
        (
            "registry-lint",
            &[("sandproof registry-lint --registry quickstart", "check a registry")],
            &[Mismatch, InputRefused],
        ),
        (
            "registry-upgrade",
            &[(
                "sandproof registry-upgrade --registry old --out-dir new",
                "bring a registry's documents to the present format",
            )],
            &[InputRefused],
        ),
        ("list-plans", &[("sandproof list-plans", "list the plans around this folder")], &[InputRefused]),
        (
            "list-registries",
            &[("sandproof list-registries", "list the registries around this folder")],
            &[InputRefused],
        ),
        ("list-templates", &[("sandproof list-templates", "list what `plan-build` can make")], &[]),
        (
            "list-drivers",
            &[("sandproof list-drivers --operation file-write-create", "list what can stand for an operation")],
            &[InputRefused],
        ),
        (
            "list-probes",
            &[("sandproof list-probes --registry quickstart", "list a registry's probes")],
            &[InputRefused],
        ),
        (
            "list-profiles",
            &[("sandproof list-profiles --registry quickstart", "list a registry's profiles")],
            &[InputRefused],
        ),
        (
            "describe-driver",
            &[("sandproof describe-driver file_rename", "say what a driver does, with a probe as an example")],
            &[InputRefused],
        ),
        (
            "describe-template",
            &[(
                "sandproof describe-template --template linux-path-matrix --print",
                "print a template, to begin one from",
            )],
            &[InputRefused],
        ),
        (
            "describe-plan",
            &[("sandproof describe-plan --plan plans/quickstart", "show a plan with its digest")],
            &[InputRefused],
        ),
        (
            "describe-probe",
            &[(
                "sandproof describe-probe --registry quickstart --probe quickstart:read_only:read_inside",
                "show one probe",
            )],
            &[InputRefused],
        ),
        (
            "describe-profile",
            &[("sandproof describe-profile --registry quickstart --profile quickstart:read_only", "show one profile")],
            &[InputRefused],
        ),
        (
            "schema",
            &[
                ("sandproof schema plan", "print the schema of a plan"),
                ("sandproof schema --all --out schemas", "write down every schema"),
            ],
            &[InputRefused],
        ),
        ("version", &[("sandproof version --json", "say which build this is")], &[]),
        ("completions", &[("sandproof completions bash", "print the completions for a shell")], &[]),
        ("man", &[("sandproof man --out man", "write a page for each command")], &[]),
    ]
};

/// The examples and exit codes of the command `path`; nothing for one that only groups others.
fn of(path: &str) -> Option<(Examples, Vec<Exit>)> {
    let (_, examples, exits) = COMMANDS.iter().find(|(known, _, _)| *known == path)?;
    let mut exits: Vec<Exit> = exits.iter().copied().chain([Exit::Done, Exit::Usage, Exit::Fault]).collect();
    exits.sort_by_key(|exit| exit.code());
    Some((examples, exits))
}

/// The examples of the command `path`.
pub(super) fn examples(path: &str) -> Examples {
    of(path).map_or(&[], |(examples, _)| examples)
}

/// The exit codes of the command `path`, by number.
pub(super) fn exits(path: &str) -> Vec<Exit> {
    of(path).map_or_else(Vec::new, |(_, exits)| exits)
}

/// Adds examples and exit codes to the help of every command.
pub(super) fn completed(command: Command) -> Command {
    with_path(command, "")
}

fn with_path(command: Command, above: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command = names.into_iter().fold(command, |command, name| {
        let path = if above.is_empty() { name.clone() } else { format!("{above} {name}") };
        command.mut_subcommand(name, |sub| with_path(sub, &path))
    });
    let Some((examples, exits)) = of(above) else { return command };
    let own = command.get_after_long_help().map(|text| format!("{text}\n\n")).unwrap_or_default();
    let mut text = own;
    text.push_str("Examples:\n");
    for (typed, does) in examples {
        text.push_str(&format!("  {typed}\n      {does}\n"));
    }
    text.push_str("\nExit codes:\n");
    for exit in exits {
        text.push_str(&format!("  {:3}  {}\n", exit.code(), exit.meaning()));
    }
    command.after_long_help(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::words;
    use crate::cli::{command, visible};

    fn leaves(command: &Command, above: &str, found: &mut Vec<String>) {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
            let path = if above.is_empty() { sub.get_name().to_owned() } else { format!("{above} {}", sub.get_name()) };
            if sub.has_subcommands() { leaves(sub, &path, found) } else { found.push(path) }
        }
    }

    #[test]
    fn every_command_has_examples_that_parse_as_itself() {
        let mut all = Vec::new();
        leaves(&visible(), "", &mut all);
        for path in &all {
            let (examples, _) = of(path).unwrap_or_else(|| panic!("`{path}` has no examples"));
            assert!(!examples.is_empty(), "{path}");
            for (typed, _) in examples {
                let words = words::split(typed).unwrap();
                command().try_get_matches_from(&words).unwrap_or_else(|error| panic!("`{typed}`: {error}"));
                assert_eq!(
                    words[1..]
                        .join(" ")
                        .strip_prefix(path.as_str())
                        .map(|rest| rest.is_empty() || rest.starts_with(' ')),
                    Some(true),
                    "{typed}"
                );
            }
        }
        for (path, _, _) in COMMANDS {
            assert!(all.iter().any(|known| known == path), "`{path}` is no command");
        }
    }
}
