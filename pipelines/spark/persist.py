"""DataFrames that are used more than once, or computed before their rows are fetched."""

from collections.abc import Generator
from contextlib import contextmanager

from pyspark import StorageLevel
from pyspark.sql import DataFrame

from pipelines.keys import Row


@contextmanager
def persisted(frame: DataFrame) -> Generator[DataFrame]:
    """Persist a frame on disk, so that it is computed once; released at the end of the block."""
    frame = frame.persist(StorageLevel.DISK_ONLY)
    try:
        yield frame
    finally:
        frame.unpersist()


def rows_of(frame: DataFrame) -> list[Row]:
    """All rows of a frame: computed on every core, then fetched one Spark partition at a time.

    A local iterator alone would compute split after split, on one core of any cluster.
    """
    with persisted(frame) as computed:
        computed.count()
        # A frame of its own: the plan of one that was looked at before does not read what is kept.
        return [row.asDict() for row in computed.select("*").toLocalIterator()]
