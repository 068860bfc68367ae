"""The pid file of the service: locked by its process as long as that lives.

The kernel releases the lock when the process ends. So the file is right after kill -9, after a
reboot and with reused process ids, and a second start can neither take nor remove it.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from schemas.errors import AlreadyServing
from store.file_lock import lock_soon, try_lock

PID_FILE = "service.pid"
"""Of the file, under `paths.run`."""


@contextmanager
def held_pid_file(path: Path) -> Generator[None]:
    """Hold the file with this process's id while the block runs; it is removed at its end.

    Raises:
        AlreadyServing: another process holds it.
    """
    with _locked(path) as file:
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def serving_pid(path: Path) -> int | None:
    """The process that holds the file; None if none does."""
    try:
        with path.open("rb") as file:
            return None if try_lock(file, shared=True) else int(file.read())
    except (OSError, ValueError):  # there is none, or it is just being written
        return None


def _locked(path: Path) -> IO[bytes]:
    if file := lock_soon(path):
        return file
    raise AlreadyServing(
        f"The service of {path.parent} runs already (process {serving_pid(path)}). Stop it with "
        "`muvr down`, or set paths.run to another folder."
    )
