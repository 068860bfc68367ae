"""What was announced but not finished is finished: a crash between two writes leaves no trace.

`changes` is written first, so it names every user for whom something may be half done. Their
events are projected again, which changes nothing where all is well, and sets whose samples came
after them get their labelled sets.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ingest.erasure import ERASED, erase_user
from ingest.pending import project_labelled
from ingest.projections import project_all
from ingest.stretches import project_stretches
from schemas.errors import Retryable
from schemas.inputs import ACC3
from schemas.layout import AHEAD_DAYS, LONGEST_DAYS
from schemas.times import us_of
from store.database import Database
from store.journal import Event, months_between
from store.records import Records
from store.sets import LabelledHead, SetRow
from store.watermarks import ANNOUNCED_BEFORE


class Projected:
    """Events that this process has projected.

    A sweep looks back so far that it meets each several times, and once is enough. The newest so
    many are remembered; others are projected again, which changes nothing.
    """

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._events: OrderedDict[tuple[UUID, UUID], None] = OrderedDict()

    def others(self, user_id: UUID, events: Sequence[Event]) -> list[Event]:
        """Those of a user's events that are not remembered."""
        return [one for one in events if (user_id, one.event_id) not in self._events]

    def add(self, user_id: UUID, events: Sequence[Event]) -> None:
        """Remember them."""
        self._events.update(dict.fromkeys((user_id, one.event_id) for one in events))
        while len(self._events) > self._most:
            self._events.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep looked at.

    Attributes:
        users: announced since then.
        events: projected again.
        labelled: sets of those users that training can read now.
        failed: users whose data could not be projected, and why.
    """

    users: int
    events: int
    labelled: int
    failed: tuple[tuple[UUID, Exception], ...] = ()


async def sweep(
    records: Records,
    since: datetime,
    now: datetime,
    *,
    database: Database | None = None,
    projected: Projected | None = None,
) -> Swept:
    """Project again what was announced from `since` to `now`. Repeatable, and safe beside writers.

    With a database, users who were erased are erased again: a write of theirs was under way.
    What is `projected` already is left out, and what is projected now is added to it.

    Raises:
        DatabaseAway: the sweep is to be repeated from the same `since`.
    """
    began_s = time.monotonic()
    users = await records.journal.changed(since - ANNOUNCED_BEFORE, now + ANNOUNCED_BEFORE)
    events = labelled = 0
    failed: list[tuple[UUID, Exception]] = []
    for user_id, topics in sorted(users.items()):
        # What is written is announced at the time at which it is: a training that began meanwhile
        # would not look back to the begin of a long sweep.
        at = now + timedelta(seconds=time.monotonic() - began_s)
        try:
            if ERASED in topics:
                if database:
                    await erase_user(database, user_id, at, announced_at=topics[ERASED])
                continue
            done = await sweep_user(records, user_id, since - ANNOUNCED_BEFORE, at, projected)
            events, labelled = events + done[0], labelled + done[1]
        except Retryable:
            raise
        except Exception as problem:  # noqa: BLE001 (handed back; the others are swept as well)
            failed.append((user_id, problem))
    return Swept(len(users), events, labelled, tuple(failed))


async def sweep_user(
    records: Records,
    user_id: UUID,
    since: datetime,
    now: datetime,
    projected: Projected | None = None,
) -> tuple[int, int]:
    """One user's part of a sweep: events projected again, sets that training can read now."""
    projected = projected or Projected()
    found = await recent_events(records, user_id, since, now)
    others = projected.others(user_id, found)
    await project_all(records, user_id, others, us_of(now))
    projected.add(user_id, others)
    labelled = await project_pending(records, user_id, us_of(now))
    touched = {UUID(str(event.body.get("session", event.about))) for event in found}
    await project_stretches(records, user_id, us_of(now), only=touched)
    return len(others), labelled


async def recent_events(
    records: Records, user_id: UUID, since: datetime, now: datetime
) -> list[Event]:
    """A user's events that were received since then; their months are those of their ids."""
    first, last = now - timedelta(LONGEST_DAYS), now + timedelta(AHEAD_DAYS)
    months = months_between(first.date(), last.date())
    events = await records.journal.events(user_id, months)
    return [event for event in events if event.received_us >= us_of(since)]


async def project_pending(records: Records, user_id: UUID, now_us: int) -> int:
    """Write the labelled sets that are missing or old; tells how many a user has afterwards.

    A labelled set whose set is gone is taken out: its deletion met a write that was under way.
    """
    sets = {row.set_id: row for row in await records.sets.of_user(user_id)}
    heads: dict[UUID, list[LabelledHead]] = {}
    for head in await records.sets.labelled_heads(user_id):
        heads.setdefault(head.set_id, []).append(head)
    for set_id in heads.keys() - sets.keys():
        for head in heads[set_id]:
            await records.sets.delete_labelled(user_id, head.model_id, set_id, now_us)
    waiting: dict[UUID, set[UUID]] = {}
    for set_id, row in sets.items():
        if not are_current(heads.get(set_id, ()), row):
            waiting.setdefault(row.session_id, set()).add(set_id)
    for session_id in sorted(waiting):
        await project_labelled(records, user_id, session_id, now_us, only=waiting[session_id])
    return len({head.set_id for head in await records.sets.labelled_heads(user_id)})


def are_current(heads: Sequence[LabelledHead], row: SetRow) -> bool:
    """Whether a set is labelled as it was confirmed last, in every layout that it belongs to.

    What has rotation is labelled without it as well, by the same revision.
    """
    revisions = {head.revision for head in heads}
    alone = any(head.model_id == ACC3 for head in heads)
    return alone and len(revisions) == 1 and min(revisions) >= row.revision
