"""A Mach-O executable for arm64 (mach-o/loader.h of the SDK): what of it has to be in memory, and what it imports."""

import mmap
import struct
from dataclasses import dataclass, field

MAGIC_64 = 0xFEEDFACF
CPU_TYPE_ARM64 = 0x0100000C
MH_EXECUTE = 2

LC_SYMTAB = 0x2
LC_LOAD_DYLIB = 0xC
LC_SEGMENT_64 = 0x19
LC_DYLD_INFO = {0x22, 0x80000022}
LC_DYLD_CHAINED_FIXUPS = 0x80000034
LC_MAIN = 0x80000028
LC_BUILD_VERSION = 0x32

S_ZEROFILL, S_MOD_INIT_FUNC_POINTERS = 0x1, 0x9
S_THREAD_LOCAL_REGULAR, S_THREAD_LOCAL_ZEROFILL, S_THREAD_LOCAL_VARIABLES = 0x11, 0x12, 0x13


class Unloadable(Exception):
    """The file is not one that the double can run; the text says why."""


@dataclass
class Segment:
    name: str
    address: int
    size: int
    offset: int
    file_size: int


@dataclass
class Section:
    name: str
    segment: str
    address: int
    size: int
    offset: int
    kind: int


@dataclass
class Image:
    path: str
    raw: mmap.mmap
    segments: list = field(default_factory=list)
    sections: list = field(default_factory=list)
    libraries: list = field(default_factory=list)
    entry: int = 0
    base: int = 0
    minimum_system: tuple = (0, 0)
    #: (address, symbol, addend), in the order of the file
    binds: list = field(default_factory=list)
    symtab: tuple = (0, 0, 0, 0)

    def close(self):
        self.raw.close()

    def of_kind(self, *kinds):
        return [section for section in self.sections if section.kind in kinds]

    def imports(self):
        return sorted({symbol for _, symbol, _ in self.binds})

    def functions(self):
        """(address, name) of every symbol that is defined in the code, sorted."""
        at, count, strings, _ = self.symtab
        text = next(s for s in self.sections if (s.segment, s.name) == ("__TEXT", "__text"))
        found = []
        for n in range(count):
            name, kind, _, _, value = struct.unpack_from("<IBBHQ", self.raw, at + 16 * n)
            # Not a debugging entry (N_STAB), and defined in a section (N_SECT).
            if kind & 0xE0 or kind & 0x0E != 0x0E or not text.address <= value < text.address + text.size:
                continue
            end = self.raw.find(b"\0", strings + name)
            found.append((value, self.raw[strings + name : end].decode()))
        return sorted(found)


def read(path):
    """Reads the load commands."""
    with open(path, "rb") as file:
        raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if len(raw) < 32 or struct.unpack_from("<I", raw)[0] != MAGIC_64:
        raise Unloadable(f"{path} is no 64-bit Mach-O file")
    _, cpu, _, kind, commands = struct.unpack_from("<5I", raw)
    if (cpu, kind) != (CPU_TYPE_ARM64, MH_EXECUTE):
        raise Unloadable(f"{path} is no executable for arm64 (processor {cpu:#x}, kind {kind})")
    image = Image(path, raw)
    at, info, entry = 32, None, None
    for _ in range(commands):
        command, size = struct.unpack_from("<II", raw, at)
        if command == LC_SEGMENT_64:
            _segment(image, at)
        elif command in LC_DYLD_INFO:
            info = struct.unpack_from("<10I", raw, at + 8)
        elif command == LC_DYLD_CHAINED_FIXUPS:
            raise Unloadable(f"{path} has chained fixups; link it for macOS 11, whose linkers write opcodes")
        elif command == LC_MAIN:
            entry = struct.unpack_from("<Q", raw, at + 8)[0]
        elif command == LC_SYMTAB:
            image.symtab = struct.unpack_from("<4I", raw, at + 8)
        elif command == LC_LOAD_DYLIB:
            image.libraries.append(_text(raw, at + struct.unpack_from("<I", raw, at + 8)[0]))
        elif command == LC_BUILD_VERSION:
            packed = struct.unpack_from("<I", raw, at + 12)[0]
            image.minimum_system = (packed >> 16, packed >> 8 & 0xFF)
        at += size
    if info is None or entry is None:
        raise Unloadable(f"{path} has no LC_DYLD_INFO or no LC_MAIN")
    image.base = next(s.address for s in image.segments if s.name == "__TEXT")
    image.entry = image.base + entry
    for offset, size in ((info[2], info[3]), (info[6], info[7])):
        image.binds.extend(_binds(image, offset, size))
    return image


def _text(raw, at):
    return raw[at : raw.find(b"\0", at)].decode()


def _fixed(raw, at):
    return raw[at : at + 16].rstrip(b"\0").decode()


def _segment(image, at):
    raw = image.raw
    address, size, offset, file_size = struct.unpack_from("<QQQQ", raw, at + 24)
    image.segments.append(Segment(_fixed(raw, at + 8), address, size, offset, file_size))
    for n in range(struct.unpack_from("<I", raw, at + 64)[0]):
        one = at + 72 + 80 * n
        start, length, place = struct.unpack_from("<QQI", raw, one + 32)
        kind = struct.unpack_from("<I", raw, one + 64)[0] & 0xFF
        image.sections.append(Section(_fixed(raw, one), _fixed(raw, one + 16), start, length, place, kind))


def _uleb(raw, at):
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def _sleb(raw, at):
    start = at
    value, at = _uleb(raw, at)
    bits = 7 * (at - start)
    return (value - (1 << bits) if raw[at - 1] & 0x40 else value), at


def _binds(image, at, size):
    """The binding opcodes of dyld (BIND_OPCODE_… of mach-o/loader.h)."""
    raw, end = image.raw, at + size
    address, symbol, addend = 0, "", 0
    wrap = (1 << 64) - 1
    while at < end:
        opcode, low = raw[at] & 0xF0, raw[at] & 0x0F
        at += 1
        if opcode in (0x00, 0x10, 0x30, 0x50):  # done (of one lazy symbol), library, special library, type
            continue
        if opcode == 0x20:
            _, at = _uleb(raw, at)
        elif opcode == 0x40:
            symbol = _text(raw, at)
            at += len(symbol) + 1
        elif opcode == 0x60:
            addend, at = _sleb(raw, at)
        elif opcode == 0x70:
            offset, at = _uleb(raw, at)
            address = image.segments[low].address + offset
        elif opcode == 0x80:
            offset, at = _uleb(raw, at)
            address = address + offset & wrap
        elif opcode == 0x90:
            yield address, symbol, addend
            address += 8
        elif opcode == 0xA0:
            yield address, symbol, addend
            offset, at = _uleb(raw, at)
            address = address + 8 + offset & wrap
        elif opcode == 0xB0:
            yield address, symbol, addend
            address += 8 + 8 * low
        elif opcode == 0xC0:
            count, at = _uleb(raw, at)
            skip, at = _uleb(raw, at)
            for _ in range(count):
                yield address, symbol, addend
                address += 8 + skip
        else:
            raise Unloadable(f"{image.path}: the binding opcode {opcode:#x} is not known")
