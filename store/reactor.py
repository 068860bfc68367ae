"""The driver's connections inside the service's own event loop.

The driver's own reactors run in a thread of their own. A service that spends its time in one event
loop then pays twice for each request: for a wake-up in each direction, and for the interpreter's
lock, which is passed to and fro at every call that releases it (hashing, compressing, any system
call). Here the loop that asks is the loop that reads, and all that is asked within one turn of it
leaves in one system call. Figures: `docs/decisions/0008-one-loop.md`.
"""

import asyncio
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from io import BytesIO
from typing import Any, ClassVar, NamedTuple, cast

from cassandra.connection import Connection, ConnectionShutdown

_READ_BYTES = 1 << 18
_WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Home(NamedTuple):
    """A running event loop and its thread."""

    loop: asyncio.AbstractEventLoop
    thread_id: int

    @classmethod
    def here(cls) -> "Home":
        """The loop that runs now."""
        return cls(asyncio.get_running_loop(), threading.get_ident())

    def is_here(self) -> bool:
        """Whether this is the loop's thread."""
        return threading.get_ident() == self.thread_id

    def call(self, what: Callable[[], object]) -> None:
        """Call in the loop soon, asked from any thread."""
        if self.is_here():
            self.loop.call_soon(what)
        else:
            self.loop.call_soon_threadsafe(what)


class LoopConnection(Connection):
    """One connection; a subclass made by `connections_in` says in which loop.

    The driver may call from any thread, and may wait there for an answer; in the loop's own thread
    it must never wait.
    """

    home: ClassVar[Home]
    lock: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unsent: deque[bytes] = deque()
        self._leaving = False
        self._blocked = False
        self._connect_socket()
        self._wire = cast("socket.socket", self._socket)  # an SSL socket where there is TLS
        self._wire.setblocking(False)
        self.home.call(self._watch)
        self._send_options_message()

    @classmethod
    def create_timer(cls, timeout: float, callback: Callable[[], object]) -> "Timer":
        """The driver's time-outs as timers of the loop."""
        return Timer(cls.home, timeout, callback)

    def push(self, data: bytes) -> None:
        """Send later in this turn of the loop, together with what else was pushed."""
        self._unsent.append(data)
        if not self._leaving:  # cleared before the queue is emptied, so nothing stays behind
            self._leaving = True
            self.home.call(self._flush)

    def close(self) -> None:
        """Close, and tell those who wait."""
        with self.lock:
            if self.is_closed:
                return
            self.is_closed = True
        try:
            self.home.call(self._unwatch)
        except RuntimeError:  # the loop has ended: nobody watches any more
            self._wire.close()
        if not self.is_defunct:
            self.error_all_requests(ConnectionShutdown(f"Connection to {self.endpoint} was closed"))
            self.connected_event.set()

    def _watch(self) -> None:
        if not self.is_closed:
            self.home.loop.add_reader(self._wire.fileno(), self._read)

    def _unwatch(self) -> None:
        number = self._wire.fileno()
        if number >= 0:
            self.home.loop.remove_reader(number)
            self.home.loop.remove_writer(number)
        self._wire.close()

    def _read(self) -> None:
        """Take all that has come."""
        if self.is_closed:
            return
        taken, ended = cast("BytesIO", self._iobuf), False
        try:
            while True:
                data = self._wire.recv(_READ_BYTES)
                taken.write(data)
                ended = not data
                if ended or (len(data) < _READ_BYTES and not self.ssl_context):
                    break
        except _WOULD_BLOCK:
            pass
        except OSError as problem:
            self.defunct(problem)
            return
        if taken.tell():
            self.process_io_buffer()
        if ended:
            self.close()

    def _flush(self) -> None:
        """Send what has gathered, as far as the socket takes it."""
        self._leaving = False
        if self._blocked or self.is_closed:
            return
        while self._unsent:
            data = self._gathered()
            try:
                sent = self._wire.send(data)
            except _WOULD_BLOCK:
                sent = 0
            except OSError as problem:
                self.defunct(problem)
                return
            if sent < len(data):
                self._unsent.appendleft(data[sent:])
                self._blocked = True
                self.home.loop.add_writer(self._wire.fileno(), self._writable)
                return

    def _gathered(self) -> bytes:
        parts: list[bytes] = []
        while self._unsent:
            parts.append(self._unsent.popleft())
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _writable(self) -> None:
        self._blocked = False
        if not self.is_closed:
            self.home.loop.remove_writer(self._wire.fileno())
            self._flush()


class Timer:
    """One time-out; made and cancelled in any thread."""

    __slots__ = ("_cancelled", "_handle", "_home")

    def __init__(self, home: Home, timeout_s: float, callback: Callable[[], object]) -> None:
        self._home = home
        self._cancelled = False
        self._handle: asyncio.TimerHandle | None = None
        if home.is_here():
            self._handle = home.loop.call_later(timeout_s, callback)
        else:
            home.loop.call_soon_threadsafe(self._begin, timeout_s, callback)

    def cancel(self) -> None:
        """The answer came."""
        self._cancelled = True
        if self._home.is_here():
            self._stop()
        else:
            self._home.loop.call_soon_threadsafe(self._stop)

    def _begin(self, timeout_s: float, callback: Callable[[], object]) -> None:
        if not self._cancelled:
            self._handle = self._home.loop.call_later(timeout_s, callback)

    def _stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()


def connections_in(home: Home) -> type[LoopConnection]:
    """The class of connections that live in a running loop."""
    return type("ConnectionHere", (LoopConnection,), {"home": home})
