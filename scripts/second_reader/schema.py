"""The published schemas (JSON Schema 2020-12), as far as they use the language. Another keyword is an error of this file."""

import json
import os
import re

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "schemas")
SILENT = {"$schema", "$id", "$defs", "title", "description", "default", "examples", "$comment"}
TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
}
_known = {}


def published(name):
    """The schema of a document, by its name."""
    if name not in _known:
        with open(os.path.join(FOLDER, f"{name}.schema.json"), encoding="utf-8") as file:
            _known[name] = json.load(file)
    return _known[name]


def first_fault(value, name):
    """(pointer, words) of the first fault of `value` by the schema `name`; None if it has none."""
    schema = published(name)
    return _fault(value, schema, schema, "")


def settled(value, name):
    """The value with absence and null told apart as its schema does (SPEC 9.1): a null where only absence may be goes, and
    what may be null and is absent is null."""
    schema = published(name)
    return _settled(value, schema, schema)


def _resolved(schema, root):
    while "$ref" in schema:
        inner = root
        for name in schema["$ref"].removeprefix("#/").split("/"):
            inner = inner[name]
        schema = inner
    return schema


def _settled(value, schema, root):
    schema = _resolved(schema, root)
    branches = [_resolved(one, root) for one in schema.get("oneOf", schema.get("anyOf", ()))]
    if isinstance(value, dict) and branches:
        fitting = [one for one in branches if "properties" in one]
        schema = fitting[0] if len(fitting) == 1 else schema
    if isinstance(value, list):
        items = schema.get("items", {})
        return [_settled(one, items, root) for one in value] if isinstance(items, dict) else value
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    properties, required = schema["properties"], schema.get("required", ())
    found = {}
    for name, one in value.items():
        inner = properties.get(name, {})
        # An absent list is an empty one, and an absent truth value false: null is neither. `drift` is another: absent it says
        # that nobody looked.
        kind = _resolved(inner, root).get("type") if name != "drift" else None
        optional = name in properties and name not in required and kind not in ("array", "boolean")
        if one is None and optional and _fault(None, inner, root, ""):
            continue
        found[name] = _settled(one, inner, root)
    for name in required:
        if name not in found and name in properties and not _fault(None, properties[name], root, ""):
            found[name] = None
    return found


def _part(text):
    return str(text).replace("~", "~0").replace("/", "~1")


def _equal(one, other):
    return type(one) is type(other) and one == other


def _fault(value, schema, root, at):
    if schema is True:
        return None
    if schema is False:
        return at, "nothing may stand here"
    for keyword, asked in schema.items():
        if keyword in SILENT:
            continue
        fault = CHECKS[keyword](value, asked, schema, root, at)
        if fault:
            return fault
    return None


def _type(value, asked, schema, root, at):
    names = asked if isinstance(asked, list) else [asked]
    return None if any(TYPES[name](value) for name in names) else (at, f"it is not of type {' or '.join(names)}")


def _ref(value, asked, schema, root, at):
    part = root
    for name in asked.removeprefix("#/").split("/"):
        part = part[name.replace("~1", "/").replace("~0", "~")]
    return _fault(value, part, root, at)


def _branches(value, asked, root, at):
    return [_fault(value, branch, root, at) for branch in asked]


def _one_of(value, asked, schema, root, at):
    faults = _branches(value, asked, root, at)
    fitting = faults.count(None)
    if fitting == 1:
        return None
    return (at, "it fits several shapes") if fitting else max(faults, key=lambda fault: len(fault[0]))


def _any_of(value, asked, schema, root, at):
    faults = _branches(value, asked, root, at)
    return None if None in faults else faults[0]


def _all_of(value, asked, schema, root, at):
    return next((fault for fault in _branches(value, asked, root, at) if fault), None)


def _not(value, asked, schema, root, at):
    return (at, "it has a shape that it may not have") if _fault(value, asked, root, at) is None else None


def _required(value, asked, schema, root, at):
    missing = [name for name in asked if name not in value] if isinstance(value, dict) else []
    return (at, f"it has no {missing[0]!r}") if missing else None


def _properties(value, asked, schema, root, at):
    for name, inner in asked.items() if isinstance(value, dict) else ():
        fault = _fault(value[name], inner, root, f"{at}/{_part(name)}") if name in value else None
        if fault:
            return fault
    return None


def _additional(value, asked, schema, root, at):
    for name in value if isinstance(value, dict) else ():
        if name not in schema.get("properties", {}):
            if asked is False:
                return at, f"{name!r} is unknown"
            fault = _fault(value[name], asked, root, f"{at}/{_part(name)}")
            if fault:
                return fault
    return None


def _property_names(value, asked, schema, root, at):
    names = value if isinstance(value, dict) else ()
    return next((fault for fault in (_fault(name, asked, root, at) for name in names) if fault), None)


def _items(value, asked, schema, root, at):
    rest = value[len(schema.get("prefixItems", ())):] if isinstance(value, list) else ()
    before = len(value) - len(rest) if isinstance(value, list) else 0
    faults = (_fault(item, asked, root, f"{at}/{n + before}") for n, item in enumerate(rest))
    return next((fault for fault in faults if fault), None)


def _prefix_items(value, asked, schema, root, at):
    pairs = zip(value, asked) if isinstance(value, list) else ()
    faults = (_fault(item, inner, root, f"{at}/{n}") for n, (item, inner) in enumerate(pairs))
    return next((fault for fault in faults if fault), None)


def _unique(value, asked, schema, root, at):
    seen = [json.dumps(item, sort_keys=True) for item in value] if asked and isinstance(value, list) else []
    return (at, "an item stands there twice") if len(set(seen)) != len(seen) else None


def _bound(kind, measure, good, words):
    def check(value, asked, schema, root, at):
        return (at, words) if TYPES[kind](value) and not good(measure(value), asked) else None
    return check


def _number(value):
    return value


CHECKS = {
    "type": _type, "$ref": _ref, "oneOf": _one_of, "anyOf": _any_of, "allOf": _all_of, "not": _not,
    "required": _required, "properties": _properties, "additionalProperties": _additional,
    "propertyNames": _property_names, "items": _items, "prefixItems": _prefix_items, "uniqueItems": _unique,
    "const": lambda v, a, s, r, at: None if _equal(v, a) else (at, f"it is not {json.dumps(a)}"),
    "enum": lambda v, a, s, r, at: None if any(_equal(v, one) for one in a) else (at, "it is none of the known values"),
    # `$` of a pattern is the end of the text; Python lets a newline follow.
    "pattern": lambda v, a, s, r, at: (
        (at, f"it does not match {a}")
        if isinstance(v, str) and not re.search(a.replace("$", r"\Z") if a.endswith("$") else a, v) else None
    ),
    "minLength": _bound("string", len, lambda n, a: n >= a, "it is too short"),
    "maxLength": _bound("string", len, lambda n, a: n <= a, "it is too long"),
    "minimum": _bound("number", _number, lambda n, a: n >= a, "it is too small"),
    "maximum": _bound("number", _number, lambda n, a: n <= a, "it is too large"),
    "minItems": _bound("array", len, lambda n, a: n >= a, "it has too few items"),
    "maxItems": _bound("array", len, lambda n, a: n <= a, "it has too many items"),
    "minProperties": _bound("object", len, lambda n, a: n >= a, "it has too few members"),
    "maxProperties": _bound("object", len, lambda n, a: n <= a, "it has too many members"),
}
