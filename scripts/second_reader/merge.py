"""Merges: bundles that were put together from shares (SPEC 3)."""

import json
import os

from . import derived, identity, json_text, plan as plans, schema, shards
from .finding import Refused
from .folder import INDEX
from .verdicts import probe_sha256

LANES = ("baseline", "control", "scenario", "oracle")
#: Controls that showed least come first.
ORDER = ("wrong", "not_applied", "not_derivable", "partial", "ok")
SAME = ("world_id", "world", "host", "tool", "confinement")


def evaluate(bundle, read):
    """Holds a merge to its parts, and evaluates it. `read` verifies a bundle."""
    document = _document(bundle)
    parts = _parts(bundle, document, read)
    shard = _together(parts)
    inputs = plans.Inputs({path: data for path, data in bundle.files.items() if path.startswith("inputs/")})
    found = _Composition(parts, shard, inputs)
    refused = [(name, "not_merged", "the parts give another one") for name in found.differing(bundle, document)]
    if refused:
        raise Refused(*refused)
    bundle.plan = found.plan
    bundle.done = derived.Evaluation(found.plan, bundle.manifest, bundle.files, found.disagreeing)


def _document(bundle):
    data = bundle.files["merge.json"]
    try:
        document = json_text.parse(data)
    except json_text.NotJson as error:
        raise Refused(("merge.json", "malformed", str(error))) from error
    fault = schema.first_fault(document, "merge")
    if fault:
        raise Refused(("merge.json", "schema_not_satisfied", f"at `{fault[0]}`, {fault[1]}"))
    return document


def _parts(bundle, document, read):
    listed = [f"parts/{number:04}" for number in range(1, len(document["parts"]) + 1)]
    refused = [(path, "not_merged", "it is no part of the merge") for path in bundle.entries
               if path.startswith("parts/") and path.removesuffix(f"/{INDEX}") not in listed]
    parts = []
    for name, one in zip(listed, document["parts"]):
        root = os.path.join(bundle.folder.root, name)
        if os.path.lexists(os.path.join(root, "merge.json")):
            refused.append((name, "part_refused", "it is a merge itself"))
            continue
        part, findings = read(root)
        if findings:
            refused.append((name, "part_refused", f"{findings[0]['path']}: {findings[0]['code']}"))
        elif part.index_sha256 != one["index_sha256"]:
            refused.append((name, "part_refused", "its index has another digest"))
        else:
            parts.append(part)
    if refused:
        raise Refused(*refused)
    return parts


def _together(parts):
    """Whether they are shares of one run; how it is divided."""
    commons = []
    for part in parts:
        manifest, declaration = part.manifest, part.declaration
        shard = manifest["selection"].get("shard")
        if "bundle_format" not in manifest or not shard or len(shard["indices"]) != 1 or manifest["dry_run"]:
            raise Refused(("merge.json", "not_merged", "a part is no share"))
        one = {name: dict(declaration[name]) for name in identity.PARTS}
        one["runtime"].pop("jobs")
        for name in ("lock", "shard"):
            one["policy"].pop(name)
        commons.append([one, {name: manifest.get(name) for name in SAME}, shard["kind"], shard["count"]])
    if any(not identity.same(one, commons[0]) for one in commons):
        raise Refused(("merge.json", "not_merged", "its parts are not of one run"))
    return parts[0].manifest["selection"]["shard"]


class _Composition:
    """What parts give."""

    def __init__(self, parts, shard, inputs):
        key = [(index_of(part), part.manifest["started_at_unix_s"], part.index_sha256) for part in parts]
        if key != sorted(key):
            raise Refused(("merge.json", "not_merged", "its parts do not stand in order"))
        self.parts, self.shard, self.inputs = parts, shard, inputs
        have = sorted({index_of(part) for part in parts})
        self.gaps = [index for index in range(1, shard["count"] + 1) if index not in set(have)]
        self.cover = {**shard, "indices": have, "found_by": "merge"} if self.gaps else None
        selection = parts[0].manifest["selection"]
        self.plan = plans.Plan(inputs, selection["only_profiles"], selection["only_scenarios"], self.cover)
        numbers = shards.numbers(self.plan.declared_rows(), shard, probe_sha256)
        self.numbers = [number for number in numbers if number in set(have)]
        self.taken = {}
        for place, part in enumerate(parts):
            self.taken.setdefault(index_of(part), place)
        self._compare()
        self._controls()

    def _compare(self):
        """Attempts at a share against the one that is taken."""
        self.standings, self.differing_rows = [], {}
        for place, part in enumerate(self.parts):
            index = index_of(part)
            if self.taken[index] == place:
                self.standings.append("taken")
                continue
            of_index = [number + 1 for number, one in enumerate(self.parts) if index_of(one) == index]
            rows = [seq for seq, number in enumerate(self.numbers) if number == index]
            one, other = (lines(self.parts[at].files["verdicts.jsonl"]) for at in (self.taken[index], place))
            apart = [seq for seq, a, b in zip(rows, one, other) if a != b]
            self.standings.append("disagrees" if apart else "agrees")
            self.differing_rows |= {seq: of_index for seq in apart}
        self.disagreeing = set(self.differing_rows)

    def _controls(self):
        self.control_parts = []
        for profile in self.plan.profiles if self.plan.lanes["scenario"] else ():
            shown = [(ORDER.index(one["status"]), place) for place, part in enumerate(self.parts)
                     for one in part.done.controls if one["profile_id"] == profile.id]
            self.control_parts.append(min(shown)[1])

    def document(self, run_id):
        rows = list(zip(self.plan.rows(), range(len(self.numbers))))
        return {
            "schema_version": "sandproof.merge.v1", "run_id": run_id, "kind": self.shard["kind"],
            "count": self.shard["count"], "gaps": self.gaps,
            "parts": [{
                "part": place + 1, "run_id": part.manifest["run_id"], "index": index_of(part),
                "identity": part.declaration["identity"], "index_sha256": part.index_sha256,
                "rows": len(part.plan.rows()), "standing": self.standings[place],
            } for place, part in enumerate(self.parts)],
            "controls": [{"profile_id": profile.id, "part": place + 1}
                         for profile, place in zip(self.plan.profiles, self.control_parts)],
            "disagreements": [{
                "seq": seq, "profile_id": row.profile_id, "expectation_id": row.expectation_id,
                "parts": self.differing_rows[seq],
            } for row, seq in rows if seq in self.differing_rows],
        }

    def declaration(self):
        first = json.loads(json.dumps(self.parts[0].declaration))
        first["policy"]["shard"] = shards.text(self.cover) if self.cover else {"absent": "not_divided"}
        digests = {part: identity.digest(first[part]) for part in identity.PARTS}
        whole = {"digests": digests, "kind": first["kind"], "schema_version": first["schema_version"]}
        return {**first, "digests": digests, "identity": identity.digest(whole)}

    def manifest(self, run_id, root, identity_of):
        first = json.loads(json.dumps(self.parts[0].manifest))
        first |= {
            "run_id": run_id, "identity": identity_of, "output_root": root, "fixture_base": "", "stage_used": False,
            "stage_root": None, "repo_root_context": ".", "staged_output_root": None,
            "started_at_unix_s": min(part.manifest["started_at_unix_s"] for part in self.parts),
        }
        first["selection"].pop("shard")
        if self.cover:
            first["selection"]["shard"] = self.cover
        return first

    def rows(self, lane):
        """The bytes of a lane; None if it is off."""
        name = f"rows/{lane}.jsonl"
        if any(name not in part.files for part in self.parts):
            return None
        if lane == "control":
            found = []
            for profile, place in zip(self.plan.profiles, self.control_parts):
                all_lines = lines(self.parts[place].files[name])
                found += [line for line in all_lines if json.loads(line)["profile_id"] == profile.id]
        else:
            left = [iter(lines(part.files[name])) for part in self.parts]
            found = [next(left[self.taken[number]], b"") for number in self.numbers]
        return b"".join(_placed(line, seq) for seq, line in enumerate(found))

    def differing(self, bundle, document):
        """The files that the parts give otherwise."""
        run_id, root = bundle.manifest["run_id"], bundle.manifest["output_root"]
        declared = self.declaration()
        wanted = {
            "merge.json": (self.document(run_id), document),
            "run_identity.json": (declared, bundle.declaration),
            "run_manifest.json": (self.manifest(run_id, root, declared["identity"]), bundle.manifest),
        }
        for name, (given, found) in wanted.items():
            if not json_text.same(given, found):
                yield name

        def taken(one):
            return {path: data for path, data in one.files.items() if path.startswith("inputs/") or path == "apply_preflight.json"}
        if taken(bundle) != taken(self.parts[0]):
            yield "inputs/sources.json"
        if "channel_witness.json" in bundle.entries:
            yield "channel_witness.json"
        for lane in LANES:
            if self.rows(lane) != bundle.files.get(f"rows/{lane}.jsonl"):
                yield f"rows/{lane}.jsonl"


def index_of(part):
    return part.manifest["selection"]["shard"]["indices"][0]


def lines(data):
    return data.splitlines(keepends=True)


def _placed(line, seq):
    head, _, rest = line.partition(b',"seq":')
    digits = len(rest) - len(rest.lstrip(b"0123456789"))
    return head + b',"seq":%d' % seq + rest[digits:]
