"""Headers of a request that the middleware reads, and those that it adds to the response."""

import asyncio

import pytest
from starlette.types import Receive, Scope, Send

from api.app import forwarded
from api.metrics import Metrics
from api.request_middleware import RequestMiddleware
from schemas.config import Config
from tests.api.asgi_line import SCOPE, Line, ask


@pytest.mark.parametrize(
    ("reads", "status", "closes"),
    [(False, 400, True), (True, 400, False), (False, 399, False)],
    ids=["an error, unread", "an error", "no error"],
)
def test_the_connection_is_closed_if_an_error_leaves_the_body_unread(
    *, reads: bool, status: int, closes: bool
):
    async def app(scope: Scope, receive: Receive, send: Send) -> None:  # the ASGI signature
        if reads:
            await receive()
        await send({"type": "http.response.start", "status": status, "headers": []})

    line = Line()
    asyncio.run(ask(RequestMiddleware(app, config=Config(), metrics=Metrics(), log=None), line))
    headers = dict(line.answer[0]["headers"])
    assert headers.get(b"connection") == (b"close" if closes else None)
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert len(headers[b"x-request-id"]) == 20


@pytest.mark.parametrize(
    ("peer", "seen"), [("127.0.0.1", "203.0.113.7"), ("192.0.2.1", "192.0.2.1")]
)
def test_x_forwarded_for_is_trusted_only_from_loopback(peer: str, seen: str):
    clients: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:  # the ASGI signature
        clients.append(scope["client"][0])

    headers = [(b"x-forwarded-for", b"203.0.113.7")]
    scope = {**SCOPE, "client": (peer, 1), "headers": headers, "scheme": "http"}
    asyncio.run(forwarded(app)(scope, Line().receive, Line().send))
    assert clients == [seen]
