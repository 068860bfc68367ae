"""One ASGI request, with what the service sends back."""

import asyncio
import json
from typing import Any

from starlette.types import Message

from api.request_middleware import RequestMiddleware

LONG_S = 30.0
SCOPE: dict[str, Any] = {"type": "http", "method": "PUT", "path": "/", "query_string": b""}


class Line:
    """A client whose body arrives or not; the response is recorded."""

    def __init__(self, *, sends: bool = True) -> None:
        self.sends = sends
        self.answer: list[Message] = []

    async def receive(self) -> Message:
        if not self.sends:
            await asyncio.sleep(LONG_S)
        return {"type": "http.request", "body": b"x", "more_body": False}

    async def send(self, message: Message) -> None:
        self.answer.append(message)

    @property
    def status(self) -> int:
        return self.answer[0]["status"]

    @property
    def problem(self) -> str:
        return json.loads(self.answer[1]["body"])["type"].rpartition(":")[2]


async def ask(middleware: RequestMiddleware, line: Line) -> None:
    head = [(b"content-length", b"1")]
    await middleware({**SCOPE, "headers": head}, line.receive, line.send)
