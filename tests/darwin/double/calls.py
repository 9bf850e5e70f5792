"""The table of functions that stand for a library's, and how each of them says that it failed.

A handler gets the integer registers that it names as parameters and returns what belongs in x0. An `OSError` of this
host becomes Darwin's number for the same name; `Refused` is a number of Darwin's own.
"""

import errno as host_errno

from .machine import MASK

TABLE = {}

#: How a function says that it failed: -1 and errno, a null pointer and errno, the number itself, or not at all.
MINUS_ONE, NULL, NUMBER, NEVER = "minus one", "null", "number", "never"

#: sys/errno.h of the SDK, in order from 1.
DARWIN_ERRNO = (
    "EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EDEADLK ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV "
    "ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EAGAIN "
    "EINPROGRESS EALREADY ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT ENOTSUP "
    "EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS "
    "EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED ELOOP ENAMETOOLONG EHOSTDOWN EHOSTUNREACH ENOTEMPTY "
    "EPROCLIM EUSERS EDQUOT ESTALE EREMOTE EBADRPC ERPCMISMATCH EPROGUNAVAIL EPROGMISMATCH EPROCUNAVAIL ENOLCK ENOSYS "
    "EFTYPE EAUTH ENEEDAUTH EPWROFF EDEVERR EOVERFLOW EBADEXEC EBADARCH ESHLIBVERS EBADMACHO ECANCELED EIDRM ENOMSG EILSEQ "
    "ENOATTR EBADMSG EMULTIHOP ENODATA ENOLINK ENOSR ENOSTR EPROTO ETIME EOPNOTSUPP ENOPOLICY ENOTRECOVERABLE EOWNERDEAD "
    "EQFULL"
).split()
NUMBER_OF = {name: n for n, name in enumerate(DARWIN_ERRNO, 1)}
#: Names that this host has for the same things.
NUMBER_OF |= {"EWOULDBLOCK": NUMBER_OF["EAGAIN"], "EDEADLOCK": NUMBER_OF["EDEADLK"]}
globals().update(NUMBER_OF)


class Refused(Exception):
    """An error number of Darwin."""

    def __init__(self, number):
        super().__init__(number)
        self.number = NUMBER_OF[number] if isinstance(number, str) else number


def darwin_number(error):
    """Darwin's number for an error of this host."""
    name = host_errno.errorcode.get(error.errno, "EINVAL")
    # Where this host has no attribute, it says that there is no data.
    return NUMBER_OF.get({"ENODATA": "ENOATTR", "EOPNOTSUPP": "ENOTSUP"}.get(name, name), NUMBER_OF["EINVAL"])


class Host:
    """What handlers work with; set once, before anything runs."""

    machine = tree = policy = faults = world = process = None


def call(*names, fails=MINUS_ONE):
    """Declares a handler under its symbols."""

    def declare(function):
        for name in names:
            TABLE[name] = _guarded(name, function, fails)
        return function

    return declare


def failed(fails, number):
    """What a function returns that fails with this number."""
    if fails == NUMBER:
        return number
    Host.machine.set_errno(number)
    return 0 if fails == NULL else MASK


def _guarded(name, function, fails):
    arity = function.__code__.co_argcount

    def handler(*arguments):
        fault = Host.faults.of(name) if Host.faults.active else None
        if fault is not None:
            number = fault.number()
            if number is not None and fails != NEVER:
                return failed(fails, number)
        try:
            result = function(*arguments)
            return 0 if result is None and fails in (MINUS_ONE, NUMBER) else result
        except Refused as refused:
            return failed(fails, refused.number)
        except OSError as error:
            return failed(fails, darwin_number(error))

    handler.arity, handler.fails = arity, fails
    return handler


def plain(*names, value=0):
    """Functions that have nothing to do here, and say that it is done."""
    for name in names:

        def nothing():
            return value

        TABLE[name] = _guarded(name, nothing, NEVER)


def stops(reason, *names):
    """Functions that crates name and nothing of this program calls. A call ends the run and names the function."""
    for name in names:

        def stop(name=name):
            raise RuntimeError(f"{name} was called, and is not in the double: {reason}")

        stop.arity, stop.fails = 0, NEVER
        TABLE[name] = stop
