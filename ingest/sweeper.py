"""Completes projections that a crash left unfinished.

`changes` is written first, so it names every user for whom a write may be incomplete. Their events
are projected again, which changes nothing where all is well, and sets whose samples arrived after
them get their labelled sets.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import get_args
from uuid import UUID

from ingest.bounded_cache import BoundedCache
from ingest.erasure_sweep import finish_erasures
from ingest.late_changes import announce_late_changes
from ingest.missing_labels import refresh_sessions
from ingest.projections import project_sessions, write_rows
from ingest.session_changes import SessionChanges, merge_changes
from ingest.stretches import project_stretches
from schemas.errors import Retryable
from schemas.journal import SetConfirmed, SetDeleted
from schemas.layout import MAX_ID_AGE_DAYS, MAX_ID_AHEAD_DAYS, months_between
from schemas.times import clock_from, us_of
from schemas.topics import ERASED, OLD_IDS, SAMPLES, UNSETTLED, UNSWEPT, Topic
from store.changes import Changes
from store.database import Database
from store.journal import Event, EventKey
from store.records import Records
from store.user_rows import possible_months
from store.watermarks import ANNOUNCED_BEFORE

MAX_UNAVAILABLE_USERS = 3
"""Users for whom reads may fail before a sweep counts the database as unavailable."""
UNSWEPT_FOR = timedelta(MAX_ID_AGE_DAYS)
"""How far back events are projected of a user whom earlier sweeps could not read."""
EVENTS_PER_READ = 16
"""Events whose bodies are in memory at the same time: the list of a long stream takes megabytes."""

TOPICS: frozenset[str] = frozenset(get_args(Topic))


class ProjectedEvents:
    """A cache of the events that this process has projected, with the session of each.

    A sweep looks back far enough to meet each event several times, and projecting it once is
    enough. Events that were evicted are projected again, which changes nothing.

    Args:
        capacity: number of events.
    """

    def __init__(self, capacity: int = 100_000) -> None:
        self._events = BoundedCache[tuple[UUID, UUID], UUID](capacity)

    def known(self, user_id: UUID, keys: Sequence[EventKey]) -> dict[UUID, UUID]:
        """The cached events among these, with the session of each."""
        projected = {key.event_id: self._events.get((user_id, key.event_id)) for key in keys}
        return {event_id: session for event_id, session in projected.items() if session is not None}

    def add(self, user_id: UUID, sessions: Mapping[UUID, UUID]) -> None:
        """Cache a user's events, each with its session."""
        self._events.update(
            ((user_id, event_id), session) for event_id, session in sessions.items()
        )


def session_of(event: Event) -> UUID:
    """The session that an event is about or belongs to."""
    body = event.parsed
    return body.session if isinstance(body, SetConfirmed | SetDeleted) else event.entity_id


Failures = tuple[tuple[UUID, Exception], ...]
"""Users whose data could not be projected, and why."""


async def sweep(
    records: Records,
    since: datetime,
    now: datetime,
    *,
    database: Database | None = None,
    projected: ProjectedEvents | None = None,
) -> Failures:
    """Project again what was announced from `since` to `now`. Repeatable, safe beside writers.

    With a database, erased users are erased again: a write of theirs may have been in flight.
    Events that are already `projected` are skipped, and those projected now are added. A user whose
    data cannot be read twice, although that of others can, or who cannot be erased, is returned and
    blocks nobody; he is announced anew, so that the next sweep tries him again.

    Raises:
        DatabaseUnavailable: the sweep is to be repeated from the same `since`.
    """
    time_now = clock_from(now)  # a training run that begins meanwhile looks back no further
    users = await records.changes.since(since - ANNOUNCED_BEFORE, now + ANNOUNCED_BEFORE)
    erased = {user_id: topics for user_id, topics in users.items() if ERASED in topics}
    failed = [] if database is None else await finish_erasures(database, erased, time_now)
    swept: set[UUID] = set()

    async def sweep_one(user_id: UUID) -> None:
        """Sweep one user; a permanent failure goes to `failed`."""
        at, topics = time_now(), users[user_id]
        try:
            from_time = since - (UNSWEPT_FOR if UNSWEPT in topics else ANNOUNCED_BEFORE)
            await sweep_user(records, user_id, from_time, at, projected, topics)
            swept.add(user_id)
        except Retryable:
            raise
        except Exception as problem:  # noqa: BLE001 (reported; the others are swept as well)
            failed.append((user_id, problem))

    unavailable = await _sweep_all(sweep_one, sorted(users.keys() - erased))
    if still_unavailable := await _sweep_all(sweep_one, [user_id for user_id, _ in unavailable]):
        if not swept:
            raise still_unavailable[0][1]
        await records.changes.since(now, now)  # raises if the whole database is unavailable
        for user_id, _ in still_unavailable:
            await _announce_unswept(records.changes, user_id, users[user_id], time_now())
    return (*failed, *still_unavailable)


async def _sweep_all(
    sweep_one: Callable[[UUID], Awaitable[None]], users: Iterable[UUID]
) -> list[tuple[UUID, Retryable]]:
    """Sweep each user; returns those for whom the database did not answer, with the errors.

    Raises:
        Retryable: there are more than `MAX_UNAVAILABLE_USERS` of them.
    """
    unavailable: list[tuple[UUID, Retryable]] = []
    for user_id in users:
        try:
            await sweep_one(user_id)
        except Retryable as problem:
            unavailable.append((user_id, problem))
            if len(unavailable) > MAX_UNAVAILABLE_USERS:
                raise
    return unavailable


async def _announce_unswept(
    changes: Changes, user_id: UUID, topics: Iterable[str], at: datetime
) -> None:
    """Announce anew what was announced of a user: the next sweeps look back too little."""
    for topic in get_args(Topic):
        if topic in topics or topic == UNSWEPT:
            await changes.announce(user_id, topic, us_of(at))


async def sweep_user(
    records: Records,
    user_id: UUID,
    since: datetime,
    now: datetime,
    projected: ProjectedEvents | None = None,
    topics: Collection[str] = TOPICS,
) -> None:
    """Sweep one user.

    Args:
        records: the repositories.
        user_id: whose.
        since: from when on events are projected again.
        now: the time of the announcements.
        projected: events that need not be projected again.
        topics: what was announced of the user.
    """
    projected = projected or ProjectedEvents()
    recent = await recent_keys(records, user_id, since, now, topics)
    known = projected.known(user_id, recent)
    unprojected = [key for key in recent if key.event_id not in known]
    sessions = set(known.values())
    sessions |= await _project(records, user_id, unprojected, us_of(now), projected)
    with_samples = SAMPLES in topics
    await refresh_sessions(records, user_id, sessions, us_of(now), with_samples=with_samples)
    await project_stretches(records, user_id, us_of(now), only=sessions)


async def _project(
    records: Records,
    user_id: UUID,
    keys: Sequence[EventKey],
    now_us: int,
    projected: ProjectedEvents,
) -> set[UUID]:
    """Project stored events again, and announce what that changes; returns their sessions.

    Each session is projected once, however many portions its events are read in.
    """
    portions: list[dict[UUID, SessionChanges]] = []
    sessions: dict[UUID, UUID] = {}
    try:
        for start in range(0, len(keys), EVENTS_PER_READ):
            events = await records.journal.read_many(user_id, keys[start : start + EVENTS_PER_READ])
            await announce_late_changes(records, user_id, events, now_us)
            portions.append(await write_rows(records, user_id, events))
            sessions.update((event.event_id, session_of(event)) for event in events)
    finally:  # an event of a later release does not stop those before it
        await project_sessions(records, user_id, merge_changes(portions), now_us)
        projected.add(user_id, sessions)
    return set(sessions.values())


async def recent_keys(
    records: Records,
    user_id: UUID,
    since: datetime,
    now: datetime,
    topics: Collection[str],
) -> list[EventKey]:
    """The keys of a user's events that were received since then, by the months of their ids.

    Sessions, sets and plans can be changed and deleted at any age. Only where that was announced of
    an old one are all months read.
    """
    first, last = now - timedelta(MAX_ID_AGE_DAYS), now + timedelta(MAX_ID_AHEAD_DAYS)
    months = months_between(first.date(), last.date())
    if OLD_IDS in topics:
        months = possible_months(now)
    if UNSETTLED in topics:  # its event is no older than the announcement, and so is found below
        await records.journal.settle(user_id, months)
    return await records.journal.keys(user_id, months, since)
