"""Frames that are asked more than once."""

from collections.abc import Generator
from contextlib import contextmanager

from pyspark import StorageLevel
from pyspark.sql import DataFrame


@contextmanager
def kept_on_disk(frame: DataFrame) -> Generator[DataFrame]:
    """A frame that is computed once however often it is asked."""
    frame = frame.persist(StorageLevel.DISK_ONLY)
    try:
        yield frame
    finally:
        frame.unpersist()
