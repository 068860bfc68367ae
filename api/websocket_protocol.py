"""Answers an invalid WebSocket handshake with a problem, like any other error."""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Response
from websockets.server import ServerProtocol
from websockets.typing import StatusLike

from api.problems import MEDIA_TYPE, kind_of_status, unread_problem


class ProblemProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, whose library refuses a handshake in plain text."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = _Handshake(
            extensions=self.conn.available_extensions,
            max_size=self.config.ws_max_size,
            logger=self.logger,
        )


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
