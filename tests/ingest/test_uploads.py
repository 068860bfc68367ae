"""Uploaded chunks: which are taken, what their receipt says, and how often a part is registered."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ingest.chunks import Chunk
from schemas.errors import BadChunk, Deleted, NotFound
from schemas.events import SessionOpening
from schemas.layout import CHUNKS_PER_PART
from schemas.wire import SEQ_MAX, Receipt
from store.watermarks import ANNOUNCED_BEFORE
from tests.ingest.histories import CHUNKS, SHA, START, N
from tests.ingest.recorded_session import (
    GYRO,
    CountingRepository,
    RecordedSession,
    both_sensors,
    put_rotation,
)

CHUNK = CHUNKS[0, 0]


def put(session: RecordedSession, seq: int, stream: str = "acc", chunk: Chunk = CHUNK) -> Receipt:
    async def story() -> Receipt:
        await session.open()
        place = (session.user, session.session, stream)
        return await session.recorder.put_chunk(*place, seq, chunk)

    return asyncio.run(story())


@pytest.mark.parametrize("seq", [0, SEQ_MAX])
def test_a_receipt_names_the_chunk_and_its_bytes(seq: int) -> None:
    session = RecordedSession()
    receipt = put(session, seq)
    assert receipt == Receipt(str(session.session), "acc", seq, N, SHA[0, 0], None)


@pytest.mark.parametrize("seq", [-1, SEQ_MAX + 1])
def test_a_number_out_of_range_is_refused(seq: int) -> None:
    with pytest.raises(BadChunk) as refused:
        put(RecordedSession(), seq)
    assert (refused.value.field, refused.value.value) == ("seq", seq)


def test_a_chunk_in_another_unit_than_its_stream_is_refused() -> None:
    other = replace(CHUNK, piece=replace(CHUNK.piece, unit="m/s2"))
    with pytest.raises(BadChunk, match="declared in 'g'") as refused:
        put(RecordedSession(), 0, chunk=other)
    assert (refused.value.field, refused.value.value) == ("unit", "m/s2")


def test_a_stream_that_was_not_declared_is_not_there() -> None:
    with pytest.raises(NotFound, match="has no stream 'gyro'"):
        put(RecordedSession(), 0, "gyro")


async def test_a_stream_that_another_worker_declared_meanwhile_is_known() -> None:
    session = RecordedSession()
    await session.open(0)
    opening = SessionOpening(started_at=START, streams={"gyro": GYRO})
    other = session.on(session.records)
    await other.open_session(session.user, session.session, opening)
    await put_rotation(session, 0, 1)
    parts = await session.records.samples.parts(session.user, session.session)
    assert parts == {"acc": [0], "gyro": [0]}


async def test_each_part_of_a_stream_is_registered_once() -> None:
    session = await both_sensors()
    samples: Any = CountingRepository(session.records.samples)
    worker = session.on(replace(session.records, samples=samples))
    for seq in (0, 1, CHUNKS_PER_PART - 1, CHUNKS_PER_PART, 0):
        await worker.put_chunk(session.user, session.session, "acc", seq, CHUNK)
    assert (samples.calls["register_part"], samples.calls["put"]) == (2, 5)
    parts = await session.records.samples.parts(session.user, session.session)
    assert parts == {"acc": [0, 1], "gyro": [0]}


def later(session: RecordedSession, seconds: float) -> None:
    """Let this time pass for what the session's worker caches."""
    for cache in (session.recorder._uploads._streams, session.recorder._uploads._parts):
        now_s = cache._clock() + seconds
        cache._clock = lambda now_s=now_s: now_s


async def test_a_session_that_another_worker_deleted_is_gone_after_six_seconds() -> None:
    session = RecordedSession()
    await session.open(0)
    await session.on(session.records).delete_session(session.user, session.session)
    later(session, 6)
    with pytest.raises(Deleted):
        await session.put(1)


async def test_late_samples_are_announced_again_while_a_sweep_looks_back() -> None:
    session = RecordedSession()
    await session.open(0)
    changes: Any = CountingRepository(session.records.changes)
    session.recorder = session.on(replace(session.records, changes=changes))
    await session.put(1)
    await session.put(2)
    assert changes.calls["announce"] == 1
    later(session, ANNOUNCED_BEFORE.total_seconds() - 1)
    await session.put(3)
    assert changes.calls["announce"] == 2
