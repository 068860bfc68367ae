"""Rows that a pass reads by their whole primary keys, as both engines read them.

For tables whose rows are large, of which a pass needs some only: what it costs does not grow with
the others of a partition.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from pipelines.keys import RowKey, UserKey
from store.database import Database


@dataclass(frozen=True, slots=True)
class ChosenRows:
    """Rows of a Cassandra table that is partitioned by `KEY`.

    Attributes:
        table: the table's name.
        columns: the columns that are read.
        clustering: the names of all its clustering columns.
        keys: the rows of each partition, by these columns.
        read_local: reads rows of one partition in this process, in the form in which Spark hands
            them over; those that were deleted meanwhile are left out.
    """

    table: str
    columns: tuple[str, ...]
    clustering: tuple[str, ...]
    keys: Mapping[UserKey, Sequence[RowKey]]
    read_local: Callable[[Database, UserKey, Sequence[RowKey]], pa.Table]

    def of(self, partitions: Iterable[UserKey]) -> "ChosenRows":
        """Those of some partitions only."""
        return replace(self, keys={key: self.keys[key] for key in partitions})
