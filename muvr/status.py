"""`muvr status`: what runs, and how much is stored."""

from dataclasses import asdict
from typing import Any

import typer

from muvr.context import CommandContext, open_context
from muvr.options import AsJson, Conf
from schemas.errors import MuvrError
from schemas.times import server_time
from store.jobs import shown_status
from store.overview import MAX_COUNT, Overview, read_overview, shown


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(status)


def status(conf: Conf = None, as_json: AsJson = False) -> None:
    """Show node, service, tables, users, sets, models and the last job runs.

    Example: `muvr status --json`
    """
    context = open_context(conf, as_json=as_json)
    answer: dict[str, Any] = {
        "node": asdict(context.node.status()) if context.config.cassandra.own_node else None,
        "service": asdict(context.service.status()),
    }
    try:
        answer |= _figures(context.run_async(read_overview))
    except MuvrError as problem:
        answer["database"] = str(problem)
    _show_status(context, answer)
    context.terminal.answer(answer)


def _figures(overview: Overview) -> dict[str, Any]:
    return {
        "counts": overview.counts,
        "counted_to": MAX_COUNT,
        "more": sorted(overview.counted_in_part),
        "runs": [run._asdict() for run in overview.runs],
    }


def _show_status(context: CommandContext, answer: dict[str, Any]) -> None:
    terminal = context.terminal
    for name in ("node", "service"):
        known = answer[name] or {"outside cluster": ", ".join(context.config.cassandra.hosts)}
        terminal.table(name, ("what", "value"), known.items())
    if "database" in answer:
        terminal.say(f"No figures: {answer['database']}")
        return
    kept = [
        (name, shown(count, more=name in answer["more"]))
        for name, count in answer["counts"].items()
    ]
    terminal.table("kept", ("what", "rows"), kept)
    now = server_time()
    runs = [
        (run["family"], shown_status(run, now), run["started_at"], run["counts"])
        for run in answer["runs"]
    ]
    terminal.table("last job runs", ("family", "status", "started", "counts"), runs)
