"""A run holds a lease and is recorded, however it ends."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from pipelines.lifecycle.runs import Run, leased_run, run_id_at
from pipelines.lifecycle.scope import changed_or_unfinished
from schemas.errors import BadSets, DatabaseUnavailable, LeaseHeld, LeaseLost
from schemas.times import us_of
from store.changes import Changes
from store.jobs import JobRuns, UserOutcome
from store.watermarks import ANNOUNCED_BEFORE, Watermarks
from tests.pipelines.made_families import lease_of

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_successful_run_moves_the_watermark(database, family):
    user = uuid4()
    with leased_run(database, family, {"users": "all"}, clock=lambda: NOW) as run:
        run.add_outcomes([UserOutcome(user, "wrist-acc6", "failed", "no samples", "", "{}")])
        run.counts["sets"] = 3
        run.read_until = NOW - timedelta(minutes=1)
    kept = asyncio.run(JobRuns(database).read(family, run.run_id))
    assert kept.status == "done"
    assert kept.counts == {"failed": 1, "sets": 3}
    assert kept.reasons == {"no samples": 1}
    assert asyncio.run(Watermarks(database).read(family, NOW)) == NOW - timedelta(minutes=1)
    [outcome] = asyncio.run(JobRuns(database).users(run.run_id))
    assert outcome.user_id == user


def test_failed_run_records_a_reason_frees_the_lease_and_keeps_the_watermark(database, family):
    def fail() -> None:
        with leased_run(database, family, {}, clock=lambda: NOW) as run:
            run.read_until = NOW
            raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        fail()
    [kept] = asyncio.run(JobRuns(database).newest(family))
    assert (kept.status, kept.reasons) == ("failed", {"ZeroDivisionError: a bug": 1})
    assert asyncio.run(Watermarks(database).read(family, NOW)) is None
    with leased_run(database, family, {}, clock=lambda: NOW):
        pass  # the lease is free


def test_watermark_is_written_after_the_outcomes(database, family, monkeypatch):
    """The next run reads the failed users, which it tries again, from the outcomes."""

    async def away(*_: object) -> None:
        raise DatabaseUnavailable("gone while the outcomes were written")

    def run() -> None:
        with leased_run(database, family, {}, clock=lambda: NOW) as run:
            run.add_outcomes([UserOutcome(uuid4(), "sets", "failed", "", "", "{}")])
            run.mark_read()

    with monkeypatch.context() as broken:
        broken.setattr(JobRuns, "write_users", away)
        with pytest.raises(DatabaseUnavailable):
            run()
    assert asyncio.run(Watermarks(database).newest(family)) is None
    [kept] = asyncio.run(JobRuns(database).newest(family))
    assert kept.status == "failed"
    run()
    assert asyncio.run(Watermarks(database).newest(family)) is not None


def test_all_users_are_read_once_after_a_clock_that_was_ahead(database, family):
    for now in (NOW + timedelta(days=300), NOW):
        assert changed_or_unfinished(database, family, now) is None
        with leased_run(database, family, {}, clock=lambda now=now: now) as run:
            run.mark_read()
    # Users of other tests may have changed since; it is a selection, no longer all users.
    assert changed_or_unfinished(database, family, NOW) is not None


def test_reasons_of_a_run_name_no_rows_as_they_outlive_their_users(database, family):
    user, session = uuid4(), uuid4()
    reason = f"BadSets: reps -1 of a set in session {session} is not a number from 0 to 1000"

    def fail() -> None:
        with leased_run(database, family, {}, clock=lambda: NOW) as run:
            run.add_outcomes([UserOutcome(user, "", "failed", reason, "", "{}")])
            raise BadSets(f"half a set in session {session}")

    with pytest.raises(BadSets):
        fail()
    [kept] = asyncio.run(JobRuns(database).newest(family))
    assert sorted(kept.reasons) == [
        "BadSets: half a set in session (id)",
        "BadSets: reps -1 of a set in session (id) is not a number from 0 to 1000",
    ]
    [outcome] = asyncio.run(JobRuns(database).users(kept.run_id))
    assert outcome.reason == reason


def test_second_run_is_refused_while_the_first_holds_the_lease(database, family):
    with (
        leased_run(database, family, {}, clock=lambda: NOW),
        pytest.raises(LeaseHeld),
        leased_run(database, family, {}, clock=lambda: NOW),
    ):
        pytest.fail("two runs at once")


def test_killed_run_is_recorded_as_failed_by_the_next_one(database, family):
    runs, killed, alive = JobRuns(database), run_id_at(NOW), uuid4()
    asyncio.run(runs.start(family, killed, {"users": "all"}, NOW))
    asyncio.run(runs.start(f"{family}-other", alive, {}, NOW))
    asyncio.run(runs.heartbeat(family, killed, NOW + timedelta(seconds=30)))
    with leased_run(database, family, {}, clock=lambda: NOW + timedelta(minutes=5)) as run:
        kept = asyncio.run(runs.read(family, killed))
        assert (kept.status, kept.finished_at) == ("failed", NOW + timedelta(seconds=30))
        assert "ended without a word" in next(iter(kept.reasons))
        assert asyncio.run(runs.read(family, run.run_id)).status == "running"
    assert asyncio.run(runs.read(f"{family}-other", alive)).status == "running"


def test_seconds_of_a_repeated_step_are_added(monkeypatch):
    """The second use of the engine finds it running; the seconds of its start are kept."""
    times = iter(NOW + timedelta(seconds=s) for s in (0, 5, 7, 7.25))
    monkeypatch.setattr("pipelines.lifecycle.runs.server_time", lambda: next(times))
    run = Run("rank", uuid4(), NOW, lease_of("rank"))
    for _ in range(2):
        with run.step("engine"):
            pass
    assert run.seconds == {"engine": 5.25}


def test_change_announced_before_a_run_and_written_after_it_is_read_by_the_next(database, family):
    """A set's samples are read between the announcement of the change and its write."""
    user = uuid4()
    with leased_run(database, family, {}, clock=lambda: NOW) as run:
        run.mark_read()
    announced_at = NOW - ANNOUNCED_BEFORE + timedelta(seconds=1)
    asyncio.run(Changes(database).announce(user, "sets", us_of(announced_at)))
    changed = changed_or_unfinished(database, family, NOW + timedelta(days=1))
    assert changed is not None
    assert user in changed


def test_run_that_lost_its_lease_at_its_end_moves_no_watermark(database, family):
    """As by an error of the thread that extends it: the run has no later point to notice."""

    def run() -> None:
        with leased_run(database, family, {}, clock=lambda: NOW) as run:
            run.mark_read()
            run.lease.lost = "RuntimeError: a bug"

    with pytest.raises(LeaseLost):
        run()
    assert asyncio.run(Watermarks(database).newest(family)) is None
    [kept] = asyncio.run(JobRuns(database).newest(family))
    assert kept.status == "failed"
    assert "RuntimeError: a bug" in next(iter(kept.reasons))


def test_lease_is_extended_while_the_outcomes_are_written(database, family, monkeypatch):
    """Those of a hundred thousand users take longer than a lease lasts."""
    beating: list[bool] = []

    async def write_users(*_: object) -> None:
        beating.append(f"heartbeat-{family}" in {thread.name for thread in threading.enumerate()})

    monkeypatch.setattr(JobRuns, "write_users", write_users)
    with leased_run(database, family, {}, clock=lambda: NOW):
        pass
    assert beating == [True]


def test_run_ids_sort_by_time():
    ids = [run_id_at(NOW + timedelta(seconds=n)) for n in range(5)]
    assert ids == sorted(ids)
    assert {id_.version for id_ in ids} == {7}
