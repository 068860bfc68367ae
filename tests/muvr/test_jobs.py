"""Runs are listed, and one can be repeated over the same users."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from muvr import jobs
from muvr import status as status_command
from pipelines.lifecycle.runs import run_id_at
from schemas.errors import BadInput
from schemas.statuses import RunStatus
from store.database import Database
from store.jobs import JobRun, JobRuns, UserOutcome
from tests.muvr.trainer import DAY, MONDAY, Trainer, a_run

ANNA, BEN, CLEO = sorted(uuid4() for _ in range(3))
CUTOFF = MONDAY - 30 * DAY


@pytest.fixture
def recorded(database: Database) -> Callable[..., UUID]:
    """Stores a run of `exercise` for Anna and Ben, in which Ben failed, as it ended."""

    def keep(status: RunStatus = "done", **inputs: object) -> UUID:
        run_id = run_id_at(MONDAY)
        outcomes = [
            UserOutcome(ANNA, "wrist-acc6", "promoted", "", "v", "{}"),
            UserOutcome(ANNA, "wrist-acc3", "promoted", "", "v", "{}"),
            UserOutcome(BEN, "wrist-acc6", "failed", "IndexError", "", "{}"),
        ]

        async def write() -> None:
            await JobRuns(database).start("exercise", run_id, inputs, MONDAY)
            await JobRuns(database).write_users(run_id, outcomes)
            if status != "running":
                await JobRuns(database).finish(
                    "exercise", run_id, status, MONDAY, counts={}, metrics={}, reasons={}
                )

        asyncio.run(write())
        return run_id

    return keep


@pytest.mark.usefixtures("capsys")
@pytest.mark.parametrize(
    ("inputs", "failed", "expected"),
    [
        ({"users": 2, "engine": "local"}, False, ([ANNA, BEN], "local", None)),
        ({"users": "changed"}, False, ([ANNA, BEN], "spark", None)),
        ({"users": "changed", "status": "failed"}, False, ("changed", "spark", None)),
        ({"users": "changed", "status": "running"}, False, ("changed", "spark", None)),
        ({"users": "changed", "status": "failed"}, True, ([BEN], "spark", None)),
        ({"users": 2, "status": "failed"}, False, ([ANNA, BEN], "spark", None)),
        ({"users": "all", "cutoff_at": str(CUTOFF)}, False, ("all", "spark", CUTOFF)),
        ({"users": "all", "cutoff_at": "None"}, True, ([BEN], "spark", None)),
    ],
)
def test_a_rerun_covers_the_users_whom_the_run_was_to_read(
    recorded: Callable[..., UUID],
    trainer: Trainer,
    conf: Path,
    inputs: dict[str, Any],
    failed: bool,
    expected: tuple[object, ...],
):
    jobs.rerun("exercise", recorded(**inputs), failed=failed, conf=conf, as_json=True)
    assert trainer.asked == [("exercise", *expected)]


def test_rerunning_failed_users_of_a_run_without_any_is_refused():
    with pytest.raises(BadInput, match="Nobody failed"):
        jobs.users_to_rerun(a_run("done", MONDAY), [], only_failed=True)


def test_rerunning_a_killed_run_over_named_users_requires_their_names():
    named = a_run("failed", MONDAY, "exercise", users=3)
    with pytest.raises(BadInput, match="3 named users.*name them: muvr train exercise"):
        jobs.users_to_rerun(named, [], only_failed=False)
    one_of_them = UserOutcome(ANNA, "wrist-acc6", "failed", "IndexError", "", "{}")
    with pytest.raises(BadInput, match="3 named users and ended before it recorded them all"):
        jobs.users_to_rerun(named, [one_of_them], only_failed=False)
    whoever = a_run("failed", MONDAY, "exercise", users="changed")
    assert jobs.users_to_rerun(whoever, [], only_failed=False) == "changed"


def test_rerunning_a_run_in_which_no_named_user_had_sets_requires_other_users():
    named = a_run("nothing-to-do", MONDAY, "exercise", users=3)
    with pytest.raises(
        BadInput, match="3 named users.*no named user had sets.*who have sets: muvr"
    ):
        jobs.users_to_rerun(named, [], only_failed=False)


@pytest.mark.parametrize(
    "run", [a_run("refused", MONDAY, users="changed"), a_run("failed", MONDAY, "exercise-averaged")]
)
def test_a_rerun_of_a_full_run_is_a_full_run(run: JobRun):
    """A rerun for changed users would have nothing to do."""
    assert jobs.users_to_rerun(run, [], only_failed=False) == "all"


def test_a_run_whose_process_was_killed_looks_like_it(
    database: Database,
    recorded: Callable[..., UUID],
    conf: Path,
    capsys: pytest.CaptureFixture[str],
):
    database.execute("DELETE FROM job_runs WHERE family = 'exercise'")  # all began at that time
    run = recorded("running", users="changed")
    told = "running, no sign of life since 2026-11-16 09:00 UTC"
    for show in (
        lambda: jobs.list_jobs("exercise", conf=conf),
        lambda: jobs.show_job("exercise", run, conf=conf),
        lambda: status_command.status(conf=conf),
    ):
        show()
        assert told in capsys.readouterr().out
    jobs.list_jobs("exercise", conf=conf, as_json=True)
    assert '"status": "running"' in capsys.readouterr().out


def test_listing_jobs_without_runs_prints_a_message(conf: Path, capsys: pytest.CaptureFixture[str]):
    jobs.list_jobs("week", conf=conf)
    assert capsys.readouterr().out == "No run of week yet.\n"
