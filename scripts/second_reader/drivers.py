"""The table of drivers, as SPEC 2.2 prints it."""

import errno
import os
import re

SPEC = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "SPEC.md")
SIGNAL = {"signal_outside", "signal_inside", "signal_self", "signal_same_sandbox"}
PROVES_NOTHING = {"darwin_notification_post", "distributed_notification_post", "policy_query"}
#: Errors that only something behind the policy returns (numbers of macOS).
BEHIND = {"file_ioctl": {25, 19}, "file_search": {35, 16}}
#: A descriptor is held when the policy is applied.
HOLDS = re.compile(r".*_(inherited|reopened)\Z|file_map_executable\Z|tty_(ioctl|inject)\Z")
#: Calls with which an operation ends if it went through.
ENDS_IN = dict.fromkeys((
    "file_read", "file_read_at", "file_read_inherited", "file_read_reopened", "file_read_at_inherited",
    "file_read_older_thread", "io_uring_read",
), "read") | {"file_write": "write", "file_write_reopened": "write"}
WITHOUT_POLICY = {errno.EACCES, errno.EPERM, errno.EROFS}


class Driver:
    def __init__(self, cells):
        name, self.linux, self.macos, self.target, self.listener, landlock, seatbelt, codes = cells
        self.name = name
        self.landlock = {getattr(errno, one) for one in _list(landlock)}
        self.seatbelt = {getattr(errno, one) for one in _list(seatbelt)}
        self.codes = {int(one) for one in _list(codes)}

    def denials(self, enforcer):
        """(error numbers, codes) that mean a denial: under Landlock, under Seatbelt, or without a policy."""
        if enforcer == "landlock":
            return self.landlock, set()
        return (self.seatbelt, self.codes) if enforcer == "seatbelt" else (WITHOUT_POLICY, self.codes)


def _list(cell):
    return [one.strip() for one in cell.split(",") if one.strip()]


def _rows(text, name):
    lines = text.split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def _read():
    with open(SPEC, encoding="utf-8") as file:
        text = file.read()
    return {row[0]: Driver(row) for row in _rows(text, "driver answers")}, \
        {row[0] for row in _rows(text, "drivers") if row[4] == "changes"}


#: Drivers by name, and the names of those that change their target.
TABLE, CHANGES = _read()
