"""Erases many users again, with progress, from tables that a restore put back."""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from ingest.erasure import BegunErasure, announce_erasure, begin_erasure, end_erasures
from muvr.context import CommandContext
from schemas.times import server_time
from store.concurrency import map_concurrently
from store.database import Database
from store.users import Users

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

    async def begin(
        database: Database, user_id: UUID, outside_names: Mapping[UUID, Sequence[str]]
    ) -> None:
        """Erase one user but for who follows him."""
        erasure = await begin_erasure(
            database,
            user_id,
            server_time(),
            announced_at=announced_at,
            outside_names=outside_names[user_id],
        )
        begun.append(erasure)
        terminal.step("erasing again", len(begun), len(users))

    async def erase_all(database: Database) -> None:
        """Announce all erasures, then erase some users at a time, then all follows of them."""
        for user_id in users:
            await announce_erasure(database, user_id, announced_at)
        announced()
        names = await Users(database).outside_names(users)
        await map_concurrently(
            lambda user_id: begin(database, user_id, names), users, ERASED_AT_ONCE
        )
        terminal.step("ending follows of them", 0, 1)
        await end_erasures(database, begun, server_time())
        terminal.step("ending follows of them", 1, 1)

    with terminal:
        context.run_async(erase_all)
