"""`muvr simulate`: events of simulated users with a known ground truth, as clients send them."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from muvr.context import CommandContext, open_context
from muvr.options import AsJson, Conf
from muvr.simulating_crowd import SimulatedWorld, send_crowd
from muvr.simulating_truth import keep_truth, known_start
from schemas.errors import BadInput
from schemas.times import server_time


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(simulate)


def simulate(
    users: Annotated[int, typer.Option(min=1, help="how many people")] = 100,
    weeks: Annotated[int, typer.Option(min=1, max=52, help="how long they train")] = 26,
    seed: Annotated[int, typer.Option(min=0, help="the same seed is the same world")] = 1,
    start: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="first day; default: so that they end last week"),
    ] = None,
    password: Annotated[str, typer.Option(help="of everybody; default: nobody can log in")] = "",
    processes: Annotated[int, typer.Option(min=0, help="default: spark.cores")] = 0,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Send simulated people's plans, sessions, sets and follows, as their clients would.

    They pass the checks of the service, the journal and its projections, but not HTTP. The truth
    behind them is kept beside the reports; the same command again changes nothing.

    Example: `muvr simulate --users 1000 --weeks 26 --seed 1 && muvr train all`
    """
    context = open_context(conf, as_json=as_json)
    began = server_time()
    world = SimulatedWorld(users, weeks, seed, _start_s(context, weeks, seed, start))
    with context.terminal:
        counts = send_crowd(context, world, password, processes or context.config.spark.cores)
    seconds = round((server_time() - began).total_seconds(), 1)
    kept = keep_truth(context.config.paths.reports, world, counts, seconds)
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


def _start_s(context: CommandContext, weeks: int, seed: int, start: datetime | None) -> float:
    """Midnight UTC of the first day: given, as in the last run, else so that it ends last Sunday.

    Raises:
        BadInput: people would train in the future.
    """
    known = known_start(context.config.paths.reports, seed)
    today = server_time().replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=today.weekday(), weeks=weeks)
    if start is not None:
        first = start.replace(tzinfo=UTC)
    elif known is not None:
        first = datetime.fromtimestamp(known, UTC)
    if first + timedelta(weeks=weeks) > server_time():
        raise BadInput(
            f"{weeks} weeks from {first:%Y-%m-%d} reach into the future; say an earlier --start "
            "or another --seed",
            field="weeks",
            value=weeks,
        )
    return first.timestamp()
