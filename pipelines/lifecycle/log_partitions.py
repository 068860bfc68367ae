"""Users' confirmed sets as logs, one per user, read by Spark without a shuffle."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol
from uuid import UUID

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from models.history import SetLog
from pipelines.keys import Key, Row
from pipelines.lifecycle.attempts import attempted
from pipelines.lifecycle.set_logs import COLUMNS, USER_KEY, log_of
from pipelines.spark.persist import rows_of
from pipelines.spark.plans import require_direct_join, require_no_shuffle
from pipelines.spark.span import span_by
from pipelines.spark.tables import read_keys, read_table
from schemas.errors import BadSets, NotEnoughLabels
from schemas.times import us_of

PROBLEM = "problem"  # column: why a user's sets cannot be read


class LogFunction(Protocol):
    """A function from one user's log to rows without the user's id."""

    def __call__(self, log: SetLog) -> Sequence[Mapping[str, Any]]:
        """Process one user's sets."""
        ...


def map_logs(
    spark: SparkSession,
    keyspace: str,
    function: LogFunction,
    schema: pa.Schema,
    latest: datetime,
) -> tuple[list[Row], Mapping[str, str]]:
    """Call `function` for every user's log on the executors.

    Args:
        spark: the session.
        keyspace: where `sets` is.
        function: importable on the executors.
        schema: of its rows, with `user_id` first.
        latest: as of `latest_start`.

    Returns:
        the rows, ordered by user, and the reasons of users whose sets are broken.

    Raises:
        BadSets: no user's sets can be read, which is not the same as that there are none.
    """
    table = read_table(spark, keyspace, "sets").columns(*COLUMNS)
    with_problem = schema.append(pa.field(PROBLEM, pa.string()))
    task = partial(_rows, function=function, latest=latest)
    spanned = span_by(table, USER_KEY, task, with_problem)
    require_no_shuffle(spanned)
    rows = sorted(rows_of(spanned), key=lambda row: row["user_id"])
    return split_failed(rows)


def split_failed(
    rows: Sequence[Row],
) -> tuple[list[Row], Mapping[str, str]]:
    """The rows of readable users, and the reasons of users whose sets are broken.

    Raises:
        BadSets: no user's sets can be read.
    """
    broken = {row["user_id"]: row[PROBLEM] for row in rows if row[PROBLEM]}
    good = [row for row in rows if not row[PROBLEM]]
    if broken and not good:
        first = next(iter(broken.values()))
        raise BadSets(f"The sets of none of {len(broken)} people can be read, as of one: {first}")
    return good, broken


def newest_set_at(
    spark: SparkSession, keyspace: str, latest: datetime, users: Sequence[UUID] | None = None
) -> datetime:
    """The start of the newest confirmed set, of everybody or of some users.

    Args:
        spark: the session.
        keyspace: where `sets` is.
        latest: as of `latest_start`. Later sets do not count: one with a wrong date would leave
            nobody a later set to be judged by.
        users: None for everybody.

    Raises:
        NotEnoughLabels: none of them has confirmed a set.
        BadSets: all of their sets are later: the server's clock is behind, or their times wrong.
    """
    if users is None:
        starts = read_table(spark, keyspace, "sets").columns("started_at").frame
    else:
        keys = [(user,) for user in users]
        starts = read_keys(spark, keyspace, "sets", keys).columns("started_at").frame
        require_direct_join(starts)
    start_us = f.unix_micros("started_at")
    counted = f.when(start_us <= us_of(latest), start_us)
    newest_us, sets = starts.agg(f.max(counted), f.count("started_at")).collect()[0]
    return _checked(newest_us, sets, latest)


def newest_of(starts_us: Iterable[int], latest: datetime) -> datetime:
    """As `newest_set_at`, of starts that were read; microseconds since the epoch.

    Raises:
        NotEnoughLabels, BadSets: as there.
    """
    starts = list(starts_us)
    counted = (start for start in starts if start <= us_of(latest))
    return _checked(max(counted, default=None), len(starts), latest)


def _checked(newest_us: int | None, sets: int, latest: datetime) -> datetime:
    if newest_us is not None:
        return datetime.fromtimestamp(newest_us / 1e6, UTC)
    if sets:
        raise BadSets(
            f"The times of all {sets} sets are later than {latest:%Y-%m-%d %H:%M} UTC, a day after "
            "this run began; check the server's clock."
        )
    raise NotEnoughLabels("nobody has confirmed a set yet")


def _rows(key: Key, group: pa.Table, *, function: LogFunction, latest: datetime) -> list[Row]:
    attempt = attempted(lambda: function(log_of(group, latest)))
    if attempt.value is None:
        return [{"user_id": key[0], PROBLEM: attempt.reason}]
    return [{"user_id": key[0], **row} for row in attempt.value]
