"""Stretches around confirmed sets: their bounds, their timing, and idempotence."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.stretches import (
    MARGIN_NS,
    MAX_STRETCH_NS,
    project_stretches,
    stretches_of,
)
from ingest.sweeper import sweep
from models.signal.pieces import unpack_pieces
from schemas.events import Completion, SetConfirmation
from schemas.retention import LABELLED_TTL_S
from schemas.times import NS_PER_S, us_of
from tests.ingest.histories import CHUNKS, RATE_HZ, SHA, START, N, new_id
from tests.ingest.recorded_session import (
    NOW,
    CountingRepository,
    RecordedSession,
    both_sensors,
    replay,
)

FIRST_NS = us_of(START) * 1000


def stored(session: RecordedSession, layout: str = "wrist-acc3"):
    async def read():
        stretches = session.records.stretches
        keys = await stretches.row_keys(session.user, layout)
        return await stretches.rows(session.user, layout, keys)

    return asyncio.run(read())


def swept(session: RecordedSession) -> int:
    """Project a user's stretches; how often any were written or deleted."""
    stretches = CountingRepository(session.records.stretches)
    records = replace(session.records, stretches=stretches)
    asyncio.run(project_stretches(records, session.user, us_of(NOW)))
    return stretches.calls["replace"] + stretches.calls["delete_session"]


def recorded() -> RecordedSession:
    session = RecordedSession()

    async def story() -> None:
        await session.open(0, 1, 2, 3)
        await session.confirm()
        await session.complete(0, 1, 2, 3)

    asyncio.run(story())
    return session


@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(4, 200)), min_size=1, max_size=12).map(
        lambda parts: [
            (
                sum(sum(p) for p in parts[:k]) * NS_PER_S + parts[k][0] * NS_PER_S,
                sum(sum(p) for p in parts[: k + 1]) * NS_PER_S,
                f"e{k}",
            )
            for k in range(len(parts))
        ]
    ),
    st.integers(0, 500),
)
def test_stretches_cover_every_set_without_overlap_within_the_maximum_length(spans, tail_s):
    last_ns = spans[-1][1] + tail_s * NS_PER_S
    stretches = stretches_of(spans, 0, last_ns)
    windows = [window for window, _ in stretches]
    assert all(0 < end - start <= MAX_STRETCH_NS for start, end in windows)
    assert all(a[1] <= b[0] for a, b in pairwise(windows))
    for start, end, name in spans:
        inside = sum(max(0, min(end, b) - max(start, a)) for a, b in windows)
        assert inside == end - start
        assert all(
            ((start, end, name) in sets) == (start < b and end > a) for (a, b), sets in stretches
        )
    assert windows[0][0] == max(0, spans[0][0] - MARGIN_NS)
    assert windows[-1][1] == min(last_ns, spans[-1][1] + MARGIN_NS)


@pytest.mark.parametrize(
    ("sets", "last_s", "windows"),
    [
        ([(100, 130), (900, 930)], 2000, [(40, 190), (840, 990)]),
        ([(100, 130), (250, 300)], 2000, [(40, 190), (190, 360)]),  # a pause of just 120 s
        ([(100, 130), (251, 300)], 2000, [(40, 190), (191, 360)]),
        ([(100, 300), (150, 200), (420, 460)], 2000, [(40, 340), (340, 520)]),
        ([(50, 200), (60, 80), (240, 330)], 2000, [(0, 220), (220, 390)]),  # one inside another
        ([(100, 280)], 2000, [(40, 340)]),  # a row of just 300 s
        ([(100, 130)], 50, [(40, 50)]),
        ([(100, 130)], 40, []),  # the session ended before
    ],
)
def test_only_the_ends_of_a_long_pause_are_kept(sets, last_s, windows):
    spans = [(start * NS_PER_S, end * NS_PER_S, "row") for start, end in sets]
    stretches = stretches_of(spans, 0, last_s * NS_PER_S)
    assert [(start / NS_PER_S, end / NS_PER_S) for (start, end), _ in stretches] == windows


def test_stretches_are_deleted_once_their_labels_expire():
    session = recorded()
    swept(session)
    newest_us = stored(session)[0].metadata.revision
    lists = asyncio.run(session.records.sessions.lists(session.user, session.session))
    assert newest_us == lists["acc"].revision
    expires_us = newest_us + LABELLED_TTL_S * 10**6
    for now_us, left in ((expires_us - 10**6, 1), (expires_us, 0)):
        asyncio.run(project_stretches(session.records, session.user, now_us))
        assert len(stored(session)) == left


def test_stretches_are_split_in_the_middle_of_a_pause():
    spans = [(k * 100 * NS_PER_S, (k * 100 + 40) * NS_PER_S, "row") for k in range(1, 8)]
    for (_, end), sets in stretches_of(spans, 0, 2000 * NS_PER_S)[:-1]:
        assert all(span[0] > end or span[1] < end for span in spans)
        assert end - sets[-1][1] == 30 * NS_PER_S


def test_stretches_are_stored_once_after_the_stream_is_complete():
    session = RecordedSession()

    async def before() -> None:
        await session.open(0, 1, 2, 3)
        await session.confirm()

    asyncio.run(before())
    assert (swept(session), stored(session)) == (0, [])
    asyncio.run(session.complete(0, 1, 2, 3))
    assert swept(session) == 1
    ((metadata, samples),) = stored(session)
    start_ns, end_ns, exercise = metadata.spans[0]
    assert ((start_ns - FIRST_NS) / NS_PER_S, (end_ns - FIRST_NS) / NS_PER_S) == (0.2, 1.8)
    assert exercise == "biceps curl"
    recording = unpack_pieces(samples)  # all four seconds, raw, around a set of 1.6 s
    assert sum(len(piece.counts) for piece in recording.acc) == 4 * N == 4 * RATE_HZ
    assert np.unique(recording.acc[0].counts[:, 0]).tolist() == [0]
    assert swept(session) == 0
    assert stored(session)[0].metadata.revision == metadata.revision


def test_stretches_with_rotation_are_stored_in_both_layouts():
    session = asyncio.run(both_sensors())

    async def story() -> None:
        await session.confirm()
        listed = Completion(streams=dict.fromkeys(("acc", "gyro"), [SHA[0, 0], SHA[1, 0]]))
        assert (await session.recorder.complete(session.user, session.session, listed)).complete

    def sensors(layout: str) -> list[tuple[bool, bool]]:
        recordings = [unpack_pieces(samples) for _, samples in stored(session, layout)]
        return [(bool(recording.acc), bool(recording.gyro)) for recording in recordings]

    asyncio.run(story())
    assert (swept(session), swept(session)) == (1, 0)
    assert (sensors("wrist-acc6"), sensors("wrist-acc3")) == ([(True, True)], [(True, False)])


def test_no_stretch_is_stored_before_every_stream_is_listed():
    session = asyncio.run(both_sensors())

    async def story() -> None:
        await session.confirm()
        assert not (await session.complete(0, 1)).complete

    asyncio.run(story())
    assert (swept(session), stored(session)) == (0, [])


def test_a_stretch_without_samples_is_left_out_and_not_looked_for_again():
    """Samples at the begin and a quarter of an hour later, and a set in between as well."""
    session = RecordedSession()
    later = timedelta(seconds=1000)
    piece = CHUNKS[0, 0].piece
    chunk = replace(
        CHUNKS[0, 0],
        sha256=bytes(32),
        piece=replace(piece, t0_ns=piece.t0_ns + 1000 * NS_PER_S),
    )

    async def story() -> None:
        await session.open(0, 1)
        place = (session.user, session.session)
        await session.recorder.put_chunk(*place, "acc", 2, chunk)
        for delay in (timedelta(), later / 2, later):
            confirmation = SetConfirmation(
                exercise="row",
                started_at=START + delay + timedelta(seconds=0.2),
                ended_at=START + delay + timedelta(seconds=0.8),
            )
            await session.recorder.confirm_set(*place, new_id(), confirmation)
        listed = Completion(streams={"acc": [SHA[0, 0], SHA[1, 0], chunk.sha256.hex()]})
        assert (await session.recorder.complete(*place, listed)).complete

    asyncio.run(story())
    assert swept(session) == 1
    starts = [stretch.metadata.started_at for stretch in stored(session)]
    assert starts == [START, START + later - timedelta(seconds=59.8)]
    assert swept(session) == 0


def test_correction_replaces_and_deletion_removes_a_stretch():
    session = recorded()
    swept(session)
    first = stored(session)[0].metadata

    async def correct() -> None:
        row = await session.records.sets.read(session.user, session.session, session.set)
        await session.confirm(1, row.revision)

    asyncio.run(correct())
    assert swept(session) == 1
    ((second, _),) = stored(session)
    assert [span[2] for span in second.spans] == ["bench press"]
    assert second.revision > first.revision
    asyncio.run(session.recorder.delete_set(session.user, session.session, session.set))
    assert swept(session) == 1
    assert stored(session) == []
    assert swept(session) == 0


def test_deleting_one_of_two_sets_keeps_the_other_in_the_stretch():
    session = recorded()
    other = new_id()

    async def confirm_other() -> None:
        first = await session.records.sets.read(session.user, session.session, session.set)
        later = SetConfirmation(
            exercise="row",
            started_at=first.ended_at,
            ended_at=first.ended_at.replace(second=3),
            reps=first.reps,
            label_source=first.label_source,
        )
        await session.recorder.confirm_set(session.user, session.session, other, later)

    asyncio.run(confirm_other())
    swept(session)
    assert [span[2] for span in stored(session)[0].metadata.spans] == ["biceps curl", "row"]
    asyncio.run(session.recorder.delete_set(session.user, session.session, other))
    assert swept(session) == 1  # although no set or list is newer than the stored stretch
    assert [span[2] for span in stored(session)[0].metadata.spans] == ["biceps curl"]
    assert swept(session) == 0


def test_sweep_and_replay_agree_and_deleted_sessions_stay_without_stretches():
    session = recorded()
    asyncio.run(sweep(session.records, START, NOW))
    assert len(stored(session)) == 1
    before = stored(session)
    asyncio.run(replay(session.records, session.user, START, NOW))
    assert stored(session) == before
    asyncio.run(session.recorder.delete_session(session.user, session.session))
    assert stored(session) == []
    asyncio.run(
        session.records.stretches.replace(
            session.user, session.session, before, us_of(NOW), LABELLED_TTL_S
        )
    )
    assert stored(session) == []  # a write in flight


def test_user_without_sessions_has_no_stretches():
    session = recorded()
    session.user = uuid4()
    assert (swept(session), stored(session)) == (0, [])
