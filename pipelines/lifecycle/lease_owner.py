"""Who holds a lease: the name of a process, from which others can tell that it has ended."""

import os
import socket
from pathlib import Path

PROC = Path("/proc")
ENDED = frozenset("ZX")  # states of a process of which only the number is left


def owner_of(pid: int) -> str:
    """A running process's name, "host:pid:start:place".

    The start, in ticks since the boot, tells apart two processes that got one number. The place is
    the boot and the space of process numbers: of two containers or machines of one host name,
    neither may judge the other's processes. Both are "" where there is no /proc.
    """
    start = _running_since(pid) or ""
    return f"{socket.gethostname()}:{pid}:{start}:{_place() if start else ''}"


def has_ended(owner: str) -> bool:
    """Whether a process of here has this name and runs no more; False where it cannot be told.

    >>> from os import getpid
    >>> has_ended(owner_of(getpid())), has_ended("another host")
    (False, False)
    """
    host, _, rest = owner.partition(":")
    pid, _, rest = rest.partition(":")
    start, _, place = rest.partition(":")
    if not place or (host, place) != (socket.gethostname(), _place()):
        return False
    try:
        os.kill(int(pid), 0)  # asks only; /proc may hide the processes of other users
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return _running_since(int(pid)) not in (start, None)


def _running_since(pid: int) -> str | None:
    """When a process began; "" where it has ended but is not waited for, None if unknown."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()  # the name before may contain anything
    return "" if state in ENDED else fields[18]


def _place() -> str:
    """The boot of this machine and the space of its process numbers; "" where it is not known."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return ""
