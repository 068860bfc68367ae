"""Confirmed sets are measured from samples that are loaded a few hours at a time."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from api import measure
from api.measure import Measurer
from ingest.recordings import CONTEXT_NS
from store.sets import SetRow

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

    async def load_parts(*args: Any) -> AsyncGenerator[tuple[range, object | None]]:
        loaded.extend(args[-2])
        assert args[-1] == CONTEXT_NS
        yield range(2), "recording 1"
        yield range(2, 3), None
        yield range(3, 4), "recording 3"

    def measured(recording: object, rows: Sequence[SetRow], _: object) -> dict[UUID, object]:
        return {row.set_id: recording for row in rows}

    async def nothing(*_: object) -> Any:
        return {}

    monkeypatch.setattr(measure, "_measured", measured)
    monkeypatch.setattr(measure, "load_parts", load_parts)
    records: Any = SimpleNamespace(sessions=SimpleNamespace(lists=nothing))
    models: Any = SimpleNamespace(by_layout=nothing)
    session: Any = SimpleNamespace(session_id=UUID(int=9))
    results = asyncio.run(Measurer(records, models).of_sets(USER, session, sets, "wrist-acc3"))
    assert results == {
        UUID(int=0): "recording 1",
        UUID(int=1): "recording 1",
        UUID(int=30): "recording 3",
    }
    assert loaded == sorted(row.span_ns for row in sets)
