#!/usr/bin/env python3
"""Checks the declared identity of bundles without sandproof.

A second implementation of section 8 of SPEC.md, with Python's standard library alone: the canonical form, the digests of the
four parts, the identity, the declared documents against the copies in the bundle, the expectations against the matrix, the
manifest's facts, and every stamp.

usage: verify_identity.py BUNDLE|DECLARATION ...     exit 0: all hold; 1: something differs; 4: something cannot be read
"""

import hashlib
import json
import os
import sys
import unicodedata

PARTS = ("artifact", "runtime", "policy", "history")
MAX_INTEGER = 2**53 - 1
STAMPED = ("run_manifest.json", "run_status.json", "summary.json", "artifact_index.json")


class Unreadable(Exception):
    """What cannot be judged at all."""


def no_float(text):
    raise Unreadable(f"{text} is no whole number")


def whole(text):
    if text == "-0":
        no_float(text)
    return int(text)


def no_twins(pairs):
    members = {}
    for name, value in pairs:
        if name in members:
            raise Unreadable(f"the name {name!r} stands twice in one object")
        members[name] = value
    return members


def read(path, strict=False):
    """Reads JSON; strictly where the canonical form of all of it counts."""
    hooks = dict(object_pairs_hook=no_twins)
    if strict:
        hooks.update(parse_float=no_float, parse_int=whole, parse_constant=no_float)
    try:
        with open(path, "rb") as file:
            return json.loads(file.read().decode("utf-8"), **hooks)
    except (OSError, ValueError, RecursionError) as error:
        raise Unreadable(f"{path}: {error}") from error


def canonical(value):
    """RFC 8785, for whole numbers and texts in normal form C."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise Unreadable(f"{value} is beyond 2^53 - 1")
        return str(value)
    if isinstance(value, str):
        if any(0xD800 <= ord(c) <= 0xDFFF for c in value) or not unicodedata.is_normalized("NFC", value):
            raise Unreadable(f"the text {value!r} has no canonical form")
        # json writes control characters as the RFC does, but for DEL, which neither escapes.
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(canonical(name) + ":" + canonical(value[name]) for name in names) + "}"
    raise Unreadable(f"{value!r} has no canonical form")


def digest(value):
    return hashlib.sha256(canonical(value).encode("utf-8")).hexdigest()


def file_digest(path):
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError as error:
        raise Unreadable(str(error)) from error


def stated(value):
    """The value of an element, or None where it says why it has none."""
    return None if isinstance(value, dict) and "absent" in value else value


def check_declaration(declaration):
    """Digests and identity of a declaration against its own parts: (pointer, declared, found)."""
    for part in PARTS:
        yield f"/digests/{part}", declaration["digests"][part], digest(declaration[part])
    seal = {name: declaration[name] for name in ("digests", "kind", "schema_version")}
    yield "/identity", declaration["identity"], digest(seal)


def expectation(probe):
    """What a row of the matrix expects, in a line."""
    text = probe["expected"]
    if "mechanism" in probe:
        text += " " + " or ".join(probe["mechanism"])
    return text + (", by this name alone" if probe.get("name_alone") else "")


def check_bundle(folder, declaration):
    """A run's declaration against the other documents of its bundle."""
    artifact, runtime, policy = (declaration[part] for part in PARTS[:3])
    identity = declaration["identity"]
    index = read(os.path.join(folder, "artifact_index.json"))
    manifest = read(os.path.join(folder, "run_manifest.json"))

    # Stamps: documents that have room for one, and the entry of every artifact.
    for name in STAMPED:
        if os.path.exists(os.path.join(folder, name)):
            yield f"{name}/identity", identity, read(os.path.join(folder, name)).get("identity")
    root = index["bundle_root"] + "/"
    for entry in index["artifacts"]:
        yield f"artifact_index.json: {entry['path']}", identity, entry.get("identity")
        if entry["path"] == root + "run_identity.json":
            yield "run_identity.json", entry["sha256"], file_digest(os.path.join(folder, "run_identity.json"))

    # The declared documents are the ones in the bundle, and all of them.
    found = {}
    for document in read(os.path.join(folder, "inputs", "sources.json"))["documents"]:
        inside = os.path.normpath(document["file"])
        if os.path.isabs(inside) or inside.startswith(".."):
            raise Unreadable(f"{document['file']} leaves the bundle")
        path = os.path.join(folder, inside)
        found.setdefault(document["role"], {})[document["path"]] = file_digest(path)
    for role in sorted(artifact["documents"].keys() | found.keys()):
        declared, copies = artifact["documents"].get(role, {}), found.get(role, {})
        for path in sorted(declared.keys() | copies.keys()):
            yield f"/artifact/documents/{role}/{path}", declared.get(path), copies.get(path)
    for profile, element in artifact["profiles"].items():
        yield f"/artifact/profiles/{profile}/sha256", element["sha256"], found.get("policy", {}).get(element["path"])

    # What is expected, from the matrix, which lists rows in run order.
    matrix_path = os.path.join(folder, "expected_matrix.json")
    if os.path.exists(matrix_path):
        expected = {}
        for profile, entry in read(matrix_path)["profiles"].items():
            lines = "".join(f"{p['expectation_id']}\t{expectation(p)}\n" for p in entry["probes"])
            sha256 = hashlib.sha256(lines.encode("utf-8")).hexdigest()
            expected[profile] = {"rows": len(entry["probes"]), "sha256": sha256}
        for profile in sorted(policy["expectations"].keys() | expected.keys()):
            declared = policy["expectations"].get(profile)
            yield f"/policy/expectations/{profile}", declared, expected.get(profile)

    # Facts that the manifest states too.
    for name in ("name", "version", "sha256"):
        yield f"/artifact/tool/{name}", artifact["tool"][name], manifest["tool"][name]
    for name in ("plan_id", "plan_digest"):
        yield f"/artifact/plan/{name}", artifact["plan"][name], manifest[name]
    direct = runtime["channel"]["kind"] == "direct"
    yield "/runtime/channel/kind", runtime["channel"]["kind"], manifest["channel"]
    yield "/runtime/world/declared", runtime["world"]["declared"], manifest["world"]["declared"]
    yield "/runtime/jobs", runtime["jobs"], manifest["jobs"]
    yield "/runtime/user/uid_class", runtime["user"]["uid_class"], manifest["host"]["uid_class"]
    for name, fact in runtime["host"].items():
        if direct or stated(fact) is not None:
            yield f"/runtime/host/{name}", stated(fact), manifest["host"].get(name)
    if direct:
        found = manifest.get("confinement") or {}
        for name, fact in runtime["confinement"].items():
            # A dry run makes no fixtures, so their place is not declared.
            if stated(fact) is not None or not manifest["dry_run"]:
                yield f"/runtime/confinement/{name}", stated(fact), found.get(name)
    for name in ("dry_run", "deadline_ms", "selection"):
        yield f"/policy/{name}", policy[name], manifest[name]


def verify(path):
    """Prints what differs; whether nothing does."""
    folder = path if os.path.isdir(path) else None
    declaration = read(os.path.join(path, "run_identity.json") if folder else path, strict=True)
    checks = list(check_declaration(declaration))
    if folder:
        checks += check_bundle(folder, declaration)
    differing = [check for check in checks if check[1] != check[2]]
    for pointer, declared, found in differing:
        print(f"{path}: {pointer}: declared {json.dumps(declared)}, found {json.dumps(found)}")
    if not differing:
        print(f"{path}: identity {declaration['identity']}: {len(checks)} checks hold")
    return not differing


def main(paths):
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    worst = 0
    for path in paths:
        try:
            worst = max(worst, 0 if verify(path) else 1)
        except Unreadable as error:
            print(f"{path}: {error}")
            worst = 4
        except (KeyError, TypeError, AttributeError) as error:
            print(f"{path}: it does not have the shape of a run's declaration: {error!r}")
            worst = 4
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
