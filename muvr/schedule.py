"""`muvr schedule`: runs every job when it is due, by the cron expressions in conf.yaml.

The time up to which a schedule is done is kept as a watermark; a run by hand since then counts as
well. After a downtime only the newest missed time is caught up, once; leases prevent two schedulers
from running one job.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

import typer

from muvr.context import CommandContext, open_context
from muvr.family_jobs import problem_text, run_job
from muvr.options import AsJson, Conf
from schemas.cron import read_cron
from schemas.errors import BadInput, LeaseHeld, LeaseLost, MuvrError
from schemas.statuses import RunStatus
from schemas.times import server_time
from store.database import Database
from store.file_lock import lock_soon
from store.jobs import JobRun, JobRuns, is_dead, last_sign_of
from store.watermarks import Watermarks

State = Literal["waiting", "due", "running", "failed, waits"]
POLL_S = 30.0
CHILD_ENDS_WITHIN_S = 60.0
LOCK = "schedule.lock"
UNDER_WAY = "another run is under way"
"""Of the file under `paths.run` that is locked while jobs run."""
_MAIN = "from muvr.cli import main; main()"


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """The schedule of one family's job.

    Attributes:
        due_at: the newest scheduled time in the past.
        done_until: the newest scheduled time whose job has run, by schedule or by hand; None before
            the first.
        next_at: the next scheduled time.
        last_run: the status of the family's newest run, scheduled or not.
    """

    family: str
    cron: str
    state: State
    due_at: datetime
    done_until: datetime | None
    next_at: datetime
    last_run: RunStatus | None


@dataclass(frozen=True, slots=True)
class JobResult:
    """The result of a job that was due: its run's status, or why it did not run."""

    family: str
    due_at: datetime
    status: str


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(
        help="Train families, and refresh the mart, when it is due.", no_args_is_help=True
    )
    group.command("run")(run)
    group.command("list")(list_schedule)
    app.add_typer(group, name="schedule")


def list_schedule(conf: Conf = None, as_json: AsJson = False) -> None:
    """Show when each job ran and is due next.

    Example: `muvr schedule list`
    """
    context = open_context(conf, as_json=as_json)
    jobs = scheduled_jobs(context, server_time())
    head = ("family", "cron", "state", "done_until", "next_at", "last_run")
    rows = [[getattr(job, name) for name in head] for job in jobs]
    context.terminal.table("schedule (UTC)", head, rows)
    context.terminal.answer([asdict(job) for job in jobs])


def run(
    forever: Annotated[
        bool, typer.Option("--forever", help="stay, and run whatever is due")
    ] = False,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Run the jobs that are due now; repeated at once it does nothing.

    Without --forever it is meant for cron or a systemd timer, every few minutes. While another one
    of this machine trains it does nothing: jobs run one after the other.

    --json is one answer, so that it is refused with --forever, which has none.

    Example: `muvr schedule run`
    """
    if forever and as_json:
        raise BadInput(
            "--json is one answer, and --forever has none: leave out one of them; "
            "`muvr jobs list --json` has the runs",
            field="--json",
        )
    context = open_context(conf, as_json=as_json)
    if forever:
        _run_forever(context)
    folder = context.config.paths.run
    folder.mkdir(parents=True, exist_ok=True)
    lock = lock_soon(folder / LOCK)
    if lock is None:
        told = (folder / LOCK).read_text() or "another `muvr schedule run`"
        context.terminal.say(f"What is due waits: {told} runs jobs.")
        context.terminal.answer([])
        return
    with lock:  # or the jobs of several would share the cores and the memory
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, since {server_time():%Y-%m-%d %H:%M} UTC,".encode())
        lock.flush()
        results = run_due_jobs(context)
    rows = [(result.family, result.due_at, result.status) for result in results]
    context.terminal.table("scheduled jobs", ("family", "due", "came to"), rows)
    if not results:
        context.terminal.say("Nothing is due.")
    context.terminal.answer([asdict(result) for result in results])
    if any(result.status.startswith("failed") for result in results):
        raise typer.Exit(1)


def scheduled_jobs(context: CommandContext, now: datetime) -> list[ScheduledJob]:
    """The schedules of all families that have one."""
    jobs = context.config.schedule.jobs
    return context.run_async(
        lambda database: _scheduled_jobs(database, jobs, now, _retry(context)), "spark"
    )


async def _scheduled_jobs(
    database: Database, jobs: Mapping[str, str], now: datetime, retry: timedelta
) -> list[ScheduledJob]:
    """The schedules of families.

    Args:
        database: with runs and watermarks.
        jobs: family to cron expression; empty for one that is not scheduled.
        now: the server's time.
        retry: the delay after a failed run.
    """
    runs, marks = JobRuns(database), Watermarks(database)
    scheduled: list[ScheduledJob] = []
    for family, cron in jobs.items():
        if cron:
            recent = await runs.newest(family, now=now)
            done_until = await marks.read(_mark(family), now)
            scheduled.append(scheduled_job(family, cron, now, done_until, recent, retry))
    return scheduled


def scheduled_job(
    family: str,
    cron: str,
    now: datetime,
    done_until: datetime | None,
    runs: Sequence[JobRun],
    retry: timedelta,
) -> ScheduledJob:
    """The schedule of a family: due, unless its newest time is done, or its job runs or has failed.

    Args:
        family: whose job.
        cron: when it is due.
        now: the server's time.
        done_until: the newest time whose job the schedule has run.
        runs: the family's last runs, newest first; those that a clock ahead began do not count.
        retry: the delay after a failed run.
    """
    times = read_cron(cron)
    due_at = times.last(now)
    begun = [run for run in runs if run.started_at <= now]
    newest = begun[0] if begun else None
    if any(_counts_as_scheduled(run) and due_at <= run.started_at for run in begun):
        done_until = due_at
    state: State = "due" if done_until is None or done_until < due_at else "waiting"
    if state == "due" and newest and newest.status == "running" and not is_dead(newest, now):
        state = "running"  # or killed just now: begun again at once it would be killed again
    elif state == "due" and _failed_since(newest, max(due_at, now - retry), now):
        state = "failed, waits"
    status = newest.status if newest else None
    return ScheduledJob(family, cron, state, due_at, done_until, times.next(now), status)


def _counts_as_scheduled(run: JobRun) -> bool:
    """Whether a run stands for a scheduled one: it ended well and was not over named users.

    A run over named users has their number as its input, any other a word.
    """
    return run.status not in ("running", "failed") and not isinstance(run.inputs.get("users"), int)


def _failed_since(newest: JobRun | None, begin: datetime, now: datetime) -> bool:
    """Whether the newest run failed since then, or its process was killed."""
    if newest is None:
        return False
    return (newest.status == "failed" or is_dead(newest, now)) and begin < last_sign_of(newest)


def run_due_jobs(context: CommandContext) -> list[JobResult]:
    """Run the job of every family that is due; one that fails does not stop the others."""
    jobs = scheduled_jobs(context, server_time())
    return [
        JobResult(job.family, job.due_at, UNDER_WAY)
        if job.state == "running"
        else _run_job(context, job)
        for job in jobs
        if job.state in ("due", "running")
    ]


def _run_job(context: CommandContext, due: ScheduledJob) -> JobResult:
    """Run one job, and record its scheduled time as done unless it failed."""
    try:
        report = run_job(context, due.family, "changed")
    except Exception as problem:  # noqa: BLE001 (the run has it; other families do not wait for it)
        return JobResult(due.family, due.due_at, _why_not_done(problem))
    mark = _mark(due.family)
    context.run_async(
        lambda database: Watermarks(database).advance(
            mark, report.run_id, due.due_at, server_time()
        ),
        "spark",
    )
    return JobResult(due.family, due.due_at, report.status)


def _why_not_done(problem: Exception) -> str:
    """Why a job is not done: it failed, or another run kept it from beginning."""
    if isinstance(problem, LeaseHeld) and not isinstance(problem, LeaseLost):
        return UNDER_WAY
    return f"failed: {problem_text(problem)}"


def _run_forever(context: CommandContext) -> None:
    """Poll, and run what is due in a new process, whose memory is freed when it ends."""
    command = _child_command(context)
    context.terminal.say(f"Looking every {POLL_S:.0f} s for what is due; Ctrl-C ends it.")
    while True:
        try:
            if any(job.state == "due" for job in scheduled_jobs(context, server_time())):
                _run_child(command)
        except MuvrError as problem:
            context.terminal.fail(f"{problem} Looking again in {POLL_S:.0f} s.")
        time.sleep(POLL_S)


def _run_child(command: Sequence[str]) -> None:
    """Run a command to its end; when this one is interrupted, end it, and wait until it has.

    It is in a session of its own: of a Ctrl-C that both got, it would be interrupted twice, and the
    second time while it records the end of its run and gives back the lease.
    """
    with subprocess.Popen(command, start_new_session=True) as child:
        try:
            child.wait()
        except BaseException:
            child.terminate()
            with suppress(subprocess.TimeoutExpired):
                child.wait(CHILD_ENDS_WITHIN_S)
            raise
        finally:
            child.kill()  # nothing where it has ended


def _child_command(context: CommandContext) -> list[str]:
    """`muvr schedule run` in a new process, with this command's settings."""
    words = ["schedule", "run", "--config", str(context.conf_path)]
    # -P: packages of the folder that it runs in are not ours, whatever their names
    return [sys.executable, "-P", "-c", _MAIN, *words]


def _mark(family: str) -> str:
    """The name of the watermark of a family's schedule."""
    return f"schedule:{family}"


def _retry(context: CommandContext) -> timedelta:
    return timedelta(minutes=context.config.schedule.retry_minutes)
