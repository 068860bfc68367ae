"""The demo counts the samples that it sent, whatever its people sent before."""

from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest

from models.signal.codec import encode_samples
from muvr.demo import sample_counts
from muvr.demo.sending import SentSamples
from pipelines.census import count_partition
from schemas.config import Config

ADA, BOB = UUID(int=1), UUID(int=2)
THIS_YEAR, LAST_YEAR = UUID(int=20), UUID(int=10)


def test_samples_of_sessions_from_last_year_are_not_counted(monkeypatch: pytest.MonkeyPatch):
    in_cassandra = {
        (str(ADA), str(LAST_YEAR)): 1000,
        (str(ADA), str(THIS_YEAR)): 100,
        (str(BOB), str(THIS_YEAR)): 10,
    }
    monkeypatch.setattr(sample_counts, "samples_per_session", lambda _: (in_cassandra, 0))
    bodies = {
        (user, THIS_YEAR, stream, seq): b"hash"
        for user in (ADA, BOB)
        for stream in ("acc", "gyro")
        for seq in range(2)
    }
    sent = SentSamples({"01": ADA, "02": BOB}, bodies, 110, 110)
    assert sample_counts.read_by_spark(Config(), sent) == 110


def test_a_partition_counts_its_samples_under_user_and_session():
    xyz = encode_samples(np.zeros((7, 3), np.int16))
    chunks = pa.table({"n": [7, 7, 7], "xyz": [xyz, xyz, b"no samples"]})
    (row,) = count_partition((ADA, THIS_YEAR, "acc", 0), chunks)
    assert row == {
        "user_id": str(ADA), "session_id": str(THIS_YEAR), "samples": 14, "broken": 1
    }  # fmt: skip
