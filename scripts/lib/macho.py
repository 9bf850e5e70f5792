#!/usr/bin/env python3
"""Looks at a Mach-O executable for arm64 without running it. Python's standard library alone.

usage: macho.py check FILE --minimum VERSION [--stub FILE.tbd [--symbols FILE]]
    FILE        a thin executable for arm64
    --minimum   the macOS version that it has to say it runs from, and no later one
    --stub      a text stub of libSystem, in which every import has to be found
    --symbols   a file with one more symbol a line that has to be found there, written as C writes it

What is checked beside that: that it needs no library but libSystem, and that its code signature is an ad hoc one that
covers the whole file before it, with the right hash of every page. Exit 0 if all of it holds, 1 if not.
"""

import argparse
import hashlib
import re
import struct
import sys

# mach-o/loader.h and mach/machine.h.
MH_MAGIC_64, CPU_TYPE_ARM64, MH_EXECUTE = 0xFEEDFACF, 0x0100000C, 2
LC_SYMTAB, LC_LOAD_DYLIB, LC_CODE_SIGNATURE, LC_BUILD_VERSION = 0x2, 0xC, 0x1D, 0x32
PLATFORM_MACOS = 1
# mach-o/nlist.h: what a symbol table entry is.
N_STAB, N_TYPE, N_EXT, N_UNDF = 0xE0, 0x0E, 0x01, 0x0
# kern/cs_blobs.h of xnu.
EMBEDDED_SIGNATURE, CODE_DIRECTORY, CS_ADHOC, SHA256 = 0xFADE0CC0, 0xFADE0C02, 0x2, 2


class Wrong(Exception):
    """What does not hold."""


class Executable:
    """What the load commands of a file say."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        if len(self.data) < 32:
            raise Wrong("the file is too short for a Mach-O header")
        magic, cpu, _, kind, count, size = struct.unpack_from("<6I", self.data)
        if (magic, cpu, kind) != (MH_MAGIC_64, CPU_TYPE_ARM64, MH_EXECUTE):
            raise Wrong(f"not a Mach-O executable for arm64 (magic {magic:#x}, processor {cpu:#x}, kind {kind})")
        self.minimum = self.signature = self.symbols = None
        self.libraries = []
        at, end = 32, 32 + size
        for _ in range(count):
            if at + 8 > end:
                raise Wrong("the load commands leave their room")
            command, length = struct.unpack_from("<II", self.data, at)
            if length < 8 or at + length > end:
                raise Wrong("the load commands leave their room")
            if command == LC_BUILD_VERSION:
                platform, minimum = struct.unpack_from("<II", self.data, at + 8)
                if platform != PLATFORM_MACOS:
                    raise Wrong(f"built for platform {platform}, not for macOS")
                # xxxx.yy.zz in nibbles.
                self.minimum = f"{minimum >> 16}.{minimum >> 8 & 0xff}" + (f".{minimum & 0xff}" if minimum & 0xFF else "")
            elif command == LC_LOAD_DYLIB:
                name = at + struct.unpack_from("<I", self.data, at + 8)[0]
                self.libraries.append(self.data[name : at + length].split(b"\0")[0].decode())
            elif command == LC_CODE_SIGNATURE:
                self.signature = struct.unpack_from("<II", self.data, at + 8)
            elif command == LC_SYMTAB:
                self.symbols = struct.unpack_from("<4I", self.data, at + 8)
            at += length

    def imports(self):
        """The names that other libraries have to have, as C writes them: without the underscore that goes before."""
        if self.symbols is None:
            raise Wrong("there is no symbol table")
        at, count, texts, _ = self.symbols
        found = set()
        for index in range(count):
            name, kind = struct.unpack_from("<IB", self.data, at + 16 * index)
            if not kind & N_STAB and kind & N_EXT and kind & N_TYPE == N_UNDF:
                start = texts + name
                found.add(self.data[start : self.data.index(b"\0", start)].decode().removeprefix("_"))
        return found


def check_signature(executable):
    """That the signature is ad hoc and true; how many pages it covers."""
    if executable.signature is None:
        raise Wrong("there is no code signature: a Mac with an arm64 processor kills what has none")
    data, (start, size) = executable.data, executable.signature
    if start + size != len(data):
        raise Wrong(f"the signature ends at {start + size}, the file at {len(data)}")
    magic, length, count = struct.unpack_from(">III", data, start)
    if magic != EMBEDDED_SIGNATURE or length > size:
        raise Wrong("the signature is no embedded signature")
    directories = []
    for index in range(count):
        _, offset = struct.unpack_from(">II", data, start + 12 + 8 * index)
        if struct.unpack_from(">I", data, start + offset)[0] == CODE_DIRECTORY:
            directories.append(start + offset)
    if not directories:
        raise Wrong("the signature has no code directory")
    for at in directories:
        _, flags, hashes, _, _, slots, limit = struct.unpack_from(">7I", data, at + 8)
        hash_size, hash_type, _, shift = struct.unpack_from("4B", data, at + 36)
        page = 1 << shift
        if not flags & CS_ADHOC:
            raise Wrong(f"the signature is not an ad hoc one (flags {flags:#x})")
        if limit != start:
            raise Wrong(f"the signature covers {limit} bytes of the {start} before it")
        if (hash_type, hash_size) != (SHA256, 32):
            raise Wrong(f"the pages are hashed by algorithm {hash_type}, not by SHA-256")
        if slots != -(-limit // page):
            raise Wrong(f"{slots} page hashes for {-(-limit // page)} pages")
        for slot in range(slots):
            expected = data[at + hashes + 32 * slot : at + hashes + 32 * (slot + 1)]
            if hashlib.sha256(data[slot * page : min((slot + 1) * page, limit)]).digest() != expected:
                raise Wrong(f"the hash of page {slot} of {slots} is wrong")
    return slots


def exported(stub):
    """The names that a text stub exports to programs for arm64, as C writes them."""
    with open(stub) as file:
        text = file.read()
    if not text.startswith("--- !tapi-tbd"):
        raise Wrong(f"{stub} is no text stub")
    names = set()
    # Each section is a list of entries; an entry has targets and one or more lists of symbols.
    for entry in re.split(r"\n\s*- targets:", text)[1:]:
        targets, rest = entry.split("]", 1)
        # The system's own libraries are arm64e; a linker takes their stubs for programs of plain arm64 too.
        if not re.search(r"\barm64e?-macos\b", targets):
            continue
        # What follows the last list of an entry may be the next section's name, which has no list before its first entry.
        for symbols in re.findall(r"\n\s+(?:weak-|thread-local-)?symbols:\s*\[([^\]]*)\]", rest):
            for name in symbols.split(","):
                names.add(name.strip().strip("'\"").removeprefix("_"))
    if not names:
        raise Wrong(f"{stub} exports nothing for arm64")
    return names


def check(arguments):
    """All of it; one line that says what was found."""
    executable = Executable(arguments.file)
    if executable.minimum != arguments.minimum:
        raise Wrong(f"it asks for macOS {executable.minimum}, and has to run from {arguments.minimum} on")
    others = [name for name in executable.libraries if name != "/usr/lib/libSystem.B.dylib"]
    if others or not executable.libraries:
        raise Wrong(f"it needs {', '.join(others) or 'no library'}, and may need libSystem alone")
    pages = check_signature(executable)
    said = f"arm64, from macOS {executable.minimum} on, libSystem alone, {pages} page hashes of an ad hoc signature right"
    if arguments.stub:
        imports, further = executable.imports(), set()
        if arguments.symbols:
            with open(arguments.symbols) as file:
                further = {line.strip() for line in file if line.strip()}
        missing = sorted((imports | further) - exported(arguments.stub))
        if missing:
            raise Wrong(f"{arguments.stub} does not export {', '.join(missing)}")
        said += f", {len(imports)} imports and {len(further)} names of the run found in {arguments.stub}"
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    checking = commands.add_parser("check")
    checking.add_argument("file")
    checking.add_argument("--minimum", required=True)
    checking.add_argument("--stub")
    checking.add_argument("--symbols")
    arguments = parser.parse_args()
    try:
        print(f"{arguments.file}: {check(arguments)}")
    except (Wrong, OSError, struct.error) as error:
        print(f"{arguments.file}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
