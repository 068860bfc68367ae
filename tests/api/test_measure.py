"""Confirmed sets are measured from samples that are loaded a few hours at a time."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import numpy as np
import pytest

from api import measure
from api.measure import Measurer
from api.model_cache import ModelCache
from ingest.chunks import Chunk, canonical_body, decode_chunk
from ingest.recordings import CONTEXT_NS
from models.signal.pieces import Piece
from schemas.events import SetConfirmation
from store.sets import SetRow
from tests.ingest.histories import LIMITS, START, STREAM, new_id
from tests.ingest.recorded_session import GYRO, CountingRepository, RecordedSession


class NoForms:
    """No user has a form model."""

    async def by_layout(self, *_: object) -> dict[str, object]:
        return {}


USER = UUID(int=1)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_set(hour: int) -> SetRow:
    """A set of a minute, so many hours after the first."""
    start = NOON + timedelta(hours=hour)
    end = start + timedelta(minutes=1)
    return SetRow(UUID(int=9), UUID(int=hour), "row", start, end, None, None, None, "typed", 1)


def test_sets_of_a_long_session_are_measured_apart_and_without_those_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sets = [a_set(hour) for hour in (30, 0, 1, 12)]
    loaded: list[tuple[int, int]] = []

    async def load_portions(*args: Any) -> AsyncGenerator[tuple[range, object | None]]:
        loaded.extend(args[-2])
        assert args[-1] == CONTEXT_NS
        yield range(2), "recording 1"
        yield range(2, 3), None
        yield range(3, 4), "recording 3"

    def measured(
        recording: Any, rows: Sequence[SetRow], _: object, finished: tuple[bool, bool]
    ) -> dict[UUID, measure._Measured]:
        assert finished == (True, True)
        return {row.set_id: measure._Measured(recording, is_whole=True) for row in rows}

    async def nothing(*_: object) -> Any:
        return {}

    monkeypatch.setattr(measure, "_measured", measured)
    monkeypatch.setattr(measure, "load_portions", load_portions)
    records: Any = SimpleNamespace(sessions=SimpleNamespace(lists=nothing))
    models: Any = SimpleNamespace(by_layout=nothing)
    session: Any = SimpleNamespace(session_id=UUID(int=9), streams={}, complete=True)
    results = asyncio.run(Measurer(records, models).of_sets(USER, session, sets))
    assert results == {
        UUID(int=0): "recording 1",
        UUID(int=1): "recording 1",
        UUID(int=30): "recording 3",
    }
    assert loaded == sorted(row.span_ns for row in sets)


def swinging(seq: int, unit: str = "m/s2") -> Chunk:
    """A second of a wrist that swings once in 2.5 s, in g that are declared as m/s²."""
    t_s = seq + np.arange(50) / 50
    tilt = 0.4 * np.sin(2 * np.pi * t_s / 2.5)
    acc_g = np.column_stack([np.sin(tilt), 0 * tilt, np.cos(tilt)])
    counts = np.rint(acc_g * 4096).astype(np.int16)
    t0_ns = (int(START.timestamp()) + seq) * 10**9
    body = canonical_body(Piece(t0_ns, 50.0, unit, 1 / 4096, counts))
    return decode_chunk(body, "application/cbor", LIMITS)


def test_short_set_is_measured_in_the_unit_that_the_samples_around_it_tell() -> None:
    """Nine seconds alone do not tell that 1.0 m/s² at rest is 1.0 g."""

    async def counted() -> int | None:
        one = RecordedSession(acc={**STREAM, "unit": "m/s2"})
        await one.open()
        for seq in range(60):
            await one.recorder.put_chunk(one.user, one.session, "acc", seq, swinging(seq))
        start = START + timedelta(seconds=20.1)
        said = SetConfirmation(
            exercise="row", started_at=start, ended_at=start + timedelta(seconds=8.8)
        )
        await one.recorder.confirm_set(one.user, one.session, one.set, said)
        session = await one.records.sessions.read(one.user, one.session)
        assert session is not None
        sets = await one.records.sets.of_session(one.user, one.session)
        measurer = Measurer(one.records, cast("ModelCache", NoForms()))
        (measured,) = (await measurer.of_sets(one.user, session, sets)).values()
        return measured.counted.count if measured.counted else None

    assert asyncio.run(counted()) in (3, 4)


class OpenSession:
    """A session whose samples arrive between requests for its sets; its clock is set by hand."""

    def __init__(self) -> None:
        self.one, self.now_s = RecordedSession(acc=STREAM, gyro=GYRO), 0.0
        no_forms = cast("ModelCache", NoForms())
        self.measurer = Measurer(self.one.records, no_forms, lambda: self.now_s)

    async def put(self, stream: str, seqs: range) -> None:
        for seq in seqs:
            chunk = swinging(seq, "g" if stream == "acc" else "rad/s")
            await self.one.recorder.put_chunk(self.one.user, self.one.session, stream, seq, chunk)

    async def confirm(self, start_s: float, end_s: float) -> None:
        start, end = (START + timedelta(seconds=s) for s in (start_s, end_s))
        said = SetConfirmation(exercise="row", started_at=start, ended_at=end)
        await self.one.recorder.confirm_set(self.one.user, self.one.session, new_id(), said)

    async def ask(self) -> None:
        """A request of the session, which measures the sets that have to be."""
        session = await self.one.records.sessions.read(self.one.user, self.one.session)
        assert session is not None
        sets = await self.one.records.sets.of_session(self.one.user, self.one.session)
        await self.measurer.of_sets(self.one.user, session, sets)


def sizes_measured(patch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """How many samples of each sensor every set has that is measured from now on."""
    sizes: list[tuple[int, int]] = []
    measure_set = measure.measure_set

    def noted(line: Any, start_ns: int, end_ns: int, *rest: Any) -> Any:
        inside = line.cut(start_ns, end_ns)
        acc, gyro = (sum(len(p.counts) for p in pieces) for pieces in (inside.acc, inside.gyro))
        sizes.append((acc, gyro))
        return measure_set(line, start_ns, end_ns, *rest)

    patch.setattr(measure, "measure_set", noted)
    return sizes


async def test_set_of_an_open_session_is_measured_again_when_more_of_its_samples_are_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second sensor, and the last samples, may be on their way at the first request."""
    measured = sizes_measured(monkeypatch)

    async def of_two_requests(session: OpenSession) -> list[list[tuple[int, int]]]:
        """What each of two requests measures, one right after the other."""
        found = []
        for _ in range(2):
            measured.clear()
            await session.ask()
            found.append(measured.copy())
        return found

    session = OpenSession()
    await session.one.open()
    await session.put("acc", range(30))
    await session.confirm(0, 20)
    await session.confirm(1, 19)  # within the first
    assert await of_two_requests(session) == [[(1000, 0), (900, 0)], []]
    session.now_s += measure.RECHECK_S
    assert await of_two_requests(session) == [[(1000, 0), (900, 0)], []], "more may be in"
    await session.put("gyro", range(15))
    session.now_s += measure.RECHECK_S
    assert await of_two_requests(session) == [[(1000, 750), (900, 700)], []]
    await session.put("gyro", range(15, 30))
    session.now_s += measure.RECHECK_S
    assert await of_two_requests(session) == [[(1000, 1000), (900, 900)], []]
    session.now_s += measure.RECHECK_S
    assert await of_two_requests(session) == [[], []], "nothing is missing any more"


async def test_cached_measurements_of_an_open_session_read_no_metadata() -> None:
    one = RecordedSession()
    await one.open(0, 1, 2)
    await one.confirm()
    samples = CountingRepository(one.records.samples)
    records = replace(one.records, samples=cast("Any", samples))
    measurer = Measurer(records, cast("ModelCache", NoForms()))
    session = await one.recorder.session(one.user, one.session)
    sets = await one.records.sets.of_session(one.user, one.session)
    assert len(await measurer.of_sets(one.user, session, sets)) == 1
    assert samples.calls["metadata"] == 1
    assert len(await measurer.of_sets(one.user, session, sets)) == 1
    assert samples.calls["metadata"] == 1
