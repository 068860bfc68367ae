"""Projects deviations: how a session differs from its plan, by its sets and predictions.

The version of the plan that counts is the one at the start of the session; for a plan that arrived
later (from an offline phone) its first. So later edits change nothing in past sessions, also where
the session arrives after them. A session has no rows without a plan, or as long as it is not
complete and nothing was confirmed in it: only of a complete one do recognised sets count.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ingest.openings import MAX_TRAVEL_MS, OFFSET_MS, opening_of, openings_of
from ingest.replaced_predictions import not_replaced
from models.deviations.align import align
from models.deviations.model import Target
from schemas.times import us_of
from schemas.topics import DEVIATIONS
from schemas.zones import time_zone
from store.deviations import DeviationRow, deviations_month
from store.journal import Event
from store.plans import Plan
from store.predictions import Prediction
from store.records import Records
from store.sessions import SessionRow
from store.sets import SetRow

MAX_READS = 4
"""How often a session is read again because others wrote its rows meanwhile; after that theirs
stay."""


class Done(NamedTuple):
    """A set that was done: confirmed by the user, or recognised in the samples."""

    set_id: UUID
    started_at: datetime
    target: Target
    source: str
    confidence: float | None


class _Projection(NamedTuple):
    """A session's rows as they follow from what is stored.

    Attributes:
        session: the session.
        openings: the first one, and what later ones added.
        rows: what is to be stored.
        revision: the newest of what they follow from.
    """

    session: SessionRow
    openings: list[Event]
    rows: list[DeviationRow]
    revision: int


async def project_deviations(
    records: Records, user_id: UUID, session_id: UUID, at_us: int, now_us: int
) -> None:
    """Update a session's rows; writes nothing where they are current.

    Where others meanwhile wrote rows that are not older than what was read, that is read again:
    these others may have read more.

    Args:
        records: the repositories.
        user_id: whose session.
        session_id: which one; nothing happens when it does not exist.
        at_us: time of the newest event about it, which may be a deletion and so have no row.
        now_us: announced in `changes` where something is written.
    """
    seen_us = 0
    for _ in range(MAX_READS):
        projection = await _projection(records, user_id, session_id)
        if projection is None:
            return
        await _leave_other_months(records, user_id, projection)
        written_us = await _replace(records, user_id, projection, at_us, now_us, seen_us)
        if written_us is None:
            return
        seen_us = written_us


async def _projection(records: Records, user_id: UUID, session_id: UUID) -> _Projection | None:
    """A session's rows as they follow from what is stored; None where it has no plan."""
    session = await records.sessions.read(user_id, session_id)
    if session is None or session.plan_id is None:
        return None
    openings = await openings_of(records, user_id, session_id)
    if not openings:
        return None
    version = await records.plans.followed(user_id, session.plan_id, followed_us(openings))
    sets = await records.sets.of_session(user_id, session_id)
    # Those of a session that is not complete any more are of what it was before.
    predictions = await records.predictions.of_session(user_id, session_id)
    predictions = predictions if session.complete else []
    revision = max(  # of what is stored, not of what is projected: a replay gives the same
        *(opening.received_us for opening in openings),
        0 if version is None else version.revision,
        *(row.revision for row in sets),
        *(us_of(prediction.predicted_at) for prediction in predictions),
    )
    done = done_sets(sets, predictions)
    begun = bool(done) or session.complete
    rows = rows_of(session, version.plan, done) if version and version.plan and begun else []
    wanted = [row._replace(revision=revision) for row in rows]
    return _Projection(session, openings, wanted, revision)


async def forget_deviations(records: Records, user_id: UUID, session_id: UUID, at_us: int) -> None:
    """Delete a session's rows; for good if `at_us` is in the future."""
    for month in _months_of(await openings_of(records, user_id, session_id)):
        await records.deviations.delete_session(user_id, month, session_id, at_us)


def followed_us(openings: Sequence[Event]) -> int:
    """When a session began to follow its plan: at its start, on the server's clock.

    The plan is sent before the session's opening, and may arrive a moment after its start.

    Args:
        openings: the first one, and what later ones added.
    """
    newest, arrived_us = openings[-1], openings[0].received_us
    offset_ms = newest.meta.get(OFFSET_MS)  # None where the device did not say what its clock shows
    start_us = us_of(opening_of(newest).started_at)
    start_us += offset_ms * 1000 if isinstance(offset_ms, int) else 0
    return min(arrived_us, start_us + MAX_TRAVEL_MS * 1000)


def done_sets(sets: Sequence[SetRow], predictions: Sequence[Prediction]) -> list[Done]:
    """What was done, in time order: confirmed sets, and recognised ones that nobody confirmed."""
    recognised = [
        Done(
            prediction.set_id,
            prediction.started_at,
            Target(prediction.exercise, prediction.reps),
            "sensor",
            prediction.probability,
        )
        for prediction in not_replaced(predictions, sets)
        if prediction.exercise is not None and not prediction.abstained
    ]
    confirmed = [
        Done(
            row.set_id,
            row.started_at,
            Target(row.exercise, row.reps, row.weight_kg, row.intensity),
            "confirmed",
            None,
        )
        for row in sets
    ]
    return sorted([*confirmed, *recognised], key=lambda done: (done.started_at, done.set_id))


def rows_of(session: SessionRow, plan: Plan, done: Sequence[Done]) -> list[DeviationRow]:
    """A session's rows; their revision is set later."""
    planned = [Target(**planned_set) for planned_set in plan.sets]  # pyrefly: ignore[bad-argument-type] validated on arrival
    rows = align(planned, [done_set.target for done_set in done])
    return [
        _row(
            session,
            row.position,
            row.kinds,
            None if row.planned is None else planned[row.planned],
            None if row.done is None else done[row.done],
        )
        for row in rows
    ]


def _row(
    session: SessionRow,
    position: int,
    kinds: frozenset[str],
    planned: Target | None,
    done: Done | None,
) -> DeviationRow:
    at = done.started_at if done else session.started_at
    local = at.astimezone(time_zone(session.timezone))
    return DeviationRow(
        session.session_id,
        position,
        done.set_id if done else None,
        kinds,
        *_numbers(planned),
        *_numbers(done.target if done else None),
        started_at_utc=at,
        timezone=session.timezone,
        local_hour=local.hour,
        local_date=local.date(),
        source=done.source if done else None,
        confidence=done.confidence if done else None,
        revision=0,
    )


def _numbers(
    target: Target | None,
) -> tuple[str | None, int | None, float | None, float | None]:
    if target is None:
        return None, None, None, None
    return target.exercise, target.reps, target.weight_kg, target.intensity


async def _replace(
    records: Records,
    user_id: UUID,
    projection: _Projection,
    at_us: int,
    now_us: int,
    seen_us: int,
) -> int | None:
    """Announce and write a session's rows, unless they are stored already.

    Args:
        records: the repositories.
        user_id: whose session.
        projection: with the rows.
        at_us: time of the newest event about the session.
        now_us: announced in `changes`.
        seen_us: rows written later than this may follow from more than the projection has read.

    Returns:
        None where the rows are stored now; else the time of the newer rows that were left.
    """
    session, wanted = projection.session, projection.rows
    month = deviations_month(session.started_at)
    if await records.deviations.of_session(user_id, month, session.session_id) == wanted:
        return None
    written_us = await records.deviations.written_us(user_id, month, session.session_id)
    # Not `at_us`: a list or a deletion may be newer than all that was read, and say nothing of it.
    if written_us >= projection.revision and written_us > seen_us:
        return written_us
    # The stored rows must be overwritten although no event may be newer.
    at_us = max(at_us, projection.revision, written_us + 1)
    await records.changes.announce(user_id, DEVIATIONS, now_us)
    await records.deviations.replace(user_id, month, session.session_id, wanted, at_us)
    return None


async def _leave_other_months(records: Records, user_id: UUID, projection: _Projection) -> None:
    """Delete a session's rows of a month in which it started before another opening was heard."""
    session = projection.session
    for month in _months_of(projection.openings) - {deviations_month(session.started_at)}:
        written_us = await records.deviations.written_us(user_id, month, session.session_id)
        if written_us:
            await records.deviations.delete_session(user_id, month, session.session_id, written_us)


def _months_of(openings: Sequence[Event]) -> set[str]:
    return {deviations_month(opening_of(event).started_at) for event in openings}
