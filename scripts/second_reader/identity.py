"""A run's declaration against itself, the plan, and the manifest (SPEC 8)."""

import json
import unicodedata

from . import absence, declared as systems, sbpl_text, shards
from .canonical import NoCanonicalForm, digest, sha256
from .decide import RULE
from .finding import NotDerivable
from .landlock import Table

PARTS = ("artifact", "runtime", "policy", "history")
GATE_RULES = "sandproof.gate_rules.v2"
LIMITS = {
    "input_document_bytes": 256 * 2**20, "policy_bytes": 10 * 2**20, "json_depth": 64, "string_bytes": 2**20,
    "rows": 1_000_000, "row_bytes": 2**20, "report_bytes": 2**16,
}
LISTED_PATHS = 1000
MACOS = ("product_version", "product_build", "shared_cache_uuid", "sip_config")
LINUX = ("landlock_abi", "landlock_errata", "lsms")


def stated(value):
    """The value of an element, or None where it says why it has none."""
    return None if isinstance(value, dict) and "absent" in value else value


def against_itself(declaration):
    """(pointer, declared, found) of digests and identity."""
    for part in PARTS:
        try:
            found = digest(declaration[part])
        except NoCanonicalForm as error:
            yield f"/{part}", "a canonical form", str(error)
            continue
        yield f"/digests/{part}", declaration["digests"][part], found
    seal = {name: declaration[name] for name in ("digests", "kind", "schema_version")}
    yield "/identity", declaration["identity"], digest(seal)
    found = systems.completeness(declaration) if declaration["schema_version"] == systems.FORMAT else None
    yield "/completeness", declaration.get("completeness"), found


def launcher_digest(document):
    """The digest of a launcher's document, with its defaults written out and without what is empty."""
    defaults = {"os": "linux", "start": "resident", "start_timeout_ms": 10_000}
    return digest(defaults | {name: value for name, value in document.items() if value not in ([], {})}, any_form=True)


def seatbelt_digest(text, parameters, rules):
    """The digest of a Seatbelt text with its parameters and the profile's own rules; raises NoText."""
    program = sbpl_text.printed(sbpl_text.whole(text, rules))
    return digest({"parameters": parameters, "program": program}, any_form=True)


def policy_element(policy, entry):
    """What is declared of a policy; `entry` is its profile in the registry, empty for the preflight's."""
    if policy.mode == "landlock":
        meaning = Table(policy.value).digest()
    elif policy.mode == "launcher":
        meaning = launcher_digest(policy.value)
    elif policy.mode == "blob":
        meaning = sha256(policy.data)
    else:
        try:
            meaning = seatbelt_digest(policy.data.decode(), entry.get("parameters", {}), entry.get("key_specific_rules", []))
        except (sbpl_text.NoText, UnicodeDecodeError) as error:
            raise NotDerivable(f"{policy.path}: {error}") from error
    return {"path": policy.path, "mode": policy.mode, "sha256": policy.sha256, "value_sha256": meaning}


def expectations(profile):
    lines = "".join(f"{row.expectation_id}\t{row.expectation()}\n" for row in profile.rows)
    return {"rows": len(profile.rows), "sha256": sha256(lines.encode("utf-8"))}


def fixtures(plan):
    profiles = {one.id: one.entry["fixtures"] for one in plan.declared if one.entry.get("fixtures")}
    probes = {row.probe["probe_id"]: row.probe["fixtures"] for row in plan.declared_rows() if row.probe.get("fixtures")}
    entries = sum(len(one) for one in [*profiles.values(), *probes.values()])
    return {"entries": entries, "sha256": digest({"probes": probes, "profiles": profiles}, any_form=True)}


def pre_existing(plan, declared):
    """The element for the plan's fixed paths, with the kinds that the declaration gives."""
    texts = {text for row in plan.declared_rows() for text in (row.probe["target"], row.probe.get("to")) if text}
    paths = sorted((text for text in texts if text.startswith("/")), key=lambda text: text.encode())
    kinds = {path: declared["kinds"].get(path, "unknown") for path in paths}
    found = sha256("".join(f"{path}\t{kind}\n" for path, kind in kinds.items()).encode())
    listed = [path for path in paths if unicodedata.is_normalized("NFC", path)][:LISTED_PATHS]
    if len(paths) > min(len(declared["kinds"]), LISTED_PATHS):
        found = declared["sha256"]
    return {"paths": len(paths), "sha256": found, "kinds": {path: kinds[path] for path in listed}}


def against_plan(plan, declaration, form):
    """(pointer, declared, found) of what follows from the plan."""
    artifact, runtime, policy, history = (declaration[part] for part in PARTS)
    document = plan.document
    wanted = {
        "/artifact/plan": {
            "plan_id": document["plan_id"], "plan_digest": plan.digest, "registry_id": document["registry_id"],
        },
        "/artifact/documents": _documents(plan),
        "/artifact/template": form.absent("no_template"),
        "/artifact/fixtures": fixtures(plan),
        "/runtime/world/declared": plan.world_id,
        "/runtime/world/document_sha256": plan.world_sha256 or form.absent("world_unknown"),
        "/policy/lanes": plan.lanes,
        "/policy/controls": document.get("controls", {}),
        "/policy/expectations": {one.id: expectations(one) for one in plan.declared},
        "/policy/decision_rule": RULE,
        "/policy/gate_rules": GATE_RULES,
        "/policy/deadline_ms": plan.deadline_ms,
        "/policy/limits": LIMITS,
        "/policy/preflight": plan.preflight is not None and not policy["dry_run"],
        "/history/fixtures/created": "none" if policy["dry_run"] else "fresh",
        "/history/fixtures/pre_existing": pre_existing(plan, history["fixtures"]["pre_existing"]),
        "/history/depends_on": document.get("history", {}).get("depends_on", []),
        "/history/waivers": document.get("history", {}).get("waivers", []),
    }
    yield "/artifact/profiles", set(artifact["profiles"]), {one.id for one in plan.declared}
    elements = {f"/artifact/profiles/{one.id}": one for one in plan.declared}
    for pointer, one in elements.items():
        declared = artifact["profiles"].get(pointer.rpartition("/")[2], {})
        yield from _policy(pointer, declared, policy_element(one.policy, one.entry))
    if plan.preflight:
        yield from _policy("/artifact/preflight_policy", artifact["preflight_policy"], policy_element(plan.preflight, {}))
    else:
        wanted["/artifact/preflight_policy"] = form.absent("no_preflight")
    launchers = {one.id for one in plan.declared if one.policy.mode == "launcher"}
    yield "/artifact/launchers", set(artifact.get("launchers", {})), launchers
    yield from _subject(plan, artifact["subject"], form)
    for pointer, found in wanted.items():
        declared = declaration
        for name in pointer.split("/")[1:]:
            declared = declared.get(name) if isinstance(declared, dict) else None
        yield pointer, declared, found


def _documents(plan):
    found = {}
    for (role, path), sha in plan.inputs.read.items():
        found.setdefault(role, {})[path] = sha
    return found


def _policy(pointer, declared, found):
    for name, value in found.items():
        yield f"{pointer}/{name}", declared.get(name) if isinstance(declared, dict) else None, value


def _subject(plan, declared, form):
    if plan.subject_path is None:
        yield "/artifact/subject", declared, form.absent("no_subject")
        return
    found = {"path": plan.subject_path, "sha256": plan.inputs.read["subject", plan.subject_path],
             "kind": plan.subject["kind"], "identity": subject_identity(plan)}
    yield "/artifact/subject", declared, found


def subject_identity(plan):
    """The identity of the system that the plan names as its subject (SPEC 8.5)."""
    folder = plan.subject_path.rpartition("/")[0]
    if plan.subject["schema_version"] == systems.FORMAT:
        files = systems.Listed(plan.inputs.kept, folder)
        try:
            return systems.seal(plan.inputs.data("subject", plan.subject_path), files)["identity"]
        except systems.NotSealable as error:
            raise NotDerivable(f"{plan.subject_path}: {error}") from error

    def sealed(value):
        if isinstance(value, dict):
            if set(value) == {"file"} and isinstance(value["file"], str):
                path = f"{folder}/{value['file']}" if folder else value["file"]
                return {"digest": f"sha256:{plan.inputs.read['subject_file', path]}"}
            if set(value) == {"value"}:
                return value
            return {name: sealed(one) for name, one in value.items()}
        return [sealed(one) for one in value] if isinstance(value, list) else value
    parts = {part: sealed(plan.subject[part]) for part in PARTS}
    digests = {part: digest(parts[part]) for part in PARTS}
    return digest({"digests": digests, "kind": plan.subject["kind"], "schema_version": plan.subject["schema_version"]})


def against_manifest(manifest, declaration, form):
    """(pointer, declared, found) of what the manifest states too."""
    artifact, runtime, policy = (declaration[part] for part in PARTS[:3])
    direct = runtime["channel"]["kind"] == "direct"
    host = manifest["host"]
    for name in ("name", "version", "sha256"):
        yield f"/artifact/tool/{name}", artifact["tool"][name], manifest["tool"][name]
    yield "/runtime/channel/kind", runtime["channel"]["kind"], manifest["channel"]
    yield "/runtime/jobs", runtime["jobs"], manifest["jobs"]
    for member in ("repeat", "shuffle"):
        yield f"/runtime/{member}", runtime.get(member), manifest.get(member)
    yield "/runtime/user/uid_class", runtime["user"]["uid_class"], host["uid_class"]
    yield "/runtime/world/declared", runtime["world"]["declared"], manifest["world"]["declared"]
    if direct or stated(runtime["world"]["world_id"]) is not None:
        yield "/runtime/world/world_id", runtime["world"]["world_id"], manifest["world_id"]
    if direct or stated(runtime["fixture_file_system"]) is not None:
        yield "/runtime/fixture_file_system", stated(runtime["fixture_file_system"]), host["fixture_fs"]
    facts = {name: value for name, value in host.items() if name not in ("uid_class", "fixture_fs")}
    for name in facts.keys() | runtime["host"].keys():
        declared = runtime["host"].get(name)
        if name not in facts:
            yield f"/runtime/host/{name}", declared, None
        elif direct or declared is None or stated(declared) is not None:
            yield f"/runtime/host/{name}", declared, _fact(host["os"], name, facts[name], form)
    if direct:
        yield "/runtime/confinement", runtime["confinement"], _confinement(manifest, form)
    for name in ("dry_run", "deadline_ms"):
        yield f"/policy/{name}", policy[name], manifest[name]
    yield "/policy/host_programs", policy.get("host_programs", False), manifest.get("host_programs", False)
    selection = dict(manifest["selection"])
    shard = selection.pop("shard", None)
    yield "/policy/shard", policy["shard"], form.absent("not_divided") if shard is None else shards.text(shard)
    yield "/policy/selection", policy["selection"], selection


def _fact(system, name, value, form):
    if value is not None:
        return value
    other = (name in MACOS and system != "macos") or (name in LINUX and system != "linux")
    return form.absent("no_such_fact" if other else "not_observed")


def _confinement(manifest, form):
    facts, system, dry = manifest.get("confinement"), manifest["host"]["os"], manifest["dry_run"]
    if facts is None:
        return None
    found = {}
    for name in ("landlock_layers", "landlock_refuses_refer", "seccomp", "seccomp_filters", "no_new_privs", "lsm_label"):
        why = "not_found_out" if system == "linux" else "no_such_fact"
        found[name] = form.absent(why) if facts.get(name) is None else facts[name]
    why = "not_found_out" if system == "macos" else "no_such_fact"
    found["seatbelt"] = form.absent(why) if facts.get("seatbelt") is None else facts["seatbelt"]
    no_fixtures = form.absent("dry_run_no_fixtures")
    if dry and facts.get("landlock_refuses_refer") is None:
        found["landlock_refuses_refer"] = no_fixtures
    found["rules_over_fixtures"] = no_fixtures if dry else facts.get("rules_over_fixtures", {})
    return found


def differing(plan, manifest, declaration):
    """Every place in which the declaration is not what the bundle's documents yield."""
    form = absence.Form(manifest)
    checks = [*against_itself(declaration), *against_plan(plan, declaration, form),
              *against_manifest(manifest, declaration, form),
              ("/policy/unconfirmed", declaration["policy"].get("unconfirmed"), form.unconfirmed(declaration))]
    for part in PARTS:
        checks += [(pointer, why, "a reason in the declaration's form") for pointer, why in form.misfits(declaration[part], f"/{part}")]
    return [place for check in checks for place in places(*check)]


def places(pointer, declared, found):
    """Where two values differ: the members that do, where both are objects with some in common."""
    if same(declared, found):
        return
    if isinstance(declared, dict) and isinstance(found, dict) and declared.keys() & found.keys():
        for name in sorted(declared.keys() | found.keys()):
            yield from places(f"{pointer}/{name}", declared.get(name), found.get(name))
        return
    yield pointer, declared, found


def same(one, other):
    if isinstance(one, set):
        return one == other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
