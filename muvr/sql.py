"""`muvr sql`: questions to the mart, with DuckDB or Spark, and a door for JDBC clients."""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from muvr.door import Door, open_door
from muvr.options import AsJson, Conf
from muvr.terminal import counted
from pipelines.lifecycle.runs import server_time
from store.mart import MartFolder, QueryAnswer

SERVE = "serve"
ASKING = "asking Spark"
SERVING = "starting Spark's Thrift server"


class SqlEngine(StrEnum):
    """What answers."""

    duckdb = "duckdb"
    spark = "spark"


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(sql)


def sql(
    query: Annotated[str, typer.Argument(help="one SELECT, or the word `serve`")],
    engine: Annotated[SqlEngine, typer.Option(help="duckdb, or spark")] = SqlEngine.duckdb,
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Ask the mart, and learn how fresh the answer is; `muvr mart show` names the tables.

    `muvr sql serve` lets JDBC clients ask the same, on this machine only, until it is interrupted.

    Example: `muvr sql "SELECT exercise, count(*) AS sets FROM sets GROUP BY exercise"`

    Example: `muvr sql serve`, and in another terminal a JDBC client (docs/analysts.md has one)
    """
    door = open_door(conf, as_json=as_json)
    if query == SERVE:
        _serve(door)
        return
    _show(door, _ask_spark(door, query) if engine is SqlEngine.spark else _ask_duckdb(door, query))


def _ask_duckdb(door: Door, query: str) -> QueryAnswer:
    from store.mart_query import ask_duckdb  # one engine does not wait for the other

    return ask_duckdb(MartFolder(door.config.paths.mart), query, door.config.sql)


def _ask_spark(door: Door, query: str) -> QueryAnswer:
    from pipelines.mart.query import ask_mart

    with door.terminal as terminal:  # Spark's start takes much longer than most answers
        terminal.step(ASKING, 0, 1)
        answer = ask_mart(door.config, query)
        terminal.step(ASKING, 1, 1)
    return answer


def _show(door: Door, answer: QueryAnswer) -> None:
    age = server_time() - answer.as_of
    rows: Sequence[Sequence[object]] = answer.rows
    door.terminal.table("", answer.columns, rows)
    more = ", and there are more (sql.rows)" if answer.more else ""
    door.terminal.say(
        f"{counted(len(rows), 'row')}{more}; "
        f"the mart is as of {answer.as_of:%Y-%m-%d %H:%M:%S} UTC, "
        f"{timedelta(seconds=round(age.total_seconds()))} ago (`muvr mart refresh`)."
    )
    door.terminal.answer(
        {
            "columns": answer.columns,
            "rows": rows,
            "more": answer.more,
            "as_of": answer.as_of,
            "age_s": round(age.total_seconds(), 3),
        }
    )


def _serve(door: Door) -> None:
    from pipelines.mart.server import serve_mart

    door.terminal.step(SERVING, 0, 1)

    def ready() -> None:
        door.terminal.step(SERVING, 1, 1)
        door.terminal.say(
            f"jdbc:hive2://127.0.0.1:{door.config.sql.port}/default answers SELECTs over the mart, "
            "for programs of this machine; Ctrl-C ends it."
        )

    serve_mart(door.config, ready)
