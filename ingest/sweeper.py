"""What was announced but not finished is finished: a crash between two writes leaves no trace.

`changes` is written first, so it names every user for whom something may be half done. Their
events are projected again, which changes nothing where all is well, and sets whose samples came
after them get their labelled sets.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ingest.erasure import ERASED, erase_user
from ingest.pending import project_labelled
from ingest.projections import Touched, follow, merged, write_rows
from ingest.recordings import wrist_of
from ingest.stretches import project_stretches
from schemas.errors import Retryable
from schemas.inputs import ACC3
from schemas.journal import SetConfirmed, SetDeleted
from schemas.layout import MAX_ID_AGE_DAYS, MAX_ID_AHEAD_DAYS
from schemas.times import us_of
from store.database import Database
from store.journal import Event, EventHead, months_between
from store.records import Records
from store.sets import LabelledHead, SetRow
from store.watermarks import ANNOUNCED_BEFORE

MAX_UNAVAILABLE_USERS = 3
"""Users whom a sweep passes over for a while; with more of them the database is away."""
READ_AT_ONCE = 16
"""Events whose content is in memory at the same time: the list of a long stream has megabytes."""

READ_APART = 8
"""Sessions that are read one by one; of more, all of a user's are looked through."""
SESSIONS_A_PAGE = 200


class Projected:
    """Events that this process has projected, and the session of each.

    A sweep looks back so far that it meets each several times, and once is enough. The newest so
    many are remembered; others are projected again, which changes nothing.
    """

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._events: OrderedDict[tuple[UUID, UUID], UUID] = OrderedDict()

    def known(self, user_id: UUID, heads: Sequence[EventHead]) -> dict[UUID, UUID]:
        """Those of a user's events that are remembered, and the session of each."""
        found = {head.event_id: self._events.get((user_id, head.event_id)) for head in heads}
        return {event_id: session for event_id, session in found.items() if session is not None}

    def add(self, user_id: UUID, sessions: Mapping[UUID, UUID]) -> None:
        """Remember a user's events, each with its session."""
        self._events.update(((user_id, one), session) for one, session in sessions.items())
        while len(self._events) > self._most:
            self._events.popitem(last=False)


def session_of(event: Event) -> UUID:
    """The session that an event is about or belongs to."""
    said = event.said
    return said.session if isinstance(said, SetConfirmed | SetDeleted) else event.about


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
    What is `projected` already is left out, and what is projected now is added to it. A user whose
    data the database does not give, twice, though it gave others' in between, is a failed one: the
    others must not wait for that one's.

    Raises:
        DatabaseUnavailable: the sweep is to be repeated from the same `since`.
    """
    began_s = time.monotonic()
    users = await records.journal.changed(since - ANNOUNCED_BEFORE, now + ANNOUNCED_BEFORE)
    done: list[tuple[int, int]] = []
    failed: list[tuple[UUID, Exception]] = []

    async def one(user_id: UUID) -> None:
        """Sweep or erase one user; a failure that no repeat would mend is kept in `failed`."""
        # What is written is announced at the time at which it is: a training that began meanwhile
        # would not look back to the begin of a long sweep.
        at = now + timedelta(seconds=time.monotonic() - began_s)
        topics = users[user_id]
        try:
            if ERASED not in topics:
                looked_at = since - ANNOUNCED_BEFORE
                done.append(await sweep_user(records, user_id, looked_at, at, projected))
            elif database:
                await erase_user(database, user_id, at, announced_at=topics[ERASED])
        except Retryable:
            raise
        except Exception as problem:  # noqa: BLE001 (handed back; the others are swept as well)
            failed.append((user_id, problem))

    late = await _late(one, sorted(users))
    if still_late := await _late(one, [user_id for user_id, _ in late]):
        if not done:
            raise still_late[0][1]
        await records.journal.changed(now, now)  # raises where it is not they but the database
    events, labelled = sum(n for n, _ in done), sum(n for _, n in done)
    return Swept(len(users), events, labelled, (*failed, *still_late))


async def _late(
    one: Callable[[UUID], Awaitable[None]], users: Iterable[UUID]
) -> list[tuple[UUID, Retryable]]:
    """Do it for each; those for whom the database did not answer. Many: that is raised."""
    late: list[tuple[UUID, Retryable]] = []
    for user_id in users:
        try:
            await one(user_id)
        except Retryable as problem:
            late.append((user_id, problem))
            if len(late) > MAX_UNAVAILABLE_USERS:
                raise
    return late


async def sweep_user(
    records: Records,
    user_id: UUID,
    since: datetime,
    now: datetime,
    projected: Projected | None = None,
) -> tuple[int, int]:
    """One user's part of a sweep: events projected again, sets that training can read now."""
    projected = projected or Projected()
    found = await recent_heads(records, user_id, since, now)
    known = projected.known(user_id, found)
    others = [head for head in found if head.event_id not in known]
    touched = set(known.values())
    touched |= await _project_again(records, user_id, others, us_of(now), projected)
    labelled = await project_pending(records, user_id, us_of(now))
    await project_stretches(records, user_id, us_of(now), only=touched)
    return len(others), labelled


async def _project_again(
    records: Records,
    user_id: UUID,
    heads: Sequence[EventHead],
    now_us: int,
    projected: Projected,
) -> set[UUID]:
    """Project events that stand there again; tells their sessions.

    Each session is followed up once, however many portions its events are read in.
    """
    portions: list[dict[UUID, Touched]] = []
    sessions: dict[UUID, UUID] = {}
    try:
        for start in range(0, len(heads), READ_AT_ONCE):
            events = await records.journal.of_heads(user_id, heads[start : start + READ_AT_ONCE])
            portions.append(await write_rows(records, user_id, events))
            sessions.update((event.event_id, session_of(event)) for event in events)
    finally:  # an event that is not understood here does not stop those before it
        await follow(records, user_id, merged(portions), now_us)
        projected.add(user_id, sessions)
    return set(sessions.values())


async def recent_heads(
    records: Records, user_id: UUID, since: datetime, now: datetime
) -> list[EventHead]:
    """A user's events that were received since then; their months are those of their ids."""
    first, last = now - timedelta(MAX_ID_AGE_DAYS), now + timedelta(MAX_ID_AHEAD_DAYS)
    months = months_between(first.date(), last.date())
    heads = await records.journal.heads(user_id, months)
    return [head for head in heads if head.received_us >= us_of(since)]


async def project_pending(records: Records, user_id: UUID, now_us: int) -> int:
    """Write the labelled sets that are missing or old; tells how many a user has afterwards.

    A labelled set whose set is gone is taken out: its deletion met a write that was under way. One
    whose set was confirmed since the sets were read is not: a label is written after its set.
    """
    sets = {row.set_id: row for row in await records.sets.of_user(user_id)}
    heads: dict[UUID, list[LabelledHead]] = {}
    for head in await records.sets.labelled_heads(user_id):
        heads.setdefault(head.set_id, []).append(head)
    for head in (head for set_id in heads.keys() - sets.keys() for head in heads[set_id]):
        if await records.sets.read(user_id, head.session_id, head.set_id) is None:
            await records.sets.delete_labelled(user_id, head.model_id, head.set_id, now_us)
    waiting: dict[UUID, set[UUID]] = {}
    for set_id, row in sets.items():
        if not are_current(heads.get(set_id, ()), row):
            waiting.setdefault(row.session_id, set()).add(set_id)
    for session_id in await _recorded(records, user_id, waiting):
        await project_labelled(records, user_id, session_id, now_us, only=waiting[session_id])
    return len({head.set_id for head in await records.sets.labelled_heads(user_id)})


async def _recorded(records: Records, user_id: UUID, waiting: Collection[UUID]) -> list[UUID]:
    """Those of the sessions that have acceleration.

    Sessions are read a page at a time: who writes sets down without a watch has hundreds of them,
    whose sets wait for samples for ever.
    """
    if len(waiting) <= READ_APART:
        return sorted(waiting)
    found: list[UUID] = []
    before: UUID | None = None
    while page := await records.sessions.page(user_id, before, SESSIONS_A_PAGE):
        found += [
            row.session_id
            for row in page
            if row.session_id in waiting and wrist_of(row.streams).acc is not None
        ]
        before = page[-1].session_id
    return sorted(found)


def are_current(heads: Sequence[LabelledHead], row: SetRow) -> bool:
    """Whether a set is labelled as it was confirmed last, in every layout that it belongs to.

    What has rotation is labelled without it as well, by the same revision.
    """
    revisions = {head.revision for head in heads}
    alone = any(head.model_id == ACC3 for head in heads)
    return alone and len(revisions) == 1 and min(revisions) >= row.revision
