"""One question to the mart with DuckDB, in this process: read only, in time, with a limit of rows.

SQL is code: it could read any file of this user. So the views are made first, then DuckDB's doors
are closed (only the mart's own folder may be read, no setting may be changed any more), and only
a single SELECT is run.
"""

import duckdb

from schemas.config import Sql
from schemas.errors import BadQuery, QueryTooLong
from schemas.mart import MART
from store.mart import Manifest, MartFolder, QueryAnswer
from store.time_limit import stopped_after


def ask_duckdb(folder: MartFolder, sql: str, limits: Sql) -> QueryAnswer:
    """Answer one SELECT.

    Args:
        folder: where the mart is.
        sql: one statement; tables by their bare names.
        limits: time, rows and memory.

    Raises:
        NoMart: nobody has refreshed it yet.
        BadQuery: more than one statement, anything but a SELECT, or SQL that DuckDB refuses.
        QueryTooLong: it did not end in time.
    """
    return folder.ask(lambda manifest: _ask(folder, manifest, sql, limits))


def _ask(folder: MartFolder, manifest: Manifest, sql: str, limits: Sql) -> QueryAnswer:
    try:
        with duckdb.connect(":memory:") as connection:
            _views(connection, folder, manifest)
            _close_doors(connection, folder, limits)
            _require_select(sql)
            with stopped_after(limits.seconds, connection.interrupt):
                found = connection.execute(sql)
                columns = tuple(name for name, *_ in found.description or ())
                rows = found.fetchmany(limits.rows + 1)
    except duckdb.InterruptException as problem:
        raise QueryTooLong(
            f"The query took longer than sql.seconds = {limits.seconds:g} and was stopped; "
            "ask for less, or raise the limit.",
            field="sql",
        ) from problem
    except duckdb.Error as problem:
        said = str(problem).splitlines()[0]  # further lines draw a pointer and guess a name
        raise BadQuery(
            f"DuckDB: {said} `muvr mart show` names tables and columns.",
            field="sql",
            value=sql[:100],
        ) from problem
    return QueryAnswer(columns, rows[: limits.rows], len(rows) > limits.rows, manifest.as_of)


def _views(connection: duckdb.DuckDBPyConnection, folder: MartFolder, manifest: Manifest) -> None:
    for name in MART:
        files = folder.table(manifest, name) / "*.parquet"
        view = connection.read_parquet(str(files))
        view.create_view(name)


def _close_doors(connection: duckdb.DuckDBPyConnection, folder: MartFolder, limits: Sql) -> None:
    """Let this connection reach nothing but the mart's files, and let nothing undo that."""
    place = str(folder.path.resolve()) + "/"
    for setting, value in (
        ("memory_limit", f"'{limits.memory_mb}MB'"),
        ("temp_directory", "''"),
        ("default_null_order", "'nulls_first_on_asc_last_on_desc'"),  # as Spark has it
        ("allowed_directories", "['" + place.replace("'", "''") + "']"),
        ("enable_external_access", "false"),
        ("lock_configuration", "true"),
    ):
        connection.execute(f"SET {setting} = {value}")


def _require_select(sql: str) -> None:
    statements = duckdb.extract_statements(sql)
    if len(statements) != 1:
        raise BadQuery(f"One statement at a time, not {len(statements)}.", field="sql")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise BadQuery(
            f"The mart can only be read: say SELECT, not {statements[0].type.name}.",
            field="sql",
            value=sql[:100],
        )
