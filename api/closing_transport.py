"""A transport that ends a closed connection whose client does not take the rest of its answer.

`close` of asyncio's transports waits until what was written has been taken, however long that is: a
client that stops reading would keep the connection, and up to a whole answer in memory, for ever.
"""

import asyncio
import fcntl
import sys
import termios
from collections.abc import Callable
from typing import Any, cast


class ClosingTransport:
    """A connection's transport; after `close`, some of the rest must go in each `patience_s`."""

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, patience_s: float
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._patience_s = patience_s
        self._is_waiting = False  # not `is_closing()`: loops close by themselves as well
        self._written_bytes = 0  # since `close`: who sends no more may still get an answer
        # the busiest method, without a call in between
        self.write: Callable[[bytes], None] = transport.write

    def close(self) -> None:
        """Close the connection once its client has taken what was written."""
        if not self._is_waiting and self._transport.get_write_buffer_size():
            self._is_waiting = True
            self.write = self._write_counted
            self._wait()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        """All else is the transport's."""
        return getattr(self._transport, name)

    def _write_counted(self, data: bytes) -> None:
        self._written_bytes += len(data)
        self._transport.write(data)

    def _taken_bytes(self) -> int:
        return self._written_bytes - left_bytes(self._transport)

    def _wait(self) -> None:
        self._loop.call_later(self._patience_s, self._check_progress, self._taken_bytes())

    def _check_progress(self, taken_before: int) -> None:
        if not self._transport.get_write_buffer_size():
            return  # the system has the rest, and the connection is closed
        if self._taken_bytes() > taken_before:
            self._wait()
        else:
            self._transport.abort()


def left_bytes(transport: asyncio.Transport) -> int:
    """Bytes that the other side has not taken yet; 0 where none of them waits in this process.

    Those in the system's send buffer count, on Linux. It has megabytes on a fast network, and
    takes more only once a third of it is free: a slow reader's progress is seen in it alone.
    """
    waiting_bytes = transport.get_write_buffer_size()
    return waiting_bytes + _sent_bytes(transport) if waiting_bytes else 0


def _sent_bytes(transport: asyncio.Transport) -> int:
    """Bytes in the system's send buffer; 0 where it does not say."""
    try:
        line = transport.get_extra_info("socket")
        answer = fcntl.ioctl(line.fileno(), termios.TIOCOUTQ, bytes(4))  # SIOCOUTQ of sockets
    except (AttributeError, OSError, ValueError):
        return 0
    return int.from_bytes(answer, sys.byteorder)


def closing(
    transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, patience_s: float
) -> asyncio.Transport:
    """The transport, wrapped once: a connection that becomes a WebSocket's already is."""
    if isinstance(transport, ClosingTransport):
        return transport
    return cast("asyncio.Transport", ClosingTransport(transport, loop, patience_s))
