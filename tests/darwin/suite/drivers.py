"""Each driver of macOS in its ends: allowed, denied, and where it has one, unavailable."""

import json
import re

from .mac import HOME, REPOSITORY, WORLD, Bundle, check
from .plans import SEEN
from .runner import Test, test

PART = "drivers"
OUT = f"{HOME}/out"
#: Drivers that cannot be denied, and why.
NEVER_DENIED = {
    "apply_only": "it attempts nothing",
    "policy_query": "it only asks",
    "darwin_notification_post": "notifyd looks at the sandbox of no ordinary client",
    "distributed_notification_post": "whoever refuses it does so without a word",
    "preference_read": "no value and no right look alike",
    "file_read_inherited": "a descriptor that was opened before the policy is read from",
    "file_truncate_inherited": "a descriptor that was opened before the policy is truncated",
    "environment_read": "a process reads its own environment without asking anybody",
}
#: Drivers whose success decides nothing.
NEVER_ALLOWED = {"policy_query", "darwin_notification_post", "distributed_notification_post", "preference_read", "apply_only"}


def of_macos():
    """The names of the drivers that exist on macOS, from the table in the source."""
    text = (REPOSITORY / "src/record/driver.rs").read_text()
    text = text[text.index("drivers! {") :]
    found = set()
    for match in re.finditer(r'\n    \w+ "(\w+)" \{', text):
        depth, at = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        if re.search(r"\bmacos\b", text[match.end() : at]):
            found.add(match.group(1))
    return found


def registry(mac, name, probes, policies, mode="sbpl"):
    """A plan of its own: probes, and profiles by name with their policy (a text, or bytes that were compiled from one) and
    what they run."""
    suffix = "sb" if mode == "sbpl" else "bin"
    folder = mac.home / "registries" / name
    (folder / "policies").mkdir(parents=True)
    profiles = {}
    for profile, (text, refs) in policies.items():
        (folder / "policies" / f"{profile}.{suffix}").write_bytes(text if isinstance(text, bytes) else text.encode())
        profiles[f"ends:{profile}"] = {
            "profile_id": f"ends:{profile}", "profile_path": f"registries/{name}/policies/{profile}.{suffix}", "mode": mode,
            "family": "ends", "semantic_group": profile, "notes": "The ends of drivers.", "key_specific_rules": [],
            # Bytes have no parameters.
            **({"parameters": {"ROOT": "${root}"}} if mode == "sbpl" else {}),
            "fixtures": [{"path": "open/a", "kind": "file", "text": "content of a\n"}], "probe_refs": refs,
        }  # fmt: skip
    shipped = REPOSITORY / "registries/sonoma-runtime-checks"
    heads = {part: json.loads((shipped / f"{part}.json").read_text()) for part in ("probes", "profiles")}
    for part, content in (("probes", probes), ("profiles", profiles)):
        head = heads[part] | {part: content}
        if "registry_id" in head:
            head["registry_id"] = name
        (folder / f"{part}.json").write_text(json.dumps(head, indent=2))
    index = mac.home / "registries/index.json"
    listed = json.loads(index.read_text())
    listed["registries"].append({
        "id": name, "description": "The ends of drivers.", "probes": f"registries/{name}/probes.json",
        "profiles": f"registries/{name}/profiles.json",
    })  # fmt: skip
    index.write_text(json.dumps(listed, indent=2))
    plan = mac.home / "plans" / name
    plan.mkdir()
    text = json.loads((REPOSITORY / "plans/sonoma-runtime-checks/plan.json").read_text())
    text |= {"plan_id": name, "registry_id": name, "world_id": WORLD["world_id"], "profiles": list(profiles)}
    text.pop("apply_preflight_profile", None)
    (plan / "plan.json").write_text(json.dumps(text, indent=2))
    return f"plans/{name}/plan.json"


def probe(name, driver, operation, target, expected, **more):
    return name, {
        "probe_id": name, "name": name.split(":")[-1], "operation": operation, "target": target, "driver": driver,
        "expected": expected, "why": "An end of a driver.", "supports_lanes": {"baseline": True, "scenario": True, "oracle": True},
        "expected_primary_ops": [operation], "expected_predicates": [target], "capabilities_required": [],
        "controls_supported": ["baseline"], **more,
    }  # fmt: skip


@test(PART, "descriptors that were opened before the policy stay usable, and variables that were there")
def inherited(mac):
    probes = dict([
        probe("ends:read_inherited", "file_read_inherited", "file-read-data", "${root}/open/a", "allow"),
        probe("ends:truncate_inherited", "file_truncate_inherited", "file-write-data", "${root}/open/a", "allow"),
        probe("ends:variable", "environment_read", "process-info-pidinfo", "SANDPROOF_VARIABLE", "allow"),
    ])  # fmt: skip
    policy = '(version 1)\n(allow default)\n(deny file-read* (literal (string-append (param "ROOT") "/open/a")))\n'
    plan = registry(mac, "double-inherited", probes, {"inherited": (policy, list(probes))})
    mac.run("run", "--json", "--plan", plan, "--out", OUT).expect(0, 1, 8)
    bundle = Bundle.newest(mac, OUT)
    bundle.verify()
    for one in bundle.probes():
        check(one["actual"] == "allow", f"{one['expectation_id']} is {one['actual']}: {json.dumps(one)[:800]}")
    remember(bundle, "allow")


def remember(bundle, decision):
    """For the test of the drivers' ends, what no plan that ships shows."""
    for row in bundle.rows("scenario"):
        SEEN[row["action"]["driver"], decision] += 1


@test(PART, "a service that is there is refused, to every way of asking for it")
def services(mac):
    name = "com.apple.system.opendirectoryd.libinfo"
    probes = dict([
        probe("ends:xpc", "xpc_lookup", "mach-lookup", name, "deny"),
        probe("ends:local", "mach_lookup_local", "mach-lookup", name, "deny", filter_name="local-name"),
    ])  # fmt: skip
    policy = f'(version 1)\n(allow default)\n(deny mach-lookup (global-name "{name}") (local-name "{name}"))\n'
    plan = registry(mac, "double-services", probes, {"services": (policy, list(probes))})
    mac.run("run", "--json", "--plan", plan, "--out", OUT).expect(0)
    bundle = Bundle.newest(mac, OUT)
    bundle.verify()
    check([one["actual"] for one in bundle.probes()] == ["deny"] * 2, f"{bundle.probes()}")
    remember(bundle, "deny")


@test(PART, "a compiled profile is applied, and decides as what it was compiled from")
def compiled(mac):
    """What the bytes mean is told to the double: nothing that compiles them is here."""
    data = b"bytes that stand for a compiled profile\n"
    mac.compiled(data, '(version 1)\n(allow default)\n(deny file-read-data (literal "/private/etc/hosts"))\n')
    probes = dict([
        probe("ends:denied", "file_read", "file-read-data", "/private/etc/hosts", "deny"),
        probe("ends:allowed", "file_read", "file-read-data", "${root}/open/a", "allow"),
    ])  # fmt: skip
    plan = registry(mac, "double-compiled", probes, {"compiled": (data, list(probes))}, mode="blob")
    mac.run("run", "--json", "--plan", plan, "--out", OUT).expect(0, 8)
    bundle = Bundle.newest(mac, OUT)
    bundle.verify()
    check([one["actual"] for one in bundle.probes()] == ["deny", "allow"], f"{bundle.probes()}")


@test(PART, "bytes that are no compiled profile are not applied, and decide nothing")
def not_compiled(mac):
    probes = dict([probe("ends:read", "file_read", "file-read-data", "${root}/open/a", "allow")])
    plan = registry(mac, "double-not-compiled", probes, {"compiled": (b"no profile", list(probes))}, mode="blob")
    mac.run("run", "--json", "--plan", plan, "--out", OUT).expect(8)
    bundle = Bundle.newest(mac, OUT)
    bundle.verify()
    check([one["actual"] for one in bundle.probes()] == [None], f"{bundle.probes()}")


UNAVAILABLE = [
    # driver, operation, target, more, symbols that are hidden
    ("mach_lookup", "mach-lookup", "org.example.nobody", {}, ()),
    ("xpc_lookup", "mach-lookup", "org.example.nobody", {}, ()),
    ("iokit_open_service", "iokit-open-service", "NoSuchClass", {}, ()),
    ("iokit_open_user_client", "iokit-open-user-client", "NoSuchClass", {}, ()),
    ("mach_register", "mach-register", "org.example.own", {}, ("bootstrap_register",)),
    ("darwin_notification_post", "darwin-notification-post", "org.example.own", {}, ("notify_post",)),
    ("distributed_notification_post", "distributed-notification-post", "org.example.own", {}, ("CFNotificationCenterPostNotification",)),
    ("preference_read", "user-preference-read", "org.example.own", {"driver_params": {}}, ("CFPreferencesCopyValue",)),
]


@test(PART, "a service, a class or a function that is not there decides nothing")
def unavailable(mac):
    probes, hidden = {}, set()
    for driver, operation, target, more, symbols in UNAVAILABLE:
        if driver == "preference_read":
            more = {"name": "Key"}
        name, one = probe(f"ends:{driver}", driver, operation, target, "allow")
        if driver == "preference_read":
            one["driver_name"] = more["name"]
        probes[name] = one
        hidden |= set(symbols)
    probes.pop("ends:preference_read")
    policy = "(version 1)\n(allow default)\n"
    plan = registry(mac, "double-unavailable", probes, {"unavailable": (policy, list(probes))})
    mac.run("run", "--json", "--plan", plan, "--out", OUT, extra={"WITHOUT": ",".join(hidden)}).expect(8, 1)
    bundle = Bundle.newest(mac, OUT)
    bundle.verify()
    for one in bundle.probes():
        check(one["actual"] is None, f"{one['expectation_id']} is {one['actual']}, and nothing was there: {json.dumps(one)[:900]}")
    return f"{len(probes)} drivers"


def ends(failed):
    """After all plans: each driver was seen allowed and denied, where it can be."""
    if any(one.part.startswith("plans") for one in failed):
        return []
    names = of_macos()
    missing = [f"{name} was never allowed" for name in names - NEVER_ALLOWED if not SEEN[name, "allow"]]
    missing += [f"{name} was never denied" for name in names - NEVER_DENIED.keys() if not SEEN[name, "deny"]]
    one = Test(PART, f"each of {len(names)} drivers was allowed and was denied", None)
    if missing:
        one.failure = "\n".join(sorted(missing))
    print(f"{'FAIL' if missing else 'ok':4}          {one.part}: {one.name}")
    if missing:
        print("     " + one.failure.replace("\n", "\n     "))
    return [one] if missing else []
