"""`verdicts.jsonl`, byte for byte (SPEC 3.3)."""

import json

from . import decide
from .canonical import canonical, digest

FORMAT = "sandproof.bundle.v2"
ASKED = ("argv", "attr_payload", "attribute", "driver", "exit_code", "filter_name", "filter_type", "fixtures", "listener", "mounts",
         "operation", "syscall", "target", "to")
#: What follows from the answer of a model that is taken as it stands.
TAKEN = ("actual", "match", "mechanism", "failure_stage", "failure_kind", "errno")


def probe_sha256(probe):
    return digest(_filled({name: probe[name] for name in ASKED if name in probe}), any_form=True)


def _filled(value):
    """The value without members that say nothing."""
    if isinstance(value, list):
        return [_filled(one) for one in value]
    if isinstance(value, dict):
        members = ((name, _filled(one)) for name, one in value.items())
        return {name: one for name, one in members if one is not None and one != [] and one != {}}
    return value


def lines(done, found):
    """The file's bytes. `found`: the bundle's own, of which what nobody but the program can say is taken."""
    if done.manifest["dry_run"]:
        return b""
    said = found.split(b"\n")
    rows = (_line(done, place, said) for place in done.places)
    return b"".join(canonical(row, any_form=True).encode() + b"\n" for row in rows)


def _line(done, place, said):
    planned, seq = place["planned"], place["seq"]
    line = {
        "schema_version": "sandproof.verdict.v1", "seq": seq, "profile_id": planned.profile_id,
        "expectation_id": planned.expectation_id, "probe_sha256": probe_sha256(planned.probe),
        "expected": planned.probe["expected"], "baseline": _shown(place.get("baseline")), "scenario": _shown(place.get("scenario")),
        "oracle": None,
    } | dict.fromkeys(TAKEN)
    if "oracle" in place:
        line["oracle"] = {"word": place["oracle"].get("decision", "undecided"), "kind": None, "errno": None}
    if "scenario" not in place:
        return line
    outcome = place["outcome"]
    if outcome is None:
        return line | _taken(said, seq)
    word, kind, number = outcome
    line |= {"actual": word, "match": done.agreement(planned, outcome)[0], "errno": number or None}
    if word != "allow":
        line |= {"failure_kind": kind, "failure_stage": decide.stage(kind)}
    if word == "deny":
        line["mechanism"] = done.mechanisms.get(planned.expectation_id)
    return line


def _taken(said, seq):
    try:
        line = json.loads(said[seq])
        return {name: line[name] for name in TAKEN}
    except (IndexError, ValueError, TypeError, KeyError):
        return {}


def _shown(shown):
    """What a row shows by itself."""
    if shown is None:
        return None
    word, kind, number = shown
    return {"word": word or "undecided", "kind": None if word else kind, "errno": number or None}
