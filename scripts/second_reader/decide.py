"""The decision rule, version 2 (SPEC 2): what a row shows by itself, and a scenario row's verdict.

An outcome is (word, kind, errno): `allow`, `deny`, or None with the kind of what is undecided.
"""

import errno
import ipaddress
import re

from .drivers import BEHIND, PROVES_NOTHING, SIGNAL, TABLE

RULE = "sandproof.decision_rule.v2"
STAGES = {
    "preflight": (
        "capability_missing", "fixture_failed", "foreign_target", "setup_failed", "worker_lost", "lane_unsupported",
        "symbol_unavailable", "baseline_confined", "preflight_apply_gate_signature", "launcher_cannot_ask",
    ),
    "apply": (
        "landlock_unavailable", "landlock_right_unsupported", "landlock_rule_target", "landlock_apply_failed",
        "apply_already_sandboxed", "sandbox_init_failed", "sandbox_apply_failed", "apply_self_check_failed",
        "enforcer_unavailable", "launcher_not_started", "launcher_many", "launcher_restarted", "launcher_elsewhere",
    ),
    "bootstrap": ("launcher_time_limit", "bootstrap_ended"),
}
STAGE_OF = {kind: stage for stage, kinds in STAGES.items() for kind in kinds}
ENFORCERS = {
    "landlock_restrict_self": "landlock", "sandbox_init": "seatbelt", "sandbox_init_with_parameters": "seatbelt",
    "sandbox_apply": "seatbelt",
}
APPLY_FAILED = {
    "landlock_restrict_self": "landlock_apply_failed", "sandbox_init": "sandbox_init_failed",
    "sandbox_init_with_parameters": "sandbox_init_failed", "sandbox_apply": "sandbox_apply_failed",
    "launcher": "launcher_not_started",
}
ALLOW = ("allow", None, None)
# What the executions of a row have in common.
SAME = (
    "schema_version", "seq", "lane", "profile_id", "probe_id", "expectation_id", "control_expects", "action", "root",
    "check_request",
)


def stage(kind):
    """The stage of a kind; those that stand in no other are of stage `probe`."""
    return kind and STAGE_OF.get(kind, "probe")


def undecided(kind, number=None):
    return None, kind, number or None


def executions(row):
    """The row, and what it would be as each of its repetitions."""
    own = {name: value for name, value in row.items() if name in SAME}
    yield row
    for again in row.get("repetitions", ()):
        yield own | again


def by_itself(row):
    """What one row shows by itself, with its repetitions. Not asked of questions under a launcher."""
    first, *others = (_once(one) for one in executions(row))
    if any(other[0] != first[0] for other in others):
        return undecided("repetitions_disagree", first[2])
    return first


def _once(row):
    """What one execution shows: the numbered branches of SPEC 2."""
    policy = row["lane"] != "baseline"
    driver, ending, prologue = row["action"]["driver"], row.get("ending"), row.get("prologue")
    operation = row.get("operation")
    if "not_run" in row:  # 1
        kind = row["not_run"]["kind"]
        return undecided(kind if stage(kind) in ("preflight", "apply") else "worker_lost", row["not_run"]["errno"])
    how = ending and ending["how"]
    if how in (None, "lost"):  # 2
        return undecided("worker_lost")
    if how == "not_started":  # 3
        return undecided("setup_failed", ending["errno"])
    fault = prologue and _prologue_fault(prologue, policy)  # 4 to 10
    if fault:
        return fault
    if how == "expired":  # 11
        return undecided("probe_timeout")
    if "report_error" in row:  # 12
        return undecided("probe_no_report")
    if prologue is None:  # 13, 14
        return undecided("bootstrap_ended" if policy and operation is None else "probe_no_report")
    if operation is None:  # 15 to 17
        if driver == "exec" and how == "exited":
            wanted = row["action"].get("exit_code")
            return ALLOW if wanted in (None, ending["code"]) else undecided("probe_effect_unseen")
        return undecided("probe_crashed" if how == "signaled" else "probe_no_report")
    if how == "signaled":  # 18
        return undecided("probe_crashed")
    if ending["code"] != 0:  # 19
        return undecided("probe_no_report")
    if driver == "policy_query":  # 20
        return undecided("oracle_only")
    return _by_calls(row, operation, policy)


def _prologue_fault(prologue, policy):
    failure = prologue.get("setup_failure")
    if failure:
        if "missing" in failure:
            return undecided("symbol_unavailable")
        if "leads_to" in failure:
            return undecided("foreign_target")
        return undecided("setup_failed", failure["errno"])
    before, after, apply = prologue["self_check_before"], prologue.get("self_check_after"), prologue.get("apply")
    if not policy:
        confined = before["confined"] is True or (after or {}).get("confined") is True
        return undecided("baseline_confined") if apply or confined else None
    if apply is None:
        return undecided("apply_self_check_failed")
    kind, unsupported = apply.get("failure"), apply.get("unsupported")
    if apply["rc"] != 0 or apply["errno"] != 0 or kind or unsupported:
        if stage(kind) != "apply":
            default = APPLY_FAILED.get(apply["api"], "landlock_apply_failed")
            kind = "landlock_right_unsupported" if unsupported else default
        return undecided(kind, apply["errno"])
    if apply["api"] not in APPLY_FAILED:
        return undecided("apply_self_check_failed")
    for check, wanted in ((before, False), (after, True)):
        confined = (check or {}).get("confined", "absent")
        if confined is not wanted:
            return undecided("apply_self_check_failed", check["errno"] if confined is None else None)
    return None


def _succeeded(call):
    """True, False, or None where a call's answers contradict each other."""
    code, number = call.get("code"), call["errno"]
    if call["ret"] >= 0:
        return True if number == 0 and not code else None
    if number > 0 and code is None:
        return False
    return False if number == 0 and code else None


def _by_calls(row, operation, policy):
    calls, driver = operation["calls"], row["action"]["driver"]
    answers = [_succeeded(call) for call in calls]
    if not calls or any(answer is not True for answer in answers[:-1]) or answers[-1] is None:  # 21
        return undecided("probe_no_report")
    last = calls[-1]
    seen, missed = _effect(row, operation)
    if answers[-1] is False:
        if last["role"] == "prepare":  # 22
            return undecided("probe_prepare_failed", last["errno"])
        if _is_denial(row, last):  # 23, 24
            return undecided("probe_no_report", last["errno"]) if seen else ("deny", "probe_syscall_errno", last["errno"] or None)
        if last["errno"] in BEHIND.get(driver, ()):  # 25
            return ALLOW
        return undecided("probe_errno", last["errno"])  # 26
    if not any(call["role"] == "operation" for call in calls):  # 27
        return undecided("probe_no_report")
    if policy and driver in PROVES_NOTHING:  # 28
        return undecided("probe_inconclusive")
    if driver == "exec":  # 29, 30
        first = calls[0]
        if len(calls) != 2 or (first["syscall"], first["role"]) != ("fork", "prepare"):
            return undecided("probe_no_report")
        wanted = row["action"].get("exit_code")
        found = dict(reversed([tuple(pair) for pair in operation.get("details", [])])).get("program_exit_code")
        return ALLOW if wanted is None or wanted == found else undecided("probe_effect_unseen")
    return undecided("probe_effect_unseen") if missed else ALLOW  # 31, 32


def _effect(row, operation):
    """(seen, missed): what somebody else than the probe's own call saw of the effect."""
    driver, looks = row["action"]["driver"], []
    names = {"confirmed", "received"} if driver in SIGNAL else {"confirmed"}
    looks += [value != 0 for name, value in operation.get("details", []) if name in names]
    if TABLE[driver].listener and "listener" in row:
        looks.append(row["listener"]["accept_count"] > 0)
    return True in looks, False in looks


def _is_denial(row, call):
    apply = (row.get("prologue") or {}).get("apply")
    if apply and apply["api"] not in ENFORCERS:
        return False
    numbers, codes = TABLE[row["action"]["driver"]].denials(ENFORCERS[apply["api"]] if apply else None)
    return call["code"] in codes if "code" in call else call["errno"] in numbers


def settled(row, shown, manifest, reaches):
    """The outcome under a policy once what surrounds the run is taken into account. `reaches(row, shown)`: whether a rule
    reaches the run's own place."""
    facts = manifest.get("confinement")
    if shown[0] == "deny" and shown[2] == errno.EXDEV and facts is not None:
        if facts.get("landlock_layers") != 0 and facts.get("landlock_refuses_refer") is not False:
            return undecided("outer_confinement", errno.EXDEV)
    if shown[0] and reaches(row, shown):
        return undecided("rule_reaches_run", shown[2])
    return shown


def verdict(scenario, shown, baseline, controls_wrong):
    """A scenario row's verdict. `baseline`: its row and what that shows, or None where that lane is off."""
    word, _, number = shown
    if word is None:  # 1
        return shown
    if controls_wrong:  # 2
        return undecided("control_failed", number)
    if word == "allow":  # 3, 4
        return undecided("baseline_contradiction") if baseline and baseline[1][0] == "deny" else ALLOW
    if baseline is None:  # 5
        return undecided("baseline_missing", number)
    if baseline[1][0] == "deny":  # 6
        return undecided("baseline_denied", number)
    if baseline[1][0] is None or not identical(scenario, baseline[0]):  # 7
        return undecided("baseline_undecided", number)
    return shown  # 8


def identical(scenario, baseline):
    """Whether both are the identical call of the identical user on the identical target."""
    if "launcher" in scenario:
        return _within(scenario) == _within(baseline)
    if scenario["action"] != baseline["action"]:
        return False
    here, there = scenario.get("operation"), baseline.get("operation")
    if here and there:
        first, second = ([(call["syscall"], call["role"]) for call in one["calls"]] for one in (here, there))
        if first != second[:len(first)]:
            return False
    def who(row):
        prologue = row.get("prologue") or {}
        target = prologue.get("target")
        shape = target and (target["errno"], target.get("mode"), target.get("uid"))
        return prologue.get("uid"), shape
    return who(scenario) == who(baseline)


def _within(row):
    def text(value):
        if isinstance(value, str):
            return _without_port(value.replace(row["root"], "${root}"))
        if isinstance(value, list):
            return [text(one) for one in value]
        return {name: text(one) for name, one in value.items()} if isinstance(value, dict) else value
    return text(row["action"])


def _without_port(text):
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"\d{1,5}", port) or not 1024 <= int(port) <= 65535:
        return text
    try:
        address = ipaddress.ip_address(host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host)
    except ValueError:
        return text
    mapped = getattr(address, "ipv4_mapped", None) or address
    return f"{host}:PORT" if mapped.is_loopback or mapped.is_unspecified else text


def witnessed(outcome):
    """`intended_op_witnessed`"""
    return None if stage(outcome[1]) in ("preflight", "apply", "bootstrap") else outcome[0] is not None


def status(row, outcome):
    """`status` of a result"""
    if outcome[0] == "allow":
        return "success"
    if outcome[0] is None and ("not_run" in row or stage(outcome[1]) == "preflight"):
        return "blocked"
    return "errno"
