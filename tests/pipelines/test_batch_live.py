"""Which rows of a batch job go live: none of refused, incomplete, withdrawn or expired runs."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from pipelines.batch.family import BatchResult
from pipelines.batch.job import train_batch
from schemas.errors import IncompleteRun
from schemas.times import us_of
from store.changes import Changes
from store.jobs import JobRuns
from store.live_runs import LiveRuns
from tests.pipelines.made_families import USER, count_rows_only, fail_to_learn, fake, live, withdraw
from tests.spark_session import emptied


@pytest.fixture(scope="module")
def database(spark, spark_config):
    with emptied(spark_config.cassandra) as connection:
        yield connection


def test_refused_and_incomplete_runs_do_not_go_live(database, spark_config):
    first = train_batch(fake(lambda: BatchResult([(USER, 1.0, 1)], {})), spark_config)
    assert live(database, "rank").run_id == first.run_id

    refused = train_batch(fake(lambda: BatchResult([(USER, 2.0, 1)], {}, "it loses")), spark_config)
    assert (refused.status, refused.reasons) == ("refused", {"it loses": 1})
    with pytest.raises(IncompleteRun):  # two rows under one key: one is lost
        train_batch(fake(lambda: BatchResult([(USER, 1.0, 1), (USER, 2.0, 2)], {})), spark_config)
    assert live(database, "rank").run_id == first.run_id
    empty = train_batch(fake(fail_to_learn), spark_config)
    assert (empty.status, empty.reasons) == ("not-learned", {"nobody is there": 1})
    assert empty.metrics["retired"] == str(first.run_id)
    assert live(database, "rank") is None  # its people are gone

    train_batch(fake(lambda: BatchResult([(USER, 1.0, 1)], {})), spark_config)
    second = train_batch(fake(lambda: BatchResult([(USER, 3.0, 1)], {})), spark_config)
    assert live(database, "rank").run_id == second.run_id


def test_withdrawn_rows_are_refused_while_other_rows_are_live(database, spark_config, monkeypatch):
    """They go live again if no other rows are live."""
    count_rows_only(monkeypatch)

    def train(rank, **asked):
        family = replace(fake(lambda: BatchResult([(USER, rank, 1)], {})), name="fleeting")
        return train_batch(family, spark_config, **asked)

    def rollback(run_id):
        withdraw(database, run_id)
        asyncio.run(LiveRuns(database).fall_back("fleeting", run_id, datetime.now(UTC)))

    rollback(train(1.0).run_id)
    assert live(database, "fleeting") is None
    asyncio.run(Changes(database).announce(UUID(USER), "follows", us_of(datetime.now(UTC))))
    good = train(1.0, only_changed=True)
    assert good.status == "done"

    bad = train(2.0)
    rollback(bad.run_id)
    assert live(database, "fleeting").run_id == good.run_id
    again = train(2.0)
    reason = f"the same rows as those of run {bad.run_id}, which was withdrawn"
    assert (again.status, again.reasons) == ("refused", {reason: 1})
    assert live(database, "fleeting").run_id == good.run_id
    assert train(1.0).status == "done"  # what is live may be written again


def test_run_withdrawn_while_it_is_running_does_not_go_live(database, spark_config, monkeypatch):
    count_rows_only(monkeypatch)

    def learn_while_it_is_withdrawn():
        [running] = asyncio.run(JobRuns(database).newest("halted", 1))
        withdraw(database, running.run_id)
        return BatchResult([(USER, 2.0, 1)], {})

    def train(learn):
        return train_batch(replace(fake(learn), name="halted"), spark_config)

    first = train(lambda: BatchResult([(USER, 1.0, 1)], {}))
    second = train(learn_while_it_is_withdrawn)
    reason = f"run {second.run_id} of halted was withdrawn before it was live"
    assert (second.status, second.reasons) == ("refused", {reason: 1})
    assert live(database, "halted").run_id == first.run_id


def test_unchanged_rows_are_written_again_before_they_expire(database, spark_config):
    """Cassandra keeps the rows of a run for 90 days; the live run must not lose them."""
    family = replace(fake(lambda: BatchResult([(USER, 1.0, 1)], {})), name="lasting")

    def train(days):
        at = begun + timedelta(days=days)
        return train_batch(family, spark_config, only_changed=True, clock=lambda: at)

    begun = datetime.now(UTC)
    first = train(0)
    assert (train(50).status, live(database, "lasting").run_id) == ("nothing-to-do", first.run_id)
    again = train(61)
    assert (again.status, again.counts["rows"]) == ("done", 1)
    assert live(database, "lasting").run_id == again.run_id
    assert live(database, "lasting").metrics["digest"] == first.metrics["digest"]
    assert train(62).status == "nothing-to-do"
