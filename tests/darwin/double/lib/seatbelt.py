"""Seatbelt's functions; what they say comes from the model."""

import os

from ..calls import Host, Refused, call
from ..machine import MASK, i32
from ..policy import STATE, NotApplied
from .host import library

CONSTANTS = {"_SANDBOX_CHECK_NO_REPORT": 0x4000_0000, "_SANDBOX_CHECK_CANONICAL": 0x2000_0000}


def _refuse(refusal, error):
    if refusal.text is not None:
        # libSystem itself prints it.
        os.write(2, f"sandbox initialization failed: {refusal.text}\n".encode())
        if error:
            Host.machine.put64(error, Host.machine.new(refusal.text.encode() + b"\0"))
    raise Refused(refusal.number)


def _init(text, parameters, error):
    words = [os.fsdecode(one) for one in Host.machine.texts(parameters)] if parameters else []
    try:
        Host.policy.apply(Host.machine.text(text).decode(), list(zip(words[::2], words[1::2])))
    except NotApplied as refusal:
        _refuse(refusal, error)


@call("_sandbox_init_with_parameters")
def _(text, flags, parameters, error):
    if flags:
        _refuse(NotApplied("EINVAL", "bad flags"), error)
    _init(text, parameters, error)


@call("_sandbox_init")
def _(text, flags, error):
    if flags:
        _refuse(NotApplied("EINVAL", "bad flags"), error)
    _init(text, 0, error)


@call("_sandbox_free_error", fails="never")
def _(at):
    Host.machine.free(at)


@call("_sandbox_check")
def _(pid, operation, number):
    given = Host.faults.answer("_sandbox_check")
    if given is not None:
        from ..calls import NUMBER_OF

        Host.machine.set_errno(NUMBER_OF[given["errno"]] if "errno" in given else 0)
        return given["answer"] & MASK
    if i32(pid) != os.getpid():
        raise Refused("ESRCH")
    if not operation:
        return int(Host.policy.confined)
    number = i32(number)
    argument = Host.machine.text(Host.machine.argument(0)).decode() if number & 0xFFFF else ""
    return Host.policy.check(Host.machine.text(operation).decode(), number, argument)


library("/usr/lib/libsandbox.1.dylib").update({"_sandbox_apply", "_sandbox_compile_string", "_sandbox_free_profile"})


@call("_sandbox_apply")
def _(profile):
    # struct sandbox_profile: a built-in's name, data, size. What the bytes mean is told by whoever runs the double: a
    # folder of texts, by the bytes' digest.
    import hashlib

    data = Host.machine.read(Host.machine.u64(profile + 8), Host.machine.u64(profile + 16))
    path = os.path.join(os.environ[STATE], "compiled", hashlib.sha256(data).hexdigest() + ".sb")
    if not os.path.exists(path):
        raise Refused("EINVAL")
    with open(path) as file:
        text = file.read()
    try:
        Host.policy.apply(text, [])
    except NotApplied as refusal:
        raise Refused(refusal.number) from None


@call("_sandbox_compile_string", "_sandbox_free_profile", fails="null")
def _():
    raise Refused("ENOSYS")
