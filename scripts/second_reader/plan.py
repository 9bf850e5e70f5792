"""From the input documents of a bundle to the rows of its plan (SPEC 1 and 1.9)."""

import re

from . import declared, json_text, landlock, schema, shards
from .canonical import sha256
from .drivers import CHANGES
from .finding import NotDerivable
from .verdicts import probe_sha256

HOME_WORLD = "sonoma-14.4.1-23E224-arm64-dyld-2c0602c5"
INDEXES = ("registries/index.json", "registry/index.json", "book/api/runtime/plans/registry/index.json")
POLICIES = {"landlock": "landlock_policy", "launcher": "launcher"}
ENDINGS = {"sb": "sbpl", "bin": "blob", "json": "landlock", "launcher": "launcher"}
FOLDERS = ("workspace", "outside", "home")
#: A folder of the row's own in a shared one, and what lies in it.
OWN_FOLDER = re.compile(r"(/(?:var/)?tmp/\$\{name\.[A-Za-z0-9_-]+\})/(.+)\Z", re.S)


def clean_path(text, policy=False):
    """The one spelling of a document's path. That of a policy may lead out of the root."""
    if not text or any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text):
        raise NotDerivable(f"{text!r} cannot name a document")
    if text.startswith("/"):
        return text
    parts = []
    for part in text.split("/"):
        if part == ".." and (not parts or parts[-1] == ".."):
            if not policy:
                raise NotDerivable(f"{text!r} leaves the root")
            parts.append(part)
        elif part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if not parts:
        raise NotDerivable(f"{text!r} names nothing")
    return "/".join(parts)


def plan_digest(plan):
    """SHA-256 over the plan's seven material keys (SPEC 1.9)."""
    material = {
        "apply_preflight_profile": plan.get("apply_preflight_profile"),
        "controls": plan.get("controls", {}),
        "lanes": plan.get("lanes", {}),
        "plan_id": plan["plan_id"],
        "profiles": plan["profiles"],
        "registry_id": plan["registry_id"],
        "schema_versions": {},
    }
    return sha256(_spaced(material).encode("ascii"))


def _spaced(value):
    """JSON of ASCII alone, names by code point, `, ` and `: ` between."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(name)}: {_spaced(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_spaced(item) for item in value) + "]"
    if isinstance(value, str):
        return _text(value)
    return {None: "null", True: "true", False: "false"}[value] if value is None or value is True or value is False \
        else str(value)


SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def _text(text):
    out = []
    for c in text:
        if c in SHORT:
            out.append(SHORT[c])
        elif " " <= c <= "~":
            out.append(c)
        else:
            units = c.encode("utf-16-be")
            out.extend(f"\\u{units[n]:02x}{units[n + 1]:02x}" for n in range(0, len(units), 2))
    return '"' + "".join(out) + '"'


class Inputs:
    """The documents of a bundle by role and path, and which of them were asked for."""

    def __init__(self, files):
        """`files`: what lies below `inputs/`, by path in the bundle."""
        if "inputs/sources.json" not in files:
            raise NotDerivable("inputs/sources.json is absent")
        listed = self._strict(files["inputs/sources.json"], "input_sources", "inputs/sources.json")
        self.files = files
        self.documents = {}
        self.read = {}
        for entry in listed["documents"]:
            key = (entry["role"], entry["path"])
            data = files.get(entry["file"])
            if key in self.documents:
                raise NotDerivable(f"inputs/sources.json lists {key} twice")
            if data is None or len(data) != entry["size"] or sha256(data) != entry["sha256"]:
                raise NotDerivable(f"inputs/sources.json lists {entry['file']}, which is absent or another")
            self.documents[key] = entry
        named = {entry["file"] for entry in self.documents.values()} | {"inputs/sources.json"}
        stray = sorted(files.keys() - named)
        if stray:
            raise NotDerivable(f"{stray[0]} lies below inputs/ and is not listed")
        plans = [path for role, path in self.documents if role == "plan"]
        if len(plans) != 1:
            raise NotDerivable(f"inputs/sources.json lists {len(plans)} plans")
        self.plan_path = plans[0]

    @staticmethod
    def _strict(data, name, path):
        try:
            value = json_text.parse(data)
        except json_text.NotJson as error:
            raise NotDerivable(f"{path}: {error}") from error
        fault = schema.first_fault(value, name)
        if fault:
            raise NotDerivable(f"{path}: at `{fault[0]}`, {fault[1]}")
        return value

    def has(self, role, path):
        return (role, path) in self.documents

    def data(self, role, path):
        if not self.has(role, path):
            raise NotDerivable(f"the bundle lists no {role} {path}")
        entry = self.documents[role, path]
        self.read[role, path] = entry["sha256"]
        return self.files[entry["file"]]

    def document(self, role, path, name):
        return self._strict(self.data(role, path), name, path)

    def kept(self, role, path):
        """The bytes of a document, or None where it is not listed."""
        return self.data(role, path) if self.has(role, path) else None

    def subject(self, path):
        """The declaration of another system, in the format that it says it has."""
        try:
            said = json_text.parse(self.data("subject", path))
        except json_text.NotJson as error:
            raise NotDerivable(f"{path}: {error}") from error
        second = isinstance(said, dict) and said.get("schema_version") == declared.FORMAT
        return self.document("subject", path, "system_declaration_v2" if second else "system_declaration")


class Row:
    """A probe under a profile: what the plan has at one place."""

    def __init__(self, profile_id, probe, expectation_id, fixtures):
        self.profile_id = profile_id
        self.probe = probe
        self.expectation_id = expectation_id
        self.fixtures = fixtures

    def name(self):
        return self.probe.get("name", self.probe["probe_id"])

    def expectation(self):
        """What is expected, in a line of words (SPEC 8.2)."""
        probe, text = self.probe, self.probe["expected"]
        if probe.get("mechanism"):
            text += " " + " or ".join(probe["mechanism"])
        if probe.get("errno"):
            text += (", with " if probe.get("mechanism") else " with ") + " or ".join(probe["errno"])
        return text + (", by this name alone" if probe.get("name_alone") else "")

    def supports(self, lane):
        return self.probe.get("supports_lanes", {}).get(lane) is not False


class Profile:
    """A profile with its policy and the rows that the selection leaves."""

    def __init__(self, entry, policy, rows):
        self.id = entry["profile_id"]
        self.entry = entry
        self.policy = policy
        self.rows = rows


class Policy:
    """A policy document: path, mode, bytes, and its value where it is JSON."""

    def __init__(self, inputs, spelled, mode):
        self.path = clean_path(spelled, policy=True)
        self.mode = mode
        data = inputs.data("policy", self.path)
        self.sha256 = sha256(data)
        self.data = data
        self.value = inputs.document("policy", self.path, POLICIES[mode]) if mode in POLICIES else None
        refused = landlock.refusal(self.value) if mode == "landlock" else None
        if refused or (mode == "blob" and not data):
            raise NotDerivable(f"{self.path}: {refused or 'it is empty'}")


class Plan:
    """A plan, resolved."""

    def __init__(self, inputs, only_profiles=(), only_scenarios=(), shard=None):
        self.inputs = inputs
        self.document = plan = inputs.document("plan", inputs.plan_path, "plan")
        self.digest = plan_digest(plan)
        questions = [path for role, path in inputs.documents if role == "questions"]
        self.questions = inputs.data("questions", questions[0]) if questions else None
        probes_path, profiles_path = self._registry()
        self.probes = inputs.document("probes", probes_path, "probe_registry")
        self.registry = inputs.document("profiles", profiles_path, "profile_registry")
        for key, entry in self.probes["probes"].items():
            if entry.setdefault("probe_id", key) != key:
                raise NotDerivable(f"the probe {key} has another id")
        for key, entry in self.registry["profiles"].items():
            if entry["profile_id"] != key:
                raise NotDerivable(f"the profile {key} has another id")
        if {self.probes["registry_id"], self.registry["registry_id"]} != {plan["registry_id"]}:
            raise NotDerivable("the registry's documents have other ids")
        self.world_id = plan.get("world_id", HOME_WORLD)
        self.world = self.world_sha256 = None
        path = f"registries/worlds/{self.world_id}.json"
        if inputs.has("world", path):
            self.world = inputs.document("world", path, "world")
            self.world_sha256 = inputs.read["world", path]
            if self.world["world_id"] != self.world_id:
                raise NotDerivable("the world's document has another id")
        self._subject()
        lanes = plan.get("lanes", {})
        self.lanes = {lane: lanes.get(lane, True) is not False for lane in ("baseline", "scenario", "oracle")}
        self.deadline_ms = plan.get("deadline_ms", 10_000)
        self.policies = {}
        # What is declared is the plan without its shares; what stays of it below is this share.
        self.profiles = self.declared = self._profiles(set(only_profiles), set(only_scenarios))
        if shard is not None:
            self.profiles = self._share(shard)
        self.preflight = self._preflight()

    def _registry(self):
        plan, inputs = self.document, self.inputs
        index_path = next((path for path in INDEXES if inputs.has("index", path)), None)
        folder = inputs.plan_path.rpartition("/")[0]
        beside = [f"{folder}/{name}" if folder else name for name in ("registry/probes.json", "registry/profiles.json")]
        beside = beside if inputs.has("probes", beside[0]) else None
        if index_path is None:
            if beside:
                return beside
            raise NotDerivable("there is no index")
        index = inputs.document("index", index_path, "registry_index")
        found = [entry for entry in index["registries"] if entry["id"] == plan["registry_id"]]
        if len(found) == 1:
            return clean_path(found[0]["probes"]), clean_path(found[0]["profiles"])
        if found or not beside:
            raise NotDerivable(f"the registry {plan['registry_id']} is listed {len(found)} times")
        return beside

    def _subject(self):
        self.subject_path = None
        if "subject" in self.document:
            self.subject_path = clean_path(self.document["subject"])
            self.subject = self.inputs.subject(self.subject_path)
            named = self.subject["policy"].get("sandbox", {}).get("profile")
            if named is not None and named not in self.document["profiles"]:
                raise NotDerivable(f"the subject is confined by the profile {named}, which the plan does not probe")
            for role, path in self.inputs.documents:
                if role in ("subject_file", "subject_digest"):
                    self.inputs.data(role, path)

    def _profiles(self, only_profiles, only_scenarios):
        probes, registry, ids = self.probes["probes"], self.registry["profiles"], self.document["profiles"]
        if len(set(ids)) != len(ids) or any(one not in registry for one in ids):
            raise NotDerivable("the plan names a profile twice, or one that there is not")
        users = {}
        for one in ids:
            references = registry[one]["probe_refs"]
            if not references or len(set(references)) != len(references):
                raise NotDerivable(f"the profile {one} names no probe, or one twice")
            if any(reference not in probes for reference in references):
                raise NotDerivable(f"the profile {one} names a probe that there is not")
            bases = [base_id(probes[reference]) for reference in references]
            if len(set(bases)) != len(bases):
                raise NotDerivable(f"two probes of the profile {one} have one expectation id")
            for base in bases:
                users.setdefault(base, []).append(one)
        unknown = only_profiles - set(ids)
        every = {base for base in users} | {f"{one}::{base}" for base, all_ in users.items() if len(all_) > 1 for one in all_}
        if unknown or only_scenarios - every:
            raise NotDerivable("the selection names what the plan has not")
        planned, taken = [], set()
        for one in ids:
            entry, rows = registry[one], []
            for reference in entry["probe_refs"]:
                probe = probes[reference]
                base = base_id(probe)
                full = f"{one}::{base}" if len(users[base]) > 1 else base
                if full in taken:
                    raise NotDerivable(f"two rows have the expectation id {full}")
                taken.add(full)
                fixtures = entry.get("fixtures", []) + probe.get("fixtures", [])
                if not only_scenarios or full in only_scenarios or base in only_scenarios:
                    rows.append(Row(one, probe, full, fixtures))
            if rows and (not only_profiles or one in only_profiles):
                self._imports(entry)
                planned.append(Profile(entry, self._policy(entry["profile_path"], entry["mode"]), rows))
        if not planned:
            raise NotDerivable("nothing of the plan is selected")
        for waiver in self.document.get("history", {}).get("waivers", []):
            if waiver["expectation_id"] not in taken:
                raise NotDerivable(f"a waiver is about {waiver['expectation_id']}, which the plan has not")
        return planned

    def _imports(self, entry):
        """What a Seatbelt text imports is known from the list alone: a document in the folder of its imports."""
        if entry["mode"] == "sbpl" and "import_dir" in entry:
            folder = clean_path(entry["import_dir"]) + "/"
            for role, path in self.inputs.documents:
                if role == "policy" and path.startswith(folder):
                    self.inputs.data(role, path)

    def _policy(self, spelled, mode):
        key = (clean_path(spelled, policy=True), mode)
        if key not in self.policies:
            self.policies[key] = Policy(self.inputs, spelled, mode)
        return self.policies[key]

    def _preflight(self):
        spelled = self.document.get("apply_preflight_profile")
        if spelled is None:
            return None
        path = clean_path(spelled, policy=True)
        entries = [self.registry["profiles"][one] for one in self.document["profiles"]]
        modes = [entry["mode"] for entry in entries if clean_path(entry["profile_path"], policy=True) == path]
        mode = modes[0] if modes else ENDINGS.get(spelled.rpartition(".")[2], "sbpl")
        return self._policy(spelled, mode)

    def _share(self, shard):
        if not shards.is_share(shard):
            raise NotDerivable("the share of the plan is none")
        numbers = iter(shards.numbers(self.declared_rows(), shard, probe_sha256))
        found = [Profile(one.entry, one.policy, [row for row in one.rows if next(numbers) in shard["indices"]])
                 for one in self.declared]
        return [one for one in found if one.rows]

    def rows(self):
        return [row for profile in self.profiles for row in profile.rows]

    def declared_rows(self):
        return [row for profile in self.declared for row in profile.rows]


def base_id(probe):
    return probe.get("expectation_id", probe["probe_id"])


def action(probe):
    """What a probe does, as its rows have it, with placeholders."""
    def with_folders(text):
        for folder in FOLDERS:
            text = text.replace("${" + folder + "}", "${root}/" + folder)
        return text
    found = {"driver": probe.get("driver"), "target": with_folders(probe["target"])}
    if probe.get("to") is not None:
        found["to"] = with_folders(probe["to"])
    if probe.get("attribute") is not None:
        found["name"] = probe["attribute"]
    if probe.get("argv"):
        found["argv"] = [with_folders(word) for word in probe["argv"]]
    if probe.get("exit_code") is not None:
        found["exit_code"] = probe["exit_code"]
    if probe.get("mounts"):
        found["mounts"] = probe["mounts"]
    return found


def implied_folders(action, fixtures):
    """Folders of the row's own in shared ones that a changing driver's paths lie in and no fixture names (SPEC 1.9, step 9)."""
    made = []
    if action is None or action["driver"] not in CHANGES:
        return made
    second = action.get("to") if action["driver"] != "symlink_create" else None
    for path in (action["target"], second):
        found = path and OWN_FOLDER.match(path)
        if found and not _climbs_out(found[2]):
            folder = found[1]
            if not any(one["path"] == folder or one["path"].startswith(folder + "/") for one in [*fixtures, *made]):
                made.append({"path": folder, "kind": "dir"})
    return made


def _climbs_out(path):
    depth = 0
    for part in path.split("/"):
        depth += {"": 0, ".": 0, "..": -1}.get(part, 1)
        if depth < 0:
            return True
    return False
