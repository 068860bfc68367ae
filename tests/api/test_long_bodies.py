"""Long bodies are received in parallel, kept in bounded memory and handled in turn."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID, uuid4

import pytest
from starlette.requests import Request
from starlette.types import Message

from api.long_bodies import MAX_HANDLED, MAX_KEPT, MAX_KEPT_PER_USER, LongBodies
from schemas.errors import Retryable

SHORT_BYTES = 4
LONG = b"longer"


def request(body: bytes, *, ends: bool = True) -> Request:
    """A request whose body arrives byte by byte, and then ends or not."""
    left = [body[i : i + 1] for i in range(len(body))]

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left) or not ends}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


@asynccontextmanager
async def stalled(
    long_bodies: LongBodies, users: list[UUID], declared_bytes: int = 0
) -> AsyncGenerator[None]:
    """Long bodies that have begun to arrive and do not end."""

    async def send(user_id: UUID) -> None:
        async with long_bodies.received(request(LONG, ends=False), user_id, declared_bytes):
            raise AssertionError("it has not arrived")

    tasks = [asyncio.create_task(send(user_id)) for user_id in users]
    await asyncio.sleep(0.01)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert not any(isinstance(one, AssertionError) for one in ended)


async def outcome(long_bodies: LongBodies, user_id: UUID, body: bytes = LONG) -> bytes:
    async with asyncio.timeout(5), long_bodies.received(request(body), user_id, 0) as received:
        return received


async def test_bodies_that_arrive_slowly_do_not_hold_up_others() -> None:
    long_bodies = LongBodies(SHORT_BYTES)
    async with stalled(long_bodies, [uuid4() for _ in range(MAX_KEPT - 1)]):
        assert await outcome(long_bodies, uuid4()) == LONG


@pytest.mark.parametrize(("users", "each"), [(MAX_KEPT, 1), (1, MAX_KEPT_PER_USER)])
async def test_too_many_long_bodies_are_refused_until_one_has_gone(users: int, each: int) -> None:
    long_bodies = LongBodies(SHORT_BYTES)
    senders = [uuid4() for _ in range(users)]
    async with stalled(long_bodies, senders * each):
        with pytest.raises(Retryable):
            await outcome(long_bodies, senders[0] if each > 1 else uuid4())
        short = LONG[:SHORT_BYTES]
        assert await outcome(long_bodies, senders[0], short) == short
    assert await outcome(long_bodies, senders[0]) == LONG


async def test_a_long_body_is_refused_at_its_first_byte_when_its_length_is_declared() -> None:
    long_bodies = LongBodies(SHORT_BYTES)
    async with stalled(long_bodies, [user_id := uuid4()] * MAX_KEPT_PER_USER):
        refused = long_bodies.received(request(b"l", ends=False), user_id, SHORT_BYTES + 1)
        with pytest.raises(Retryable):
            async with asyncio.timeout(5), refused:
                pass


async def test_long_bodies_are_handled_in_turn_and_short_ones_at_once() -> None:
    long_bodies = LongBodies(SHORT_BYTES)
    async with AsyncExitStack() as handled:
        for _ in range(MAX_HANDLED):
            await handled.enter_async_context(
                long_bodies.received(request(LONG), uuid4(), len(LONG))
            )
        waiting = asyncio.create_task(outcome(long_bodies, uuid4()))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        assert await outcome(long_bodies, uuid4(), b"of") == b"of"
    assert await waiting == LONG
