"""Finishes announced erasures, and repeats those that ended: a write may have been in flight."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from ingest.erasure import BegunErasure, announce_erasure, begin_erasure, end_erasures
from schemas.times import Clock
from schemas.topics import ERASED, ERASURE_DONE
from store.database import Database


async def finish_erasures(
    database: Database, announced: Mapping[UUID, Mapping[str, datetime]], time_now: Clock
) -> list[tuple[UUID, Exception]]:
    """Erase announced users, one after the other; whom that failed for, and why.

    They are announced anew: the next sweeps look back too little. That answered, so that the
    database is there, and the others are erased whatever became of these.

    Args:
        database: of the deployment.
        announced: the topics of each user, with their times.
        time_now: server time.

    Raises:
        DatabaseUnavailable: a failed erasure cannot be announced either.
    """
    begun: list[BegunErasure] = []
    failed: list[tuple[UUID, Exception]] = []

    async def announce_anew(user_id: UUID, problem: Exception) -> None:
        """Leave an erasure that failed to the next sweep."""
        await announce_erasure(database, user_id, time_now())
        failed.append((user_id, problem))

    for user_id, topics in announced.items():
        at, ended_at = topics[ERASED], topics.get(ERASURE_DONE)
        try:
            erasure = await begin_erasure(
                database, user_id, time_now(), announced_at=at, ended_at=ended_at
            )
            begun.append(erasure)
        except Exception as problem:  # noqa: BLE001 (reported; the others are erased as well)
            await announce_anew(user_id, problem)
    try:
        await end_erasures(database, begun, time_now())
    except Exception as problem:  # noqa: BLE001 (reported; others are swept as well)
        for one in begun:
            await announce_anew(one.user_id, problem)
    return failed
