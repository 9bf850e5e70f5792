"""Verification, by the numbered steps of SPEC 3.1."""

import json

from . import derived, facts, folder, gates, identity, merge, plan as plans, rows, verdicts, world
from .finding import Refused, in_order
from .folder import Folder, find_bundle
from .json_text import same

#: The documents of the bundle's own account: file, schema, format.
OWN = {
    "run_status.json": ("run_status", "runtime-tools.run_status.v0.1"),
    "run_manifest.json": ("run_manifest", "runtime-tools.run_manifest.v0.1"),
    "run_identity.json": ("run_identity", "sandproof.run_identity.v1"),
    "channel_witness.json": ("channel_witness", "sandproof.channel_witness.v1"),
}
ALWAYS = ("expected_matrix.json", "expected_matrix.generated.json", "mismatch_summary.json", "mismatch_packets.jsonl",
          "summary.json", "summary.md")
DERIVED = (*ALWAYS, "runtime_results.json", "runtime_events.normalized.json", "controls.json", "baseline_results.json",
           "oracle_results.json", "path_witnesses.json", "fixtures.json", "verdicts.jsonl")
RAW = ("run_status.json", "run_manifest.json", "run_identity.json", "apply_preflight.json", "channel_witness.json",
       "worker_witness.json", "repair_log.json", "rows/baseline.jsonl", "rows/control.jsonl", "rows/scenario.jsonl",
       "rows/oracle.jsonl")
FOLDERS = ("channel/", "launchctl/", "inputs/")


class Bundle:
    """A bundle that verifies, with all that was computed on the way."""

    def __init__(self, path):
        """Raises Refused with everything that the first step that found something found."""
        self.folder = folder_ = Folder(find_bundle(path))
        own = {name: self._own(name, *about) for name, about in OWN.items()}
        self.status, self.manifest = own["run_status.json"], own["run_manifest.json"]
        self.declaration, self.witness = own["run_identity.json"], own["channel_witness.json"]
        self.index, self.entries, self.files = folder_.index, folder_.entries, folder_.bytes
        self.index_sha256 = folder_.index_sha256
        try:
            if self.index:
                self._agreement()
            self._state()
        except (KeyError, TypeError, AttributeError):
            # A document has not even the members that others are held to; its shape says so.
            pass
        found = folder_.findings
        if self.index is None and any(one["code"] == "not_committed" for one in found):
            # Nothing holds the other files to anything, and the folder may be any.
            found = [one for one in found if one["path"] in (folder.INDEX, folder.STATUS)]
        if found or folder_.shapes:
            raise Refused(*[(one["path"], one["code"], one["message"]) for one in [*found, *folder_.shapes]])
        self._evaluate()

    def _own(self, name, schema_name, version):
        data = self.folder.bytes.get(name)
        return None if data is None else self.folder.document(name, data, schema_name, version)

    def _agreement(self):
        """Facts that several documents state (step 4)."""
        add, index, manifest, status = self.folder.add, self.index, self.manifest, self.status

        def agree(path, field, wanted, found):
            if not same(wanted, found):
                add(path, "disagrees", f"its {field} is {found!r}; {wanted!r} was to be expected")
        agree(folder.INDEX, "bundle_root's last part", index["run_id"], index["bundle_root"].rpartition("/")[2])
        for name, document in (("run_status.json", status), ("run_manifest.json", manifest)):
            if document:
                agree(name, "run_id", index["run_id"], document["run_id"])
                agree(name, "world_id", index["world_id"], document["world_id"])
        if manifest:
            agree("run_manifest.json", "output_root", index["bundle_root"], manifest["output_root"])
        if self.witness:
            agree("channel_witness.json", "run_id", index["run_id"], self.witness["run_id"])
        if status and manifest:
            for field in ("channel", "plan_id", "plan_digest"):
                agree("run_status.json", field, manifest[field], status[field])
        declared = self.declaration and self.declaration["identity"]
        stamps = [(folder.INDEX, index), ("run_status.json", status), ("run_manifest.json", manifest)]
        for path, document in [*stamps, *self.entries.items()]:
            if document is not None and document.get("identity") != declared:
                add(path, "other_identity", f"its identity is {document.get('identity')}, {declared} was declared")
        if manifest:
            # As it is written: a null is not an absence here.
            copied = (json.loads(self.files["run_manifest.json"])["apply_preflight"] or {}).get("record")
            listed = "apply_preflight.json" in self.entries
            data = self.files.get("apply_preflight.json")
            try:
                found = None if data is None else json.loads(data)
            except ValueError as error:
                add("apply_preflight.json", "malformed", str(error))
                found = None
            if copied is not None and not listed:
                add("apply_preflight.json", "not_listed", "the manifest has a record, the index lists none")
            elif listed and json.dumps(copied, sort_keys=True) != json.dumps(found, sort_keys=True):
                add("apply_preflight.json", "disagrees", "it differs from the record in the manifest")

    def _state(self):
        """The run is complete, and the index says so (step 5)."""
        add = self.folder.add
        if self.status and self.status["state"] != "complete":
            add("run_status.json", "run_state", f"the run is {self.status['state']}")
        elif self.status and (self.status["error"] is not None or self.status["failure_stage"] is not None):
            add("run_status.json", "status_complete", "the run is complete, but names a failure")
        if self.index:
            if self.index["status"] != "ok":
                add(folder.INDEX, "index_status", f"its status is {self.index['status']}")
            for path in self.index["missing"]:
                add(path, "declared_missing", "the index says that it is missing")

    def _evaluate(self):
        self.parts = []
        if "merge.json" in self.entries:
            merge.evaluate(self, self._part)
        else:
            if any(path.startswith("parts/") for path in self.entries):
                raise Refused(("parts", "unknown_artifact", "only a merge has parts"))
            self._evaluate_run()
        self._derived()  # 10
        self.summary = json.loads(self.files["summary.json"])

    def _part(self, path):
        part, findings = verify(path)
        self.parts.append(part)
        return part, findings

    def _evaluate_run(self):
        manifest = self.manifest
        inputs = plans.Inputs({path: data for path, data in self.files.items() if path.startswith("inputs/")})  # 6
        selection = manifest["selection"]
        self.plan = plan = plans.Plan(inputs, selection["only_profiles"], selection["only_scenarios"], selection.get("shard"))
        preflight = plan.preflight is not None and not manifest["dry_run"]
        for name, wanted, found in (
            ("plan_id", plan.document["plan_id"], manifest["plan_id"]),
            ("plan_digest", plan.digest, manifest["plan_digest"]),
            ("deadline_ms", plan.deadline_ms, manifest["deadline_ms"]),
            ("apply preflight", preflight, manifest["apply_preflight"] is not None),
        ):
            if wanted != found:
                raise plans.NotDerivable(f"the manifest's {name} is {found!r}, the inputs give {wanted!r}")
        facts.check(manifest, plan.preflight and plan.preflight.path)  # 7
        world.check(plan, manifest)
        declared = {(one["role"], one["path"], one["sha256"]) for one in manifest["declared_inputs"]}
        if declared != {(*key, sha) for key, sha in inputs.read.items()}:
            raise plans.NotDerivable("the manifest declares other documents than the plan is resolved from")
        if inputs.documents.keys() != inputs.read.keys():
            raise plans.NotDerivable("inputs/sources.json lists a document that the plan does not need")
        if self.declaration:  # 8
            wrong = identity.differing(plan, manifest, self.declaration)
            if wrong:
                raise Refused(*[
                    ("run_identity.json", "identity_differs", f"`{pointer}`: declared {declared!r}, found {found!r}")
                    for pointer, declared, found in wrong
                ])
        self.done = derived.Evaluation(plan, manifest, self.files)  # 9

    def _is_of_merge(self, name):
        return "merge.json" in self.entries and (name == "merge.json" or name.startswith("parts/"))

    def _derived(self):
        found = [(name, "not_derived", f"at `{where}`, rows and inputs give something else")
                 for name, where in derived.differing(self.done, self.files)]
        lanes = self.done.lanes
        wanted = set(ALWAYS)
        wanted |= {"baseline_results.json"} if lanes["baseline"] else set()
        wanted |= {"oracle_results.json"} if lanes["oracle"] else set()
        wanted |= {"path_witnesses.json", "fixtures.json"} if lanes["baseline"] or lanes["scenario"] else set()
        wanted |= {"controls.json", *gates.STAGE} if lanes["scenario"] else set()
        if self.manifest.get("bundle_format") == verdicts.FORMAT:
            wanted.add("verdicts.jsonl")
            data = self.files.get("verdicts.jsonl")
            if data is not None and data != verdicts.lines(self.done, data):
                found.append(("verdicts.jsonl", "verdicts_differ", "inputs and rows give other bytes"))
        for name in wanted - self.entries.keys():
            found.append((name, "derived_missing", "inputs and rows yield it, but it is absent"))
        for name in self.entries:
            if name in DERIVED:
                if name not in wanted:
                    found.append((name, "derived_extra", "inputs and rows do not yield it"))
            elif name not in RAW and not name.startswith(FOLDERS) and not self._is_of_merge(name):
                found.append((name, "unknown_artifact", "no artifact of that name is known"))
        if found:
            raise Refused(*found)


def verify(path):
    """(bundle, findings): the bundle if it verifies, else None and why."""
    try:
        return Bundle(path), []
    except Refused as refused:
        return None, in_order(refused.findings)
