"""Counts the samples that Spark reads from Cassandra when it decodes every stored chunk."""

from collections import Counter
from collections.abc import Iterator, Mapping

import pyarrow as pa

from models.signal.codec import decode_samples
from pipelines.keys import Key
from pipelines.spark.session import spark_session
from pipelines.spark.span import span_by
from pipelines.spark.tables import read_table
from schemas.config import Config
from schemas.errors import BadSamples

PARTITION = ("user_id", "session_id", "stream", "part")
COUNTED = pa.schema(
    [
        ("user_id", pa.string()),
        ("session_id", pa.string()),
        ("samples", pa.int64()),
        ("broken", pa.int64()),
    ]
)


def samples_per_session(config: Config) -> tuple[Mapping[tuple[str, str], int], int]:
    """Decode all chunks, partition by partition, without a shuffle.

    Returns:
        the number of decoded samples by user id and session id, and the number of chunks that did
        not decode.
    """
    table = read_table(spark_session(config), config.cassandra.keyspace, "samples")
    chunks = table.columns(*PARTITION, "seq", "n", "xyz")
    rows = span_by(chunks, PARTITION, count_partition, COUNTED).collect()
    samples: Counter[tuple[str, str]] = Counter()
    for row in rows:
        samples[row["user_id"], row["session_id"]] += row["samples"]
    return dict(samples), sum(row["broken"] for row in rows)


def count_partition(key: Key, chunks: pa.Table) -> Iterator[Mapping[str, object]]:
    """One row: how many samples of a partition decode, and how many chunks do not."""
    samples = broken = 0
    for n, xyz in zip(chunks["n"].to_pylist(), chunks["xyz"].to_pylist(), strict=True):
        try:
            samples += len(decode_samples(xyz, n))
        except BadSamples:
            broken += 1
    user_id, session_id, *_ = map(str, key)
    yield {"user_id": user_id, "session_id": session_id, "samples": samples, "broken": broken}
