"""Labelled sets: a confirmed set together with its samples, as soon as those are in."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from ingest.decisions import FINAL_US
from ingest.recordings import Wrist, load_stream, wrist_of
from models.signal.pieces import Piece, Recording, pack_pieces
from models.signal.timing import cut_pieces
from models.signal.truth import cut
from schemas.errors import AmbiguousChunks, BadSamples
from schemas.inputs import ACC3, ACC6, LAYOUTS
from schemas.times import NS_PER_S
from store.records import Records
from store.sessions import SessionRow, StreamList
from store.sets import LabelledSet, SetRow, remaining_ttl_s

GAP_NS = NS_PER_S // 2  # what the signal's own merging still takes for continuous
CONTEXT_NS = 60 * NS_PER_S  # a wrong unit and a drifting clock show in what lies around a set
MAX_SAMPLES = 1_000_000
"""Of one labelled set, both sensors together: 3.7 bytes each, seldom more than 6, and Cassandra
takes 8 MiB at once. It is 2.8 hours at 50 Hz; training takes twenty minutes of a set."""
READ_APART = 8  # sets; of more, all of the session are read at once


async def project_labelled(
    records: Records,
    user_id: UUID,
    session_id: UUID,
    now_us: int,
    *,
    only: Collection[UUID] | None = None,
) -> int:
    """Write the labelled sets of a session whose samples are in; tells how many there are now.

    Args:
        records: where all of it is kept.
        user_id: whose session.
        session_id: which one; nothing happens when it is not there.
        now_us: announced in `changes`, so that training finds the user.
        only: these sets, all of the session by default.
    """
    session = await records.sessions.read(user_id, session_id)
    if session is None or (wrist := wrist_of(session.streams)).acc is None:
        return 0
    if only is None or len(only) > READ_APART:
        rows = await records.sets.of_session(user_id, session_id)
        rows = [row for row in rows if only is None or row.set_id in only]
    else:  # who confirms a set does not read all those before it
        rows = await records.sets.some(user_id, session_id, only)
    if not rows:
        return 0
    lists = await records.sessions.lists(user_id, session_id)
    rows = [row for row in rows if remaining_ttl_s(revision_of(row, wrist, lists), now_us) > 0]
    if not rows:
        return 0
    try:
        recording = await _around(records, user_id, session, wrist, lists, rows)
    except (AmbiguousChunks, BadSamples):
        # The client's list will decide and bring us back here; broken rows stay for a look.
        return 0
    listed = await _listed(records, user_id, session, wrist, lists)
    written = 0
    for row in rows:
        samples = _cut(recording, row)
        if samples and is_in(samples, row, listed):
            labelled = labelled_sets(session, wrist, lists, row, begin_of(samples, row))
            written += await _write(records, user_id, labelled, now_us)
    return written


def is_in(recording: Recording, row: SetRow, listed: tuple[bool, bool]) -> bool:
    """Whether a set's samples are all there.

    A stream of which no more is to come is all there; another one when it covers the set without a
    gap.

    Args:
        recording: cut to the set.
        row: the set.
        listed: whether nothing more is to come of (acceleration, rotation).
    """
    acc_listed, gyro_listed = listed
    return bool(recording.acc) and (
        (acc_listed or covers(recording.acc, *row.span_ns))
        and (gyro_listed or covers(recording.gyro, *row.span_ns))
    )


def covers(pieces: Sequence[Piece], start_ns: int, end_ns: int) -> bool:
    """Whether pieces in time order reach from start to end without a gap over half a second."""
    if not pieces:
        return False
    edges = [(start_ns, start_ns), *((p.t0_ns, p.end_ns) for p in pieces), (end_ns, end_ns)]
    return all(after[0] - before[1] <= GAP_NS for before, after in itertools.pairwise(edges))


def begin_of(samples: Recording, row: SetRow) -> Recording:
    """A set's samples; of very many as much as a row holds, from the begin of the set."""
    held = sum(len(piece.counts) for piece in (*samples.acc, *samples.gyro))
    if held <= MAX_SAMPLES:
        return samples
    start_ns, end_ns = row.span_ns
    end_ns = start_ns + (end_ns - start_ns) * MAX_SAMPLES // held
    acc, gyro = (cut_pieces(one, start_ns, end_ns) for one in (samples.acc, samples.gyro))
    return replace(samples, acc=acc, gyro=gyro)


def labelled_sets(
    session: SessionRow,
    wrist: Wrist,
    lists: Mapping[str, StreamList],
    row: SetRow,
    samples: Recording,
) -> tuple[LabelledSet, ...]:
    """What training reads: corrected times, and a revision that moves when samples may have.

    Rotation teaches two models: with it, and what is left on a device that has none.
    """
    offset = session.offset(wrist.acc)
    with_rotation = LabelledSet(
        model_id=ACC6,
        set_id=row.set_id,
        session_id=row.session_id,
        exercise=row.exercise,
        started_at=row.started_at + offset,
        ended_at=row.ended_at + offset,
        reps=row.reps,
        weight_kg=row.weight_kg,
        intensity=row.intensity,
        label_source=row.label_source,
        revision=revision_of(row, wrist, lists),
        samples=pack_pieces(samples.acc, samples.gyro, samples.side),
    )
    bare = pack_pieces(samples.acc, (), samples.side)
    alone = with_rotation._replace(model_id=ACC3, samples=bare)
    return (with_rotation, alone) if samples.gyro else (alone,)


def revision_of(row: SetRow, wrist: Wrist, lists: Mapping[str, StreamList]) -> int:
    """The newest word about a set and its samples: microseconds of the server's clock."""
    names = (wrist.acc, wrist.gyro)
    return max([row.revision, *(lists[name].revision for name in names if name and name in lists)])


async def _listed(
    records: Records,
    user_id: UUID,
    session: SessionRow,
    wrist: Wrist,
    lists: Mapping[str, StreamList],
) -> tuple[bool, bool]:
    """Whether nothing more is to come of (acceleration, rotation): what makes a session complete.

    A sensor that is declared and was switched off has no chunks, and no list either.
    """
    wanted = [name for name in (wrist.acc, wrist.gyro) if name and name not in lists]
    if wanted and session.complete:
        parts = await records.samples.parts(user_id, session.session_id)
        wanted = [name for name in wanted if name in parts]
    return wrist.acc not in wanted, wrist.gyro not in wanted


async def _around(
    records: Records,
    user_id: UUID,
    session: SessionRow,
    wrist: Wrist,
    lists: Mapping[str, StreamList],
    rows: Sequence[SetRow],
) -> Recording:
    """The stored samples around all of the sets."""
    span = (
        min(row.span_ns[0] for row in rows) - CONTEXT_NS,
        max(row.span_ns[1] for row in rows) + CONTEXT_NS,
    )
    acc = await load_stream(records, user_id, session, wrist.acc, lists, span)
    gyro = await load_stream(records, user_id, session, wrist.gyro, lists, span)
    return Recording(acc=acc, gyro=gyro, side=wrist.side)


def _cut(recording: Recording, row: SetRow) -> Recording | None:
    """The set's samples; None where they cannot be read as what they claim to be."""
    try:
        return cut(recording, *row.span_ns)
    except BadSamples:  # the user's training run says so in its row; the set stays as confirmed
        return None


async def _write(
    records: Records, user_id: UUID, labelled: Sequence[LabelledSet], now_us: int
) -> bool:
    """Announce, write, and take the set out of the layout that it is not in (any more).

    With rotation first: where a crash leaves that alone, the sweep sees what is missing.
    """
    await records.journal.announce(user_id, "sets", now_us)
    for one in labelled:
        await records.sets.put_labelled(user_id, one, remaining_ttl_s(one.revision, now_us))
    one = labelled[0]
    for other in set(LAYOUTS) - {each.model_id for each in labelled}:
        await records.sets.delete_labelled(user_id, other, one.set_id, one.revision)
    if await records.sets.read(user_id, one.session_id, one.set_id) is None:
        # Deleted while its samples were read: what was just written must go too.
        at = one.revision + FINAL_US
        for each in labelled:
            await records.sets.delete_labelled(user_id, each.model_id, each.set_id, at)
        return False
    return True
