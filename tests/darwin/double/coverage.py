"""Which code was executed: the blocks that the emulator translated, which it does when it first comes to one."""

import os
import struct

from unicorn import UC_HOOK_EDGE_GENERATED

FOLDER = "DARWIN_DOUBLE_COVERAGE"
_seen = {}


def start(machine):
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    first, last = machine.image.base, machine.image.base + (1 << 31)

    def edge(_uc, now, _before, _data):
        if first <= now.pc < last:
            _seen[now.pc] = max(now.size, _seen.get(now.pc, 0))

    machine.uc.hook_add(UC_HOOK_EDGE_GENERATED, edge)
    # A child has what was translated before it, and what it sees itself is what comes after.
    machine.on_fork.append(write)


def write():
    """Writes down what was seen since the last time."""
    folder = os.environ.get(FOLDER)
    if folder and _seen:
        data = b"".join(struct.pack("<QI", *block) for block in sorted(_seen.items()))
        with open(os.path.join(folder, f"{os.getpid()}.{os.urandom(4).hex()}.blocks"), "wb") as file:
            file.write(data)
        _seen.clear()
