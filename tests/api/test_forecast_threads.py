"""Forecasts bring a user's sets into columns in a thread: the service goes on answering."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from api import forecasts, week
from models.load.model import Forecast
from store.database import Database
from store.sets import SetRow, Sets
from tests.cassandra_node import ON_NODE
from tests.ingest.histories import new_id
from tests.store.memory import memory_records

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CALLER: Any = SimpleNamespace(user_id=UUID(int=1))


class Model:
    """Every family's model."""

    until_s = NOW.timestamp()

    def continued(self, _: object) -> "Model":
        return self

    def predict(self, *given: Any, **_: object) -> Any:
        if isinstance(given[0], list):
            return (("row", 1.0),)
        return {"reps": Forecast(8.0, None, None, 8.0)} if len(given) == 2 else 0.5

    def interval(self, value: float) -> tuple[float, float]:
        return value, value


async def services() -> Any:
    records = memory_records()
    at = NOW - timedelta(days=1)
    row = SetRow(new_id(), new_id(), "row", at, at + timedelta(seconds=40), 8, 60, 0.5, "typed", 1)
    await records.sets.put(CALLER.user_id, row)

    async def find(*_: object) -> Any:
        stored = SimpleNamespace(version="v", family="load")
        return SimpleNamespace(model=Model(), stored=stored, level="user")

    return SimpleNamespace(
        records=records, models=SimpleNamespace(find=find), clock=lambda: NOW, config=None
    )


@pytest.mark.parametrize(
    "asked",
    [
        lambda given: forecasts.get_next_exercise(CALLER, given),
        lambda given: forecasts.get_load("row", CALLER, given),
        lambda given: forecasts.get_intensity(CALLER, given),
        lambda given: week.get_week(CALLER, given),
    ],
    ids=["next-exercise", "load", "intensity", "week"],
)
def test_sets_become_columns_in_a_thread(
    monkeypatch: pytest.MonkeyPatch, asked: Callable[[Any], Awaitable[object]]
) -> None:
    threads: set[int] = set()
    done_set = forecasts.done_set

    def noted(*given: Any) -> Any:
        threads.add(threading.get_ident())
        return done_set(*given)

    monkeypatch.setattr(forecasts, "done_set", noted)

    async def story() -> int:
        await asked(await services())
        return threading.get_ident()

    assert asyncio.run(story()) not in threads
    assert threads


@ON_NODE
def test_rows_of_a_user_are_read_in_a_thread(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[int] = set()

    def noted(row: Any) -> Any:
        threads.add(threading.get_ident())
        return row

    async def story() -> int:
        user, sets = uuid4(), Sets(database)
        await sets.put(
            user, SetRow(new_id(), new_id(), "row", NOW, NOW, None, None, None, "typed", 1)
        )
        monkeypatch.setattr("store.sets._set_row", noted)
        assert len(await sets.of_user(user)) == 1
        return threading.get_ident()

    assert asyncio.run(story()) not in threads
    assert threads
