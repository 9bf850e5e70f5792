"""Runs the executable in DARWIN_DOUBLE_IMAGE with the arguments given; see `scripts/test-darwin`."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
if sys.argv[1:2] and sys.argv[1] in ("--launchctl", "--plutil", "--log"):
    # Stand-ins for programs of the system need no emulator.
    sys.path.insert(0, os.path.dirname(HERE))
    from double import launchd

    sys.exit(launchd.main(sys.argv[1][2:], sys.argv[2:]))
sys.path[:0] = [os.path.dirname(HERE), os.environ["DARWIN_DOUBLE_UNICORN"]]
# Compiled modules lie beside the emulator, not in the source tree.
sys.pycache_prefix = os.path.join(os.environ["DARWIN_DOUBLE_UNICORN"], "compiled")
sys.dont_write_bytecode = False

if sys.argv[1:2] == ["--serve"]:
    from double import server  # noqa: E402

    server.main(sys.argv[2], sys.argv[3:])

from double import run  # noqa: E402

run.main()
