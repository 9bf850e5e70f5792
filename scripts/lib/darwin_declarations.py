#!/usr/bin/env python3
"""Holds what the crate declares by hand of macOS against the system's own headers, which come with Zig.

usage: darwin_declarations.py --zig ZIG [--symbols FILE]
    --zig      the Zig executable
    --symbols  writes every symbol of libSystem that is looked up at run time, one a line

The declarations are found in the sources: integer constants, structures with C's layout, types of C functions, foreign
functions, and names that are looked up at run time. darwin_declarations.toml says what each stands for in C. From both
comes a C program of static assertions, which is compiled and never linked or run. A declaration that the table does not
have is an error, and so is one that it has and the sources have not. Python's standard library alone.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = pathlib.Path(__file__).with_suffix(".toml")
ERROR_NUMBERS = "src/evidence/darwin_errno.rs"
# Where declarations of macOS may stand. Elsewhere none may.
PLACES = ["src/sys/darwin/*.rs", "src/sys/product.rs", "src/probe/macos/*.rs", "src/zygote/fresh_macos.rs", "src/enforce/seatbelt.rs"]
ELSEWHERE = ["src/sys/linux/**/*.rs", "src/zygote/fresh_linux.rs", "src/probe/linux.rs", "src/sys/ending.rs"]

# Rust integers: size in bytes, whether signed.
INTEGERS = {
    "c_int": (4, True), "i32": (4, True), "u32": (4, False), "u64": (8, False), "i64": (8, True), "u16": (2, False),
    "usize": (8, False), "isize": (8, True), "u8": (1, False), "c_char": (1, True), "libc::c_char": (1, True),
    "libc::c_ulong": (8, False), "libc::pid_t": (4, True),
}  # fmt: skip
NUMBER = re.compile(r"[\s0-9a-fxA-Fo_|*<+()-]+")


class Wrong(Exception):
    """What does not hold."""


class Source:
    """The declarations of one source file."""

    def __init__(self, path):
        self.path = path
        text = re.sub(r"//[^\n]*", "", (ROOT / path).read_text())
        self.aliases = dict(re.findall(r"^type (\w+) = ([^;{]+?);", text, re.M))
        self.constants = {}
        for name, kind, value in re.findall(r"\bconst (\w+): ([\w:]+) = ([^;]+);", text):
            if kind in INTEGERS and NUMBER.fullmatch(value):
                self.once(self.constants, name, (kind, value.replace("_", "").replace("0o", "0")))
        self.structs = {}
        for name, body in re.findall(r"#\[repr\(C\)\](?:\s*#\[[^\]]*\])*\s*(?:pub(?:\(\w+\))? )?struct (\w+) \{([^}]*)\}", text):
            fields = [part.split(":", 1)[1].strip() for part in split(body)]
            self.once(self.structs, name, fields)
        self.calls = {}
        for name, kind in self.aliases.items():
            if "extern" in kind:
                self.once(self.calls, name, signature(kind))
        for block in re.findall(r'unsafe extern "C" \{(.*?)\n\}', text, re.S):
            for name, rest in re.findall(r"fn (\w+)(\(.*?)(?=;)", block, re.S):
                self.once(self.calls, name, signature("fn" + re.sub(r"\w+: ", "", rest)))
        # Looked up in what is loaded already, which is libSystem; what other libraries have is not of interest here.
        self.symbols = re.findall(r'(?:LOADED\s*\.(?:function|value|address)(?:::<\w+>)?|= symbol)\(c"(\w+)"\)', text)
        count = len(re.findall(r"#\[repr\(C", text)), len(re.findall(r'extern "C" \{', text))
        if count != (len(self.structs), len(re.findall(r'unsafe extern "C" \{(.*?)\n\}', text, re.S))):
            raise Wrong(f"{path}: a declaration is written in a form that is not read here")

    def once(self, where, name, value):
        if name in where:
            raise Wrong(f"{self.path}: two declarations have the name `{name}`; the table could not tell them apart")
        where[name] = value

    def plain(self, kind):
        """A type without the file's own other names for it."""
        while kind in self.aliases and "extern" not in self.aliases[kind]:
            kind = self.aliases[kind]
        return kind

    def declared(self):
        return {*self.constants, *self.structs, *self.calls, *self.symbols}


def split(text):
    """Parts between commas that are in no bracket."""
    parts, depth, part = [], 0, ""
    for c in text:
        depth += (c in "([<") - (c in ")]>" and not part.endswith("-"))
        if c == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += c
    return [part.strip() for part in [*parts, part] if part.strip()]


def signature(text):
    """Arguments and result of a Rust function type."""
    found = re.fullmatch(r".*?fn\s*\((.*)\)\s*(?:->\s*(.+))?", text.strip(), re.S)
    if not found:
        raise Wrong(f"`{text}` is no function type that is understood here")
    return split(found[1]), found[2]


class Program:
    """The C program that is compiled."""

    def __init__(self):
        self.headers, self.lines = ["stddef.h", "stdint.h", "sys/types.h"], []
        self.count = 0

    def sure(self, condition, message):
        self.count += 1
        self.lines.append(f'_Static_assert({condition}, "{message}");')

    def same_kind(self, source, rust, c, what):
        """That a C type is passed and stored as the Rust type is."""
        rust = source.plain(rust)
        if rust in INTEGERS:
            size, signed = INTEGERS[rust]
            self.sure(f"sizeof({c}) == {size} && (({c})-1 < ({c})1) == {int(signed)}", f"{what} is not like {rust}")
        elif rust.startswith("libc::"):
            self.sure(f"__builtin_types_compatible_p({c}, struct {rust.removeprefix('libc::')})", f"{what} is not {rust}")
        elif rust.startswith(("*const ", "*mut ")):
            # 5 is a pointer; clang has no number for one to a block.
            kind = f"__builtin_classify_type(({c})0)"
            self.sure(f"sizeof({c}) == 8 && ({kind} == 5 || {kind} == -1)", f"{what} is no pointer")
            inner = source.plain(rust.split(" ", 1)[1])
            if inner in INTEGERS:
                self.sure(f"sizeof(*({c})0) == {INTEGERS[inner][0]}", f"{what} does not point to something like {inner}")
        else:
            raise Wrong(f"{source.path}: `{rust}` of {what} is a type that is not understood here")

    def struct(self, source, name, c, members):
        fields = source.structs[name]
        if len(fields) != len(members):
            raise Wrong(f"{source.path}: `{name}` has {len(fields)} fields, the table names {len(members)} members")
        # A structure with the Rust fields, laid out by C's rules as Rust lays them out.
        self.lines.append(f"struct rust_{name} {{")
        for field, member in zip(fields, members):
            self.lines.append(f"    {self.stand_in(source, field)} {member};")
        self.lines.append("};")
        self.sure(f"sizeof({c}) == sizeof(struct rust_{name})", f"{c} has another size than {name}")
        for field, member in zip(fields, members):
            self.sure(f"offsetof({c}, {member}) == offsetof(struct rust_{name}, {member})", f"{name}: {member} lies elsewhere")
            if "[" not in field:
                self.same_kind(source, field, f"__typeof__((({c} *)0)->{member})", f"{name}: {member}")

    def stand_in(self, source, rust):
        rust = source.plain(rust)
        if rust in INTEGERS:
            size, signed = INTEGERS[rust]
            return f"{'' if signed else 'u'}int{8 * size}_t"
        if rust.startswith("libc::"):
            return f"struct {rust.removeprefix('libc::')}"
        if rust.startswith(("*const ", "*mut ", "extern ")):
            return "void *"
        raise Wrong(f"{source.path}: `{rust}` is a type that is not understood here")

    def call(self, source, name, prototype):
        found = re.fullmatch(r"(.*?)\b(\w+)\((.*)\)", prototype)
        result, function, arguments = found[1].strip(), found[2], split(found[3])
        if function not in source.symbols and function != name:
            raise Wrong(f"{source.path}: `{name}` stands for `{function}`, which is not looked up there")
        self.sure(
            f"__builtin_types_compatible_p(__typeof__(&{function}), {result} (*)({', '.join(arguments)}))",
            f"{function} has another prototype than {prototype}",
        )
        rust_arguments, rust_result = source.calls[name]
        if len(rust_arguments) != len(arguments) or (rust_arguments[-1:] == ["..."]) != (arguments[-1:] == ["..."]):
            raise Wrong(f"{source.path}: `{name}` takes other arguments than `{prototype}`")
        for number, (rust, c) in enumerate(zip(rust_arguments, arguments), 1):
            if rust != "...":
                self.same_kind(source, rust, c, f"{function}, argument {number},")
        if (rust_result is None) != (result == "void"):
            raise Wrong(f"{source.path}: `{name}` gives another result than `{prototype}`")
        if rust_result:
            self.same_kind(source, rust_result, result, f"{function}: its result")
        return function


def error_numbers(program):
    """The list of names by number, and that there are no more."""
    text = (ROOT / ERROR_NUMBERS).read_text()
    names = re.findall(r'"(E\w+)"', re.search(r"const NAMES[^=]*= &\[(.*?)\];", text, re.S)[1])
    program.headers.append("errno.h")
    for number, name in enumerate(names, 1):
        program.sure(f"{name} == {number}", f"{name} is not {number}")
    program.sure(f"ELAST == {len(names)}", f"{len(names)} is not the last error number")


def block_layout(source, names, compile_c):
    """A block without captured variables, as clang makes it, against the structures for it."""
    text = compile_c("void (^a_block)(void *) = ^(void *given) { (void)given; };\n", ["-S", "-emit-llvm", "-fblocks"])

    def shape(name):
        parts = []
        for field in source.structs[name]:
            stand_in = Program().stand_in(source, field)
            parts.append({"void *": r"ptr ([^,}]+)", "int32_t": r"i32 (\d+)", "uint64_t": r"i64 (\d+)"}[stand_in])
        return parts

    literal = re.search(r"= [^\n]*\{ " + ", ".join(shape(names["literal"])) + r" \}", text)
    # What follows in a descriptor is there if a flag says so, which is not set here.
    descriptor = re.search(r"@\"?__block_descriptor[^\n]*? = [^\n]*\{ " + ", ".join(shape(names["descriptor"])), text)
    if not literal or not descriptor:
        raise Wrong(f"{source.path}: clang lays a block out in another way")
    isa, flags, size = literal[1], int(literal[2]), int(descriptor[2])
    flag = eval(source.constants[names["flag"]][1], {"__builtins__": {}})  # digits and operators alone: NUMBER
    if isa != "@_NSConcreteGlobalBlock" or not flags & flag or size != 32:
        raise Wrong(f"{source.path}: clang makes another block: {literal[0]}")
    return 3


def undeclared_elsewhere(read):
    """Declarations of C in files that are not looked at."""
    known = {ROOT / path for path in read}
    for pattern in ELSEWHERE:
        known.update(ROOT.glob(pattern))
    for path in sorted((ROOT / "src").rglob("*.rs")):
        if path not in known and re.search(r'#\[repr\(C|extern "C"', path.read_text()):
            raise Wrong(f"{path.relative_to(ROOT)} declares something of C, and is not among the places of this script")


def run(zig, symbols_file):
    """All of it; what to say about it."""
    table = tomllib.loads(TABLE.read_text())
    sources = {str(path.relative_to(ROOT)): None for pattern in PLACES for path in sorted(ROOT.glob(pattern))}
    undeclared_elsewhere(sources)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="declarations-"))

    def compile_c(text, arguments):
        file, result = scratch / "declarations.c", scratch / "result"
        file.write_text(text)
        done = subprocess.run(
            [zig, "cc", "-target", "aarch64-macos", "-std=gnu17", "-w", "-ferror-limit=0", *arguments, "-o", str(result), str(file)],
            capture_output=True, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode != 0:
            failures = re.findall(r"error: (.*)", done.stderr)
            raise Wrong("the headers say otherwise:\n" + "\n".join(f"  {line}" for line in failures) if failures else done.stderr)
        return result.read_text() if "-S" in arguments else ""

    try:
        program, symbols, without, blocks = Program(), set(), [], 0
        for path in sources:
            source, entry = Source(path), dict(table.pop(path, {}))
            program.headers += entry.pop("headers", [])
            listed = set()
            for name, expression in entry.get("constants", {}).items():
                listed.add(name)
                if name in source.constants:
                    program.sure(f"({expression}) == ({source.constants[name][1]})", f"{path}: {name} is not {expression}")
            for name, struct in entry.get("structs", {}).items():
                listed.add(name)
                if name in source.structs:
                    program.struct(source, name, struct["c"], struct["members"])
            for name, prototype in entry.get("calls", {}).items():
                listed.add(name)
                if name in source.calls:
                    listed.add(program.call(source, name, prototype))
            for name, kind in entry.get("data", {}).items():
                listed.add(name)
                if kind:
                    program.same_kind(source, "u32", f"__typeof__({name})", name)
                    program.sure(f"__builtin_types_compatible_p(__typeof__({name}), {kind})", f"{name} is no {kind}")
                else:
                    program.lines.append(f"const void *const address_of_{name} = &{name};")
            if block := entry.get("block"):
                listed.update(block.values())
                blocks += block_layout(source, block, compile_c)
            listed.update(entry.get("own", {}))
            for name, where in entry.get("no_header", {}).items():
                listed.add(name)
                without.append(f"  {path}: {name}: {where}")
                # `NAME: …` says which function a type stands for.
                listed.update({where.split(":")[0]} & set(source.symbols))
            # A function that is foreign is no name that is looked up.
            declared = source.declared()
            if listed - declared - set(source.calls):
                raise Wrong(f"{path} does not declare {', '.join(sorted(listed - declared))}, which the table lists")
            if declared - listed:
                raise Wrong(f"the table has nothing for {', '.join(sorted(declared - listed))} of {path}")
            symbols.update(source.symbols)
        if table:
            raise Wrong(f"the table has files that are not looked at: {', '.join(table)}")
        error_numbers(program)
        headers = "".join(f"#include <{header}>\n" for header in dict.fromkeys(program.headers))
        compile_c(headers + "\n".join(program.lines) + "\n", ["-c", "-fblocks"])
    finally:
        for file in scratch.iterdir():
            file.unlink()
        scratch.rmdir()
    if symbols_file:
        pathlib.Path(symbols_file).write_text("".join(f"{name}\n" for name in sorted(symbols)))
    said = [f"{program.count + blocks} statements about declarations of macOS hold, by the headers that come with Zig"]
    return said + [f"no header there has {len(without)} of them:", *without]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zig", required=True)
    parser.add_argument("--symbols")
    arguments = parser.parse_args()
    try:
        print("\n".join(run(arguments.zig, arguments.symbols)))
    except (Wrong, OSError) as error:
        print(f"{pathlib.Path(__file__).name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
