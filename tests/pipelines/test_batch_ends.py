"""A batch run that ends between going live and its record can be rolled back like any other."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from pipelines.batch.family import BatchResult
from pipelines.batch.job import train_batch
from schemas.errors import DatabaseUnavailable
from store.jobs import JobRuns
from store.live_runs import LiveRuns
from store.watermarks import Watermarks
from tests.pipelines.made_families import USER, count_rows_only, fake, live, withdraw
from tests.spark_session import emptied

BEFORE, AFTER = (LiveRuns, "go_live", "before"), (LiveRuns, "go_live", "after")
# A step, and whether the process is killed there. As simulated here, a run that is killed anywhere
# after `go_live` leaves the same: none of the later steps is recorded.
LIVE_ENDS = [
    (AFTER, False),
    (AFTER, True),
    ((JobRuns, "write_users", "before"), False),
    ((Watermarks, "advance", "before"), False),
    ((JobRuns, "finish", "before"), False),
]
ENDS = [(BEFORE, False), (BEFORE, True), *LIVE_ENDS]


def name_of(value):
    """The id of a step or of `killed`."""
    return f"{value[2]} {value[1]}" if isinstance(value, tuple) else f"killed={value}"


@pytest.fixture(scope="module")
def database(spark_config):
    with emptied(spark_config.cassandra) as connection:
        yield connection


class Nights:
    """Runs of a family, one each night."""

    def __init__(self, database, spark_config):
        self.database, self.config = database, spark_config
        self.name, self.at = f"nightly-{uuid4()}", datetime.now(UTC)

    def train(self, rank):
        self.at += timedelta(hours=1)
        family = replace(fake(lambda: BatchResult([(USER, rank, 1)], {})), name=self.name)
        return train_batch(family, self.config, clock=lambda: self.at)

    def train_until(self, end, monkeypatch, rank, *, killed):
        """A run that gets no further than one step; returns its id."""
        owner, method, when = end
        whole = getattr(owner, method)

        async def interrupted(*args, **kwargs):
            if when == "after":
                await whole(*args, **kwargs)
            raise DatabaseUnavailable(f"gone {when} {method}")

        async def unwritten(*_args, **_kwargs):
            raise DatabaseUnavailable("nothing is recorded of a killed process")

        with monkeypatch.context() as broken:
            if killed:
                broken.setattr(JobRuns, "write_users", unwritten)
                broken.setattr(JobRuns, "finish", unwritten)
            broken.setattr(owner, method, interrupted)
            with pytest.raises(DatabaseUnavailable):
                self.train(rank)
        return asyncio.run(JobRuns(self.database).newest(self.name, 1))[0].run_id

    def rollback(self, run_id):
        """What `muvr models rollback --run` does; the run that is live then."""
        withdraw(self.database, run_id)
        seen = live(self.database, self.name)
        if seen.run_id == run_id:
            asyncio.run(LiveRuns(self.database).fall_back(self.name, run_id, self.at))
        return live(self.database, self.name).run_id

    def read(self, run_id):
        return asyncio.run(JobRuns(self.database).read(self.name, run_id))


@pytest.fixture
def nights(database, spark_config, monkeypatch):
    count_rows_only(monkeypatch)
    return Nights(database, spark_config)


@pytest.mark.parametrize(("end", "killed"), ENDS, ids=name_of)
def test_rollback_finds_a_run_that_ended_after_it_went_live(nights, monkeypatch, end, killed):
    first = nights.train(1.0).run_id
    second = nights.train_until(end, monkeypatch, 2.0, killed=killed)
    was_live = live(nights.database, nights.name).run_id
    assert was_live == (first if end == BEFORE else second)

    third = nights.train(3.0).run_id
    assert nights.read(second).status in ("done", "failed")
    assert nights.rollback(third) == was_live


@pytest.mark.parametrize(("end", "killed"), LIVE_ENDS, ids=name_of)
def test_withdrawn_rows_of_a_run_without_an_end_stay_away(nights, monkeypatch, end, killed):
    first = nights.train(1.0).run_id
    second = nights.train_until(end, monkeypatch, 2.0, killed=killed)
    assert nights.rollback(second) == first
    again = nights.train(2.0)
    reason = f"the same rows as those of run {second}, which was withdrawn"
    assert (again.status, again.reasons) == ("refused", {reason: 1})
    assert live(nights.database, nights.name).run_id == first


def test_killed_run_that_is_live_is_recorded_as_done(nights, monkeypatch):
    nights.train(1.0)
    second = nights.train_until(AFTER, monkeypatch, 2.0, killed=True)
    assert nights.read(second).status == "running"
    nights.train(2.0)
    run = nights.read(second)
    assert (run.status, run.counts["rows"]) == ("done", 1)
    assert "ended without a word" in next(iter(run.reasons))
