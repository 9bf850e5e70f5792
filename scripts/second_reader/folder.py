"""The closed world of a bundle: its folder against its index (SPEC 3 and 3.1, steps 1 to 3)."""

import os
import re
import stat

from . import json_text, schema
from .canonical import sha256
from .finding import Refused, finding

INDEX = "artifact_index.json"
STATUS = "run_status.json"
INDEX_SCHEMA = "runtime-tools.artifact_index.v0.1"
MOST_FILES = 4096
MOST_FOLDERS = 8
NAME = re.compile(r"[A-Za-z0-9/._+\-@]{1,1024}\Z")
PART = re.compile(r"parts/[0-9]{4,}\Z")
RUN_ID = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")
#: What the index puts first, in this order; all other files follow by path.
FIRST = (
    "run_status.json", "run_manifest.json", "mismatch_summary.json", "mismatch_packets.jsonl", "summary.json",
    "summary.md", "expected_matrix.generated.json", "expected_matrix.json", "runtime_results.json",
    "runtime_events.normalized.json", "apply_preflight.json", "baseline_results.json", "path_witnesses.json",
    "fixtures.json", "oracle_results.json",
)
#: Files of at most 64 MiB; the index has at most 8 MiB.
DOCUMENTS = (
    "run_status.json", "run_manifest.json", "run_identity.json", "apply_preflight.json", "channel_witness.json",
    "controls.json", "summary.json", "inputs/sources.json",
)
MIB = 1024 * 1024


def place(path):
    """Where a file stands in the index."""
    return (FIRST.index(path) if path in FIRST else len(FIRST), path)


def is_bundle_path(path):
    parts = path.split("/")
    return bool(NAME.match(path)) and not any(part in ("", ".", "..") for part in parts)


def find_bundle(path):
    """The folder of the bundle that `path` leads to: itself, or by the `LATEST` of an output root."""
    if not os.path.isdir(path):
        raise Refused((".", "no_bundle", f"{path} is no folder"))
    latest = os.path.join(path, "LATEST")
    own = any(os.path.lexists(os.path.join(path, name)) for name in (INDEX, STATUS))
    if own or not os.path.lexists(latest):
        return path
    try:
        with open(latest, "rb") as file:
            text = file.read(1025)
        run_id = text.decode().removesuffix("\n")
    except (OSError, ValueError) as error:
        raise Refused(("LATEST", "bad_pointer", str(error))) from error
    folder = os.path.join(path, run_id)
    if len(text) > 1024 or not RUN_ID.match(run_id) or os.path.islink(folder) or not os.path.isdir(folder):
        raise Refused(("LATEST", "bad_pointer", f"{run_id!r} is no run's folder"))
    return folder


class Folder:
    """The files of a bundle, read once, each with the bytes that were digested."""

    def __init__(self, root):
        self.root = root
        self.findings = []
        #: Documents of another shape than their schema's. They are read on, as far as that goes.
        self.shapes = []
        self.files = {}
        self.bytes = {}
        self.index = None
        self.index_sha256 = None
        self.entries = {}
        self._walk("", 0)
        self._twins(self.files)
        self.has_index = self.files.pop(INDEX, None) is not None
        if len(self.files) > MOST_FILES:
            self.add(".", "too_many_files", f"there are more than {MOST_FILES} files")
        self._read_index()
        if self.index is not None:
            self._check_entries()
            self._check_world()
        self._read_files()

    def add(self, path, code, words):
        self.findings.append(finding(path, code, words))

    def _walk(self, prefix, depth):
        here = prefix or "."
        if depth > MOST_FOLDERS:
            self.add(here, "too_deep", "its folders are nested too deeply")
            return
        try:
            names = sorted(os.listdir(os.path.join(self.root, prefix)))
        except OSError as error:
            self.add(here, "unreadable", str(error))
            return
        if not names:
            self.add(here, "empty_folder", "it is an empty folder")
        for name in names:
            path = f"{prefix}/{name}" if prefix else name
            about = os.lstat(os.path.join(self.root, path))
            if not is_bundle_path(path):
                self.add(path, "bad_name", "no file of a bundle can have that name")
            elif stat.S_ISDIR(about.st_mode) and PART.match(path):
                self._part(path)
            elif stat.S_ISDIR(about.st_mode):
                self._walk(path, depth + 1)
            elif not stat.S_ISREG(about.st_mode):
                self.add(path, "not_a_file", "it is no plain file")
            else:
                if about.st_nlink > 1:
                    self.add(path, "hard_linked", f"it has {about.st_nlink} hard links")
                self.files[path] = about.st_size

    def _part(self, path):
        """A part of a merge is a bundle by itself: its index answers for the rest."""
        index = f"{path}/{INDEX}"
        if not os.path.lexists(os.path.join(self.root, index)):
            self.add(path, "part_refused", "it has no index")
            return
        about = os.lstat(os.path.join(self.root, index))
        if not stat.S_ISREG(about.st_mode):
            self.add(index, "not_a_file", "it is no plain file")
            return
        if about.st_nlink > 1:
            self.add(index, "hard_linked", f"it has {about.st_nlink} hard links")
        self.files[index] = about.st_size

    def _twins(self, paths):
        folded = {}
        for path in sorted(paths):
            twin = folded.setdefault(path.lower(), path)
            if twin != path:
                self.add(path, "case_twin", f"it differs from {twin} in case alone")

    def _load(self, path, most):
        if os.path.getsize(os.path.join(self.root, path)) > most:
            self.add(path, "too_large", f"it is larger than {most} bytes")
            return None
        with open(os.path.join(self.root, path), "rb") as file:
            return file.read()

    def _read_index(self):
        if not self.has_index:
            if not any(one["path"] == INDEX for one in self.findings):
                self.add(INDEX, "not_committed", "it is absent: this bundle was not committed")
            return
        data = self._load(INDEX, 8 * MIB)
        self.index = data and self.document(INDEX, data, "artifact_index", INDEX_SCHEMA)
        self.index_sha256 = data and sha256(data)

    def document(self, path, data, schema_name, version):
        """A document of the bundle, read strictly; None if it is not what it should be, which is a finding."""
        try:
            value = json_text.parse(data)
        except json_text.NotJson as error:
            self.add(path, "malformed", str(error))
            return None
        found = value.get("schema_version") if isinstance(value, dict) else None
        if isinstance(found, str) and found != version:
            self.add(path, "unknown_format", f"its format is {found}; {version} is read")
            return None
        if schema_name != "run_identity":
            value = schema.settled(value, schema_name)
        fault = schema.first_fault(value, schema_name)
        if fault:
            words = f"at `{fault[0]}`, {fault[1]}"
            if path == INDEX or not isinstance(value, dict):
                self.add(path, "schema_not_satisfied", words)
                return None
            self.shapes.append(finding(path, "schema_not_satisfied", words))
        return value

    def _check_entries(self):
        order = []
        if len(self.index["artifacts"]) > MOST_FILES:
            self.add(INDEX, "too_many_files", f"it lists more than {MOST_FILES} files")
            return
        for entry in self.index["artifacts"]:
            prefix = self.index["bundle_root"] + "/"
            path = entry["path"].removeprefix(prefix)
            if not entry["path"].startswith(prefix) or not is_bundle_path(path):
                self.add(entry["path"], "bad_indexed_path", "it is no path of this bundle")
            elif path == INDEX:
                self.add(path, "index_lists_itself", "the index lists itself")
            elif path in self.entries:
                self.add(path, "listed_twice", "the index lists it twice")
                self.entries[path] = entry
            else:
                self.entries[path] = entry
                order.append(path)
        if order != sorted(order, key=place):
            self.add(INDEX, "out_of_order", "its artifacts are not in index order")
        self._twins(self.entries)
        for name in (STATUS, "run_manifest.json"):
            if name not in self.entries:
                self.add(name, "not_listed", "every bundle has it, but the index does not list it")

    def _check_world(self):
        for path in self.files.keys() - self.entries.keys():
            name = path.rsplit("/", 1)[-1]
            leftover = name.startswith(".") and name.endswith(".tmp")
            self.add(path, "leftover_temporary" if leftover else "unlisted", "the index does not list it")
        for path in self.entries.keys() - self.files.keys():
            self.add(path, "missing", "the index lists it, but it is absent")

    def _read_files(self):
        input_bytes = 0
        for path, size in sorted(self.files.items()):
            entry = self.entries.get(path)
            if entry is None and path not in DOCUMENTS:
                continue
            if path in DOCUMENTS and size > 64 * MIB:
                self.add(path, "too_large", "it is larger than 64 MiB")
                continue
            if entry and size != entry["file_size"]:
                self.add(path, "size_mismatch", f"it has {size} bytes; the index says {entry['file_size']}")
                continue
            input_bytes += size if path.startswith("inputs/") else 0
            if path.startswith("inputs/") and input_bytes > 256 * MIB:
                self.add(path, "too_large", "the input documents are larger than 256 MiB together")
                continue
            data = self._load(path, 64 * 1024 * MIB)
            if entry and sha256(data) != entry["sha256"]:
                self.add(path, "digest_mismatch", "its content differs from the indexed digest")
                continue
            found = self.schema_version(path, data)
            if entry and found is not False and found != entry["schema_version"]:
                self.add(path, "schema_mismatch", f"it has {found!r}; the index says {entry['schema_version']!r}")
                continue
            self.bytes[path] = data

    @staticmethod
    def schema_version(path, data):
        """The format that a file names; None if it names none, False if that cannot be told."""
        if path.endswith(".jsonl"):
            data = data.split(b"\n", 1)[0]
        elif not path.endswith(".json"):
            return None
        if not data:
            return None
        try:
            value = json_text.parse(data)
        except json_text.NotJson:
            return False
        version = value.get("schema_version") if isinstance(value, dict) else None
        return version if isinstance(version, str) else None
