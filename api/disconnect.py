"""Cancels work for one client when that client disconnects."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")


async def cancel_on_disconnect(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await work, and cancel it as soon as the client of the request disconnects.

    Raises:
        ClientDisconnect: the client went away.
    """
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(request))
    leaving.add_done_callback(lambda _: working.cancel())
    try:
        return await working
    except asyncio.CancelledError:
        if not leaving.done():  # cancelled by something else
            raise
        leaving.result()
        raise ClientDisconnect from None
    finally:
        leaving.cancel()


async def _left(request: Request) -> None:
    """Wait until the client disconnects."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
