"""The canonical form of a value and its digest (SPEC 8.1)."""

import hashlib
import json
import unicodedata

MAX_INTEGER = 2**53 - 1


class NoCanonicalForm(Exception):
    """A value that has none."""


def canonical(value, any_form=False):
    """RFC 8785, for whole numbers, and texts in normal form C unless `any_form`."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise NoCanonicalForm(f"{value} is beyond 2^53 - 1")
        return str(value)
    if isinstance(value, str):
        if any(0xD800 <= ord(c) <= 0xDFFF for c in value):
            raise NoCanonicalForm(f"the text {value!r} has a lone surrogate")
        if not any_form and not unicodedata.is_normalized("NFC", value):
            raise NoCanonicalForm(f"the text {value!r} is not in normal form C")
        # json writes control characters as the RFC does, but for DEL, which neither escapes.
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(canonical(item, any_form) for item in value) + "]"
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(canonical(n, any_form) + ":" + canonical(value[n], any_form) for n in names) + "}"
    raise NoCanonicalForm(f"{value!r} has no canonical form")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def digest(value, any_form=False):
    """The digest of a value's canonical form."""
    return sha256(canonical(value, any_form).encode("utf-8"))
