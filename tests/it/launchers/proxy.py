"""Starts a program in a network of its own, whose only way out is an HTTP proxy that its environment names.

usage: proxy.py yes|no PROGRAM [ARGUMENT ...]

`no`: the proxy refuses every connection.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
import threading

NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000
# SIOCSIFFLAGS and IFF_UP of netdevice(7).
SET_FLAGS, UP = 0x8914, 1


def relay(one, other):
    while data := one.recv(4096):
        other.sendall(data)
    other.shutdown(socket.SHUT_WR)


def serve(client, allows):
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += client.recv(1)
    host, port = request.split()[1].decode().rsplit(":", 1)
    try:
        if not allows:
            raise OSError
        server = socket.create_connection((host, int(port)), timeout=2)
    except OSError:
        client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        client.close()
        return
    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    threading.Thread(target=relay, args=(server, client), daemon=True).start()
    relay(client, server)


def main():
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        flags = NEW_NETWORK if os.geteuid() == 0 else NEW_USER | NEW_NETWORK
        if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
            sys.exit("no network of its own")
        # By this process itself: a program that it executes has no capabilities unless it is root.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, SET_FLAGS, struct.pack("16sH22x", b"lo", UP))
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        socket.send_fds(theirs, [b"x"], [listener.fileno()])
        os.environ["http_proxy"] = f"http://localhost:{port}"
        os.execvp(sys.argv[2], sys.argv[2:])
    theirs.close()
    _, handed, _, _ = socket.recv_fds(ours, 1, 1)
    if handed:
        listener = socket.socket(fileno=handed[0])

        def accept():
            while True:
                client, _ = listener.accept()
                threading.Thread(target=serve, args=(client, sys.argv[1] == "yes"), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


main()
