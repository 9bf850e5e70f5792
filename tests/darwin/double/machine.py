"""Memory, the processor, threads, and who may run.

Memory of the program lies at the same addresses in this process, so that handlers read and write it directly. One thread
runs at a time, until it calls something that would have to wait.
"""

import ctypes
import mmap
import os
import select
import signal
import struct
import sys
import time

from unicorn import UC_ARCH_ARM64, UC_HOOK_CODE, UC_MODE_ARM, UC_PROT_EXEC, UC_PROT_READ, UC_PROT_WRITE, Uc, UcError
from unicorn import arm64_const as arm

from . import macho, quick

PAGE = 0x4000
STUBS, STUBS_SIZE = 0x2000_0000_0000, 0x10000
QUICK, QUICK_SIZE = 0x2100_0000_0000, PAGE
HEAP, HEAP_SIZE = 0x3000_0000_0000, 4 << 30
MAPS, MAPS_SIZE = 0x3100_0000_0000, 64 << 30
#: Every stack has as much room; a thread is told the size that it asked for.
STACKS, STACK_ROOM, STACK_SIZE = 0x3800_0000_0000, 0x1000_0000, 8 << 20
MASK = (1 << 64) - 1
READ_WRITE = UC_PROT_READ | UC_PROT_WRITE
RET = b"\xc0\x03\x5f\xd6"
X = [getattr(arm, f"UC_ARM64_REG_X{n}") for n in range(8)]
SP, LR, FP, PC = arm.UC_ARM64_REG_SP, arm.UC_ARM64_REG_LR, arm.UC_ARM64_REG_FP, arm.UC_ARM64_REG_PC
V0 = arm.UC_ARM64_REG_D0
D1 = arm.UC_ARM64_REG_D1
#: The double's own failure: what it is asked for is not in it, or it is broken.
EXIT_DOUBLE = 125

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_NORESERVE, _FIXED, _FIXED_NOREPLACE = 0x4000, 0x10, 0x100000


def up(size, unit=PAGE):
    return (size + unit - 1) & ~(unit - 1)


def i32(value):
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def i64(value):
    return value - (1 << 64) if value >> 63 else value


def say(text):
    os.write(2, f"darwin-double: {text}\n".encode())


class Block(Exception):
    """The call has to wait. `ready` says whether it can go on, `done` gives its result (or waits again)."""

    def __init__(self, ready, done, fds=(), until=None, interruptible=True):
        super().__init__()
        self.ready, self.done, self.fds, self.until, self.interruptible = ready, done, fds, until, interruptible


class Quit(Exception):
    """The process ends: an exit code, or a signal of this host's numbers."""

    def __init__(self, code=0, signo=0):
        super().__init__()
        self.code, self.signo = code, signo


class Exec(Exception):
    """The process becomes another program of the same image: its arguments and its environment, the double's included."""

    def __init__(self, argv, environment):
        super().__init__()
        self.argv, self.environment = argv, environment


class Thread:
    def __init__(self, number, stack, size, start):
        self.number, self.stack, self.size, self.start = number, stack, size, start
        self.context = self.pc = self.wait = self.local = None
        self.done, self.result = False, 0
        self.errno = self.handle = 0
        self.blocked = set()


class Machine:
    """One emulated process."""

    def __init__(self, image, table):
        self.image, self.table = image, table
        self.uc = Uc(UC_ARCH_ARM64, UC_MODE_ARM)
        self.uc.ctl_set_cpu_model(arm.UC_CPU_ARM64_MAX)
        self._stubs, self._names, self._handlers = {}, [], []
        self._stacks = set()
        self.trace = int(os.environ.get("DARWIN_DOUBLE_TRACE", "0"))
        self.on_fork = []
        self._map(STUBS, STUBS_SIZE, UC_PROT_READ | UC_PROT_EXEC)
        ctypes.memmove(STUBS, RET * (STUBS_SIZE // 4), STUBS_SIZE)
        self._map(HEAP, HEAP_SIZE, READ_WRITE)
        self._map(MAPS, MAPS_SIZE, UC_PROT_READ | UC_PROT_WRITE | UC_PROT_EXEC)
        self.end = self._stub("(return)", None)
        self._quick = self._assemble()
        self.is_quick = False
        self._begin()
        self._load(again=False)
        self.uc.hook_add(UC_HOOK_CODE, self._called, begin=STUBS, end=STUBS + STUBS_SIZE - 1)

    def _begin(self):
        self.threads, self.current, self._next = [], None, 0
        self._large, self._maps_top = {}, MAPS
        self.put64(HEAP + quick.TOP, HEAP + quick.STATE_SIZE)
        self.pending, self.signals, self.handlers, self.counts, self.data = None, [], {}, {}, {}
        self._signal_stack = None

    def start_over(self):
        """What exec(2) does to memory: the image as it is in the file, and nothing else. Code that was translated stays."""
        self.give_back(HEAP, up(self.u64(HEAP + quick.TOP) - HEAP))
        self.give_back(MAPS, up(self._maps_top - MAPS))
        for stack in self._stacks:
            self.give_back(stack, STACK_SIZE)
        self._begin()
        self._load(again=True)

    # --- memory -------------------------------------------------------------------------------------------------------

    def _map(self, address, size, rights):
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE | _FIXED_NOREPLACE
        self._host_map(address, size, flags, -1, 0)
        self.uc.mem_map_ptr(address, size, rights, ctypes.c_void_p(address))

    @staticmethod
    def _host_map(address, size, flags, fd, offset):
        got = _libc.mmap(address, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, fd, offset)
        if got != address:
            raise OSError(ctypes.get_errno(), f"cannot have memory at {address:#x}")

    def malloc(self, size, align=16):
        """A block; `quick` says what stands before it. The emulated code does the same."""
        size = max(16, up(size, 16))
        first = HEAP + quick.FREE + size // 2
        at = 0
        if align <= 16:
            if size > quick.SMALL:
                at = self._large[size].pop() if self._large.get(size) else 0
            elif at := self.u64(first):
                self.put64(first, self.u64(at))
        if not at:
            at = up(self.u64(HEAP + quick.TOP) + quick.HEADER, max(align, 16))
            if at + size > HEAP + HEAP_SIZE:
                return 0
            self.put64(HEAP + quick.TOP, at + size)
        self.write(at - quick.HEADER, struct.pack("<QQ", size, HEAP))
        return at

    def _size(self, at):
        """How long a block in use is."""
        inside = HEAP + quick.STATE_SIZE < at < self.u64(HEAP + quick.TOP)
        size, mark = struct.unpack("<QQ", self.read(at - quick.HEADER, quick.HEADER)) if inside else (0, 0)
        if mark != HEAP:
            say(f"{at:#x} was not allocated")
            raise Quit(signo=signal.SIGABRT)
        return size

    def free(self, at):
        if not at:
            return
        size = self._size(at)
        self.put64(at - 8, 0)
        if size > quick.SMALL:
            self._large.setdefault(size, []).append(at)
            return
        first = HEAP + quick.FREE + size // 2
        self.put64(at, self.u64(first))
        self.put64(first, at)

    def realloc(self, at, size):
        if not at:
            return self.malloc(size)
        have = self._size(at)
        if max(16, up(size, 16)) <= have:
            return at
        new = self.malloc(size)
        if not new:
            return 0
        ctypes.memmove(new, at, have)
        self.free(at)
        return new

    def map(self, size):
        """Fresh pages of zeros, at an address of the double's choice."""
        at = self._maps_top
        self._maps_top += up(size) + PAGE
        return at

    @staticmethod
    def give_back(address, size):
        """Pages that are used no more; MADV_DONTNEED makes them zeros again."""
        _libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(size), 4)

    read = staticmethod(ctypes.string_at)

    @staticmethod
    def write(at, data):
        ctypes.memmove(at, bytes(data), len(data))

    @staticmethod
    def text(at):
        return ctypes.string_at(at)

    def u64(self, at):
        return int.from_bytes(ctypes.string_at(at, 8), "little")

    def u32(self, at):
        return int.from_bytes(ctypes.string_at(at, 4), "little")

    def put32(self, at, value):
        ctypes.memmove(at, (value & 0xFFFFFFFF).to_bytes(4, "little"), 4)

    def put64(self, at, value):
        ctypes.memmove(at, (value & MASK).to_bytes(8, "little"), 8)

    def new(self, data):
        at = self.malloc(len(data))
        self.write(at, data)
        return at

    def pointers(self, at):
        """A list that a null pointer ends."""
        found = []
        while at and self.u64(at):
            found.append(self.u64(at))
            at += 8
        return found

    def texts(self, at):
        return [self.text(one) for one in self.pointers(at)]

    # --- the image ----------------------------------------------------------------------------------------------------

    def _load(self, again):
        image, fixed = self.image, _FIXED if again else _FIXED_NOREPLACE
        if not again:
            local = image.of_kind(macho.S_THREAD_LOCAL_REGULAR)
            self._contents = {one.address: image.raw[one.offset : one.offset + one.size] for one in local}
        fd = os.open(image.path, os.O_RDONLY)
        for segment in image.segments:
            code = segment.name == "__TEXT"
            if segment.name in ("__PAGEZERO", "__LINKEDIT") or not segment.size or again and code:
                continue
            whole = up(segment.size)
            filled = min(up(segment.file_size, mmap.PAGESIZE), whole)
            if filled:
                self._host_map(segment.address, filled, mmap.MAP_PRIVATE | fixed, fd, segment.offset)
                # What stands behind the segment in the file is not the segment's.
                last = segment.address + segment.file_size
                ctypes.memset(last, 0, segment.address + filled - last)
            if whole > filled:
                flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | fixed
                self._host_map(segment.address + filled, whole - filled, flags, -1, 0)
            if not again:
                rights = UC_PROT_READ | UC_PROT_EXEC if code else READ_WRITE
                self.uc.mem_map_ptr(segment.address, whole, rights, ctypes.c_void_p(segment.address))
        os.close(fd)

    def image_bytes(self, section):
        """What the file holds of a section."""
        return self._contents[section.address]

    def bind(self, missing_is_fatal=True):
        """Gives every import an address. One that the double has not got ends it here, before anything runs."""
        missing = [name for name in self.image.imports() if name not in self.table and name not in self.data]
        if missing and missing_is_fatal:
            raise macho.Unloadable(
                f"{len(missing)} import(s) of {self.image.path} are not in the double: {' '.join(missing)}"
            )
        for address, symbol, addend in self.image.binds:
            self.put64(address, self.address(symbol) + addend)

    def _assemble(self):
        """Where the code of each quick function is."""
        self._map(QUICK, QUICK_SIZE, UC_PROT_READ | UC_PROT_EXEC)
        found, at = {}, QUICK
        for name in quick.CODE:
            code = quick.assembled(name, HEAP, self._stub(name, self.table.get(name)))
            self.write(at, code)
            found[name] = at
            at += up(len(code), 16)
        return found

    def address(self, symbol):
        if symbol in self.data:
            return self.data[symbol]
        if self.is_quick and symbol in self._quick:
            return self._quick[symbol]
        return self._stub(symbol, self.table.get(symbol))

    def _stub(self, symbol, handler):
        if symbol not in self._stubs:
            self._stubs[symbol] = STUBS + 16 * len(self._names)
            self._names.append(symbol)
            self._handlers.append(handler)
        return self._stubs[symbol]

    # --- threads ------------------------------------------------------------------------------------------------------

    def stack(self):
        """Room for another stack, which nobody has used since the image began."""
        self._next += 1
        stack = STACKS + self._next * STACK_ROOM
        if stack not in self._stacks:
            self._map(stack, STACK_SIZE, READ_WRITE)
            self._stacks.add(stack)
        return stack

    def spawn(self, pc, arguments, size=512 << 10):
        stack = self.stack()
        thread = Thread(self._next, stack, min(up(max(size, 256 << 10)), STACK_SIZE), (pc, arguments))
        thread.errno, thread.handle = self.malloc(16), self.malloc(64)
        self.threads.append(thread)
        return thread

    def set_errno(self, number):
        self.put32(self.current.errno, number)

    def argument(self, n):
        """The n-th variadic argument: on the stack, in eight bytes each, as Apple's arm64 convention has it."""
        return self.u64(self.uc.reg_read(SP) + 8 * n)

    def double(self, n=0):
        return struct.unpack("<d", struct.pack("<Q", self.uc.reg_read((V0, D1)[n])))[0]

    def put_double(self, value):
        self.uc.reg_write(V0, struct.unpack("<Q", struct.pack("<d", value))[0])

    def _called(self, uc, at, _size, _data):
        n = (at - STUBS) >> 4
        if n == 0:
            self.pending = ("end",)
            uc.emu_stop()
            return
        handler, name = self._handlers[n], self._names[n]
        try:
            self.counts[name] = self.counts.get(name, 0) + 1
            if handler is None:
                raise KeyError(f"{name} is not in the double")
            count = handler.arity
            arguments = [uc.reg_read(X[k]) for k in range(count)]
            result = handler(*arguments)
            if self.trace:
                self._show(name, arguments, result)
        except Block as block:
            if self.trace:
                self._show(name, arguments, "...")
            self.pending = ("block", block, uc.reg_read(LR), name)
            uc.emu_stop()
            return
        except (Quit, Exec) as ended:
            self.pending = ("quit", ended)
            uc.emu_stop()
            return
        except BaseException as error:  # an exception must not cross the emulator
            import traceback

            say(f"{name} failed in the double: {error!r}\n{traceback.format_exc()}")
            self.pending = ("quit", Quit(EXIT_DOUBLE))
            uc.emu_stop()
            return
        if result is not None:
            uc.reg_write(X[0], result & MASK)
        if self.signals:
            self.pending = ("block", Block(lambda: True, lambda: None, interruptible=False), uc.reg_read(LR), name)
            uc.emu_stop()

    def _show(self, name, arguments, result):
        if self.trace < 2 and name.split("_")[-1] in ("malloc", "free", "realloc", "calloc", "bootstrap", "error"):
            return
        shown = []
        for value in arguments:
            text = ""
            if HEAP <= value < HEAP + HEAP_SIZE or self.image.base <= value < self.image.base + (1 << 31):
                text = repr(ctypes.string_at(value, 60).split(b"\0")[0][:50])[1:]
            shown.append(text if len(text) > 3 else f"{value:#x}")
        say(f"{os.getpid()}.{self.current.number} {name}({', '.join(shown)}) = {result}")

    def run(self):
        """Runs until the process ends, and returns how: a `Quit`, or an `Exec`."""
        main = self.threads[0]
        while True:
            self._deliver()
            thread = self._choose()
            self.threads.remove(thread)
            self.threads.append(thread)
            ended = self._go(thread)
            if ended is not None:
                return ended
            if thread is main and thread.done:
                return Quit(i32(thread.result))

    def _choose(self):
        """The next thread that can go on. Without one, waits for what they wait for."""
        while True:
            now = time.monotonic()
            fds, until, poll_again = set(), None, False
            for thread in self.threads:
                if thread.done:
                    continue
                wait = thread.wait
                if wait is None or wait.ready():
                    return thread
                fds.update(wait.fds)
                if wait.until is not None:
                    until = wait.until if until is None else min(until, wait.until)
                poll_again |= not wait.fds and wait.until is None
            limit = 0.05 if fds else 0.002
            if until is not None:
                limit = max(0.0, min(limit if fds else 0.02, until - now)) if not poll_again else min(limit, 0.002)
            if fds:
                poller = select.poll()
                for fd, events in fds:
                    poller.register(fd, events)
                poller.poll(max(1, int(limit * 1000)))
            else:
                time.sleep(max(0.0003, limit))
            if self.signals:
                self._deliver()

    def _go(self, thread):
        """Lets a thread run until it waits or ends. A `Quit` if the process ends."""
        uc = self.uc
        self.current = thread
        self.put64(HEAP + quick.LOCAL, thread.local or 0)
        if thread.context is None:
            pc, arguments = thread.start
            for register, value in zip(X, arguments):
                uc.reg_write(register, value & MASK)
            uc.reg_write(SP, thread.stack + thread.size - 256)
            uc.reg_write(LR, self.end)
            uc.reg_write(FP, 0)
        else:
            uc.context_restore(thread.context)
            pc = thread.pc
            if thread.wait is not None:
                try:
                    result = thread.wait.done()
                except Block as block:
                    thread.wait = block
                    return None
                except Quit as quit_:
                    return quit_
                thread.wait = None
                if result is not None:
                    uc.reg_write(X[0], result & MASK)
        self.pending = None
        try:
            uc.emu_start(pc, 0)
        except UcError as error:
            return self._fault(error)
        pending = self.pending
        if pending is None or pending[0] == "end":
            thread.done, thread.result = True, uc.reg_read(X[0])
            return None
        if pending[0] == "quit":
            return pending[1]
        _, block, pc, name = pending
        thread.context, thread.pc = uc.context_save(), pc
        thread.wait = block
        thread.waits_in = name
        return None

    def _fault(self, error):
        """The processor cannot go on: what a signal ends on a real system."""
        pc, word = self.uc.reg_read(PC), 0
        if self.image.base <= pc < self.image.base + (1 << 31):
            word = self.u32(pc)
        # `brk` is how compiled code traps (a panic without unwinding, `abort`).
        if word & 0xFFE0001F == 0xD4200000:
            return Quit(signo=signal.SIGTRAP)
        say(f"the processor stopped at {pc:#x} (from {self.uc.reg_read(LR):#x}, word {word:#010x}): {error}")
        return Quit(signo=signal.SIGSEGV)

    # --- signals ------------------------------------------------------------------------------------------------------

    def _deliver(self):
        """Runs the program's handlers for signals that have come, on the main thread's account."""
        while self.signals:
            darwin = self.signals.pop(0)
            handler = self.handlers.get(darwin)
            if handler is None:
                continue
            address, takes_info = handler
            main = self.threads_by_age()[0]
            wait = main.wait
            if wait is not None and wait.interruptible:
                main.wait = Block(lambda: True, lambda: self._interrupted())
            size = 256 << 10
            if self._signal_stack is None:
                self._signal_stack = self.stack()
            guest = Thread(main.number, self._signal_stack, size, (address, [darwin, self.malloc(128), 0]))
            guest.local, guest.errno, guest.handle = main.local, main.errno, main.handle
            saved = self.current
            while not guest.done:
                ended = self._go(guest)
                if ended is not None:
                    # `run` sees it at the next turn.
                    main.wait = Block(lambda: True, lambda ended=ended: _raise(ended), interruptible=False)
                    break
                while guest.wait is not None and not guest.wait.ready():
                    time.sleep(0.0005)
            self.current = saved

    def _interrupted(self):
        self.put32(self.current.errno, 4)
        return MASK

    def threads_by_age(self):
        return sorted((t for t in self.threads if not t.done), key=lambda t: t.number)

    # --- processes ----------------------------------------------------------------------------------------------------

    def fork(self):
        """fork(2): in the child, only the calling thread is left."""
        for hook in self.on_fork:
            hook()
        pid = os.fork()
        if pid == 0:
            self.threads = [self.current]
            self.counts = {}
        return pid


def _raise(quit_):
    raise quit_


def end_process(quit_):
    """Ends this host process the way the emulated one ended."""
    sys.stdout.flush()
    if quit_.signo:
        signal.signal(quit_.signo, signal.SIG_DFL) if quit_.signo not in (signal.SIGKILL, signal.SIGSTOP) else None
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [quit_.signo])
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), quit_.signo)
        time.sleep(1)
    os._exit(quit_.code & 0xFF)
