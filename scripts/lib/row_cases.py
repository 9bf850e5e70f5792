"""Shapes of rows under Seatbelt and under launchers (SPEC 10): made of Landlock's rows, since no Mac and no launcher is needed to
judge one."""

import copy

HEAD = ("schema_version", "seq", "lane", "profile_id", "probe_id", "expectation_id", "root", "started_at_unix_s", "duration_us")
DONE = {"is": "done"}
NO_ANSWER = {"is": "no_answer"}


# --- Seatbelt ------------------------------------------------------------------------------------------------------------

def _call(name, ret, errno=0, code=None, role="operation"):
    found = {"syscall": name, "role": role, "ret": ret, "errno": errno}
    return found if code is None else found | {"code": code}


def _seatbelt(row, driver, target, calls, api="sandbox_init_with_parameters"):
    """A row of Landlock's as a process on macOS would have reported it."""
    row = copy.deepcopy(row)
    row["action"] = {"driver": driver, "target": target}
    row.pop("listener", None)
    prologue = row["prologue"]
    for name in ("self_check_before", "self_check_after"):
        if name in prologue:
            prologue[name]["no_new_privs"] = False
    if "apply" in prologue:
        prologue["apply"] = {"api": api, "rc": 0, "errno": 0}
    if not target.startswith("/"):
        prologue.pop("target", None)
    row["operation"] = {"calls": calls}
    return row


def _callout(rc):
    return {
        "api": "sandbox_check", "operation": "file-read-data", "argument": "/tmp/x", "stage": "pre_syscall", "filter_type": 1,
        "check_type": 1, "canonical_flag_used": False, "canonicalization": "raw", "no_report": True, "token_status": "pid",
        "varargs_count": 1, "rc": rc, "errno": 0,
    }


def seatbelt(base):
    """(name, scenario, baseline) of rows on macOS."""
    scenario, baseline = base["scenario"][0], base["baseline"][0]
    target = baseline["action"]["target"]

    def shape(name, driver, here, there=None, at=target, api="sandbox_init_with_parameters", edit=None):
        one = _seatbelt(scenario, driver, at, here, api)
        other = _seatbelt(baseline, driver, at, there if there is not None else here)
        if edit:
            edit(one, other)
        return name, one, other

    def both(edit):
        return lambda one, other: (edit(one), edit(other))

    def apply(**members):
        return lambda one, _: one["prologue"]["apply"].update(members)
    read = [_call("open", 4), _call("read", 1)]
    no, missing = [_call("open", -1, 1)], [_call("open", -1, 2)]
    yield shape("allowed", "file_read", read)
    yield shape("refused", "file_read", no, read)
    yield shape("refused, and without the policy too", "file_read", no)
    yield shape("EACCES, which permissions give", "file_read", [_call("open", -1, 13)], read)
    yield shape("no such file", "file_read", missing, read)
    yield shape("EXDEV of a rename", "file_rename", [_call("rename", -1, 18)], [_call("rename", 0)])
    yield shape("refused by a compiled profile", "file_read", no, read, api="sandbox_apply")
    yield shape("refused by a profile without parameters", "file_read", no, read, api="sandbox_init")
    yield shape("the profile was refused", "file_read", no, read,
                edit=apply(rc=-1, failure="sandbox_init_failed", message="unbound variable"))
    yield shape("the compiled profile was refused", "file_read", no, read, api="sandbox_apply", edit=apply(rc=-1, errno=22))
    yield shape("in a sandbox already", "file_read", no, read, edit=apply(rc=-1, errno=1, failure="apply_already_sandboxed"))
    yield shape("what only an entitlement applies", "file_read", no, read,
                edit=apply(rc=-1, errno=1, failure="preflight_apply_gate_signature"))
    yield shape("not found confined afterwards", "file_read", read,
                edit=lambda one, _: one["prologue"]["self_check_after"].update(confined=False))
    yield shape("the baseline was confined", "file_read", no, read,
                edit=lambda _, other: other["prologue"]["self_check_before"].update(confined=True))
    yield shape("the caller is another user", "file_read", no, read, edit=lambda one, _: one["prologue"].update(uid=501))
    found, refused, absent = ([_call("bootstrap_look_up", 0, 0, 0)], [_call("bootstrap_look_up", -1, 0, 1100)],
                              [_call("bootstrap_look_up", -1, 0, 1102)])
    for driver in ("mach_lookup", "mach_lookup_local"):
        yield shape(f"{driver}, found", driver, found, at="org.example.s")
        yield shape(f"{driver}, refused", driver, refused, found, at="org.example.s")
        yield shape(f"{driver}, no such service", driver, absent, found, at="org.example.s")
        yield shape(f"{driver}, no such service, without the policy neither", driver, absent, at="org.example.s")
    yield shape("a code and an errno together", "mach_lookup", [_call("bootstrap_look_up", -1, 1, 1100)], found, at="org.example.s")
    yield shape("a code of a call that went through", "mach_lookup", [_call("bootstrap_look_up", 0, 0, 1100)], found, at="org.example.s")
    send = "xpc_connection_send_message_with_reply_sync"
    for code in (0, 1, 2, 3):
        yield shape(f"xpc_lookup, code {code}", "xpc_lookup", [_call(send, 0 if code == 0 else -1, 0, code)],
                    [_call(send, 0, 0, 0)], at="org.example.s")
    opened, closed = [_call("IOServiceOpen", 0, 0, 0)], [_call("IOServiceOpen", -1, 0, -536870174)]
    yield shape("iokit_open_service, refused", "iokit_open_service", closed, opened, at="IOSurfaceRoot")
    yield shape("iokit_open_service, another code", "iokit_open_service", [_call("IOServiceOpen", -1, 0, -536870208)], opened,
                at="IOSurfaceRoot")
    posted = [_call("notify_post", 0, 0, 0)]
    yield shape("a notification, posted", "darwin_notification_post", posted, at="org.example.n")
    yield shape("a notification, refused", "darwin_notification_post", [_call("notify_post", -1, 0, 7)], posted, at="org.example.n")
    yield shape("a distributed notification", "distributed_notification_post",
                [_call("CFNotificationCenterPostNotification", 0)], at="org.example.n")
    sent = [_call("sysctlbyname", 0)]
    yield shape("sysctl_read, refused", "sysctl_read", [_call("sysctlbyname", -1, 1)], sent, at="kern.boottime")
    for number in (25, 19, 1, 35, 16):
        yield shape(f"file_ioctl, error {number}", "file_ioctl", [_call("ioctl", -1, number)], [_call("ioctl", 0)], at="/dev/null")
        yield shape(f"file_search, error {number}", "file_search", [_call("searchfs", -1, number)], [_call("searchfs", 0)], at="/")
    for words, answers in (("allow", [0]), ("deny", [1]), ("an error", [-1]), ("both", [0, 1]), ("nothing", [])):
        yield shape(f"only asked, {words}", "policy_query", [_call("none", 0)], at="/tmp/x", edit=both(
            lambda row, answers=answers: row["prologue"].update({"callouts": [_callout(rc) for rc in answers]} if answers else {})))
    became = [_call("fork", 7, role="prepare"), _call("execve", 0)]

    def exec_(name, here, details, wanted=None):
        def edit(one, other):
            for row in (one, other):
                row["operation"]["details"] = [["program_exit_code", 42]]
                if wanted is not None:
                    row["action"]["exit_code"] = wanted
            one["operation"] |= {"details": details} if details else {}
        return shape(name, "exec", here, became, edit=edit)
    yield exec_("a program in a child", became, [["program_exit_code", 42]], 42)
    yield exec_("a program in a child, another code", became, [["program_exit_code", 1]], 42)
    yield exec_("a program in a child that a signal ended", became, [["program_signal", 9]], 42)
    yield exec_("a program in a child that a signal ended, no code wanted", became, [["program_signal", 9]])
    yield exec_("a program in a child, refused", [_call("fork", 7, role="prepare"), _call("execve", -1, 1)], [])


# --- launchers -----------------------------------------------------------------------------------------------------------

def _failed(call, errno, **more):
    return {"is": "failed", "call": call, "errno": errno} | more


def _died(signal, twice=True, nop=True, **more):
    return {"is": "died", "signal": signal, "twice": twice, "nop_lives": nop} | more


def _answer(outcome, **members):
    return {"outcome": outcome, "duration_us": 500} | members


def _ask(outcome, effect=None, kind="spelled", name="/o/f", again=None, **members):
    found = {"kind": kind, "name": name, "answer": _answer(outcome, **members)}
    found |= {"effect": effect} if effect is not None else {}
    return found | ({"again": again} if again else {})


def _source(device, path):
    return {"device": device, "path": path, "mount_point": "/o", "fs_type": "tmpfs"}


def _record(*asked, around=None, start=None, **members):
    """A question that was answered in a start that works, with nothing around it that differs."""
    marked = _answer(DONE, content="nonce")
    found = {
        "start": {"number": 1, "mode": "live", "executable": "path", "link": "read"} | (start or {}),
        "asked": list(asked), "before": marked, "after": marked,
        "around": {
            "source_outside": _source("254:0", "/o/f"), "source_inside": _source("254:0", "/o/f"), "net": ["1", "1"],
            "pid": ["pid:[1]", "pid:[1]"], "same_credentials": True, "seccomp_mode": [0, 0], "seccomp_filters": [0, 0],
        } | (around or {}),
        "neighbour": True,
    } | members
    for inner in (found, found["around"], found["start"]):
        for name in [name for name, value in inner.items() if value is None]:
            del inner[name]
    return found


MASKED = {"source_inside": _source("0:41", "/f")}
FILTERED = {"seccomp_mode": [0, 2], "seccomp_filters": [0, 1]}
APART = {"net": ["1", "2"]}


def launchers(base):
    """(name, scenario, baseline) of questions under a launcher."""
    baseline = base["baseline"][0]

    def shape(name, driver, record, there=None, target=None):
        action = {"driver": driver, "target": target or baseline["action"]["target"]}
        inside = {member: baseline[member] for member in HEAD} | {"lane": "scenario", "action": action, "launcher": record}
        outside = copy.deepcopy(baseline) | {"action": action}
        outside["operation"] = {"calls": there or [_call("openat", 4), _call("read", 1)]}
        return name, inside, outside

    def read(content, **more):
        return _record(_ask(DONE, content=content), **more)

    def failed(number, call="openat", **more):
        return _record(_ask(_failed(call, number)), **more)

    def effect(when=None, around=None, **seen):
        return _record(_ask(DONE, effect={**({"when": when} if when else {}), **seen}), around=around)
    for kind in ("not_started", "many", "restarted", "elsewhere", "time_limit", "answer_lost", "foreign_target", "cannot_ask"):
        yield shape(f"fault {kind}", "file_read", read("nonce", fault={"kind": kind, "detail": "d"}))
    yield shape("nothing was asked", "file_read", _record())
    yield shape("nothing links it to this machine", "file_read", read("nonce", start={"link": None}))
    yield shape("the run's content", "file_read", read("nonce"))
    yield shape("other content", "file_read", read("other"))
    yield shape("other content, and the host's is gone", "file_read", read("other", after=None))
    yield shape("content that says nothing", "file_read", read("unmarked"))
    yield shape("content that says nothing, covered", "file_read", read("unmarked", around=MASKED))
    yield shape("content that says nothing, the same object", "file_read", _record(_ask(DONE, content="unmarked", same_object=True)))
    yield shape("the same object", "file_stat", _record(_ask(DONE, same_object=True)))
    yield shape("another object", "file_stat", _record(_ask(DONE, same_object=False)))
    yield shape("another object, covered", "file_stat", _record(_ask(DONE, same_object=False), around=MASKED))
    for when in ("at_once", "end_of_lane", "after_end"):
        yield shape(f"an effect, {when}", "file_create", effect(when, twin_intact=True))
    yield shape("an effect, and its twin is gone", "file_unlink", effect("at_once", twin_intact=False))
    yield shape("an effect of the launcher's own, covered", "file_unlink", effect("end_of_lane", MASKED, twin_intact=True, own=False))
    yield shape("an effect of the launcher's own, open", "file_unlink", effect("end_of_lane", twin_intact=True, own=False))
    yield shape("no effect", "file_create", effect())
    yield shape("no effect, covered", "file_create", effect(None, MASKED))
    yield shape("no effect, and the host's own neither", "unix_connect", effect(None, MASKED, barrier=False))
    yield shape("a call that failed, and its effect was seen", "file_create",
                _record(_ask(_failed("openat", 13), effect={"when": "at_once", "twin_intact": True})))
    yield shape("a consequence", "process_fork", _record(_ask(DONE, consequence=True)), target="")
    yield shape("no consequence", "process_fork", _record(_ask(DONE, consequence=False)), target="")
    yield shape("a consequence that nobody looked for", "process_fork", _record(_ask(DONE)), target="")
    yield shape("a driver whose success is not defined", "file_read_older_thread", _record(_ask(DONE, consequence=True)))
    yield shape("a port of another network", "tcp_bind", _record(_ask(DONE, consequence=True), around=APART), target="127.0.0.1:0")
    yield shape("a connection to somebody else", "tcp_connect", _record(_ask(DONE, consequence=True)), target="192.0.2.1:80")
    yield shape("a connection to somebody else, covered", "tcp_connect", _record(_ask(DONE, consequence=True), around=APART),
                target="192.0.2.1:80")
    for number in (13, 1, 30, 38):
        yield shape(f"refused with {number}", "file_read", failed(number))
    yield shape("refused, and outside as well", "ptrace_outside",
                failed(1, "ptrace", before=_answer(_failed("ptrace", 1))), target="")
    yield shape("absent, the same mount", "file_read", failed(2))
    yield shape("absent, covered", "file_read", failed(2, around=MASKED))
    yield shape("absent, traced", "file_read", failed(2, around={"traced": True}))
    yield shape("absent, and nobody knows the mount inside", "file_read", failed(2, around={"source_inside": None}))
    for words, more in (
        ("outside before too", {"before": _answer(_failed("openat", 2))}), ("not asked outside afterwards", {"after": None}),
        ("outside afterwards too", {"after": _answer(_failed("openat", 2))}), ("the neighbour too", {"neighbour": False}),
        ("in a world that changed", {"world_changed": True}), ("in a copy", {"start": {"link": "copy"}}),
    ):
        yield shape(f"absent, covered, {words}", "file_read", failed(2, around=MASKED, **more))
    for number in (4, 22, 20, 28, 40):
        yield shape(f"error {number}, covered", "file_create", failed(number, around=MASKED))
    yield shape("EXDEV of a rename", "file_rename", failed(18, "renameat2"))
    yield shape("EBUSY of a rename", "file_rename", failed(16, "renameat2"))
    yield shape("EBUSY of a read", "file_read", failed(16))
    yield shape("EOVERFLOW of a creation", "file_create", failed(75))
    yield shape("EAFNOSUPPORT of an address", "tcp_connect", failed(97, "socket"), target="127.0.0.1:1")
    yield shape("EAFNOSUPPORT of a socket that the outside has", "vsock_socket", failed(97, "socket"), target="")
    yield shape("EAFNOSUPPORT of a socket that the outside has not either", "vsock_socket", failed(
        97, "socket", before=_answer(_failed("socket", 97)), after=_answer(_failed("socket", 97))), target="")
    yield shape("EEXIST of what appeared, covered", "file_create",
                failed(17, before=None, after=None, around=MASKED | {"appeared": True}))
    yield shape("EEXIST, covered", "file_create", failed(17, before=None, after=None, around=MASKED))
    yield shape("a resource", "file_write", failed(27, "write"))
    yield shape("a resource whose limit is lower inside", "file_write", failed(27, "write", around={"lower_limit": "FSIZE"}))
    yield shape("a script without its interpreter", "exec", failed(2, "execve", around=MASKED | {"visible": True}),
                [_call("fork", 7, role="prepare"), _call("execve", 0)])
    yield shape("a call that the kernel has not", "userfaultfd", failed(
        38, "userfaultfd", before=None, after=None, empty_call={"call": "userfaultfd", "inside": 38, "outside": 38}), target="")
    yield shape("a call that the inside alone has not", "userfaultfd", failed(
        38, "userfaultfd", before=None, after=None, empty_call={"call": "userfaultfd", "inside": 38, "outside": 22}), target="")
    yield shape("a filter of system calls", "userfaultfd", failed(
        1, "userfaultfd", around=FILTERED, empty_call={"call": "userfaultfd", "inside": 1, "outside": 22}), target="")
    yield shape("a filter, and other ids", "userfaultfd", failed(
        1, "userfaultfd", around=FILTERED | {"same_credentials": False},
        empty_call={"call": "userfaultfd", "inside": 1, "outside": 22}), target="")
    yield shape("a preparing call", "tcp_connect", _record(_ask(_failed("bind", 13, prepares=True))), target="127.0.0.1:1")
    yield shape("a preparing call that counts", "tcp_connect", _record(_ask(_failed("socket", 13, prepares=True))), target="127.0.0.1:1")
    nonce = _ask(DONE, kind="mount", name="/m/f", content="nonce", same_object=True)
    yield shape("absent, and there under another name", "file_read", _record(_ask(_failed("openat", 2)), nonce, around=MASKED))
    vague = _ask(DONE, kind="mount", name="/m/f", content="unmarked")
    yield shape("refused, and under another name nobody knows", "file_read", _record(_ask(_failed("openat", 13)), vague))
    yield shape("refused, and under another name too", "file_read",
                _record(_ask(_failed("openat", 13)), _ask(_failed("openat", 2), kind="mapped", name="/x/f")))
    yield shape("refused, and under another name no answer", "file_read",
                _record(_ask(_failed("openat", 13)), _ask(NO_ANSWER, kind="mapped", name="/x/f")))
    yield shape("ended by a filter", "userfaultfd", _record(_ask(_died(31)), around=FILTERED), target="")
    yield shape("ended by a signal", "file_read", _record(_ask(_died(9))))
    yield shape("ended by a signal once", "file_read", _record(_ask(_died(9, twice=False))))
    yield shape("ended by a signal, as every process", "file_read", _record(_ask(_died(9, nop=False))))
    yield shape("the whole sandbox was ended", "file_read", _record(_ask(_died(9, box_control_lives=True))))
    yield shape("the whole sandbox was ended, and an idle one too", "file_read", _record(_ask(_died(9, box_control_lives=False))))
    quick = _answer(DONE)
    silent = _ask(NO_ANSWER, again=NO_ANSWER)
    yield shape("dropped", "tcp_connect", _record(silent, around=APART, before=quick, after=quick), target="192.0.2.1:80")
    yield shape("no answer, in the same network", "tcp_connect", _record(silent, before=quick, after=quick), target="192.0.2.1:80")
    yield shape("no answer once", "tcp_connect", _record(_ask(NO_ANSWER), around=APART, before=quick, after=quick), target="192.0.2.1:80")
    yield shape("no answer of a file", "file_read", _record(silent, around=APART, before=quick, after=quick))
    # macOS: numbers of its own, and Seatbelt.
    for number in (1, 13, 30, 78, 84, 38, 75, 35, 11):
        yield shape(f"macOS, error {number} of a creation", "file_create", failed(number, "open", system="macos"))
    confined = {"seatbelt": [False, True]}
    yield shape("macOS, Seatbelt inside alone", "file_read", failed(1, "open", system="macos", around=confined))
    yield shape("macOS, Seatbelt inside and outside", "file_read", failed(1, "open", system="macos", around={"seatbelt": [True, True]}))
    yield shape("macOS, Seatbelt inside alone, not asked outside", "file_read",
                failed(1, "open", system="macos", around=confined, before=None, after=None))
    # What the baseline says.
    yield shape("refused, and the baseline was refused", "file_read", failed(13), [_call("openat", -1, 13)])
    yield shape("allowed, and the baseline was refused", "file_read", read("nonce"), [_call("openat", -1, 13)])
    yield shape("refused, and the baseline knows nothing", "file_read", failed(13), [_call("openat", -1, 2)])


def shapes(base):
    """Every shape with the mode of its policy."""
    for mode, found in (("sbpl", seatbelt(base)), ("launcher", launchers(base))):
        for name, scenario, baseline in found:
            yield {"name": f"{mode}: {name}", "mode": mode, "scenario": scenario, "baseline": baseline}
