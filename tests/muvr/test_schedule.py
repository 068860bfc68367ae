"""A due job runs once, and missed jobs are caught up once."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from muvr import schedule
from muvr.context import CommandContext
from muvr.family_jobs import run_job
from muvr.schedule import run_due_jobs, scheduled_job, scheduled_jobs
from muvr.terminal import Terminal
from pipelines.lifecycle.runs import LEASE_S, run_id_at
from schemas.config import Cassandra, Config, Schedule
from schemas.config_file import load_config
from schemas.errors import BadConfig, BadInput, DatabaseUnavailable, LeaseHeld, LeaseLost
from schemas.statuses import RunStatus
from store.database import Database
from store.file_lock import lock_soon
from store.jobs import JobRun, JobRuns
from tests.cassandra_node import CHECKOUT
from tests.muvr.trainer import DAY, HOUR, MONDAY, Trainer, a_run
from tests.waiting import answer_when

NIGHTLY = "0 2 * * *"


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
    ("why", "told"),
    [
        (LeaseHeld("busy"), "another run is under way"),
        (LeaseLost("taken after an hour"), "failed: taken after an hour"),
        (DatabaseUnavailable("gone"), "failed: gone"),
        (ValueError("a bug"), "failed: ValueError: a bug"),
    ],
)
def test_a_failed_job_stays_due_and_does_not_stop_others(
    context: CommandContext, trainer: Trainer, why: Exception, told: str
):
    """Another run is one that was there before: a run that lost its lease has failed."""
    trainer.fails["rank"] = why
    kept = {job.family: job.status for job in run_due_jobs(context)}
    assert kept["clusters"] == "nothing-to-do"
    assert kept["rank"].startswith(told)
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
    assert state(MONDAY, a_run("running", MONDAY)) == "running"
    long = failed._replace(finished_at=MONDAY)  # seven hours of work
    assert state(MONDAY + HOUR / 2, long) == "failed, waits"
    assert state(MONDAY + HOUR, long) == "due"


def test_runs_of_a_clock_that_was_ahead_do_not_hide_the_failed_one(
    context: CommandContext, database: Database
):
    """They stay the newest for months: the job would begin again at every look."""
    failed_at = MONDAY - HOUR / 4
    ahead = [MONDAY + (200 + day) * DAY for day in range(11)]  # more than one read returns

    async def record_runs() -> None:
        runs = JobRuns(database)
        for started_at in (*ahead, failed_at):
            run_id = run_id_at(started_at)
            status: RunStatus = "failed" if started_at == failed_at else "done"
            await runs.start("rank", run_id, {"users": "all"}, started_at)
            await runs.finish("rank", run_id, status, started_at, counts={}, metrics={}, reasons={})

    asyncio.run(record_runs())

    def at(now: datetime) -> tuple[str, str | None]:
        [job] = [job for job in scheduled_jobs(context, now) if job.family == "rank"]
        return job.state, job.last_run

    seen = [at(MONDAY), at(failed_at), at(failed_at + HOUR), at(failed_at - HOUR)]
    database.execute("DELETE FROM job_runs WHERE family = 'rank'")
    assert seen == [
        ("failed, waits", "failed"),
        ("failed, waits", "failed"),
        ("due", "failed"),
        ("due", None),
    ]


def test_a_killed_run_is_retried_after_a_delay():
    """When memory runs out, the system kills the process that would record the failure."""
    begun_at, killed_at = MONDAY - 6 * HOUR, MONDAY - 2 * HOUR
    killed = a_run("running", begun_at)._replace(heartbeat_at=killed_at)

    def state(after_kill: timedelta) -> str:
        return scheduled_job("rank", NIGHTLY, killed_at + after_kill, None, [killed], HOUR).state

    lease = timedelta(seconds=LEASE_S)
    assert state(timedelta(seconds=30)) == "running", "it may be alive; killed, it begins later"
    assert state(lease) == "running"
    assert state(lease + timedelta(seconds=1)) == "failed, waits"
    assert state(HOUR - timedelta(seconds=1)) == "failed, waits"
    assert state(HOUR) == "due"


def test_a_run_that_a_clock_ahead_kept_alive_keeps_nobody_waiting():
    ahead = a_run("running", MONDAY - 6 * HOUR)._replace(heartbeat_at=MONDAY + 5 * HOUR)
    job = scheduled_job("rank", NIGHTLY, MONDAY, None, [ahead], HOUR)
    assert job.state != "running"


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


CLEANING = """
import signal, sys, time
from pathlib import Path
from muvr.interruption import interrupt_on_signals
interrupt_on_signals()
try:
    Path("ready").touch()
    time.sleep(60)
finally:
    time.sleep(1.5)
    Path("recorded").touch()
"""


def test_an_interrupted_scheduler_lets_its_job_record_its_end(tmp_path: Path):
    """As Ctrl-C or `systemctl stop`: the run would else be `running`, and the lease held."""
    command = [sys.executable, "-c", CLEANING]
    code = (
        "from muvr import schedule\nfrom muvr.interruption import interrupt_on_signals\n"
        f"interrupt_on_signals()\nschedule._run_child({command!r})"
    )
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, stderr=subprocess.PIPE
    ) as running:
        assert answer_when(bool, (tmp_path / "ready").exists)
        running.terminate()
        running.communicate(timeout=60)
    assert running.returncode
    assert (tmp_path / "recorded").exists()


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
