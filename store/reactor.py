"""Runs the driver's connections inside the service's own event loop.

The driver's own reactors run in a thread of their own. A service that spends its time in one event
loop then pays twice for each request: for a wake-up in each direction, and for the interpreter's
lock, which changes hands at every call that releases it (hashing, compressing, any system call).
Here the same loop sends and reads, and all requests of one loop iteration leave in one system call.
Figures: `docs/decisions/0008-driver-in-the-event-loop.md`.
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


class LoopThread(NamedTuple):
    """A running event loop and its thread."""

    loop: asyncio.AbstractEventLoop
    thread_id: int

    @classmethod
    def current(cls) -> "LoopThread":
        """The loop that is running now."""
        return cls(asyncio.get_running_loop(), threading.get_ident())

    def is_current(self) -> bool:
        """Whether this is the loop's thread."""
        return threading.get_ident() == self.thread_id

    def call_soon(self, what: Callable[[], object]) -> None:
        """Schedule a call in the loop; from any thread."""
        if self.is_current():
            self.loop.call_soon(what)
        else:
            self.loop.call_soon_threadsafe(what)


class LoopConnection(Connection):
    """One connection; a subclass made by `connection_class_for` fixes its loop.

    The driver may call from any thread, and may wait there for an answer; in the loop's own thread
    it must never wait.
    """

    loop_thread: ClassVar[LoopThread]
    lock: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unsent: deque[bytes] = deque()
        self._flush_scheduled = False
        self._blocked = False
        self._connect_socket()
        self._nonblocking_socket = cast("socket.socket", self._socket)  # may be an SSL socket
        self._nonblocking_socket.setblocking(False)
        self.loop_thread.call_soon(self._watch)
        self._send_options_message()

    @classmethod
    def create_timer(cls, timeout: float, callback: Callable[[], object]) -> "Timer":
        """A timer of the loop, for the driver's time-outs."""
        return Timer(cls.loop_thread, timeout, callback)

    def push(self, data: bytes) -> None:
        """Send later in this loop iteration, together with whatever else was pushed."""
        self._unsent.append(data)
        # Cleared before the queue is emptied, so nothing stays behind.
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self.loop_thread.call_soon(self._flush)

    def close(self) -> None:
        """Close, and fail all pending requests."""
        with self.lock:
            if self.is_closed:
                return
            self.is_closed = True
        try:
            self.loop_thread.call_soon(self._unwatch)
        except RuntimeError:  # the loop has ended: the socket is no longer watched
            self._nonblocking_socket.close()
        if not self.is_defunct:
            self.error_all_requests(ConnectionShutdown(f"Connection to {self.endpoint} was closed"))
            self.connected_event.set()

    def _watch(self) -> None:
        if not self.is_closed:
            self.loop_thread.loop.add_reader(self._nonblocking_socket.fileno(), self._read)

    def _unwatch(self) -> None:
        number = self._nonblocking_socket.fileno()
        if number >= 0:
            self.loop_thread.loop.remove_reader(number)
            self.loop_thread.loop.remove_writer(number)
        self._nonblocking_socket.close()

    def _read(self) -> None:
        """Read everything that has arrived."""
        if self.is_closed:
            return
        taken, ended = cast("BytesIO", self._iobuf), False
        try:
            while True:
                data = self._nonblocking_socket.recv(_READ_BYTES)
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
        """Send what was pushed, as far as the socket takes it."""
        self._flush_scheduled = False
        if self._blocked or self.is_closed:
            return
        while self._unsent:
            data = self._take_unsent()
            try:
                sent = self._nonblocking_socket.send(data)
            except _WOULD_BLOCK:
                sent = 0
            except OSError as problem:
                self.defunct(problem)
                return
            if sent < len(data):
                self._unsent.appendleft(data[sent:])
                self._blocked = True
                self.loop_thread.loop.add_writer(self._nonblocking_socket.fileno(), self._writable)
                return

    def _take_unsent(self) -> bytes:
        parts: list[bytes] = []
        while self._unsent:
            parts.append(self._unsent.popleft())
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _writable(self) -> None:
        self._blocked = False
        if not self.is_closed:
            self.loop_thread.loop.remove_writer(self._nonblocking_socket.fileno())
            self._flush()


class Timer:
    """One time-out; may be created and cancelled from any thread."""

    __slots__ = ("_cancelled", "_handle", "_loop_thread")

    def __init__(
        self, loop_thread: LoopThread, timeout_s: float, callback: Callable[[], object]
    ) -> None:
        self._loop_thread = loop_thread
        self._cancelled = False
        self._handle: asyncio.TimerHandle | None = None
        if loop_thread.is_current():
            self._handle = loop_thread.loop.call_later(timeout_s, callback)
        else:
            loop_thread.loop.call_soon_threadsafe(self._begin, timeout_s, callback)

    def cancel(self) -> None:
        """Cancel: the answer arrived in time."""
        self._cancelled = True
        if self._loop_thread.is_current():
            self._stop()
        else:
            self._loop_thread.loop.call_soon_threadsafe(self._stop)

    def _begin(self, timeout_s: float, callback: Callable[[], object]) -> None:
        if not self._cancelled:
            self._handle = self._loop_thread.loop.call_later(timeout_s, callback)

    def _stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()


def connection_class_for(loop_thread: LoopThread) -> type[LoopConnection]:
    """The connection class for one running loop."""
    return type("ConnectionHere", (LoopConnection,), {"loop_thread": loop_thread})
