"""Imported recordings keep their content, their weekdays and their ids."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest.importers.imported import ImportedRecording
from models.signal.pieces import Piece, Recording
from muvr.importing import days_to_move, named_id, time_of


def recorded(at: datetime) -> ImportedRecording:
    piece = Piece(int(at.timestamp()) * 10**9, 50.0, "g", 0.001, np.zeros((5, 3), np.int16))
    return ImportedRecording("p", None, Recording((piece,), (), "left"), ())


@pytest.mark.parametrize(("age_days", "moved"), [(3, 0), (363, 0), (364, 364), (800, 728)])
def test_old_recordings_move_by_multiples_of_364_days(age_days: int, moved: int):
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    recordings = [recorded(now - timedelta(days=age_days)), recorded(now - timedelta(days=9999))]
    assert days_to_move(recordings, now) == moved
    assert moved % 7 == 0


def test_the_same_name_and_time_give_the_same_id():
    at_ns = 1_700_000_000_123_000_000
    assert named_id(at_ns, "a") == named_id(at_ns, "a")
    assert named_id(at_ns, "a") != named_id(at_ns, "b")
    assert named_id(at_ns, "a").int >> 80 == 1_700_000_000_123
    assert time_of(at_ns) == datetime.fromtimestamp(1_700_000_000.123, UTC)
