"""Confirmed sets are training data once their samples are in, under their newest name."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from ingest.chunks import canonical_body, decode_chunk
from ingest.labelled_sets import project_labelled_sets
from ingest.missing_labels import refresh_labelled_sets
from ingest.sweeper import sweep
from models.signal.pieces import Recording, unpack_pieces
from schemas.errors import DatabaseUnavailable, Deleted
from schemas.events import Completion
from schemas.inputs import ACC3, LAYOUTS
from schemas.retention import LABELLED_TTL_S
from schemas.times import us_of
from tests.ingest.histories import CHUNKS, LIMITS, START, STREAM, confirmation
from tests.ingest.recorded_session import (
    AXES_TURNED,
    GYRO,
    NOW,
    CountingRepository,
    FailingAfterCalls,
    RecordedSession,
    RunBefore,
    both_sensors,
    put_rotation,
    replay,
)
from tests.store.memory_sets import MemorySets


async def test_set_is_labelled_once_its_samples_are_in() -> None:
    one = RecordedSession()
    await one.open(0)
    await one.confirm()
    assert await one.labelled() == []
    await one.put(1)
    await sweep(one.records, START, NOW)
    assert await one.labelled() == ["biceps curl"]


async def test_set_with_a_chunk_of_zeros_does_not_wait_for_its_samples() -> None:
    """They stand for lost ones: nothing more will come."""
    one = RecordedSession()
    await one.open(0, 2, 3)
    piece = CHUNKS[1, 0].piece
    body = canonical_body(replace(piece, counts=np.zeros_like(piece.counts)))
    zeros = decode_chunk(body, "application/cbor", LIMITS)
    await one.recorder.put_chunk(one.user, one.session, "acc", 1, zeros)
    await one.confirm()
    assert await one.labelled() == ["biceps curl"]


async def test_set_is_not_labelled_before_the_list_of_the_gyroscope() -> None:
    one = RecordedSession(acc=STREAM, gyro=GYRO)
    await one.open(0, 1)
    await put_rotation(one, 0)
    await one.confirm()
    assert not (await one.complete(0, 1)).complete
    assert await one.labelled() == []
    listed = Completion(streams={"gyro": [AXES_TURNED[0].sha256.hex()]})
    row = await one.recorder.complete(one.user, one.session, listed)
    assert row.complete
    assert await one.labelled() == ["biceps curl"]


@pytest.mark.parametrize("confirmed_first", [True, False])
async def test_set_is_labelled_without_a_sensor_that_sent_nothing(confirmed_first: bool) -> None:
    one = RecordedSession(acc=STREAM, gyro=GYRO)
    await one.open(0, 1)
    if confirmed_first:
        await one.confirm()
        assert await one.labelled() == [], "its chunks may be on their way"
    assert (await one.complete(0, 1)).complete
    if not confirmed_first:
        await one.confirm()
    assert await one.labelled() == ["biceps curl"]
    assert set(await layouts(one)) == {"wrist-acc3"}


async def test_late_rotation_adds_the_six_axis_labelled_set() -> None:
    one = RecordedSession(acc=STREAM, gyro=GYRO)
    await one.open(0, 1)
    await one.confirm()
    await one.complete(0, 1)
    await put_rotation(one, 0, 1)
    await sweep(one.records, START, NOW)
    assert set(await layouts(one)) == {"wrist-acc3"}, "what its list says is not known yet"
    listed = Completion(streams={"gyro": [chunk.sha256.hex() for chunk in AXES_TURNED]})
    await one.recorder.complete(one.user, one.session, listed)
    assert set(await layouts(one)) == {"wrist-acc3", "wrist-acc6"}


@pytest.mark.parametrize("most", [40, 41, 10**6])
async def test_oversized_set_is_truncated_to_its_beginning(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    async def samples_of(one: RecordedSession) -> Recording:
        await one.confirm()
        (row,) = await one.records.labelled.of_user(one.user, "wrist-acc6")
        return unpack_pieces(row.samples)

    whole = await samples_of(await both_sensors())
    monkeypatch.setattr("ingest.labelled_sets.MAX_SAMPLES", most)
    kept = await samples_of(await both_sensors())
    for all_of_it, begin in ((whole.acc, kept.acc), (whole.gyro, kept.gyro)):
        counts, first = (
            np.concatenate([piece.counts for piece in pieces]) for pieces in (all_of_it, begin)
        )
        assert len(first) == min((most + 1) // 2, len(counts))
        assert (first == counts[: len(first)]).all()


async def layouts(one: RecordedSession) -> dict[str, tuple[str, int]]:
    """Exercise and number of gyroscope pieces of the labelled set, by layout."""
    labelled = {}
    for layout in LAYOUTS:
        for row in await one.records.labelled.of_user(one.user, layout):
            labelled[layout] = (row.exercise, len(unpack_pieces(row.samples).gyro))
    return labelled


async def test_set_with_rotation_is_labelled_in_both_layouts() -> None:
    one = await both_sensors()
    first = await one.confirm(0)
    assert await layouts(one) == {
        "wrist-acc6": ("biceps curl", 2),
        "wrist-acc3": ("biceps curl", 0),
    }
    await one.confirm(1, first.revision)
    assert {name for name, _ in (await layouts(one)).values()} == {"bench press"}
    assert await sweep(one.records, START, NOW) == ()
    assert len(await layouts(one)) == 2
    await one.recorder.delete_set(one.user, one.session, one.set)
    assert await layouts(one) == {}


@pytest.mark.parametrize("dies_at", [0, 1])
@pytest.mark.parametrize("corrected", [False, True])
async def test_crash_between_the_two_layouts_is_repaired(dies_at: int, corrected: bool) -> None:
    one = await both_sensors()
    etag = (await one.confirm(1)).revision if corrected else None
    dying = replace(one.records, labelled=FailingAfterCalls(one.records.labelled, "put", dies_at))
    curl = confirmation(0, 0)
    with pytest.raises(DatabaseUnavailable):
        await one.on(dying).confirm_set(one.user, one.session, one.set, curl, etag)
    assert set((await layouts(one)).values()) != {("biceps curl", 2), ("biceps curl", 0)}
    await refresh_labelled_sets(one.records, one.user, us_of(NOW))
    assert set((await layouts(one)).values()) == {("biceps curl", 2), ("biceps curl", 0)}


async def test_correction_removes_the_old_label_while_its_samples_are_ambiguous() -> None:
    one = RecordedSession()
    await one.open(0, 1)
    first = await one.confirm(0)
    await one.put(0, variant=1)
    await one.confirm(1, first.revision)
    assert await one.labelled() == []
    await one.complete(0, 1)
    assert await one.labelled() == ["bench press"]


async def test_correction_after_completion_wins_despite_a_late_clock() -> None:
    one = RecordedSession()
    await one.open(0, 1)
    first = await one.confirm(0)
    one.now += timedelta(hours=1)
    await one.complete(0, 1)
    one.now -= timedelta(hours=1)  # another worker, whose clock is behind
    await one.confirm(1, first.revision)
    assert await one.labelled() == ["bench press"]


async def test_labelled_row_of_a_deleted_session_is_removed() -> None:
    """Its write was in flight while the session, and the rows that it had, were deleted."""
    deleted, other = RecordedSession(), RecordedSession()
    other.records, other.user = deleted.records, deleted.user
    other.recorder = other.on(other.records)
    for session in (deleted, other):
        await session.open(0, 1)
        await session.confirm()
    labelled, user = deleted.records.labelled, deleted.user
    row = {row.set_id: row for row in await labelled.of_user(user, ACC3)}[deleted.set]
    await labelled.delete(user, ACC3, deleted.set, row.revision)
    await deleted.recorder.delete_session(user, deleted.session)
    late = row._replace(revision=row.revision + 1)
    await labelled.put(user, late, LABELLED_TTL_S)
    assert len(await labelled.of_user(user, ACC3)) == 2
    await refresh_labelled_sets(deleted.records, user, us_of(NOW))
    assert [row.set_id for row in await labelled.of_user(user, ACC3)] == [other.set]


async def test_labelled_row_of_a_lost_set_is_kept_and_a_replay_restores_the_set() -> None:
    session = await both_sensors()
    await session.confirm()
    labelled = session.records.labelled
    before = [await labelled.of_user(session.user, layout) for layout in LAYOUTS]
    records = replace(session.records, sets=MemorySets())
    await refresh_labelled_sets(records, session.user, us_of(NOW))
    await replay(records, session.user, START, NOW)
    assert [await labelled.of_user(session.user, layout) for layout in LAYOUTS] == before
    assert await records.sets.read(session.user, session.session, session.set) is not None


async def test_samples_are_labelled_until_their_time_to_live_is_over() -> None:
    session = RecordedSession()
    await session.open(0, 1)
    row = await session.confirm()
    expires_us = row.revision + LABELLED_TTL_S * 10**6
    for now_us, written in ((expires_us - 10**6, 1), (expires_us, 0)):
        labelled = CountingRepository(session.records.labelled)
        records = replace(session.records, labelled=labelled)
        await project_labelled_sets(records, session.user, session.session, now_us)
        assert labelled.calls["put"] == written


async def test_set_confirmed_during_a_sweep_keeps_its_label() -> None:
    one = RecordedSession()
    await one.open(0, 1)
    sweep_us = us_of(one.now + timedelta(seconds=1))
    meanwhile = replace(
        one.records, labelled=RunBefore(one.records.labelled, "revisions", one.confirm)
    )
    await refresh_labelled_sets(meanwhile, one.user, sweep_us)
    assert await one.labelled() == ["biceps curl"]


@pytest.mark.parametrize("deleted", ["set", "session"])
async def test_a_label_written_during_a_deletion_is_removed_without_a_sweep(deleted: str) -> None:
    one = RecordedSession()
    await one.open(0, 1)
    set_id = [one.set] if deleted == "set" else []

    async def delete() -> None:
        deletion = getattr(one.recorder, f"delete_{deleted}")
        await deletion(one.user, one.session, *set_id)

    labelled = RunBefore(one.records.labelled, "put", delete)
    slower = one.on(replace(one.records, labelled=labelled))
    with pytest.raises(Deleted):
        await slower.confirm_set(one.user, one.session, one.set, confirmation(0, 0))
    assert await one.labelled() == []
