"""Erases many users again, with progress, from tables that a restore put back."""

from collections.abc import Callable, Sequence
from uuid import UUID

from ingest.erasure import BegunErasure, announce_erasure, begin_erasure, end_erasures
from muvr.context import CommandContext
from schemas.times import server_time
from store.concurrency import map_concurrently
from store.database import Database

ERASED_AT_ONCE = 8
"""Users erased at the same time: each is some hundred short requests, and nobody else asks."""


def erase_again(
    context: CommandContext, users: Sequence[UUID], announced: Callable[[], None]
) -> None:
    """Erase users; if this is interrupted once all are announced, the service's sweep goes on.

    Args:
        context: of the database.
        users: whom.
        announced: called when all of them are.
    """
    announced_at, terminal = server_time(), context.terminal
    begun: list[BegunErasure] = []

    async def begin(database: Database, user_id: UUID) -> None:
        """Erase one user but for who follows him."""
        now = server_time()
        begun.append(await begin_erasure(database, user_id, now, announced_at=announced_at))
        terminal.step("erasing again", len(begun), len(users))

    async def erase_all(database: Database) -> None:
        """Announce all erasures, then erase some users at a time, then all follows of them."""
        for user_id in users:
            await announce_erasure(database, user_id, announced_at)
        announced()
        await map_concurrently(lambda user_id: begin(database, user_id), users, ERASED_AT_ONCE)
        terminal.step("ending follows of them", 0, 1)
        await end_erasures(database, begun, server_time())
        terminal.step("ending follows of them", 1, 1)

    with terminal:
        context.run_async(erase_all)
