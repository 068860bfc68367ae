"""What was announced but not finished is finished: a crash between two writes leaves no trace.

`changes` is written first, so it names every user for whom something may be half done. Their
events are projected again, which changes nothing where all is well, and sets whose samples came
after them get their labelled sets.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ingest.erasure import ERASED, erase_user
from ingest.pending import project_labelled
from ingest.projections import project_all
from ingest.stretches import project_stretches
from schemas.errors import MuvrError, Retryable
from schemas.times import us_of
from store.database import Database
from store.journal import Event, months_between
from store.records import Records

LONGEST = timedelta(days=400)
"""Ids may lie so far back (limits.clock_past_days): so may the months of their events."""

MARGIN = timedelta(minutes=5)
"""An announcement comes before its write by less than this."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep looked at.

    Attributes:
        users: announced since then.
        events: projected again.
        labelled: sets of those users that training can read now.
        failed: users whose data could not be projected, with the reason.
    """

    users: int
    events: int
    labelled: int
    failed: tuple[tuple[UUID, str], ...] = ()


async def sweep(
    records: Records, since: datetime, now: datetime, *, database: Database | None = None
) -> Swept:
    """Project again what was announced from `since` to `now`. Repeatable, and safe beside writers.

    With a database, users who were erased are erased again: a write of theirs was under way.

    Raises:
        DatabaseAway: the sweep is to be repeated from the same `since`.
    """
    users = await records.journal.changed(since - MARGIN, now + MARGIN)
    events = labelled = 0
    failed: list[tuple[UUID, str]] = []
    for user_id, topics in sorted(users.items()):
        try:
            if ERASED in topics:
                if database:
                    await erase_user(database, user_id, now)
                continue
            done = await sweep_user(records, user_id, since - MARGIN, now)
            events, labelled = events + done[0], labelled + done[1]
        except Retryable:
            raise
        except MuvrError as problem:  # the others are swept all the same
            failed.append((user_id, f"{type(problem).__name__}: {problem}"))
    return Swept(len(users), events, labelled, tuple(failed))


async def sweep_user(
    records: Records, user_id: UUID, since: datetime, now: datetime
) -> tuple[int, int]:
    """One user's part of a sweep: events projected again, sets that training can read now."""
    found = await recent_events(records, user_id, since, now)
    await project_all(records, user_id, found, us_of(now))
    labelled = await project_pending(records, user_id, us_of(now))
    touched = {UUID(str(event.body.get("session", event.about))) for event in found}
    await project_stretches(records, user_id, us_of(now), only=touched)
    return len(found), labelled


async def recent_events(
    records: Records, user_id: UUID, since: datetime, now: datetime
) -> list[Event]:
    """A user's events that were received since then."""
    months = months_between((now - LONGEST).date(), (now + timedelta(days=1)).date())
    events = await records.journal.events(user_id, months)
    return [event for event in events if event.received_us >= us_of(since)]


async def project_pending(records: Records, user_id: UUID, now_us: int) -> int:
    """Write the labelled sets that are missing or old; tells how many a user has afterwards.

    A labelled set whose set is gone is taken out: its deletion met a write that was under way.
    """
    sets = {row.set_id: row for row in await records.sets.of_user(user_id)}
    heads = {head.set_id: head for head in await records.sets.labelled_heads(user_id)}
    for set_id in heads.keys() - sets.keys():
        head = heads[set_id]
        await records.sets.delete_labelled(user_id, head.model_id, set_id, now_us)
    waiting: dict[UUID, set[UUID]] = {}
    for set_id, row in sets.items():
        if set_id not in heads or heads[set_id].revision < row.revision:
            waiting.setdefault(row.session_id, set()).add(set_id)
    for session_id in sorted(waiting):
        await project_labelled(records, user_id, session_id, now_us, only=waiting[session_id])
    return len(await records.sets.labelled_heads(user_id))
