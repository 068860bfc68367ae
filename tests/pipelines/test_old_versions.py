"""A run empties old versions of users whom it learned, of other ones each time."""

import asyncio
from uuid import UUID, uuid4

import pytest

from pipelines.lifecycle import old_versions
from pipelines.lifecycle.job import Job, finish_run
from pipelines.lifecycle.old_versions import ONE_IN
from pipelines.lifecycle.runs import Run
from schemas.config import Config
from schemas.errors import DatabaseUnavailable, LeaseHeld
from schemas.layout import owner_of
from schemas.progress import NoProgress
from schemas.retention import UNNAMED_VERSIONS_KEPT
from store.champions import Champions
from store.jobs import UserOutcome
from store.models import Models
from store.pointers import Challenger
from tests.cassandra_node import ON_NODE
from tests.pipelines.made_families import lease_of
from tests.store.stored_models import NOW, a_model

FAMILY = "exercise"
LATER = NOW + 2 * UNNAMED_VERSIONS_KEPT


@pytest.fixture
def stored(database):
    """Users with an old version that serves, and one that was refused; by their last bits."""
    users = [UUID(int=(uuid4().int & ~(ONE_IN - 1)) + n) for n in range(ONE_IN)]

    async def store():
        for user in users:
            serving, refused = (a_model(owner_of(user), name) for name in (b"serving", b"refused"))
            await Models(database).put(serving)
            await Models(database).put(refused)
            await Champions(database).promote(Challenger.of(serving), None, NOW)

    asyncio.run(store())
    return users


def kept(database, user):
    """The contents of a user's versions."""
    key = a_model(owner_of(user), b"").key
    models = Models(database)

    async def read():
        versions = await models.versions(key)
        return {(await models.get(key, one.version)).content for one in versions}

    return asyncio.run(read())


def job_that_learned(database, users, last_bits):
    """A job at the end of a run of these users, which stored a version for each."""
    lease = lease_of(FAMILY)
    run = Run(FAMILY, UUID(int=(uuid4().int & ~(ONE_IN - 1)) + last_bits), LATER, lease)
    run.outcomes = [UserOutcome(user, "wrist-acc6", "refused", "", "new", "{}") for user in users]
    for user in users:
        asyncio.run(
            Models(database).put(a_model(owner_of(user), b"new")._replace(created_at=LATER))
        )
    return Job(Config(), database, run, NoProgress(), "local")


@ON_NODE
def test_every_eighth_user_of_a_run_keeps_what_serves_and_what_is_new(database, stored):
    left_out, users = stored[0], stored[1:]
    for last_bits in range(ONE_IN):
        finish_run(job_that_learned(database, users, last_bits), users)
        emptied = [user for user in stored if b"refused" not in kept(database, user)]
        assert emptied == users[:last_bits], "one more for each run"
    assert all(kept(database, user) == {b"serving", b"new"} for user in users)
    assert kept(database, left_out) == {b"serving", b"refused"}, "no run learned him"


@ON_NODE
def test_a_run_that_lost_its_lease_empties_nothing(database, stored):
    """Another run may be learning the same bytes again."""
    job = job_that_learned(database, stored, 0)
    job.run.lease.lost = "taken by another run"
    with pytest.raises(LeaseHeld):
        finish_run(job, stored)
    assert all(b"refused" in kept(database, user) for user in stored)


@ON_NODE
def test_a_run_that_cannot_look_through_old_versions_ends_as_it_would(
    database, stored, monkeypatch
):
    """What it has promoted serves already; the next run looks again."""

    async def unavailable(*_):
        raise DatabaseUnavailable("Cassandra did not answer: ReadTimeout")

    monkeypatch.setattr(old_versions, "empty_unnamed_versions", unavailable)
    job = job_that_learned(database, stored, 0)
    finish_run(job, "all")
    run = job.run
    assert (run.status, run.read_until) == ("done", run.all_read_until)
    assert dict(run.reasons) == {
        "old versions were not looked through: Cassandra did not answer: ReadTimeout": 1
    }
