"""Forecasts from the sets that are needed are those from all sets, and few are read."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from api.forecasts import _gone_on, _intensity, _loads, log_from
from api.needed_sets import sets_for_intensity, sets_for_next
from api.week import get_week
from models.intensity.features import FEATURES, fit_scale
from models.intensity.model import IntensityModel
from models.load.features import FORECASTS, TARGETS
from models.load.model import LoadModel
from models.next.fit import NextSettings, fit_next
from schemas.errors import NotComputedYet
from store.sets import SetRow
from tests.store.memory import memory_records
from tests.store.memory_sets import MemorySets

USER = UUID(int=1)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
EXERCISES = ("curl", "row", "squat")
RNG = np.random.default_rng(5)
LOAD = LoadModel(
    RNG.dirichlet(np.ones(len(FORECASTS)), (len(TARGETS), 2)), np.full(len(TARGETS), 0.1), 0.8, 90
)
INTENSITY_WEIGHTS = RNG.normal(0, 0.05, len(FEATURES))


@st.composite
def histories(draw: st.DrawFn) -> list[SetRow]:
    """Sessions whose ids tell nothing of their times; some go on for weeks, some are ahead."""
    rows: list[SetRow] = []
    for number in range(draw(st.integers(1, 6))):
        session = UUID(int=draw(st.integers(1, 99)) * 100 + number)
        began_h = draw(st.sampled_from([-2000, -1100, -1000, -500, -72, 0])) + number
        for place in range(draw(st.integers(1, 5))):
            rested_h = draw(st.sampled_from([0, 0, 456, 960]))
            began_h = min(began_h + rested_h, 20)
            at = NOW + timedelta(hours=began_h, minutes=place)
            rows.append(
                SetRow(
                    session,
                    UUID(int=len(rows) + 1),
                    draw(st.sampled_from(EXERCISES)),
                    at,
                    at + timedelta(seconds=30),
                    draw(st.sampled_from([None, 5, 8])),
                    draw(st.sampled_from([None, 40.0, 45.0])),
                    draw(st.sampled_from([None, 0.3, 0.9])),
                    "typed",
                    1,
                )
            )
    return rows


async def stored(rows: Sequence[SetRow]) -> MemorySets:
    sets = MemorySets()
    await sets.put_all(USER, rows)
    return sets


def any_session(rows: Sequence[SetRow]) -> st.SearchStrategy[UUID | None]:
    """Often the newest one, as it goes on."""
    newest = max(rows, key=lambda row: row.started_at).session_id
    return st.sampled_from([newest, None, UUID(int=7), *{row.session_id: None for row in rows}])


@settings(deadline=None, max_examples=150)
@given(histories(), st.data())
def test_next_exercise_is_that_of_all_sets(rows: list[SetRow], data: st.DataObject) -> None:
    session = data.draw(any_session(rows))
    known = sorted(rows, key=lambda row: row.started_at)
    known = known[: data.draw(st.integers(0, len(rows) - 1)) or None]  # or all
    model = fit_next(log_from(known), NextSettings(least_sets=1))

    async def story() -> None:
        sets = await stored(rows)
        needed = await sets_for_next(sets, USER, model.until_s, session)
        expected, *before = _gone_on(model, await sets.of_user(USER), session)
        found, *found_before = _gone_on(model, needed, session)
        assert found_before == before
        assert found.tokens.tolist() == expected.tokens.tolist()
        assert found.weights.tolist() == expected.weights.tolist()

    asyncio.run(story())


@settings(deadline=None, max_examples=40)
@given(histories(), st.sampled_from(EXERCISES), st.data())
def test_loads_and_intensity_are_those_of_all_sets(
    rows: list[SetRow], exercise: str, data: st.DataObject
) -> None:
    session = data.draw(any_session(rows))
    scale = fit_scale(log_from(rows))
    model = IntensityModel(scale, INTENSITY_WEIGHTS, 0.5, 0.1, True, 0.1, 90)
    planned = exercise, NOW.timestamp(), 8, None

    async def story() -> None:
        sets = await stored(rows)
        every = await sets.of_user(USER)
        own = await sets.of_exercise(USER, exercise)
        assert _loads(LOAD, own, exercise, session) == _loads(LOAD, every, exercise, session)
        needed = await sets_for_intensity(sets, USER, exercise, session, NOW)
        expected = _intensity(model, every, planned, session)
        assert _intensity(model, needed, planned, session) == expected

    asyncio.run(story())


class WithAll(MemorySets):
    """Reads all sets, whichever are asked for."""

    async def between(
        self, user_id: UUID, since: datetime, until: datetime | None = None
    ) -> list[SetRow]:
        return await self.of_user(user_id)


@settings(deadline=None, max_examples=20)
@given(histories(), st.sampled_from([None, date(2026, 11, 21), date(2026, 10, 1)]))
def test_week_is_that_of_all_sets(rows: list[SetRow], starts_on: date | None) -> None:
    caller: Any = SimpleNamespace(user_id=USER)

    async def story() -> None:
        weeks: list[object] = []
        for sets in (MemorySets(), WithAll()):
            await sets.put_all(USER, rows)
            records = replace(memory_records(), sets=sets)
            services: Any = SimpleNamespace(records=records, clock=lambda: NOW)
            try:
                weeks.append(await get_week(caller, services, starts_on))
            except NotComputedYet:
                weeks.append(None)
        assert weeks[0] == weeks[1]

    asyncio.run(story())


async def test_newest_sessions_alone_are_read_for_the_next_exercise() -> None:
    """Of three years of a session a day: those of a month before the model's end, and after it."""
    rows = [
        SetRow(UUID(int=n + 1), UUID(int=n + 1), "row", at, at, 8, None, None, "typed", 1)
        for n in range(1000)
        for at in (NOW - timedelta(days=n),)
    ]
    until_s = (NOW - timedelta(days=5)).timestamp()
    sets = await stored(rows)
    assert len(await sets_for_next(sets, USER, until_s, None)) == 30 + 5 + 1
