"""WebSocket connections: a refused handshake is a problem, and clients must take what they get."""

import asyncio
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Response
from websockets.server import ServerProtocol
from websockets.typing import StatusLike

from api.closing_transport import closing, left_bytes
from api.problems import MEDIA_TYPE, kind_of_status, unread_problem

if TYPE_CHECKING:
    from asyncio.transports import BaseTransport

    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent

MAX_FRAGMENTS = 1024
"""Frames of one message. The library adds up their bytes only: empty ones would have no end."""


class ProblemProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, which reads on while its client does not.

    It answers pings, and its library refuses a handshake in plain text. Here nothing is read while
    the answers of before are not taken, and a closed connection ends although they never are.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = _Handshake(
            extensions=self.conn.available_extensions,
            max_size=self.config.ws_max_size,
            logger=self.logger,
        )
        self._left_bytes = 0  # when the last ping was sent, or its time was last extended
        self._has_resumed = False  # writing, since then

    def connection_made(self, transport: "BaseTransport") -> None:
        """Use a transport whose `close` has an end."""
        patience_s = self.config.timeout_keep_alive
        super().connection_made(
            closing(cast("asyncio.Transport", transport), self.loop, patience_s)
        )

    def eof_received(self) -> None:
        """Close, with an end: the loop itself closes what is inside the transport."""
        self.transport.close()

    def pause_writing(self) -> None:
        """Read nothing more: each ping would add its answer to those that are not taken."""
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read on, unless a message waits for the application."""
        super().resume_writing()
        self._has_resumed = True
        if not self.read_paused:
            self.transport.resume_reading()

    def send_keepalive_ping(self) -> None:
        """Send a ping, whose answer may come late while nothing is read."""
        super().send_keepalive_ping()
        self._left_bytes, self._has_resumed = left_bytes(self.transport), False

    def keepalive_timeout(self) -> None:
        """Close without an answer, unless the client takes bytes: it may not be read yet."""
        left = left_bytes(self.transport)
        is_taking = left < self._left_bytes and not self.writable.is_set()
        if (is_taking or self._has_resumed) and self.ping_timeout is not None:
            self._left_bytes, self._has_resumed = left, False
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
        else:
            super().keepalive_timeout()

    async def receive(self) -> "ASGIReceiveEvent":
        """The next message."""
        message = await super().receive()
        self._read_if_writable()
        return message

    async def send(self, message: "ASGISendEvent") -> None:
        """Send a message."""
        await super().send(message)
        self._read_if_writable()

    def handle_cont(self, event: Frame) -> None:
        """Take a fragment; a message of too many ends the connection."""
        if self.close_sent:
            return
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
            return
        self.frames = []
        self.conn.fail(
            CloseCode.MESSAGE_TOO_BIG, f"more than {MAX_FRAGMENTS} fragments of a message"
        )
        self.handle_parser_exception()

    def _read_if_writable(self) -> None:
        """Undo that uvicorn, which took a message or said farewell, reads on in any case."""
        if not self.writable.is_set():
            self.transport.pause_reading()


class _Handshake(ServerProtocol):
    def reject(self, status: StatusLike, text: str) -> Response:
        """The refusal of a handshake, with the library's reason as the detail of a problem."""
        response = super().reject(status, text)
        reason = text.partition("\n")[0]
        response.body = unread_problem(kind_of_status(response.status_code), reason)
        for name, value in (
            ("Content-Length", str(len(response.body))),
            ("Content-Type", MEDIA_TYPE),
        ):
            del response.headers[name]
            response.headers[name] = value
        return response
