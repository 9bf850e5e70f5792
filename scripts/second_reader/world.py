"""Worlds: the id that a document derives from a host, the check of a host, and the carried worlds (SPEC 1.2)."""

from .canonical import sha256
from .finding import NotDerivable

DOUBLE_BUILD, DOUBLE_WORLD = "0D0000", "darwin-double"
LISTS = ("landlock_errata", "lsms")
FACTS = (
    "os", "kernel_release", "kernel_version", "arch", "product_version", "product_build", "shared_cache_uuid",
    "sip_config", "virtual_machine", "landlock_abi", "landlock_errata", "lsms",
)
#: The documents that the program carries (SPEC 1.2), by id: digest, and what they derive an id from.
CARRIED = {
    "linux-host": ("532c3714bd3d8910075e98f3fba54b3cf30d60d7e93491124ae56250350cfb6a", "linux"),
    "macos-host": ("295296bfc3da104f166918f4610a3a6f38e8f0cb369cf8074d3d861c923c1fec", "macos"),
    "sonoma-14.4.1-23E224-arm64-dyld-2c0602c5": (
        "d71521c7a6263fc5868860c0ff2cd7d6f440094c37d82af340aae3b936afd214", None),
    "sonoma-14.4.1-23E224-arm64-dyld-a3a840f9": (
        "86983ee50b48d16a1d02ae86dfcd091efaba34f59b2276328f259c64c8137f4d", None),
}
DERIVES = {
    "linux": ("os", "kernel_release", "arch", "landlock_abi", "landlock_errata", "lsms"),
    "macos": ("os", "product_version", "product_build", "arch", "shared_cache_uuid", "sip_config", "virtual_machine"),
}


def fact(host, name):
    """A fact of a host as text; None if it was not observed."""
    value = host.get(name) if name in FACTS else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(str(one) for one in value)
    return None if value is None else str(value)


def derived_id(names, host):
    parts, lines = [], ""
    for name in names:
        value = fact(host, name)
        value = "unknown" if value is None else value
        lines += f"{name}={value}\n"
        if name not in LISTS:
            text = "".join(c if c.isascii() and (c.isalnum() or c in "._+") else "_" for c in value)
            parts.append(f"landlock-{text}" if name == "landlock_abi" else text)
    return "-".join([*parts, sha256(lines.encode())[:8]])


def check(plan, manifest):
    """The manifest's world is what the world's document and the host's facts give."""
    document, host = plan.world, manifest["host"]
    found = {"declared": plan.world_id, "document_sha256": None, "matches": False, "facts": [], "clean_channels": []}
    world_id = plan.world_id
    if document:
        if document.get("derive_id"):
            world_id = derived_id(document["derive_id"], host)
        facts = []
        for name in sorted(document["match"]):
            observed = fact(host, name)
            expected = document["match"][name]
            facts.append({"name": name, "expected": expected, "observed": observed, "ok": observed == expected})
        double = (plan.world_id == DOUBLE_WORLD) == (host["product_build"] == DOUBLE_BUILD)
        found |= {
            "document_sha256": plan.world_sha256, "facts": facts, "clean_channels": document["clean_channels"],
            "matches": bool(facts) and all(one["ok"] for one in facts) and double,
        }
    if manifest["world_id"] != world_id:
        raise NotDerivable(f"the manifest's world is {manifest['world_id']}, documents and host give {world_id}")
    if manifest["world"] != found:
        raise NotDerivable("the manifest's check of its world is not what document and host give")


def redefined(manifest):
    """Whether the run goes by the name of a carried world under another document (gate `world_redefined`)."""
    declared, resolved = manifest["world"]["declared"], manifest["world_id"]
    if declared in CARRIED and CARRIED[declared][0] == manifest["world"]["document_sha256"]:
        return False
    for one, (_, system) in CARRIED.items():
        if one.lower() in (declared.lower(), resolved.lower()):
            return True
        if system and declared == resolved and _has_form(system, resolved):
            if derived_id(DERIVES[system], manifest["host"]) != resolved:
                return True
    return False


def _has_form(system, text):
    text = text.lower()
    end = text.rpartition("-")[2]
    hexadecimal = len(end) == 8 and all(c in "0123456789abcdef" for c in end)
    return text.startswith(system + "-") and hexadecimal and (system != "linux" or "-landlock-" in text)
