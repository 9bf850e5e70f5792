"""Asks the server (`server`) to start a program, and waits for its end as `subprocess.Popen` would. Needs no emulator."""

import json
import os
import selectors
import socket
import subprocess
import time

#: What the server says if it cannot: the program is another one than it has loaded.
OTHER_IMAGE = {"other image": True}


class Started:
    """A program of the double: a child of the server."""

    def __init__(self, connection, pid, pipes):
        self._connection, self.pid, self._pipes = connection, pid, pipes
        self.returncode = None
        self._read = {name: b"" for name in pipes}

    def poll(self):
        return self._end(0)

    def wait(self, timeout=None):
        code = self._end(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return code

    def kill(self):
        if self.poll() is None:
            os.kill(self.pid, 9)

    def _end(self, timeout):
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                answer = self._connection.recv(4096)
            except (BlockingIOError, TimeoutError):
                return None
            if not answer:
                raise RuntimeError("the double's server is gone")
            self.returncode = json.loads(answer)["code"]
            self._connection.close()
        return self.returncode

    def communicate(self, timeout=None):
        """Standard output and standard error to their ends, and the end of the program."""
        until = None if timeout is None else time.monotonic() + timeout

        def left():
            return None if until is None else max(0.0, until - time.monotonic())

        with selectors.DefaultSelector() as selector:
            for name, fd in self._pipes.items():
                selector.register(fd, selectors.EVENT_READ, name)
            while selector.get_map():
                ready = selector.select(left())
                if not ready and until is not None and time.monotonic() >= until:
                    raise subprocess.TimeoutExpired(str(self.pid), timeout)
                for key, _ in ready:
                    data = os.read(key.fd, 1 << 16)
                    self._read[key.data] += data
                    if not data:
                        selector.unregister(key.fd)
                        os.close(self._pipes.pop(key.data))
        self.wait(left())
        return self._read.get("stdout"), self._read.get("stderr")


def start(server, argv, environment, cwd, stdin=None, stdout=None, stderr=None, start_new_session=False, group=False, umask=None):
    """Starts it with these streams, as `subprocess.Popen` takes them; `None` if it is another program than the server's."""
    pipes, given, own = {}, [], []
    for number, (name, value) in enumerate((("stdin", stdin), ("stdout", stdout), ("stderr", stderr))):
        if value == subprocess.PIPE:
            reading, writing = os.pipe()
            pipes[name] = reading
            value = writing
            own.append(writing)
        elif value == subprocess.DEVNULL:
            value = os.open("/dev/null", os.O_RDWR)
            own.append(value)
        given.append(number if value is None else value if isinstance(value, int) else value.fileno())
    asked = {"argv": list(argv), "environment": environment, "cwd": str(cwd), "session": start_new_session, "group": group,
             "umask": umask}  # fmt: skip
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(server)
    socket.send_fds(connection, [json.dumps(asked).encode()], given)
    for fd in own:
        os.close(fd)
    answer = json.loads(connection.recv(4096) or b"{}")
    if answer == OTHER_IMAGE:
        for fd in pipes.values():
            os.close(fd)
        connection.close()
        return None
    if "pid" not in answer:
        raise RuntimeError("the double's server is gone")
    return Started(connection, answer["pid"], pipes)
