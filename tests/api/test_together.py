"""Questions of one turn of the loop are answered in one go, and each gets its own."""

import asyncio
from collections.abc import Sequence

import pytest

from api.together import AT_ONCE, Together


class Doubles:
    """Doubles numbers and remembers in which portions they came; refuses negative ones."""

    def __init__(self) -> None:
        self.portions: list[int] = []

    def __call__(self, asked: Sequence[int]) -> list[int]:
        self.portions.append(len(asked))
        if any(number < 0 for number in asked):
            raise ValueError("negative")
        return [2 * number for number in asked]


def test_those_who_ask_at_once_are_answered_at_once():
    doubles = Doubles()

    async def ask(count: int) -> list[int]:
        together = Together(doubles)
        first = await asyncio.gather(*(together.ask(number) for number in range(count)))
        return [*first, await together.ask(100)]

    assert asyncio.run(ask(AT_ONCE + 3)) == [*range(0, 2 * (AT_ONCE + 3), 2), 200]
    assert doubles.portions == [AT_ONCE, 3, 1]


def test_an_error_is_its_questions_own():
    async def ask() -> list[int | BaseException]:
        together = Together(Doubles())
        return await asyncio.gather(*map(together.ask, (1, -1, 2)), return_exceptions=True)

    one, refused, two = asyncio.run(ask())
    assert (one, two) == (2, 4)
    assert isinstance(refused, ValueError)


def test_who_leaves_disturbs_nobody():
    async def ask() -> int:
        together = Together(Doubles())
        leaves = asyncio.create_task(together.ask(1))
        stays = asyncio.create_task(together.ask(2))
        await asyncio.sleep(0)
        leaves.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaves
        return await stays

    assert asyncio.run(ask()) == 4
