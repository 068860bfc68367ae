"""Questions that come at the same time, answered in one go.

Array operations cost more to begin than to do on one small window. Whoever asks waits for the end
of this turn of the loop, which is after everybody whose request has come by then has asked; nobody
waits for a clock.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")
AT_ONCE = 16  # the rest is answered in the next turn, so that others get theirs in between


class Together(Generic[Q, A]):
    """Asks a function that answers many at once; one per event loop.

    Args:
        answer: answers in the order of the questions; called in the loop.
    """

    def __init__(self, answer: Callable[[Sequence[Q]], Sequence[A]]) -> None:
        self._answer = answer
        self._asked: deque[tuple[Q, asyncio.Future[A]]] = deque()

    async def ask(self, question: Q) -> A:
        """The answer to one question; an error is that question's own."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[A] = loop.create_future()
        self._asked.append((question, future))
        if len(self._asked) == 1:
            loop.call_soon(self._answer_all, loop)
        return await future

    def _answer_all(self, loop: asyncio.AbstractEventLoop) -> None:
        many = [self._asked.popleft() for _ in range(min(AT_ONCE, len(self._asked)))]
        if self._asked:
            loop.call_soon(self._answer_all, loop)
        many = [(question, future) for question, future in many if not future.done()]
        try:
            answers = self._answer([question for question, _ in many])
        except Exception:  # noqa: BLE001 (whose it was is found out by asking each alone)
            for question, future in many:
                self._answer_one(question, future)
            return
        for (_, future), answer in zip(many, answers, strict=True):
            future.set_result(answer)

    def _answer_one(self, question: Q, future: "asyncio.Future[A]") -> None:
        try:
            future.set_result(self._answer([question])[0])
        except Exception as problem:  # noqa: BLE001 (handed to the one who asked)
            future.set_exception(problem)
