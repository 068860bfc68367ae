"""Clock offsets of streams after `complete`."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ingest.stretches import project_stretches
from schemas.errors import BadEvent
from schemas.events import Completion, SessionOpening, SetConfirmation
from schemas.times import us_of
from tests.ingest.histories import CHUNKS, SHA, START, STREAM
from tests.ingest.recorded_session import GYRO, RecordedSession, RunBefore, put_rotation

POCKET = {**STREAM, "device": "phone", "placement": "pocket", "side": None}
HOURS_MS = 2 * 3_600_000
TRAVEL_MS = 500


@pytest.mark.parametrize("phone_ms", [HOURS_MS, -HOURS_MS])
async def test_completion_by_the_phone_keeps_the_clock_offset_of_each_device(phone_ms: int) -> None:
    """An offset belongs to the device of its stream; the phone is ahead by `phone_ms`."""
    one = RecordedSession()
    for name, stream, ahead_ms in (("acc", STREAM, 0), ("pocket", POCKET, phone_ms)):
        sent_at = one.now + timedelta(milliseconds=ahead_ms - TRAVEL_MS)
        said = {"started_at": START, "sent_at": sent_at, "streams": {name: stream}}
        opening = SessionOpening.model_validate(said)
        await one.recorder.open_session(one.user, one.session, opening)
        for seq in (0, 1):
            await one.recorder.put_chunk(one.user, one.session, name, seq, CHUNKS[seq, 0])
    await one.confirm()
    session = await one.recorder.session(one.user, one.session)
    before = session.clock_offset_ms
    assert before["pocket"] == pytest.approx(TRAVEL_MS - phone_ms, abs=20)
    listed = Completion(
        sent_at=one.now + timedelta(milliseconds=phone_ms),
        streams=dict.fromkeys(("acc", "pocket"), [SHA[0, 0], SHA[1, 0]]),
    )
    after = (await one.recorder.complete(one.user, one.session, listed)).clock_offset_ms
    assert after["pocket"] == pytest.approx(-phone_ms, abs=20), "its own, by a shorter way"
    assert after["acc"] == before["acc"]
    (row,) = await one.records.labelled.of_user(one.user, "wrist-acc3")
    offset = timedelta(milliseconds=before["acc"])  # to the server's clock
    assert row.started_at == START + timedelta(seconds=0.2) + offset
    assert row.ended_at == START + timedelta(seconds=1.8) + offset
    await project_stretches(one.records, one.user, us_of(one.now))
    (stretch,) = await one.records.stretches.of_session(one.user, one.session)
    assert stretch.started_at == START + offset
    assert stretch.ended_at == START + timedelta(seconds=2) + offset


async def test_clock_offset_is_taken_from_the_completion_if_the_opening_has_none() -> None:
    one = RecordedSession()
    await one.open(0)
    listed = Completion(sent_at=one.now - timedelta(hours=2), streams={"acc": [SHA[0, 0]]})
    row = await one.recorder.complete(one.user, one.session, listed)
    assert row.clock_offset_ms["acc"] == pytest.approx(HOURS_MS, abs=20)


@pytest.mark.parametrize(("rotation", "is_complete"), [((), True), ((0,), False)])
async def test_a_session_is_complete_once_every_stream_with_chunks_is_listed(
    rotation: tuple[int, ...], *, is_complete: bool
) -> None:
    session = RecordedSession(acc=STREAM, gyro=GYRO)
    await session.open(0, 1)
    await put_rotation(session, *rotation)
    assert (await session.complete(0, 1)).complete == is_complete
    gyro = Completion(streams={"gyro": [SHA[seq, 0] for seq in rotation]})
    row = await session.recorder.complete(session.user, session.session, gyro)
    assert row.complete
    assert row.ended_at == START + timedelta(seconds=2)


async def test_list_of_a_stream_that_the_session_does_not_have_is_refused() -> None:
    session = RecordedSession()
    await session.open(0)
    listed = Completion(streams={"acc": [SHA[0, 0]], "gyro": []})
    with pytest.raises(BadEvent, match="has no stream 'gyro'; it has acc") as refused:
        await session.recorder.complete(session.user, session.session, listed)
    assert refused.value.field == "streams.gyro"
    assert not (await session.recorder.session(session.user, session.session)).complete


async def test_session_that_a_device_completed_goes_on_when_another_device_uploads() -> None:
    """The watch was offline while the phone completed; its sets are later than the phone's end."""
    session = RecordedSession(acc=STREAM, gyro=GYRO)
    await session.open(0, 1)
    assert (await session.complete(0, 1)).complete
    await put_rotation(session, 0, 1)
    row = await session.recorder.session(session.user, session.session)
    assert (row.complete, row.ended_at) == (False, START + timedelta(seconds=2))
    late = SetConfirmation(
        exercise="row",
        started_at=START + timedelta(seconds=20),
        ended_at=START + timedelta(seconds=30),
    )
    await session.recorder.confirm_set(session.user, session.session, session.set, late)
    gyro = Completion(streams={"gyro": [SHA[0, 0], SHA[1, 0]]})
    assert (await session.recorder.complete(session.user, session.session, gyro)).complete


async def test_session_is_not_complete_if_a_stream_begins_while_it_is_completed() -> None:
    session = RecordedSession(acc=STREAM, gyro=GYRO)
    await session.open(0, 1)
    sessions = RunBefore(session.records.sessions, "close", lambda: put_rotation(session, 0))
    completing = session.on(replace(session.records, sessions=sessions))
    listed = Completion(streams={"acc": [SHA[0, 0], SHA[1, 0]]})
    row = await completing.complete(session.user, session.session, listed)
    assert not row.complete


async def test_session_is_complete_if_a_stream_begins_and_ends_while_it_is_completed() -> None:
    """Who takes `complete` back looks at the lists again."""
    session = RecordedSession(acc=STREAM, gyro=GYRO)
    await session.open(0, 1)

    async def watch() -> None:
        await put_rotation(session, 0)
        gyro = Completion(streams={"gyro": [SHA[0, 0]]})
        await session.recorder.complete(session.user, session.session, gyro)

    sessions = RunBefore(session.records.sessions, "close", watch)
    completing = session.on(replace(session.records, sessions=sessions))
    listed = Completion(streams={"acc": [SHA[0, 0], SHA[1, 0]]})
    await completing.complete(session.user, session.session, listed)
    assert (await session.recorder.session(session.user, session.session)).complete


async def test_list_of_the_last_stream_completes_a_session_although_clocks_differ() -> None:
    """The second host's clock is a minute behind that of the first one, which took it back."""
    session = RecordedSession(acc=STREAM, gyro=GYRO)
    await session.open(0, 1)
    await session.complete(0, 1)
    await put_rotation(session, 0, 1)
    session.now -= timedelta(minutes=1)
    gyro = Completion(streams={"gyro": [SHA[0, 0], SHA[1, 0]]})
    assert (await session.recorder.complete(session.user, session.session, gyro)).complete


async def test_late_chunk_of_a_listed_stream_leaves_its_session_complete() -> None:
    session = RecordedSession()
    await session.open(0)
    await session.complete(0)
    session.recorder = session.on(session.records)  # a worker that has not seen the part
    await session.put(1)
    assert (await session.recorder.session(session.user, session.session)).complete
