"""Notes of a session: which samples are judged, and times that lie elsewhere."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from ingest.judged_chunks import MAX_PLACE_SAMPLES, PLACES, beside, judged_places
from ingest.session_notes import session_notes
from models.signal.pieces import Piece, Recording
from models.signal.units import STANDARD_GRAVITY
from models.signal.wrist import wrist_signals
from schemas.errors import BadEvent, MuvrError
from schemas.events import Completion, SetConfirmation
from schemas.times import us_of
from store.samples import ChunkMetadata
from tests.ingest.histories import START, STREAM, chunk
from tests.ingest.recorded_session import GYRO, CountingRepository, RecordedSession
from tests.models.streams import swinging

NS = 10**9
HZ = 50.0
START_NS = us_of(START) * 1000
NOW = START + timedelta(days=3)
DEG = 180 / np.pi


async def recorded(
    acc: Sequence[Piece], gyro: Sequence[Piece] = (), *, complete: bool = True
) -> tuple[RecordedSession, Any]:
    """A session with these chunks, and its row."""
    streams = {
        "acc": {**STREAM, "unit": acc[0].unit},
        **({"gyro": {**GYRO, "unit": gyro[0].unit}} if gyro else {}),
    }
    one = RecordedSession(**streams)
    await one.open()
    listed: dict[str, list[str | None]] = {}
    for name, pieces in (("acc", acc), ("gyro", gyro)):
        chunks = [chunk(piece) for piece in pieces]
        for seq, each in enumerate(chunks):
            await one.recorder.put_chunk(one.user, one.session, name, seq, each)
        if chunks:
            listed[name] = [each.sha256.hex() for each in chunks]
    if complete:
        row = await one.recorder.complete(one.user, one.session, Completion(streams=listed))
        return one, row
    return one, await one.recorder.session(one.user, one.session)


def noted(acc: Sequence[Piece], gyro: Sequence[Piece] = (), now: datetime = NOW) -> list[str]:
    async def story() -> list[str]:
        one, row = await recorded(acc, gyro)
        return await session_notes(one.records, one.user, row, now)

    return asyncio.run(story())


def cut_up(values: np.ndarray, unit: str, size: int, t0_ns: int = START_NS) -> list[Piece]:
    """Samples at 50 Hz as chunks of one size."""
    scale = float(np.abs(values).max()) / 30_000 or 1e-3
    counts = np.rint(values / scale).astype(np.int16)
    return [
        Piece(t0_ns + round(k / HZ * NS), HZ, unit, scale, counts[k : k + size])
        for k in range(0, len(counts), size)
    ]


def swings(seconds: float, reach_rad: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Acceleration in g and rotation in rad/s of a wrist that swings every 2 s."""
    return swinging(np.arange(round(seconds * HZ)) / HZ, reach_rad, period_s=2.0)


ACC_G, GYRO_RAD_S = swings(70)
STILL = np.tile([0.7, 0.0, 0.7], (len(ACC_G), 1))
AWAKE = np.where(np.arange(len(ACC_G))[:, None] < 5 * HZ, 0.0, ACC_G)
LINEAR = ACC_G - [0.7, 0.0, 0.0]
FORTH = np.where(np.arange(len(ACC_G))[:, None] % 50 < 25, 0.9, -0.9) * [1.0, 0.0, 0.0]
Sent = tuple[np.ndarray, str, np.ndarray, str]
DEVICES: dict[str, tuple[Sent, list[str]]] = {
    "honest": ((ACC_G, "g", GYRO_RAD_S, "rad/s"), []),
    "zeros at the start": ((AWAKE, "g", GYRO_RAD_S, "rad/s"), []),
    "m/s2 as g": ((ACC_G * STANDARD_GRAVITY, "g", GYRO_RAD_S, "rad/s"), ["acc: unit-was-m/s2"]),
    "g as m/s2": ((ACC_G, "m/s2", GYRO_RAD_S, "rad/s"), ["acc: unit-was-g"]),
    "deg/s as rad/s": ((ACC_G, "g", GYRO_RAD_S * DEG, "rad/s"), ["gyro: unit-was-deg/s"]),
    "rad/s as deg/s": ((ACC_G, "g", GYRO_RAD_S, "deg/s"), ["gyro: unit-was-rad/s"]),
    "gyroscope off": ((ACC_G, "g", 0 * GYRO_RAD_S, "rad/s"), ["gyro: rotation-is-constant"]),
    "no gravity": ((FORTH, "g", GYRO_RAD_S, "rad/s"), ["acc: gravity-is-missing"]),
    "mg as g, at rest": (
        (STILL * 1000, "g", 0.01 * GYRO_RAD_S, "rad/s"),
        ["acc: unit-is-implausible"],
    ),
    "mrad/s as rad/s": (
        (swings(70, 0.2)[0], "g", swings(70, 0.2)[1] * 1000, "rad/s"),
        ["gyro: unit-is-implausible"],
    ),
}

SAMPLE_BY_SAMPLE = ("honest", "rad/s as deg/s")  # a second each


@pytest.mark.parametrize("device", DEVICES)
def test_notes_are_the_same_in_any_size_of_chunks_as_those_of_recognition(device: str) -> None:
    (acc, acc_unit, gyro, gyro_unit), notes = DEVICES[device]
    for size in (4096, 50, 1) if device in SAMPLE_BY_SAMPLE else (4096, 50):
        seconds = 70 if size > 1 else 23  # in which single samples are read
        n = round(seconds * HZ)
        acc_pieces = cut_up(acc[:n], acc_unit, size)
        gyro_pieces = cut_up(gyro[:n], gyro_unit, size)
        assert noted(acc_pieces, gyro_pieces) == notes, size
        (signal, *_) = wrist_signals(Recording(tuple(acc_pieces), tuple(gyro_pieces), "left"))
        assert [note.partition(": ")[2] for note in notes] == list(signal.notes), size


@pytest.mark.parametrize("size", [50, 500, 4096])
def test_session_that_begins_with_a_rest_is_judged_by_its_movement(size: int) -> None:
    """Three minutes of rest at the start, while a wrist in deg/s turns at 2 deg/s."""
    acc, gyro = swings(600)
    rests = np.arange(len(acc))[:, None] < 180 * HZ
    acc, gyro = np.where(rests, acc[:1], acc), np.where(rests, 0.01 * gyro, gyro)
    notes = noted(cut_up(acc, "g", size), cut_up(gyro * DEG, "rad/s", size))
    assert notes == ["gyro: unit-was-deg/s"]


def test_streams_of_different_chunk_sizes_are_judged_together() -> None:
    acc, gyro = swings(300)
    assert noted(cut_up(acc, "g", 50), cut_up(gyro, "deg/s", 4096)) == ["gyro: unit-was-rad/s"]


EPOCH_S = START_NS // NS
ELSEWHERE = {
    "since boot": 3 * 3600 * NS,
    "seconds": EPOCH_S,
    "milliseconds": EPOCH_S * 10**3,
    "microseconds": EPOCH_S * 10**6,
    "since 2001": START_NS - 978_307_200 * NS,
    "since 1900": START_NS + 2_208_988_800 * NS,
    "two days before": START_NS - 2 * 86_400 * NS,
    "a day before": START_NS - 86_400 * NS,
    "in a week": START_NS + 7 * 86_400 * NS,
    "two days after": START_NS + 2 * 86_400 * NS,  # a session may last for weeks
}
INSIDE = ("a day before", "two days after")


@pytest.mark.parametrize("counted", ELSEWHERE)
def test_samples_far_from_their_session_are_stored_and_noted(counted: str) -> None:
    t0_ns = ELSEWHERE[counted]
    acc, gyro = cut_up(ACC_G, "g", 500, t0_ns), cut_up(GYRO_RAD_S, "rad/s", 500, t0_ns)
    outside = [] if counted in INSIDE else ["acc", "gyro"]
    expected = [f"{name}: times-outside-the-session" for name in outside]
    assert noted(acc, gyro) == expected


def test_one_stream_on_another_clock_is_noted_and_does_not_overlap() -> None:
    """The gyroscope counts from the start of the device."""
    acc, gyro = cut_up(ACC_G, "g", 50), cut_up(GYRO_RAD_S, "rad/s", 50, t0_ns=7200 * NS)
    assert noted(acc, gyro) == [
        "gyro: sensors-do-not-overlap",
        "gyro: times-outside-the-session",
    ]
    later = cut_up(GYRO_RAD_S, "rad/s", 50, t0_ns=START_NS + 600 * NS)
    assert noted(acc, later) == ["gyro: sensors-do-not-overlap"]
    (signal,) = wrist_signals(Recording(tuple(acc), tuple(later), "left"))
    assert signal.notes == ("sensors-do-not-overlap",)
    assert signal.gyro_rad_s is None


def test_times_of_a_stream_that_is_not_judged_are_noted_too() -> None:
    async def story() -> list[str]:
        one = RecordedSession(acc=STREAM, pocket={**STREAM, "placement": "pocket"})
        await one.open(0, 1)
        early = chunk(cut_up(ACC_G, "g", 50, t0_ns=NS)[0])
        await one.recorder.put_chunk(one.user, one.session, "pocket", 0, early)
        row = await one.recorder.session(one.user, one.session)
        return await session_notes(one.records, one.user, row, NOW)

    both = ["pocket: times-outside-the-session", "pocket: is-not-used"]
    assert asyncio.run(story()) == both


def test_last_chunks_of_a_long_stream_are_looked_at() -> None:
    """A clock that was set right in the last of 20 partitions, by years."""
    acc = [replace(piece, t0_ns=NS + k * NS) for k, piece in enumerate(cut_up(ACC_G, "g", 1))]
    *most, last = acc[:2500]
    right = replace(last, t0_ns=START_NS)
    early = [replace(piece, t0_ns=piece.t0_ns + START_NS) for piece in most]
    assert "acc: times-outside-the-session" in noted([*early, last])
    assert "acc: times-outside-the-session" not in noted([*early, right])


@pytest.mark.parametrize("seconds", [-1.0, 1.0])
def test_refused_set_says_that_the_samples_lie_elsewhere(seconds: float) -> None:
    """A set at the times of the samples, and one at the time at which it was done."""

    async def refused(t0_ns: int, at: datetime) -> MuvrError:
        one, _ = await recorded(cut_up(ACC_G, "g", 500, t0_ns))
        said = SetConfirmation(
            exercise="row", started_at=at, ended_at=at + timedelta(seconds=20), reps=5
        )
        with pytest.raises(BadEvent) as problem:
            await one.recorder.confirm_set(one.user, one.session, one.set, said)
        return problem.value

    advice = "t0 must be nanoseconds since 1970"
    boot = START - timedelta(seconds=START.timestamp() - 7200)
    for at in (boot, START):
        assert advice in str(asyncio.run(refused(7200 * NS, at)))
    outside = START + timedelta(seconds=-60 if seconds < 0 else 600)
    assert advice not in str(asyncio.run(refused(START_NS, outside)))


def metadata(n: int, each: int, step_ns: int, rate_hz: float = HZ) -> list[ChunkMetadata]:
    return [ChunkMetadata(k, b"", k * step_ns, rate_hz, each) for k in range(n)]


@pytest.mark.parametrize(
    ("n", "each", "rate_hz", "places"),
    [
        (0, 50, 50.0, []),
        (1, 50, 50.0, [[0]]),
        (60, 50, 50.0, [[*range(21)], [*range(21, 41)], [*range(41, 60)]]),
        (600, 50, 50.0, [[*range(89, 111)], [*range(289, 311)], [*range(489, 511)]]),
        (100, 500, 50.0, [[*range(15, 19)], [*range(48, 52)], [*range(82, 86)]]),
        (10, 8192, 50.0, [[1, 2, 3, 4], [5, 6, 7], [8, 9]]),
    ],
)
def test_places_are_spread_over_what_was_recorded(
    n: int, each: int, rate_hz: float, places: list[list[int]]
) -> None:
    chunks = metadata(n, each, round(each / rate_hz * NS), rate_hz)
    assert [[one.seq for one in place] for place in judged_places(chunks)] == places


@pytest.mark.parametrize(
    ("each", "step_ns", "rate_hz"),
    [(8192, 0, 1000.0), (8192, NS, 1000.0), (1, NS // 1000, 1000.0), (8192, NS, 1.0)],
)
def test_what_is_read_is_bounded_whatever_is_sent(each: int, step_ns: int, rate_hz: float) -> None:
    places = judged_places(metadata(20_000, each, step_ns, rate_hz))
    assert sum(len(place) for place in places) <= 9 * 128
    assert all(sum(one.n for one in place) <= MAX_PLACE_SAMPLES for place in places)
    assert 1 <= len(places) <= PLACES


def test_few_chunks_of_a_long_session_are_read() -> None:
    async def story() -> int:
        acc, gyro = swings(600)
        one, row = await recorded(cut_up(acc, "g", 50), cut_up(gyro, "rad/s", 50))
        counting = CountingRepository(one.records.samples)
        records = replace(one.records, samples=counting)
        assert await session_notes(records, one.user, row, NOW) == []
        return counting.calls["rows"] + counting.calls["metadata"]

    assert asyncio.run(story()) == 4


def test_rotation_is_judged_by_the_chunks_that_share_time_with_a_place() -> None:
    acc, gyro = [
        [ChunkMetadata(seq, bytes([seq]), (seq * 10 + late_s) * NS, HZ, 500) for seq in range(10)]
        for late_s in (0, 5)
    ]
    assert [c.seq for c in beside(gyro, acc[3:5])] == [2, 3, 4], "from 25 s to 55 s"
    assert [c.seq for c in beside(acc, acc[3:5])] == [3, 4], "not those that only touch it"
    long = metadata(9, MAX_PLACE_SAMPLES // 4, 0)
    assert beside(long, acc[:1]) == long[:4], "as many samples as may be read"
