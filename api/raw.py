"""Routes that take the bare request: documented like the others, without their machinery.

Measured: an ordinary route with dependencies spends more on one chunk than its hash, its codec and
its write together.
"""

from collections.abc import Sequence

from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

HEADS = "muvr.heads"
"""Key in a request's scope of its headers by name; of several with one name the last."""


class RawRoute(APIRoute):
    """A route whose endpoint is `async (request) -> Response` and is called as it stands."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the endpoint; errors go to the application's handlers."""
        if scope["method"] not in self.methods:
            await super().handle(scope, receive, send)
            return
        response = await self.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


class Shortcut:
    """Serves the busiest raw routes before any other layer looks at the request.

    Errors rise to `api.gate`, which answers them like everywhere else. Measured: the layers and
    the search for the route are 40 % of what a chunk costs this process.
    """

    def __init__(self, app: ASGIApp, *, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = [route for route in routes if isinstance(route, RawRoute)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request here, or pass it on."""
        if scope["type"] == "http":
            for route in self._routes:
                found = route.path_regex.match(scope["path"])
                if found and scope["method"] in route.methods:
                    scope.update(path_params=found.groupdict(), route=route)
                    await route.handle(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def header_of(request: Request, name: bytes) -> str:
    """The value of a header, "" where there is none.

    Starlette's way looks through all headers at each question.
    """
    return request.scope[HEADS].get(name, b"").decode("latin-1")


async def body_of(request: Request) -> bytes:
    """The whole body of a request that nobody else reads.

    Raises:
        ClientDisconnect: the client went away before its end.
    """
    parts: list[bytes] = []
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)
