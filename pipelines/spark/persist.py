"""DataFrames that are used more than once."""

from collections.abc import Generator
from contextlib import contextmanager

from pyspark import StorageLevel
from pyspark.sql import DataFrame


@contextmanager
def persisted(frame: DataFrame) -> Generator[DataFrame]:
    """Persist a frame on disk, so that it is computed once; released at the end of the block."""
    frame = frame.persist(StorageLevel.DISK_ONLY)
    try:
        yield frame
    finally:
        frame.unpersist()
