"""`muvr sql`: questions to the mart, with DuckDB or Spark, and a server for JDBC clients."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

import typer

from muvr.context import CommandContext, open_context
from muvr.options import AsJson, Conf
from schemas.plurals import plural
from schemas.times import server_time
from store.mart import MartFolder, QueryResult

SERVE = "serve"
ASKING = "asking Spark"
SERVING = "starting Spark's Thrift server"


SqlEngine = Literal["duckdb", "spark"]
"""What answers."""


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(sql)


def sql(
    query: Annotated[str, typer.Argument(help="one SELECT, or the word `serve`")],
    engine: Annotated[SqlEngine, typer.Option(help="duckdb, or spark")] = "duckdb",
    conf: Conf = None,
    as_json: AsJson = False,
) -> None:
    """Ask the mart, and learn how fresh the answer is; `muvr mart show` names the tables.

    With Spark write 1.0E0, not 1.0: averages and quotients of decimals are rounded to a few digits.

    `muvr sql serve` lets JDBC clients ask the same, on this machine only, until it is interrupted.

    Example: `muvr sql "SELECT exercise, count(*) AS sets FROM sets GROUP BY exercise"`

    Example: `muvr sql serve`, and in another terminal a JDBC client (docs/analysts.md has one)
    """
    context = open_context(conf, as_json=as_json)
    if query == SERVE:
        _serve(context)
        return
    _show(
        context,
        _query_spark(context, query) if engine == "spark" else _query_duckdb(context, query),
    )


def _query_duckdb(context: CommandContext, query: str) -> QueryResult:
    from store.mart_query import query_duckdb  # one engine does not wait for the other

    return query_duckdb(MartFolder(context.config.paths.mart), query, context.config.sql)


def _query_spark(context: CommandContext, query: str) -> QueryResult:
    from pipelines.mart.query import query_mart

    with context.terminal as terminal:  # Spark's start takes much longer than most answers
        terminal.step(ASKING, 0, 1)
        result = query_mart(context.config, query)
        terminal.step(ASKING, 1, 1)
    return result


def _show(context: CommandContext, result: QueryResult) -> None:
    age = server_time() - result.as_of
    rows: Sequence[Sequence[object]] = result.rows
    context.terminal.table("", result.columns, rows)
    more = ", and there are more (sql.rows)" if result.more else ""
    context.terminal.say(
        f"{plural(len(rows), 'row')}{more}; "
        f"the mart is as of {result.as_of:%Y-%m-%d %H:%M:%S} UTC, "
        f"{timedelta(seconds=round(age.total_seconds()))} ago (`muvr mart refresh`)."
    )
    context.terminal.answer(
        {
            "columns": result.columns,
            "rows": rows,
            "more": result.more,
            "as_of": result.as_of,
            "age_s": round(age.total_seconds(), 3),
        }
    )


def _serve(context: CommandContext) -> None:
    from pipelines.mart.server import serve_mart

    url = f"jdbc:hive2://127.0.0.1:{context.config.sql.port}/default"
    context.terminal.step(SERVING, 0, 1)

    def ready() -> None:
        """Say where the server answers."""
        context.terminal.step(SERVING, 1, 1)
        context.terminal.say(
            f"{url} answers SELECTs over the mart, for programs of this machine; Ctrl-C ends it."
        )
        context.terminal.answer({"url": url})

    serve_mart(context.config, ready, context.terminal.say)
