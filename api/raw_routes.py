"""Routes that take the raw request: documented like the others, without FastAPI's overhead.

Measured: an ordinary route with dependencies spends more time on a chunk than hashing, decoding and
writing it together.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from uuid import UUID

from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import shown_text
from api.request_head import header_of
from ingest.bodies import decode_body
from schemas.config import Limits
from schemas.errors import BadEvent
from schemas.wire import SEQ_MAX

MAX_UUID_CHARS = 45  # with dashes, and `urn:uuid:` before it


class RawRoute(APIRoute):
    """A route whose endpoint is `async (request) -> Response` and is called directly."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the endpoint; errors go to the application's handlers."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        response = await self.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


class Shortcut:
    """Serves the busiest raw routes before any other layer sees the request.

    Errors propagate to `RequestMiddleware`, which answers them as usual. Measured: the other layers
    and the search for the route are 40 % of the time that this process spends on a chunk.
    """

    def __init__(self, app: ASGIApp, *, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = [route for route in routes if isinstance(route, RawRoute)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request here, or pass it on."""
        if scope["type"] == "http":
            for route in self._routes:
                match = route.path_regex.match(scope["path"])
                if match and scope["method"] in (route.methods or ()):
                    scope.update(path_params=match.groupdict(), route=route)
                    await route.handle(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def parameter(
    name: str, schema: Mapping[str, object], where: str = "path", description: str = ""
) -> dict[str, object]:
    """The OpenAPI object of a parameter, which a raw route has to write itself.

    Only those of the path are required.
    """
    about = {"description": description} if description else {}
    return {"name": name, "in": where, "required": where == "path", "schema": schema, **about}


ENCODING = parameter(
    "Content-Encoding", {"type": "string", "enum": ["zstd", "gzip", "identity"]}, "header"
)
"""Of the routes whose bodies may be compressed: those that take samples."""


async def body_of(request: Request, limits: Limits) -> bytes:
    """The whole body of a request that no other layer reads, without its encoding.

    Raises:
        ClientDisconnect: the client went away before its end.
        UnsupportedMedia, TooLarge, BadChunk: see `ingest.bodies.decode_body`.
    """
    parts: list[bytes] = []
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return decode_body(b"".join(parts), header_of(request, b"content-encoding"), limits)


def session_id_of(text: str) -> UUID:
    """The session in a path.

    Raises:
        BadEvent: it is no UUID.
    """
    try:
        if len(text) > MAX_UUID_CHARS:  # `UUID` skips any number of dashes
            raise ValueError("too long")
        return _uuid_of(text)
    except ValueError as problem:
        shown = shown_text(text)
        raise BadEvent(f"session {shown!r} is no UUID", field="session", value=shown) from problem


@lru_cache(4096)
def _uuid_of(text: str) -> UUID:
    return UUID(text)


def chunk_number(text: str) -> int:
    """The chunk number in a path.

    Raises:
        BadEvent: it is no number, or one out of range.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise BadEvent(
            f"seq {text!r} must be an integer from 0 to {SEQ_MAX}", field="seq", value=text
        )
    return int(text)
