"""The server of probes, which on macOS starts each as a process of its own: what holds between it and its harness."""

import json
import os
import socket
import struct
import subprocess
import time

from .drivers import OUT, probe, registry
from .mac import Bundle, check
from .runner import test

PART = "the server of probes"


@test(PART, "a probe that hangs ends with its harness, and not with its alarm")
def abandoned(mac):
    """xnu tells a poll(2) that asks for nothing of no hang-up. The alarm of this probe is two minutes away."""
    os.mkfifo(mac.root / "private/tmp/fifo")
    ours, theirs = socket.socketpair()
    process = mac.start("__spawner", stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    theirs.close()
    # Nobody writes to it, so that opening it waits.
    action = {"driver": "file_read", "target": "/private/tmp/fifo"}
    job = {"run": {"seq": 1, "action": action, "scope": {"own": ["/private/tmp"], "host_programs": False}, "deadline_ms": 120_000}}
    frame = json.dumps(job).encode()
    ours.sendall(struct.pack("<I", len(frame)) + frame)
    until = time.monotonic() + 60
    while "__fresh" not in [role for _, role in mac.processes()]:
        check(process.poll() is None and time.monotonic() < until, f"no probe was started; the server: {process.poll()}")
        time.sleep(0.02)
    ours.close()
    mac.nothing_lives(within=60)
    check(process.wait() >= 0, f"the server ended by a signal: {process.returncode}")


@test(PART, "a long report and a long policy pass each other on their socket")
def both_ways(mac):
    """Local sockets of macOS hold 8 KiB each way. Two jobs are on their way at a time, so a reply that is longer meets a policy
    that is, and neither end reads before it has written."""
    policy = "(version 1)\n(allow default)\n" + f"; {'long ' * 8000}\n"
    probes = dict(probe(f"ends:read_{n}", "file_read", "file-read-data", "${root}/open/a", "allow") for n in range(4))
    names = list(probes)
    plan = registry(mac, "double-long", probes, {"one": (policy, names[:2]), "other": (policy + "; other\n", names[2:])})
    # Each descriptor that is open makes a report longer.
    mac.run("run", "--json", "--jobs", "1", "--plan", plan, "--out", OUT, extra={"GUARDED": "500"}).expect(0, 1, 8)
    bundle = Bundle.newest(mac, OUT)
    bundle.verify()
    rows = bundle.rows("scenario")
    shortest = min(len(json.dumps(row["prologue"]["open_fds"])) for row in rows)
    check(shortest > 8192, f"a report has only {shortest} bytes of descriptors")
    check([one["actual"] for one in bundle.probes()] == ["allow"] * 4, f"{bundle.probes()}")
