"""One process of the double, from its image to its end."""

import gc
import json
import os
import signal
import sys

from . import coverage, lib, macho, quick
from .calls import NEVER, TABLE, Host
from .faults import Faults
from .lib.host import Surroundings
from .lib.processes import NAME, PREFIX, Process
from .lib.services import data_symbols
from .machine import EXIT_DOUBLE, Exec, Machine, Quit, end_process, say
from .policy import Policy
from .tree import Tree

RECORD, CALLS = PREFIX + "RECORD", PREFIX + "CALLS"
FORGETFUL = [module for module in vars(lib).values() if hasattr(module, "FORGOTTEN_ON_EXEC")]


def prepare():
    """Loads the image, without a program yet."""
    gc.disable()
    # Python itself ignores the first, which the program would inherit.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Python sets it for itself where there is no locale.
    os.environ.pop("LC_CTYPE", None)
    try:
        image = macho.read(os.environ[PREFIX + "IMAGE"])
        Host.machine = machine = Machine(image, TABLE)
        coverage.start(machine)
        image.close()
    except (macho.Unloadable, OSError, KeyError) as error:
        say(f"cannot start: {error!r}")
        os._exit(EXIT_DOUBLE)


def main():
    prepare()
    try:
        begin([os.environ.get(NAME, "/Users/double/sandproof"), *sys.argv[1:]])
    except (macho.Unloadable, OSError, KeyError) as error:
        say(f"cannot start: {error!r}")
        os._exit(EXIT_DOUBLE)
    live()


def live(ended=None):
    """Runs the program, and those that it becomes, to the end of this process."""
    while True:
        if ended is None:
            try:
                ended = Host.machine.run()
            except (Quit, Exec) as other:
                ended = other
        finish()
        if isinstance(ended, Quit):
            end_process(ended)
        again(ended)
        ended = None


def begin(argv):
    """Everything that belongs to one program: what it is given, what it may, what it is to meet."""
    machine = Host.machine
    environment = {os.fsencode(k): os.fsencode(v) for k, v in os.environ.items() if not k.startswith(PREFIX)}
    Host.tree = Tree(os.environ[PREFIX + "ROOT"])
    data_symbols(machine)
    Host.policy, Host.faults, Host.process = Policy(), Faults(argv), Process(argv)
    Host.world = surroundings = Surroundings(machine, argv, environment)
    machine.is_quick = not machine.trace and CALLS not in os.environ and not Host.faults.names(quick.CODE)
    machine.bind()
    machine.spawn(
        machine.image.entry, [len(argv), surroundings.argv, surroundings.environ, surroundings.environ], 8 << 20
    )
    # So that whoever looks from outside sees what it is.
    with open("/proc/self/comm", "w") as file:
        file.write(Host.faults.role[:15])
    if os.environ.get(RECORD) and Host.faults.role == "__fresh":
        record(os.environ[RECORD])


def record(folder):
    """Writes down what this process is told on its standard input, which it still reads afterwards."""
    data = b""
    while part := os.read(0, 1 << 16):
        data += part
    path = os.path.join(folder, f"{Host.faults.role}.{os.getpid()}")
    with open(path, "wb") as file:
        file.write(data)
    fd = os.open(path, os.O_RDWR)
    os.dup2(fd, 0, inheritable=True)
    os.close(fd)


def again(exec_):
    """exec(2) of the same image, without a new process of this host: the emulator has translated most of it already."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if not os.get_inheritable(int(name)):
                os.close(int(name))
        except OSError:
            continue
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(exec_.environment)
    forget()
    begin([os.environ[NAME], *exec_.argv[1:]])


def forget():
    """What exec(2) does to everything that the double keeps of a program."""
    for module in FORGETFUL:
        for name in module.FORGOTTEN_ON_EXEC:
            getattr(module, name).clear()
    Host.machine.start_over()


def finish():
    machine = Host.machine
    coverage.write()
    calls = os.environ.get(CALLS)
    if calls:
        os.makedirs(calls, exist_ok=True)
        can_fail = [name for name in machine.counts if TABLE[name].fails != NEVER]
        path = os.path.join(calls, f"{os.getpid()}.{os.urandom(4).hex()}")
        with open(path + ".new", "w") as file:
            json.dump({"role": Host.faults.role, "can_fail": can_fail}, file)
        os.rename(path + ".new", path + ".json")
    if os.environ.get(PREFIX + "STATS"):
        top = sorted(machine.counts.items(), key=lambda item: -item[1])[:8]
        took = os.times()
        say(f"{Host.faults.role}: {took.user:.2f} s, {took.system:.2f} s in the kernel; {sum(machine.counts.values())} calls of {len(machine.counts)} functions: {top}")
