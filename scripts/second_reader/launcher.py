"""The rule for one question under a launcher (SPEC 2.3): an outcome as in `decide`, and how a denial came about."""

import errno as e

from .drivers import TABLE
from .finding import NotDerivable

SIGSYS = 31
CONTENT = {
    "file_read", "file_read_at", "file_read_inherited", "file_read_reopened", "file_read_at_inherited", "io_uring_read",
    "dir_list", "file_readlink", "xattr_get", "environment_read", "descriptor_read", "sysv_shm", "key_read",
    "ptrace_outside", "pidfd_getfd_outside", "process_vm_readv_outside", "process_environ_outside", "process_mem_outside",
}
OBJECT = {
    "file_stat", "file_access", "xattr_list", "file_open_path", "file_open_write", "file_read_write", "file_statfs", "chdir",
    "inotify_watch", "file_lock", "file_chown", "file_map_executable", "device_ioctl",
}
MAKES = {
    "file_create", "symlink_create", "dir_create", "fifo_create", "socket_node_create", "unix_bind", "char_device_create",
    "block_device_create", "file_link",
}
REMOVES = {"file_unlink", "dir_remove", "file_rename", "file_exchange"}
MOVES = {"file_rename", "file_exchange", "file_link"}
EFFECT = MAKES | REMOVES | {
    "file_write", "file_write_reopened", "file_truncate", "file_open_truncate", "file_truncate_inherited",
    "file_truncate_fd", "file_chmod", "file_utimes", "xattr_set", "tcp_connect", "mptcp_connect", "tcp_fast_open",
    "io_uring_connect", "unix_connect", "abstract_connect", "udp_send", "udp_connect", "unix_send", "abstract_send",
    "tty_ioctl", "tty_inject", "signal_outside",
}
NOTHING = {"file_read_older_thread", "apply_only"}
HANDED_DOWN = {"environment_read", "descriptor_read", "key_read", "tty_ioctl", "tty_inject", "file_read_at_inherited"}
MOUNTS = {"mount_bind", "mount_tmpfs", "chroot", "pivot_root"}
PREPARING = {"socket", "openat", "open", "stat", "unshare", "mount_bind"}
FAULTS = {
    "not_started": "launcher_not_started", "many": "launcher_many", "restarted": "launcher_restarted",
    "elsewhere": "launcher_elsewhere", "time_limit": "launcher_time_limit", "answer_lost": "probe_no_report",
    "foreign_target": "foreign_target", "cannot_ask": "launcher_cannot_ask",
}


def kind_of(driver):
    """What sandboxes could cover of an operation's object."""
    if driver in HANDED_DOWN:
        return "handed_down"
    if driver.endswith("_outside"):
        return "process"
    if driver == "sysv_shm":
        return "ipc"
    target = TABLE[driver].target
    if target == "path":
        return "nothing" if driver in MOUNTS else "path"
    return "address" if target in ("HOST:PORT", "abstract name") else "nothing"


def covers(driver, around):
    """Whether something covers the object; None if nobody knows."""
    kind = kind_of(driver)
    if kind == "path":
        outside, inside = around.get("source_outside"), around.get("source_inside")
        if around.get("traced"):
            return True
        if not outside or not inside:
            return None
        return (outside["device"], outside["path"]) != (inside["device"], inside["path"])
    if kind == "process":
        process = around.get("process")
        if process and process.get("inside") is not None:
            return process["inside"] != process["outside"]
        return _differ(around.get("pid"))
    if kind == "handed_down":
        return True
    return _differ(around.get({"address": "net", "ipc": "ipc"}.get(kind)))


def _differ(pair):
    return None if pair is None else pair[0] != pair[1]


#: What macOS counts otherwise, as Linux does; up to 34 both count alike, but that 11 is a deadlock there.
OF_MACOS = {11: 0, 35: e.EAGAIN, 47: e.EAFNOSUPPORT, 68: e.EUSERS, 78: e.ENOSYS, 84: e.EOVERFLOW}


class Question:
    def __init__(self, row, spelled_alone):
        self.driver, record = row["action"]["driver"], row["launcher"]
        self.record, self.around = record, record["around"]
        names = [one for one in record.get("asked", []) if not spelled_alone or one["kind"] == "spelled"]
        self.asked = names
        self.covered = covers(self.driver, self.around)

    def judge(self):
        """(outcome, mechanism)"""
        fault = self.record.get("fault")
        if fault:
            return _left(FAULTS[fault["kind"]])
        if not self.asked:
            return _left("probe_no_report")
        if self.record["start"].get("link") is None:
            return _left("launcher_elsewhere")
        each = [self.success(one) for one in self.asked]
        if "allow" in each:
            return ("allow", None, None), None
        first = self.denial(self.asked[0], each[0])
        if first[0][0] is None:
            return first
        for one, shown in list(zip(self.asked, each))[1:]:
            if shown not in ("diverted", "emulated", "failed"):
                return _left(shown, one["answer"]["outcome"].get("errno"))
            if shown == "failed" and one["answer"]["outcome"]["is"] in ("died", "no_answer", "withheld"):
                alone = self.denial(one, shown)
                if alone[0][0] is None:
                    return alone
        return first

    # What a call that went through is worth: `allow`, `diverted`, `emulated`, `failed`, or the kind of what is unclear.

    def success(self, one):
        answer = one["answer"]
        if answer["outcome"]["is"] != "done":
            return "failed"
        driver, content = self.driver, answer.get("content")
        if driver in NOTHING or not TABLE[driver].linux:
            return "probe_inconclusive"
        if driver in CONTENT and content == "nonce":
            return "allow"
        if driver in CONTENT and content == "other":
            after = self.record.get("after")
            still = after and after["outcome"]["is"] == "done" and after.get("content") == "nonce"
            return "diverted" if still else "noise"
        if driver in CONTENT or driver in OBJECT:
            if content == "nonce" or answer.get("same_object") is True:
                return "allow"
            return "diverted" if self.covered is True else "object_unproved"
        if driver in EFFECT:
            return self.effect(one)
        return self.consequence(answer)

    def effect(self, one):
        effect, answer = one.get("effect"), one["answer"]
        if effect is None:
            consequence = answer.get("consequence")
            if consequence is False:
                return "emulated"
            if consequence is True and self.covered is False:
                return "allow"
            return "diverted" if consequence and self.covered and kind_of(self.driver) == "path" else "effect_not_seen"
        if effect.get("when") is not None:
            other = effect.get("own") is False and self.covered is not False
            return "noise" if effect.get("twin_intact") is False or other else "allow"
        if effect.get("barrier") is False:
            return "effect_not_seen"
        return "diverted" if self.covered is True else "effect_not_seen"

    def consequence(self, answer):
        found, same = answer.get("consequence"), answer.get("same_object")
        if found is not True:
            return "effect_not_seen" if found is None else "emulated"
        kind = kind_of(self.driver)
        if kind == "nothing" or same is True:
            return "allow"
        if self.covered is True:
            return "diverted"
        return "allow" if kind == "address" and same is None and self.covered is False else "object_unproved"

    # What one that did not reach the object shows.

    def denial(self, one, shown):
        if shown == "emulated":
            return _denied("diverted")
        if shown == "diverted":
            return _left("absent_unattributed") if self.record.get("world_changed") else _denied("diverted")
        if shown != "failed":
            return _left(shown)
        outcome = one["answer"]["outcome"]
        shapes = {"died": self.died, "no_answer": self.dropped, "withheld": self.withheld, "failed": self.failed}
        return shapes[outcome["is"]](one, outcome)

    def died(self, one, outcome):
        alive, twice = outcome.get("box_control_lives"), outcome["twice"]
        if alive is False:
            return _left("launcher_time_limit")
        good = twice if alive is True else twice and outcome["nop_lives"]
        return _denied("killed") if good else _left("probe_crashed")

    def withheld(self, _one, _outcome):
        if self.covered is not True:
            return _left("foreign_target")
        if self.record.get("world_changed") or not self.went("after"):
            return _left("absent_unattributed")
        return _denied("diverted")

    def went(self, name):
        answer = self.record.get(name)
        return answer and answer["outcome"]["is"] == "done" and answer.get("content") != "other"

    def dropped(self, one, outcome):
        def prompt(name):
            answer = self.record.get(name)
            return answer and answer["outcome"]["is"] == "done" and answer["duration_us"] < 100_000
        effect = one.get("effect")
        good = (
            kind_of(self.driver) == "address" and (one.get("again") or {}).get("is") == "no_answer"
            and (effect is None or effect.get("when") is None)
            and (_differ(self.around.get("net")) or _differ(self.around.get("cgroup"))) and prompt("before") and prompt("after"))
        return _denied("dropped") if good else _left("probe_timeout")

    def failed(self, one, outcome):
        if "errno" not in outcome or "call" not in outcome:
            raise NotDerivable("a call that failed names no error")
        told, call, around = outcome["errno"], outcome["call"], self.around
        number = self.of_linux(told)
        if outcome.get("prepares") and call not in PREPARING:
            return _left("probe_prepare_failed", told)
        if (one.get("effect") or {}).get("when") is not None:
            return _left("probe_no_report", told)
        if self.by_filter(call, told):
            return _denied("refused", told)
        if number in (e.EFBIG, e.EMFILE, e.EAGAIN, e.ENOMEM):
            return _denied("refused", told) if around.get("lower_limit") else _left("resource_limit", told)
        refusal = self.is_refusal(call, number)
        before = self.record.get("before")
        if refusal and before and before["outcome"]["is"] == "failed":
            return _left("baseline_denied", told)
        if refusal or (number == e.EPERM and self.by_seatbelt()):
            return _denied("refused", told)
        if self.driver == "exec" and number in (e.ENOENT, e.ENOTDIR) and around.get("visible") is True:
            return _denied("refused", told)
        if number == e.EEXIST and around.get("appeared") and self.driver in MAKES:
            copy = self.record["start"]["link"] == "copy"
            good = self.covered is True and not self.record.get("world_changed") and not copy
            return _denied("hidden", told) if good else _left("absent_unattributed", told)
        silent = number == e.EINTR or (number == e.EINVAL and self.driver != "sysv_shm")
        if self.covered is True and not silent:
            return self.hidden(one, told)
        return _left("absent_unattributed", told)

    def hidden(self, one, number):
        went = self.went
        if self.record.get("world_changed"):
            return _left("absent_unattributed")
        bad = (
            self.record["start"]["link"] == "copy" or (self.record.get("before") and not went("before")) or not went("after")
            or self.record.get("neighbour") is not True
            or (kind_of(self.driver) == "address" and (one.get("again") or {}).get("is") != "failed"))
        return _left("absent_unattributed", number) if bad else _denied("hidden", number)

    def of_linux(self, number):
        """The number that Linux has for what a number says."""
        if self.record.get("system", "linux") == "linux":
            return number
        return OF_MACOS.get(number, number if number <= 34 else 0)

    def done_outside(self):
        answers = (self.record.get(name) for name in ("before", "after"))
        return any(answer and answer["outcome"]["is"] == "done" for answer in answers)

    def by_seatbelt(self):
        around = self.around
        return around.get("seatbelt") == [False, True] and around.get("same_credentials") and self.done_outside()

    def by_filter(self, call, number):
        around, empty = self.around, self.record.get("empty_call")
        mode, filters = around.get("seccomp_mode"), around.get("seccomp_filters")
        return bool(
            mode and mode[1] == 2 and (filters is None or filters[1] > filters[0]) and around.get("same_credentials")
            and empty and empty["call"] == call and empty["inside"] == number and empty["outside"] != number)

    def is_refusal(self, call, number):
        driver, empty = self.driver, self.record.get("empty_call")
        if number in (e.EACCES, e.EPERM, e.EROFS):
            return True
        if number == e.ENOSYS:
            known = empty and empty["outside"] >= 0 and self.of_linux(empty["outside"]) != e.ENOSYS
            return bool(self.done_outside() or known)
        return {
            e.EXDEV: driver in MOVES, e.EBUSY: driver in REMOVES, e.EOVERFLOW: driver in MAKES,
            e.EAFNOSUPPORT: kind_of(driver) == "address" or (call == "socket" and self.done_outside()),
        }.get(number, number in (e.ENOSPC, e.EUSERS) and driver in MOUNTS | {"user_namespace", "user_namespace_map"})


def _left(kind, number=None):
    return (None, kind, number or None), None


def _denied(mechanism, number=None):
    return ("deny", "probe_syscall_errno", number), mechanism
