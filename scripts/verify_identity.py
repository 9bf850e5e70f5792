#!/usr/bin/env python3
"""Checks the declared identity of bundles without sandproof.

The part of the second reader (`verify_bundle.py`) that is section 8 of SPEC.md: the canonical form, the digests of the four
parts, the identity, what the plan in the bundle gives, the manifest's facts, and every stamp. A declaration by itself is held
to itself alone. The bundle need not verify.

usage: verify_identity.py BUNDLE|DECLARATION|FOLDER ...     exit 0: all hold; 1: something differs; 4: something cannot be read
                                                     FOLDER: what `identity declare --out` wrote, computed from its document
       verify_identity.py --from DOCUMENT DECLARATION [NAME=DIR ...]     computes it from the document and what that names
       verify_identity.py --attested ATTESTATION KEY DECLARATION     exit 0: it holds, and the attestation is of it, by this public key
                                                                    (PEM); 4: it does not hold; 5: the attestation does not
"""

import json
import os
import sys

from second_reader import absence, attested, declared, identity, json_text, plan as plans
from second_reader.canonical import NoCanonicalForm, sha256
from second_reader.finding import Refused

STAMPED = ("run_manifest.json", "run_status.json", "summary.json", "artifact_index.json")


class Unreadable(Exception):
    """What cannot be judged at all."""


def load(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Unreadable(str(error)) from error


def read(path):
    try:
        return json_text.parse(load(path))
    except json_text.NotJson as error:
        raise Unreadable(f"{path}: {error}") from error


def stamps(folder, declared):
    """(where, declared, found) of every stamp, and of the declaration's own digest in the index."""
    index = read(os.path.join(folder, "artifact_index.json"))
    for name in STAMPED:
        if os.path.exists(os.path.join(folder, name)):
            yield f"{name}/identity", declared, read(os.path.join(folder, name)).get("identity")
    own = index["bundle_root"] + "/run_identity.json"
    for entry in index["artifacts"]:
        yield f"artifact_index.json: {entry['path']}", declared, entry.get("identity")
        if entry["path"] == own:
            yield "run_identity.json", entry["sha256"], sha256(load(os.path.join(folder, "run_identity.json")))


def inputs(folder):
    """The files below `inputs/`, by path in the bundle."""
    found = {}
    for here, _, names in os.walk(os.path.join(folder, "inputs")):
        for name in names:
            path = os.path.relpath(os.path.join(here, name), folder)
            found[path] = load(os.path.join(folder, path))
    return found


def kept(folder):
    """What is kept in the folder of a sealed declaration."""
    listed = {(one["role"], one["path"]): one["sha256"] for one in read(os.path.join(folder, "inputs.json"))["documents"]}

    def give(role, path):
        if (role, path) not in listed:
            return None
        data = load(os.path.join(folder, "content", listed[role, path]))
        if sha256(data) != listed[role, path]:
            raise Unreadable(f"{folder}: what is kept of {path} has another digest")
        return data
    return declared.Listed(give)


def against_document(declaration, data, files):
    """(pointer, declared, found) of a sealed declaration and its document."""
    yield from identity.against_itself(declaration)
    try:
        found = declared.seal(data, files)
    except (declared.NotSealable, OSError) as error:
        raise Unreadable(f"the document: {error}") from error
    # What sealing a command has added stands as it is declared; digests of the whole were computed above.
    added = [part for part in ("artifact", "runtime") if "sealed" in declaration[part]]
    for name, value in found.items():
        if name in added:
            yield f"/{name}", {key: one for key, one in declaration[name].items() if key != "sealed"}, value
        elif not added or name not in ("digests", "identity"):
            yield f"/{name}", declaration.get(name), value


def checks(path):
    if not os.path.isdir(path):
        return list(identity.against_itself(read(path)))
    if is_sealed_folder(path):
        data = load(os.path.join(path, "document.json"))
        return list(against_document(read(os.path.join(path, "identity.json")), data, kept(path)))
    declaration = read(os.path.join(path, "run_identity.json"))
    manifest = read(os.path.join(path, "run_manifest.json"))
    selection = manifest["selection"]
    plan = plans.Plan(plans.Inputs(inputs(path)), selection["only_profiles"], selection["only_scenarios"])
    form = absence.Form(manifest)
    return [
        *identity.against_itself(declaration), *identity.against_plan(plan, declaration, form),
        *identity.against_manifest(manifest, declaration, form), *stamps(path, declaration["identity"]),
    ]


def verify(path):
    """Prints what differs; whether nothing does."""
    found = checks(path)
    differing = [place for check in found for place in identity.places(*check)]
    for pointer, declared, other in differing:
        print(f"{path}: {pointer}: declared {declared!r}, found {other!r}")
    if not differing:
        name = "identity.json" if is_sealed_folder(path) else "run_identity.json"
        own = os.path.join(path, name) if os.path.isdir(path) else path
        print(f"{path}: identity {read(own)['identity']}: {len(found)} checks hold")
    return not differing


def is_sealed_folder(path):
    return os.path.isfile(os.path.join(path, "identity.json")) and os.path.isfile(os.path.join(path, "inputs.json"))


def from_document(document, path, roots):
    """Holds a sealed declaration against its document, as it lies here."""
    try:
        files = declared.Live(os.path.dirname(document), dict(one.split("=", 1) for one in roots))
        declaration = read(path)
        found = list(against_document(declaration, load(document), files))
    except (Unreadable, NoCanonicalForm) as error:
        print(f"{path}: {error}")
        return 4
    differing = [place for check in found for place in identity.places(*check)]
    for pointer, said, other in differing:
        print(f"{path}: {pointer}: declared {said!r}, found {other!r}")
    if not differing:
        print(f"{path}: identity {declaration['identity']}, and {document} gives it")
    return 1 if differing else 0


def attested_by(attestation, key, path):
    try:
        content = attested.of_declaration(load(path))
    except (Unreadable, NoCanonicalForm, attested.Refusal) as error:
        print(f"{path}: {error}")
        return 4
    try:
        attested.hold(load(attestation), key, content)
    except (Unreadable, attested.Refusal) as error:
        print(f"{attestation}: {error}")
        return 5
    print(f"{path}: identity {content[2]['identity']}, and {attestation} is of it, by the key {key}")
    return 0


def main(paths):
    if paths[:1] == ["--attested"] and len(paths) == 4:
        return attested_by(*paths[1:])
    if paths[:1] == ["--from"] and len(paths) >= 3:
        return from_document(paths[1], paths[2], paths[3:])
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    worst = 0
    for path in paths:
        try:
            worst = max(worst, 0 if verify(path) else 1)
        except (Unreadable, NoCanonicalForm, Refused) as error:
            print(f"{path}: {error}")
            worst = 4
        except (KeyError, TypeError, AttributeError) as error:
            print(f"{path}: it does not have the shape of a run's declaration: {error!r}")
            worst = 4
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
