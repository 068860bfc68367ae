"""A transport that ends a closed connection whose client does not take the rest of its answer.

`close` of asyncio's transports waits until what was written has been taken, however long that is: a
client that stops reading would keep the connection, and up to a whole answer in memory, for ever.
"""

import asyncio
from typing import Any, cast


class ClosingTransport:
    """A connection's transport; after `close`, the rest must get shorter in each `patience_s`."""

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, patience_s: float
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._patience_s = patience_s
        self.write = transport.write  # the busiest method, without a call in between

    def close(self) -> None:
        """Close the connection once its client has taken what was written."""
        if not self._transport.is_closing():
            self._wait()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        """All else is the transport's."""
        return getattr(self._transport, name)

    def _wait(self) -> None:
        if left_bytes := self._transport.get_write_buffer_size():
            self._loop.call_later(self._patience_s, self._check_progress, left_bytes)

    def _check_progress(self, left_before: int) -> None:
        if self._transport.get_write_buffer_size() < left_before:
            self._wait()
        else:
            self._transport.abort()


def closing(
    transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, patience_s: float
) -> asyncio.Transport:
    """The transport, wrapped once: a connection that becomes a WebSocket's already is."""
    if isinstance(transport, ClosingTransport):
        return transport
    return cast("asyncio.Transport", ClosingTransport(transport, loop, patience_s))
