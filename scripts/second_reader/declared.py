"""Declarations of other systems in the second format: from a document to its four parts as they are sealed (SPEC 8.5, 8.6).

What the items are is read from the published schema. A document is taken to satisfy that; what else SPEC 8.5 refuses (aliases,
spellings, paths that leave their folder) is refused here where sealing depends on it.
"""

import json
import os
import re
import stat
import unicodedata

from . import json_text
from .canonical import MAX_INTEGER, digest, sha256

FORMAT = "sandproof.system_declaration.v2"
PARTS = ("artifact", "runtime", "policy", "history")
OPEN = ("none", "unknown", "per_run")
RESERVED = {"absent", "digest", "file", "folder", "in", "json", "none", "number", "per_run", "text", "unknown", "value"}
REFERENCES = RESERVED - {"number", "value"}
DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
IDENTITY = re.compile(r"[0-9a-f]{64}\Z")
ROOT = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}\Z")
SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../schemas/system_declaration_v2.schema.json")


class NotSealable(Exception):
    """A document that has no sealed form, and why."""


class Number:
    """A number that has no canonical form, by its text."""

    def __init__(self, text):
        self.text = text


def _whole(text):
    value = int(text)
    return Number(text) if abs(value) > MAX_INTEGER or text == "-0" else value


def parsed(data):
    """A document whose numbers keep their texts."""
    try:
        json_text.parse(data)
    except json_text.NotJson as error:
        raise NotSealable(str(error)) from error
    return json.loads(data.decode("utf-8"), parse_float=Number, parse_int=_whole)


def _by_digest(data):
    return {"digest": f"sha256:{sha256(data)}"}


def _normal(text):
    return unicodedata.is_normalized("NFC", text)


def _object(members):
    return {"value": members} if len(members) == 1 and members.keys() <= RESERVED else members


def literal(value):
    """A value in which nothing is a reference."""
    if isinstance(value, Number):
        return {"number": value.text}
    if isinstance(value, str):
        return value if _normal(value) else _by_digest(value.encode())
    if isinstance(value, list):
        return [literal(item) for item in value]
    if isinstance(value, dict):
        if not all(map(_normal, value)):
            raise NotSealable("a name is not in normal form C")
        return _object({name: literal(one) for name, one in value.items()})
    return value


def _reference(value):
    """(name, content) of what is a reference, else None."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    (name, content), = value.items()
    if name == "value" or name in REFERENCES and not isinstance(content, (dict, list)):
        return name, content
    return None


class Sealing:
    """One document being sealed. `files` answers digest(kind, path) and data(path)."""

    def __init__(self, files):
        self.files = files

    def _refer(self, name, content, identity=False):
        if name == "value":
            return literal(content)
        if not isinstance(content, str) or name == "absent":
            raise NotSealable(f"{{{name!r}: {content!r}}} is no reference")
        if name in OPEN:
            return {name: True}
        if name == "in":
            return {"in": content}
        if name == "text":
            return _by_digest(content.encode())
        if name == "digest" or name == "folder" and DIGEST.match(content):
            if not DIGEST.match(content):
                raise NotSealable(f"{content!r} is no digest")
            return {name: content}
        if name == "folder":
            return {"folder": f"sha256:{self.files.digest('folder', content)}"}
        if name == "json":
            data = self.files.data(content)
            return {"json": {"digest": f"sha256:{sha256(data)}", "members": literal(parsed(data))}}
        if identity:
            return self._sealed(content)
        return {"digest": f"sha256:{self.files.digest('file', content)}"}

    def _sealed(self, path):
        """The identity of a sealed declaration, which has to hold."""
        from . import identity
        try:
            found = json_text.parse(self.files.data(path))
            if any(one != other for _, one, other in identity.against_itself(found)):
                raise NotSealable(f"{path} is not what it says")
            return found["identity"]
        except (json_text.NotJson, KeyError, TypeError, AttributeError) as error:
            raise NotSealable(f"{path} is no sealed declaration: {error!r}") from error

    def free(self, value):
        """A structure in which references are followed."""
        named = _reference(value)
        if named:
            return self._refer(*named)
        if isinstance(value, dict):
            if not all(map(_normal, value)):
                raise NotSealable("a name is not in normal form C")
            return _object({name: self.free(one) for name, one in value.items()})
        if isinstance(value, list):
            return [self.free(item) for item in value]
        return literal(value)

    def item(self, kind, value):
        """An item of a kind that the schema names."""
        named = _reference(value)
        identity = kind in ("identity", "identities")
        if named and named[0] == "value":
            inner = named[1]
            if kind in ("item", "list") and isinstance(inner, (dict, list)) and inner:
                return literal(inner)
            value = inner
        elif named:
            return self._refer(*named, identity=identity)
        if value in ([], {}) and kind in ("item", "list", "identities", "variables"):
            return {"none": True}
        if kind == "item" and isinstance(value, str):
            return _by_digest(value.encode())
        if kind in ("item", "list"):
            return self.free(value)
        if kind == "identities":
            return [self.item("identity", one) for one in value]
        if kind == "variables":
            return _object({name: self._refer(*_reference(one)) if isinstance(one, dict) else literal(one)
                            for name, one in value.items()})
        if kind == "identity" and not (isinstance(value, str) and IDENTITY.match(value)):
            raise NotSealable(f"{value!r} is no identity")
        return literal(value)

    def group(self, shape, value):
        """The members of a part, or of a group; what is said of a group is said of each that has to be stated."""
        named = _reference(value)
        if named and named[0] in OPEN:
            return {name: {named[0]: True} for name in shape["required"]}
        missing = [name for name in shape["required"] if value.get(name) is None]
        if missing or value.keys() - shape["properties"].keys():
            raise NotSealable(f"not stated: {missing}; unknown: {sorted(value.keys() - shape['properties'].keys())}")
        return {name: self._member(shape["properties"][name], one) for name, one in value.items()}

    def _member(self, schema, value):
        for shape in schema.get("anyOf", ()):
            if "properties" in shape:
                return self.group(shape, value)
        return self.item(schema["$ref"].rpartition("/")[2], value)


def parts(data, files):
    """(kind, the four parts) of a document."""
    document = parsed(data)
    if document.get("schema_version") != FORMAT:
        raise NotSealable(f"it is not in the format {FORMAT}")
    with open(SCHEMA, encoding="utf-8") as file:
        shapes = json.load(file)["properties"]
    sealing = Sealing(files)
    sealed = {part: sealing.group(shapes[part], document[part]) for part in PARTS}
    listed = document.get("immaterial", [])
    if listed:
        sealed["policy"]["immaterial"] = sorted(listed, key=lambda item: item["pointer"].encode())
    return document["kind"], sealed


def seal(data, files):
    """The whole declaration of a document."""
    kind, sealed = parts(data, files)
    digests = {part: digest(sealed[part]) for part in PARTS}
    seal_of = {"digests": digests, "kind": kind, "schema_version": FORMAT}
    return seal_of | sealed | {"identity": digest(seal_of), "completeness": completeness(sealed)}


def unknown(value):
    """How many items in a sealed value say that they are unknown."""
    if isinstance(value, list):
        return sum(map(unknown, value))
    if not isinstance(value, dict):
        return 0
    if value == {"unknown": True}:
        return 1
    if value.keys() == {"value"} and isinstance(value["value"], dict) and len(value["value"]) == 1:
        return sum(map(unknown, value["value"].values()))
    return sum(map(unknown, value.values()))


def open_items(value):
    """How many items in a sealed value say that they have none, for whatever reason."""
    if isinstance(value, list):
        return sum(map(open_items, value))
    if not isinstance(value, dict):
        return 0
    if len(value) == 1 and next(iter(value)) in OPEN and next(iter(value.values())) is True:
        return 1
    if value.keys() == {"value"} and isinstance(value["value"], dict) and len(value["value"]) == 1:
        return sum(map(open_items, value["value"].values()))
    return sum(map(open_items, value.values()))


def completeness(sealed):
    return "partial" if any(unknown(sealed[part]) for part in PARTS) else "complete"


def folder_digest(root):
    """SPEC 8.6. Links are not looked at for where they lead."""
    rows = []

    def gather(folder, path):
        for entry in os.scandir(folder):
            below = path + (b"/" if path else b"") + entry.name
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                rows.append((below, (b"folder", below, b"-", b"0", b"")))
                gather(entry.path, below)
            elif stat.S_ISREG(status.st_mode):
                with open(entry.path, "rb") as file:
                    content = _of_file(file)
                mark = b"x" if status.st_mode & 0o111 else b"-"
                rows.append((below, (b"file", below, mark, str(status.st_size).encode(), content.encode())))
            elif stat.S_ISLNK(status.st_mode):
                text = os.readlink(entry.path)
                rows.append((below, (b"link", below, b"-", str(len(text)).encode(), text)))
            else:
                raise NotSealable(f"{entry.path!r} holds no bytes")
    gather(os.fsencode(root), b"")
    framed = b"".join(b"".join(b"%d:%s," % (len(field), field) for field in row) for _, row in sorted(rows))
    return sha256(b"sandproof.folder.v1\n" + framed)


def _of_file(file):
    import hashlib
    return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else sha256(file.read())


class Live:
    """What a document names, as it lies on this host."""

    def __init__(self, folder, roots=None):
        self.folder, self.roots = folder, roots or {}

    def _path(self, text):
        start, relative = self.folder, text.removeprefix("./")
        first = text.split("/")[0]
        if ":" in first:
            name, _, relative = text.partition(":")
            if not ROOT.match(name) or name not in self.roots:
                raise NotSealable(f"no folder is called {name!r}")
            start = self.roots[name]
        root, found = os.path.realpath(start or "."), os.path.realpath(os.path.join(start or ".", relative))
        if found != root and not found.startswith(root.rstrip("/") + "/"):
            raise NotSealable(f"{text!r} leaves its folder")
        return found

    def digest(self, kind, path):
        found = self._path(path)
        if kind == "folder":
            return folder_digest(found)
        with open(found, "rb") as file:
            return _of_file(file)

    def data(self, path):
        with open(self._path(path), "rb") as file:
            return file.read()


class Listed:
    """What is kept of it beside the declaration, by role and path: `kept(role, path)` gives bytes, or None."""

    def __init__(self, kept, folder=""):
        self.kept, self.folder = kept, folder

    def _referred(self, path):
        first = path.split("/")[0]
        if ":" in first and ROOT.match(first.partition(":")[0]):
            return path
        plain = path.removeprefix("./")
        return f"{self.folder}/{plain}" if self.folder else plain

    def digest(self, kind, path):
        found = self.kept("subject_digest", self._referred(path))
        if found is None:
            return sha256(self.data(path))
        said = json_text.parse(found)
        if said["schema_version"] != "sandproof.subject_digest.v1" or said["kind"] != kind:
            raise NotSealable(f"what is kept of {path} is no digest of a {kind}")
        return said["sha256"]

    def data(self, path):
        found = self.kept("subject_file", self._referred(path))
        if found is None:
            raise NotSealable(f"nothing is kept of {path}")
        return found
