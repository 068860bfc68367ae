"""Which of a caller's sets a forecast needs: those of years are not read for the next one.

The answers are those that all sets would give: what is left out changes no feature of the next set.
"""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

from schemas.times import time_at
from store.sets import SetRow, Sets

KNOWN_DAYS = 30
"""So far before the end of what a model of the next exercise knows sets are read: whether a session
went on after it, and what the last one held."""


async def sets_for_intensity(
    sets: Sets, user_id: UUID, exercise: str, session: UUID | None, now: datetime
) -> list[SetRow]:
    """What a forecast of an intensity needs: sets of the exercise and of the session that goes on.

    And those after `now`, of a device whose clock is ahead: the next set follows them.
    """
    of_exercise, of_session, ahead = await asyncio.gather(
        sets.of_exercise(user_id, exercise),
        _of_session(sets, user_id, session),
        sets.between(user_id, now),
    )
    needed = {(row.session_id, row.set_id): row for row in (*of_exercise, *of_session, *ahead)}
    return [needed[key] for key in sorted(needed)]


async def sets_for_next(
    sets: Sets, user_id: UUID, until_s: float, session: UUID | None
) -> list[SetRow]:
    """What a model of the next exercise goes on with: the newest sessions, each with all its sets.

    All sets are read where the newest ones are not enough: where a session began before them, whose
    place among the others is not known, or where none of them is one that the model knows.

    Args:
        sets: the repository.
        user_id: whose.
        until_s: begin of the newest set that the model knows, seconds since the epoch.
        session: the session that goes on.
    """
    since = time_at(int(until_s * 1e6)) - timedelta(days=KNOWN_DAYS)
    own, newest = await asyncio.gather(
        _of_session(sets, user_id, session), sets.between(user_id, since)
    )
    before = [row for row in newest if row.session_id != session]
    is_known = any(row.started_at.timestamp() <= until_s for row in before)
    sessions = {row.session_id for row in before}
    if not is_known or await sets.begun_before(user_id, sessions, since):
        return await sets.of_user(user_id)
    return [*before, *own]


async def _of_session(sets: Sets, user_id: UUID, session: UUID | None) -> list[SetRow]:
    return [] if session is None else await sets.of_session(user_id, session)
