"""Changes a copy of a bundle by the edits of a test vector, and makes it fit again as far as the vector says (SPEC 10)."""

import hashlib
import json
import os
import shutil

from second_reader.canonical import digest
from second_reader.identity import PARTS

INDEX = "artifact_index.json"


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def store(path, value):
    """As the program writes documents: ASCII, two spaces, no newline at the end."""
    with open(path, "w", encoding="ascii") as file:
        file.write(json.dumps(value, indent=2))


def change(value, pointer, edit):
    """Sets, adds or (without `value`) removes what a JSON pointer names; the changed value."""
    if pointer == "":
        return edit["value"]
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    inner = value
    for part in parts[:-1]:
        inner = inner[int(part)] if isinstance(inner, list) else inner[part]
    last = parts[-1]
    if isinstance(inner, list):
        if last == "-":
            inner.append(edit["value"])
        elif "value" in edit:
            inner[int(last)] = edit["value"]
        else:
            del inner[int(last)]
    elif "value" in edit:
        inner[last] = edit["value"]
    else:
        del inner[last]
    return value


def apply(bundle, edit):
    path = os.path.join(bundle, edit["file"])
    if "folder" in edit:
        os.makedirs(path)
    elif "link" in edit:
        os.path.lexists(path) and os.remove(path)
        os.symlink(edit["link"], path)
    elif "remove" in edit:
        os.remove(path)
    elif "text" in edit or "append" in edit:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w" if "text" in edit else "a", encoding="utf-8") as file:
            file.write(edit.get("text", edit.get("append")))
    elif "line" in edit:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
        if "pointer" in edit:
            row = change(json.loads(lines[edit["line"]]), edit["pointer"], edit)
            lines[edit["line"]] = json.dumps(row, separators=(",", ":"))
        else:
            del lines[edit["line"]]
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))
    else:
        store(path, change(load(path), edit["pointer"], edit))


def seal(bundle):
    """Part digests and identity of the declaration, and every stamp."""
    declaration = load(os.path.join(bundle, "run_identity.json"))
    declaration["digests"] = {part: digest(declaration[part]) for part in PARTS}
    kept = {name: declaration[name] for name in ("digests", "kind", "schema_version")}
    declaration["identity"] = digest(kept)
    store(os.path.join(bundle, "run_identity.json"), declaration)
    for name in ("run_manifest.json", "run_status.json", "summary.json", INDEX):
        path = os.path.join(bundle, name)
        document = load(path)
        document["identity"] = declaration["identity"]
        for entry in document.get("artifacts", ()):
            entry["identity"] = declaration["identity"]
        store(path, document)


def reindex(bundle):
    """Sizes and digests of the files that the index lists."""
    index = load(os.path.join(bundle, INDEX))
    for entry in index["artifacts"]:
        path = os.path.join(bundle, entry["path"].removeprefix(index["bundle_root"] + "/"))
        if os.path.isfile(path):
            with open(path, "rb") as file:
                data = file.read()
            entry |= {"file_size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    store(os.path.join(bundle, INDEX), index)


def resource(bundle):
    """Sizes and digests of the documents that `inputs/sources.json` lists."""
    sources = load(os.path.join(bundle, "inputs/sources.json"))
    for entry in sources["documents"]:
        with open(os.path.join(bundle, entry["file"]), "rb") as file:
            data = file.read()
        entry |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    store(os.path.join(bundle, "inputs/sources.json"), sources)


def forge(base, place, vector):
    """The bundle of a vector, in the new folder `place`."""
    shutil.copytree(base, place)
    later = [edit for edit in vector["edits"] if edit.get("after")]
    for edit in vector["edits"]:
        if edit not in later:
            apply(place, edit)
    for step in vector.get("reseal", ()):
        {"sources": resource, "declaration": seal, "index": reindex}[step](place)
    for edit in later:
        apply(place, edit)
