"""A double of Darwin's user space: runs this project's arm64 Mach-O on Linux.

The processor is emulated by Unicorn; libSystem, and as much of xnu, launchd and the frameworks as the program asks for, is
written here. No instruction of Apple's is executed and no Mac is involved. What Apple's code would decide is decided by
this project's own model of Seatbelt, so nothing that comes out is evidence about macOS: it says that the program does
what it should on a system that behaves as the public sources say.

- `macho`     the executable: segments, what it imports, its symbols
- `machine`   memory, the processor, threads and who may run
- `calls`     the table of functions that stand for a library's
- `world`     what this host says of itself: a Mac that does not exist
- `tree`      paths: the Mac's root in a folder of this host, links, firmlinks
- `policy`    Seatbelt, decided by the model
- `server`    starts programs from a process that has the image and its usual code translated; `client` asks it to
- `quick`     allocation and thread-local variables, as code for the emulated processor
- `faults`    calls that fail on purpose
- `coverage`  which instructions were executed
- `lib`       libSystem and frameworks, by topic
- `launchd`   a stand-in for launchctl, with the jobs that it keeps

Why Python: nearly every handler is one call of this host's own kernel with numbers and structures translated, which
Python's standard library has nearly complete; the emulator comes as a wheel and needs no C compiler; and nothing of it
enters the build of the product. What is hot is the emulated code itself, which Unicorn translates.
"""
