"""The request log: JSON lines without personal data."""

import asyncio
import sys
import traceback
from collections.abc import Callable

import msgspec

from schemas.times import server_time


class RequestLog:
    """Writes one JSON line per request and per unexpected error.

    A line names the route, not the path, and neither user nor address: a request is found by its
    id. The lines of one event loop iteration are written and flushed together.

    Args:
        write: takes whole lines; None for the standard output.
    """

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write or _write_out
        self._encoder = msgspec.json.Encoder()
        self._lines: list[bytes] = []

    def line(self, **fields: object) -> None:
        """Write one line at the end of this event loop iteration."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._flush)
        self._lines += self._encoder.encode(fields), b"\n"

    def _flush(self) -> None:
        text = b"".join(self._lines).decode()
        self._lines.clear()
        self._write(text)

    def log_error(self, problem: BaseException, **fields: object) -> None:
        """Write an error's type and stack frames; its message may quote personal data."""
        trace = traceback.format_exception(problem)
        places = [line.strip().split("\n")[0] for line in trace if line.startswith("  File")]
        error = type(problem).__name__
        self.line(at=server_time(), **fields, error=error, places=places[-8:])


def _write_out(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()  # a file would be buffered by eight kilobytes
