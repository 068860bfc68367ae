"""Projects labelled stretches: sets with the idle time around them, for training where sets are.

The sweeper and training runs write them, once per session however many of its sets were confirmed:
a stretch holds many sets, and writing it after each confirmation would read the whole session n
times. The stored stretches are compared with the expected ones, so a repeat writes nothing, and
what a crash left unfinished is completed.
"""

import asyncio
from collections.abc import Collection, Sequence
from itertools import accumulate
from uuid import UUID

from ingest.labelled_sets import packed_layouts
from ingest.recordings import load_portions
from ingest.stored_session import StoredSession, find_session
from models.signal.pieces import Recording
from models.signal.timeline import Timeline, timeline
from schemas.errors import BadSamples
from schemas.inputs import ACC3, LAYOUTS
from schemas.times import NS_PER_S, SpanNs, at_ms_of_ns, us_of
from schemas.topics import STRETCHES
from store.labelled_sets import remaining_ttl_s
from store.records import Records
from store.sessions import SessionRow
from store.sets import SetRow
from store.stretches import NamedSpan, StoredStretch, StretchMetadata

MARGIN_NS = 60 * NS_PER_S
"""Idle time taken before the first and after the last set of a session."""

MAX_GAP_NS = 2 * MARGIN_NS
"""A longer pause may hold a set that nobody confirmed: only its margins are taken (decision 56)."""

MAX_STRETCH_NS = 300 * NS_PER_S
"""The longest stretch in one row: half an hour in one blob would be too much for a page of rows."""


async def project_stretches(
    records: Records, user_id: UUID, now_us: int, *, only: Collection[UUID] | None = None
) -> None:
    """Update the stretches of a user's sessions.

    Args:
        records: the repositories.
        user_id: whose.
        now_us: announced in `changes` where something is written.
        only: these sessions, all by default.
    """
    if only is None:
        sets = await records.sets.of_user(user_id)
        sessions = await records.stretches.sessions_of(user_id)
    else:
        sets, sessions = await records.sets.of_sessions(user_id, only), set(only)
    by_session: dict[UUID, list[SetRow]] = {session_id: [] for session_id in sessions}
    for row in sets:
        by_session.setdefault(row.session_id, []).append(row)
    for session_id, rows in sorted(by_session.items()):
        await project_session_stretches(records, user_id, session_id, rows, now_us)


async def project_session_stretches(
    records: Records, user_id: UUID, session_id: UUID, sets: Sequence[SetRow], now_us: int
) -> None:
    """Update one session's stretches."""
    before = await records.stretches.of_session(user_id, session_id)
    if not (sets or before):
        return
    stored = await find_session(records, user_id, session_id)
    listed = stored.lists_revision if stored else 0
    revision = max([listed, *(row.revision for row in sets)])
    ttl_s = remaining_ttl_s(revision, now_us)
    wanted = _wanted(stored, sets) if stored else []
    if stored is None or not wanted or ttl_s <= 0:
        await _delete_stretches(records, user_id, session_id, before, now_us)
        return
    # Rows of ACC3 are written last: a crash leaves them out. So they tell without the samples.
    alone = [stretch for stretch in before if stretch.model_id == ACC3]
    if _is_current(before, revision) and _same_stretches(alone, [meta for meta, _ in wanted]):
        return
    rows = await _stretches(stored, wanted)
    if rows is None:
        return
    rows.sort(key=lambda row: LAYOUTS.index(row.metadata.model_id))
    if _is_current(before, revision) and _same_stretches(before, [row.metadata for row in rows]):
        return
    # Later than the stored rows: they must be overwritten although no set may be newer.
    revision = max([revision, *(stretch.revision + 1 for stretch in before)])
    await records.changes.announce(user_id, STRETCHES, now_us)
    await records.stretches.replace(user_id, session_id, rows, revision, ttl_s)


def stretches_of(
    spans: Sequence[NamedSpan], first_ns: int, last_ns: int
) -> list[tuple[SpanNs, tuple[NamedSpan, ...]]]:
    """The stretches of a session that can be trained on, and the sets in each.

    Args:
        spans: its confirmed sets.
        first_ns: where the session begins.
        last_ns: where it ends.

    >>> s = NS_PER_S
    >>> stretches_of([(100 * s, 130 * s, "row"), (200 * s, 240 * s, "row")], 0, 900 * s)
    [((40000000000, 300000000000), ((100000000000, 130000000000, 'row'), \
(200000000000, 240000000000, 'row')))]
    """
    in_order = sorted(spans)
    time_spans: list[SpanNs] = []
    for block in blocks_of(in_order):
        start_ns = max(first_ns, block[0][0] - MARGIN_NS)
        end_ns = min(last_ns, max(end for _, end, _ in block) + MARGIN_NS)
        time_spans += split_block(start_ns, end_ns, block)
    return [
        (
            row_span,
            tuple(
                set_span
                for set_span in in_order
                if set_span[0] < row_span[1] and set_span[1] > row_span[0]
            ),
        )
        for row_span in time_spans
        if row_span[1] > row_span[0]
    ]


def blocks_of(spans: Sequence[NamedSpan]) -> list[list[NamedSpan]]:
    """Sets in order, split where a pause is too long to be known as idle."""
    blocks: list[list[NamedSpan]] = []
    reached_ns = 0
    for span in spans:
        if blocks and span[0] - reached_ns <= MAX_GAP_NS:
            blocks[-1].append(span)
        else:
            blocks.append([span])
        reached_ns = max(reached_ns, span[1])
    return blocks


def split_block(start_ns: int, end_ns: int, block: Sequence[NamedSpan]) -> list[SpanNs]:
    """Split a block into rows of at most 300 s, in the middle of a pause if there is one.

    >>> s = NS_PER_S
    >>> sets = [(60 * s, 100 * s, "a"), (200 * s, 240 * s, "a"), (340 * s, 380 * s, "a")]
    >>> [(a // s, b // s) for a, b in split_block(0, 440 * s, sets)]
    [(0, 290), (290, 440)]
    """
    reached_ns = accumulate((end for _, end, _ in block), max)  # sets may overlap
    pauses = [(end, span[0]) for end, span in zip(reached_ns, block[1:], strict=False)]
    middles = [(end + begin) // 2 for end, begin in pauses if begin > end]
    rows: list[SpanNs] = []
    while end_ns - start_ns > MAX_STRETCH_NS:
        reach_ns = start_ns + MAX_STRETCH_NS
        cut_ns = max((m for m in middles if start_ns < m <= reach_ns), default=reach_ns)
        rows.append((start_ns, cut_ns))
        start_ns = cut_ns
    return [*rows, (start_ns, end_ns)]


def span_of(row: SetRow) -> NamedSpan:
    """A confirmed set on the clock of its samples."""
    return *row.span_ns, row.exercise


def session_extent(session: SessionRow) -> SpanNs:
    """From begin to end of a complete session."""
    end = session.ended_at or session.started_at
    return us_of(session.started_at) * 1000, us_of(end) * 1000


def _wanted(stored: StoredSession, sets: Sequence[SetRow]) -> list[tuple[StretchMetadata, SpanNs]]:
    """A session's stretches, and where they are on the clock of its samples; none of an open one.

    Their metadata are of the layout without rotation; the revision is set later.
    """
    session, offset = stored.session, stored.wrist_offset
    if not session.complete:
        return []
    return [
        (
            StretchMetadata(
                ACC3,
                session.session_id,
                at_ms_of_ns(start_ns) + offset,
                at_ms_of_ns(end_ns) + offset,
                spans,
                revision=0,
            ),
            (start_ns, end_ns),
        )
        for (start_ns, end_ns), spans in stretches_of(
            [span_of(row) for row in sets], *session_extent(session)
        )
    ]


async def _delete_stretches(
    records: Records,
    user_id: UUID,
    session_id: UUID,
    stored: Sequence[StretchMetadata],
    now_us: int,
) -> None:
    """Delete the stretches of a session that has none any more."""
    if not stored:
        return
    await records.changes.announce(user_id, STRETCHES, now_us)
    newest = max(stretch.revision for stretch in stored)
    await records.stretches.delete_session(user_id, session_id, newest)


async def _stretches(
    stored: StoredSession, wanted: Sequence[tuple[StretchMetadata, SpanNs]]
) -> list[StoredStretch] | None:
    """The rows of stretches in time order; None where samples are ambiguous or do not decode.

    Samples are loaded and cut a few hours at a time, in a thread: a session may last for weeks.
    """
    rows: list[StoredStretch] = []
    spans = [span for _, span in wanted]
    async for portion, recording in load_portions(stored, spans):
        if recording is None:
            return None  # the session's notes report it
        rows += await asyncio.to_thread(
            _cut_stretches, recording, wanted[portion.start : portion.stop]
        )
    return rows


def _cut_stretches(
    recording: Recording, wanted: Sequence[tuple[StretchMetadata, SpanNs]]
) -> list[StoredStretch]:
    """The rows of stretches; none where the recording's units or rates are unusable."""
    try:
        line = timeline(recording)
    except BadSamples:
        return []
    return [row for metadata, span in wanted for row in _rows(metadata, span, line)]


def _rows(metadata: StretchMetadata, span: SpanNs, line: Timeline) -> list[StoredStretch]:
    """A stretch's rows, in both layouts if it has rotation; none without samples."""
    try:
        samples = line.cut(*span)
    except BadSamples:
        return []
    if not samples.acc:
        return []
    return [
        StoredStretch(metadata._replace(model_id=layout), packed)
        for layout, packed in packed_layouts(samples)
    ]


def _is_current(stored: Sequence[StretchMetadata], revision: int) -> bool:
    """Whether no stored stretch is older than a set or a list of the session."""
    return all(stretch.revision >= revision for stretch in stored)


def _same_stretches(stored: Sequence[StretchMetadata], wanted: Sequence[StretchMetadata]) -> bool:
    """Whether two lists have the same stretches in the same layouts, whatever their revisions."""

    def named(stretches: Sequence[StretchMetadata]) -> list[tuple[object, ...]]:
        """Layout, start, end and spans of each, in order: the session is the same for all."""
        return sorted((stretch.model_id, *stretch[2:5]) for stretch in stretches)

    return named(stored) == named(wanted)
