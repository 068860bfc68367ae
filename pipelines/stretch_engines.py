"""Two ways to run a function over users' stretches: on Spark, and in this process."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
from pyspark.sql import SparkSession

from pipelines.idle import COLUMNS
from pipelines.plans import require_direct_join
from pipelines.scope import UserKey
from pipelines.span import keys_once, span_by
from pipelines.tables import read_keys
from store.database import Database
from store.stretches import Stretches

TABLE = "labelled_stretches"
KEY = ("user_id", "model_id")
Row = dict[str, Any]


class Engine(Protocol):
    """Runs a function over partitions of `labelled_stretches`."""

    def over(self, keys: Sequence[UserKey], function: Any, schema: pa.Schema) -> list[Row]:
        """One row or none for every key."""
        ...


@dataclass(frozen=True, slots=True)
class SparkEngine:
    """Every partition where Spark reads it."""

    spark: SparkSession
    keyspace: str

    def over(self, keys: Sequence[UserKey], function: Any, schema: pa.Schema) -> list[Row]:
        """Read these keys by a Direct Join, without a shuffle."""
        if not keys:
            return []
        table = read_keys(self.spark, self.keyspace, TABLE, keys).columns(*COLUMNS)
        spanned = span_by(table, KEY, function, schema, rows_out=2)  # a row is a megabyte
        require_direct_join(spanned)
        rows = [row.asDict() for row in spanned.toLocalIterator()]
        keys_once(rows, KEY)
        return rows


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """One partition after the other in this process."""

    database: Database

    def over(self, keys: Sequence[UserKey], function: Any, schema: pa.Schema) -> list[Row]:
        """The same rows as Spark's."""
        found = [row for key in keys for row in self._one(key, function)]
        return pa.Table.from_pylist(found, schema=schema).to_pylist()

    def _one(self, key: UserKey, function: Any) -> Iterable[Row]:
        rows = asyncio.run(Stretches(self.database).of_user(*key))
        columns = {
            "user_id": [str(key[0])] * len(rows),
            "model_id": [key[1]] * len(rows),
            "session_id": [str(row.head.session_id) for row in rows],
            "started_at": [row.head.started_at for row in rows],
            "spans": [json.dumps(row.head.spans) for row in rows],
            "revision": [row.head.revision for row in rows],
            "samples": [row.samples for row in rows],
        }
        return function((str(key[0]), key[1]), pa.table(columns)) if rows else ()
