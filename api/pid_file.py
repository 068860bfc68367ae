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
    pid, is_held = _read(path)
    return pid if is_held else None


def unheld_pid(path: Path) -> int | None:
    """The process that a file names which nobody holds; None if the file is held, or names none.

    That process has ended, as after kill -9 and a reboot, and its id may be another's by now. Or it
    is a service of an earlier release, which wrote its id without holding the file.
    """
    pid, is_held = _read(path)
    return None if is_held else pid


def _read(path: Path) -> tuple[int | None, bool]:
    """The process that a file names, None if it names none, and whether the file is held."""
    is_held = False
    try:
        with path.open("rb") as file:
            is_held = not try_lock(file, shared=True)
            return int(file.read()), is_held
    except (OSError, ValueError):  # there is none, or it is just being written
        return None, is_held


def _locked(path: Path) -> IO[bytes]:
    if file := lock_soon(path):
        return file
    raise AlreadyServing(
        f"The service of {path.parent} runs already (process {serving_pid(path)}). Stop it with "
        "`muvr down`, or set paths.run to another folder."
    )
