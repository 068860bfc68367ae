"""Queries the mart with DuckDB in this process: read-only, with limits of time, rows and memory.

SQL is code: it could read any file of this user. So the views are created first, then DuckDB is
locked down (only the mart's current version may be read, no setting may be changed), and only a
single SELECT is run.
"""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from schemas.config import Sql
from schemas.errors import BadQuery, Exhausted, QueryTooLong
from schemas.mart import FRESHNESS, MART
from store.json_values import plain
from store.mart import Manifest, MartFolder, QueryResult
from store.time_limit import stopped_after


def query_duckdb(folder: MartFolder, sql: str, limits: Sql) -> QueryResult:
    """Run one SELECT.

    Args:
        folder: where the mart is.
        sql: one statement; tables by their bare names.
        limits: time, rows and memory.

    Raises:
        NoMart: the mart has not been built yet.
        BadMart: one of its files cannot be read.
        BadQuery: more than one statement, anything but a SELECT, or SQL that DuckDB refuses.
        QueryTooLong: it did not end in time.
        Exhausted: it needs more memory than `sql.memory_mb`.
    """
    return folder.query(lambda manifest: _query(folder, manifest, sql, limits))


def names_in_duckdb(
    folder: MartFolder, manifest: Manifest, sql: str, limits: Sql
) -> tuple[str, ...] | None:
    """What DuckDB calls the columns of a query's answer; None where it would refuse the query.

    Nothing is computed.
    """
    try:
        with _connected(folder, manifest, limits) as connection:
            _require_select(sql)
            with stopped_after(limits.seconds, connection.interrupt):
                return tuple(connection.sql(sql).columns)
    except (duckdb.Error, BadQuery):
        return None


@contextmanager
def _connected(
    folder: MartFolder, manifest: Manifest, limits: Sql
) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection that can only read one version of the mart."""
    with duckdb.connect(":memory:") as connection:
        version = folder.path.resolve() / manifest.version  # DuckDB compares whole paths
        _create_views(connection, version, manifest.as_of_text)
        _lock_down(connection, version, limits)
        yield connection


def _query(folder: MartFolder, manifest: Manifest, sql: str, limits: Sql) -> QueryResult:
    try:
        with _connected(folder, manifest, limits) as connection:
            _require_select(sql)
            with stopped_after(limits.seconds, connection.interrupt):
                result = connection.execute(sql)
                columns = tuple(name for name, *_ in result.description or ())
                rows = result.fetchmany(limits.rows + 1)
    except duckdb.InterruptException as problem:
        raise QueryTooLong(
            f"The query took longer than sql.seconds = {limits.seconds:g} and was stopped; "
            "ask for less, or raise the limit.",
            field="sql",
        ) from problem
    except duckdb.OutOfMemoryException as problem:
        raise Exhausted(
            f"The query needs more than sql.memory_mb = {limits.memory_mb}.",
            next_step="Ask for less, or raise the limit.",
        ) from problem
    except duckdb.Error as problem:
        message = str(problem).splitlines()[0]  # further lines point at the place and suggest names
        folder.require_readable([message], [manifest.version], sql=sql)
        raise BadQuery(
            f"DuckDB: {message} `muvr mart show` names tables and columns.",
            field="sql",
            value=sql[:100],
        ) from problem
    kept = [tuple(plain(value, zones=False) for value in row) for row in rows[: limits.rows]]
    return QueryResult(columns, kept, len(rows) > limits.rows, manifest.as_of)


def _create_views(connection: duckdb.DuckDBPyConnection, version: Path, as_of: str) -> None:
    for name in MART:
        files = version / name / "*.parquet"
        view = connection.read_parquet(str(files))
        view.create_view(name)
    [column] = FRESHNESS.columns
    connection.execute(
        f"CREATE VIEW {FRESHNESS.name} AS SELECT TIMESTAMP '{as_of}' AS {column.name}"
    )


def _lock_down(connection: duckdb.DuckDBPyConnection, version: Path, limits: Sql) -> None:
    """Restrict a connection to the files of one version of the mart, irrevocably.

    Beside it there may be other things, and versions with users who were erased since.
    """
    place = f"{version}/"
    for setting, value in (
        ("TimeZone", "'UTC'"),  # as the mart's times and Spark have it, wherever this machine is
        ("memory_limit", f"'{limits.memory_mb}MB'"),
        ("temp_directory", "''"),
        ("default_null_order", "'nulls_first_on_asc_last_on_desc'"),  # as Spark has it
        ("ieee_floating_point_ops", "false"),  # x / 0 is null, as Spark has it
        ("error_on_division_by_zero", "false"),  # and so is x % 0
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
