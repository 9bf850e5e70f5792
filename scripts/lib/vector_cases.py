"""What the test vectors are made of: policies, shapes of rows, forged bundles, changed packets (SPEC 10)."""

import copy
import json
import os

FS = (
    "execute", "write_file", "read_file", "read_dir", "remove_dir", "remove_file", "make_char", "make_dir", "make_reg",
    "make_sock", "make_fifo", "make_block", "make_sym", "refer", "truncate", "ioctl_dev",
)
NET = ("bind_tcp", "connect_tcp")
SCOPE = ("abstract_unix_socket", "signal")
PATHS = (
    "${root}", "${root}/a", "${root}/a/b", "${root}/a/../c", "${root}/./d", "${root}/a//b/", "/", "/usr", "/tmp", "/etc",
    "/proc", "/dev", "/dev/null", "/var/tmp/", "/home/../usr", "/usr/..", "/proc/self/root", "${root}/.control",
    "${root}/x/..", "${root}/e/.control", "/proc/mounts", "/dev/shm",
)
PORTS = ("${port.control}", "${port.a}", "443", "0", "8080")
FORMAT = "sandproof.landlock_policy.v1"


# --- policies ------------------------------------------------------------------------------------------------------------

def _layer(rng):
    chosen = {
        "fs": rng.sample(FS, rng.choice([0, 1, 2, 3, 8, len(FS)])), "net": rng.sample(NET, rng.choice([0, 0, 1, 2])),
        "scope": rng.sample(SCOPE, rng.choice([0, 0, 1, 2])),
    }
    handled = {kind: rights for kind, rights in chosen.items() if rights} or {"fs": ["read_file"]}

    def rules(key, texts, rights, most):
        count = rng.choice(most) if rights else 0
        return [{key: rng.choice(texts), "allow": rng.sample(rights, rng.randint(1, len(rights)))} for _ in range(count)]
    layer = {"handled": handled}
    for name, found in (("path_beneath", rules("path", PATHS, handled.get("fs", []), (0, 0, 1, 2, 3))),
                        ("net_port", rules("port", PORTS, handled.get("net", []), (0, 0, 1, 2)))):
        layer |= {name: found} if found else {}
    return layer


def policies(rng, count=60):
    found = []
    for _ in range(count):
        layers = [_layer(rng) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
        head = {"schema_version": FORMAT, "abi": 7}
        found.append(head | (layers[0] if len(layers) == 1 else {"layers": layers}))
    return found


def workspace(place, documents):
    """A plan with a profile for each document."""
    def write(path, value):
        os.makedirs(os.path.dirname(os.path.join(place, path)), exist_ok=True)
        with open(os.path.join(place, path), "w", encoding="utf-8") as file:
            json.dump(value, file)
    profiles = {}
    for number, document in enumerate(documents):
        write(f"policies/{number}.json", document)
        profiles[f"p{number}"] = {
            "profile_id": f"p{number}", "profile_path": f"policies/{number}.json", "mode": "landlock", "probe_refs": ["q"],
            "family": None, "semantic_group": None, "key_specific_rules": [], "notes": None,
        }
    folders = [{"path": path, "kind": "dir"} for path in ("a", "a/b", "c", "d", "e", "x")]
    probe = {"operation": "file-read-data", "driver": "file_read", "target": "${root}/f", "expected": "any",
             "fixtures": [*folders, {"path": "f", "kind": "file", "text": "x"}]}
    head = {"registry_id": "r", "world_id": "linux-host"}
    write("registry/index.json", {"schema_version": "runtime-tools.registry_index.v0.1", "registries": [
        {"id": "r", "probes": "registry/probes.json", "profiles": "registry/profiles.json"}]})
    write("registry/probes.json", {"schema_version": "runtime-tools.probe_registry.v0.2", **head, "probes": {"q": probe}})
    write("registry/profiles.json", {"schema_version": "runtime-tools.profile_registry.v0.2", **head, "profiles": profiles})
    write("plan.json", {"schema_version": "runtime-tools.plan.v0.1", "plan_id": "controls", **head, "profiles": list(profiles)})


# --- rows ----------------------------------------------------------------------------------------------------------------

def row_shapes(base):
    """Shapes of rows at a place of the base bundle: the scenario's row and the baseline's."""
    def shape(name, seq, scenario=None, baseline=None):
        rows = {lane: copy.deepcopy(base[lane][seq]) for lane in ("scenario", "baseline")}
        for lane, edit in (("scenario", scenario), ("baseline", baseline)):
            if edit:
                edit(rows[lane])
        return {"name": name, "seq": seq, **rows}

    def put(path, *value):
        """Sets a member, or without a value removes it."""
        def edit(row):
            inner = row
            for part in path[:-1]:
                inner = inner[part]
            if value:
                inner[path[-1]] = value[0]
            else:
                inner.pop(path[-1], None)
        return edit

    def all_(*edits):
        return lambda row: [edit(row) for edit in edits]

    def calls(*found):
        return put(("operation", "calls"), [
            {"syscall": name, "role": role, "ret": ret, "errno": number} for name, role, ret, number in found])
    ok, no = ("openat", "operation", 4, 0), ("openat", "operation", -1, 13)
    read = ("read", "operation", 1, 0)
    signaled = put(("ending",), {"how": "signaled", "signal": 9, "core_dumped": False})
    expired = put(("ending",), {"how": "expired", "deadline_ms": 10000, "sent": [], "signal": 9})
    no_operation, no_prologue = put(("operation",)), put(("prologue",))
    apply, before, after = (("prologue", name) for name in ("apply", "self_check_before", "self_check_after"))
    silent = all_(no_operation, no_prologue)

    def not_run(kind, number=0):
        return all_(silent, put(("ending",)), put(("pid",)), put(("process",)), put(("not_run",), {"kind": kind, "reason": "r", "errno": number}))

    def never(ending):
        return all_(silent, put(("pid",)), put(("process",)), put(("ending",), ending))

    def setup(failure):
        return all_(no_operation, put(apply), put(after), put(("prologue", "setup_failure"), failure))

    def detail(name, value):
        return put(("operation", "details"), [[name, value]])
    yield shape("as it was, allowed", 0)
    yield shape("as it was, denied", 1)
    yield shape("as it was, not a denial", 4)
    yield shape("as it was, moved between folders", 5)
    yield shape("as it was, a program", 6)
    yield shape("as it was, asked", 7)
    yield shape("as it was, not run", 8)
    yield shape("as it was, not made for the lane", 9)
    yield shape("as it was, a fork", 12)
    yield shape("as it was, refused to connect", 13)
    yield shape("as it was, refused to signal", 14)
    for seq in (0, 1):
        words = ("allowed", "denied")[seq]
        yield shape(f"{words}, and a signal ended it", seq, signaled)
        yield shape(f"{words}, in time that was up", seq, expired)
        yield shape(f"{words}, and a report error", seq, put(("report_error",), "cut off"))
        yield shape(f"{words}, and another exit code", seq, put(("ending",), {"how": "exited", "code": 3}))
        yield shape(f"{words}, no apply", seq, put(apply))
        yield shape(f"{words}, no check afterwards", seq, put(after))
        yield shape(f"{words}, found free afterwards", seq, put((*after, "confined"), False))
        yield shape(f"{words}, found confined before", seq, put((*before, "confined"), True))
        yield shape(f"{words}, could not ask before", seq, all_(put((*before, "confined"), None), put((*before, "errno"), 5)))
        yield shape(f"{words}, could not ask afterwards", seq, put((*after, "confined"), None))
        yield shape(f"{words}, apply failed", seq, all_(put((*apply, "rc"), -1), put((*apply, "errno"), 22)))
        yield shape(f"{words}, apply with an errno", seq, put((*apply, "errno"), 7))
        yield shape(f"{words}, apply with a failure", seq, put((*apply, "failure"), "landlock_rule_target"))
        yield shape(f"{words}, apply with a failure of another stage", seq, put((*apply, "failure"), "probe_timeout"))
        yield shape(f"{words}, rights that are not supported", seq, put((*apply, "unsupported"), ["fs:resolve_unix"]))
        yield shape(f"{words}, an unknown call", seq, put((*apply, "api"), "pledge"))
        yield shape(f"{words}, an unknown call that failed", seq, all_(put((*apply, "api"), "pledge"), put((*apply, "rc"), -1)))
        yield shape(f"{words}, no calls", seq, calls())
        yield shape(f"{words}, -1 without an errno", seq, calls(("openat", "operation", -1, 0)))
        yield shape(f"{words}, 0 with an errno", seq, calls(("openat", "operation", 4, 0), ("read", "operation", 0, 13)))
        yield shape(f"{words}, the baseline's setup failed", seq, None, setup({"step": "fixtures", "errno": 28}))
        yield shape(f"{words}, the baseline was confined", seq, None, put((*before, "confined"), True))
        yield shape(f"{words}, the baseline could not ask", seq, None, put((*before, "confined"), None))
        yield shape(f"{words}, the baseline expired", seq, None, expired)
        yield shape(f"{words}, the baseline was denied", seq, None, calls(no))
        yield shape(f"{words}, the baseline met EROFS", seq, None, calls(("openat", "operation", -1, 30)))
        yield shape(f"{words}, the baseline's target has another mode", seq, None, put(("prologue", "target", "mode"), 33152))
        yield shape(f"{words}, the baseline's target has another owner", seq, None, put(("prologue", "target", "uid"), 7))
        yield shape(f"{words}, the baseline made another call", seq, None, calls(("open", "operation", 4, 0), read))
    yield shape("an errno that is no denial", 1, calls(("openat", "operation", -1, 2)))
    yield shape("EPERM, no denial of this driver", 1, calls(("openat", "operation", -1, 1)))
    yield shape("a preparing call failed", 1, calls(("openat", "prepare", -1, 13)))
    yield shape("preparing calls alone", 0, calls(("openat", "prepare", 4, 0), ("read", "prepare", 1, 0)))
    yield shape("a call after one that failed", 1, calls(no, read))
    yield shape("a call with a code", 1, put(("operation", "calls"), [{"syscall": "openat", "role": "operation", "ret": -1, "errno": 0, "code": 1100}]))
    yield shape("confirmed", 0, detail("confirmed", 1))
    yield shape("not confirmed", 0, detail("confirmed", 0))
    yield shape("denied, and confirmed", 1, detail("confirmed", 1))
    yield shape("denied, and not confirmed", 1, detail("confirmed", 0))
    yield shape("no operation", 0, no_operation)
    yield shape("no operation, and a signal", 0, all_(no_operation, signaled))
    yield shape("no prologue", 0, silent)
    yield shape("no prologue in the baseline", 1, None, silent)
    yield shape("an operation without a prologue", 0, no_prologue)
    yield shape("not started", 0, never({"how": "not_started", "errno": 11}))
    yield shape("lost", 0, all_(put(("ending",), {"how": "lost", "reason": "r"})))
    yield shape("not run at apply", 0, not_run("landlock_unavailable", 38))
    yield shape("not run at preflight", 0, not_run("fixture_failed", 28))
    yield shape("a setup that failed", 0, setup({"step": "mounts", "errno": 1}))
    yield shape("a symbol that is missing", 0, setup({"step": "resolve", "errno": 0, "missing": "f"}))
    yield shape("a target that leads elsewhere", 0, setup({"step": "change", "errno": 0, "leads_to": "/etc/hosts"}))
    yield shape("a program with another exit code", 6, put(("ending",), {"how": "exited", "code": 1}))
    yield shape("a program that a signal ended", 6, signaled)
    yield shape("a program, and execve(2) returned", 6, put(("operation",), {"calls": [
        {"syscall": "execve", "role": "operation", "ret": 0, "errno": 0}]}))
    yield shape("a program that was refused", 6, put(("operation",), {"calls": [
        {"syscall": "execve", "role": "operation", "ret": -1, "errno": 13}]}))
    yield shape("a program in a child, with its exit code", 6, put(("operation",), {"calls": [
        {"syscall": "fork", "role": "prepare", "ret": 7, "errno": 0}, {"syscall": "execve", "role": "operation", "ret": 0, "errno": 0}],
        "details": [["program_exit_code", 42]]}))
    yield shape("a program in a child, without one", 6, put(("operation",), {"calls": [
        {"syscall": "fork", "role": "prepare", "ret": 7, "errno": 0}, {"syscall": "execve", "role": "operation", "ret": 0, "errno": 0}]}))
    went = put(("operation", "calls"), [{"syscall": "connect", "role": "operation", "ret": 0, "errno": 0}])
    yield shape("a connection that nobody took", 13, went)
    yield shape("a connection that somebody took", 13, all_(went, put(("listener", "accept_count"), 1)))
    yield shape("a refusal, and somebody took it", 13, put(("listener", "accept_count"), 1))
    yield shape("a refusal without a listener", 13, put(("listener",)))
    yield shape("a signal that was not received", 15, detail("received", 0))
    yield shape("a signal that was received", 15, detail("received", 1))
    yield shape("a refused signal that was received", 14, detail("received", 1))
    yield shape("another driver's received", 0, detail("received", 0))


# --- forged bundles ------------------------------------------------------------------------------------------------------

def forgeries(base):
    def line(lane, number, pointer, *value):
        edit = {"file": f"rows/{lane}.jsonl", "line": number, "pointer": pointer}
        return edit | ({"value": value[0]} if value else {})

    def doc(file, pointer, *value, **more):
        return {"file": file, "pointer": pointer} | ({"value": value[0]} if value else {}) | more

    def one(name, *edits, reseal=("index",), **more):
        return {"name": name, "edits": list(edits), "reseal": list(reseal)} | more
    manifest, status, index, identity = "run_manifest.json", "run_status.json", "artifact_index.json", "run_identity.json"
    sealed, zeros = ("declaration", "index"), "0" * 64
    with open(os.path.join(base, identity), encoding="utf-8") as file:
        artifact = json.load(file)["artifact"]
    policy = artifact["profiles"]["v:files"]["path"]
    with open(os.path.join(base, "rows/scenario.jsonl"), encoding="utf-8") as file:
        rows = [json.loads(text) for text in file]
    yield one("nothing", reseal=())
    yield one("nothing, sealed anew", reseal=sealed)
    # The folder and its index.
    yield one("no index", {"file": index, "remove": True}, reseal=())
    yield one("a file more", {"file": "verdict.txt", "text": "allow"}, reseal=())
    yield one("a leftover", {"file": ".summary.json.x.tmp", "text": ""}, reseal=())
    yield one("a file less", {"file": "summary.md", "remove": True}, reseal=())
    yield one("a file less, and from the index", {"file": "summary.md", "remove": True}, doc(index, "/artifacts/5"))
    yield one("an empty folder", {"file": "more", "folder": True}, reseal=())
    yield one("a link", {"file": "summary.md", "link": "summary.json"}, reseal=())
    yield one("a name with a space", {"file": "a b", "text": "x"}, reseal=())
    yield one("a byte more", {"file": "summary.md", "append": "\n"}, reseal=())
    yield one("another byte", {"file": "rows/oracle.jsonl", "line": 0, "pointer": "/seq", "value": 1}, reseal=())
    yield one("an index that lists twice", doc(index, "/artifacts/-", {
        "path": "out/base/summary.md", "file_size": 0, "sha256": zeros, "schema_version": None}), reseal=())
    yield one("an index that lists itself", doc(index, "/artifacts/-", {
        "path": "out/base/artifact_index.json", "file_size": 0, "sha256": zeros, "schema_version": None}), reseal=())
    yield one("another order", doc(index, "/artifacts/0"), reseal=())
    yield one("an indexed path that leaves", doc(index, "/artifacts/-", {
        "path": "out/base/../x", "file_size": 0, "sha256": zeros, "schema_version": None}), reseal=())
    yield one("a format of the index's own", doc(index, "/artifacts/4/schema_version", "x"), reseal=())
    yield one("an index with an unknown member", doc(index, "/more", 1), reseal=())
    yield one("an index of another format", doc(index, "/schema_version", "runtime-tools.artifact_index.v9"), reseal=())
    yield one("an index that is cut off", {"file": index, "text": "{"}, reseal=())
    yield one("a status of the index", doc(index, "/status", "failed"), reseal=())
    yield one("something missing", doc(index, "/missing/-", "out/base/x"), reseal=())
    yield one("a repaired bundle", doc(index, "/repaired", True), reseal=())
    # Documents against each other.
    yield one("a run that goes on", doc(status, "/state", "in_progress"))
    yield one("a run that failed", doc(status, "/state", "failed"), doc(status, "/failure_stage", "x"), doc(status, "/error", "x"))
    yield one("complete, and an error", doc(status, "/error", "x"))
    yield one("another run", doc(status, "/run_id", "other"))
    yield one("another world in the status", doc(status, "/world_id", "other"))
    yield one("another world everywhere", doc(status, "/world_id", "other"), doc(manifest, "/world_id", "other"),
              doc(index, "/world_id", "other"))
    yield one("another plan in the status", doc(status, "/plan_digest", zeros))
    yield one("another output root", doc(manifest, "/output_root", "out/other"))
    yield one("another preflight", doc("apply_preflight.json", "/apply_ok", False))
    yield one("a stamp of another identity", doc(manifest, "/identity", zeros))
    yield one("an entry's stamp", doc(index, "/artifacts/3/identity", zeros), reseal=())
    yield one("no declaration", {"file": identity, "remove": True}, reseal=())
    yield one("a status of an unknown member", doc(status, "/colour", "red"))
    yield one("a name twice", {"file": status, "text": '{"schema_version": "runtime-tools.run_status.v0.1", "state": "failed", "state": "complete"}'})
    # The declared run.
    yield one("another plan digest everywhere", doc(status, "/plan_digest", zeros), doc(manifest, "/plan_digest", zeros),
              doc(identity, "/artifact/plan/plan_digest", zeros), doc("summary.json", "/plan_digest", zeros), reseal=sealed)
    yield one("another meaning of a policy", doc(identity, "/artifact/profiles/v:files/value_sha256", zeros), reseal=sealed)
    yield one("another document of a policy", doc(identity, "/artifact/profiles/v:files/sha256", zeros), reseal=sealed)
    yield one("another expectation", doc(identity, "/policy/expectations/v:else/sha256", zeros), reseal=sealed)
    yield one("other fixtures", doc(identity, "/artifact/fixtures/entries", 1), reseal=sealed)
    yield one("another limit", doc(identity, "/policy/limits/rows", 5), reseal=sealed)
    yield one("another decision rule", doc(identity, "/policy/decision_rule", "sandproof.decision_rule.v1"), reseal=sealed)
    yield one("another tool", doc(identity, "/artifact/tool/sha256", zeros), reseal=sealed)
    yield one("other jobs", doc(identity, "/runtime/jobs", 9), reseal=sealed)
    yield one("another reason", doc(identity, "/policy/shard/absent", "no"), reseal=sealed)
    yield one("another commit, which nothing confirms", doc(identity, "/artifact/tool/commit", "0" * 40), reseal=sealed)
    yield one("another locale, which nothing confirms", doc(identity, "/runtime/locale", "C"), reseal=sealed)
    yield one("a mask that the schema refuses", doc(identity, "/runtime/umask", "0000022"), reseal=sealed)
    yield one("a digest of a part", doc(identity, "/digests/policy", zeros))
    yield one("no waivers", doc(identity, "/history/waivers", []), reseal=sealed)
    yield one("another deadline", doc(manifest, "/deadline_ms", 5))
    yield one("a selection", doc(manifest, "/selection/only_profiles/-", "v:files"))
    yield one("a stage", doc(manifest, "/stage_used", True))
    yield one("fixtures elsewhere", doc(manifest, "/fixture_base", "/tmp/other"))
    yield one("an input that was not read", doc(manifest, "/declared_inputs/-", {"role": "policy", "path": "x", "sha256": zeros}))
    yield one("an input less", doc(manifest, "/declared_inputs/2"))
    yield one("a fact of the host", doc(manifest, "/host/kernel_release", "9.9"))
    yield one("a world that matches nothing", doc(manifest, "/world/matches", False))
    yield one("a changed plan", doc("inputs/plan.json", "/deadline_ms", 5), reseal=("sources", "index"))
    yield one("a changed note of the plan", doc("inputs/plan.json", "/notes", "x"), reseal=("sources", "index"))
    yield one("a changed expectation", doc("inputs/probes.json", "/probes/read_inside/expected", "deny"), reseal=("sources", "index"))
    yield one("a changed input, not listed anew", doc("inputs/plan.json", "/deadline_ms", 5))
    yield one("a stray input", {"file": "inputs/more.json", "text": "{}"}, doc(index, "/artifacts/-", {
        "path": "out/base/inputs/more.json", "file_size": 2, "sha256": zeros, "schema_version": None}), reseal=())
    yield one("an input that nothing needs", {"file": "inputs/more.json", "text": "{}"},
              doc("inputs/sources.json", "/documents/-", {
                  "role": "policy", "path": "policies/more.json", "file": "inputs/more.json", "size": 2, "sha256": zeros}),
              doc(index, "/artifacts", _with(base, "inputs/more.json")), reseal=("sources", "declaration", "index"))
    # Rows.
    yield one("a verdict by a row", line("scenario", 1, "/operation/calls", rows[0]["operation"]["calls"]))
    yield one("a row less", {"file": "rows/scenario.jsonl", "line": 15})
    yield one("another seq", line("scenario", 3, "/seq", 4))
    yield one("another profile", line("scenario", 3, "/profile_id", "v:layers"))
    yield one("another target", line("scenario", 0, "/action/target", "/etc/hostname"))
    yield one("another driver", line("scenario", 0, "/action/driver", "file_stat"))
    yield one("a row of nothing", {"file": "rows/scenario.jsonl", "append": "\n"})
    yield one("a row of another format", line("scenario", 0, "/schema_version", "sandproof.probe_row.v9"))
    yield one("an unknown member of a row", line("scenario", 0, "/colour", "red"))
    yield one("an ending and a reason not to run", line("scenario", 0, "/not_run", {"kind": "fixture_failed", "reason": "r", "errno": 0}))
    yield one("not run at the probe", line("scenario", 8, "/not_run/kind", "probe_timeout"))
    yield one("a lane that the probe is made for", line("scenario", 8, "/not_run/kind", "lane_unsupported"))
    yield one("a control less", {"file": "rows/control.jsonl", "line": 0})
    yield one("a control aimed elsewhere", line("control", 0, "/action/target", rows[0]["root"] + "/open/a"))
    yield one("a control that expects otherwise", line("control", 0, "/control_expects", "allow"))
    yield one("another folder", line("scenario", 0, "/root", "/tmp/r000000"))
    yield one("another process", line("scenario", 0, "/pid", 4194304))
    yield one("another user", line("scenario", 0, "/prologue/uid", 1000))
    yield one("another ABI", line("scenario", 0, "/prologue/apply/abi", 1))
    yield one("privileges afterwards", line("scenario", 0, "/prologue/self_check_after/no_new_privs", False))
    yield one("a descriptor", line("scenario", 0, "/prologue/open_fds/-", {"fd": 7, "what": "/etc/passwd"}))
    yield one("another file", line("scenario", 0, "/operation/opened/ino", 1))
    yield one("nothing read", line("scenario", 0, "/operation/details", [["bytes_read", 0]]))
    yield one("another last call", line("scenario", 0, "/operation/calls/1/syscall", "pread64"))
    said = {"level": "kernel", "blockers": ["fs.read_file"]}
    yield one("an attribution that nobody heard", line("scenario", 0, "/attribution", said))
    yield one("a policy in the baseline", line("baseline", 0, "/prologue/apply", rows[0]["prologue"]["apply"]))
    yield one("1969", line("scenario", 0, "/started_at_unix_s", -5.0))
    yield one("another time, which gates and reports see", line("scenario", 0, "/started_at_unix_s", 0.0), reference=True)
    yield one("another folder, and the target in it", line("scenario", 0, "/root", "/tmp/r000000"),
              line("scenario", 0, "/action/target", "/tmp/r000000/open/a"))
    program = next(row["seq"] for row in rows if row["action"].get("exit_code"))
    for name, *value in (("without the exit code that was demanded",), ("another exit code that was demanded", 7)):
        yield one(name, *(line(lane, program, "/action/exit_code", *value) for lane in ("scenario", "baseline")))
    yield one("arguments that the plan has not", *(line(lane, program, "/action/argv", ["x"]) for lane in ("scenario", "baseline")))
    yield one("an oracle's row of another expectation", line("oracle", 0, "/expectation_id", "x"))
    yield one("another answer of the model", line("oracle", 0, "/decision", "deny"),
              doc("oracle_results.json", "/results/0/decision", "deny"))
    yield one("another rule that decides", line("oracle", 0, "/rule", "/path_beneath/9"),
              doc("oracle_results.json", "/results/0/rule", "/path_beneath/9"))
    yield one("another source of answers", line("oracle", 0, "/source", "seatbelt_model"),
              doc("oracle_results.json", "/results/0/api", "seatbelt_model"))
    yield one("an assumption more", line("oracle", 0, "/assumes", ["nothing"]),
              doc("oracle_results.json", "/results/0/assumes", ["nothing"]))
    yield one("other words of the model", line("oracle", 0, "/reason", "r"),
              doc("oracle_results.json", "/results/0/reason", "r"), reference=True)
    yield one("an oracle's reason", doc("oracle_results.json", "/results/0/reason", "r"))
    # Derived documents.
    results = "runtime_results.json"
    yield one("a result", doc(results, "/v:files/probes/1/actual", "allow"))
    yield one("a match", doc(results, "/v:files/probes/3/match", True))
    yield one("an errno", doc(results, "/v:files/probes/1/runtime_result/errno", 1))
    yield one("a profile's status", doc(results, "/v:files/status", "ok"))
    yield one("an event", doc("runtime_events.normalized.json", "/1/actual", "allow"))
    yield one("a baseline's result", doc("baseline_results.json", "/results/0/status", "deny"))
    yield one("a control's status", doc("controls.json", "/profiles/0/must_deny/status", "wrong"))
    yield one("a count", doc("summary.json", "/counts/matched", 16))
    yield one("undecided rows", doc("summary.json", "/undecided_rows/count", 0))
    yield one("a matrix", doc("expected_matrix.json", "/profiles/v:files/probes/0/expected", "deny"))
    yield one("a mismatch less", doc("mismatch_summary.json", "/mismatches/0"))
    yield one("an oracle's result", doc("oracle_results.json", "/results/0/decision", "deny"))
    yield one("a note", doc(results, "/v:files/notes", "all is well"), reference=True)
    yield one("a summary for people", {"file": "summary.md", "text": "# All is well\n"}, reference=True)
    yield one("a witness of a path", doc("path_witnesses.json", "/records/0/observed_path", "/etc/hosts"), reference=True)
    yield one("layout of a derived document", {"file": "controls.json", "append": "\n"}, reference=True)
    # Verdicts, byte for byte.
    verdicts = "verdicts.jsonl"

    def verdict(number, pointer, *value):
        return {"file": verdicts, "line": number, "pointer": pointer} | ({"value": value[0]} if value else {})
    yield one("a verdict turned round", verdict(1, "/actual", "allow"))
    yield one("a lane's word", verdict(1, "/baseline/word", "deny"))
    yield one("a lane's kind", verdict(4, "/scenario/kind", "probe_timeout"))
    yield one("another probe", verdict(0, "/probe_sha256", zeros))
    yield one("another oracle", verdict(0, "/oracle", None))
    yield one("a member of a verdict less", verdict(0, "/mechanism"))
    yield one("a verdict less", {"file": verdicts, "line": 0})
    yield one("a verdict more", {"file": verdicts, "append": "{}\n"})
    yield one("a space in a verdict", {"file": verdicts, "append": " "})
    yield one("no verdicts", {"file": verdicts, "remove": True}, doc(index, f"/artifacts/{_place_of(base, verdicts)}"))
    yield one("verdicts in a bundle of the first format", doc(manifest, "/bundle_format"))
    yield one("a format that nobody knows", doc(manifest, "/bundle_format", "sandproof.bundle.v9"))
    # Reasons, and what is not confirmed.
    yield one("a reason in words", doc(identity, "/artifact/subject/absent", "the plan names no subject"), reseal=sealed)
    yield one("another reason", doc(identity, "/artifact/subject/absent", "no_template"), reseal=sealed)
    yield one("a reason that nobody knows", doc(identity, "/artifact/subject/absent", "no_reason"), reseal=sealed)
    yield one("another reason that nothing confirms", doc(identity, "/policy/channel_limit_ms/absent", "no_wait"), reseal=sealed)
    yield one("less unconfirmed", doc(identity, "/policy/unconfirmed/0"), reseal=sealed)
    yield one("nothing unconfirmed", doc(identity, "/policy/unconfirmed"), reseal=sealed)
    # Shapes of rows.
    yield one("a list for an object", line("scenario", 0, "/operation/calls/0", ["openat", "operation", 4, 0]))
    yield one("a list for an action", line("scenario", 0, "/action", [rows[0]["action"]["driver"], rows[0]["action"]["target"]]))
    yield one("a list for an ending", line("scenario", 0, "/ending", ["exited", {"code": 0}]))
    yield one("an ending with more", line("scenario", 0, "/ending/signal", 9))
    yield one("a detail that no driver tells", line("scenario", 0, "/operation/details", [["mood", 1]]))
    yield one("a listener that nobody keeps", line("scenario", 13, "/listener/kind", "carrier_pigeon"))
    yield one("layout of a raw document", {"file": status, "append": "\n"})
    yield one("a policy with another layout", {"file": _file_of(base, policy), "append": "\n"}, reseal=("sources", "index"))


def _with(base, name):
    """The entries of the index with one more, in index order."""
    with open(os.path.join(base, "artifact_index.json"), encoding="utf-8") as file:
        index = json.load(file)
    more = {"path": f"{index['bundle_root']}/{name}", "file_size": 0, "sha256": "0" * 64, "schema_version": None}
    place = next(n for n, entry in enumerate(index["artifacts"]) if entry["path"].endswith("/inputs/plan.json"))
    return [*index["artifacts"][:place], more, *index["artifacts"][place:]]


def _place_of(base, name):
    """The place of a file in the base's index."""
    with open(os.path.join(base, "artifact_index.json"), encoding="utf-8") as file:
        entries = json.load(file)["artifacts"]
    return next(place for place, entry in enumerate(entries) if entry["path"].endswith("/" + name))


def _file_of(base, policy):
    with open(os.path.join(base, "inputs/sources.json"), encoding="utf-8") as file:
        documents = json.load(file)["documents"]
    return next(one["file"] for one in documents if (one["role"], one["path"]) == ("policy", policy))


# --- packets -------------------------------------------------------------------------------------------------------------

def packets(packet):
    zeros = "0" * 64
    digest = next(iter(packet["artifact_digests"]))

    def one(name, pointer, *value):
        return {"name": name, "edits": [{"pointer": pointer} | ({"value": value[0]} if value else {})]}
    yield {"name": "as it is", "edits": []}
    yield one("promotable", "/promotability", packet["promotability"] | {"promotable_decision_stage": True, "reasons": []})
    yield one("a reason less", "/promotability/reasons/0")
    yield one("another index", "/index_sha256", zeros)
    yield one("another identity", "/identity", zeros)
    yield one("another part", "/identity_parts/policy", zeros)
    yield one("another world", "/world_id", "linux-other")
    yield one("another world's document", "/world_document_sha256", zeros)
    yield one("another digest", "/artifact_digests/" + digest.replace("~", "~0").replace("/", "~1"), zeros)
    yield one("a pointer less", "/summary")
    yield one("more decided rows", "/rows/decided", packet["rows"]["decided"] + 1)
    yield one("no undecided rows", "/rows/undecided/count", 0)
    yield one("another input of the gates", "/promotability/gating_inputs/apply_ok", None)
    yield one("an unknown member", "/colour", "red")
    yield one("another format", "/schema_version", "runtime-tools.promotion_packet.v9")
