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
from store.plans import Plan, PlanVersion
from store.predictions import Prediction
from store.records import Records
from store.sessions import SessionRow
from store.sets import SetRow


class Done(NamedTuple):
    """A set that was done: confirmed by the user, or recognised in the samples."""

    set_id: UUID
    started_at: datetime
    target: Target
    source: str
    confidence: float | None


async def project_deviations(
    records: Records, user_id: UUID, session_id: UUID, at_us: int, now_us: int
) -> None:
    """Update a session's rows; writes nothing where they are current.

    Args:
        records: the repositories.
        user_id: whose session.
        session_id: which one; nothing happens when it does not exist.
        at_us: time of the newest event about it, which may be a deletion and so have no row.
        now_us: announced in `changes` where something is written.
    """
    session = await records.sessions.read(user_id, session_id)
    if session is None or session.plan_id is None:
        return
    openings = await openings_of(records, user_id, session_id)
    if not openings:
        return
    versions = await records.plans.versions(user_id, session.plan_id)
    version = version_at(versions, followed_us(openings))
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
    await _leave_other_months(records, user_id, session, openings)
    await _replace(records, user_id, session, wanted, max(at_us, revision), now_us)


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


def version_at(versions: Sequence[PlanVersion], followed_us: int) -> PlanVersion | None:
    """The version of a plan that a session followed.

    Args:
        versions: all, in order.
        followed_us: when the session began to follow the plan.

    >>> plan = Plan(UUID(int=1), "Monday", (), 5)
    >>> states = [PlanVersion(5, plan), PlanVersion(9, None)]
    >>> [version_at(states, at).revision for at in (3, 7, 11)]
    [5, 5, 5]
    """
    kept = [version for version in versions if version.plan is not None]
    before = [version for version in kept if version.revision <= followed_us]
    return before[-1] if before else (kept[0] if kept else None)


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
    session: SessionRow,
    wanted: Sequence[DeviationRow],
    at_us: int,
    now_us: int,
) -> None:
    """Announce and write a session's rows, unless they are stored already."""
    month = deviations_month(session.started_at)
    stored = await records.deviations.of_session(user_id, month, session.session_id)
    if stored == list(wanted):
        return
    # The stored rows must be overwritten although no event may be newer.
    written_us = await records.deviations.written_us(user_id, month, session.session_id)
    at_us = max(at_us, written_us + 1)
    await records.journal.announce(user_id, DEVIATIONS, now_us)
    await records.deviations.replace(user_id, month, session.session_id, wanted, at_us)


async def _leave_other_months(
    records: Records, user_id: UUID, session: SessionRow, openings: Sequence[Event]
) -> None:
    """Delete a session's rows of a month in which it started before another opening was heard."""
    for month in _months_of(openings) - {deviations_month(session.started_at)}:
        written_us = await records.deviations.written_us(user_id, month, session.session_id)
        if written_us:
            await records.deviations.delete_session(user_id, month, session.session_id, written_us)


def _months_of(openings: Sequence[Event]) -> set[str]:
    return {deviations_month(opening_of(event).started_at) for event in openings}
