"""Mach services, notifications, XPC, IOKit, CoreFoundation, POSIX shared memory and semaphores, pseudo terminals."""

import os
import signal

from .. import world
from ..calls import Host, Refused, call
from ..machine import Quit, i32
from .files import inheritable
from .host import library

# --- bootstrap (servers/bootstrap.h) ----------------------------------------------------------------------------------

NOT_PRIVILEGED, NAME_IN_USE, UNKNOWN_SERVICE = 1100, 1101, 1102
PORTS = iter(range(0x2003, 1 << 20, 4))


def _registered():
    return os.path.join(os.environ["DARWIN_DOUBLE_STATE"], "registered")


@call("_bootstrap_look_up", fails="never")
def _(port, name, out):
    text = Host.machine.text(name)
    if not Host.policy.allows("mach-lookup", text.decode(), filter_name="global-name"):
        return NOT_PRIVILEGED
    if text not in world.SERVICES:
        return UNKNOWN_SERVICE
    Host.machine.put32(out, next(PORTS))
    return 0


@call("_bootstrap_register", fails="never")
def _(port, name, own):
    text = Host.machine.text(name)
    if not Host.policy.allows("mach-register", text.decode(), filter_name="global-name"):
        return NOT_PRIVILEGED
    return NAME_IN_USE if text in world.SERVICES else 0


@call("_mach_port_allocate", fails="never")
def _(task, right, out):
    # MACH_PORT_RIGHT_RECEIVE, else KERN_INVALID_VALUE
    if i32(right) != 1:
        return 18
    Host.machine.put32(out, next(PORTS))
    return 0


@call("_mach_port_insert_right", fails="never")
def _(task, name, right, kind):
    # MACH_MSG_TYPE_MAKE_SEND, else KERN_INVALID_VALUE
    return 0 if i32(kind) == 20 and name == right else 18


@call("_notify_post", fails="never")
def _(name):
    # A post of an ordinary client is a one-way message: notifyd looks at the sandbox of no such client, and the status is
    # 0 whenever notifyd can be looked up.
    if not Host.policy.allows("mach-lookup", "com.apple.system.notification_center", filter_name="global-name"):
        return 9  # NOTIFY_STATUS_SERVER_NOT_FOUND
    return 0 if Host.machine.text(name) else 1


# --- XPC --------------------------------------------------------------------------------------------------------------

XPC = {}
#: Objects that are compared by address.
OBJECTS = ("__xpc_type_error", "__xpc_error_connection_invalid", "__xpc_error_connection_interrupted",
           "__xpc_error_termination_imminent", "__NSConcreteGlobalBlock", "__xpc_type_dictionary")  # fmt: skip


@call("_xpc_connection_create_mach_service", fails="never")
def _(name, queue, flags):
    handle = Host.machine.malloc(64)
    XPC[handle] = {"service": Host.machine.text(name), "handler": 0, "resumed": False}
    return handle


@call("_xpc_connection_set_event_handler", fails="never")
def _(connection, block):
    machine = Host.machine
    # A block (clang's "Block Implementation Specification"): its class, flags, reserved, function, descriptor.
    if machine.u64(block) != machine.data["__NSConcreteGlobalBlock"] or not machine.u32(block + 8) & 1 << 28:
        raise RuntimeError("the handler is no global block")
    if machine.u64(machine.u64(block + 24) + 8) != 32:
        raise RuntimeError("the block's descriptor does not say 32 bytes")
    XPC[connection]["handler"] = block
    return 0


@call("_xpc_connection_resume", fails="never")
def _(connection):
    if not XPC[connection]["handler"]:
        # libxpc traps where a connection without a handler is resumed.
        raise Quit(signo=signal.SIGTRAP)
    XPC[connection]["resumed"] = True
    return 0


@call("_xpc_dictionary_create", fails="never")
def _(keys, values, count):
    handle = Host.machine.malloc(64)
    XPC[handle] = {"type": "__xpc_type_dictionary"}
    return handle


@call("_xpc_connection_send_message_with_reply_sync", fails="never")
def _(connection, message):
    machine, one = Host.machine, XPC[connection]
    if not one["resumed"]:
        raise Quit(signo=signal.SIGTRAP)
    invalid = machine.data["__xpc_error_connection_invalid"]
    if not Host.policy.allows("mach-lookup", one["service"].decode(), filter_name="global-name"):
        return invalid
    if one["service"] not in world.SERVICES:
        return invalid
    # One that hangs up on an empty message; the others answer.
    if one["service"] == b"com.apple.trustd":
        return machine.data["__xpc_error_connection_interrupted"]
    handle = machine.malloc(64)
    XPC[handle] = {"type": "__xpc_type_dictionary"}
    return handle


@call("_xpc_get_type", fails="never")
def _(one):
    machine = Host.machine
    if one in (machine.data[name] for name in OBJECTS if "_error_" in name):
        return machine.data["__xpc_type_error"]
    return machine.data[XPC[one]["type"]]


# --- IOKit ------------------------------------------------------------------------------------------------------------

NOT_PERMITTED = 0xE00002E2
CLASSES, SERVICES = {}, {}
library("/System/Library/Frameworks/IOKit.framework/IOKit").update(
    {"_IOServiceMatching", "_IOServiceGetMatchingService", "_IOServiceOpen", "_IOServiceClose"}
)


@call("_IOServiceMatching", fails="never")
def _(name):
    handle = Host.machine.malloc(64)
    CLASSES[handle] = Host.machine.text(name)
    return handle


@call("_IOServiceGetMatchingService", fails="never")
def _(port, matching):
    name = CLASSES.pop(matching)
    if name not in world.CLASSES:
        return 0
    service = next(PORTS)
    SERVICES[service] = name
    return service


@call("_IOServiceOpen", fails="never")
def _(service, task, kind, out):
    name = SERVICES[service & 0xFFFFFFFF].decode()
    if task & 0xFFFFFFFF != Host.machine.u32(Host.machine.data["_mach_task_self_"]):
        return 0xE00002C2  # kIOReturnBadArgument
    # The service, then its user client: both are in the model's answer to the first.
    if not Host.policy.allows("iokit-open-service", name):
        return NOT_PERMITTED
    Host.machine.put32(out, next(PORTS))
    return 0


@call("_IOServiceClose", fails="never")
def _(connection):
    return 0


# --- CoreFoundation ---------------------------------------------------------------------------------------------------

STRINGS, CENTRE = {}, 0x5EA7
CONSTANTS = {"_kCFPreferencesCurrentUser": b"kCFPreferencesCurrentUser", "_kCFPreferencesAnyHost": b"kCFPreferencesAnyHost"}
library("/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation").update(
    {"_CFStringCreateWithBytes", "_CFPreferencesCopyValue", "_CFNotificationCenterGetDistributedCenter",
     "_CFNotificationCenterPostNotification", *CONSTANTS}
)  # fmt: skip


@call("_CFStringCreateWithBytes", fails="never")
def _(allocator, at, length, encoding, external):
    # kCFStringEncodingUTF8
    if encoding & 0xFFFFFFFF != 0x0800_0100 or allocator or external & 0xFF:
        return 0
    data = Host.machine.read(at, length) if length else b""
    try:
        data.decode()
    except UnicodeDecodeError:
        return 0
    handle = Host.machine.malloc(64)
    STRINGS[handle] = data
    return handle


@call("_CFPreferencesCopyValue", fails="never")
def _(key, domain, user, host):
    if (STRINGS[user], STRINGS[host]) != (CONSTANTS["_kCFPreferencesCurrentUser"], CONSTANTS["_kCFPreferencesAnyHost"]):
        return 0
    if not Host.policy.allows("user-preference-read", STRINGS[domain].decode()):
        return 0
    if (STRINGS[domain], STRINGS[key]) not in world.PREFERENCES:
        return 0
    return Host.machine.malloc(64)


@call("_CFNotificationCenterGetDistributedCenter", fails="never")
def _():
    return CENTRE


@call("_CFNotificationCenterPostNotification", fails="never")
def _(centre, name, thing, info, now):
    if centre != CENTRE or name not in STRINGS:
        raise Quit(signo=signal.SIGTRAP)
    # Whoever refuses it does so without a word.
    Host.policy.allows("distributed-notification-post", STRINGS[name].decode())
    return 0


# --- POSIX names ------------------------------------------------------------------------------------------------------

SEM_FAILED = -1
#: PSHMNAMLEN and PSEMNAMLEN of xnu.
MAX_NAME = 31


def _named(kind, name):
    text = Host.machine.text(name)
    if len(text) > MAX_NAME:
        raise Refused("ENAMETOOLONG")
    folder = os.path.join(os.environ["DARWIN_DOUBLE_STATE"], kind)
    os.makedirs(folder, exist_ok=True)
    return text.decode(), os.path.join(folder, text.decode().replace("/", "%"))


O_CREAT, O_EXCL = 0x200, 0x800


def _make(kind, operation, name, flags):
    text, path = _named(kind, name)
    exists = os.path.exists(path)
    if exists and flags & (O_CREAT | O_EXCL) == (O_CREAT | O_EXCL):
        raise Refused("EEXIST")
    if not exists and not flags & O_CREAT:
        raise Refused("ENOENT")
    Host.policy.require(operation, text, filter_name="ipc-posix-name")
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


@call("_shm_open")
def _(name, flags):
    return inheritable(_make("shm", "ipc-posix-shm-write-create", name, flags), 0)


@call("_shm_unlink")
def _(name):
    text, path = _named("shm", name)
    if not os.path.exists(path):
        raise Refused("ENOENT")
    Host.policy.require("ipc-posix-shm-write-unlink", text, filter_name="ipc-posix-name")
    os.unlink(path)


@call("_sem_open")
def _(name, flags):
    # SEM_FAILED is -1, as an error is given.
    os.close(_make("sem", "ipc-posix-sem-create", name, flags))
    return Host.machine.malloc(64)


@call("_sem_unlink")
def _(name):
    text, path = _named("sem", name)
    if not os.path.exists(path):
        raise Refused("ENOENT")
    Host.policy.require("ipc-posix-sem-unlink", text, filter_name="ipc-posix-name")
    os.unlink(path)


# --- pseudo terminals -------------------------------------------------------------------------------------------------


@call("_posix_openpt")
def _(flags):
    Host.policy.require("file-read-data", "/dev/ptmx", "CHARACTER-DEVICE")
    Host.policy.require("file-write-data", "/dev/ptmx", "CHARACTER-DEVICE")
    return inheritable(os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY), 0)


@call("_grantpt")
def _(fd):
    if not os.isatty(i32(fd)):
        raise Refused("ENOTTY")
    Host.policy.require("pseudo-tty", "")


@call("_unlockpt")
def _(fd):
    if not os.isatty(i32(fd)):
        raise Refused("ENOTTY")


def data_symbols(machine):
    """Objects that the program finds by name: their addresses, or what stands there."""
    from .seatbelt import CONSTANTS as CHECKS

    machine.data |= {name: machine.new(bytes(64)) for name in OBJECTS}
    machine.data |= {name: machine.new(value.to_bytes(4, "little")) for name, value in CHECKS.items()}
    machine.data["_mach_task_self_"] = machine.new((0x103).to_bytes(4, "little"))
    machine.data["_bootstrap_port"] = machine.new((0x707).to_bytes(4, "little"))
    for name, text in CONSTANTS.items():
        handle = machine.malloc(64)
        STRINGS[handle] = text
        machine.data[name] = machine.new(handle.to_bytes(8, "little"))


FORGOTTEN_ON_EXEC = ("XPC", "CLASSES", "SERVICES", "STRINGS")
