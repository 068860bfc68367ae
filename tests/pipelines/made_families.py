"""Fake model families for tests, and their live runs."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from pipelines.batch.family import BatchFamily
from pipelines.lifecycle import job as lifecycle
from pipelines.lifecycle.lease import Lease
from pipelines.lifecycle.runs import LEASE_S
from pipelines.personal.family import PersonalModel
from pipelines.personal.gate import Evidence
from pipelines.rank import RANK
from schemas.errors import NotEnoughLabels
from schemas.times import server_time
from store.champions import Champions
from store.live_runs import LiveRuns


def live(database, family):
    return asyncio.run(LiveRuns(database).read(family))


USER = str(UUID(int=1))


def fake(learn) -> BatchFamily:
    return replace(RANK, learn=lambda *_: learn())


def fail_to_learn():
    raise NotEnoughLabels("nobody is there")


def count_rows_only(patch: pytest.MonkeyPatch) -> None:
    """Let batch runs do without Spark: their rows are counted and not stored."""

    def count(job, _family, rows):
        job.run.counts["rows"] = len(rows)

    patch.setattr(lifecycle, "spark_session", lambda _config: None)
    patch.setattr("pipelines.batch.job.write_rows", count)


def wins(logs, cutoff_s):
    """A recipe whose model depends only on the number of sets of a user."""
    return [PersonalModel(b"a model of %d sets" % len(log), Evidence(10, 4.0, 5.0)) for log in logs]


def lease_of(family: str) -> Lease:
    """A lease that nobody takes away."""
    return Lease(family, lambda at: None, server_time, LEASE_S, server_time())


def withdraw(database, run_id):
    """Withdraw a run as an operator does."""
    asyncio.run(Champions(database).withdraw(run_id, "a test", datetime.now(UTC)))
