"""Which source lines were executed: blocks of code against the line tables of the objects that were linked.

A Mach-O executable holds no debug information; the objects in the library's archive do (DWARF 2 to 5, `.debug_line`). Their
functions are found again in the executable by their symbols.
"""

import bisect
import collections
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from double.macho import MAGIC_64, _fixed, read  # noqa: E402


def members(archive):
    """The objects of a static library, whose long names stand before their content (the BSD form)."""
    data = Path(archive).read_bytes()
    at = 8
    while at + 60 <= len(data):
        name, size = data[at : at + 16].decode().strip(), int(data[at + 48 : at + 58])
        body = at + 60
        skip = int(name[3:]) if name.startswith("#1/") else 0
        content = data[body + skip : body + size]
        if content[:4] == struct.pack("<I", MAGIC_64):
            yield content
        at = body + size + size % 2


class Object:
    def __init__(self, data):
        self.data = data
        self.sections, self.symbols = [], []
        at = 32
        for _ in range(struct.unpack_from("<I", data, 16)[0]):
            command, size = struct.unpack_from("<II", data, at)
            if command == 0x19:
                for n in range(struct.unpack_from("<I", data, at + 64)[0]):
                    one = at + 72 + 80 * n
                    address, length, offset, _, relocations, count = struct.unpack_from("<QQIIII", data, one + 32)
                    self.sections.append((_fixed(data, one), address, length, offset, relocations, count))
            elif command == 0x2:
                table, count, strings, _ = struct.unpack_from("<4I", data, at + 8)
                for n in range(count):
                    name, kind, section, _, value = struct.unpack_from("<IBBHQ", data, table + 16 * n)
                    end = data.find(b"\0", strings + name)
                    self.symbols.append((data[strings + name : end].decode(errors="replace"), kind, section, value))
            at += size
        self.code = next((n for n, one in enumerate(self.sections, 1) if one[0] == "__text"), 0)

    def section(self, name):
        """A section's bytes, with its relocations done: addresses are those of this object."""
        found = next((one for one in self.sections if one[0] == name), None)
        if found is None:
            return None
        _, _, length, offset, relocations, count = found
        data = bytearray(self.data[offset : offset + length])
        for n in range(count):
            place, bits = struct.unpack_from("<iI", self.data, relocations + 8 * n)
            number, external, size, kind = bits & 0xFFFFFF, bits >> 27 & 1, bits >> 25 & 3, bits >> 28
            if kind == 0 and external and size == 3:
                value = struct.unpack_from("<Q", data, place)[0] + self.symbols[number][3]
                struct.pack_into("<Q", data, place, value & (1 << 64) - 1)
        return bytes(data)

    def functions(self):
        """(address, name) in the code, without the assembler's own labels."""
        return sorted((value, name) for name, kind, section, value in self.symbols
                      if not kind & 0xE0 and kind & 0x0E == 0x0E and section == self.code and not name.startswith(("ltmp", "l")))  # fmt: skip


class Reader:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, form):
        value = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return value[0]

    def uleb(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def sleb(self):
        start, value = self.at, self.uleb()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if self.data[self.at - 1] & 0x40 else value

    def text(self):
        end = self.data.index(b"\0", self.at)
        value = self.data[self.at : end].decode(errors="replace")
        self.at = end + 1
        return value


def _entries(reader, strings):
    """A list of folders or files of DWARF 5: which forms, then the entries."""
    forms = [(reader.uleb(), reader.uleb()) for _ in range(reader.take("B"))]
    found = []
    for _ in range(reader.uleb()):
        name, folder = "", 0
        for content, form in forms:
            if form == 0x08:
                value = reader.text()
            elif form in (0x0E, 0x1F):
                value = Reader(strings, reader.take("I")).text()
            elif form == 0x0B:
                value = reader.take("B")
            elif form == 0x05:
                value = reader.take("H")
            elif form == 0x0F:
                value = reader.uleb()
            elif form == 0x1E:
                value = reader.data[reader.at : reader.at + 16]
                reader.at += 16
            else:
                raise ValueError(f"a form {form:#x} of line tables is not known")
            if content == 1:
                name = value
            elif content == 2:
                folder = value
        found.append((name, folder))
    return found


def rows(object_):
    """(first address, end, file, line) of every row."""
    data = object_.section("__debug_line")
    if not data:
        return
    strings = object_.section("__debug_line_str") or b""
    at = 0
    while at + 4 < len(data):
        reader = Reader(data, at)
        length = reader.take("I")
        end = reader.at + length
        version = reader.take("H")
        if version >= 5:
            reader.take("B"), reader.take("B")
        header = reader.take("I")
        program = reader.at + header
        unit = reader.take("B")
        if version >= 4:
            reader.take("B")
        is_stmt, base, span, opcodes = reader.take("B"), reader.take("b"), reader.take("B"), reader.take("B")
        del is_stmt
        lengths = [reader.take("B") for _ in range(opcodes - 1)]
        if version >= 5:
            folders = [name for name, _ in _entries(reader, strings)]
            files = [(name, folder) for name, folder in _entries(reader, strings)]
            first = 0
        else:
            folders, files, first = [""], [], 1
            while text := reader.text():
                folders.append(text)
            while text := reader.text():
                files.append((text, reader.uleb()))
                reader.uleb(), reader.uleb()
        reader.at = program
        yield from _program(reader, end, unit, base, span, opcodes, lengths, folders, files, first)
        at = end


def _program(reader, end, unit, base, span, opcodes, lengths, folders, files, first):
    def name_of(number):
        if not 0 <= number - first < len(files):
            return ""
        name, folder = files[number - first]
        return name if name.startswith("/") or folder >= len(folders) else f"{folders[folder]}/{name}"

    address, file, line, before = 0, 1, 1, None
    while reader.at < end:
        opcode = reader.take("B")
        emit = closes = False
        if opcode >= opcodes:
            adjusted = opcode - opcodes
            address += adjusted // span * unit
            line += base + adjusted % span
            emit = True
        elif opcode == 0:
            size = reader.uleb()
            after = reader.at + size
            kind = reader.take("B")
            if kind == 1:
                emit = closes = True
            elif kind == 2:
                address = reader.take("Q")
            reader.at = after
        elif opcode == 1:
            emit = True
        elif opcode == 2:
            address += reader.uleb() * unit
        elif opcode == 3:
            line += reader.sleb()
        elif opcode == 4:
            file = reader.uleb()
        elif opcode == 8:
            address += (255 - opcodes) // span * unit
        elif opcode == 9:
            address += reader.take("H")
        else:
            for _ in range(lengths[opcode - 1]):
                reader.uleb()
        if emit:
            if before is not None and address > before[0]:
                yield before[0], address, name_of(before[1]), before[2]
            before = None if closes else (address, file, line)
            if closes:
                address, file, line = 0, 1, 1


def executed(folder):
    """Merged ranges of addresses that were executed."""
    blocks = set()
    for path in Path(folder).glob("*.blocks"):
        data = path.read_bytes()
        blocks.update(struct.iter_unpack("<QI", data))
    merged = []
    for start, size in sorted(blocks):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], start + size)
        else:
            merged.append([start, start + size])
    return merged


def coverage(image, archives, folder, wanted):
    """For each file that `wanted` takes: line -> whether it was executed."""
    ranges = executed(folder)
    starts = [start for start, _ in ranges]

    def ran(first, last):
        n = bisect.bisect_right(starts, first) - 1
        if n >= 0 and ranges[n][1] > first:
            return True
        return n + 1 < len(ranges) and ranges[n + 1][0] < last

    place = {name: address for address, name in read(str(image)).functions()}
    found = collections.defaultdict(dict)
    for archive in archives:
        for data in members(archive):
            one = Object(data)
            functions = one.functions()
            addresses = [address for address, _ in functions]
            for first, last, file, line in rows(one):
                name = wanted(file)
                if name is None or not line:
                    continue
                n = bisect.bisect_right(addresses, first) - 1
                if n < 0 or functions[n][1] not in place:
                    continue
                move = place[functions[n][1]] - functions[n][0]
                found[name][line] = found[name].get(line, False) or ran(first + move, last + move)
    return found
