"""`muvr simulate`: events of simulated users with a known ground truth, as clients send them."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from muvr.context import CommandContext, open_context
from muvr.options import AsJson, Conf
from muvr.simulating_crowd import SimulatedWorld, register_all, send_crowd
from muvr.simulating_truth import keep_truth, known_world
from schemas.errors import BadInput
from schemas.times import server_time

USUAL_WEEKS, LONGEST_WEEKS = 26, 52


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(simulate)


def simulate(
    users: Annotated[int, typer.Option(min=1, help="how many people")] = 100,
    weeks: Annotated[
        int, typer.Option(min=1, max=LONGEST_WEEKS, help="how long they train")
    ] = USUAL_WEEKS,
    seed: Annotated[int, typer.Option(min=0, help="the same seed is the same world")] = 1,
    start: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="first day; default: half a year ago, or as before"
        ),
    ] = None,
    password: Annotated[str, typer.Option(help="of everybody; default: nobody can log in")] = "",
    processes: Annotated[int, typer.Option(min=0, help="default: spark.cores")] = 0,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Send simulated people's plans, sessions, sets and follows, as their clients would.

    They pass the checks of the service, the journal and its projections, but not HTTP. The truth
    behind them is kept beside the reports. The same command again changes nothing; more users or
    weeks of the same seed are added to those that are there.

    Example: `muvr simulate --users 1000 --weeks 26 --seed 1 && muvr train all`
    """
    context = open_context(conf, as_json=as_json)
    began = server_time()
    first = first_day(context, weeks, seed, start)
    world = SimulatedWorld(users, weeks, seed, first.timestamp())
    with context.terminal:
        context.run_async(lambda database: register_all(database, world, password))
        # Kept before sending: if that is interrupted, the next run must find the first day.
        kept = keep_truth(context.config.paths.reports, world)
        counts = send_crowd(context, world, processes or context.config.spark.cores)
    seconds = round((server_time() - began).total_seconds(), 1)
    context.terminal.table("simulated people", ("what", "simulated"), count_rows(counts, seconds))
    context.terminal.say(f"The truth behind them is in {kept}; next: muvr train all")
    answer = {"simulated": True, **asdict(world), "sent": counts, "seconds": seconds}
    context.terminal.answer({**answer, "truth": str(kept)})


def count_rows(counts: Mapping[str, int], seconds: float) -> list[tuple[str, str]]:
    """The numbers of sent events, the seconds and the rate, as rows of a table.

    >>> count_rows({"people": 1000, "sets": 946482}, 874.0)[1:]
    [('sets', '946,482'), ('seconds', '874'), ('sets/s', '1,083')]
    """
    speed = counts["sets"] / seconds
    rows = {**counts, "seconds": round(seconds), "sets/s": round(speed)}
    return [(what, f"{number:,}") for what, number in rows.items()]


def first_day(context: CommandContext, weeks: int, seed: int, start: datetime | None) -> datetime:
    """Midnight UTC of the first day: given, as in earlier runs of the seed, else half a year ago.

    That is a Monday from which `USUAL_WEEKS` have passed, or as many as are asked for, so that
    later runs may ask for more than the first; fewer where the service takes no ids as old as that.

    Raises:
        BadInput: people would train in the future, or the service takes no ids of the first day.
    """
    past_days = context.config.limits.clock_past_days
    known = known_world(context.config.paths.reports, seed)
    today = server_time().replace(hour=0, minute=0, second=0, microsecond=0)
    span = max(weeks, min(USUAL_WEEKS, (past_days - 7) // 7))
    first = today - timedelta(days=today.weekday(), weeks=span)
    if start is not None:
        first = start.replace(tzinfo=UTC)
    elif known is not None:
        first = datetime.fromtimestamp(known.start_s, UTC)
    if first + timedelta(weeks=weeks) > server_time():
        other = "an earlier --start" if known is None else f"{(today - first).days // 7} weeks"
        raise BadInput(
            f"{weeks} weeks from {first:%Y-%m-%d} reach into the future; say {other} or another "
            "--seed",
            field="weeks",
            value=weeks,
        )
    if today - first >= timedelta(days=past_days - 1):  # some live up to nine hours earlier
        raise BadInput(
            f"the first day of seed {seed}, {first:%Y-%m-%d}, is further back than the "
            f"{past_days} days of limits.clock_past_days; take another --seed or a later --start",
            field="start",
            value=f"{first:%Y-%m-%d}",
        )
    return first
