"""Fake model families for tests, and their live runs."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from pipelines.batch.family import BatchFamily
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


def wins(logs, cutoff_s):
    """A recipe whose model depends only on the number of sets of a user."""
    return [PersonalModel(b"a model of %d sets" % len(log), Evidence(10, 4.0, 5.0)) for log in logs]


def lease_of(family: str) -> Lease:
    """A lease that nobody takes away."""
    return Lease(family, lambda at: None, server_time, LEASE_S, server_time())


def withdraw(database, run_id):
    asyncio.run(Champions(database).withdraw(run_id, "a test", datetime.now(UTC)))
