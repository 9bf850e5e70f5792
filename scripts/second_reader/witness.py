"""The questions of the witness of a clean channel (SPEC 7.2): answers by name, true, false, or None for not known."""

NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
FREE_LABELS = ("", "unconfined", "kernel")
FREE_TYPES = ("unconfined_service_t", "unconfined_t", "init_t", "initrc_t", "kernel_t")
FILTERS = {
    "DevicePolicy": ("auto",), "DeviceAllow": ("",), "IPAddressAllow": ("",), "IPAddressDeny": ("",),
    "IPIngressFilterPath": ("",), "IPEgressFilterPath": ("",), "BPFProgram": ("",), "RestrictFileSystems": ("", "no", "~"),
    "RestrictNetworkInterfaces": ("", "no", "~"), "SocketBindAllow": ("",), "SocketBindDeny": ("",),
}
DEFINITION = {
    "Type": "exec", "RemainAfterExit": "yes", "Restart": "no", "RootDirectory": "", "RootImage": "", "User": "",
    "Group": "", "PAMName": "",
}
OTHER_PROGRAMS = ("ExecCondition", "ExecStartPre", "ExecStartPost", "ExecStop", "ExecStopPost")


def same(one, other):
    return None if one in (None, "") or other in (None, "") else one == other


def answers(witness, declaration, run_id):
    """Every question in its order, with its answer."""
    w, m, j = witness["worker"] or {}, witness["manager"] or {}, witness["job"] or {}
    runtime = declaration["runtime"] if declaration else None
    raw = [(name, value) for name, value in m.get("raw", [])]
    line = dict(reversed(raw)).get
    systemd = witness["channel"] == "systemd_clean"
    unit = f"sandproof-{run_id}.service" if systemd else f"sandproof.runtime.{run_id}"
    yield "main_pid", False if w.get("pid", 2) < 2 else same(w.get("pid"), m.get("main_pid"))
    yield "unit", same(w.get("unit"), unit)
    yield "unit_of_manager", same(m.get("unit"), unit)
    yield "unit_of_job", same(j.get("unit"), unit)
    declared = runtime["channel"]["job"] if runtime else {"absent": ""}
    declared = None if "absent" in declared else declared
    yield "job", None if declared is None or not j else (
        sorted(declared["environment"]) == sorted(j["environment"])
        and declared["manager_environment"] == j["manager_environment"])
    yield "nonce", same(w.get("nonce_sha256"), j.get("nonce_sha256"))
    yield "environment", None if not (w and j and runtime) else _environment(w, j, declared, raw, systemd)
    opened = w.get("open_fds")
    yield "open_fds", None if opened is None else all(one["fd"] <= 2 for one in opened)
    root = runtime["user"]["uid_class"] == "root" if runtime else None
    yield "user", None if not (w and runtime) else (
        (w["ids"][0], w["ids"][2]) == (w["ids"][1], w["ids"][3]) and (w["ids"][1] == 0) == root)
    yield "manager", same(m.get("manager"), "systemd" if systemd else "launchd")
    if not systemd:
        yield "ended", same(m.get("exit_code"), 0)
        yield "parent", same(w.get("ppid"), 1)
        yield "runs", same(line("runs"), "1")
        yield "seatbelt", same(w.get("seatbelt_confined"), False)
        return
    yield "domain", None if root is None else same(m.get("domain"), "system" if root else "user")
    yield "ended", None if not m else (
        m["state"] in ("exited", "dead") and m["result"] == "success" and m["exit_code"] == 0 and m["signal"] is None)
    yield "account", None if not m else _account(m, raw, line)
    yield "invocation_id", same(w.get("invocation_id"), m.get("invocation_id"))
    group = w.get("control_group")
    other = group is not None and group.rpartition("/")[2] != unit
    yield "control_group", False if other else same(group, m.get("control_group"))
    yield "parent", same(w.get("parent_name"), "systemd")
    if root is not False:
        yield "parent_pid", same(w.get("ppid"), 1)
    bounding = w.get("capability_bounding_set")
    none = bounding is not None and _empty(bounding) and root
    yield "capability_bounding_set", False if none else same(bounding, w.get("parent_capability_bounding_set"))
    effective, ambient = w.get("effective_capabilities"), w.get("ambient_capabilities")
    yield "capabilities", None if effective is None or ambient is None or root is None else (
        _empty(ambient) and (effective == bounding if root else _empty(effective)))
    yield "namespaces", _namespaces(w.get("namespaces"))
    directory = w.get("root_directory") or {}
    yield "root_directory", same(directory.get("own"), directory.get("parent"))
    yield "no_new_privs", same(w.get("no_new_privs"), False)
    yield "seccomp", same(w.get("seccomp"), 0)
    yield "landlock_layers", same(w.get("landlock_layers"), 0)
    label = w.get("lsm_label")
    parts = (label or "").split(":")
    yield "lsm_label", None if label is None else (
        label in FREE_LABELS or (parts[2] if len(parts) > 2 else label) in FREE_TYPES)
    yield "umask", same(w.get("umask"), 0o022)
    preload = w.get("preload") or {}
    named, libraries = preload.get("named"), preload.get("libraries")
    yield "preload", None if named is None or libraries is None else not named or not libraries
    yield "filters", None if line("DevicePolicy") is None else all(
        line(name) is None or line(name) in free for name, free in FILTERS.items())
    file = line("FragmentPath")
    yield "definition", None if not m else (
        file is not None and file.rpartition("/")[2] == unit
        and all(line(name) == value for name, value in DEFINITION.items())
        and not any(line(name) for name in OTHER_PROGRAMS))
    yield "drop_ins", None if line("DropInPaths") is None else True


def _environment(w, j, declared, raw, systemd):
    names = [one["name"] for one in w["environment"]]
    known = set(j["environment"]) | set(j["manager_environment"]) | set(() if systemd else _sets(raw))
    values = {one["name"]: one["value_sha256"] for one in w["environment"]}
    other = any(
        isinstance(value, str) and name in values and values[name] != value
        for name, value in (declared or {"environment": {}})["environment"].items())
    loaders = any(name.startswith(("LD_", "DYLD_")) or name == "GLIBC_TUNABLES" for name in names)
    return set(names) <= known and set(j["environment"]) <= set(names) and not loaders and not other


def _sets(raw):
    """What launchd says to have set of its own accord."""
    blocks = {}
    for name, text in raw:
        blocks.setdefault(name, []).append(text)
    handed = {one.split(" => ", 1)[0] for text in blocks.get("inherited environment", ()) for one in text.splitlines() if " => " in one}
    found = set()
    for name in ("environment", "default environment"):
        texts = blocks.get(name, [])
        lines = texts[0].splitlines() if len(texts) == 1 else []
        if all(" => " in one for one in lines):
            found |= {one.split(" => ", 1)[0] for one in lines}
    return found - handed


def _account(m, raw, line):
    wanted = {
        "LoadState": "loaded", "SubState": m["state"], "Result": m["result"], "ExecMainPID": m["main_pid"],
        "ExecMainCode": None if m["exit_code"] is None else 1, "ExecMainStatus": m["exit_code"],
        "InvocationID": m["invocation_id"],
    }
    names = [name for name, _ in raw]
    return len(set(names)) == len(names) and all(
        value is not None and line(name) == str(value) for name, value in wanted.items())


def _empty(text):
    try:
        return int(text, 16) == 0
    except ValueError:
        return False


def _namespaces(found):
    if not found:
        return None
    answer = True
    for name in NAMESPACES:
        mine = [one for one in found if one["name"] == name]
        if len(mine) > 1:
            answer = False
        elif mine and mine[0]["own"] is not None and mine[0]["parent"] is not None:
            if mine[0]["own"] != mine[0]["parent"] or not mine[0]["own"].startswith(f"{name}:["):
                answer = False
        elif answer:
            answer = None
    return answer


def is_good(witness, manifest, declaration, indexed):
    """Whether the witness shows that the channel of this run was clean (gate `channel_unwitnessed`)."""
    if witness is None or not indexed or witness["run_id"] != manifest["run_id"]:
        return False
    found = list(answers(witness, declaration, manifest["run_id"]))
    told = [(one["check"], one["ok"]) for one in witness["checks"]]
    return (witness["channel"] == manifest["channel"] and told == found and witness["clean"]
            and all(ok is True for _, ok in found) and _of_one_worker(manifest, witness))


def _of_one_worker(manifest, witness):
    worker, facts = witness["worker"], manifest.get("confinement") or {}
    if not worker:
        return False
    for name in ("landlock_layers", "seccomp", "no_new_privs", "lsm_label"):
        if facts.get(name) is not None and worker.get(name) is not None and facts[name] != worker[name]:
            return False
    if witness["channel"] != "systemd_clean":
        return True
    stage = (manifest["stage_root"] or "").rpartition("/")[2] or None
    outputs = [one["what"] for one in worker.get("open_fds") or [] if one["fd"] in (1, 2)]
    return all((one.split("/")[-2] if "/" in one else None) == stage for one in outputs)
