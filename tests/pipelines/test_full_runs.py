"""A run over all users that did not get through is done again by the next one."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.exercise import job
from pipelines.lifecycle import runs
from pipelines.lifecycle.full_runs import (
    FAILURES_IN_A_ROW,
    FULL,
    full_run_due,
    full_run_mark,
)
from pipelines.lifecycle.pointers import pointers_in_effect
from schemas.errors import DatabaseUnavailable
from store.job_leases import JobLeases
from store.jobs import JobRuns
from store.models import ModelKey, Models
from store.watermarks import Watermarks
from tests.pipelines.people import LAYOUT, confirmed, done_at, put, sets_of, user_id

PEOPLE = 3
KEYS = [(user_id(person), LAYOUT) for person in range(PEOPLE)]
AFTER = timedelta(days=7)
EARLY_STEPS = {
    "the sums": (job, "fit_global_models"),
    "users' models": (job, "learn_users"),
}
STEPS = {
    "the global models": (job, "judge_and_store"),
    "users learned again": (job, "relearn_unpromoted"),
    "promotion": (job, "judge_and_promote"),
    "retirement": (job, "retire_users"),
    "outcomes": (JobRuns, "write_users"),
    "the first watermark": (Watermarks, "advance"),
    "the last watermark": (Watermarks, "advance"),
}


@pytest.fixture
def database(spark_config, people):
    """Three people, one of whom will do another set."""
    with confirmed(spark_config.cassandra, [people[0][:-1], *people[1:]]) as connection:
        yield connection


def fail_at(step: str, monkeypatch) -> None:
    """Let a full run fail at a step, before it or right after a global model went live."""
    owner, name = (EARLY_STEPS | STEPS)[step]
    original = getattr(owner, name)

    def fail(*arguments, **named):
        if step == "the global models":
            original(*arguments, **named)
        raise DatabaseUnavailable(f"gone at {step}")

    async def fail_async(self, family, *arguments):
        moved = str(family).endswith("-moved")
        last = str(family) == full_run_mark("exercise")
        if owner is Watermarks and (moved or last != (step == "the last watermark")):
            return await original(self, family, *arguments)
        raise DatabaseUnavailable(f"gone at {step}")

    monkeypatch.setattr(owner, name, fail if owner is job else fail_async)


def kill(monkeypatch) -> None:
    """Let a failing run leave as little behind as one that was killed."""

    async def nothing(*_: object, **__: object) -> None:
        """The process is gone."""

    monkeypatch.setattr(runs, "_finish", nothing)
    monkeypatch.setattr(JobLeases, "release", nothing)


@pytest.mark.parametrize(
    ("step", "killed"),
    [*((step, False) for step in STEPS), ("the global models", True), ("the last watermark", True)],
)
def test_full_run_that_ends_after_global_models_moved_is_done_again(
    database, train, monkeypatch, spar, step, killed
):
    """Only one user has changed; the others are to be mixed with the new global model too."""
    train("all", days=-1)
    now = datetime.now(UTC)
    put(database, user_id(0), done_at(sets_of(spar, 0)[-1:], now), now)
    with monkeypatch.context() as broken:
        fail_at(step, broken)
        if killed:
            kill(broken)
        with pytest.raises(DatabaseUnavailable):
            train("all", days=0.1)
    assert full_run_due(database, "exercise", now + timedelta(0.2), AFTER)
    again = train(days=0.2)
    assert again.counts["sets"] == 16 * PEOPLE
    assert "global" in again.metrics
    assert not full_run_due(database, "exercise", now + timedelta(0.3), AFTER)
    assert train(days=0.3).status == "nothing-to-do"


@pytest.mark.parametrize("step", EARLY_STEPS)
def test_full_run_that_ends_before_global_models_moved_keeps_nobody_waiting(
    database, train, monkeypatch, spar, step
):
    """What serves still fits together: only the user who has changed is learned."""
    train("all", days=-1)
    now = datetime.now(UTC)
    put(database, user_id(0), done_at(sets_of(spar, 0)[-1:], now), now)
    with monkeypatch.context() as broken:
        fail_at(step, broken)
        with pytest.raises(DatabaseUnavailable):
            train("all", days=0.1)
    assert not full_run_due(database, "exercise", now + timedelta(0.2), AFTER)
    assert train(days=0.2).counts["sets"] == 16


@pytest.mark.parametrize("killed", [False, True], ids=["failed", "killed"])
def test_full_run_that_fails_again_and_again_waits_and_changed_users_are_learned(
    database, train, monkeypatch, spar, killed
):
    train("all", days=-8)
    now = datetime.now(UTC)
    put(database, user_id(0), done_at(sets_of(spar, 0)[-1:], now), now)
    with monkeypatch.context() as broken:
        fail_at("users learned again", broken)
        if killed:
            kill(broken)
        for nth in range(FAILURES_IN_A_ROW):
            with pytest.raises(DatabaseUnavailable):
                train(days=0.1 + nth / 24)
    assert full_run_due(database, "exercise", now + timedelta(0.3), AFTER)
    meanwhile = train(days=0.3)
    assert meanwhile.counts["sets"] == 16
    assert any("the last 3 failed" in reason for reason in meanwhile.reasons)
    again = train(days=1.1)
    assert again.counts["sets"] == 16 * PEOPLE
    assert not any("failed" in reason for reason in again.reasons)
    assert not full_run_due(database, "exercise", now + timedelta(1.2), AFTER)


def test_first_full_run_that_fails_again_and_again_keeps_nobody_without_a_model(
    database, train, monkeypatch
):
    """It is not known who changed, so everybody is learned, without a global model."""
    with monkeypatch.context() as broken:
        fail_at("the sums", broken)
        for nth in range(FAILURES_IN_A_ROW):
            with pytest.raises(DatabaseUnavailable):
                train(days=nth / 24)
        with pytest.raises(DatabaseUnavailable):
            train("all", days=1.2)
        meanwhile = train(days=2.5)
    assert meanwhile.counts["sets"] == 16 * PEOPLE - 1
    assert any("the last 4 failed" in reason for reason in meanwhile.reasons)
    assert FULL not in meanwhile.metrics
    assert train(days=2.6).metrics[FULL]


def test_global_model_is_dated_by_the_clock_of_its_run_as_users_models_are(database, train):
    train("all", days=-3)
    keys = [ModelKey.of_user(*KEYS[0], "exercise"), ModelKey.of_global(LAYOUT, "exercise")]
    ((of_user,), (of_all,)) = (asyncio.run(Models(database).versions(key)) for key in keys)
    assert of_all.created_at == of_user.created_at


def test_failure_of_a_run_whose_clock_was_ahead_is_seen(database, train, monkeypatch):
    train("all")
    with monkeypatch.context() as broken:
        fail_at("users learned again", broken)
        with pytest.raises(DatabaseUnavailable):
            train("all", days=2)
    now = datetime.now(UTC) + timedelta(0.1)
    assert full_run_due(database, "exercise", now, AFTER)
    assert train(days=0.1).metrics[FULL]
    assert not full_run_due(database, "exercise", now + timedelta(0.1), AFTER)


def test_users_are_learned_with_the_global_model_that_went_live_before_a_crash(
    database, train, monkeypatch, spar
):
    train("all", days=-1)
    before = pointers_in_effect(database, KEYS, "exercise")
    now = datetime.now(UTC)
    put(database, user_id(0), done_at(sets_of(spar, 0)[-1:], now), now)
    with monkeypatch.context() as broken:
        fail_at("the global models", broken)
        with pytest.raises(DatabaseUnavailable):
            train("all", days=0.1)
    assert pointers_in_effect(database, KEYS, "exercise") == before
    assert train(days=0.2).counts["promoted"] == PEOPLE
    after = pointers_in_effect(database, KEYS, "exercise")
    assert all(after[key].version != before[key].version for key in KEYS)
