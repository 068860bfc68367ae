"""Advisory locks on files: the kernel releases them when the last process that holds one ends."""

import fcntl
import os
import time
from pathlib import Path
from typing import IO

_TRIES = 20  # a status check holds a lock for a moment
_PAUSE_S = 0.05


def try_lock(file: IO[bytes], *, shared: bool = False) -> bool:
    """Lock an open file without waiting; False while another process holds it.

    Args:
        file: the lock lasts until it is closed, here and in each process that it was passed to.
        shared: beside other shared locks.
    """
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_soon(path: Path) -> IO[bytes] | None:
    """The file at a path, created and locked; None if another process holds it for a second."""
    for _ in range(_TRIES):
        file = path.open("ab")
        # The file may have been removed since it was opened, by the process that held it.
        if try_lock(file) and _is_at(path, file):
            return file
        file.close()
        time.sleep(_PAUSE_S)
    return None


def _is_at(path: Path, file: IO[bytes]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
