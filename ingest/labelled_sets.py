"""Projects labelled sets: a confirmed set with its samples, once all of these are stored."""

import asyncio
import itertools
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

from ingest.event_writer import TOMBSTONE_AHEAD_US
from ingest.label_revisions import label_revision
from ingest.recordings import CONTEXT_NS, load_portions
from ingest.stored_session import StoredSession
from ingest.wrist_streams import wrist_of
from models.signal.pieces import Piece, Recording, pack_pieces
from models.signal.timeline import timeline
from models.signal.timing import cut_pieces
from schemas.errors import BadSamples
from schemas.inputs import ACC3, ACC6, LAYOUTS, InputLayout
from schemas.times import NS_PER_S
from schemas.topics import SETS
from store.labelled_sets import LabelledRevision, LabelledSet, remaining_ttl_s
from store.records import Records
from store.sets import SetRow

GAP_NS = NS_PER_S // 2  # the longest gap that resampling treats as continuous
MAX_SAMPLES = 1_000_000
"""Samples of one labelled set, both sensors together: 3.7 bytes each, seldom more than 6, and
Cassandra takes 8 MiB in one write. They last 2.8 hours at 50 Hz; training uses twenty minutes."""
MAX_SINGLE_READS = 8  # sets; of more, all of the session are read at once


async def project_labelled_sets(
    records: Records,
    user_id: UUID,
    session_id: UUID,
    now_us: int,
    *,
    only: Collection[UUID] | None = None,
) -> None:
    """Write the labelled sets of a session whose samples are complete.

    Those that are stored already, from the same set and lists, are left alone. Samples are loaded
    and cut a few hours at a time, in a thread: a session may last for weeks.

    Args:
        records: the repositories.
        user_id: whose session.
        session_id: which one; nothing happens when it does not exist.
        now_us: announced in `changes`, so that training finds the user.
        only: these sets, all of the session by default.
    """
    # Before the session: a list is written after the clock offset that came with it.
    lists = await records.sessions.lists(user_id, session_id)
    session = await records.sessions.read(user_id, session_id)
    if session is None or not wrist_of(session.streams).acc:
        return
    rows = await _confirmed_sets(records, user_id, session_id, only)
    if not rows:
        return
    stored = StoredSession(records, user_id, session, lists)
    rows = [row for row in rows if remaining_ttl_s(revision_of(row, stored), now_us) > 0]
    if rows and all(await _streams_finished(stored)):
        rows = await _without_current_labels(stored, rows)
    spans = [row.span_ns for row in rows]
    async for portion, recording in load_portions(stored, spans, CONTEXT_NS):
        if recording is None:
            # The client's list will decide, which projects again; broken rows stay for inspection.
            continue
        # Judged after the samples were read: a first chunk of a sensor may have come meanwhile.
        finished = await _streams_finished(stored)
        portion_rows = rows[portion.start : portion.stop]
        for labelled in await asyncio.to_thread(
            _labelled_sets, recording, stored, portion_rows, finished
        ):
            await _write(records, user_id, labelled, now_us)


async def _confirmed_sets(
    records: Records, user_id: UUID, session_id: UUID, only: Collection[UUID] | None
) -> list[SetRow]:
    """The confirmed sets of a session, all or only these."""
    if only is not None and len(only) <= MAX_SINGLE_READS:
        # A confirmation does not read all earlier sets.
        return await records.sets.some(user_id, session_id, only)
    rows = await records.sets.of_session(user_id, session_id)
    return [row for row in rows if only is None or row.set_id in only]


def has_all_samples(recording: Recording, row: SetRow, finished: tuple[bool, bool]) -> bool:
    """Whether all samples of a set are stored.

    A finished stream has all it will ever have; another one must cover the set without a gap.

    Args:
        recording: cut to the set.
        row: the set.
        finished: whether no more samples are expected of (acceleration, rotation).
    """
    acc_finished, gyro_finished = finished
    return bool(recording.acc) and (
        (acc_finished or covers(recording.acc, *row.span_ns))
        and (gyro_finished or covers(recording.gyro, *row.span_ns))
    )


def covers(pieces: Sequence[Piece], start_ns: int, end_ns: int) -> bool:
    """Whether pieces in time order reach from start to end without a gap over half a second."""
    if not pieces:
        return False
    edges = [(start_ns, start_ns), *((p.t0_ns, p.end_ns) for p in pieces), (end_ns, end_ns)]
    return all(after[0] - before[1] <= GAP_NS for before, after in itertools.pairwise(edges))


def truncated(samples: Recording, row: SetRow) -> Recording:
    """A set's samples, cut at the end to what one row can hold (`MAX_SAMPLES`)."""
    count = sum(len(piece.counts) for piece in (*samples.acc, *samples.gyro))
    if count <= MAX_SAMPLES:
        return samples
    start_ns, end_ns = row.span_ns
    end_ns = start_ns + (end_ns - start_ns) * MAX_SAMPLES // count
    acc, gyro = (cut_pieces(pieces, start_ns, end_ns) for pieces in (samples.acc, samples.gyro))
    return replace(samples, acc=acc, gyro=gyro)


def packed_layouts(samples: Recording) -> list[tuple[InputLayout, bytes]]:
    """Samples as rows hold them, in each layout that they are in; the one with rotation first.

    Those with rotation are in both, so that they also train the model without rotation.
    """
    acc_only = (ACC3, pack_pieces(samples.acc, (), samples.side))
    if not samples.gyro:
        return [acc_only]
    return [(ACC6, pack_pieces(samples.acc, samples.gyro, samples.side)), acc_only]


def labelled_rows(
    stored: StoredSession, row: SetRow, samples: Recording
) -> tuple[LabelledSet, ...]:
    """A set's rows for training: corrected times, a revision that grows when samples may change."""
    offset, revision = stored.wrist_offset, revision_of(row, stored)
    return tuple(
        LabelledSet(
            model_id=layout,
            set_id=row.set_id,
            session_id=row.session_id,
            exercise=row.exercise,
            started_at=row.started_at + offset,
            ended_at=row.ended_at + offset,
            reps=row.reps,
            weight_kg=row.weight_kg,
            intensity=row.intensity,
            label_source=row.label_source,
            revision=revision,
            samples=packed,
        )
        for layout, packed in packed_layouts(samples)
    )


def revision_of(row: SetRow, stored: StoredSession) -> int:
    """The revision of a set and of its streams' lists, microseconds of server time."""
    names, lists = (*stored.wrist.acc, *stored.wrist.gyro), stored.lists
    listed = (lists[name].revision for name in names if name in lists)
    return label_revision((row.revision, *listed), streams=len(names))


async def _streams_finished(stored: StoredSession) -> tuple[bool, bool]:
    """Whether no more samples are expected of (acceleration, rotation).

    A sensor that is declared but was switched off has no chunks, and no list either.
    """
    wrist = stored.wrist
    unlisted = {*wrist.acc, *wrist.gyro} - stored.lists.keys()
    if unlisted and stored.session.complete:
        unlisted &= (await stored.parts()).keys()
    return unlisted.isdisjoint(wrist.acc), unlisted.isdisjoint(wrist.gyro)


async def _without_current_labels(stored: StoredSession, rows: Sequence[SetRow]) -> list[SetRow]:
    """The sets of finished streams whose labelled rows would change if they were written now.

    The samples of finished streams are those that their lists name, so that equal revisions mean
    equal rows.
    """
    ids = [row.set_id for row in rows]
    labelled = by_set(await stored.records.labelled.revisions(stored.user_id, ids))
    return [
        row
        for row in rows
        if not is_label_current(labelled.get(row.set_id, ()), revision_of(row, stored))
    ]


def by_set(labelled: Iterable[LabelledRevision]) -> dict[UUID, list[LabelledRevision]]:
    """The rows of each set."""
    rows: dict[UUID, list[LabelledRevision]] = {}
    for row in labelled:
        rows.setdefault(row.set_id, []).append(row)
    return rows


def is_label_current(labelled: Sequence[LabelledRevision], revision: int) -> bool:
    """Whether the labelled rows of a set are of a revision or a newer one, in every layout.

    A set with rotation also has a row without it, of the same revision, which is written last.
    """
    revisions = {row.revision for row in labelled}
    has_acc3 = any(row.model_id == ACC3 for row in labelled)
    return has_acc3 and len(revisions) == 1 and min(revisions) >= revision


def _labelled_sets(
    recording: Recording,
    stored: StoredSession,
    rows: Sequence[SetRow],
    finished: tuple[bool, bool],
) -> list[tuple[LabelledSet, ...]]:
    """The rows of the sets whose samples are all in a recording; none where they do not decode."""
    labelled: list[tuple[LabelledSet, ...]] = []
    with suppress(BadSamples):  # the training run records it for the user; sets stay confirmed
        line = timeline(recording)
        for row in rows:
            with suppress(BadSamples):
                samples = line.cut(*row.span_ns)
                if has_all_samples(samples, row, finished):
                    labelled.append(labelled_rows(stored, row, truncated(samples, row)))
    return labelled


async def _write(
    records: Records, user_id: UUID, labelled: Sequence[LabelledSet], now_us: int
) -> None:
    """Announce and write rows, and delete the set from layouts that it is not in (any more).

    The row with rotation comes first: if a crash leaves it alone, the sweep sees what is missing.
    """
    await records.changes.announce(user_id, SETS, now_us)
    for row in labelled:
        await records.labelled.put(user_id, row, remaining_ttl_s(row.revision, now_us))
    first = labelled[0]
    for model_id in set(LAYOUTS) - {row.model_id for row in labelled}:
        await records.labelled.delete(user_id, model_id, first.set_id, first.revision)
    if await records.sets.read(user_id, first.session_id, first.set_id) is None:
        # Deleted while its samples were read: delete what was just written.
        at_us = first.revision + TOMBSTONE_AHEAD_US
        for row in labelled:
            await records.labelled.delete(user_id, row.model_id, row.set_id, at_us)
