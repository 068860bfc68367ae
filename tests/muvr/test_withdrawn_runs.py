"""`muvr models rollback --run`: what is said of a run's models, and of runs without any."""

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from muvr import models as commands
from pipelines.lifecycle.runs import run_id_at
from schemas.errors import BadInput
from schemas.layout import GLOBAL_OWNER
from schemas.statuses import RunStatus
from store.champions import Champions
from store.database import Database
from store.jobs import JobRuns
from store.models import ModelKey
from store.pointers import Challenger
from tests.store.stored_models import a_model

NOW = datetime.now(UTC)
Record = Callable[..., uuid.UUID]


@pytest.fixture
def record(database: Database) -> Iterator[Record]:
    """Records a run of a family; it and the global pointer are gone after the test."""
    families: list[str] = []

    def ended(family: str, status: RunStatus = "done", **counts: int) -> uuid.UUID:
        run = run_id_at(NOW)
        families.append(family)

        async def work() -> None:
            runs = JobRuns(database)
            await runs.start(family, run, {}, NOW)
            if status != "running":
                await runs.finish(family, run, status, NOW, counts=counts, metrics={}, reasons={})

        asyncio.run(work())
        return run

    yield ended
    for family in families:
        database.execute(f"DELETE FROM job_runs WHERE family = '{family}'")
    asyncio.run(Champions(database).remove(ModelKey.of_global("wrist-acc6", "exercise")))


@pytest.fixture
def withdraw(conf: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[uuid.UUID], str]:
    """Rolls a run back; what is said, in one line."""

    def said(run: uuid.UUID) -> str:
        capsys.readouterr()
        commands.rollback(run=run, conf=conf)
        return " ".join(capsys.readouterr().out.split())

    return said


def test_what_a_run_promoted_and_retired_is_said(
    record: Record, withdraw: Callable[[uuid.UUID], str], database: Database
):
    run = record("exercise", promoted=5, retired=2, vetoed=1)
    model = a_model(GLOBAL_OWNER, b"of everybody", run)
    asyncio.run(Champions(database).promote(Challenger.of(model), None, NOW))
    said = withdraw(run)
    assert f"Run {run} of exercise promoted 5 and retired 2 models of users" in said
    assert "it moved the global exercise for wrist-acc6" in said
    assert "by the global model, or by none" in said
    assert asyncio.run(Champions(database).is_withdrawn(run))


def test_numbers_are_in_the_answer_too(
    record: Record, conf: Path, capsys: pytest.CaptureFixture[str]
):
    run = record("load", promoted=3)
    capsys.readouterr()
    commands.rollback(run=run, conf=conf, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "withdrawn": str(run),
        "family": "load",
        "promoted": 3,
        "retired": 0,
        "global": [],
    }


@pytest.mark.parametrize("family", ["exercise", "exercise-averaged", "next"])
def test_run_that_promoted_nothing_changes_nothing(
    record: Record, withdraw: Callable[[uuid.UUID], str], family: str
):
    said = withdraw(record(family, "refused", refused=4))
    assert f"of {family} promoted and retired no model: what serves stays" in said
    assert "before" not in said


def test_counts_of_a_run_that_did_not_end_well_are_lower_bounds(
    record: Record, withdraw: Callable[[uuid.UUID], str]
):
    """A killed process leaves none of what it has promoted in its record."""
    said = withdraw(record("form", "failed", promoted=1))
    assert "promoted at least 1 and retired at least 0 models of users" in said
    said = withdraw(record("form", "running"))
    assert "promoted at least 0 and retired at least 0 models of users" in said


@pytest.mark.parametrize("family", ["mart", "replay"])
def test_run_without_models_is_refused_and_not_recorded_as_withdrawn(
    record: Record, conf: Path, database: Database, family: str
):
    run = record(family)
    with pytest.raises(BadInput, match=f"{run} is one of {family}, which .* no models") as caught:
        commands.rollback(run=run, conf=conf)
    assert caught.value.field == "--run"
    assert not asyncio.run(Champions(database).is_withdrawn(run))
