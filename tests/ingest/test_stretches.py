"""Stretches around confirmed sets: their bounds, their timing, and idempotence."""

import asyncio
from itertools import pairwise
from uuid import uuid4

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest.replay import replay
from ingest.stretches import (
    MARGIN_NS,
    MAX_STRETCH_NS,
    project_stretches,
    stretches_of,
)
from ingest.sweeper import sweep
from models.signal.pieces import unpack_pieces
from schemas.events import Completion, SetConfirmation
from schemas.layout import LABELLED_TTL_S
from schemas.times import NS_PER_S, us_of
from tests.ingest.histories import RATE_HZ, SHA, START, N, new_id
from tests.ingest.recorded_session import NOW, RecordedSession, both_sensors

FIRST_NS = us_of(START) * 1000


def stored(one: RecordedSession):
    return asyncio.run(one.records.stretches.of_user(one.user, "wrist-acc3"))


def swept(one: RecordedSession) -> int:
    return asyncio.run(project_stretches(one.records, one.user, us_of(NOW)))


def recorded() -> RecordedSession:
    one = RecordedSession()

    async def story() -> None:
        await one.open(0, 1, 2, 3)
        await one.confirm()
        await one.complete(0, 1, 2, 3)

    asyncio.run(story())
    return one


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
    found = stretches_of(spans, 0, last_ns)
    windows = [window for window, _ in found]
    assert all(0 < end - start <= MAX_STRETCH_NS for start, end in windows)
    assert all(a[1] <= b[0] for a, b in pairwise(windows))
    for start, end, name in spans:
        inside = sum(max(0, min(end, b) - max(start, a)) for a, b in windows)
        assert inside == end - start
        assert all(
            ((start, end, name) in sets) == (start < b and end > a) for (a, b), sets in found
        )
    assert windows[0][0] == max(0, spans[0][0] - MARGIN_NS)
    assert windows[-1][1] == min(last_ns, spans[-1][1] + MARGIN_NS)


def test_only_the_ends_of_a_long_pause_are_kept():
    spans = [(100 * NS_PER_S, 130 * NS_PER_S, "row"), (900 * NS_PER_S, 930 * NS_PER_S, "row")]
    windows = [window for window, _ in stretches_of(spans, 0, 2000 * NS_PER_S)]
    assert windows == [(40 * NS_PER_S, 190 * NS_PER_S), (840 * NS_PER_S, 990 * NS_PER_S)]


def test_stretches_are_split_in_the_middle_of_a_pause():
    spans = [(k * 100 * NS_PER_S, (k * 100 + 40) * NS_PER_S, "row") for k in range(1, 8)]
    for (_, end), sets in stretches_of(spans, 0, 2000 * NS_PER_S)[:-1]:
        assert all(span[0] > end or span[1] < end for span in spans)
        assert end - sets[-1][1] == 30 * NS_PER_S


def test_stretches_are_stored_once_after_the_stream_is_complete():
    one = RecordedSession()

    async def before() -> None:
        await one.open(0, 1, 2, 3)
        await one.confirm()

    asyncio.run(before())
    assert (swept(one), stored(one)) == (0, [])
    asyncio.run(one.complete(0, 1, 2, 3))
    assert swept(one) == 1
    ((metadata, samples),) = stored(one)
    start_ns, end_ns, exercise = metadata.spans[0]
    assert ((start_ns - FIRST_NS) / NS_PER_S, (end_ns - FIRST_NS) / NS_PER_S) == (0.2, 1.8)
    assert exercise == "biceps curl"
    recording = unpack_pieces(samples)  # all four seconds, raw, around a set of 1.6 s
    assert sum(len(piece.counts) for piece in recording.acc) == 4 * N == 4 * RATE_HZ
    assert np.unique(recording.acc[0].counts[:, 0]).tolist() == [0]
    assert swept(one) == 0
    assert stored(one)[0].metadata.revision == metadata.revision


def test_stretches_with_rotation_are_stored_in_both_layouts():
    one = asyncio.run(both_sensors())

    async def story() -> None:
        await one.confirm()
        listed = Completion(streams=dict.fromkeys(("acc", "gyro"), [SHA[0, 0], SHA[1, 0]]))
        assert (await one.recorder.complete(one.user, one.session, listed)).complete

    def sensors(layout: str) -> list[tuple[bool, bool]]:
        rows = asyncio.run(one.records.stretches.of_user(one.user, layout))
        found = [unpack_pieces(samples) for _, samples in rows]
        return [(bool(each.acc), bool(each.gyro)) for each in found]

    asyncio.run(story())
    assert (swept(one), swept(one)) == (1, 0)
    assert (sensors("wrist-acc6"), sensors("wrist-acc3")) == ([(True, True)], [(True, False)])


def test_correction_replaces_and_deletion_removes_a_stretch():
    one = recorded()
    swept(one)
    first = stored(one)[0].metadata

    async def correct() -> None:
        row = await one.records.sets.read(one.user, one.session, one.set)
        await one.confirm(1, row.revision)

    asyncio.run(correct())
    assert swept(one) == 1
    ((second, _),) = stored(one)
    assert [span[2] for span in second.spans] == ["bench press"]
    assert second.revision > first.revision
    asyncio.run(one.recorder.delete_set(one.user, one.session, one.set))
    assert swept(one) == 1
    assert stored(one) == []
    assert swept(one) == 0


def test_deleting_one_of_two_sets_keeps_the_other_in_the_stretch():
    one = recorded()
    other = new_id()

    async def confirm_other() -> None:
        said = (await one.records.sets.read(one.user, one.session, one.set))._asdict()
        fields = {k: said[k] for k in ("reps", "label_source")}
        later = SetConfirmation(
            exercise="row",
            started_at=said["ended_at"],
            ended_at=said["ended_at"].replace(second=3),
            **fields,
        )
        await one.recorder.confirm_set(one.user, one.session, other, later)

    asyncio.run(confirm_other())
    swept(one)
    assert [span[2] for span in stored(one)[0].metadata.spans] == ["biceps curl", "row"]
    asyncio.run(one.recorder.delete_set(one.user, one.session, other))
    assert swept(one) == 1  # although no set or list is newer than the stored stretch
    assert [span[2] for span in stored(one)[0].metadata.spans] == ["biceps curl"]
    assert swept(one) == 0


def test_sweep_and_replay_agree_and_deleted_sessions_stay_without_stretches():
    one = recorded()
    asyncio.run(sweep(one.records, START, NOW))
    assert len(stored(one)) == 1
    before = stored(one)
    asyncio.run(replay(one.records, one.user, START, NOW))
    assert stored(one) == before
    asyncio.run(one.recorder.delete_session(one.user, one.session))
    assert stored(one) == []
    asyncio.run(
        one.records.stretches.replace(one.user, one.session, before, us_of(NOW), LABELLED_TTL_S)
    )
    assert stored(one) == []  # a write in flight


def test_user_without_sessions_has_no_stretches():
    one = recorded()
    assert asyncio.run(project_stretches(one.records, uuid4(), us_of(NOW))) == 0
