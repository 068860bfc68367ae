"""Files of metrics that all workers add up: each has its place on the disk before it is mapped.

In memory that is mapped to a file without its place, the first write to a full disk ends the
process (SIGBUS), and then each one that replaces it.
"""

import logging
import os
import time
from pathlib import Path

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

FIRST_BYTES = 1 << 16  # of a new file; as large as prometheus_client makes it
ENTRY_BYTES = 4 + 8 + 16  # of a series besides its name: its length, padding, value and time
AGAIN_AFTER_S = 10.0
_LOG = logging.getLogger(__name__)


def reserve_metric_files() -> None:
    """Let prometheus_client reserve the files of this process that it makes from now on."""
    values.MmapedDict = ReservedDict


class ReservedDict(MmapedDict):
    """Values of a worker's series by name, in a file with its place on the disk.

    A series for which there is no place is not in the file, and so not in `/metrics`. Its worker
    counts on in memory, and writes it when there is place again.

    Args:
        filename: of the file; it is made with the first series.
    """

    def __init__(self, filename: str) -> None:
        self._fname = filename
        self._made = False
        self._positions: dict[str, int] = {}
        self._used = self._capacity = 0
        self._tried_at_s = -AGAIN_AFTER_S
        self._said = False

    def read_value(self, key: str) -> tuple[float, float]:
        """The value of a series and its time; zeros where it is new."""
        return super().read_value(key) if self._has_place(key) else (0.0, 0.0)

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Write a series, if there is place."""
        if self._has_place(key):
            super().write_value(key, value, timestamp)

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._made:
            super().close()

    def _has_place(self, key: str) -> bool:
        if key in self._positions:
            return True
        needed = self._used + ENTRY_BYTES + len(key.encode())
        return needed <= self._capacity or self._grow()

    def _grow(self) -> bool:
        """Reserve more place; where the disk has none, this is tried again some seconds later."""
        now_s = time.monotonic()
        if now_s - self._tried_at_s < AGAIN_AFTER_S:
            return False
        try:
            if self._made:
                _reserve(Path(self._fname), 2 * self._capacity)  # mapped with the next series
            else:
                _make(Path(self._fname))
                super().__init__(self._fname)
                self._made = True
        except OSError as problem:
            self._tried_at_s = now_s
            if not self._made:  # it may have got as far as a file that is not mapped
                self._used = self._capacity = 0
            self._say(problem)
            return False
        return True

    def _say(self, problem: OSError) -> None:
        if not self._said:
            self._said = True
            _LOG.warning(
                "No place for metrics in %s (%s): new series are not in /metrics until there is "
                "some. Free some space, or set paths.run to a folder on another disk.",
                self._fname,
                problem.strerror,
            )


def _make(path: Path) -> None:
    """Make a file, which appears when it has its place: /metrics reads whatever is there.

    One that is there is of an ended process with this one's id; its counts go on.

    Raises:
        OSError: it cannot be made; nothing is left of it.
    """
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.draft")
    try:
        _reserve(draft, FIRST_BYTES)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _reserve(path: Path, size: int) -> None:
    # a handle of its own: where the system has to write the blocks itself, it must not append
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        os.posix_fallocate(file, 0, size)
    finally:
        os.close(file)
