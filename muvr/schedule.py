"""`muvr schedule`: each family's job when it is due, by the times in conf.yaml.

A time that was done is remembered among the jobs' watermarks. After a downtime only the newest
missed time is caught up, once; the leases of the jobs keep two schedulers apart.
"""

import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

import typer

from muvr.context import CommandContext, open_context
from muvr.options import AsJson, Conf
from muvr.train import problem_text, run_job
from pipelines.lifecycle.runs import server_time
from schemas.cron import read_cron
from schemas.errors import LeaseHeld, MuvrError
from store.database import Database
from store.jobs import JobRun, JobRuns
from store.watermarks import Watermarks

State = Literal["waiting", "due", "failed, waits"]
PAUSE_S = 30.0
_AGAIN = "from muvr.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Appointment:
    """Whether one family's job is due, and when it was and will be.

    Attributes:
        due_at: the newest time that has come.
        done_until: the newest time that was done; None before the first.
        next_at: the first time that has not come.
        last_run: how the family's newest run ended, scheduled or not.
    """

    family: str
    cron: str
    state: State
    due_at: datetime
    done_until: datetime | None
    next_at: datetime
    last_run: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of an appointment: a run's status, or why there was none."""

    family: str
    due_at: datetime
    status: str


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="Train each family when it is due.", no_args_is_help=True)
    group.command("run")(run)
    group.command("list")(list_appointments)
    app.add_typer(group, name="schedule")


def list_appointments(conf: Conf = None, as_json: AsJson = False) -> None:
    """Show when each family was trained and is due next.

    Example: `muvr schedule list`
    """
    context = open_context(conf, as_json=as_json)
    found = appointments(context, server_time())
    head = ("family", "cron", "state", "done_until", "next_at", "last_run")
    context.terminal.table("schedule (UTC)", head, [[getattr(a, n) for n in head] for a in found])
    context.terminal.answer([asdict(one) for one in found])


def run(
    forever: Annotated[
        bool, typer.Option("--forever", help="stay, and train whenever something is due")
    ] = False,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Train what is due now; repeated at once it does nothing.

    Without --forever it is meant for cron or a systemd timer, every few minutes.

    Example: `muvr schedule run`
    """
    context = open_context(conf, as_json=as_json)
    if forever:
        _stay(context)
    kept = keep_appointments(context)
    rows = [(one.family, one.due_at, one.status) for one in kept]
    context.terminal.table("kept", ("family", "due", "came to"), rows)
    if not kept:
        context.terminal.say("Nothing is due.")
    context.terminal.answer([asdict(one) for one in kept])
    if any(one.status.startswith("failed") for one in kept):
        raise typer.Exit(1)


def appointments(context: CommandContext, now: datetime) -> list[Appointment]:
    """The appointments of all scheduled families."""
    jobs = context.config.schedule.jobs
    return context.run_async(
        lambda database: _appointments(database, jobs, now, _retry(context)), "spark"
    )


async def _appointments(
    database: Database, jobs: Mapping[str, str], now: datetime, retry: timedelta
) -> list[Appointment]:
    """The appointments of the families of a schedule.

    Args:
        database: with runs and watermarks.
        jobs: family to cron fields; empty for one that is not scheduled.
        now: the server's time.
        retry: how long a run that failed holds the next one back.
    """
    runs, marks = JobRuns(database), Watermarks(database)
    found: list[Appointment] = []
    for family, cron in jobs.items():
        if cron:
            newest = next(iter(await runs.newest(family, 1)), None)
            done_until = await marks.read(_mark(family), now)
            found.append(appointment(family, cron, now, done_until, newest, retry))
    return found


def appointment(
    family: str,
    cron: str,
    now: datetime,
    done_until: datetime | None,
    newest: JobRun | None,
    retry: timedelta,
) -> Appointment:
    """The appointment of a family: due, unless its newest time was done or has just failed."""
    times = read_cron(cron)
    due_at = times.last(now)
    state: State = "due" if done_until is None or done_until < due_at else "waiting"
    if state == "due" and _failed_since(newest, max(due_at, now - retry), now):
        state = "failed, waits"
    status = newest.status if newest else None
    return Appointment(family, cron, state, due_at, done_until, times.next(now), status)


def _failed_since(newest: JobRun | None, begin: datetime, now: datetime) -> bool:
    """Whether the newest run failed since then; one that began in the future had a wrong clock."""
    return newest is not None and newest.status == "failed" and begin < newest.started_at <= now


def keep_appointments(context: CommandContext) -> list[Kept]:
    """Run the job of every family that is due; one that fails does not stop the others."""
    due = [one for one in appointments(context, server_time()) if one.state == "due"]
    return [_keep(context, one) for one in due]


def _keep(context: CommandContext, due: Appointment) -> Kept:
    try:
        report = run_job(context, due.family, "changed")
    except LeaseHeld:
        return Kept(due.family, due.due_at, "another run is under way")
    except Exception as problem:  # noqa: BLE001 (the run has it; other families do not wait for it)
        return Kept(due.family, due.due_at, f"failed: {problem_text(problem)}")
    mark = _mark(due.family)
    context.run_async(
        lambda database: Watermarks(database).advance(
            mark, report.run_id, due.due_at, server_time()
        ),
        "spark",
    )
    return Kept(due.family, due.due_at, report.status)


def _stay(context: CommandContext) -> None:
    """Look every half minute; run what is due in a process of its own, which frees its memory."""
    command = [sys.executable, "-c", _AGAIN, "schedule", "run", "--config", str(context.conf_path)]
    context.terminal.say(f"Looking every {PAUSE_S:.0f} s for what is due; Ctrl-C ends it.")
    while True:
        try:
            if any(one.state == "due" for one in appointments(context, server_time())):
                subprocess.run(command, check=False)
        except MuvrError as problem:
            context.terminal.fail(f"{problem} Looking again in {PAUSE_S:.0f} s.")
        time.sleep(PAUSE_S)


def _mark(family: str) -> str:
    """The name under which a schedule's done times stand among the watermarks."""
    return f"schedule:{family}"


def _retry(context: CommandContext) -> timedelta:
    return timedelta(minutes=context.config.schedule.retry_minutes)
