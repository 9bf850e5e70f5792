"""The few functions of libSystem that are called by the ten thousand, as code for the emulated processor.

A call that leaves the emulator costs some twenty microseconds, and of those of a run nine in ten are for memory or for a
thread's own variables. What is not simple here goes on to the function in `lib`, and so does everything if calls are
counted, traced, or are to fail.

They work on a block at the start of the heap: where fresh memory begins, where the running thread's variables are, and for
each size up to 4096 the first free block; a free block names the next. Before each block stand its size and, while it is
in use, the address of the heap.
"""

import struct

#: What stands at the start of the heap: offsets, and the size of all of it.
TOP, LOCAL, FREE, STATE_SIZE = 0, 8, 16, 0x1000
HEADER, SMALL = 16, 4096

# Each ends with two addresses: the heap, and the function that takes what is not simple.
CODE = {
    "_malloc": (
        0x91003C01,  # add x1, x0, #15
        0x927CEC21,  # and x1, x1, #-16
        0xB5000041,  # cbnz x1, +2
        0xD2800201,  # mov x1, #16
        0xF140043F,  # cmp x1, #4096
        0x540001E8,  # b.hi other
        0x58000222,  # ldr x2, heap
        0x8B410443,  # add x3, x2, x1, lsr #1
        0xF9400860,  # ldr x0, [x3, #16]       the first free block of this size
        0xB40000A0,  # cbz x0, fresh
        0xF9400004,  # ldr x4, [x0]
        0xF9000864,  # str x4, [x3, #16]
        0xF81F8002,  # str x2, [x0, #-8]
        0xD65F03C0,  # ret
        0xF9400040,  # fresh: ldr x0, [x2]
        0x91004000,  # add x0, x0, #16
        0x8B010004,  # add x4, x0, x1
        0xF9000044,  # str x4, [x2]
        0xA93F0801,  # stp x1, x2, [x0, #-16]
        0xD65F03C0,  # ret
        0x580000B0,  # other: ldr x16, function
        0xD61F0200,  # br x16
        0xD503201F,  # nop
    ),
    "_free": (
        0xB4000180,  # cbz x0, done
        0xA97F0C01,  # ldp x1, x3, [x0, #-16]
        0x580001C2,  # ldr x2, heap
        0xEB02007F,  # cmp x3, x2
        0x54000121,  # b.ne other
        0xF140043F,  # cmp x1, #4096
        0x540000E8,  # b.hi other
        0x8B410443,  # add x3, x2, x1, lsr #1
        0xF9400864,  # ldr x4, [x3, #16]
        0xF9000004,  # str x4, [x0]
        0xF9000860,  # str x0, [x3, #16]
        0xF81F801F,  # str xzr, [x0, #-8]
        0xD65F03C0,  # done: ret
        0x580000B0,  # other: ldr x16, function
        0xD61F0200,  # br x16
        0xD503201F,  # nop
    ),
    # Only where the block has the room already.
    "_realloc": (
        0xB4000120,  # cbz x0, other
        0xB4000101,  # cbz x1, other
        0xA97F1003,  # ldp x3, x4, [x0, #-16]
        0x58000122,  # ldr x2, heap
        0xEB02009F,  # cmp x4, x2
        0x54000081,  # b.ne other
        0xEB03003F,  # cmp x1, x3
        0x54000048,  # b.hi other
        0xD65F03C0,  # ret
        0x580000B0,  # other: ldr x16, function
        0xD61F0200,  # br x16
        0xD503201F,  # nop
    ),
    # Keeps every register but x0 and x16, as callers of it expect.
    "__tlv_bootstrap": (
        0x58000110,  # ldr x16, heap
        0xF9400610,  # ldr x16, [x16, #8]
        0xB4000090,  # cbz x16, other
        0xF9400800,  # ldr x0, [x0, #16]
        0x8B100000,  # add x0, x0, x16
        0xD65F03C0,  # ret
        0x58000090,  # other: ldr x16, function
        0xD61F0200,  # br x16
    ),
}


def assembled(name, heap, function):
    """The code of a function, for a heap and for what takes the rest."""
    words = CODE[name]
    return struct.pack(f"<{len(words)}I", *words) + struct.pack("<QQ", heap, function)
