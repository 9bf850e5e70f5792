"""Random questions to the model of Landlock: a policy, fixtures and an action each, drawn from a seed. What a plan may not have
is left out."""

import json
import os
import re
import tempfile

FORMAT = "sandproof.landlock_policy.v1"
FS = (
    "execute", "write_file", "read_file", "read_dir", "remove_dir", "remove_file", "make_char", "make_dir", "make_reg",
    "make_sock", "make_fifo", "make_block", "make_sym", "refer", "truncate", "ioctl_dev", "resolve_unix",
)
NET = ("bind_tcp", "connect_tcp", "bind_udp", "connect_send_udp")
SCOPE = ("abstract_unix_socket", "signal")
ON_FILES = ("execute", "write_file", "read_file", "truncate", "ioctl_dev", "resolve_unix")

FIXTURES = (
    {"path": "a/f", "kind": "file", "text": "x"}, {"path": "a/b/g", "kind": "file", "text": "y"},
    {"path": "a/tight", "kind": "file", "mode": "0400"}, {"path": "shut/f", "kind": "file", "text": "z"},
    {"path": "shut", "kind": "dir", "mode": "0500"}, {"path": "c", "kind": "dir"}, {"path": "c/empty", "kind": "dir"},
    {"path": "p", "kind": "program"}, {"path": "c/h", "kind": "hardlink", "to": "a/f"}, {"path": "q", "kind": "fifo"},
    {"path": "l", "kind": "symlink", "to": "a/f"}, {"path": "c/up", "kind": "symlink", "to": "../a"},
    {"path": "root", "kind": "symlink", "to": "${root}/a/b"}, {"path": "lost", "kind": "symlink", "to": "nowhere"},
    {"path": "ring", "kind": "symlink", "to": "ring"}, {"path": "etc", "kind": "symlink", "to": "/etc"},
    {"path": "a/x", "kind": "file", "text": "x", "xattrs": {"user.k": "v"}},
    {"path": "/tmp/${name.t}/f", "kind": "file", "text": "t"}, {"path": "/var/tmp/${name.v}", "kind": "dir"},
)
OWN = (
    "${root}", "${root}/a", "${root}/a/f", "${root}/a/b", "${root}/a/b/g", "${root}/a/tight", "${root}/shut/f", "${root}/c",
    "${root}/c/empty", "${root}/p", "${root}/c/h", "${root}/q", "${root}/l", "${root}/c/up", "${root}/c/up/f", "${root}/c/up/../c",
    "${root}/root/g", "${root}/lost", "${root}/ring", "${root}/a/x", "${root}/a/./f", "${root}//a/f", "${root}/a/f/", "${root}/c/",
    "${root}/c/.", "${root}/a/b/..", "${root}/new", "${root}/a/new", "${root}/c/new/", "${root}/missing/new", "${root}/c/empty/new",
    "/tmp/${name.t}/f", "/tmp/${name.t}", "/var/tmp/${name.v}/new", "${root}/a/f/x", "${root}/../x",
)
HOST = (
    "/", "/etc", "/etc/passwd", "/usr/bin", "/usr/bin/env", "/bin/sh", "/lib/x", "/dev/null", "/dev/zero", "/dev", "/dev/shm",
    "/dev/ptmx", "/dev/fd/0", "/proc/self/status", "/proc/1/status", "/proc/1/mem", "/proc/1/io", "/proc/1/maps", "/proc/1/environ",
    "/proc/1/root/etc", "/proc/1/exe", "/proc/1/cwd", "/proc/1/fd/0", "/proc/self/root/etc/passwd", "/proc/self/exe", "/proc/mounts",
    "/proc/net/tcp", "/proc/thread-self/status", "/proc/thread-self/..", "/tmp", "/tmp/x", "/var/run/x", "/run/x", "/run", "/home",
    "/sys/class/net", "/sys/devices", "/srv/data", "/var", "/opt/x/", "/usr/../etc/passwd", "${root}/etc/passwd", "/usr", "/proc",
    "/proc/1/fdinfo/0", "/proc/self/task/1", "/proc/1/wchan", "/etc/mtab", "/proc/self", "/proc/1",
)
READS = (
    "file_read", "file_read_at", "file_read_reopened", "file_read_at_inherited", "io_uring_read", "file_read_inherited",
    "file_read_older_thread", "file_map_executable", "file_open_write", "file_read_write", "dir_list", "file_open_path", "file_stat",
    "file_access", "file_statfs", "inotify_watch", "xattr_list", "xattr_get", "file_readlink", "chdir", "chroot", "device_ioctl",
    "exec", "unix_connect", "unix_send",
)
CHANGES = (
    "file_write", "file_write_reopened", "file_open_truncate", "file_truncate", "file_truncate_fd", "file_truncate_inherited",
    "exec_written", "file_create", "dir_create", "symlink_create", "fifo_create", "socket_node_create", "unix_bind",
    "char_device_create", "block_device_create", "file_unlink", "dir_remove", "file_lock", "file_chmod", "file_utimes", "file_chown",
    "xattr_set", "mount_bind", "mount_tmpfs", "pivot_root",
)
MOVES = ("file_rename", "file_exchange", "file_link")
PORTS = (
    "tcp_connect", "tcp_bind", "udp_bind", "udp_send", "udp_connect", "mptcp_connect", "mptcp_bind", "tcp_fast_open",
    "io_uring_connect",
)
NOTHING = (
    "abstract_connect", "abstract_send", "signal_outside", "signal_inside", "signal_self", "process_inspect_outside",
    "ptrace_outside", "process_environ_outside", "process_fork", "user_namespace", "user_namespace_map", "posix_shm", "posix_mq",
    "pseudo_tty", "tcp_listen_unbound", "raw_socket", "sysv_shm", "key_read", "tty_ioctl", "io_uring", "apply_only", "exec_memfd",
    "packet_socket", "netlink_socket", "vsock_socket", "environment_read", "descriptor_read", "sysv_sem", "sysv_msg",
    "key_add", "tty_inject", "pidfd_getfd_outside", "process_vm_readv_outside", "process_maps_outside", "process_mem_outside",
    "process_root_outside", "process_priority_outside", "bpf_map", "perf_event", "userfaultfd",
)


def _some(rng, of, least, most):
    return sorted(rng.sample(of, min(len(of), rng.randint(least, most))), key=of.index)


def _rights(rng):
    known = list(FS)
    few = rng.random() < 0.3
    return _some(rng, known, 1, 5) if few else [one for one in known if rng.random() < 0.85]


def _layer(rng, among_links):
    fs = _rights(rng) if rng.random() < 0.9 else []
    net = _some(rng, NET, 1, 4) if not fs or rng.random() < 0.4 else []
    scope = _some(rng, SCOPE, 1, 2) if not (fs or net) or rng.random() < 0.3 else []
    paths = []
    for _ in range(rng.choice((0, 1, 2, 3, 4, 6)) if fs else 0):
        place = rng.random()
        folders = ("${root}", "${root}/a", "${root}/a/b", "${root}/c", "${root}/c/empty", "${root}/c/up", "${root}/root")
        if place < 0.5:
            path, may = rng.choice(folders), fs
        elif place < 0.6:
            path, may = rng.choice(("${root}/a/f", "${root}/c/h", "${root}/p", "${root}/l", "/dev/null", "/dev/zero")), \
                [one for one in fs if one in ON_FILES]
        else:
            path, may = rng.choice(HOST if among_links else ("/", "/usr", "/etc", "/tmp", "/var", "/dev", "/srv", "/proc")), fs
        allow = _some(rng, may, 1, max(1, len(may))) if rng.random() < 0.7 else may
        if allow:
            paths.append({"path": path, "allow": allow})
    if fs and rng.random() < 0.3:
        paths.insert(rng.randint(0, len(paths)), {"path": "/", "allow": _some(rng, fs, max(1, len(fs) - 3), len(fs))})
    ports = [{"port": rng.choice(("80", "0", "443", "${port.a}", "${port.b}")), "allow": _some(rng, net, 1, len(net))}
             for _ in range(rng.choice((0, 1, 2, 3)) if net else 0)]
    handled = {name: rights for name, rights in (("fs", fs), ("net", net), ("scope", scope)) if rights}
    return {"handled": handled, "path_beneath": paths, "net_port": ports}


def _action(rng):
    kind = rng.random()
    if kind < 0.35:
        return {"driver": rng.choice(READS), "target": rng.choice(OWN + HOST)}
    if kind < 0.6:
        return {"driver": rng.choice(CHANGES), "target": rng.choice(OWN)}
    if kind < 0.8:
        return {"driver": rng.choice(MOVES), "target": rng.choice(OWN), "to": rng.choice(OWN)}
    if kind < 0.9:
        return {"driver": rng.choice(PORTS), "target": "127.0.0.1:" + rng.choice(("80", "${port.a}", "${port.b}", "443"))}
    return {"driver": rng.choice(NOTHING), "target": ""}


def question(rng):
    """A policy, fixtures and an action."""
    count = rng.choice((1, 1, 1, 1, 2, 3))
    layers = [_layer(rng, rng.random() < 0.4) for _ in range(count)]
    head = {"schema_version": FORMAT, "abi": 10} | ({"tsync": True} if rng.random() < 0.2 else {})
    policy = head | (layers[0] if count == 1 else {"layers": layers})
    action = _action(rng)
    if action["driver"] in ("symlink_create",):
        action["to"] = "nowhere"
    if action["driver"] == "mount_bind":
        action["to"] = rng.choice(OWN)
    if action["driver"] in ("xattr_get", "xattr_set"):
        action["name"] = rng.choice(("user.k", "user.other"))
    if action["target"].startswith(("${root}", "/")) and rng.random() < 0.15:
        from_, at = ("${root}/a", "${root}/c", "${root}/a/b"), ("${root}/c", "${root}/c/empty", "${root}/a")
        action["mounts"] = [{"from": rng.choice(from_), "at": rng.choice(at)} for _ in range(rng.choice((1, 2)))]
    if action["driver"] in ("abstract_connect", "abstract_send"):
        action["target"] = "${name.s}"
    if action["driver"] == "posix_shm":
        action["target"] = "/any"
    if action["driver"] == "environment_read":
        action["target"] = "HOME"
    return {"policy": policy, "action": action, "fixtures": rng.choice((8, 14, len(FIXTURES)))}


def workspace(place, questions, operations):
    """A plan with a profile for each question, of which the model alone is asked. `operations`: that of each driver."""
    profiles, probes = {}, {}

    def write(path, value):
        os.makedirs(os.path.dirname(os.path.join(place, path)), exist_ok=True)
        with open(os.path.join(place, path), "w", encoding="utf-8") as file:
            json.dump(value, file)
    for number, asked in enumerate(questions):
        write(f"policies/{number}.json", asked["policy"])
        profiles[f"p{number}"] = {
            "profile_id": f"p{number}", "profile_path": f"policies/{number}.json", "mode": "landlock",
            "probe_refs": [f"q{number}"], "family": None, "semantic_group": None, "key_specific_rules": [], "notes": None,
        }
        action = dict(asked["action"])
        more = {"attribute": action.pop("name")} if "name" in action else {}
        probes[f"q{number}"] = action | more | {
            "operation": operations[action["driver"]], "expected": "any", "fixtures": list(FIXTURES[:asked["fixtures"]])}
    head = {"registry_id": "r", "world_id": "linux-host"}
    write("registry/index.json", {"schema_version": "runtime-tools.registry_index.v0.1", "registries": [
        {"id": "r", "probes": "registry/probes.json", "profiles": "registry/profiles.json"}]})
    write("registry/probes.json", {"schema_version": "runtime-tools.probe_registry.v0.2", **head, "probes": probes})
    write("registry/profiles.json", {"schema_version": "runtime-tools.profile_registry.v0.2", **head, "profiles": profiles})
    write("plan.json", {
        "schema_version": "runtime-tools.plan.v0.1", "plan_id": "models", **head, "profiles": list(profiles),
        "lanes": {"baseline": False, "scenario": False, "oracle": True}})


def number_of(finding):
    """Which question a finding of the plan is about."""
    found = re.match(r"/(?:probes/q|profiles/p)(\d+)", finding.get("pointer") or "") or re.search(
        r"policies/(\d+)\.(?:json|sb)\Z", finding["file"])
    return int(found[1])


def answers(program, questions):
    """(question, row of the oracle lane) of each question that a plan may have."""
    drivers = program.json("list-drivers")["drivers"]
    operations = {one["driver"]: one["operations"][0] for one in drivers}
    here = {one["driver"] for one in drivers if any(call["system"] == "Linux" for call in one["calls"])}
    untried = here - {*READS, *CHANGES, *MOVES, *PORTS, *NOTHING}
    if untried:
        raise SystemExit(f"scripts/lib/model_cases.py asks nothing about {sorted(untried)}")
    while True:
        with tempfile.TemporaryDirectory() as place:
            workspace(place, questions, operations)
            done = program.run("run", "--plan", "plan.json", "--out", "out", "--run-id", "models", "--json", cwd=place, fine=(3, 9))
            if done.returncode == 9:  # There is no scenario lane.
                with open(os.path.join(place, "out", "models", "rows", "oracle.jsonl"), encoding="utf-8") as file:
                    return list(zip(questions, map(json.loads, file)))
            refused = {number_of(one) for one in json.loads(done.stdout)["findings"] if one["severity"] == "error"}
            questions = [one for number, one in enumerate(questions) if number not in refused]
