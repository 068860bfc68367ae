"""The benchmark peer with a row per sample prepacks exactly the values the driver would bind."""

from itertools import islice
from types import SimpleNamespace
from uuid import UUID

import numpy as np
from cassandra.cqltypes import Int32Type, LongType, ShortType, UTF8Type, UUIDType
from cassandra.query import BatchStatement, PreparedStatement

from bench.rowwise import bound_batches, packed_batches

COLUMNS = {
    "user_id": UUIDType, "session_id": UUIDType, "stream": UTF8Type, "part": Int32Type,
    "t_ns": LongType, "x": ShortType, "y": ShortType, "z": ShortType,
}  # fmt: skip


def test_prepacked_batches_equal_batches_bound_by_the_driver() -> None:
    columns = [
        SimpleNamespace(name=name, type=kind, keyspace_name="bench", table_name="samples")
        for name, kind in COLUMNS.items()
    ]
    insert = PreparedStatement(columns, b"id", [0, 1, 2, 3], "", "bench", 5, None, None)
    counts = np.array([[1, -2, 3], [8000, -8000, 0]]).tolist()
    both = zip(packed_batches(insert, counts), bound_batches(insert, counts), strict=True)
    for part, (batch, same) in enumerate(islice(both, 3)):
        sent = batch._statements_and_parameters
        rows = [values[2:] for _, _, values in same._statements_and_parameters]
        assert [list(values[2:]) for _, _, values in sent] == [list(row) for row in rows]
        person = UUID(bytes=sent[0][2][0])
        bound = BatchStatement()
        for i, xyz in enumerate(counts):
            bound.add(insert, (person, person, "acc", part, i, *xyz))
        assert [(one, two, list(values)) for one, two, values in sent] == [
            (one, two, list(values)) for one, two, values in bound._statements_and_parameters
        ]
