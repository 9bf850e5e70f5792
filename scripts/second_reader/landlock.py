"""Landlock policies: what is refused when one loads, the rule table, and its canonical form (SPEC 1.1, 8.2)."""

import re

from .canonical import digest

FS = (
    "execute", "write_file", "read_file", "read_dir", "remove_dir", "remove_file", "make_char", "make_dir", "make_reg",
    "make_sock", "make_fifo", "make_block", "make_sym", "refer", "truncate", "ioctl_dev", "resolve_unix",
)
NET = ("bind_tcp", "connect_tcp", "bind_udp", "connect_send_udp")
SCOPE = ("abstract_unix_socket", "signal")
#: The ABI that brought a right; 1 for all others.
SINCE = {"refer": 2, "truncate": 3, "ioctl_dev": 5, "resolve_unix": 9, "bind_tcp": 4, "connect_tcp": 4, "bind_udp": 10,
         "connect_send_udp": 10, "abstract_unix_socket": 6, "signal": 6}
PLACEHOLDER = re.compile(r"\$\{(root|(port|name)\.[a-z0-9_]{1,64})\}")


def refusal(document):
    """Why a document is refused when it loads; None if it is not."""
    needed = 8 if document.get("tsync") else 1
    for ruleset in document.get("layers", [document]):
        handled = {kind: set(ruleset["handled"].get(kind, ())) for kind in ("fs", "net", "scope")}
        if not any(handled.values()):
            return "nothing is handled"
        needed = max(needed, *(SINCE.get(right, 1) for rights in handled.values() for right in rights))
        for kind, name, rules in (("fs", "path", "path_beneath"), ("net", "port", "net_port")):
            for rule in ruleset.get(rules, ()):
                text = rule[name]
                if not rule["allow"] or not set(rule["allow"]) <= handled[kind]:
                    return f"the rule on {text} grants nothing, or what is not handled"
                if "${" in PLACEHOLDER.sub("", text):
                    return f"{text} has no known placeholder"
                port = re.fullmatch(r"\$\{port\..*\}", text) or (re.fullmatch(r"\+?[0-9]+", text) and int(text) <= 65535)
                if not (text.startswith(("/", "${root}")) if kind == "fs" else port):
                    return f"{text} is no {name}"
    return "it needs a later ABI" if needed > document["abi"] else None


def _layer(document):
    """A ruleset as a layer of the table: every list in the order of the rights' bits, rules in the document's order."""
    def ordered(rights, order):
        return [right for right in order if right in rights]
    handled = document["handled"]
    return {
        "handled_fs": ordered(handled.get("fs", []), FS),
        "handled_net": ordered(handled.get("net", []), NET),
        "scoped": ordered(handled.get("scope", []), SCOPE),
        "path_beneath": [
            {"path": rule["path"], "allow": ordered(rule["allow"], FS)} for rule in document.get("path_beneath", [])
        ],
        "net_port": [
            {"port": rule["port"], "allow": ordered(rule["allow"], NET)} for rule in document.get("net_port", [])
        ],
    }


class Table:
    """The rule table of a policy document."""

    def __init__(self, document):
        self.abi = document["abi"]
        self.tsync = document.get("tsync", False)
        self.layers = [_layer(one) for one in document.get("layers", [document])]

    def value(self):
        """The table as a value: one layer's members stand beside `abi`, several as `layers`."""
        value = {"abi": self.abi} | ({"tsync": True} if self.tsync else {})
        return value | (self.layers[0] if len(self.layers) == 1 else {"layers": self.layers})

    def digest(self):
        return digest(self.value(), any_form=True)

    def pointer(self, layer):
        return "" if len(self.layers) == 1 else f"/layers/{layer}"

    def path_rules(self):
        """(layer, pointer, rule) of every rule on a path, in the document's order."""
        for n, layer in enumerate(self.layers):
            for m, rule in enumerate(layer["path_beneath"]):
                yield n, f"{self.pointer(n)}/path_beneath/{m}", rule

    def port_rules(self):
        for n, layer in enumerate(self.layers):
            for m, rule in enumerate(layer["net_port"]):
                yield n, f"{self.pointer(n)}/net_port/{m}", rule
