"""libSystem and the frameworks, by topic. Importing a module puts its functions into the table."""

from . import clock, files, host, memory, metadata, processes, seatbelt, services, signals, sockets, threads  # noqa: F401
