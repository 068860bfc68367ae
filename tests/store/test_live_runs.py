"""Live runs of batch jobs, and withdrawal of runs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.errors import LostChampionRace, RunWithdrawn
from schemas.ids import uuid7
from schemas.statuses import RunStatus
from store.champions import Champions
from store.database import Database
from store.jobs import JobRuns
from store.live_runs import LiveRuns
from store.user_rows import UserRows

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RUNS = [uuid7(ms, bytes(10)) for ms in (1, 2, 3)]  # in the order of their times


async def test_live_run_changes_only_from_the_expected_previous_run(
    database: Database, family: str
):
    live = LiveRuns(database)
    first, second, third = RUNS
    assert await live.read(family) is None
    assert await live.go_live(family, first, NOW, {"ari": 0.9}, None)
    assert not await live.go_live(family, second, NOW, {}, None)
    assert await live.go_live(family, second, NOW, {}, first)
    assert not await live.go_live(family, third, NOW, {}, first)
    seen = await live.read(family)
    assert (seen.run_id, seen.as_of) == (second, NOW)
    runs = {run.run_id for run in await UserRows(database).runs(NOW)}
    assert {first, second} <= runs, "an erasure finds both"


def run_at(at: datetime) -> UUID:
    return uuid7(int(at.timestamp() * 1000), uuid4().bytes)


async def finished(database: Database, family: str, hours: float, status: RunStatus) -> UUID:
    """A run that started `hours` after `NOW`."""
    at, runs = NOW + timedelta(hours=hours), JobRuns(database)
    run = run_at(at)
    await runs.start(family, run, {}, at)
    await runs.finish(family, run, status, at, counts={}, metrics={"h": hours}, reasons={})
    return run


async def went_live(database: Database, family: str, *hours: float) -> list[UUID]:
    """Runs that were live one after the other."""
    live, ids = LiveRuns(database), [await finished(database, family, h, "done") for h in hours]
    for before, run, h in zip([None, *ids], ids, hours, strict=False):
        assert await live.go_live(family, run, NOW + timedelta(hours=h), {"h": h}, before)
    return ids


def withdraw(database: Database, run: UUID):
    return Champions(database).withdraw(run, "a bad night", NOW)


async def test_withdrawn_live_runs_fall_back_one_by_one(database: Database, family: str):
    live = LiveRuns(database)
    _gone, first, second, third = await went_live(database, family, -91 * 24, 0, 1, 3)
    refused = await finished(database, family, 2, "refused")
    with pytest.raises(LostChampionRace, match=str(first)):
        await live.fall_back(family, first, NOW)
    assert [one.run_id for one in await live.kept(family, third, NOW)] == [second, first]
    for run, before in ((third, (second, 1)), (second, (first, 0))):
        await withdraw(database, run)
        at = NOW + timedelta(hours=before[1])
        seen = (family, before[0], at, {"h": before[1]})
        assert await live.fall_back(family, run, NOW) == seen
        assert await live.read(family) == seen
    assert await live.fall_back(family, first, NOW) is None  # the oldest run has no rows left
    assert await live.read(family) is None
    assert (await JobRuns(database).find(refused)).family == family
    assert await JobRuns(database).find(uuid4()) is None


async def test_withdrawn_runs_are_skipped_when_falling_back(database: Database, family: str):
    first, second, third = await went_live(database, family, 0, 1, 2)
    await withdraw(database, second)
    live = LiveRuns(database)
    assert [one.run_id for one in await live.kept(family, third, NOW)] == [first]
    assert (await live.fall_back(family, third, NOW)).run_id == first


async def test_run_withdrawn_before_going_live_never_goes_live(database: Database, family: str):
    live = LiveRuns(database)
    (_, second) = await went_live(database, family, 0, 1)
    seen = await live.read(family)
    third = await finished(database, family, 2, "running")
    await withdraw(database, third)
    with pytest.raises(RunWithdrawn, match=str(third)):
        await live.go_live(family, third, NOW, {}, second)
    assert await live.read(family) == seen  # not live even for a moment


class Meanwhile:
    """A database in which a run is withdrawn just before the first update of a pointer."""

    def __init__(self, database: Database, run: UUID) -> None:
        self._database, self._runs = database, [run]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def applied(self, cql: str, values: Sequence[object]) -> bool:
        if self._runs:
            await withdraw(self._database, self._runs.pop())
        return await self._database.applied(cql, values)


async def test_a_concurrent_withdrawal_wins_over_going_live(database: Database, family: str):
    first, second = await went_live(database, family, 0, 1)
    third = await finished(database, family, 2, "running")
    live = LiveRuns(Meanwhile(database, third))
    with pytest.raises(RunWithdrawn):
        await live.go_live(family, third, NOW, {}, second)
    assert (await live.read(family)).run_id == second

    live = LiveRuns(Meanwhile(database, first))  # the run that readers fall back to
    assert await live.fall_back(family, second, NOW) is None
    assert await live.read(family) is None
