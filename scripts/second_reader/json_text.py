"""JSON as bundles hold it (SPEC 3, 6): no name twice, no NaN, no lone surrogate, at most 64 levels, texts of at most 1 MiB."""

import json
import re

MAX_DEPTH = 64
MAX_TEXT_BYTES = 1024 * 1024
SURROGATE = re.compile("[\ud800-\udfff]")


class NotJson(Exception):
    """Bytes that are no acceptable document, and why."""


def _members(pairs):
    members = {}
    for name, value in pairs:
        if name in members:
            raise NotJson(f"the name {name!r} stands twice in one object")
        members[name] = value
    return members


def _refused(text):
    raise NotJson(f"{text} is no number of JSON")


def _finite(text):
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise NotJson(f"{text} is not finite")
    return number


def _check(value):
    """Depth and texts. A loop, because the document may be as deep as it likes until this was asked."""
    waiting = [(value, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str):
            if SURROGATE.search(value):
                raise NotJson("a text has a lone surrogate")
            if len(value) * 4 > MAX_TEXT_BYTES and len(value.encode()) > MAX_TEXT_BYTES:
                raise NotJson("a text is longer than 1 MiB")
            continue
        if isinstance(value, (dict, list)):
            if depth == MAX_DEPTH:
                raise NotJson(f"it is nested deeper than {MAX_DEPTH} levels")
            inner = list(value) + list(value.values()) if isinstance(value, dict) else value
            waiting.extend((item, depth + 1) for item in inner)


def parse(data):
    """The value of a document; raises NotJson."""
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_members, parse_constant=_refused, parse_float=_finite,
        )
    except NotJson:
        raise
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error
    if data[:3] == b"\xef\xbb\xbf":
        raise NotJson("a byte order mark stands before it")
    _check(value)
    return value


def same(one, other):
    """Whether two values are equal, where 1, 1.0 and true are three values."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other))
    return type(one) is type(other) and one == other
