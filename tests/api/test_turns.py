"""Who asks for much waits behind who asks for little."""

import asyncio
from uuid import UUID

import pytest

from api.turns import WAITING_AT_MOST, Turns
from schemas.errors import Retryable

ANNA, BEN, CLARA = (UUID(int=n) for n in (1, 2, 3))


class Room:
    """Remembers whose turn it was, in order; each stays until told to go."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.served: list[UUID] = []
        self.go = asyncio.Event()
        self.called_away: list[asyncio.Task[None]] = []

    async def visit(self, who: UUID) -> None:
        async with self.turns.turn(who):
            self.served.append(who)
            await self.go.wait()
        while self.called_away:  # before the next one knows that its turn has come
            self.called_away.pop().cancel()

    async def come(self, *who: UUID) -> list[asyncio.Task[None]]:
        """All of them come, in this order, and wait."""
        coming = [asyncio.create_task(self.visit(one)) for one in who]
        await asyncio.sleep(0)
        return coming


def test_who_comes_later_is_served_after_the_one_that_is_under_way():
    async def day() -> list[UUID]:
        room = Room()
        coming = await room.come(ANNA, ANNA, ANNA, BEN, BEN, CLARA)
        room.go.set()
        await asyncio.gather(*coming)
        return room.served

    assert asyncio.run(day()) == [ANNA, BEN, CLARA, ANNA, BEN, ANNA]


def test_one_user_may_wait_with_a_few_and_others_still_may():
    async def day() -> None:
        room = Room()
        coming = await room.come(*[ANNA] * (1 + WAITING_AT_MOST))
        with pytest.raises(Retryable, match=f"^{WAITING_AT_MOST} of this user's"):
            await room.visit(ANNA)
        coming += await room.come(BEN)
        room.go.set()
        await asyncio.gather(*coming)
        assert room.served[:2] == [ANNA, BEN]
        assert len(room.served) == 2 + WAITING_AT_MOST

    asyncio.run(day())


def test_who_leaves_the_queue_is_not_waited_for():
    async def day() -> None:
        room = Room()
        first, leaves, chosen, last = await room.come(ANNA, BEN, CLARA, ANNA)
        leaves.cancel()
        room.called_away.append(chosen)
        room.go.set()
        await asyncio.gather(first, last)
        await room.visit(BEN)
        assert (leaves.cancelled(), chosen.cancelled()) == (True, True)
        assert room.served == [ANNA, ANNA, BEN]

    asyncio.run(day())
