#!/usr/bin/env python3
"""Verifies bundles without sandproof: a second implementation of SPEC.md with Python's standard library alone.

usage: verify_bundle.py [--json] [--packet] [--counts] BUNDLE ...
       verify_bundle.py --held-to BUNDLE PACKET
       verify_bundle.py --attested ATTESTATION KEY BUNDLE [PACKET]
       verify_bundle.py --rows | --values

Of each bundle: whether it verifies (SPEC 3.1), or every finding with its code. With --json one object a bundle, in the form of
`validate-bundle --json`, with `not_judged`: what SPEC leaves to the program and was taken as it stands. With --packet also the
promotion packet that it yields. With --counts, of all of them together, how much it computed by itself and found the same in the
bundle, and how much there is. With --held-to: whether a packet is what its bundle yields. With --attested: whether an attestation (a
DSSE envelope, or a sigstore bundle with a key) is of this bundle, or of its packet, and signed by the public key (PEM). With --rows an object with `row`,
`baseline` (or null) and `mode` a line is read, and what the decision rule makes of it printed; with --values an object with
`plan`, `policy` and `mode`, or `declaration`, and its digests, for a Landlock policy also its controls, and with `action` and
`fixtures` what the model answers.

exit 0: all verify; 2: usage; 4: one does not; 5: the attestation does not hold
"""

import json
import sys

from second_reader import attested, controls_of, decide, gates, identity, json_text, model, plan
from second_reader.canonical import digest
from second_reader.counts import Counts
from second_reader.landlock import Table
from second_reader.launcher import Question
from second_reader.verify import verify


def held_to(bundle_path, packet_path):
    """Whether a packet is, member by member, what the bundle yields."""
    bundle, findings = verify(bundle_path)
    for one in findings:
        print(f"{bundle_path}: {one['path']}: {one['code']}: {one['message']}")
    try:
        with open(packet_path, "rb") as file:
            packet = json_text.parse(file.read())
    except (OSError, json_text.NotJson) as error:
        print(f"{packet_path}: {error}")
        return 4
    wanted = gates.packet(bundle) if bundle else {}
    differing = [name for name in sorted(wanted.keys() | packet.keys())
                 if name not in wanted or name not in packet or not json_text.same(wanted[name], packet[name])]
    for name in differing:
        print(f"{packet_path}: {name}: it is not what the bundle yields")
    return 4 if differing else 0


def attested_by(attestation_path, key, bundle_path, packet_path=None):
    """Whether an attestation is of a bundle, or its packet, and by this key."""
    bundle, findings = verify(bundle_path)
    for one in findings:
        print(f"{bundle_path}: {one['path']}: {one['code']}: {one['message']}")
    if not bundle:
        return 4
    try:
        with open(attestation_path, "rb") as file:
            attestation = file.read()
        packet = None
        if packet_path:
            with open(packet_path, "rb") as file:
                packet = file.read()
        content = attested.of_packet(bundle, packet) if packet_path else attested.of_bundle(bundle)
    except (OSError, attested.Refusal) as error:
        print(error)
        return 4
    try:
        attested.hold(attestation, key, content, gates.packet(bundle) if packet_path else None)
    except attested.Refusal as error:
        print(f"{attestation_path}: {error}")
        return 5
    print(f"{packet_path or bundle_path}: verifies, and {attestation_path} is of it, by the key {key}")
    return 0


def judge_rows():
    """The decision rule by itself: outcomes of the rows on standard input."""
    for line in sys.stdin:
        given = json.loads(line)
        row, baseline, mechanism = given["row"], given["baseline"], None
        if "launcher" in row:
            shown, mechanism = Question(row, False).judge()
        else:
            shown = decide.by_itself(row)
        outcome = decide.verdict(row, shown, baseline and (baseline, decide.by_itself(baseline)), False)
        print(json.dumps({
            "actual": outcome[0], "failure_stage": decide.stage(outcome[1]), "failure_kind": outcome[1], "errno": outcome[2],
            "status": decide.status(row, outcome), "intended_op_witnessed": decide.witnessed(outcome),
            "mechanism": mechanism if outcome[0] == "deny" else None,
        }))
    return 0


def asked(table, action, fixtures):
    """What the model of Landlock answers about an action."""
    found = model.landlock(table, action, [*fixtures, *plan.implied_folders(action, fixtures)])
    return {"decision": found.decision, "rule": found.rule, "assumes": sorted(found.assumes)}


def values():
    """Digests and controls of the documents on standard input."""
    for line in sys.stdin:
        given = json.loads(line)
        if "plan" in given:
            answer = {"plan_digest": plan.plan_digest(given["plan"])}
        elif "declaration" in given:
            parts = {part: digest(given["declaration"][part]) for part in identity.PARTS}
            seal = {name: given["declaration"][name] for name in ("kind", "schema_version")} | {"digests": parts}
            answer = {"digests": parts, "identity": digest(seal)}
        elif given["mode"] == "sbpl":
            answer = {"value_sha256": identity.seatbelt_digest(given["text"], given["parameters"], given["rules"])}
        elif given["mode"] == "landlock":
            table = Table(given["policy"])
            if "action" in given:
                answer = asked(table, given["action"], given["fixtures"])
            else:
                answer = dict(zip(("must_deny", "must_allow"), controls_of.derive(table))) | {"value_sha256": table.digest()}
        else:
            answer = {"value_sha256": identity.launcher_digest(given["policy"])}
        print(json.dumps(answer))
    return 0


def main(words):
    if words in (["--rows"], ["--values"]):
        return judge_rows() if words == ["--rows"] else values()
    if words[:1] == ["--held-to"] and len(words) == 3:
        return held_to(*words[1:])
    if words[:1] == ["--attested"] and len(words) in (4, 5):
        return attested_by(*words[1:])
    options = {word for word in words if word.startswith("--")}
    paths = [word for word in words if not word.startswith("--")]
    if not paths or options - {"--json", "--packet", "--counts"}:
        print(__doc__, file=sys.stderr)
        return 2
    worst, counts = 0, Counts()
    for path in paths:
        bundle, findings = verify(path)
        counts.take(bundle)
        worst = worst if bundle else 4
        if "--json" in options:
            answer = {"ok": bundle is not None, "bundle_dir": path, "errors": findings}
            if bundle:
                answer |= {"run_id": bundle.index["run_id"], "index_sha256": bundle.index_sha256,
                           "files": len(bundle.entries) + 1, "not_judged": bundle.done.not_judged,
                           "promotability_reasons": gates.reasons(bundle)}
                answer |= {"packet": gates.packet(bundle)} if "--packet" in options else {}
            print(json.dumps(answer))
        elif bundle:
            left = bundle.done.not_judged
            told = f"; {len(left)} points not judged, such as {left[0]}" if left else ""
            print(f"{path}: verifies: {len(bundle.entries) + 1} files, {len(bundle.done.outcomes)} verdicts{told}")
        for one in findings if "--json" not in options else ():
            print(f"{path}: {one['path']}: {one['code']}: {one['message']}")
    if "--counts" in options:
        print(*counts.lines(), sep="\n")
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
