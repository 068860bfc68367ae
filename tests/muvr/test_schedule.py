"""A due job runs once, missed jobs are caught up once, and a run can be repeated."""

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml

from muvr import jobs, schedule
from muvr.context import CommandContext
from muvr.family_jobs import TrainingEngine, run_job
from muvr.schedule import run_due_jobs, scheduled_job, scheduled_jobs
from muvr.terminal import Terminal
from pipelines.lifecycle.runs import LEASE_S, RunReport, run_id_at
from schemas.config import Cassandra, Config, Schedule
from schemas.config_file import load_config
from schemas.errors import BadConfig, BadInput, DatabaseUnavailable, LeaseHeld
from schemas.statuses import RunStatus
from store.database import Database
from store.file_lock import lock_soon
from store.jobs import JobRun, JobRuns, UserOutcome
from tests.cassandra_node import CHECKOUT

NIGHTLY = "0 2 * * *"
MONDAY = datetime(2026, 11, 16, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Trainer:
    """A fake for the jobs: records calls and fails when told to."""

    now: datetime = MONDAY
    asked: list[tuple[str, Any]] = field(default_factory=list)
    fails: dict[str, Exception] = field(default_factory=dict)

    def run_job(self, context: CommandContext, family: str, users: Any, *more: Any) -> RunReport:
        self.asked.append((family, users, *more))
        if family in self.fails:
            raise self.fails[family]
        return RunReport(family, run_id_at(self.now), "nothing-to-do", {}, {}, {}, {})


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    made = Trainer()
    monkeypatch.setattr(schedule, "run_job", made.run_job)
    monkeypatch.setattr(jobs, "run_job", made.run_job)
    monkeypatch.setattr(schedule, "server_time", lambda: made.now)
    return made


@pytest.fixture
def context(keyspace: Cassandra, database: Database, tmp_path: Path) -> Iterator[CommandContext]:
    times = Schedule(jobs={"rank": NIGHTLY, "clusters": "0 3 * * 1", "form": ""})
    yield CommandContext(
        Config(cassandra=keyspace, schedule=times), tmp_path / "conf.yaml", Terminal(as_json=True)
    )
    for family in times.jobs:
        cql = "DELETE FROM watermarks WHERE family = ? IF EXISTS"
        database.execute(cql, (f"schedule:{family}",))


def test_due_jobs_run_once_and_missed_ones_are_caught_up_once(
    context: CommandContext, trainer: Trainer
):
    first = run_due_jobs(context)
    assert [(job.family, job.due_at) for job in first] == [
        ("rank", MONDAY.replace(hour=2)),
        ("clusters", MONDAY.replace(hour=3)),
    ]
    assert trainer.asked == [("rank", "changed"), ("clusters", "changed")]
    assert run_due_jobs(context) == [], "a second call has nothing to do"

    trainer.now += 5 * DAY
    assert [(job.family, job.due_at) for job in run_due_jobs(context)] == [
        ("rank", (MONDAY + 5 * DAY).replace(hour=2))
    ]
    assert run_due_jobs(context) == []
    assert len(trainer.asked) == 3
    states = {job.family: (job.state, job.next_at) for job in scheduled_jobs(context, trainer.now)}
    assert states == {
        "rank": ("waiting", (MONDAY + 6 * DAY).replace(hour=2)),
        "clusters": ("waiting", (MONDAY + 7 * DAY).replace(hour=3)),
    }


@pytest.mark.parametrize(
    "why", [LeaseHeld("busy"), DatabaseUnavailable("gone"), ValueError("a bug")]
)
def test_a_failed_job_stays_due_and_does_not_stop_others(
    context: CommandContext, trainer: Trainer, why: Exception
):
    trainer.fails["rank"] = why
    kept = {job.family: job.status for job in run_due_jobs(context)}
    assert kept["clusters"] == "nothing-to-do"
    assert kept["rank"].startswith("another run" if isinstance(why, LeaseHeld) else "failed")
    trainer.fails.clear()
    assert [job.family for job in run_due_jobs(context)] == ["rank"]


@pytest.mark.parametrize(("users", "everybody"), [("changed", False), ("all", True)])
def test_the_mart_is_a_job_like_a_familys(
    context: CommandContext, monkeypatch: pytest.MonkeyPatch, users: Any, everybody: bool
):
    asked: list[tuple[Config, bool]] = []

    def refresh(config: Config, *, everybody: bool, progress: object) -> str:
        asked.append((config, everybody))
        return "its report"

    monkeypatch.setattr("pipelines.mart.job.refresh_mart", refresh)
    assert run_job(context, "mart", users) == "its report"
    assert asked == [(context.config, everybody)]


@pytest.mark.parametrize(
    ("begins", "inputs", "status", "is_due"),
    [
        (HOUR, {"users": "all"}, "done", False),
        (HOUR, {"users": "changed"}, "nothing-to-do", False),
        (HOUR, {}, "refused", False),
        (HOUR, {"users": 2}, "done", True),
        (HOUR, {"users": "all"}, "failed", True),
        (-HOUR, {"users": "all"}, "done", True),
    ],
)
def test_a_manual_full_run_since_the_due_time_is_not_repeated(
    context: CommandContext,
    database: Database,
    begins: timedelta,
    inputs: dict[str, object],
    status: RunStatus,
    is_due: bool,
):
    due_at = MONDAY.replace(hour=2)
    named = (due_at + 2 * HOUR, {"users": 1}, "done")  # a later run over named users does not count
    by_hand = [(due_at + begins, inputs, status), named]

    async def record_runs() -> None:
        runs = JobRuns(database)
        for started_at, asked, ended in by_hand:
            run_id = run_id_at(started_at)
            await runs.start("rank", run_id, asked, started_at)
            await runs.finish("rank", run_id, ended, started_at, counts={}, metrics={}, reasons={})

    asyncio.run(record_runs())
    [job] = [job for job in scheduled_jobs(context, MONDAY) if job.family == "rank"]
    database.execute("DELETE FROM job_runs WHERE family = 'rank'")
    assert (job.state, job.done_until) == (("due", None) if is_due else ("waiting", due_at))


def a_run(status: str, started_at: datetime, family: str = "rank", **inputs: object) -> JobRun:
    return JobRun(family, uuid4(), status, started_at, None, None, inputs, {}, {}, {})


def test_a_failed_run_is_retried_after_a_delay():
    failed = a_run("failed", MONDAY - 7 * HOUR + timedelta(seconds=5))  # due at two

    def state(now: datetime, newest: JobRun) -> str:
        return scheduled_job("rank", NIGHTLY, now, None, [newest], HOUR).state

    assert state(MONDAY - 6 * HOUR, failed) == "failed, waits"
    assert state(MONDAY - 6 * HOUR + timedelta(minutes=1), failed) == "due"
    before = a_run("failed", MONDAY - 7.5 * HOUR)
    assert state(MONDAY - 7 * HOUR, before) == "due", "it failed before the time that is due now"
    ahead = a_run("failed", MONDAY + 300 * DAY)
    assert state(MONDAY, ahead) == "due", "a run in the future comes from a wrong clock"
    assert state(MONDAY, a_run("running", MONDAY)) == "due", "its lease tells if it is alive"
    long = failed._replace(finished_at=MONDAY)  # seven hours of work
    assert state(MONDAY + HOUR / 2, long) == "failed, waits"
    assert state(MONDAY + HOUR, long) == "due"


def test_a_killed_run_is_retried_after_a_delay():
    """When memory runs out, the system kills the process that would record the failure."""
    begun_at, killed_at = MONDAY - 6 * HOUR, MONDAY - 2 * HOUR
    killed = a_run("running", begun_at)._replace(heartbeat_at=killed_at)

    def state(after_kill: timedelta) -> str:
        return scheduled_job("rank", NIGHTLY, killed_at + after_kill, None, [killed], HOUR).state

    lease = timedelta(seconds=LEASE_S)
    assert state(lease) == "due", "its lease tells if it is alive"
    assert state(lease + timedelta(seconds=1)) == "failed, waits"
    assert state(HOUR - timedelta(seconds=1)) == "failed, waits"
    assert state(HOUR) == "due"


@pytest.mark.parametrize(
    ("after_due", "is_done"),
    [(-timedelta(seconds=1), False), (timedelta(), True), (7 * HOUR, True), (8 * HOUR, False)],
)
def test_a_run_counts_from_its_due_time_until_now(after_due: timedelta, *, is_done: bool):
    due_at = MONDAY.replace(hour=2)  # seven hours ago; what begins later had a wrong clock
    job = scheduled_job("rank", NIGHTLY, MONDAY, None, [a_run("done", due_at + after_due)], HOUR)
    assert (job.state, job.done_until) == (("waiting", due_at) if is_done else ("due", None))


@pytest.mark.parametrize(
    ("done_until", "state"),
    [(timedelta(), "waiting"), (DAY, "waiting"), (-DAY, "due"), (-timedelta(seconds=1), "due")],
)
def test_a_job_is_due_unless_its_due_time_is_done(done_until: timedelta, state: str):
    due_at = MONDAY.replace(hour=2)
    job = scheduled_job("rank", NIGHTLY, MONDAY, due_at + done_until, [], HOUR)
    assert (job.state, job.due_at, job.last_run) == (state, due_at, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{rnk: 0 2 * * *}", "rank"),
        ("{rank: 0 2 * *}", "five"),
        ("{reps: ''}", "reps"),
        ("{exercise-search: 0 2 * * *}", "exercise-search"),
    ],
)
def test_an_invalid_schedule_is_refused(tmp_path: Path, text: str, says: str):
    conf = tmp_path / "conf.yaml"
    conf.write_text(f"schedule: {{jobs: {text}}}\n")
    with pytest.raises(BadConfig, match=says):
        load_config(conf, {})
    for good in ("rank", "exercise-averaged", "mart"):
        asked = {"MUVR_SCHEDULE__JOBS": f"{{{good}: 1 2 * * *}}"}
        assert load_config(CHECKOUT / "conf.yaml", asked).schedule.jobs.keys() == {good}


# --- repeating a run

ANNA, BEN, CLEO = sorted(uuid4() for _ in range(3))
CUTOFF = MONDAY - 30 * DAY


@pytest.fixture
def recorded(database: Database) -> Callable[..., UUID]:
    """Stores a run of `exercise` for Anna and Ben, in which Ben failed."""

    def keep(**inputs: object) -> UUID:
        run_id = run_id_at(MONDAY)
        outcomes = [
            UserOutcome(ANNA, "wrist-acc6", "promoted", "", "v", "{}"),
            UserOutcome(ANNA, "wrist-acc3", "promoted", "", "v", "{}"),
            UserOutcome(BEN, "wrist-acc6", "failed", "IndexError", "", "{}"),
        ]

        async def write() -> None:
            await JobRuns(database).start("exercise", run_id, inputs, MONDAY)
            await JobRuns(database).write_users(run_id, outcomes)

        asyncio.run(write())
        return run_id

    return keep


@pytest.fixture
def conf(keyspace: Cassandra, tmp_path: Path) -> Path:
    path = tmp_path / "conf.yaml"
    path.write_text(
        f"cassandra: {{contact_points: [127.0.0.1], port: {keyspace.port}, "
        f"keyspace: {keyspace.keyspace}}}\n"
    )
    return path


@pytest.mark.usefixtures("capsys")
@pytest.mark.parametrize(
    ("inputs", "failed", "expected"),
    [
        ({"users": 2, "engine": "local"}, False, ([ANNA, BEN], TrainingEngine.local, None)),
        ({"users": "changed"}, False, ([ANNA, BEN], TrainingEngine.spark, None)),
        ({"users": "all", "cutoff_at": str(CUTOFF)}, False, ("all", TrainingEngine.spark, CUTOFF)),
        ({"users": "all", "cutoff_at": "None"}, True, ([BEN], TrainingEngine.spark, None)),
    ],
)
def test_a_rerun_covers_the_same_users(
    recorded: Callable[..., UUID],
    trainer: Trainer,
    conf: Path,
    inputs: dict[str, object],
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
    whoever = a_run("failed", MONDAY, "exercise", users="changed")
    assert jobs.users_to_rerun(whoever, [], only_failed=False) == "changed"


@pytest.mark.parametrize(
    "run", [a_run("refused", MONDAY, users="changed"), a_run("failed", MONDAY, "exercise-averaged")]
)
def test_a_rerun_of_a_full_run_is_a_full_run(run: JobRun):
    """A rerun for changed users would have nothing to do."""
    assert jobs.users_to_rerun(run, [], only_failed=False) == "all"


def test_listing_jobs_without_runs_prints_a_message(conf: Path, capsys: pytest.CaptureFixture[str]):
    jobs.list_jobs("week", conf=conf)
    assert capsys.readouterr().out == "No run of week yet.\n"


def test_json_is_refused_of_a_scheduler_that_stays(conf: Path):
    with pytest.raises(BadInput, match="--json is one answer, and --forever has none"):
        schedule.run(forever=True, conf=conf, as_json=True)


def test_process_of_the_scheduler_is_this_checkouts(context: CommandContext, strangers: Path):
    (context.conf_path).write_text(
        yaml.safe_dump(
            {
                "cassandra": context.config.cassandra.model_dump(mode="json"),
                "schedule": {"jobs": dict.fromkeys(context.config.schedule.jobs, "")},
            }
        )
    )
    done = subprocess.run(
        schedule._child_command(context), cwd=strangers, capture_output=True, text=True, check=False
    )
    assert done.stdout == "Nothing is due.\n", done.stderr


def test_second_scheduler_of_a_machine_trains_nothing_meanwhile(
    context: CommandContext,
    trainer: Trainer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """Cron calls every ten minutes: jobs at once would share the cores and the memory."""
    paths = context.config.paths.model_copy(update={"run": tmp_path / "run"})
    config = context.config.model_copy(update={"paths": paths})
    here = replace(context, config=config, terminal=Terminal(as_json=False))
    monkeypatch.setattr(schedule, "open_context", lambda conf, *, as_json: here)
    (tmp_path / "run").mkdir()
    first = lock_soon(tmp_path / "run" / schedule.LOCK)
    assert first is not None
    with first:
        schedule.run()
    assert "another `muvr schedule run` runs jobs" in " ".join(capsys.readouterr().out.split())
    assert trainer.asked == []
    schedule.run()
    assert [family for family, *_ in trainer.asked] == ["rank", "clusters"]
    assert "scheduled jobs" in capsys.readouterr().out
    assert f"process {os.getpid()}, since" in (tmp_path / "run" / schedule.LOCK).read_text()
